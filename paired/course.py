"""Where things are: the lessons, the files of each, and the two frameworks."""

import dataclasses
import json
import os
import pathlib
import re
import sys
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Where a person's own things go: records, logs, settings. `make lab` names another folder where the
# checkout cannot be written to.
HOME = pathlib.Path(os.environ.get("PAIRED_HOME") or ROOT)
FRAMEWORKS = ("pytorch", "tensorflow")
NAMES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
KINDS = ("notebooks", "exercises", "solutions")

_NOTEBOOK = re.compile(r"(?P<number>\d\d)_(?P<slug>[a-z0-9_]+)_(?:pytorch|tensorflow)\.ipynb")


@dataclasses.dataclass(frozen=True, order=True)
class Lesson:
    """One lesson: a pair of notebooks, and (from the same name) its exercises and solutions."""

    number: str
    slug: str

    @property
    def name(self) -> str:
        """The common part of the lesson's file names, such as `04_network`."""
        return f"{self.number}_{self.slug}"

    def path(
        self, framework: str, kind: str = "notebooks", root: pathlib.Path = ROOT
    ) -> pathlib.Path:
        """The notebook of one half; `kind` is one of `KINDS`. The file need not exist."""
        return root / kind / f"{self.name}_{framework}.ipynb"

    def paths(self, kind: str = "notebooks", root: pathlib.Path = ROOT) -> tuple[pathlib.Path, ...]:
        """Both halves, in the order of `FRAMEWORKS`."""
        return tuple(self.path(framework, kind, root) for framework in FRAMEWORKS)


def lessons(root: pathlib.Path = ROOT) -> Iterator[Lesson]:
    """Every lesson that has at least one notebook in `notebooks/`, in order of number."""
    found = {
        Lesson(match["number"], match["slug"])
        for path in (root / "notebooks").glob("*.ipynb")
        if (match := _NOTEBOOK.fullmatch(path.name))
    }
    yield from sorted(found)


def lesson(number: str, root: pathlib.Path = ROOT) -> Lesson:
    """The lesson with this number; "4" and "04" are the same.

    Raises:
        LookupError: there is no such lesson; the message lists those that there are.
    """
    there = list(lessons(root))
    for candidate in there:
        if candidate.number == number.zfill(2) or candidate.name == number:
            return candidate
    raise LookupError(
        f"There is no lesson {number!r}. The lessons are: "
        f"{', '.join(candidate.name for candidate in there) or 'none yet'}."
    )


def notebooks(kind: str, root: pathlib.Path = ROOT) -> Iterator[pathlib.Path]:
    """Every notebook of one kind; files of other names are somebody's own."""
    yield from (p for p in sorted((root / kind).glob("*.ipynb")) if _NOTEBOOK.fullmatch(p.name))


def cells(notebook: pathlib.Path) -> list[tuple[str | None, str, str]]:
    """The id, type and source of each cell of a notebook file."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    return [(c.get("id"), c["cell_type"], "".join(c["source"])) for c in content["cells"]]


def python(framework: str) -> str:
    """The Python that has this framework: for a GPU each of the two has an environment of its own.

    PyTorch's has both, TensorFlow for the CPU only.
    """
    if "gpu" in pathlib.Path(sys.prefix).name:
        return str(ROOT / f".venv-gpu-{framework}" / "bin" / "python")
    return sys.executable


def twin(framework: str) -> str:
    """The other framework."""
    return FRAMEWORKS[1 - FRAMEWORKS.index(framework)]
