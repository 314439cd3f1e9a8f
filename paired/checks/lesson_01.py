"""Lesson 01, tensors: the checks of its exercise.

Inputs are drawn anew for every check. Images are (n, channels, height, width) here, and weights
(rows, columns, outputs, channels, height, width), unless an adapter has turned them.
"""

from collections.abc import Iterator

from paired.checks import adapters
from paired.checks.adapters import must_be_tensor
from paired.checks.answers import Answer, Choice, Halves, Shape, resolve, task
from paired.checks.judging import (
    Wrong,
    call,
    call_changing,
    close,
    compare,
    parts,
    to_numpy,
)

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
NAMES = ("same", "row", "array", "flat", "turned")


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch: its layout, its words."""

    unchanged_note = (
        "change the tensor itself, with `[...] =`, `+=` or a method that ends in `_`. "
        "`confusion = ...` only moves the name."
    )
    once_note = "`confusion[labels, guesses] += 1` reads every count before it writes any."
    given, weights_axes, result_axes = (0, 1, 2, 3), (0, 1, 2, 3, 4, 5), (0, 1, 2, 3)
    result_note = "(n, outputs, rows, columns)."
    state = adapters.PyTorch.tensor

    def images(self, array: np.ndarray):
        """A batch whose channels lie side by side in memory: its strides are not those of rows."""
        memory = self.tensor(array.transpose(0, 2, 3, 1))
        return memory.contiguous().permute(0, 3, 1, 2)

    def misread(self, x: np.ndarray, windows: np.ndarray, view) -> dict[str, np.ndarray]:
        """Windows as known mistakes take them, by what to say of each."""
        memory = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(x.shape)
        return {
            "reads the pixels as if they lay in memory in the order of the axes: take the strides "
            "from `images.stride()`.": view(memory),
        }


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    unchanged_note = (
        "change the variable itself, with `assign`, `assign_add` or a method that begins with "
        "`scatter`. `tf.tensor_scatter_nd_add` makes a new tensor, and `confusion = ...` only "
        "moves the name."
    )
    once_note = "`scatter_nd_add` adds up what comes more than once, `scatter_nd_update` does not."
    given, weights_axes, result_axes = (0, 2, 3, 1), (0, 1, 4, 5, 3, 2), (0, 2, 3, 1)
    result_note = "(n, rows, columns, outputs)."
    images, state = adapters.TensorFlow.tensor, adapters.TensorFlow.variable

    def misread(self, x: np.ndarray, windows: np.ndarray, view) -> dict[str, np.ndarray]:
        n, c, rows, columns, height, width = windows.shape
        patches = windows.transpose(0, 2, 3, 4, 5, 1)
        channels_first = patches.reshape(n, rows, columns, c, height, width)
        swapped = patches.reshape(n, rows, columns, width, height, c)
        return {
            "unfolds each patch with the channels first: `extract_patches` lists them last.": (
                channels_first.transpose(0, 3, 1, 2, 4, 5)
            ),
            "unfolds each patch with height and width swapped.": (
                swapped.transpose(0, 5, 1, 2, 4, 3)
            ),
        }


class Dtype(Answer):
    """A type: its name, or NumPy's or the framework's own object for it."""

    wanted = 'the name of a type, such as "int32"'

    def _read(self, answer, half: str) -> str:
        if isinstance(answer, type):
            answer = answer.__name__  # np.float32
        text = answer if isinstance(answer, str) else getattr(answer, "name", str(answer))
        text = text.strip().rpartition(".")[2]  # torch.float32
        return DTYPES[DTYPES.index(text)]


class Names(Answer):
    """A set of the five names; the table says of each what it is."""

    wanted = 'a set of names in quotes, such as {"row", "flat"}, out of the five'

    def _read(self, answer, half: str) -> set[str]:
        if not isinstance(answer, set | frozenset | list | tuple):
            raise TypeError
        return {NAMES[NAMES.index(name)] for name in answer}

    def _sentence(self, given: set[str], half: str) -> str:
        about, right = resolve(self.mistakes, half), resolve(self.right, half)
        for name in NAMES:
            if name in given - right:
                return f"has `{name}` in it, which is {about[name]}"
        lacking = next(name for name in NAMES if name in right - given)
        return f"lacks `{lacking}`, which is {about[lacking]}"

    def wrong(self, half: str) -> Iterator[tuple[set[str], str]]:
        for name in NAMES:
            answer = resolve(self.right, half) ^ {name}
            yield answer, self._sentence(answer, half)


@task(
    half_dtype=Dtype(
        Halves("float32", "float64"),
        Halves(
            {
                "float64": "is TensorFlow's answer: PyTorch divides whole numbers in its default "
                "float.",
                "int64": "is that of `counts`: `/` divides without rounding, `//` would keep the "
                "type.",
            },
            {
                "float32": "is PyTorch's answer: TensorFlow divides int32 in float64.",
                "int32": "is that of `counts`: `/` divides without rounding, `//` would keep the "
                "type.",
            },
        ),
    ),
    product_dtype=Dtype(
        Halves("float64", "float32"),
        Halves(
            {"float32": "is TensorFlow's answer: PyTorch promotes to the type that holds both."},
            {
                "float64": "is NumPy's answer, and PyTorch's: TensorFlow converts an array to the "
                "type of the tensor that it meets.",
            },
        ),
    ),
    difference_shape=Shape(
        (5, 4, 3),
        {
            (5, 3): "takes the axis of length 1 away: it is stretched to 4.",
            (4, 3): "leaves out the first axis: where one shape has no axis, the other's counts.",
            (5, 1, 3): "is the shape of the first: its axis of length 1 is stretched to 4.",
            (4, 5, 3): "has two axes swapped: align the shapes at their last axes.",
            (5, 4): "lacks the last axis: nothing is summed here.",
            (5, 4, 3, 3): "has an axis too many: equal lengths go together.",
        },
        "is not {}: go axis by axis.",
    ),
    view_strides=Shape(
        Halves((2, 6), (8, 24)),
        Halves(
            {
                (8, 24): "is in bytes, as NumPy counts; PyTorch counts elements.",
                (6, 2): "has the axes the wrong way round: which of them does `[::2]` walk along?",
                (1, 6): "is that of the transpose: `[::2]` takes every second row of it.",
                (6, 1): "is that of `torch.zeros(4, 6)`, before `.T` and `[::2]`.",
                (12, 1): "forgets `.T`, which swaps the strides.",
                (4, 1): "would be that of a copy: `.T` and `[::2]` move no number.",
                (3, 4): "is the shape.",
            },
            {
                (2, 6): "counts elements, as PyTorch does; NumPy counts bytes, four for a float32.",
                (16, 48): "counts eight bytes for each number: TensorFlow's zeros are float32.",
                (24, 8): "has the axes the wrong way round: which of them does `[::2]` walk along?",
                (4, 24): "is that of the transpose: `[::2]` takes every second row of it.",
                (24, 4): "is that of `tf.zeros((4, 6)).numpy()`, before `.T` and `[::2]`.",
                (48, 4): "forgets `.T`, which swaps the strides.",
                (16, 4): "would be that of a copy: `.T` and `[::2]` move no number in NumPy.",
                (3, 4): "is the shape.",
            },
        ),
        "is not {}: go axis by axis.",
    ),
    changed=Names(
        Halves({"same", "row", "array", "flat"}, {"same"}),
        Halves(
            {
                "same": "a second name for the same tensor.",
                "row": "a view: an index of whole numbers only moves the start.",
                "array": "the same memory: `.numpy()` copies nothing.",
                "flat": "a view: `reshape` copies only where no strides fit.",
                "turned": "a copy: no strides walk through the transpose in one row.",
            },
            {
                "same": "a second name for the same variable.",
                "row": "a tensor of its own: an index reads the variable, and what was read stays.",
                "array": "a copy: `.numpy()` of a variable shares nothing with it.",
            }
            | dict.fromkeys(
                ("flat", "turned"),
                "a tensor: what was read from a variable stays when the variable changes.",
            ),
        ),
    ),
)
def predict(framework) -> str:
    """Types, shapes, strides and sharing, known before the code runs."""
    return "All five are right. The next cell lets the framework say so itself."


def _cause(pytorch: str, tensorflow: str) -> Choice:
    other = "it is the cause of another of the three."
    shared = {
        "C": "each image has as many elements in one row as in its grid.",
        "F": "every axis that is named is there.",
    }
    notes = Halves(
        dict.fromkeys("DAB", other)
        | shared
        | {
            "E": "PyTorch's tensors may be changed, and the line that raises it assigns to no part."
        },
        dict.fromkeys("EAB", other)
        | shared
        | {"D": "TensorFlow's tensors have no strides, and `tf.reshape` takes every tensor."},
    )
    del notes.pytorch[pytorch], notes.tensorflow[tensorflow]
    return Choice(Halves(pytorch, tensorflow), notes)


@task(first_cause=_cause("D", "E"), second_cause=_cause("A", "A"), third_cause=_cause("B", "B"))
def explain_error(framework, similarity) -> str:
    """Name the causes of three errors, and mend the function that raises them."""
    # Sixteenths, and powers of two: float32 computes all means exactly, before or after the cast.
    rng = np.random.default_rng()
    images = (rng.integers(17, size=(4, 2, 16)) / 16).astype("float32")
    images[:, 0, 0] = rng.permutation(np.arange(100, 104))
    means = rng.normal(size=(10, 32))
    given = {"images": framework.tensor(images), "means": framework.tensor(means)}
    result = call(similarity, **given)
    right = _similarity(images, means)
    got = to_numpy(result)
    if got.shape == right.shape and got.dtype == "float32":
        raise Wrong("The result has dtype float32: convert the images to float64, not the means.")
    mistakes = {
        "reads the images row by row; `means` counts down the columns.": (
            _similarity(images, means, by_column=False)
        ),
        "still has the scanner's number in it: the first pixel is to be zero.": (
            _similarity(images, means, blank=False)
        ),
        "subtracts a mean with the scanner's number in it: set the pixel to zero first.": (
            _similarity(images, means, blank_last=True)
        ),
        "subtracts the mean of each pixel over the images: take each image's own.": (
            _similarity(images, means, axis=0)
        ),
        "subtracts one mean of all the images: take each image's own.": (
            _similarity(images, means, axis=None)
        ),
        "subtracts no mean.": _similarity(images, means, centre=False),
    }
    note = "a row for each image, a column for each mean."
    nearly_note = "something was computed in float32 with `means` in it."
    compare(
        "The result", result, right, shape_note=note, nearly_note=nearly_note, mistakes=mistakes
    )
    must_be_tensor(framework, "The result", result)
    return "Three causes named, and the scores agree to twelve digits, for images of 2 x 16 pixels."


def _similarity(
    images: np.ndarray,
    means: np.ndarray,
    *,
    by_column: bool = True,
    blank: bool = True,
    blank_last: bool = False,
    centre: bool = True,
    axis: int | None = 1,
) -> np.ndarray:
    """The products of the centred images and the means; every option but the first two errs."""
    rows = (images.transpose(0, 2, 1) if by_column else images).reshape(len(images), -1)
    rows = rows.astype("float64")
    if blank and not blank_last:
        rows[:, 0] = 0
    if centre:
        rows = rows - rows.mean(axis=axis, keepdims=True)
    if blank_last:
        rows[:, 0] = 0
    return rows @ means.T


def bug_hunt(framework, evaluate) -> str:
    """Mend a function that broadcasts where it should not, and hands out one buffer."""
    rng = np.random.default_rng()
    x, y, w = rng.normal(size=(24, 5)), rng.normal(size=(24, 1)), rng.normal(size=5)
    batches = list(rng.permutation(24).reshape(4, 6))
    given = {name: framework.tensor(array) for name, array in (("X", x), ("y", y), ("w", w))}
    result = call(evaluate, **given, batches=[batch.copy() for batch in batches])
    losses, predictions = parts("evaluate", result, "losses", "predictions")
    right = np.stack([x[batch] @ w for batch in batches])
    errors = right - np.stack([y[batch, 0] for batch in batches])
    pairs = np.stack([x[batch] @ w - y[batch] for batch in batches])
    mistakes = {
        "holds means over all pairs of a prediction and a target: (6,) and (6, 1) give (6, 6).": (
            (pairs**2).mean(axis=(1, 2))
        ),
        "holds sums over the batch, not means.": (errors**2).sum(axis=1),
        "holds sums over all pairs of a prediction and a target.": (pairs**2).sum(axis=(1, 2)),
        "holds squares of the mean error, not means of the squares.": errors.mean(axis=1) ** 2,
        "holds roots: the mean squared error has none.": np.sqrt((errors**2).mean(axis=1)),
        "holds means of the errors without their signs, not of their squares.": (
            np.abs(errors).mean(axis=1)
        ),
        "holds the loss of the last batch, four times.": np.full(4, (errors[-1] ** 2).mean()),
    }
    note = "one number for each batch."
    compare("`losses`", losses, (errors**2).mean(axis=1), shape_note=note, mistakes=mistakes)
    mistakes = {
        "holds those of the last batch, four times: all its entries are one memory.": (
            np.stack([right[-1]] * 4)
        ),
        "holds errors: the targets have been subtracted in place.": errors,
        "holds the targets.": right - errors,
    }
    note = "a row for each batch, one number for each example."
    compare("`predictions`", predictions, right, shape_note=note, mistakes=mistakes)
    return "Four losses and four batches of predictions agree, to twelve digits."


def translation(framework, tally) -> str:
    """Add a batch to a table of counts in place, and pick one entry of each row."""
    n, k = 40, 4  # more examples than pairs: some pair comes twice
    rng = np.random.default_rng()
    start, scores = rng.integers(2, 50, size=(k, k)).astype("float64"), rng.normal(size=(n, k))
    labels = rng.permutation(np.arange(n) % k)
    guesses = scores.argmax(axis=1)
    counts, every_right = np.zeros((k, k)), np.zeros((k, k))
    np.add.at(counts, (labels, guesses), 1)
    np.add.at(every_right, (labels, labels), 1)
    confusion = framework.state(start)
    given = {"scores": framework.tensor(scores), "labels": framework.tensor(labels)}
    result = call_changing(tally, (confusion,), **given)
    after = to_numpy(confusion)
    if after.shape == start.shape and close(after, start):
        raise Wrong(f"`confusion` is as it was: {framework.unchanged_note}")
    mistakes = {
        f"counts a pair once in a batch, however often it comes: {framework.once_note}": start
        + (counts > 0),
        "is overwritten where it should be added to.": np.where(counts > 0, 1, start),
        "holds the counts of this batch alone: add them to those before.": counts,
        "has rows and columns swapped: a row is a label, a column a guess.": start + counts.T,
        "counts every guess as right: the column is the guess.": start + every_right,
        "holds the old counts twice: they are in what you add, too.": 2 * start + counts,
    }
    compare("`confusion`", after, start + counts, mistakes=mistakes)
    picked = scores[np.arange(n), labels]
    mistakes = {
        "is the best score of each example: take that of its label.": scores.max(axis=1),
        "goes down the first column: the label chooses the column, not the row.": scores[labels, 0],
        "is the guess, not a score.": guesses.astype("float64"),
    }
    shape = to_numpy(result).shape
    note = "one score for each example."
    if shape == (n, n):
        note = "the label of each example picks in its own row only, not in every row."
    compare("The result", result, picked, shape_note=note, mistakes=mistakes)
    must_be_tensor(framework, "The result", result)
    return "40 examples counted in place, pairs that come twice too, and 40 scores picked."


def locally_connected(framework, locally_connected) -> str:
    """A convolution with another kernel in every place, by windows and einsum."""
    rng = np.random.default_rng()
    height, width, kernel, channels, outputs = 7, 10, (2, 3), 2, 5
    for stride in (2, 3):  # compare() finds the right answer before it looks for mistakes
        x = rng.normal(size=(3, channels, height, width))
        places = (height - kernel[0]) // stride + 1, (width - kernel[1]) // stride + 1
        w = rng.normal(size=(*places, outputs, channels, *kernel))
        given = {
            "images": framework.images(x.transpose(framework.given)),
            "weights": framework.tensor(w.transpose(framework.weights_axes)),
        }
        result = call(locally_connected, **given, stride=stride)
        windows = _windows(x, w, stride)
        first = np.broadcast_to(w[:1, :1], w.shape)
        mistakes = {
            "takes windows that lie one pixel apart: they start every `stride` pixels.": (
                _weigh(_windows(x, w, 1), w)
            ),
            "takes windows two pixels apart, whatever `stride` is.": _weigh(_windows(x, w, 2), w),
            "uses the kernel of the first place everywhere: that is a convolution.": (
                _weigh(windows, first)
            ),
            "has the kernels turned by 180 degrees.": _weigh(windows, w[..., ::-1, ::-1]),
            "is the mean over each window and the channels, not the sum.": (
                _weigh(windows, w) / w[0, 0, 0].size
            ),
        }
        misread = framework.misread(x, windows, lambda images: _windows(images, w, stride))  # noqa: B023
        mistakes |= {said: _weigh(other, w) for said, other in misread.items()}
        axes = framework.result_axes
        mistakes = {said: array.transpose(axes) for said, array in mistakes.items()}
        right = _weigh(windows, w).transpose(axes)
        name = "The result" if stride == 2 else "With a stride of 3 the result"
        compare(name, result, right, shape_note=framework.result_note, mistakes=mistakes)
        must_be_tensor(framework, "The result", result)
    return "Strides 2 and 3, images of 7 x 10 and windows of 2 x 3 pixels: right to twelve digits."


def _windows(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """The windows of images, as many as `w` has places: (n, c, rows, columns, height, width)."""
    windows = sliding_window_view(x, w.shape[-2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return windows[:, :, : w.shape[0], : w.shape[1]]


def _weigh(windows: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The sum of each window times the weights of its place: (n, outputs, rows, columns)."""
    return np.einsum("ncijhw,ijochw->noij", windows, w)


TASKS = (predict, explain_error, bug_hunt, translation, locally_connected)
