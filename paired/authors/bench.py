"""How long each notebook takes, and what validation costs beside the same code as bare scripts.

`make bench` runs, one after the other in one go: every notebook's code as a bare script; nbval as
`make test` runs it; nbmake, which compares nothing, on the same notebooks.
"""

import argparse
import ast
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

from paired import course
from paired.authors import files, outputs

_PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
_TWO_WORKERS = ["-n", "2", "--dist", "loadfile"]
_NBVAL = [
    "--nbval",
    "--nbval-current-env",
    f"--nbval-cell-timeout={outputs.CELL_SECONDS}",
    "--nbval-sanitize-with=env/nbval-sanitize.cfg",
    "-p",
    "paired.authors.validation",
]


def as_script(path: pathlib.Path) -> tuple[str, str]:
    """A notebook's code as a script, and the suffix that tells its language.

    Code with IPython's own syntax gives an `.ipy` file; a cell that is meant to raise is kept from
    ending the script.
    """
    sources = []
    for cell in files.read(path).cells:
        if cell.cell_type != "code":
            continue
        if "raises-exception" in files.tags(cell):
            sources.append(f"try:\n    exec({cell.source!r})\nexcept Exception:\n    pass")
        else:
            sources.append(cell.source)
    text = "from IPython.display import display\n" + "\n\n".join(sources) + "\n"
    try:
        ast.parse(text)
    except SyntaxError:
        return text, ".ipy"
    return text, ".py"


def _seconds(command: list[str], folder: pathlib.Path, **environment: str) -> float:
    """How long a command takes.

    Raises:
        NotebookError: it failed, so its time means nothing.
    """
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=outputs.kernel_environment() | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise files.NotebookError(
            f"{' '.join(command)} failed, so there is nothing to time:\n"
            f"{(done.stdout + done.stderr)[-2000:]}"
        )
    return time.perf_counter() - start


def _bare(path: pathlib.Path) -> float:
    text, suffix = as_script(path)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, path.stem + suffix)
        file.write_text(text, encoding="utf-8")
        command = [sys.executable, *(["-m", "IPython"] if suffix == ".ipy" else []), str(file)]
        return _seconds(command, path.parent, MPLBACKEND="Agg")


def main() -> int:
    """Measure and print; 1 if a notebook fails, or there is none."""
    parser = argparse.ArgumentParser(prog="python -m paired.authors.bench", description=__doc__)
    parser.add_argument("--lesson", default="", help="a number, such as 04; else all")
    pairs = files.pairs(parser.parse_args().lesson, [], ("notebooks", "solutions"))
    paths = [path for pair in pairs for path in pair]
    names = list(map(str, paths))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    try:
        # The first reader of the frameworks' files waits for the disk.
        _seconds([sys.executable, "-c", "import nbclient, tensorflow, torch"], course.ROOT)
        print("\nSeconds, as a bare script")
        total = 0.0
        for path in paths:
            total += (seconds := _bare(path))
            print(f"  {files.relative(path):<48}{seconds:8.1f}", flush=True)
        print(f"\n{'All of them':<50}{'seconds':>8}{'ratio':>8}")
        for name, options in {
            "bare scripts, one after the other": None,
            "nbval, two workers, as in `make test`": [*_NBVAL, *_TWO_WORKERS],
            "nbmake, which compares nothing": ["--nbmake"],
            "nbmake, two workers": ["--nbmake", *_TWO_WORKERS],
        }.items():
            seconds = _seconds([*_PYTEST, *options, *names], course.ROOT) if options else total
            print(f"  {name:<48}{seconds:8.1f}{seconds / total:8.2f}", flush=True)
    except (files.NotebookError, ZeroDivisionError) as problem:
        print(problem if names else "There are no lessons to measure yet.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
