"""What a few lessons need besides the course's environment, and whether it is here.

A cell tagged `needs-NAME` and a test marked `needs("NAME")` are skipped where NAME is missing, with
one line that says so; the notebook keeps what is stored. In JupyterLab, too: importing this module
in a kernel sees to it, so that "run all cells" goes on.
"""

import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import sys
from importlib import metadata

from paired import course

TAG = "needs-"
# Programs that the system has or has not, and how it gets them.
PROGRAMS = {"g++": "sudo apt install g++", "R": "sudo apt install r-base-core r-cran-reticulate"}
_EXTRAS = course.ROOT / "env" / "extras"


class MissingError(RuntimeError):
    """Something is not here; the message says how to get it."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the sentence, without the calls that led to it."""
        return [f"MissingError: {self}"]


def names() -> list[str]:
    """Everything that can be needed: the extras of `env/extras/`, and programs."""
    return [*sorted(path.stem for path in _EXTRAS.glob("*.in")), *PROGRAMS]


@functools.cache
def missing(name: str) -> str | None:
    """What to say where NAME is not here; None where it is.

    Raises:
        LookupError: nothing is called so.
    """
    if name in PROGRAMS:
        how = PROGRAMS[name]
        return None if shutil.which(name) else f"{name} is not here (Debian: {how})"
    if name not in names():
        raise LookupError(f"nothing is called {name!r}; there are {', '.join(names())}.")
    text = (_EXTRAS / f"{name}.in").read_text(encoding="utf-8")
    for package in re.findall(r"(?m)^[\w.-]+", text):
        try:
            metadata.distribution(package)
        except metadata.PackageNotFoundError:
            return f"the extra {name} is not here: make env EXTRAS={name}"
    return None


def of(tags: list[str]) -> str | None:
    """What to say where something that a cell's tags name is missing; None where all is here."""
    wanted = (tag.removeprefix(TAG) for tag in tags if tag.startswith(TAG))
    return next((said for said in map(missing, wanted) if said), None)


def check(name: str) -> None:
    """Return if NAME is here.

    Raises:
        MissingError: it is not.
    """
    if said := missing(name):
        raise MissingError(f"{said[0].upper()}{said[1:]}. The stored outputs can be read without.")


def stored(cell: str, said: str) -> None:
    """Print that a cell is not run and why, and show the outputs that its notebook has for it.

    Args:
        cell: its id; the notebook is the one that Jupyter has started this kernel for.
        said: what is missing.
    """
    from IPython.display import publish_display_data

    line = f"NOT RUN: {said}.\n"
    print(line, end="")
    with contextlib.suppress(OSError, ValueError):  # no notebook that we know of
        text = pathlib.Path(os.environ.get("JPY_SESSION_NAME", "")).read_text(encoding="utf-8")
        cells = {each.get("id"): each for each in json.loads(text)["cells"]}
        for output in cells.get(cell, {}).get("outputs", []):
            if "text" in output:
                print("".join(output["text"]).removeprefix(line), end="")
            elif "data" in output:
                publish_display_data(output["data"], output.get("metadata", {}))


def _instead(lines: list[str]) -> list[str]:
    """What a kernel runs: a cell, or `stored` where something is missing that its tags name."""
    # JupyterLab sends a cell's tags and its id beside the code.
    about = sys.modules["IPython"].get_ipython().get_parent().get("metadata", {})
    if said := of(about.get("tags", [])):
        return [f"__import__('paired.needs').needs.stored({about.get('cellId', '')!r}, {said!r})\n"]
    return lines


if "IPython" in sys.modules:
    shell = sys.modules["IPython"].get_ipython()
    if hasattr(shell, "get_parent"):  # a kernel's
        shell.input_transformers_cleanup.append(_instead)
