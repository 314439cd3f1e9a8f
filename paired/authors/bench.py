"""What the proof costs: `make bench`, or `make bench LESSON=04`. Nothing else should be running.

Measured one after the other: every notebook's code as a bare script; all notebooks validated, as a
share of that; each lesson proven by itself; and the stages of `make test`.
"""

import argparse
import os
import pathlib
import platform
import subprocess
import sys
import time

from paired import course, needs
from paired.authors import files, outputs, prove

# At most; the dearest lesson may take more than the others.
RATIO, LESSON_SECONDS, DEAREST_SECONDS = 0.30, 25, 60


def run_bare(path: pathlib.Path) -> None:
    """Run a notebook's code cells here, in IPython's shell without a kernel.

    Raises:
        NotebookError: a cell failed that is not meant to.
    """
    from ipykernel.compiler import XCachingCompiler
    from IPython.core.interactiveshell import InteractiveShell

    # As in a kernel: a breakpoint is for JupyterLab's debugger, until a cell says otherwise, and a
    # cell's code has the name of a file.
    sys.breakpointhook = lambda *_, **__: None
    shell = InteractiveShell.instance(compiler_class=XCachingCompiler)
    for cell in files.read(path).cells:
        if cell.cell_type == "code" and not needs.of(files.tags(cell)):
            done = shell.run_cell(cell.source)
            if not done.success and "raises-exception" not in files.tags(cell):
                raise files.NotebookError(f"{files.relative(path)}: cell {cell.id} fails")


def seconds(*commands: list[str], folder: pathlib.Path = course.ROOT) -> float:
    """How long programs take, one after the other; nobody answers what they ask.

    Raises:
        NotebookError: one failed, so its time means nothing.
    """
    start = time.perf_counter()
    for command in commands:
        done = subprocess.run(
            command, cwd=folder, env=outputs.kernel_environment() | {"MPLBACKEND": "Agg"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise files.NotebookError(
                f"{' '.join(command)} failed, so there is nothing to time:\n"
                f"{(done.stdout + done.stderr)[-2000:]}"
            )
    return time.perf_counter() - start


def bare(path: pathlib.Path) -> float:
    """How long a notebook's code takes as a script; NotebookError where it fails."""
    return seconds(
        [sys.executable, "-m", "paired.authors.bench", "--bare", str(path)], folder=path.parent
    )


def _say(name: str, value: float, remark: str = "") -> None:
    print(f"  {name:<76}{value:8.1f}  {remark}".rstrip(), flush=True)


def _measure(number: str) -> None:
    lessons = [course.lesson(number)] if number else list(course.lessons())
    # The first reader of the frameworks' files waits for the disk.
    seconds([sys.executable, "-c", "import nbclient, tensorflow, torch"])
    kinds, total = ("notebooks", "solutions"), 0.0
    print("\nSeconds, as a bare script")
    for path in (path for each in lessons for kind in kinds for path in each.paths(kind)):
        total += (each := bare(path))
        _say(files.relative(path), each)
    print("\nSeconds of `make test LESSON=`")
    for lesson in lessons:
        commands = [each for stage in prove.stages(lesson.number) for each in stage.commands]
        limits = f"at most {LESSON_SECONDS}, the dearest {DEAREST_SECONDS}"
        _say(lesson.name, seconds(*commands), limits)
    if number:
        return
    print("\nSeconds of `make test`, by stage")
    for stage in prove.stages():
        _say(stage.title, seconds(*stage.commands))
    _say("JupyterLab in a real browser, which runs beside these", seconds(prove.BROWSER))
    print("\nAll notebooks and solutions")
    _say("bare scripts, one after the other", total)
    validated = seconds(*prove.validation(lessons, kinds))
    _say("validated", validated, f"{validated / total:.2f} of that, at most {RATIO:.2f}")


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 if something fails, or there is nothing to measure."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--lesson", default="", help="a number, such as 04; else all")
    parser.add_argument("--bare", type=pathlib.Path, help="run the code of this notebook, no more")
    options = parser.parse_args(arguments)
    if options.bare:
        run_bare(options.bare)
        return 0
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    try:
        if not list(course.lessons()):
            raise LookupError("There are no lessons to measure yet.")
        _measure(options.lesson)
    except (files.NotebookError, LookupError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
