"""Copy shared cells from the newer half of a pair to the older: `make sync`."""

import pathlib
import sys

from paired.authors import changes, files
from paired.authors.files import NotebookError, read, relative, tags


def _newer(paths: list[pathlib.Path], cells: list[dict]) -> int:
    """Which of the two halves (0 or 1) has the newer version of a shared cell."""
    heads = [changes.at_head(path) for path in paths]
    if all(heads):
        changed = [
            (cell.id, cell.cell_type, cell.source) not in changes.sources(head)
            for head, cell in zip(heads, cells, strict=True)
        ]
        if all(changed):
            raise NotebookError(
                f"{relative(paths[0])}: cell {cells[0].id}: changed in both halves, differently: "
                "make them equal by hand."
            )
        if any(changed):
            return changed.index(True)
    return max((0, 1), key=lambda half: paths[half].stat().st_mtime)


def sync(paths: list[pathlib.Path]) -> list[str]:
    """Copy each `shared` cell that differs from the newer half of a pair to the older.

    Newer is the half that changed the cell since the last commit, or the file saved last.

    Returns:
        One sentence for each cell copied.

    Raises:
        NotebookError: both halves changed a cell, differently. Neither file is changed then.
    """
    notebooks = [read(path) for path in paths]
    right = {cell.id: cell for cell in notebooks[1].cells}
    said = []
    for cell in notebooks[0].cells:
        pair = [cell, right.get(cell.id)]
        if "shared" in tags(cell) and pair[1] and cell.source != pair[1].source:
            newer = _newer(paths, pair)
            pair[1 - newer].source = pair[newer].source
            said.append(f"{relative(paths[1 - newer])}: cell {cell.id}: copied from its twin")
    if said:
        for path, notebook in zip(paths, notebooks, strict=True):
            files.write(path, notebook)
    return said


def main() -> int:
    """Sync every pair; 1 if there is something to mend."""
    try:
        work = files.pairs("", [], ("notebooks", "solutions"))
        said = [line for pair in work if len(pair) == 2 for line in sync(pair)]
    except NotebookError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(*said or ["All shared cells are equal."], sep="\n")
    if said:
        print("Outputs may have changed with the code: run `make outputs`.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
