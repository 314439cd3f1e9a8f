"""What a person has changed since the last commit, as git knows it; nothing where it cannot say.

`make test` proves the working tree, and what is a student's own is no failure: scratch notebooks,
answers, and what an editor adds when it saves.
"""

import functools
import pathlib
import subprocess

from paired.authors import files
from paired.machine import update


def _git(folder: pathlib.Path, *arguments: str) -> bytes:
    try:
        return update.git(folder, *arguments)
    except (OSError, subprocess.CalledProcessError):
        return b""


@functools.cache
def _changed(folder: pathlib.Path) -> frozenset[str]:
    listed = _git(folder, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
    return frozenset(name.decode() for name in listed.split(b"\0"))


def is_changed(path: pathlib.Path) -> bool:
    """Whether a committed file is another now."""
    return path.name in _changed(path.parent)


def how_to_undo(path: pathlib.Path) -> str:
    """Say that a file was changed here, and how to get the course's own."""
    name = files.relative(path)
    return f"{name} was changed here. The course's own: git checkout HEAD -- {name}"


def listed(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files in a folder that git knows or would take; none where it cannot say."""
    names = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    paths = [folder / name.decode() for name in dict.fromkeys(names.split(b"\0")) if name]
    return [path for path in paths if path.exists()]


def is_scratch(path: pathlib.Path) -> bool:
    """Whether git knows of a file that it is not under version control."""
    return _git(path.parent, "ls-files", "--others", "-z", "--", path.name) != b""


def at_head(path: pathlib.Path) -> dict | None:
    """A notebook as it was committed last; None where git cannot say."""
    try:
        text = _git(path.parent, "show", f"HEAD:./{path.name}").decode()
        return files.import_nbformat().reads(text, as_version=4)
    except ValueError:
        return None


def sources(notebook: dict) -> list[tuple[str | None, str, str]]:
    """What a person writes in a notebook: the id, type and source of each cell."""
    return [(cell.get("id"), cell.cell_type, cell.source) for cell in notebook.cells]
