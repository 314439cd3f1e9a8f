"""What a few lessons need besides the course's environment, and whether it is here.

A cell tagged `needs-NAME` and a test marked `needs("NAME")` are skipped where NAME is missing, with
one line that says so; the notebook keeps what is stored.
"""

import functools
import re
import shutil
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
