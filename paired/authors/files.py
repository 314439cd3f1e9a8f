"""Notebook files as the authors' tools read and write them: whole, and the same everywhere."""

import os
import pathlib
import re
import sys
import types

from paired import course

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class NotebookError(Exception):
    """Something that the author of a notebook has to mend; the message names file and cell."""


def import_nbformat() -> types.ModuleType:
    """Import nbformat, a second sooner than a plain import does.

    jsonschema, which it imports, builds a parser for internationalised addresses if it can. The
    schema of notebooks has none.
    """
    module = "rfc3987_syntax"
    hidden = module not in sys.modules
    if hidden:
        sys.modules[module] = None
    try:
        import nbformat
    finally:
        if hidden:
            del sys.modules[module]
    return nbformat


def relative(path: pathlib.Path, root: pathlib.Path = course.ROOT) -> str:
    """The path as a reader of the repository knows it."""
    path = path.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def plain(text: str) -> str:
    """A text without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def tags(cell: dict) -> list[str]:
    """A cell's tags."""
    return cell["metadata"].get("tags", [])


def read(path: pathlib.Path) -> dict:
    """Read a notebook.

    Raises:
        NotebookError: there is none, or it is not a notebook.
    """
    nbformat = import_nbformat()

    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        if any("id" not in cell for cell in notebook.cells):
            raise ValueError(
                f"its cells have no ids (format {notebook.nbformat}.{notebook.nbformat_minor}, as "
                "Colab and the classic Notebook write it): open and save it in JupyterLab"
            )
        return notebook
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as problem:
        said = str(problem).splitlines()[0][:200]
        raise NotebookError(f"{relative(path)}: cannot be read as a notebook: {said}") from None


def to_bytes(notebook: dict) -> bytes:
    """A notebook as it is written."""
    return import_nbformat().writes(notebook).rstrip("\n").encode() + b"\n"


def write(path: pathlib.Path, notebook: dict) -> bool:
    """Write a notebook in one step if its bytes differ; True if they did."""
    data = to_bytes(notebook)
    if path.exists() and path.read_bytes() == data:
        return False
    replace(path, data)
    return True


def replace(path: pathlib.Path, data: bytes) -> None:
    """Write a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def normalise(notebook: dict) -> None:
    """Take out everything that differs from one machine or editor to the next."""
    nbformat = import_nbformat()

    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": tags(cell)} if tags(cell) else {})
        for output in cell.get("outputs", []):
            if "execution_count" in output:
                output.execution_count = cell.execution_count


def pairs(lesson: str, files: list[str], kinds: tuple[str, ...]) -> list[list[pathlib.Path]]:
    """The notebooks to work on, the halves of a pair together: of one lesson, files, or all."""
    paths = [pathlib.Path(file).resolve() for file in files]
    if not files:
        lessons = [course.lesson(lesson)] if lesson else course.lessons()
        there = (path for each in lessons for kind in kinds for path in each.paths(kind))
        paths = [path for path in there if path.exists()]
    grouped: dict[tuple, list[pathlib.Path]] = {}
    for path in paths:
        grouped.setdefault((path.parent, path.stem.rpartition("_")[0]), []).append(path)
    return list(grouped.values())
