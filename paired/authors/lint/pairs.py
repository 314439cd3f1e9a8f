"""Rules for the two halves of a pair."""

from collections.abc import Iterator

from paired.authors.lint.notebook import Notebook, Said, content, pair_rule


@pair_rule
def same_ids(notebook: Notebook, twin: Notebook) -> Said:
    """Both halves have the same cells, save those tagged `one-sided`."""
    for cell in notebook.cells:
        there = cell.id in twin.by_id
        if "one-sided" in cell.tags and there:
            yield cell.id, f"is tagged `one-sided` and {twin.path.name} has it too: untag it."
        elif "one-sided" not in cell.tags and not there:
            yield cell.id, f"{twin.path.name} has no such cell: add it, or tag this `one-sided`."


@pair_rule
def same_order(notebook: Notebook, twin: Notebook) -> Said:
    """Cells that both halves have come in the same order."""
    common = [cell.id for cell in notebook.cells if cell.id in twin.by_id]
    order = [cell.id for cell in twin.cells if cell.id in notebook.by_id]
    for here, there in zip(common, order, strict=False):
        if here != there:
            yield here, f"{twin.path.name} has `{there}` in its place: bring both in one order."
            return


def _common(notebook: Notebook, twin: Notebook) -> Iterator[tuple]:
    for cell in notebook.cells:
        if cell.id in twin.by_id:
            yield cell, twin.by_id[cell.id]


@pair_rule
def same_kind(notebook: Notebook, twin: Notebook) -> Said:
    """A cell has the same type and tags in both halves."""
    for cell, other in _common(notebook, twin):
        if cell.type != other.type:
            yield (
                cell.id,
                f"is {cell.type}, and {other.type} in {twin.path.name}: make them one type.",
            )
        if differing := set(cell.tags) ^ set(other.tags):
            yield (
                cell.id,
                f"only one half has the tag {', '.join(sorted(differing))}: tag both alike.",
            )


@pair_rule
def shared(notebook: Notebook, twin: Notebook) -> Said:
    """Cells tagged `shared` are the same to the byte."""
    for cell, other in _common(notebook, twin):
        if "shared" in cell.tags and cell.source != other.source:
            yield cell.id, f"is shared and differs from {twin.path.name}: run `make sync`."


@pair_rule
def parity(notebook: Notebook, twin: Notebook) -> Said:
    """Cells tagged `parity` print the same in both halves."""
    for cell, other in _common(notebook, twin):
        if "parity" not in cell.tags or None in (cell.count, other.count):
            continue
        if not cell.outputs:
            yield cell.id, "is tagged `parity` and prints nothing: print a value, or untag it."
        elif content(cell) != content(other):
            yield (
                cell.id,
                (
                    f"is tagged `parity` and prints something else in {twin.path.name}: run `make "
                    "outputs`; if they still differ, the networks do."
                ),
            )
