"""Wrong answers to the exercise of lesson 01 in PyTorch."""
# ruff: noqa: N803 - the exercise names a matrix X

import numpy as np
import torch
import torch.nn.functional as F

from wrong_answers import WrongAnswers, lesson_01

wrong = WrongAnswers()

lesson_01.add_predictions(
    wrong,
    right=(
        torch.float32,
        "float64",
        torch.Size([5, 4, 3]),
        [2, 6],
        ["same", "row", "array", "flat"],
    ),
    halves={
        torch.float64: "is TensorFlow's answer: PyTorch divides whole numbers in its default "
        "float.",
        "int64": "is that of `counts`: `/` divides without rounding, `//` would keep the type.",
        np.int32: "is not int32.",
    },
    products={
        "float32": "is TensorFlow's answer: PyTorch promotes to the type that holds both.",
        "torch.int64": "is not int64.",
    },
    strides={
        (8, 24): "is in bytes, as NumPy counts; PyTorch counts elements.",
        (6, 2): "has the axes the wrong way round: which of them does `[::2]` walk along?",
        (1, 6): "is that of the transpose: `[::2]` takes every second row of it.",
        (6, 1): "is that of `torch.zeros(4, 6)`, before `.T` and `[::2]`.",
        (12, 1): "forgets `.T`, which swaps the strides.",
        (4, 1): "would be that of a copy: `.T` and `[::2]` move no number.",
        (3, 4): "is the shape.",
        (1, 12): "is not (1, 12): go axis by axis.",
    },
    changes={
        "same": "lacks `row`, which is a view: an index of whole numbers only moves the start.",
        "same row array flat turned": "has `turned` in it, which is a copy: no strides walk "
        "through the transpose in one row.",
        "row array flat": "lacks `same`, which is a second name for the same tensor.",
        "same row flat": "lacks `array`, which is the same memory: `.numpy()` copies nothing.",
        "same row array": "lacks `flat`, which is a view: `reshape` copies only where no strides "
        "fit.",
        "": "lacks `same`, which is a second name for the same tensor.",
    },
)


def _similarity(images, means, columns=True, blank=True, dim=1, late=False):
    rows = (images.transpose(1, 2) if columns else images).reshape(len(images), -1).clone()
    if blank and not late:
        rows[:, 0] = 0
    rows = rows - (rows.mean() if dim is None else rows.mean(dim=dim, keepdim=True))
    if blank and late:
        rows[:, 0] = 0
    return rows.double() @ means.T


lesson_01.add_causes(
    wrong,
    right="DAB",
    others={
        "C": "each image has as many elements in one row as in its grid.",
        "E": "PyTorch's tensors may be changed, and the line that raises it assigns to no part.",
        "F": "every axis that is named is there.",
    },
    similarity=_similarity,
)


def explains(message):
    """Register a wrong `similarity`, with the right causes beside it."""
    return wrong.brings("explain_error", message, "D", "A", "b")


@explains(
    "Your code raises `RuntimeError: view size is not compatible with input tensor's size and "
    "stride (at least one dimension spans across two contiguous subspaces). Use "
    ".reshape(...) instead.`."
)
def mends_nothing(images, means):
    rows = images.transpose(1, 2).view(len(images), -1)
    rows[:, 0] = 0
    return rows @ means.T


@explains("Your function changes `images` in place: work on a copy of it.")
def gives_up_the_transpose_and_writes_through_the_view(images, means):
    rows = images.view(len(images), -1)
    rows[:, 0] = 0
    rows = rows - rows.mean(dim=1, keepdim=True)
    return rows.double() @ means.T


@explains("The result reads the images row by row; `means` counts down the columns.")
def gives_up_the_transpose(images, means):
    return _similarity(images, means, columns=False)


@explains("The result reads the images row by row; `means` counts down the columns.")
def makes_the_images_contiguous_too_early(images, means):
    return _similarity(images.contiguous(), means, columns=False)


@explains("The result subtracts the mean of each pixel over the images: take each image's own.")
def changes_the_axis_until_it_broadcasts(images, means):
    return _similarity(images, means, dim=0)


@explains("The result subtracts one mean of all the images: take each image's own.")
def drops_the_axis_until_it_broadcasts(images, means):
    return _similarity(images, means, dim=None)


@explains("The result subtracts no mean.")
def drops_the_line(images, means):
    rows = images.mT.flatten(1)
    rows[:, 0] = 0
    return rows.double() @ means.T


@explains("The result still has the scanner's number in it: the first pixel is to be zero.")
def leaves_the_first_pixel(images, means):
    return _similarity(images, means, blank=False)


@explains(
    "The result subtracts a mean with the scanner's number in it: set the pixel to zero first."
)
def sets_the_pixel_to_zero_last(images, means):
    return _similarity(images, means, late=True)


@explains("The result has dtype float32: convert the images to float64, not the means.")
def converts_the_means(images, means):
    rows = images.transpose(1, 2).reshape(len(images), -1)
    rows[:, 0] = 0
    return (rows - rows.mean(dim=1, keepdim=True)) @ means.T.float()


@explains(
    "The result agrees to about seven digits only: something was computed in float32 with `means` "
    "in it."
)
def converts_the_result(images, means):
    return converts_the_means(images, means).double()


@explains(
    "The result has shape (10, 4), it must have (4, 10): a row for each image, a column for each "
    "mean."
)
def turns_the_result(images, means):
    return _similarity(images, means).T


@explains("The result is a `ndarray`; it must be a tensor.")
def goes_by_way_of_numpy(images, means):
    return _similarity(images, means).numpy()


@explains("The result has the right shape and dtype, but wrong values.")
def leaves_the_first_pixel_out_of_the_mean(images, means):
    rows = images.transpose(1, 2).reshape(len(images), -1)
    rows[:, 0] = 0
    return (rows - rows[:, 1:].mean(dim=1, keepdim=True)).double() @ means.T


wrong.add(
    "explain_error", "D", "A", "B", torch.zeros(5, 10),
    message="`check` takes your function itself, not a result of it; this is a `Tensor`.",
)  # fmt: skip


def _evaluate(X, y, w, batches, target, keep, reduce=torch.mean):
    buffer = torch.empty(len(batches[0]), dtype=X.dtype)
    losses, predictions = [], []
    for batch in batches:
        torch.mv(X[batch], w, out=buffer)
        losses.append(reduce((buffer - target(y[batch])) ** 2))
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
    return _evaluate(X, y, w, batches, lambda y: y, torch.clone)


@wrong.brings("bug_hunt", _ALL_PAIRS)
def finds_neither_but_edits(X, y, w, batches):
    return _evaluate(X, y, w, batches, torch.clone, torch.detach)


@wrong.brings("bug_hunt", _ONE_MEMORY)
def finds_only_the_broadcast(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, lambda buffer: buffer)


@wrong.brings("bug_hunt", _ONE_MEMORY)
def hands_out_a_view(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, lambda buffer: buffer[:])


@wrong.brings("bug_hunt", _ONE_MEMORY)
def hands_out_the_memory_as_an_array(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, lambda buffer: buffer.numpy())


@wrong.brings("bug_hunt", _ONE_MEMORY)
def copies_only_what_is_not_contiguous(X, y, w, batches):
    return _evaluate(X, y, w, batches, torch.squeeze, torch.Tensor.contiguous)


@wrong.brings("bug_hunt", "`losses` holds sums over the batch, not means.")
def sums(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, torch.clone, torch.sum)


@wrong.brings("bug_hunt", "`losses` holds sums over all pairs of a prediction and a target.")
def sums_all_pairs(X, y, w, batches):
    return _evaluate(X, y, w, batches, lambda y: y, torch.clone, torch.sum)


@wrong.brings("bug_hunt", "`losses` holds squares of the mean error, not means of the squares.")
def takes_both_means_first(X, y, w, batches):
    predictions = [X[batch] @ w for batch in batches]
    losses = [
        (y_hat.mean() - y[batch].mean()) ** 2
        for y_hat, batch in zip(predictions, batches, strict=True)
    ]
    return losses, predictions


@wrong.brings("bug_hunt", "`losses` holds roots: the mean squared error has none.")
def takes_roots(X, y, w, batches):
    losses, predictions = _evaluate(X, y, w, batches, _column, torch.clone)
    return [loss.sqrt() for loss in losses], predictions


@wrong.brings("bug_hunt", "`losses` holds the loss of the last batch, four times.")
def writes_the_losses_into_one_tensor(X, y, w, batches):
    loss = torch.zeros((), dtype=X.dtype)
    losses, predictions = _evaluate(X, y, w, batches, _column, torch.clone)
    return [loss.copy_(each) for each in losses], predictions


@wrong.brings("bug_hunt", "`losses` has shape (), it must have (4,): one number for each batch.")
def averages_the_losses(X, y, w, batches):
    losses, predictions = _evaluate(X, y, w, batches, _column, torch.clone)
    return torch.stack(losses).mean(), predictions


@wrong.brings(
    "bug_hunt", "`losses` has shape (4, 6, 6), it must have (4,): one number for each batch."
)
def does_not_reduce(X, y, w, batches):
    return _evaluate(X, y, w, batches, lambda y: y, torch.clone, lambda squares: squares)


@wrong.brings(
    "bug_hunt",
    "`predictions` has shape (4, 6, 1), it must have (4, 6): a row for each batch, one number for "
    "each example.",
)
def makes_the_predictions_columns(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, lambda buffer: buffer[:, None].clone())


@wrong.brings("bug_hunt", "`predictions` holds errors: the targets have been subtracted in place.")
def subtracts_in_place(X, y, w, batches):
    losses, predictions = [], []
    for batch in batches:
        y_hat = X[batch] @ w
        predictions.append(y_hat)
        losses.append((y_hat.sub_(y[batch, 0]) ** 2).mean())
    return losses, predictions


@wrong.brings("bug_hunt", "Your function changes `y` in place: work on a copy of it.")
def flattens_the_targets_in_place(X, y, w, batches):
    return _evaluate(X, y.squeeze_(), w, batches, lambda y: y, torch.clone)


@wrong.brings("bug_hunt", "The function must return `losses, predictions`; it returns a `list`.")
def returns_the_losses_alone(X, y, w, batches):
    return _evaluate(X, y, w, batches, _column, torch.clone)[0]


def _pick(scores, labels):
    return scores.gather(1, labels[:, None])[:, 0]


def _table(rows, columns, like):
    table = torch.zeros_like(like)
    return table.index_put_((rows, columns), torch.ones(len(rows)).to(like), accumulate=True)


@wrong.brings(
    "translation",
    "`confusion` counts a pair once in a batch, however often it comes: "
    "`confusion[labels, guesses] += 1` reads every count before it writes any.",
)
def adds_by_index(confusion, scores, labels):
    confusion[labels, scores.argmax(dim=1)] += 1
    return _pick(scores, labels)


@wrong.brings(
    "translation",
    "`confusion` is as it was: change the tensor itself, with `[...] =`, `+=` or a method that "
    "ends in `_`. `confusion = ...` only moves the name.",
)
def makes_a_new_tensor(confusion, scores, labels):
    confusion = confusion + _table(labels, scores.argmax(dim=1), confusion)
    return _pick(scores, labels)


@wrong.brings(
    "translation",
    "`confusion` is as it was: change the tensor itself, with `[...] =`, `+=` or a method that "
    "ends in `_`. `confusion = ...` only moves the name.",
)
def forgets_the_underscore(confusion, scores, labels):
    one = torch.ones(len(labels), dtype=confusion.dtype)
    confusion.index_put((labels, scores.argmax(dim=1)), one, accumulate=True)
    return _pick(scores, labels)


@wrong.brings("translation", "`confusion` is overwritten where it should be added to.")
def forgets_to_accumulate(confusion, scores, labels):
    one = torch.ones(len(labels), dtype=confusion.dtype)
    confusion.index_put_((labels, scores.argmax(dim=1)), one)
    return _pick(scores, labels)


@wrong.brings(
    "translation",
    "`confusion` holds the counts of this batch alone: add them to those before.",
)
def copies_the_new_counts(confusion, scores, labels):
    confusion.copy_(_table(labels, scores.argmax(dim=1), confusion))
    return _pick(scores, labels)


@wrong.brings(
    "translation", "`confusion` holds the old counts twice: they are in what you add, too."
)
def adds_the_sum(confusion, scores, labels):
    confusion += confusion + _table(labels, scores.argmax(dim=1), confusion)
    return _pick(scores, labels)


@wrong.brings(
    "translation",
    "`confusion` has rows and columns swapped: a row is a label, a column a guess.",
)
def swaps_rows_and_columns(confusion, scores, labels):
    confusion += _table(scores.argmax(dim=1), labels, confusion)
    return _pick(scores, labels)


@wrong.brings("translation", "`confusion` counts every guess as right: the column is the guess.")
def counts_the_labels(confusion, scores, labels):
    confusion += _table(labels, labels, confusion)
    return _pick(scores, labels)


def _right_counts(confusion, scores, labels):
    confusion += _table(labels, scores.argmax(dim=1), confusion)


@wrong.brings(
    "translation",
    "The result has shape (40, 40), it must have (40,): the label of each example picks in its own "
    "row only, not in every row.",
)
def picks_in_every_row(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return scores[:, labels]


@wrong.brings(
    "translation",
    "The result has shape (40, 1), it must have (40,): one score for each example.",
)
def keeps_the_axis_of_gather(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return scores.gather(1, labels[:, None])


@wrong.brings(
    "translation",
    "The result has shape (40, 4), it must have (40,): one score for each example.",
)
def picks_whole_rows(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return scores[labels]


@wrong.brings(
    "translation",
    "The result goes down the first column: the label chooses the column, not the row.",
)
def gathers_along_the_wrong_axis(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return scores.gather(0, labels[:, None])[:, 0]


@wrong.brings(
    "translation", "The result is the best score of each example: take that of its label."
)
def returns_the_best_scores(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return scores.max(dim=1).values


@wrong.brings("translation", "The result has dtype int64, it must have float64.")
def returns_the_guesses(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return scores.argmax(dim=1)


@wrong.brings("translation", "The result is a `NoneType`; it must be an array of shape (40,).")
def returns_nothing(confusion, scores, labels):
    _right_counts(confusion, scores, labels)


@wrong.brings("translation", "The result is a `ndarray`; it must be a tensor.")
def picks_in_numpy(confusion, scores, labels):
    _right_counts(confusion, scores, labels)
    return scores.numpy()[np.arange(len(labels)), labels.numpy()]


def _windows(images, weights, stride, strides=None, apart=None):
    rows, columns, _, _, height, width = weights.shape
    n, channels, down, across = strides or images.stride()
    apart = apart or stride
    return images.as_strided(
        (*images.shape[:2], rows, columns, height, width),
        (n, channels, apart * down, apart * across, down, across),
    )


def _einsum(windows, weights):
    return torch.einsum("ncijhw,ijochw->noij", windows, weights)


@wrong.brings(
    "locally_connected",
    "The result takes windows that lie one pixel apart: they start every `stride` pixels.",
)
def forgets_the_stride(images, weights, stride):
    return _einsum(_windows(images, weights, stride, apart=1), weights)


@wrong.brings(
    "locally_connected",
    "With a stride of 3 the result takes windows two pixels apart, whatever `stride` is.",
)
def writes_the_stride_of_the_example(images, weights, stride):
    return _einsum(_windows(images, weights, stride, apart=2), weights)


@wrong.brings(
    "locally_connected",
    "The result reads the pixels as if they lay in memory in the order of the axes: take the "
    "strides from `images.stride()`.",
)
def computes_the_strides_from_the_shape(images, weights, stride):
    _, channels, height, width = images.shape
    strides = (channels * height * width, height * width, width, 1)
    return _einsum(_windows(images, weights, stride, strides), weights)


@wrong.brings(
    "locally_connected",
    "The result uses the kernel of the first place everywhere: that is a convolution.",
)
def convolves(images, weights, stride):
    return F.conv2d(images, weights[0, 0], stride=stride)


@wrong.brings("locally_connected", "The result has the kernels turned by 180 degrees.")
def turns_the_kernels(images, weights, stride):
    return _einsum(_windows(images, weights, stride), weights.flip(4, 5))


@wrong.brings(
    "locally_connected",
    "The result is the mean over each window and the channels, not the sum.",
)
def takes_the_mean(images, weights, stride):
    return _einsum(_windows(images, weights, stride), weights) / weights[0, 0, 0].numel()


@wrong.brings(
    "locally_connected",
    "The result has shape (3, 3, 4, 5), it must have (3, 5, 3, 4): (n, outputs, rows, columns).",
)
def puts_the_outputs_last(images, weights, stride):
    windows = _windows(images, weights, stride)
    return torch.einsum("ncijhw,ijochw->nijo", windows, weights)


@wrong.brings(
    "locally_connected",
    "The result has shape (3, 5, 2, 3, 4), it must have (3, 5, 3, 4): (n, outputs, rows, columns).",
)
def does_not_sum_the_channels(images, weights, stride):
    windows = _windows(images, weights, stride)
    return torch.einsum("ncijhw,ijochw->nocij", windows, weights)


@wrong.brings("locally_connected", "The result has the right shape and dtype, but wrong values.")
def sums_the_channels_of_each_first(images, weights, stride):
    windows = _windows(images, weights, stride)
    return torch.einsum("nijhw,ijohw->noij", windows.sum(dim=1), weights.sum(dim=3))


@wrong.brings("locally_connected", "The result has dtype float32, it must have float64.")
def computes_in_float32(images, weights, stride):
    return _einsum(_windows(images.float(), weights, stride), weights.float())


@wrong.brings("locally_connected", "The result is a `ndarray`; it must be a tensor.")
def returns_an_array(images, weights, stride):
    return _einsum(_windows(images, weights, stride), weights).numpy()


@wrong.brings(
    "locally_connected", "Your function changes `weights` in place: work on a copy of it."
)
def flattens_the_weights_in_place(images, weights, stride):
    windows = _windows(images, weights, stride)
    return torch.einsum("ncijhw,ijochw->noij", windows, weights.mul_(1.5)) / 1.5
