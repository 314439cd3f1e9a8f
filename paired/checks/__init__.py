"""Checks of the exercises: a verdict with a reason, hints in steps, a solution on request.

>>> tasks = checks.load("04_network", "pytorch")
>>> tasks.flatten_order.check(flatten_order)
>>> tasks.flatten_order.hint()

The checks of a lesson are a module, `paired.checks.lesson_04`, with

- `TASKS`: one function a task for both halves, or `Halves` of two, which takes an adapter and the
  answers, and returns what it has shown, or raises `Wrong`; answers that are no functions are
  declared, see `answers`;
- `PyTorch` and `TensorFlow`, where it needs more of a framework than `adapters` has: classes that
  extend those.

Hints stand beside the answer in solutions/, and `make exercises` gives them to the exercise.
"""

import ast
import contextlib
import functools
import importlib.util
import inspect
import io
import json
import linecache
import pathlib
import signal
import textwrap
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterator

from paired import course
from paired.checks import adapters, markers
from paired.checks.answers import resolve
from paired.checks.judging import NotAttempted, Wrong

SOLVED, NOT_ATTEMPTED, WRONG = "Solved", "Not attempted", "Wrong"
# Far more than any check needs, even on a machine that a whole class shares.
TIME_LIMIT_SECONDS = 20


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
    name = course.NAMES[framework]
    adapter = getattr(lesson_checks, name, getattr(adapters, name))()
    file = f"{lesson}_{framework}.ipynb"
    functions = (resolve(each, framework) for each in lesson_checks.TASKS)
    return Tasks(**{check.__name__: Task(check, adapter, file) for check in functions})


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

    def __init__(
        self, function: Callable[..., str], adapter, file: str, root: pathlib.Path = course.ROOT
    ) -> None:
        self.name = function.__name__
        self.verdict, self.reason = NOT_ATTEMPTED, ""
        self.kinds = getattr(function, "kinds", {})
        self._takes = list(inspect.signature(function).parameters)[1:]
        self.names = [*self.kinds, *(name for name in self._takes if name not in self.kinds)]
        self._function, self._adapter, self._hints_seen = function, adapter, 0
        self._solutions, self._exercise = root / "solutions" / file, root / "exercises" / file
        self._given = root / "exercises" / ".given" / file

    def check(self, *answers) -> None:
        """Print the verdict on the answers. Whatever the student's code does, nothing is raised."""
        printed = io.StringIO()
        self._adapter.left.clear()
        self._adapter.restore()
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
            self.verdict, limit = WRONG, f"did not end within {TIME_LIMIT_SECONDS} seconds"
            self.reason = f"This check {limit}, outside your code: is the machine busy?"
            if own := _where(end):
                self.reason = f"Your code {limit}{own}: look for an endless loop."
        except BaseException as error:
            message = "".join(traceback.format_exception_only(error))
            message = textwrap.shorten(message, 300, placeholder=" ...")
            self.verdict, self.reason = WRONG, f"Your code raises `{message}`{_where(error)}."
        self._adapter.restore()
        print(f"{self.verdict}: {self.name}")
        _say(self.reason)
        for setting, value in self._adapter.left.items():
            _say(f"`{setting}` was left {value}; it is as at the start of the exercise again.")
        if self.verdict == WRONG:
            if lines := printed.getvalue().splitlines():
                print("Your code printed:", *lines[:10], *["..."] * (len(lines) > 10), sep="\n  ")
            if self._hints:
                print(f"Stuck? `tasks.{self.name}.hint()` has {len(self._hints)} hints.")

    def hint(self) -> None:
        """Print the next hint; after the last one, the last again."""
        if not self._hints:
            print("The exercise that holds the hints is not there, or not whole.")
            return
        self._hints_seen = min(self._hints_seen + 1, len(self._hints))
        _say(f"Hint {self._hints_seen} of {len(self._hints)}: {self._hints[self._hints_seen - 1]}")
        if self._hints_seen == len(self._hints):
            print(f"That was the last hint; `tasks.{self.name}.solution()` shows a solution.")

    @functools.cached_property
    def _hints(self) -> list[str]:
        """The hints, in steps: they lie in the exercise, which is there without solutions too."""
        try:
            cells = json.loads(self._exercise.read_text(encoding="utf-8"))["cells"]
            return next(c["metadata"]["hints"] for c in cells if c.get("id") == self._cell)
        except (OSError, ValueError, LookupError, TypeError, StopIteration):
            return []  # not there, or not whole

    def solution(self) -> None:
        """Print the code of a solution."""
        there = self._solutions.exists()
        words = "This copy of the course has no solutions."
        print(markers.solution(self._source()) if there else words)

    def _judge(self, answers: tuple) -> str:
        names = self.names
        if len(answers) != len(names):
            raise Wrong(f"Call it as `tasks.{self.name}.check({', '.join(names)})`.")
        by_name = dict(zip(names, answers, strict=True))
        if missing := [name for name, answer in by_name.items() if answer is ...]:
            raise NotAttempted(f"Still `...`: {', '.join(missing)}.")
        for name, kind in self.kinds.items():
            kind.judge(name, by_name[name], self._adapter.name)
        stubs = [each for each in map(self._is_stub, answers) if each is not None]
        if stubs and all(stubs):  # of two functions one may be mended first
            right = f"Right so far: {', '.join(f'`{name}`' for name in self.kinds)}. "
            still = "The code is still as the exercise gives it."
            raise NotAttempted(right * bool(self.kinds) + still)
        return self._function(self._adapter, *(by_name[name] for name in self._takes))

    @property
    def _cell(self) -> str:
        return self.name.replace("_", "-")

    def _source(self) -> str:
        """The answer's cell in the solutions; as given to students where those are withheld."""
        path = self._solutions if self._solutions.exists() else self._given
        if not path.exists():
            return ""
        return next(s for own, _, s in course.cells(path) if own == self._cell)

    def _is_stub(self, answer) -> bool | None:
        """Whether a function is still the exercise's own, comments and spacing aside.

        None for what is no function of the task's cell.
        """
        try:
            own = ast.parse(textwrap.dedent(inspect.getsource(answer))).body[0]
        except (TypeError, OSError, SyntaxError):  # no function, no source, or part of a statement
            return None
        given = ast.parse(markers.stub(self._source())).body
        mine = [each for each in given if getattr(each, "name", "") == getattr(own, "name", None)]
        return ast.dump(own) in map(ast.dump, mine) if mine else None


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `_TimeUp` in the block once it has computed this long, or waited four times as long.

    Where the platform and the thread allow it.
    """
    main_thread = threading.current_thread() is threading.main_thread()
    if not (main_thread and hasattr(signal, "setitimer")):
        yield
        return

    used, end = time.process_time(), time.monotonic() + 4 * seconds

    def stop(signum, frame):
        # On a busy machine a process waits for its turn, and has computed less.
        left = seconds - (time.process_time() - used)
        if left <= 0 or time.monotonic() >= end:
            raise _TimeUp
        signal.setitimer(signal.ITIMER_REAL, left)

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
        file = frame.f_code.co_filename
        # TensorFlow's AutoGraph writes a function anew; the message names the student's own line.
        if frame.f_globals.get("__name__") == "__main__" and "__autograph_generated" not in file:
            text = linecache.getline(file, line).strip()
            return f" in line {line} of its cell, `{text}`"
    return ""
