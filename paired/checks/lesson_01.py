"""Lesson 01, tensors: the checks of its exercise.

Inputs are drawn anew for every check. Images are (n, channels, height, width) here, and weights
(rows, columns, outputs, channels, height, width), unless an adapter has turned them.
"""

from collections.abc import Callable

from paired.checks import NotAttempted, Wrong, call, close, compare, to_numpy

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
NAMES = ("same", "row", "array", "flat", "turned")

_PREDICT = (
    "Two rules give the two types: which float does `/` make of whole numbers, and which of two "
    "floats wins? Then align the shapes at their last axes."
)
_WHERE = (
    "Which line does the message come from? Print the shapes, and the types, of what meets there."
)
_TWO_BUGS = (
    "A prediction that cannot be wrong has an error: what is the shape of the difference? And "
    "after the loop: how many objects, and how much memory, does `predictions` hold?"
)


class _PyTorch:
    """What the checks need of PyTorch: its tensors, its layout, its words."""

    half, product, strides = "float32", "float64", (2, 6)
    half_mistakes = {  # noqa: RUF012 - a constant
        "float64": "is TensorFlow's answer: PyTorch divides whole numbers in its default float.",
        "int64": "is that of `counts`: `/` divides without rounding, `//` would keep the type.",
    }
    product_mistakes = {  # noqa: RUF012 - a constant
        "float32": "is TensorFlow's answer: PyTorch promotes to the type that holds both.",
    }
    stride_mistakes = {  # noqa: RUF012 - a constant
        (8, 24): "is in bytes, as NumPy counts; PyTorch counts elements.",
        (6, 2): "has the axes the wrong way round: which of them does `[::2]` walk along?",
        (1, 6): "is that of the transpose: `[::2]` takes every second row of it.",
        (6, 1): "is that of `torch.zeros(4, 6)`, before `.T` and `[::2]`.",
        (12, 1): "forgets `.T`, which swaps the strides.",
        (4, 1): "would be that of a copy: `.T` and `[::2]` move no number.",
        (3, 4): "is the shape.",
    }
    changes = {  # noqa: RUF012 - a constant
        "same": "a second name for the same tensor.",
        "row": "a view: an index of whole numbers only moves the start.",
        "array": "the same memory: `.numpy()` copies nothing.",
        "flat": "a view: `reshape` copies only where no strides fit.",
    }
    keeps = {  # noqa: RUF012 - a constant
        "turned": "a copy: no strides walk through the transpose in one row.",
    }
    causes = ("D", "A", "B")
    other_causes = {  # noqa: RUF012 - a constant
        "C": "each image has as many elements in one row as in its grid.",
        "E": "PyTorch's tensors may be changed, and the line that raises it assigns to no part.",
        "F": "every axis that is named is there.",
    }
    unchanged_note = (
        "change the tensor itself, with `[...] =`, `+=` or a method that ends in `_`. "
        "`confusion = ...` only moves the name."
    )
    once_note = "`confusion[labels, guesses] += 1` reads every count before it writes any."
    given, images_shape = (0, 1, 2, 3), "(n, channels, height, width)"
    weights_axes, result_axes = (0, 1, 2, 3, 4, 5), (0, 1, 2, 3)
    result_note = "(n, outputs, rows, columns)."

    def tensor(self, array: np.ndarray):
        import torch

        return torch.from_numpy(array.copy())

    def images(self, array: np.ndarray):
        """A batch whose channels lie side by side in memory: its strides are not those of rows."""
        import torch

        memory = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
        return torch.from_numpy(memory).permute(0, 3, 1, 2)

    def misread(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Images as known mistakes read them, by what to say of each."""
        memory = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(x.shape)
        return {
            "reads the pixels as if they lay in memory in the order of the axes: take the strides "
            "from `images.stride()`.": memory,
        }

    def misordered(self, windows: np.ndarray) -> dict[str, np.ndarray]:
        return {}

    variable = tensor

    def is_tensor(self, value) -> bool:
        import torch

        return torch.is_tensor(value)


class _TensorFlow:
    """The same of TensorFlow."""

    half, product, strides = "float64", "float32", (8, 24)
    half_mistakes = {  # noqa: RUF012 - a constant
        "float32": "is PyTorch's answer: TensorFlow divides int32 in float64.",
        "int32": "is that of `counts`: `/` divides without rounding, `//` would keep the type.",
    }
    product_mistakes = {  # noqa: RUF012 - a constant
        "float64": "is NumPy's answer, and PyTorch's: TensorFlow converts an array to the type of "
        "the tensor that it meets.",
    }
    stride_mistakes = {  # noqa: RUF012 - a constant
        (2, 6): "counts elements, as PyTorch does; NumPy counts bytes, four for a float32.",
        (16, 48): "counts eight bytes for each number: TensorFlow's zeros are float32.",
        (24, 8): "has the axes the wrong way round: which of them does `[::2]` walk along?",
        (4, 24): "is that of the transpose: `[::2]` takes every second row of it.",
        (24, 4): "is that of `tf.zeros((4, 6)).numpy()`, before `.T` and `[::2]`.",
        (48, 4): "forgets `.T`, which swaps the strides.",
        (16, 4): "would be that of a copy: `.T` and `[::2]` move no number in NumPy.",
        (3, 4): "is the shape.",
    }
    changes = {"same": "a second name for the same variable."}  # noqa: RUF012 - a constant
    keeps = {  # noqa: RUF012 - a constant
        "row": "a tensor of its own: an index reads the variable, and what was read stays.",
        "array": "a copy: `.numpy()` of a variable shares nothing with it.",
        "flat": "a tensor: what was read from a variable stays when the variable changes.",
        "turned": "a tensor: what was read from a variable stays when the variable changes.",
    }
    causes = ("E", "A", "B")
    other_causes = {  # noqa: RUF012 - a constant
        "C": "each image has as many elements in one row as in its grid.",
        "D": "TensorFlow's tensors have no strides, and `tf.reshape` takes every tensor.",
        "F": "every axis that is named is there.",
    }
    unchanged_note = (
        "change the variable itself, with `assign`, `assign_add` or a method that begins with "
        "`scatter`. `tf.tensor_scatter_nd_add` makes a new tensor, and `confusion = ...` only "
        "moves the name."
    )
    once_note = "`scatter_nd_add` adds up what comes more than once, `scatter_nd_update` does not."
    given, images_shape = (0, 2, 3, 1), "(n, height, width, channels)"
    weights_axes, result_axes = (0, 1, 4, 5, 3, 2), (0, 2, 3, 1)
    result_note = "(n, rows, columns, outputs)."

    def tensor(self, array: np.ndarray):
        import tensorflow as tf

        return tf.constant(array)

    images = tensor

    def misread(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {}

    def misordered(self, windows: np.ndarray) -> dict[str, np.ndarray]:
        """Windows as known mistakes unfold them, by what to say of each."""
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

    def variable(self, array: np.ndarray):
        import tensorflow as tf

        return tf.Variable(array)

    def is_tensor(self, value) -> bool:
        import tensorflow as tf

        return tf.is_tensor(value)


def predict(framework, half_dtype, product_dtype, difference_shape, view_strides, changed) -> str:
    """Types, shapes, strides and sharing, known before the code runs."""
    _dtype("half_dtype", half_dtype, framework.half, framework.half_mistakes)
    _dtype("product_dtype", product_dtype, framework.product, framework.product_mistakes)
    mistakes = {
        (5, 3): "takes the axis of length 1 away: it is stretched to 4.",
        (4, 3): "leaves out the first axis: where one shape has no axis, the other's counts.",
        (5, 1, 3): "is the shape of the first: its axis of length 1 is stretched to 4.",
        (4, 5, 3): "has two axes swapped: align the shapes at their last axes.",
        (5, 4): "lacks the last axis: nothing is summed here.",
        (5, 4, 3, 3): "has an axis too many: equal lengths go together.",
    }
    _numbers("difference_shape", difference_shape, (5, 4, 3), mistakes)
    _numbers("view_strides", view_strides, framework.strides, framework.stride_mistakes)
    for name in (names := _names(changed)):
        if name in framework.keeps:
            raise Wrong(f"`changed` has `{name}` in it, which is {framework.keeps[name]}")
    for name, what in framework.changes.items():
        if name not in names:
            raise Wrong(f"`changed` lacks `{name}`, which is {what}")
    return "All five are right. The next cell lets the framework say so itself."


def _dtype(name: str, answer, right: str, mistakes: dict) -> None:
    """Judge a type: its name, or NumPy's or the framework's own object for it."""
    if isinstance(answer, type):
        answer = answer.__name__  # np.float32
    text = answer if isinstance(answer, str) else getattr(answer, "name", str(answer))
    text = str(text).strip().rpartition(".")[2]  # torch.float32
    if text not in DTYPES:
        given = repr(answer) if isinstance(answer, str) else f"a `{type(answer).__name__}`"
        raise Wrong(f'`{name}` must be the name of a type, such as "int32"; it is {given}.')
    if text != right:
        raise Wrong(f"`{name}` {mistakes.get(text, f'is not {text}.')}")


def _numbers(name: str, answer, right: tuple[int, ...], mistakes: dict) -> None:
    """Judge a tuple of whole numbers."""
    try:
        given = tuple(answer)
        whole = all(isinstance(number, int | np.integer) for number in given)
    except Exception:  # whatever the answer's own code does
        whole = False
    if not whole or isinstance(answer, str | set | dict):
        shown = (
            repr(answer)
            if isinstance(answer, int | float | str)
            else (f"a `{type(answer).__name__}`")
        )
        raise Wrong(f"`{name}` must be a tuple of whole numbers; it is {shown}.")
    if given != right:
        raise Wrong(f"`{name}` {mistakes.get(given, f'is not {given}: go axis by axis.')}")


def _names(answer) -> set[str]:
    """The names in an answer, which must be some of `NAMES`."""
    wanted = "`changed` must be a set of names in quotes"
    if not isinstance(answer, set | frozenset | list | tuple):
        raise Wrong(f'{wanted}, such as {{"row", "flat"}}; it is a `{type(answer).__name__}`.')
    for name in answer:
        if not (isinstance(name, str) and name in NAMES):
            given = repr(name) if isinstance(name, str) else f"a `{type(name).__name__}`"
            raise Wrong(f"{wanted}, out of the five; {given} is none of them.")
    return set(answer)


def explain_error(framework, first_cause, second_cause, third_cause, similarity) -> str:
    """Name the causes of three errors, and mend the function that raises them."""
    answers = {
        "first_cause": first_cause, "second_cause": second_cause, "third_cause": third_cause,
    }  # fmt: skip
    for (name, answer), right in zip(answers.items(), framework.causes, strict=True):
        letter = answer.strip().upper() if isinstance(answer, str) else None
        if letter not in (*framework.causes, *framework.other_causes):
            given = repr(answer) if isinstance(answer, str) else f"a `{type(answer).__name__}`"
            raise Wrong(f'`{name}` must be one of the letters "A" to "F"; it is {given}.')
        if letter in framework.other_causes:
            raise Wrong(f"`{name}` is not {letter}: {framework.other_causes[letter]}")
        if letter != right:
            raise Wrong(f"`{name}` is not {letter}, which is the cause of another of the three.")
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
    if got.shape == right.shape and _nearly(got, right):
        raise Wrong(
            "The result agrees to about seven digits only: something was computed in float32 with "
            "`means` in it."
        )
    compare("The result", result, right, shape_note=note, mistakes=mistakes)
    _is_tensor(framework, "The result", result)
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
    if not isinstance(result, tuple | list) or len(result) != 2:
        kind = type(result).__name__
        raise Wrong(f"The function must return `losses, predictions`; it returns a `{kind}`.")
    losses, predictions = result
    for name, answer in (("losses", losses), ("predictions", predictions)):
        if answer is ...:
            raise NotAttempted(f"The function still returns `...` for {name}.")
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
    confusion = framework.variable(start)
    given = {"scores": framework.tensor(scores), "labels": framework.tensor(labels)}
    result = _call_with(tally, confusion, **given)
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
    _is_tensor(framework, "The result", result)
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
        mistakes |= {
            said: _weigh(_windows(other, w, stride), w)
            for said, other in framework.misread(x).items()
        }
        mistakes |= {
            said: _weigh(other, w) for said, other in framework.misordered(windows).items()
        }
        axes = framework.result_axes
        mistakes = {said: array.transpose(axes) for said, array in mistakes.items()}
        right = _weigh(windows, w).transpose(axes)
        name = "The result" if stride == 2 else "With a stride of 3 the result"
        compare(name, result, right, shape_note=framework.result_note, mistakes=mistakes)
        _is_tensor(framework, "The result", result)
    return "Strides 2 and 3, images of 7 x 10 and windows of 2 x 3 pixels: right to twelve digits."


def _windows(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """The windows of images, as many as `w` has places: (n, c, rows, columns, height, width)."""
    windows = sliding_window_view(x, w.shape[-2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return windows[:, :, : w.shape[0], : w.shape[1]]


def _weigh(windows: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The sum of each window times the weights of its place: (n, outputs, rows, columns)."""
    return np.einsum("ncijhw,ijochw->noij", windows, w)


def _call_with(function: Callable, state, **arguments):
    """As `call`, with a first argument that the function is to change."""
    if not callable(function):
        return call(function)  # which says so
    return call(lambda *others: function(state, *others), **arguments)


def _is_tensor(framework, name: str, value) -> None:
    if not framework.is_tensor(value):
        raise Wrong(f"{name} is a `{type(value).__name__}`; it must be a tensor.")


def _nearly(got: np.ndarray, right: np.ndarray) -> bool:
    """Whether numbers agree as float32 does, and no better."""
    if got.dtype != right.dtype or close(got, right):
        return False
    return bool(np.abs(got - right).max() <= 1e-5 * np.abs(right).max())


ADAPTERS = {"pytorch": _PyTorch, "tensorflow": _TensorFlow}
TASKS = (predict, explain_error, bug_hunt, translation, locally_connected)
