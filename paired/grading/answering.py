"""In the process that runs a student's cells, from its first line on: nothing here is trusted."""

import contextlib
import json
import os
import pathlib
import pickle
import sys
import tempfile
import traceback
import types

from paired import checks
from paired.grading import travel

import matplotlib


class _Quiet(types.SimpleNamespace):
    """What `checks.load` gives to the student's own cells: every task, which says nothing."""

    def __getattr__(self, name: str):
        return _Quiet()

    def __call__(self, *_, **__) -> None:
        return None


def run(connection, job: dict) -> None:
    """Run the cells of a submission, and answer for each task where its check stands."""
    from IPython.core.interactiveshell import InteractiveShell

    matplotlib.use("agg", force=True)
    load, tasks = checks.load, {}

    def load_quietly(*_) -> _Quiet:
        # Now, because the settings that a check restores are those of this moment.
        tasks.update(vars(load(job["lesson"], job["framework"])) if job["inside"] else {})
        return _Quiet()

    checks.load = load_quietly
    checks.TIME_LIMIT_SECONDS = job["seconds"]
    shell = InteractiveShell.instance()

    def tell(**words) -> None:
        connection.send_bytes(json.dumps(words).encode())

    failed = {}
    for number, (source, task) in enumerate(job["cells"]):
        if source:
            tell(cell=number)
            with contextlib.suppress(checks._TimeUp), checks._time_limit(job["seconds"]):
                done = shell.run_cell(source)
                if error := done.error_before_exec or done.error_in_exec:
                    said = traceback.format_exception_only(error)[-1].strip()
                    if isinstance(error, SyntaxError):  # from Python 3.13 on also one of its kinds
                        said = f"SyntaxError: {error.msg}"
                    failed[number] = f"`{said[:200]}`"
        if task not in job["names"]:
            continue
        names, namespace = job["names"][task], shell.user_ns
        tell(task=task)
        if absent := [name for name in names if name not in namespace]:
            why = failed.get(number, "") or "; ".join(failed.values())
            tell(task=task, absent=absent[0], why=why[:300])
        elif job["inside"]:
            _ = tasks or load_quietly()
            tell(task=task, **_verdict(tasks[task], [namespace[name] for name in names]))
        else:
            tell(task=task, answers=[_answer(namespace[name]) for name in names])
            while call := pickle.loads(connection.recv_bytes()):  # noqa: S301 - ours
                tell(**_call(namespace[call[0]], *call[1:]))
    tell(end=True)
    os._exit(0)


def _verdict(task, answers: list) -> dict:
    """The check's verdict. If it accepts spoilt results, too, then the answer has patched it."""
    task.check(*answers)
    verdict, reason = task.verdict, task.reason
    if verdict == checks.SOLVED and any(map(callable, answers)):
        task.check(*(_spoiling(each) if callable(each) else each for each in answers))
        if task.verdict == checks.SOLVED:
            verdict, reason = checks.WRONG, "With it in place, the check accepts any result."
    return {"verdict": verdict, "reason": reason}


def _spoiling(function):
    """The function, with other results, and with nothing in the temporary file that it wrote."""

    def spoilt(value):
        if isinstance(value, tuple | list):
            return type(value)(map(spoilt, value))
        try:
            return value * 2 + 1
        except Exception:
            return None

    def spoiling(*args, **kwargs):
        result = function(*args, **kwargs)
        for each in (*args, *kwargs.values()):
            if isinstance(each, pathlib.Path) and each.is_relative_to(tempfile.gettempdir()):
                with contextlib.suppress(OSError):
                    each.write_bytes(b"")
        return spoilt(result)

    return spoiling


def _answer(value):
    """A value as it travels; None if it is a function, or cannot."""
    try:
        return travel.pack(value)
    except travel.CannotTravelError:
        return {"function": callable(value)}


def _call(function, args: tuple, kwargs: dict) -> dict:
    """What a call returns and leaves in its arguments."""
    given = list(travel.things([*args, *kwargs.values()]))
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return {"raises": [type(error).__name__, str(error)[:300]]}
    try:
        return {"result": travel.pack(result, given), "state": list(map(travel.state, given))}
    except travel.CannotTravelError as problem:
        return {"cannot": str(problem)}


def silence() -> None:
    """Neither read nor write where the worker does."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - as long as the process
