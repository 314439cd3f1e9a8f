"""Write exercises/ from solutions/: `make exercises`."""

import pathlib
import sys
from collections.abc import Iterator

from paired import course
from paired.authors import changes, files
from paired.authors.files import NotebookError, read, relative, tags
from paired.checks import markers


def exercise(path: pathlib.Path) -> dict:
    """The exercise that a solved notebook gives.

    Raises:
        NotebookError: an answer has no stub; the message names the cell.
    """
    notebook = read(path)
    hints = {
        cell.id.removesuffix("-hints"): markers.hints(cell.source)
        for cell in notebook.cells
        if "hints" in tags(cell)
    }
    left_out = {"solution-only", "hints"}
    notebook.cells = [cell for cell in notebook.cells if not left_out.intersection(tags(cell))]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                cell.source = markers.stub(cell.source)
            except markers.MarkerError as problem:
                raise NotebookError(f"{relative(path)}: cell {cell.id}: {problem}") from None
            cell.outputs, cell.execution_count = [], None
    files.normalise(notebook)
    for cell in notebook.cells:
        if cell.id in hints:
            cell.metadata["hints"] = hints[cell.id]
    return notebook


def stale_exercises(root: pathlib.Path = course.ROOT) -> Iterator[str]:
    """One sentence for each file of exercises/ that is not what solutions/ gives."""
    nbformat = files.import_nbformat()

    for path in course.notebooks("exercises", root):
        if not (root / "solutions" / path.name).exists():
            yield f"{relative(path, root)}: there is no solution to generate it from: delete it."
    for source in course.notebooks("solutions", root):
        path = root / "exercises" / source.name
        if not path.exists():
            yield f"{relative(path, root)}: missing: run `make exercises`."
            continue
        fresh = exercise(source)
        if changes.is_changed(path):
            yield from _differs(fresh, path, root)
        elif files.to_bytes(fresh) != path.read_bytes():
            cells = zip(
                nbformat.reads(files.to_bytes(fresh), 4).cells, read(path).cells, strict=False
            )
            cell = next((f"cell {new.id}" for new, old in cells if new != old), "metadata or end")
            yield (
                f"{relative(path, root)}: {cell}: not what {relative(source, root)} gives: change "
                "the solution, then run `make exercises`."
            )


def _differs(fresh: dict, path: pathlib.Path, root: pathlib.Path) -> Iterator[str]:
    """What an exercise that somebody works on lacks of the course's own, but for the answers."""
    mine = {cell.id: cell.source for cell in read(path).cells}
    for cell in fresh.cells:
        if "task" not in tags(cell) and mine.get(cell.id) != cell.source:
            yield (
                f"{relative(path, root)}: cell {cell.id}: not the course's own. "
                f"{changes.how_to_undo(path)} (without your answers)."
            )


def answered(root: pathlib.Path = course.ROOT) -> list[str]:
    """The exercises that somebody works on here."""
    paths = course.notebooks("exercises", root)
    return [relative(path, root) for path in paths if changes.is_changed(path)]


def main() -> int:
    """Generate every exercise; 1 if there is something to mend."""
    try:
        for source in course.notebooks("solutions"):
            path = course.ROOT / "exercises" / source.name
            written = files.write(path, exercise(source))
            print(f"{relative(path)}: {'written' if written else 'unchanged'}")
    except NotebookError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
