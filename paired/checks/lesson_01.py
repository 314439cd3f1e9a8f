"""Lesson 01, tensors: the checks of its exercise.

Inputs are drawn anew for every check, sizes too. Images are (n, channels, height, width) here, and
weights (rows, columns, outputs, channels, height, width), unless an adapter has turned them.
"""

from paired.checks import adapters
from paired.checks.adapters import must_be_tensor
from paired.checks.answers import Choice, Halves, Shape, task
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


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch: its layout, its words."""

    unchanged_note = (
        "change the tensor itself, with `[...] =`, `+=` or a method that ends in `_`. "
        "`confusion = ...` only moves the name."
    )
    given, weights_axes, result_axes = (0, 1, 2, 3), (0, 1, 2, 3, 4, 5), (0, 1, 2, 3)
    result_note = "(n, outputs, rows, columns)."
    state = adapters.PyTorch.tensor

    def view(self, array: np.ndarray, *axes: int):
        """A tensor whose numbers lie in another order of its axes, in the middle of a memory."""
        array = array.transpose(axes)
        return self.tensor(np.array([0 * array, array]))[1].permute(*np.argsort(axes).tolist())

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
    given, weights_axes, result_axes = (0, 2, 3, 1), (0, 1, 4, 5, 3, 2), (0, 2, 3, 1)
    result_note = "(n, rows, columns, outputs)."
    state = adapters.TensorFlow.variable

    def view(self, array: np.ndarray, *axes: int):
        return self.tensor(array)  # no strides: there are no such views

    def misread(self, x: np.ndarray, windows: np.ndarray, view) -> dict[str, np.ndarray]:
        n, c, rows, columns, height, width = windows.shape
        patches = windows.transpose(0, 2, 3, 4, 5, 1).reshape(n, rows, columns, c, height, width)
        return {
            "unfolds each patch with the channels first: `extract_patches` lists them last.": (
                patches.transpose(0, 3, 1, 2, 4, 5)
            ),
        }


@task(
    half_dtype=Choice(
        Halves("float32", "float64"),
        {
            Halves("float64", "float32"): Halves(
                "TensorFlow gives that; PyTorch divides whole numbers in float32.",
                "PyTorch gives that; TensorFlow divides int32 in float64.",
            ),
            Halves("int64", "int32"): "`/` divides without rounding, `//` would keep the type.",
        },
    ),
    mixed_dtype=Choice(
        "float16",
        {
            "float32": Halves(
                "PyTorch takes the type of the higher kind, whatever its size.",
                "look at the type of the ones.",
            ),
            Halves("int64", "int32"): "look at the type of the ones.",
            "float64": Halves(
                "NumPy gives that; PyTorch takes the type of the higher kind, whatever its size.",
                "NumPy gives that; TensorFlow converts an array to the type of the tensor.",
            ),
        },
    ),
    difference_shape=Shape(
        (5, 4, 3),
        {
            (5, 3): "takes the axis of length 1 away: it is stretched to 4.",
            (4, 3): "leaves out the first axis: where one shape has no axis, the other's counts.",
            (5, 1, 3): "is the shape of the first: its axis of length 1 is stretched to 4.",
        },
        "is not {}: go axis by axis.",
    ),
    pile_shape=Shape(
        (4, 5, 3),
        {
            (5, 4, 3): "would come of axis 0: the new axis is axis 1.",
            (4, 15): "would come of concatenating: to stack makes a new axis.",
            (20, 3): "would come of concatenating: to stack makes a new axis.",
        },
    ),
    view_strides=Shape(
        Halves((2, 6), (8, 24)),
        {
            Halves((8, 24), (2, 6)): Halves(
                "is in bytes, as NumPy counts; PyTorch counts elements.",
                "counts elements, as PyTorch does; NumPy counts bytes, four for a float32.",
            ),
            Halves((6, 2), (24, 8)): (
                "has the axes the wrong way round: which of them does `[::2]` walk along?"
            ),
            Halves((1, 6), (4, 24)): (
                "is that of the transpose: `[::2]` takes every second row of it."
            ),
        },
    ),
    changed=Choice(
        Halves("C", "A"),
        Halves(
            {
                "A": "`v[0]` is a view, and `.numpy()` copies nothing.",
                "B": "`v.reshape(6)` is a view: it copies only where no strides fit.",
                "D": "no strides walk through the transpose in one row: `turned` is a copy.",
            },
            {
                "B": "`row` and `array` hold what was read from the variable before.",
                "C": "`flat` is a tensor: it holds what was read from the variable before.",
                "D": "`turned` is a tensor: it holds what was read from the variable before.",
            },
        ),
    ),
)
def predict(framework) -> str:
    """Types, shapes, strides and sharing, known before the code runs."""
    return "All six are right. The next cells let the framework say so itself."


def _cause(pytorch: str, tensorflow: str) -> Choice:
    shared = dict.fromkeys("AB", "it is the cause of another of the three.") | {
        "C": "each image has as many elements in one row as in its grid.",
        "F": "every axis that is named is there.",
    }
    notes = Halves(
        shared | {"D": shared["A"], "E": "the line that raises it assigns to no part."},
        shared | {"D": "TensorFlow's tensors have no strides.", "E": shared["A"]},
    )
    del notes.pytorch[pytorch], notes.tensorflow[tensorflow]
    return Choice(Halves(pytorch, tensorflow), notes)


@task(first_cause=_cause("D", "E"), second_cause=_cause("A", "A"), third_cause=_cause("B", "B"))
def explain_error(framework, similarity) -> str:
    """Name the causes of three errors, and mend the function that raises them."""
    # Sixteenths, and powers of two: float32 computes all means exactly, before or after the cast.
    rng = np.random.default_rng()
    # The second lies in memory column by column, so that a reshape of its transpose is a view.
    for height, width, order in ((2, 16, (0, 1, 2)), (8, 4, (0, 2, 1))):
        n = int(rng.choice([4, 8]))
        images = (rng.integers(17, size=(n, height, width)) / 16).astype("float32")
        images[:, 0, 0] = rng.permutation(np.arange(100, 100 + n))
        means = rng.normal(size=(10, height * width))
        given = {"images": framework.view(images, *order), "means": framework.tensor(means)}
        result = call(similarity, **given)
        mistakes = {
            "reads the images row by row; `means` counts down the columns.": (
                _similarity(images, means, by_column=False)
            ),
            "still has the scanner's number in it: the first pixel is to be zero.": (
                _similarity(images, means, blank=False)
            ),
            "subtracts the mean of each pixel over the images: take each image's own.": (
                _similarity(images, means, axis=0)
            ),
        }
        right = _similarity(images, means)
        row = "a row for each image, a column for each mean."
        lost = "no decimal place of `means` may get lost."
        compare("The result", result, right, shape_note=row, nearly_note=lost, mistakes=mistakes)
        must_be_tensor(framework, "The result", result)
    return "Three causes named, and the scores agree to twelve digits, for images of two sizes."


def _similarity(images, means, *, by_column=True, blank=True, axis=1) -> np.ndarray:
    """The products of the centred images and the means; every option errs."""
    rows = images.transpose(0, 2, 1) if by_column else images
    rows = rows.reshape(len(images), -1).astype("float64")
    if blank:
        rows[:, 0] = 0
    return (rows - rows.mean(axis=axis, keepdims=True)) @ means.T


def bug_hunt(framework, evaluate) -> str:
    """Mend a function that broadcasts where it should not, and hands out one buffer."""
    rng = np.random.default_rng()
    count, size, inputs = (int(n) for n in rng.permutation([3, 4, 6]))
    x, y = rng.normal(size=(count * size, inputs)), rng.normal(size=(count * size, 1))
    w = rng.normal(size=inputs)
    batches = list(rng.permutation(count * size).reshape(count, size))
    given = {name: framework.tensor(array) for name, array in (("X", x), ("y", y), ("w", w))}
    result = call(evaluate, **given, batches=[batch.copy() for batch in batches])
    losses, predictions = parts("evaluate", result, "losses", "predictions")
    call(evaluate, **given | {"w": framework.tensor(-w)}, batches=batches)  # leaves both alone
    right = np.stack([x[batch] @ w for batch in batches])
    errors = right - np.stack([y[batch, 0] for batch in batches])
    pairs = np.stack([x[batch] @ w - y[batch] for batch in batches])
    sentence = "holds means over all pairs of a prediction and a target: compare their shapes."
    mistakes = {
        sentence: (pairs**2).mean(axis=(1, 2)),
        "holds sums over the batch, not means.": (errors**2).sum(axis=1),
    }
    note = "one number for each batch."
    compare("`losses`", losses, (errors**2).mean(axis=1), shape_note=note, mistakes=mistakes)
    mistakes = {
        "holds those of the last batch each time: one buffer holds one batch.": (
            np.broadcast_to(right[-1], right.shape)
        ),
        "holds errors: the targets have been subtracted.": errors,
    }
    note = "a row for each batch, one number for each example."
    compare("`predictions`", predictions, right, shape_note=note, mistakes=mistakes)
    return "The losses and the predictions of all batches agree, to twelve digits."


def translation(framework, tally) -> str:
    """Add a batch to a table of counts in place, and pick one entry of each row."""
    rng = np.random.default_rng()
    k = int(rng.integers(4, 8))
    for there in (k, k - 1):  # the second time, the last class is neither a label nor a guess
        n = int(rng.integers(60, 90))  # more examples than pairs: some pair comes twice
        start, scores = rng.integers(2, 50, size=(k, k)).astype("float64"), rng.normal(size=(n, k))
        labels = rng.permutation(np.arange(n) % there)
        scores[:, there:] -= 20
        guesses, counts = scores.argmax(axis=1), np.zeros((k, k))
        np.add.at(counts, (labels, guesses), 1)
        confusion = framework.state(start)
        given = {"scores": framework.tensor(scores), "labels": framework.tensor(labels)}
        result = call_changing(tally, (confusion,), **given)
        after = to_numpy(confusion)
        if after.shape == start.shape and close(after, start):
            raise Wrong(f"`confusion` is as it was: {framework.unchanged_note}")
        mistakes = {
            "counts a pair once in a batch, however often it comes.": start + (counts > 0),
            "holds the counts of this batch alone: add them to those before.": counts,
            "has rows and columns swapped: a row is a label, a column a guess.": start + counts.T,
        }
        compare("`confusion`", after, start + counts, mistakes=mistakes)
        picked = scores[np.arange(n), labels]
        best = "is the best score of each example: take that of its label."
        note = "one score for each example, that of its own label."
        compare("The result", result, picked, shape_note=note, mistakes={best: scores.max(axis=1)})
        must_be_tensor(framework, "The result", result)
    return "All counted in place, pairs that come twice too, where a class is missing as well."


def locally_connected(framework, locally_connected) -> str:
    """A convolution with another kernel in every place, by windows and einsum."""
    rng = np.random.default_rng()
    for stride in (2, 3):  # compare() finds the right answer before it looks for mistakes
        height, width = (int(size) for size in rng.permutation([7, 8, 10])[:2])
        kernel = tuple(int(size) for size in rng.permutation([2, 3]))
        n, channels = (int(size) for size in rng.permutation([2, 3]))
        outputs = int(rng.integers(6, 9))  # more than rows or columns: no two axes are mistaken
        x = rng.normal(size=(n, channels, height, width))
        places = (height - kernel[0]) // stride + 1, (width - kernel[1]) // stride + 1
        w = rng.normal(size=(*places, outputs, channels, *kernel))
        images = framework.view(x.transpose(framework.given), 0, 2, 3, 1)
        given = {"images": images, "weights": framework.tensor(w.transpose(framework.weights_axes))}
        result = call(locally_connected, **given, stride=stride)
        windows = _windows(x, w, stride)
        mistakes = {
            "takes windows that lie one pixel apart: they start every `stride` pixels.": (
                _weigh(_windows(x, w, 1), w)
            ),
            "uses the kernel of the first place everywhere: that is a convolution.": (
                _weigh(windows, np.broadcast_to(w[:1, :1], w.shape))
            ),
        }
        misread = framework.misread(x, windows, lambda images: _windows(images, w, stride))  # noqa: B023
        mistakes |= {said: _weigh(other, w) for said, other in misread.items()}
        axes = framework.result_axes
        mistakes = {said: array.transpose(axes) for said, array in mistakes.items()}
        right = _weigh(windows, w).transpose(axes)
        name, note = f"For a stride of {stride} the result", framework.result_note
        compare(name, result, right, shape_note=note, mistakes=mistakes)
        must_be_tensor(framework, "The result", result)
    given = x.transpose(framework.given), w.transpose(framework.weights_axes)
    _, found = framework.gradients(
        lambda *both: locally_connected(*both, stride)[0, 0, 0, 0], *given
    )
    for name, gradient in zip(("images", "weights"), found, strict=True):
        if gradient is None:
            raise Wrong(f"No gradient reaches `{name}`: use differentiable operations alone.")
    return "Strides of 2 and 3, images and windows of several sizes: right to twelve digits."


def _windows(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """The windows of images, as many as `w` has places: (n, c, rows, columns, height, width)."""
    windows = sliding_window_view(x, w.shape[-2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return windows[:, :, : w.shape[0], : w.shape[1]]


def _weigh(windows: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The sum of each window times the weights of its place: (n, outputs, rows, columns)."""
    return np.einsum("ncijhw,ijochw->noij", windows, w)


TASKS = (predict, explain_error, bug_hunt, translation, locally_connected)
