"""Warm processes: one for each framework, which forks the workers, and for them the answers.

`python -m paired.grading.worker FRAMEWORK WORKERS SOCKET`: submissions come through standard input,
a socket whose messages any worker takes; verdicts go back the same way.
"""

import builtins
import contextlib
import importlib
import json
import multiprocessing.connection
import os
import pathlib
import pickle
import signal
import socket
import sys
import time
from collections.abc import Iterator

from paired import checks, course, imports
from paired.authors import kernels
from paired.grading import answering, submissions, travel
from paired.grading.sandbox import Sandbox, enter
from paired.grading.suspicion import suspicious

SECONDS = 10  # that a cell or a check may compute; four times as long it may wait
LOOK = "Look at it"
_ALL_SECONDS = 240  # for all of a submission


class _OverError(Exception):
    """The answers' process is at an end; the message says why, after "your code"."""


# The warm process


def serve(framework: str, workers: int, address: str) -> None:
    """Import a framework, fork the workers, then fork answers' processes until all have ended."""
    with imports.quiet_import():
        kernels.warm(framework)
    shell = importlib.import_module("IPython.core.interactiveshell").InteractiveShell
    history = importlib.import_module("IPython.core.history").HistoryManager
    history.enabled = False  # or it starts a thread
    shell.instance(colors="nocolor").init_display_formatter()
    importlib.import_module("cloudpickle")
    jobs = socket.socket(fileno=os.dup(0))
    answering.silence()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        for _ in range(workers):
            if os.fork() == 0:
                server.close()
                _work(jobs, address)
                os._exit(0)
        jobs.close()
        signal.signal(signal.SIGCHLD, _reap)
        while True:
            connection, _ = server.accept()
            with connection:
                request, (descriptor,), *_ = socket.recv_fds(connection, 4096, 1)
                if (pid := os.fork()) == 0:
                    connection.close()
                    server.close()
                    _become_answers(int(request), descriptor)
                os.close(descriptor)
                connection.sendall(str(pid).encode())


def _reap(*_) -> None:
    """Let no process that has ended stay; without any worker there is no more to do."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return
    os._exit(0)


def _become_answers(entrance: int, descriptor: int) -> None:
    """In a forked process: enter a sandbox, and in a child of its own run a submission."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        enter(entrance)
        if pid := os.fork():
            os.close(descriptor)
            os.waitpid(pid, 0)
            os._exit(0)
        importlib.import_module("numpy").random.seed()
        connection = multiprocessing.connection.Connection(descriptor)
        answering.run(connection, pickle.loads(connection.recv_bytes()))  # noqa: S301 - ours
    finally:
        os._exit(1)


# A worker


def _work(jobs: socket.socket, address: str) -> None:
    """Take submissions and send verdicts until there are no more."""
    exercises: dict[tuple, _Exercise] = {}
    checks.TIME_LIMIT_SECONDS = SECONDS
    while message := jobs.recv(1 << 16):
        job = json.loads(message)
        key = job["lesson"], job["framework"]
        try:
            if key not in exercises:
                exercises[key] = _Exercise(*key, pathlib.Path(job["exercises"]), address)
            job["rows"] = exercises[key].judge(pathlib.Path(job["path"]))
        except Exception as error:  # whatever it is, the next submission comes
            words = f"The grader fails: {type(error).__name__}: {error}"[:300]
            job["rows"] = [("", LOOK, False, words)]
        jobs.sendall(json.dumps(job).encode())


class _Exercise:
    """One half of an exercise, and what judges its submissions."""

    def __init__(self, lesson: str, framework: str, exercises: pathlib.Path, address: str) -> None:
        self.lesson, self.framework = lesson, framework
        self._until = time.monotonic() + _ALL_SECONDS
        self._exercises, self._address = exercises, address
        tasks = vars(checks.load(lesson, framework))
        self.names = {name: task.names for name, task in tasks.items()}
        self._module = sys.modules[f"paired.checks.lesson_{lesson[:2]}"]
        file = f"{lesson}_{framework}.ipynb"
        self._given = submissions.cells(exercises / file)
        own = "\n".join(source for _, source in self._given)
        folder = pathlib.Path(checks.__file__).parent
        self._hidden = [p for p in folder.glob("lesson_*.py") if p.stem not in own]
        marked = submissions.cells(course.ROOT / "solutions" / file, missing=True)
        self._solved = [(i, checks.markers.solution(source)) for i, source in marked]
        # From outside only what the solution itself can be judged by from there.
        self._outside = {name: names for name, names in self.names.items()
                         if self._solved or tasks[name].kinds.keys() == set(names)}  # fmt: skip
        if self._solved:
            verdicts = self._run(self._plan(self._solved), self._outside, inside=False)
            solved = {name for name, verdict in verdicts.items() if verdict[0] == checks.SOLVED}
            self._outside = {name: self.names[name] for name in solved}

    def _plan(self, cells: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The cells to run, each with the task whose check stands there; without the checks."""
        there = [cell for cell, _ in cells]
        stands = {}
        for name in self.names:
            cell = name.replace("_", "-")
            stands[next((i for i in (f"{cell}-check", cell) if i in there), None)] = name
        owned = {f"{name.replace('_', '-')}-check" for name in self.names} | {"summary"}
        plan = [("" if i in owned else source, stands.get(i, "")) for i, source in cells]
        missing = set(self.names) - {task for _, task in plan}
        return [*plan, *(("", name) for name in self.names if name in missing)]

    def judge(self, path: pathlib.Path) -> list[tuple[str, str, bool, str]]:
        """Of each task its name, verdict, whether it was judged from outside, and the reason."""
        try:
            cells = submissions.cells(path)
        except submissions.UnreadableError as problem:
            return [(name, "Unreadable", False, str(problem)) for name in self.names]
        plan, self._until = self._plan(cells), time.monotonic() + _ALL_SECONDS
        inside = self._run(plan, self.names, inside=True)
        claimed = {name: self.names[name] for name in self._outside
                   if inside[name][0] == checks.SOLVED}  # fmt: skip
        outside = self._run(plan, claimed, inside=False) if claimed else {}
        own = {source for _, source in self._given}
        changed = [source for _, source in cells if source not in own]
        odd = suspicious(changed, [source for _, source in self._given + self._solved])
        rows = []
        for name, (verdict, reason) in inside.items():
            other, why = outside.get(name, ("", ""))
            if verdict == checks.SOLVED and other not in (checks.SOLVED, ""):
                verdict, reason = LOOK, f"Solved in its own process, but not from outside: {why}"
            elif verdict == checks.SOLVED and not other and odd:
                verdict, reason = LOOK, f"It names what no answer needs: {', '.join(odd)[:200]}."
            rows.append((name, verdict, other == verdict == checks.SOLVED, reason))
        return rows

    def _run(self, plan, wanted: dict, *, inside: bool) -> dict[str, tuple[str, str]]:
        """The verdict on each of the tasks, with its reason.

        A cell that ends the process is left out the next time.
        """
        verdicts: dict[str, tuple[str, str]] = {}
        plan = list(plan)
        while time.monotonic() < self._until:
            at: dict = {}
            names = {n: wanted[n] for n in wanted if n not in verdicts}
            try:
                with self._answers(plan, names, inside) as receive:
                    self._follow(receive, verdicts, at, inside)
                break
            except (_OverError, LookupError, ValueError, TypeError, AttributeError) as problem:
                known = isinstance(problem, _OverError)
                end = problem if known else "writes where it has no business"
                if at.get("task"):
                    verdicts[at["task"]] = checks.WRONG, f"Your code {end}."
                elif at.get("cell", len(plan)) < len(plan):
                    said = f'raise RuntimeError("this cell {end}")'
                    plan[at["cell"]] = said, plan[at["cell"]][1]
                else:
                    raise RuntimeError(f"before the first cell it {end}") from None
        lost = checks.WRONG, f"Nothing came of it within {_ALL_SECONDS} seconds."
        return {name: verdicts.get(name, lost) for name in wanted}

    def _follow(self, receive, verdicts: dict, at: dict, inside: bool) -> None:
        """Hear what the answers' process says, to its end."""
        tasks = vars(checks.load(self.lesson, self.framework))
        while "end" not in (words := receive()):
            if "cell" in words:
                at.clear()
                at["cell"] = abs(int(words["cell"]))
                continue
            name = words["task"]
            at["task"] = name if name in self.names else None
            if "absent" in words:
                why = str(words["why"]) or "was its cell removed?"
                verdicts[name] = checks.WRONG, f"There is no `{words['absent']}`: {why}"
            elif "verdict" in words and inside:
                verdicts[name] = str(words["verdict"]), str(words["reason"])[:500]
            elif "answers" in words and not inside:
                verdicts[name] = self._outside_verdict(tasks[name], words["answers"], receive)
                receive.send(None)

    def _outside_verdict(self, task, answers: list, receive) -> tuple[str, str]:
        """Judge one task here, with stand-ins for the student's functions."""
        lost, waiting = [], []

        def stand_in(name: str):
            def call(*args, **kwargs):
                given = list(travel.things([*args, *kwargs.values()]))
                lost.append("the arguments")
                receive.send((name, args, kwargs), self._module)
                waiting.append(name)
                reply = receive()
                waiting.clear()
                if "cannot" not in reply:
                    lost.clear()
                if "result" not in reply:
                    kind, text = reply.get("raises", ["RuntimeError", "lost"])
                    kind = getattr(builtins, str(kind), RuntimeError)
                    is_error = isinstance(kind, type) and issubclass(kind, Exception)
                    raise (kind if is_error else RuntimeError)(str(text))
                for thing, packed in zip(given, reply["state"], strict=True):
                    travel.restore(thing, packed)
                return travel.unpack(reply["result"], given)

            return call

        by_name = dict(zip(task.names, answers, strict=True))
        made = [stand_in(name) if packed.get("function") else
                object() if "function" in packed else travel.unpack(packed)
                for name, packed in by_name.items()]  # fmt: skip
        task.check(*made)
        if waiting:
            raise _OverError(f"did not end within {SECONDS} seconds")
        if lost and task.verdict != checks.SOLVED:
            return "", ""
        return task.verdict, task.reason

    @contextlib.contextmanager
    def _answers(self, plan, names: dict, inside: bool) -> Iterator["_Receiver"]:
        """A process that runs the cells."""
        sandbox = Sandbox(self._exercises, [] if inside else self._hidden)
        mine, theirs = socket.socketpair()
        with contextlib.closing(multiprocessing.connection.Connection(mine.detach())) as connection:
            with theirs, socket.socket(socket.AF_UNIX) as warm:
                warm.connect(self._address)
                socket.send_fds(warm, [str(sandbox.entrance).encode()], [theirs.fileno()])
                pid = int(warm.recv(64))
            try:
                receive = _Receiver(connection, sandbox, pid, self._until)
                job = {"lesson": self.lesson, "framework": self.framework, "cells": plan}
                receive.send(job | {"names": names, "inside": inside, "seconds": SECONDS})
                yield receive
            finally:
                sandbox.end(pid)


class _Receiver:
    """Hears a process that is not trusted, and watches it meanwhile."""

    def __init__(self, connection, sandbox: Sandbox, pid: int, until: float) -> None:
        self._connection, self._sandbox, self._pid, self._until = connection, sandbox, pid, until

    def send(self, message, module=None) -> None:
        """Send it any object; classes of a module that it has not go with it."""
        import cloudpickle

        if module:
            cloudpickle.register_pickle_by_value(module)
        try:
            self._connection.send_bytes(cloudpickle.dumps(message))
        except OSError:
            raise _OverError("ends the process") from None

    def __call__(self) -> dict:
        """What it says next.

        Raises:
            _OverError: it has ended, or is ended for what it does.
        """
        until = time.monotonic() + 4 * SECONDS + 5
        if time.monotonic() > self._until:
            raise _OverError("goes on for ever")
        try:
            while not self._connection.poll(0.1):
                if excess := self._sandbox.excess(self._pid):
                    raise _OverError(excess)
                if time.monotonic() > until:
                    raise _OverError(f"did not end within {4 * SECONDS} seconds")
                os.kill(self._pid, 0)
            words = json.loads(self._connection.recv_bytes(1 << 26))
        except (OSError, EOFError):
            raise _OverError("ends the process") from None
        except ValueError:
            raise _OverError("writes where it has no business") from None
        if not isinstance(words, dict):
            raise _OverError("writes where it has no business")
        return words


if __name__ == "__main__":
    del sys.path[0]
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
