"""A notebook as the rules read it, and the lists in which they stand."""

import dataclasses
import functools
import json
import pathlib
import re
import types
from collections.abc import Callable, Iterator

from paired import course

FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass
class Notebook:
    """One notebook: its JSON, with the lines of sources and outputs joined."""

    path: pathlib.Path
    root: pathlib.Path
    cells: list[types.SimpleNamespace]
    metadata: dict
    version: str

    @property
    def kind(self) -> str:
        """One of `course.KINDS`."""
        return self.path.parent.name

    @property
    def framework(self) -> str:
        """Which half it is."""
        return self.path.stem.rpartition("_")[2]

    @functools.cached_property
    def code(self) -> list[types.SimpleNamespace]:
        """The code cells."""
        return [cell for cell in self.cells if cell.type == "code"]

    @functools.cached_property
    def by_id(self) -> dict[str, types.SimpleNamespace]:
        """The cells by their ids."""
        return {cell.id: cell for cell in self.cells}


def joined(value: str | list[str]) -> str:
    """A text that may be stored in lines."""
    return "".join(value) if isinstance(value, list) else str(value)


def _cell(index: int, cell: dict) -> types.SimpleNamespace:
    source, metadata = joined(cell["source"]), cell["metadata"]
    return types.SimpleNamespace(
        id=cell.get("id", f"number {index + 1}"),
        type=cell["cell_type"],
        source=source,
        prose=FENCED.sub("", source) if cell["cell_type"] == "markdown" else "",
        metadata=metadata,
        tags=metadata.get("tags", []),
        outputs=cell.get("outputs", []),
        count=cell.get("execution_count"),
    )


def output_text(cell: types.SimpleNamespace) -> str:
    """All that a cell's outputs say in words."""
    parts = []
    for output in cell.outputs:
        parts += [joined(output.get("text", "")), joined(output.get("traceback", ""))]
        data = output.get("data", {}).items()
        parts += [joined(value) for kind, value in data if kind.startswith("text/")]
    return "\n".join(parts)


def content(cell: types.SimpleNamespace) -> list[dict]:
    """A cell's outputs without the numbers of the run."""
    return [{**output, "execution_count": None} for output in cell.outputs]


def load(path: pathlib.Path, root: pathlib.Path) -> Notebook:
    """Read a notebook for the rules.

    Raises:
        ValueError: it is not a notebook; the message says why.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        cells = [_cell(index, cell) for index, cell in enumerate(content["cells"])]
        version = f"{content['nbformat']}.{content['nbformat_minor']}"
        return Notebook(path, root, cells, content["metadata"], version)
    except (AttributeError, KeyError, TypeError) as problem:
        raise ValueError(f"not the structure of a notebook ({problem!r})") from None


# A rule yields (cell id or "notebook", what is wrong and what to do).
Said = Iterator[tuple[str, str]]
NOTEBOOK_RULES: list[Callable[[Notebook], Said]] = []
PAIR_RULES: list[Callable[[Notebook, Notebook], Said]] = []


def rule(*kinds: str, committed: bool = False) -> Callable:
    """Register a rule for single notebooks, of these kinds or of all.

    A rule for what is `committed` leaves alone what somebody has saved since: an editor adds to a
    notebook's metadata, and running a cell to its outputs.
    """

    def register(function: Callable[[Notebook], Said]) -> Callable[[Notebook], Said]:
        function.kinds, function.committed = kinds or course.KINDS, committed
        NOTEBOOK_RULES.append(function)
        return function

    return register


def pair_rule(function: Callable[[Notebook, Notebook], Said]) -> Callable:
    """Register a rule for the two halves of a pair; what it says is said of the first."""
    PAIR_RULES.append(function)
    return function
