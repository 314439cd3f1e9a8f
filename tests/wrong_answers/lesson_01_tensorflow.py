"""Wrong answers to the exercise of lesson 01 in TensorFlow."""
# ruff: noqa: N803 - the exercise names a matrix X

import numpy as np
import tensorflow as tf

from wrong_answers import WrongAnswers, lesson_01

wrong = WrongAnswers()

_READ = "which is a tensor: what was read from a variable stays when the variable changes."
lesson_01.add_predictions(
    wrong,
    right=(tf.float64, "float32", tf.TensorShape([5, 4, 3]), [8, 24], ["same"]),
    halves={
        tf.float32: "is PyTorch's answer: TensorFlow divides int32 in float64.",
        "int32": "is that of `counts`: `/` divides without rounding, `//` would keep the type.",
        np.int64: "is not int64.",
    },
    products={
        "float64": "is NumPy's answer, and PyTorch's: TensorFlow converts an array to the type of "
        "the tensor that it meets.",
        "tf.int64": "is not int64.",
    },
    strides={
        (2, 6): "counts elements, as PyTorch does; NumPy counts bytes, four for a float32.",
        (16, 48): "counts eight bytes for each number: TensorFlow's zeros are float32.",
        (24, 8): "has the axes the wrong way round: which of them does `[::2]` walk along?",
        (4, 24): "is that of the transpose: `[::2]` takes every second row of it.",
        (24, 4): "is that of `tf.zeros((4, 6)).numpy()`, before `.T` and `[::2]`.",
        (48, 4): "forgets `.T`, which swaps the strides.",
        (16, 4): "would be that of a copy: `.T` and `[::2]` move no number in NumPy.",
        (3, 4): "is the shape.",
        (4, 48): "is not (4, 48): go axis by axis.",
    },
    changes={
        "same row": "has `row` in it, which is a tensor of its own: an index reads the variable, "
        "and what was read stays.",
        "same array": "has `array` in it, which is a copy: `.numpy()` of a variable shares nothing "
        "with it.",
        "same flat": f"has `flat` in it, {_READ}",
        "same turned": f"has `turned` in it, {_READ}",
        "": "lacks `same`, which is a second name for the same variable.",
    },
)


def _similarity(images, means, columns=True, blank=True, axis=1, late=False):
    def without_first(rows):
        return tf.concat([tf.zeros_like(rows[:, :1]), rows[:, 1:]], axis=1)

    images = tf.transpose(images, (0, 2, 1)) if columns else images
    rows = tf.reshape(images, (len(images), -1))
    rows = without_first(rows) if blank and not late else rows
    rows = rows - tf.reduce_mean(rows, axis=axis, keepdims=True)
    rows = without_first(rows) if blank and late else rows
    return tf.cast(rows, tf.float64) @ tf.transpose(means)


lesson_01.add_causes(
    wrong,
    right="EAB",
    others={
        "C": "each image has as many elements in one row as in its grid.",
        "D": "TensorFlow's tensors have no strides, and `tf.reshape` takes every tensor.",
        "F": "every axis that is named is there.",
    },
    similarity=_similarity,
)


def explains(message):
    """Register a wrong `similarity`, with the right causes beside it."""
    return wrong.brings("explain_error", message, "E", "A", "b")


@explains(
    "Your code raises `TypeError: 'tensorflow.python.framework.ops.EagerTensor' object does not "
    "support item assignment`."
)
def mends_nothing(images, means):
    rows = tf.reshape(tf.transpose(images, (0, 2, 1)), (len(images), -1))
    rows[:, 0] = 0
    return rows @ tf.transpose(means)


@explains("The result reads the images row by row; `means` counts down the columns.")
def gives_up_the_transpose(images, means):
    return _similarity(images, means, columns=False)


@explains("The result has the right shape and dtype, but wrong values.")
def transposes_all_three_axes(images, means):
    return _similarity(tf.reshape(tf.transpose(images), images.shape), means, columns=False)


@explains("The result subtracts the mean of each pixel over the images: take each image's own.")
def changes_the_axis_until_it_broadcasts(images, means):
    return _similarity(images, means, axis=0)


@explains("The result subtracts one mean of all the images: take each image's own.")
def drops_the_axis_until_it_broadcasts(images, means):
    return _similarity(images, means, axis=None)


@explains("The result subtracts no mean.")
def drops_the_line(images, means):
    rows = tf.reshape(tf.transpose(images, (0, 2, 1)), (len(images), -1))
    rows = tf.concat([tf.zeros((len(images), 1)), rows[:, 1:]], axis=1)
    return tf.cast(rows, tf.float64) @ tf.transpose(means)


@explains("The result still has the scanner's number in it: the first pixel is to be zero.")
def takes_the_assignment_out(images, means):
    return _similarity(images, means, blank=False)


@explains("The result still has the scanner's number in it: the first pixel is to be zero.")
def forgets_that_an_update_makes_a_new_tensor(images, means):
    rows = tf.reshape(tf.transpose(images, (0, 2, 1)), (len(images), -1))
    tf.tensor_scatter_nd_update(rows, [[i, 0] for i in range(len(rows))], tf.zeros(len(rows)))
    rows = rows - tf.reduce_mean(rows, axis=1, keepdims=True)
    return tf.cast(rows, tf.float64) @ tf.transpose(means)


@explains(
    "The result subtracts a mean with the scanner's number in it: set the pixel to zero first."
)
def sets_the_pixel_to_zero_last(images, means):
    return _similarity(images, means, late=True)


@explains(
    "The result has shape (3, 10), it must have (4, 10): a row for each image, a column for each "
    "mean."
)
def cuts_the_first_image_off_and_not_the_pixel(images, means):
    return _similarity(images, means)[1:]


@explains("The result has dtype float32: convert the images to float64, not the means.")
def converts_the_means(images, means):
    rows = tf.reshape(tf.transpose(images, (0, 2, 1)), (len(images), -1))
    rows = tf.concat([tf.zeros((len(images), 1)), rows[:, 1:]], axis=1)
    rows = rows - tf.reduce_mean(rows, axis=1, keepdims=True)
    return rows @ tf.cast(tf.transpose(means), tf.float32)


@explains(
    "The result agrees to about seven digits only: something was computed in float32 with `means` "
    "in it."
)
def converts_the_result(images, means):
    return tf.cast(converts_the_means(images, means), tf.float64)


@explains(
    "The result has shape (10, 4), it must have (4, 10): a row for each image, a column for each "
    "mean."
)
def turns_the_result(images, means):
    return tf.transpose(_similarity(images, means))


@explains("The result is a `ndarray`; it must be a tensor.")
def goes_by_way_of_numpy(images, means):
    return _similarity(images, means).numpy()


@explains("The result has the right shape and dtype, but wrong values.")
def leaves_the_first_pixel_out_of_the_mean(images, means):
    rows = tf.reshape(tf.transpose(images, (0, 2, 1)), (len(images), -1))
    rows = tf.concat([tf.zeros((len(images), 1)), rows[:, 1:]], axis=1)
    rows = rows - tf.reduce_mean(rows[:, 1:], axis=1, keepdims=True)
    return tf.cast(rows, tf.float64) @ tf.transpose(means)


wrong.add(
    "explain_error", "E", "A", "B", tf.zeros((5, 10)),
    message="`check` takes your function itself, not a result of it; this is a `EagerTensor`.",
)  # fmt: skip


def _evaluate(X, y, w, batches, target, keep, reduce=tf.reduce_mean):
    buffer = tf.Variable(tf.zeros(len(batches[0]), X.dtype))
    losses, predictions = [], []
    for batch in batches:
        buffer.assign(tf.linalg.matvec(tf.gather(X, batch), w))
        losses.append(reduce((buffer - target(tf.gather(y, batch))) ** 2))
        predictions.append(keep(buffer))
    return losses, predictions


def _column(y):
    return y[:, 0]


_ALL_PAIRS = (
    "`losses` holds means over all pairs of a prediction and a target: (6,) and (6, 1) give (6, 6)."
)
_ONE_MEMORY = (
    "`predictions` holds those of the last batch, four times: all its entries are one memory."
)


@wrong.brings("bug_hunt", _ALL_PAIRS)
def finds_only_the_buffer(X, y, w, batches):
    return _evaluate(X, y, w, batches, lambda y: y, tf.identity)


@wrong.brings("bug_hunt", _ALL_PAIRS)
def finds_neither_but_edits(X, y, w, batches):
    return _evaluate(X, y, w, batches, tf.identity, lambda buffer: buffer)


@wrong.brings("bug_hunt", _ALL_PAIRS)
def turns_the_predictions_over(X, y, w, batches):
    losses, predictions = [], []
    for batch in batches:
        y_hat = tf.linalg.matvec(tf.gather(X, batch), w)
        losses.append(tf.reduce_mean((y_hat[None] - tf.gather(y, batch)) ** 2))
        predictions.append(y_hat)
    return losses, predictions


@wrong.brings("bug_hunt", _ONE_MEMORY)
def finds_only_the_broadcast(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, lambda buffer: buffer)


@wrong.brings("bug_hunt", _ONE_MEMORY)
def assigns_to_another_name(X, y, w, batches):
    def keep(buffer):
        prediction = buffer
        return prediction  # noqa: RET504 - the mistake

    return _evaluate(X, y, w, batches, tf.squeeze, keep)


@wrong.brings("bug_hunt", _ONE_MEMORY)
def reads_the_buffer_after_the_loop(X, y, w, batches):
    losses, predictions = _evaluate(X, y, w, batches, _column, lambda buffer: buffer)
    return losses, [tf.identity(buffer) for buffer in predictions]


@wrong.brings("bug_hunt", "`losses` holds sums over the batch, not means.")
def sums(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, tf.identity, tf.reduce_sum)


@wrong.brings("bug_hunt", "`losses` holds sums over all pairs of a prediction and a target.")
def sums_all_pairs(X, y, w, batches):
    return _evaluate(X, y, w, batches, lambda y: y, tf.identity, tf.reduce_sum)


@wrong.brings("bug_hunt", "`losses` holds squares of the mean error, not means of the squares.")
def takes_both_means_first(X, y, w, batches):
    _, predictions = _evaluate(X, y, w, batches, _column, tf.identity)
    losses = [
        (tf.reduce_mean(y_hat) - tf.reduce_mean(tf.gather(y, batch))) ** 2
        for y_hat, batch in zip(predictions, batches, strict=True)
    ]
    return losses, predictions


@wrong.brings("bug_hunt", "`losses` holds roots: the mean squared error has none.")
def takes_roots(X, y, w, batches):
    losses, predictions = _evaluate(X, y, w, batches, _column, tf.identity)
    return [tf.sqrt(loss) for loss in losses], predictions


@wrong.brings("bug_hunt", "`losses` holds the loss of the last batch, four times.")
def writes_the_losses_into_one_variable(X, y, w, batches):
    loss = tf.Variable(tf.zeros((), X.dtype))
    losses, predictions = _evaluate(X, y, w, batches, _column, tf.identity)
    for each in losses:
        loss.assign(each)
    return [loss] * len(losses), predictions


@wrong.brings("bug_hunt", "`losses` has shape (), it must have (4,): one number for each batch.")
def averages_the_losses(X, y, w, batches):
    losses, predictions = _evaluate(X, y, w, batches, _column, tf.identity)
    return tf.reduce_mean(losses), predictions


@wrong.brings(
    "bug_hunt", "`losses` has shape (4, 6), it must have (4,): one number for each batch."
)
def averages_over_one_axis_of_the_table(X, y, w, batches):
    def reduce(squares):
        return tf.reduce_mean(squares, axis=1)

    return _evaluate(X, y, w, batches, lambda y: y, tf.identity, reduce)


@wrong.brings(
    "bug_hunt",
    "`predictions` has shape (4, 6, 1), it must have (4, 6): a row for each batch, one number for "
    "each example.",
)
def makes_the_predictions_columns(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, lambda buffer: buffer[:, None])


@wrong.brings("bug_hunt", "`predictions` holds errors: the targets have been subtracted in place.")
def subtracts_in_place(X, y, w, batches):
    losses, predictions = _evaluate(X, y, w, batches, _column, tf.Variable)
    for y_hat, batch in zip(predictions, batches, strict=True):
        y_hat.assign_sub(tf.gather(y, batch)[:, 0])
    return losses, predictions


@wrong.brings("bug_hunt", "The function must return `losses, predictions`; it returns a `list`.")
def returns_the_losses_alone(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, tf.identity)[0]


def _pick(scores, labels):
    return tf.gather(scores, labels, axis=1, batch_dims=1)


def _pairs(scores, labels):
    return tf.stack([labels, tf.argmax(scores, axis=1)], axis=1)


def _ones(confusion, labels):
    return tf.ones(len(labels), confusion.dtype)


_UNCHANGED = (
    "`confusion` is as it was: change the variable itself, with `assign`, `assign_add` or a method "
    "that begins with `scatter`. `tf.tensor_scatter_nd_add` makes a new tensor, and `confusion = "
    "...` only moves the name."
)


@wrong.brings("translation", _UNCHANGED)
def makes_a_new_tensor(confusion, scores, labels):
    tf.tensor_scatter_nd_add(confusion, _pairs(scores, labels), _ones(confusion, labels))
    return _pick(scores, labels)


@wrong.brings("translation", _UNCHANGED)
def moves_the_name(confusion, scores, labels):
    confusion = tf.tensor_scatter_nd_add(
        confusion, _pairs(scores, labels), _ones(confusion, labels)
    )
    return _pick(scores, labels)


@wrong.brings("translation", _UNCHANGED)
def writes_into_a_copy(confusion, scores, labels):
    np.add.at(confusion.numpy(), tuple(_pairs(scores, labels).numpy().T), 1)
    return _pick(scores, labels)


@wrong.brings(
    "translation",
    "`confusion` counts a pair once in a batch, however often it comes: `scatter_nd_add` adds up "
    "what comes more than once, `scatter_nd_update` does not.",
)
def gathers_adds_and_updates(confusion, scores, labels):
    pairs = _pairs(scores, labels)
    confusion.scatter_nd_update(pairs, tf.gather_nd(confusion, pairs) + 1)
    return _pick(scores, labels)


@wrong.brings("translation", "`confusion` is overwritten where it should be added to.")
def updates_with_ones(confusion, scores, labels):
    confusion.scatter_nd_update(_pairs(scores, labels), _ones(confusion, labels))
    return _pick(scores, labels)


@wrong.brings(
    "translation",
    "`confusion` holds the counts of this batch alone: add them to those before.",
)
def assigns_the_new_counts(confusion, scores, labels):
    guesses = tf.argmax(scores, axis=1)
    confusion.assign(tf.math.confusion_matrix(labels, guesses, 4, dtype=confusion.dtype))
    return _pick(scores, labels)


@wrong.brings(
    "translation", "`confusion` holds the old counts twice: they are in what you add, too."
)
def adds_the_sum(confusion, scores, labels):
    pairs = _pairs(scores, labels)
    confusion.assign_add(tf.tensor_scatter_nd_add(confusion, pairs, _ones(confusion, labels)))
    return _pick(scores, labels)


@wrong.brings(
    "translation",
    "`confusion` has rows and columns swapped: a row is a label, a column a guess.",
)
def swaps_rows_and_columns(confusion, scores, labels):
    confusion.scatter_nd_add(_pairs(scores, labels)[:, ::-1], _ones(confusion, labels))
    return _pick(scores, labels)


@wrong.brings("translation", "`confusion` counts every guess as right: the column is the guess.")
def counts_the_labels(confusion, scores, labels):
    confusion.scatter_nd_add(tf.stack([labels, labels], axis=1), _ones(confusion, labels))
    return _pick(scores, labels)


@wrong.brings("translation", "`confusion` has the right shape and dtype, but wrong values.")
def guesses_along_the_wrong_axis(confusion, scores, labels):
    guesses = tf.gather(tf.argmax(scores, axis=0) % 4, labels)
    confusion.scatter_nd_add(tf.stack([labels, guesses], axis=1), _ones(confusion, labels))
    return _pick(scores, labels)


def _right_counts(confusion, scores, labels):
    confusion.scatter_nd_add(_pairs(scores, labels), _ones(confusion, labels))


@wrong.brings(
    "translation",
    "The result has shape (40, 40), it must have (40,): the label of each example picks in its own "
    "row only, not in every row.",
)
def picks_in_every_row(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return tf.gather(scores, labels, axis=1)


@wrong.brings(
    "translation",
    "The result has shape (40, 1), it must have (40,): one score for each example.",
)
def keeps_the_axis_of_gather(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return tf.gather(scores, labels[:, None], axis=1, batch_dims=1)


@wrong.brings(
    "translation",
    "The result has shape (40, 4), it must have (40,): one score for each example.",
)
def picks_whole_rows(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return tf.gather(scores, labels)


@wrong.brings(
    "translation",
    "The result goes down the first column: the label chooses the column, not the row.",
)
def gathers_along_the_wrong_axis(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return tf.gather(scores, labels)[:, 0]


@wrong.brings(
    "translation", "The result is the best score of each example: take that of its label."
)
def returns_the_best_scores(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return tf.reduce_max(scores, axis=1)


@wrong.brings("translation", "The result has dtype int64, it must have float64.")
def returns_the_guesses(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return tf.argmax(scores, axis=1)


@wrong.brings("translation", "The result is a `NoneType`; it must be an array of shape (40,).")
def returns_nothing(confusion, scores, labels):
    _right_counts(confusion, scores, labels)


@wrong.brings("translation", "The result is a `ndarray`; it must be a tensor.")
def picks_in_numpy(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return scores.numpy()[np.arange(len(labels)), labels.numpy()]


def _windows(images, weights, stride):
    rows, columns, height, width = weights.shape[:4]
    sizes, strides = [1, height, width, 1], [1, stride, stride, 1]
    patches = tf.image.extract_patches(images, sizes, strides, [1, 1, 1, 1], "VALID")
    patches = patches[:, :rows, :columns]
    return tf.reshape(patches, (-1, rows, columns, height, width, images.shape[3]))


def _einsum(windows, weights):
    return tf.einsum("nijhwc,ijhwco->nijo", windows, weights)


@wrong.brings(
    "locally_connected",
    "The result takes windows that lie one pixel apart: they start every `stride` pixels.",
)
def forgets_the_stride(images, weights, stride):
    return _einsum(_windows(images, weights, 1), weights)


@wrong.brings(
    "locally_connected",
    "With a stride of 3 the result takes windows two pixels apart, whatever `stride` is.",
)
def writes_the_stride_of_the_example(images, weights, stride):
    return _einsum(_windows(images, weights, 2), weights)


@wrong.brings(
    "locally_connected",
    "The result unfolds each patch with the channels first: `extract_patches` lists them last.",
)
def unfolds_the_channels_first(images, weights, stride):
    n, rows, columns, height, width, channels = (windows := _windows(images, weights, stride)).shape
    windows = tf.reshape(windows, (n, rows, columns, channels, height, width))
    return tf.einsum("nijchw,ijhwco->nijo", windows, weights)


@wrong.brings("locally_connected", "The result unfolds each patch with height and width swapped.")
def swaps_height_and_width(images, weights, stride):
    n, rows, columns, height, width, channels = (windows := _windows(images, weights, stride)).shape
    windows = tf.reshape(windows, (n, rows, columns, width, height, channels))
    return tf.einsum("nijwhc,ijhwco->nijo", windows, weights)


@wrong.brings(
    "locally_connected",
    "The result uses the kernel of the first place everywhere: that is a convolution.",
)
def convolves(images, weights, stride):
    return tf.nn.conv2d(images, weights[0, 0], stride, "VALID")


@wrong.brings("locally_connected", "The result has the kernels turned by 180 degrees.")
def turns_the_kernels(images, weights, stride):
    return _einsum(_windows(images, weights, stride), weights[:, :, ::-1, ::-1])


@wrong.brings(
    "locally_connected",
    "The result is the mean over each window and the channels, not the sum.",
)
def takes_the_mean(images, weights, stride):
    return _einsum(_windows(images, weights, stride), weights) / 12


@wrong.brings(
    "locally_connected",
    "The result has shape (3, 5, 3, 4), it must have (3, 3, 4, 5): (n, rows, columns, outputs).",
)
def puts_the_outputs_first(images, weights, stride):
    return tf.einsum("nijhwc,ijhwco->noij", _windows(images, weights, stride), weights)


@wrong.brings(
    "locally_connected",
    "The result has shape (3, 3, 4, 2, 5), it must have (3, 3, 4, 5): (n, rows, columns, outputs).",
)
def does_not_sum_the_channels(images, weights, stride):
    return tf.einsum("nijhwc,ijhwco->nijco", _windows(images, weights, stride), weights)


@wrong.brings("locally_connected", "The result has the right shape and dtype, but wrong values.")
def sums_the_channels_of_each_first(images, weights, stride):
    windows = tf.reduce_sum(_windows(images, weights, stride), axis=5)
    return tf.einsum("nijhw,ijhwo->nijo", windows, tf.reduce_sum(weights, axis=4))


@wrong.brings("locally_connected", "The result has dtype float32, it must have float64.")
def computes_in_float32(images, weights, stride):
    images, weights = tf.cast(images, tf.float32), tf.cast(weights, tf.float32)
    return _einsum(_windows(images, weights, stride), weights)


@wrong.brings("locally_connected", "The result is a `ndarray`; it must be a tensor.")
def returns_an_array(images, weights, stride):
    return _einsum(_windows(images, weights, stride), weights).numpy()
