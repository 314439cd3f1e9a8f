"""Checks of the exercises: a verdict with a reason, hints in steps, a solution on request.

>>> tasks = checks.load("04_network", "pytorch")
>>> tasks.flatten_order.check(flatten_order)
>>> tasks.flatten_order.hint()

The checks of a lesson are a module, `paired.checks.lesson_04`, with

- `TASKS`: one function a task for both frameworks, which takes an adapter and the answers, and
  returns what it has shown, or raises `Wrong`;
- `ADAPTERS`: for each framework a class with what the checks need of it, and its `hints` for each
  task, in steps.
"""

import ast
import contextlib
import importlib.util
import inspect
import io
import linecache
import pathlib
import signal
import textwrap
import threading
import traceback
import types
from collections.abc import Callable, Iterator, Mapping

from paired import course, parity
from paired.checks import markers

import numpy as np

SOLVED, NOT_ATTEMPTED, WRONG = "Solved", "Not attempted", "Wrong"
# Far more than any check needs, even on a machine that a whole class shares.
TIME_LIMIT_SECONDS = 20


class Wrong(Exception):  # noqa: N818 - a verdict, not an error
    """The answer is wrong; the message says how, and what to look at."""


class NotAttempted(Exception):  # noqa: N818 - a verdict, not an error
    """The answer is still the placeholder."""


class _TimeUp(BaseException):
    """Raised inside code that does not end; no `except Exception` there catches it."""


def load(lesson: str, framework: str) -> "Tasks":
    """The tasks of one half of a lesson's exercise, each an attribute.

    Raises:
        LookupError: there is no such framework, or there are no checks for this lesson.
    """
    if framework not in course.FRAMEWORKS:
        raise LookupError(f"framework is {framework!r}; it must be one of {course.FRAMEWORKS}.")
    module = f"paired.checks.lesson_{lesson[:2]}"
    if importlib.util.find_spec(module) is None:
        raise LookupError(f"lesson is {lesson!r}; there is no module {module} with its checks.")
    lesson_checks = importlib.import_module(module)
    adapter = lesson_checks.ADAPTERS[framework]()
    path = course.ROOT / "solutions" / f"{lesson}_{framework}.ipynb"
    return Tasks(**{check.__name__: Task(check, adapter, path) for check in lesson_checks.TASKS})


class Tasks(types.SimpleNamespace):
    """The tasks of an exercise by name: `tasks.flatten_order`."""

    def summary(self) -> None:
        """Print the verdict on every task so far."""
        tasks = vars(self).values()
        width = max(len(task.name) for task in tasks)
        for task in tasks:
            print(f"{task.name:{width}}  {task.verdict.lower()}")
        print(f"{sum(task.verdict == SOLVED for task in tasks)} of {len(tasks)} solved")


class Task:
    """One task: `check` an answer, take a `hint`, look at the `solution`."""

    def __init__(self, function: Callable[..., str], adapter, solutions: pathlib.Path) -> None:
        self.name = function.__name__
        self.verdict, self.reason = NOT_ATTEMPTED, ""
        self._function, self._adapter, self._solutions = function, adapter, solutions
        self._hints, self._hints_seen = adapter.hints[self.name], 0

    def check(self, *answers) -> None:
        """Print the verdict on the answers. Whatever the student's code does, nothing is raised."""
        printed = io.StringIO()
        try:
            with (
                contextlib.redirect_stdout(printed),
                contextlib.redirect_stderr(printed),
                _time_limit(TIME_LIMIT_SECONDS),
            ):
                self.verdict, self.reason = SOLVED, self._judge(answers)
        except KeyboardInterrupt:
            raise
        except NotAttempted as verdict:
            self.verdict, self.reason = NOT_ATTEMPTED, str(verdict)
        except Wrong as verdict:
            self.verdict, self.reason = WRONG, str(verdict)
        except _TimeUp as end:
            ended = f"Your code did not end within {TIME_LIMIT_SECONDS} seconds"
            self.verdict, self.reason = WRONG, f"{ended}{_where(end)}: look for an endless loop."
        except BaseException as error:
            message = "".join(traceback.format_exception_only(error))
            message = textwrap.shorten(message, 300, placeholder=" ...")
            self.verdict, self.reason = WRONG, f"Your code raises `{message}`{_where(error)}."
        print(f"{self.verdict}: {self.name}")
        _say(self.reason)
        if self.verdict == WRONG:
            if lines := printed.getvalue().splitlines():
                print("Your code printed:", *lines[:10], *["..."] * (len(lines) > 10), sep="\n  ")
            print(f"Stuck? `tasks.{self.name}.hint()` has {len(self._hints)} hints.")

    def hint(self) -> None:
        """Print the next hint; after the last one, the last again."""
        self._hints_seen = min(self._hints_seen + 1, len(self._hints))
        _say(f"Hint {self._hints_seen} of {len(self._hints)}: {self._hints[self._hints_seen - 1]}")
        if self._hints_seen == len(self._hints):
            print(f"That was the last hint; `tasks.{self.name}.solution()` shows a solution.")

    def solution(self) -> None:
        """Print the code of a solution."""
        source = self._source()
        print(markers.solution(source) if source else "This copy of the course has no solutions.")

    def _judge(self, answers: tuple) -> str:
        names = list(inspect.signature(self._function).parameters)[1:]
        if len(answers) != len(names):
            raise Wrong(f"Call it as `tasks.{self.name}.check({', '.join(names)})`.")
        if missing := [name for name, answer in zip(names, answers, strict=True) if answer is ...]:
            raise NotAttempted(f"Still `...`: {', '.join(missing)}.")
        if any(self._is_stub(answer) for answer in answers):
            raise NotAttempted("The code is still as the exercise gives it.")
        return self._function(self._adapter, *answers)

    def _source(self) -> str:
        """The answer's cell in the solutions notebook; nothing where an instructor withholds it."""
        if not self._solutions.exists():
            return ""
        cell_id = self.name.replace("_", "-")
        return next(source for own, _, source in course.cells(self._solutions) if own == cell_id)

    def _is_stub(self, answer) -> bool:
        """Whether a function is still the exercise's own, comments and spacing aside."""
        try:
            own = ast.parse(textwrap.dedent(inspect.getsource(answer))).body[0]
        except (TypeError, OSError, SyntaxError):  # no function, no source, or part of a statement
            return False
        return ast.dump(own) in map(ast.dump, ast.parse(markers.stub(self._source())).body)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `_TimeUp` in the block after this long, where the platform and the thread allow it."""
    main_thread = threading.current_thread() is threading.main_thread()
    if not (main_thread and hasattr(signal, "setitimer")):
        yield
        return

    def stop(signum, frame):
        raise _TimeUp

    handler = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def _say(text: str) -> None:
    """Print a text in lines that fit half a window: JupyterLab would break them within words."""
    print(textwrap.fill(text, 76, break_long_words=False, break_on_hyphens=False))


def _where(error: BaseException) -> str:
    """The deepest line of the student's own code (a notebook's is `__main__`) in a traceback."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__") == "__main__":
            text = linecache.getline(frame.f_code.co_filename, line).strip()
            return f" in line {line} of its cell, `{text}`"
    return ""


def call(function: Callable, **arguments):
    """Call the student's function with these arguments, by position.

    Raises:
        NotAttempted: it returns the placeholder.
        Wrong: it is no function, or changes an array that it was given.
    """
    if not callable(function):
        kind = type(function).__name__
        raise Wrong(f"`check` takes your function itself, not a result of it; this is a `{kind}`.")
    before = {name: _contents(value) for name, value in arguments.items()}
    result = function(*arguments.values())
    if result is ...:
        raise NotAttempted("The function still returns `...`.")
    for name, value in arguments.items():
        if before[name] != _contents(value):
            raise Wrong(f"Your function changes `{name}` in place: work on a copy of it.")
    return result


def _contents(value):
    """What the arrays in an argument hold, to be compared; nothing of a model, which may change."""
    if isinstance(value, dict):
        return {key: _contents(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_contents(item) for item in value]
    return to_numpy(value).tolist() if hasattr(value, "__array__") else None


def to_numpy(value) -> np.ndarray:
    """A number, an array, a tensor of either framework, or a sequence of them, as an array."""
    if isinstance(value, list | tuple):
        return np.array([to_numpy(item) for item in value])
    return parity.to_numpy(value)


def compare(
    name: str,
    value,
    expected: np.ndarray,
    *,
    shape_note: str = "",
    mistakes: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Raise `Wrong` unless a value is the expected array: shape first, then dtype, then values.

    Args:
        name: what the student calls the value.
        value: anything that `to_numpy` takes.
        expected: the reference.
        shape_note: what to add where the shape is another.
        mistakes: the arrays that known mistakes give, by what to say (after the name) of each.
    """
    got = to_numpy(value)
    if got.dtype.kind not in "fiub":
        kind = type(value).__name__
        raise Wrong(f"{name} is a `{kind}`; it must be an array of shape {expected.shape}.")
    if got.shape != expected.shape:
        message = f"{name} has shape {got.shape}, it must have {expected.shape}"
        raise Wrong(f"{message}: {shape_note}" if shape_note else f"{message}.")
    if got.dtype != expected.dtype:
        raise Wrong(f"{name} has dtype {got.dtype}, it must have {expected.dtype}.")
    if not np.isfinite(got).all():
        raise Wrong(f"{name} contains NaN or infinity.")
    if not close(got, expected):
        for sentence, mistake in (mistakes or {}).items():
            if close(got, mistake):
                raise Wrong(f"{name} {sentence}")
        raise Wrong(f"{name} has the right shape and dtype, but wrong values.")


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays have the same shape and differ by at most 1e-12 of their magnitude."""
    return a.shape == b.shape and np.abs(a - b).max() <= 1e-12 * max(1.0, np.abs(b).max())
