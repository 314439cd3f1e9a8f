"""The parity record: what one half of a pair computed, and whether the twin computed the same.

A notebook records named tensors while it runs. The two records of a pair are compared in causal
order, so that the first row that disagrees names the culprit: a forgotten transpose shows in the
initial weights, a wrong epsilon in the logits, a wrong optimiser convention in the weights after
the first or second step.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import sys
import zipfile
from collections.abc import Mapping

from paired import course

import numpy as np

# The kinds of record, in causal order within one step, and for each the constant C of its tolerance
# C * eps * sqrt(1 + step), in units of the machine epsilon of its dtype. Rounding errors of t
# steps add up like a random walk, hence the root. 0: equal to the last bit.
TOLERANCE = {
    "x": 0, "y": 0, "batch": 0,
    "logits": 128, "loss": 64, "grad": 512,
    "w": 64, "stat": 512, "eval": 1024,
}  # fmt: skip
# Errors are relative to the largest magnitude in the tensor, but never to less than this.
FLOOR = {"loss": 1.0, "grad": 1e-3}
DEFAULT_FLOOR = 1e-2
# In float32 a single ReLU that flips makes two correct runs part ways, so there the comparison
# stops being a test after this step.
LAST_FLOAT32_STEP = 10
GPU_FACTOR = 10

_CANONICAL = ("oi", "oihw", "nchw")

# How the axes of a tensor are ordered, such as "hwio"; with the shape they had where some of them
# were flattened into one, as the inputs of a dense layer after a Flatten: ("hwio", (2, 2, 32, 10)).
Layout = str | tuple[str, tuple[int, ...]] | None


class ParityError(Exception):
    """A record is missing, unreadable, or was asked to hold something that cannot be compared."""


def error(a: np.ndarray, b: np.ndarray, kind: str) -> float:
    """The largest absolute difference of two arrays of one shape, relative to their magnitude."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    scale = max(np.abs(a).max(), np.abs(b).max(), FLOOR.get(kind, DEFAULT_FLOOR))
    return float(np.abs(a - b).max() / scale)


def tolerance(kind: str, step: int, dtype: np.dtype, gpu: bool = False) -> float:
    """The largest `error` that rounding may explain after `step` steps of training."""
    eps = np.finfo(dtype).eps if np.issubdtype(dtype, np.floating) else 0.0
    return float(TOLERANCE[kind] * eps * (1 + step) ** 0.5 * (GPU_FACTOR if gpu else 1))


def canonical(value: np.ndarray, layout: Layout) -> np.ndarray:
    """Reorder the axes of `value` to the course's one order: `oi`, `oihw` or `nchw`.

    Args:
        value: an array with one axis for each letter of `layout`.
        layout: what each axis is, one letter each: (o)utputs, (i)nputs, (h)eight, (w)idth, (n)umber
            in the batch, (c)hannels; with a shape, the array is first given that shape. None
            leaves the array as it is.

    Raises:
        ParityError: the layout is unknown or has another number of axes than the array.
    """
    if layout is None:
        return value
    if isinstance(layout, tuple):
        layout, shape = layout
        value = value.reshape(shape)
    if len(layout) != value.ndim:
        raise ParityError(
            f"layout {layout!r} names {len(layout)} axes; the array has {value.ndim}."
        )
    for order in _CANONICAL:
        if sorted(order) == sorted(layout):
            return value.transpose([layout.index(letter) for letter in order])
    raise ParityError(f"layout {layout!r} is not an order of the letters of {_CANONICAL}.")


def to_numpy(value) -> np.ndarray:
    """A copy of a number, an array, or a tensor of either framework, as an array."""
    if hasattr(value, "detach"):  # a PyTorch tensor, which may require gradients or be on a GPU
        value = value.detach().cpu()
    if hasattr(value, "numpy"):
        value = value.numpy()
    return np.array(value)  # a copy: PyTorch's optimisers change weights in place


def _records() -> pathlib.Path:
    return course.HOME / ".records"


def record_path(lesson: str, framework: str) -> pathlib.Path:
    """The file that holds the record of one half: not under version control, made by running it."""
    return _records() / f"{lesson}_{framework}.npz"


def notebook_digest(lesson: str, framework: str) -> str:
    """A digest of the code in one half's notebook, to notice a record made by other code.

    Raises:
        ParityError: the file is no notebook.
    """
    path = course.ROOT / "notebooks" / f"{lesson}_{framework}.ipynb"
    if not path.exists():
        return ""
    try:
        code = [source for _, kind, source in course.cells(path) if kind == "code"]
    except (ValueError, KeyError, TypeError):
        raise ParityError(
            f"notebooks/{path.name} cannot be read as a notebook; a merge may have left its marks, "
            "<<<<<<< and >>>>>>>, in it. The course's own comes back with: "
            f"git checkout HEAD -- notebooks/{path.name}"
        ) from None
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def _on_gpu() -> bool:
    """Whether a framework that this process has imported sees a GPU."""
    torch, tensorflow = sys.modules.get("torch"), sys.modules.get("tensorflow")
    return bool(
        (torch and torch.cuda.is_available())
        or (tensorflow and tensorflow.config.list_physical_devices("GPU"))
    )


class Recorder:
    """Collects named tensors of one half of a pair, and writes them to `.records/`.

    >>> record = Recorder("04_network", "pytorch")
    >>> record("w/mlp/hidden.weight", model.hidden.weight, layout="oi", step=0)
    >>> record.save()
    """

    def __init__(self, lesson: str, framework: str) -> None:
        self.lesson, self.framework = lesson, framework
        self.tensors: dict[tuple[str, int], np.ndarray] = {}

    def __call__(self, key: str, value, *, step: int, layout: Layout = None) -> None:
        """Record one tensor.

        Args:
            key: `kind/run/name`: one of the kinds of `TOLERANCE`, which run, and what it is.
            value: a number, a NumPy array, or a tensor of either framework.
            step: how many training steps came before; the batch, logits, loss and gradient of the
                first step, and the weights after it, are of step 1.
            layout: the order of the axes here; see `canonical`.

        Raises:
            ParityError: the kind is unknown, a value is not finite, or the key was recorded before
                at this step with another value. The same value again is no error: somebody may
                run a cell twice.
        """
        kind = key.split("/")[0]
        if kind not in TOLERANCE or key.count("/") != 2:
            raise ParityError(
                f"{key!r} is not kind/run/name with a kind out of {', '.join(TOLERANCE)}."
            )
        array = canonical(to_numpy(value), layout)
        if not np.isfinite(array).all():
            raise ParityError(f"{key} at step {step} holds a value that is not finite.")
        before = self.tensors.setdefault((key, step), array)
        if before.shape != array.shape or not np.allclose(before, array, rtol=1e-5, atol=1e-8):
            raise ParityError(
                f"{key} was recorded before at step {step}, with another value: make a new "
                "Recorder to begin again."
            )

    def many(self, kind: str, run: str, tensors: Mapping, layouts: Mapping, *, step: int) -> None:
        """Record several tensors of one kind and run, each under its name and in its layout."""
        for name, tensor in tensors.items():
            self(f"{kind}/{run}/{name}", tensor, layout=layouts[name], step=step)

    def save(self) -> None:
        """Write the record, replacing an earlier one in one step."""
        path = record_path(self.lesson, self.framework)
        path.parent.mkdir(exist_ok=True)
        about = {
            "rows": list(self.tensors),
            "gpu": _on_gpu(),
            "notebook": notebook_digest(self.lesson, self.framework),
        }
        partial = path.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(partial, json.dumps(about), *self.tensors.values())
        os.replace(partial, path)


@dataclasses.dataclass(frozen=True)
class Record:
    """A saved record: the tensors by (key, step) in the order in which they were recorded."""

    tensors: dict[tuple[str, int], np.ndarray]
    gpu: bool
    notebook: str


def load(lesson: str, framework: str) -> Record:
    """Read the record of one half.

    Raises:
        ParityError: there is none, or it cannot be read; the message says how to make it.
    """
    path = record_path(lesson, framework)
    how = f"Run notebooks/{lesson}_{framework}.ipynb from top to bottom"
    if not path.exists():
        raise ParityError(
            f"The {framework} half has not left a record yet.\n{how}, then this again."
        )
    try:
        with np.load(path) as file:
            about = json.loads(str(file["arr_0"]))
            arrays = [file[f"arr_{i}"] for i in range(1, 1 + len(about["rows"]))]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        raise ParityError(
            f"{path.name} cannot be read ({problem}).\n{how} to make it anew."
        ) from None
    rows = [(key, step) for key, step in about["rows"]]
    return Record(dict(zip(rows, arrays, strict=True)), about["gpu"], about["notebook"])


@dataclasses.dataclass(frozen=True)
class Row:
    """One compared tensor. `problem` says why it cannot be compared at all, if so."""

    key: str
    step: int
    error: float
    tolerance: float
    problem: str = ""

    @property
    def kind(self) -> str:
        """The first part of the key."""
        return self.key.split("/")[0]

    @property
    def run(self) -> str:
        """The second part of the key."""
        return self.key.split("/")[1]

    @property
    def share(self) -> float:
        """The error as a share of the tolerance: above 1 is a disagreement."""
        if self.problem:
            return float("inf")
        if self.error == 0:
            return 0.0
        return self.error / self.tolerance if self.tolerance else float("inf")

    def __str__(self) -> str:
        return f"{self.key}@{self.step}: " + (
            self.problem or f"error {self.error:.1e}, tolerance {self.tolerance:.1e}"
        )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two records compared, row by row in causal order."""

    rows: list[Row]

    @property
    def worst(self) -> Row:
        """The row that uses up most of its tolerance."""
        return max(self.rows, key=lambda row: row.share)

    @property
    def first_disagreement(self) -> Row | None:
        """The first row in causal order whose error rounding cannot explain: look there."""
        return next((row for row in self.rows if row.share > 1), None)

    def table(self) -> str:
        """Lines of text: for each run and kind of tensor the largest error, and the verdict."""
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            groups.setdefault((row.run, row.kind), []).append(row)
        lines = [f"{'run':<12}{'what':<8}{'tensors':>7}  {'largest error':>13}  {'of limit':>8}"]
        for (run, kind), rows in groups.items():
            worst = max(rows, key=lambda row: row.share)
            lines.append(
                f"{run:<12}{kind:<8}{len(rows):>7}  {worst.error:>13.1e}  {worst.share:>8.1%}"
            )
        first = self.first_disagreement
        lines.append("")
        lines.append(
            f"First disagreement: {first}"
            if first
            else f"All {len(self.rows)} tensors agree, as closely as rounding allows."
        )
        return "\n".join(lines)


def compare(a: Record, b: Record) -> Comparison:
    """Compare two records of one lesson.

    A key that only one side has, another dtype or shape: a disagreement, never skipped.
    """
    gpu = a.gpu or b.gpu
    together = {**a.tensors, **b.tensors}
    runs = list(dict.fromkeys(key.split("/")[1] for key, _ in together))
    kinds = list(TOLERANCE)

    def causal(row: tuple[str, int]) -> tuple[int, int, int]:
        kind, run, _ = row[0].split("/")
        return runs.index(run), row[1], kinds.index(kind)

    return Comparison(
        [
            _compare_row(key, step, a.tensors.get((key, step)), b.tensors.get((key, step)), gpu)
            for key, step in sorted(together, key=causal)
        ]
    )


def _compare_row(key: str, step: int, a: np.ndarray | None, b: np.ndarray | None, gpu: bool) -> Row:
    problem = ""
    if a is None or b is None:
        problem = f"only the {'second' if a is None else 'first'} record has it"
    elif a.dtype != b.dtype:
        problem = f"dtype {a.dtype} against {b.dtype}"
    elif a.shape != b.shape:
        problem = f"shape {a.shape} against {b.shape}"
    elif a.dtype == np.float32 and step > LAST_FLOAT32_STEP:
        problem = f"float32 is comparable up to step {LAST_FLOAT32_STEP} only: record float64"
    if problem:
        return Row(key, step, float("nan"), float("nan"), problem)
    kind = key.split("/")[0]
    return Row(key, step, error(a, b, kind), tolerance(kind, step, a.dtype, gpu))


def report(lesson: str, framework: str) -> None:
    """Print the comparison of a pair's records, as the last section of the half `framework` does.

    If the twin has not been run yet, or has changed since, it says what to do instead of raising.
    """
    twin = course.twin(framework)
    try:
        mine, other = load(lesson, framework), load(lesson, twin)
        changed = other.notebook != notebook_digest(lesson, twin)
    except ParityError as problem:
        print(problem)
        return
    if changed:
        print(f"The {twin} half has changed since its record was made: run it again.")
    first, second = (mine, other) if framework == course.FRAMEWORKS[0] else (other, mine)
    print(compare(first, second).table())
