"""Prove the course: `make test`, or one lesson of it: `make test LESSON=06`.

`LESSON=none` is what belongs to no lesson, so that a course proven in parts is proven.

Stages run one after the other and end with the first that fails. The browser tests, which mostly
wait, run beside the others: what they say is kept in `.cache/browser.log`, and shown at the end.
"""

import argparse
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from paired import course
from paired.authors import exercises, outputs

# Three workers for two cores, since some tests wait.
PYTEST = ["-m", "pytest", "-m", "not browser", "-n", "3", "--dist", "loadgroup"]
NOTEBOOKS = [
    "-p", "paired.authors.validation", "--nbval", "--nbval-current-env",
    f"--nbval-cell-timeout={outputs.CELL_SECONDS}",
    "--nbval-sanitize-with=env/nbval-sanitize.cfg",
]  # fmt: skip
BROWSER = [sys.executable, "-m", "pytest", "tests", "-m", "browser"]
_LOG = course.ROOT / ".cache" / "browser.log"
_GRACE_SECONDS = 60
NONE = "none"


@dataclasses.dataclass
class Stage:
    """A part of the proof: programs that run one after the other."""

    title: str
    commands: list[list[str]]

    def passes(self) -> bool:
        """Run the programs until one fails; whether none did."""
        for command in self.commands:
            if (code := subprocess.run(command, cwd=course.ROOT).returncode) < 0:
                print(f"\nKilled by {signal.Signals(-code).name}.", file=sys.stderr)
            if code:
                return False
        return True


def validation(lessons: list[course.Lesson], kinds: tuple[str, ...], *tests: str) -> list:
    """The program that validates notebooks, and runs tests beside them; a list of such programs.

    Where each framework has a Python of its own, a second one validates its notebooks.
    """
    commands = []
    for python in dict.fromkeys(map(course.python, course.FRAMEWORKS)):
        halves = [half for half in course.FRAMEWORKS if course.python(half) == python]
        paths = [each.path(half, kind) for each in lessons for kind in kinds for half in halves]
        notebooks = [str(path) for path in paths if path.exists()]
        if tests or notebooks:
            commands.append([python, *PYTEST, *NOTEBOOKS, *tests, *notebooks])
        tests = ()
    return commands


def stages(number: str = "") -> list[Stage]:
    """What proves the course, or the lesson of this number, in order; without the browser tests.

    Of the number `NONE` is what is left when every lesson is proven by itself.

    Raises:
        LookupError: there is no such lesson.
    """
    after = _files("test_parity", "test_planted_mistakes")  # they read what the notebooks record
    lessons, tests = list(course.lessons()), ["tests", *(f"--ignore={file}" for file in after)]
    if number == NONE:
        names = [name for each in lessons for name in (each.name, f"test_lesson_{each.number}")]
        tests += ["-k", f"not ({' or '.join(names)})"]
        lessons = []
    elif number:
        lesson = course.lesson(number)
        own = f"test_lesson_{lesson.number}"
        chosen = ["-k", f"{lesson.name} or {own}"]
        files = _files("test_checks", "test_exercises", own)
        files = [file for file in files if (course.ROOT / file).exists()]
        lessons, tests = [lesson], [*chosen, *files]
        after = ["-n", "0", *chosen, *after[:1]]
    parts = [
        Stage("lint", [[os.environ.get("MAKE", "make"), "--no-print-directory", "lint"]]),
        Stage("every stored output and picture, exercises, checks, and unit tests",
              validation(lessons, course.KINDS, *tests)),
        Stage("both halves of a pair are the same network", [[sys.executable, *PYTEST, *after]]),
    ]  # fmt: skip
    return parts if lessons else parts[:2]


def _files(*names: str) -> list[str]:
    return [f"tests/{name}.py" for name in names]


@contextlib.contextmanager
def _beside(command: list[str]) -> Iterator[subprocess.Popen]:
    """Run a program beside the block, its output in a file; interrupted where the block fails."""
    _LOG.parent.mkdir(exist_ok=True)
    with _LOG.open("w") as file:
        process = subprocess.Popen(
            command, cwd=course.ROOT, stdout=file, stderr=file, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE_SECONDS)
                process.kill()
                process.wait()


def prove(parts: list[Stage], browser: list[str] | None) -> int:
    """Run the stages, and the browser tests beside them; 1 where one fails, which is said."""
    count, began = len(parts) + bool(browser), time.monotonic()

    def passes(number: int, title: str, run) -> bool:
        print(f"\n== {number} of {count}: {title}", flush=True)
        start = time.monotonic()
        if passed := run():
            print(f"   {time.monotonic() - start:.0f} s", flush=True)
        else:
            print(f"\nFailed at: {title}. What is wrong is said above.", file=sys.stderr)
        return passed

    with contextlib.ExitStack() as stack:
        for number, stage in enumerate(parts, start=1):
            if not passes(number, stage.title, stage.passes):
                return 1
            if browser and number == 1:
                process = stack.enter_context(_beside(browser))

        def ended() -> bool:
            code = process.wait()
            print(_LOG.read_text(encoding="utf-8", errors="replace"))
            return code == 0

        if browser and not passes(count, "JupyterLab in a real browser, beside the rest", ended):
            return 1
    if own := exercises.answered():
        print(f"\nAnswered here, and not compared with the course's own: {', '.join(own)}")
    print(f"\nEverything passed, in {time.monotonic() - began:.0f} s.")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Prove the course or a lesson; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="make test", description=__doc__)
    parser.add_argument("--lesson", default="", help=f"a number, such as 04, or {NONE}; else all")
    lesson = parser.parse_args(arguments).lesson
    if not (course.ROOT / "tests").is_dir():
        print("This copy of the course has no tests: it is a handout.", file=sys.stderr)
        return 1
    try:
        return prove(stages(lesson), BROWSER if lesson in ("", NONE) else None)
    except LookupError as problem:
        print(problem, file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted: nothing is proven.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    # Ended by `kill`, end as after Ctrl-C: the browser tests must not outlive this.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
