"""Lesson 01, tensors: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

predict = Mistakes("predict")
for name, answer, says in (
    ("half_dtype", "float", "must be the name of a type, such as \"int32\"; it is 'float'"),
    ("half_dtype", "float16", "`half_dtype` is not float16."),
    ("difference_shape", (5, 4, 4), "is not (5, 4, 4): go axis by axis."),
    ("view_strides", (1, 12), "is not (1, 12): go axis by axis."),
    ("changed", "same", 'such as {"row", "flat"}, out of the five; it is \'same\'.'),
    ("changed", ["same", "view"], "out of the five; it is ['same', 'view']."),
):
    predict.brings(says, both={name: answer})
predict.right(
    pytorch=(
        'half_dtype = "float32"', "half_dtype = torch.float32",
        "(5, 4, 3)", "torch.Size([5, 4, 3])", "(2, 6)", "[2, 6]",
    ),
    tensorflow=(
        'half_dtype = "float64"', "half_dtype = np.float64",
        "(5, 4, 3)", "tf.TensorShape([5, 4, 3])", '{"same"}', '["same"]',
    ),
)  # fmt: skip


explain_error = Mistakes("explain_error")
BLANK = (
    "    rows[:, 0] = 0\n",
    "    rows = tf.concat([tf.zeros((len(images), 1)), rows[:, 1:]], axis=1)\n",
)
CENTRE = (
    "rows = rows - rows.mean(dim=1, keepdim=True)\n",
    "rows = rows - tf.reduce_mean(rows, axis=1, keepdims=True)\n",
)
COLUMNS = "images.transpose(1, 2)", "tf.transpose(images, (0, 2, 1))"
PRODUCT = "rows.double() @ means.T", "tf.cast(rows, tf.float64) @ tf.transpose(means)"

columns, centre, multiply = (explain_error.replacing(*old) for old in (COLUMNS, CENTRE, PRODUCT))
explain_error.brings(
    "Use .reshape(...) instead.` in line 8 of its cell, `rows = images.transpose(1, 2).view(",
    pytorch=(".reshape(", ".view("),
)
explain_error.brings(
    "object does not support item assignment` in line 9 of its cell, `rows[:, 0] = 0`",
    tensorflow=(BLANK[1], "    rows[:, 0] = 0\n"),
)
explain_error.brings(
    "Your function changes `images` in place", pytorch=(COLUMNS[0] + ".reshape", "images.view")
)
columns("reads the images row by row", "images.clone()", "images")
centre(
    "subtracts the mean of each pixel over the images",
    CENTRE[0].replace("=1", "=0"),
    CENTRE[1].replace("=1", "=0"),
)
centre(
    "subtracts one mean of all the images",
    "rows = rows - rows.mean()\n",
    "rows = rows - tf.reduce_mean(rows)\n",
)
centre("subtracts no mean.", "pass\n", "pass\n")
blank = explain_error.replacing(*BLANK)
blank("still has the scanner's number in it: the first", "", "")
explain_error.brings(
    "still has the scanner's number in it: the first",
    tensorflow=(
        BLANK[1], "    places = [[i, 0] for i in range(len(rows))]\n"
        "    tf.tensor_scatter_nd_update(rows, places, tf.zeros(len(rows)))\n",
    ),
)  # fmt: skip
explain_error.brings(
    "subtracts a mean with the scanner's number in it",
    pytorch=(BLANK[0], "", "return", "rows[:, 0] = 0\n    return"),
    tensorflow=(BLANK[1], "", "return", BLANK[1].lstrip() + "    return"),
)
multiply(
    "has dtype float32: convert the images to float64, not the means.",
    "rows @ means.T.float()",
    "rows @ tf.cast(tf.transpose(means), tf.float32)",
)
multiply(
    "agrees to a few digits only: something was computed in float32",
    "(rows @ means.T.float()).double()",
    "tf.cast(rows @ tf.cast(tf.transpose(means), tf.float32), tf.float64)",
)
multiply(
    "has shape (10, 4), it must have (4, 10): a row for each image, a column for each mean.",
    "means @ rows.double().T",
    "means @ tf.transpose(tf.cast(rows, tf.float64))",
)
multiply(
    "is a `ndarray`; it must be a tensor.", f"({PRODUCT[0]}).numpy()", f"({PRODUCT[1]}).numpy()"
)
centre(
    "has the right shape and dtype, but wrong values.",
    CENTRE[0].replace("rows.mean", "rows[:, 1:].mean"),
    CENTRE[1].replace("(rows", "(rows[:, 1:]"),
)
explain_error.brings("`check` takes your function itself", both={"similarity": 3.5})
explain_error.right(
    pytorch="""
        rows = images.mT.flatten(1).double()
        rows[:, 0] = 0
        rows -= rows.mean(1, keepdim=True)
        return torch.einsum("np,cp->nc", rows, means)
        """,
    tensorflow="""
        rows = tf.reshape(tf.einsum("nhw->nwh", tf.cast(images, means.dtype)), (len(images), -1))
        rows *= tf.one_hot(0, rows.shape[1], 0.0, 1.0, dtype=rows.dtype)
        return tf.matmul(rows - tf.reduce_mean(rows, 1)[:, None], means, transpose_b=True)
        """,
)
explain_error.right(
    pytorch=("rows[:, 0] = 0", "rows = torch.cat([torch.zeros(len(rows), 1), rows[:, 1:]], 1)"),
    tensorflow=("tf.zeros((len(images), 1)), rows[:, 1:]", "0 * rows[:, :1], rows[:, 1:]"),
)


bug_hunt = Mistakes("bug_hunt")
Y_HAT = "torch.mv(X[batch], w)", "tf.linalg.matvec(tf.gather(X, batch), w)"
LOSS = (
    "((y_hat - y[batch][:, 0]) ** 2).mean()",
    "tf.reduce_mean((y_hat - tf.gather(y, batch)[:, 0]) ** 2)",
)
ALL_PAIRS = (
    "((y_hat - y[batch]) ** 2).mean()",
    "tf.reduce_mean((y_hat - tf.gather(y, batch)) ** 2)",
)
RETURN = "return losses, predictions"
LOOP = "losses, predictions = [], []\n"
KEPT = ", four times: all its entries are one memory."


loss = bug_hunt.replacing(*LOSS)
append = bug_hunt.replacing("append(y_hat)", "append(y_hat)")


# The bug of one buffer for all batches.
BUFFER = (
    (
        LOOP, LOOP + "    buffer = torch.empty(len(batches[0]), dtype=X.dtype)\n",
        f"y_hat = {Y_HAT[0]}", "y_hat = torch.mv(X[batch], w, out=buffer)",
    ),
    (
        LOOP, LOOP + "    buffer = tf.Variable(tf.zeros(len(batches[0]), X.dtype))\n",
        f"y_hat = {Y_HAT[1]}", f"y_hat = buffer.assign({Y_HAT[1]})",
    ),
)  # fmt: skip
loss("means over all pairs of a prediction and a target", *ALL_PAIRS)
bug_hunt.brings(
    "means over all pairs of a prediction and a target",
    tensorflow=("(y_hat -", "(y_hat[None] -", "[:, 0]", ""),
)
for kept in (("buffer", "buffer"), ("buffer[:]", "y_hat")):
    pytorch, tensorflow = (
        (*buffer, "append(y_hat)", f"append({each})")
        for buffer, each in zip(BUFFER, kept, strict=True)
    )
    bug_hunt.brings(KEPT, pytorch=pytorch, tensorflow=tensorflow)
late = "return losses, [tf.identity(each) for each in predictions]"
bug_hunt.brings(KEPT, tensorflow=(*BUFFER[1], RETURN, late))
loss(
    "holds sums over the batch, not means.",
    LOSS[0].replace("mean", "sum"),
    LOSS[1].replace("mean", "sum"),
)
loss(
    "holds sums over all pairs",
    ALL_PAIRS[0].replace("mean", "sum"),
    ALL_PAIRS[1].replace("mean", "sum"),
)
loss(
    "holds squares of the mean error",
    "(y_hat.mean() - y[batch].mean()) ** 2",
    "(tf.reduce_mean(y_hat) - tf.reduce_mean(tf.gather(y, batch))) ** 2",
)
loss("holds roots", f"{LOSS[0]}.sqrt()", f"tf.sqrt({LOSS[1]})")
loss(
    "holds means of the errors without their signs",
    "(y_hat - y[batch][:, 0]).abs().mean()",
    "tf.reduce_mean(tf.abs(y_hat - tf.gather(y, batch)[:, 0]))",
)
for says, instead in (
    ("holds the loss of the last batch, four times.", "[losses[-1]] * 4, predictions"),
    ("`losses` has shape (), it must have (4,): one number", "sum(losses) / 4, predictions"),
    ("`evaluate` must return (losses, predictions); it returns 4 things.", "losses"),
):
    bug_hunt.brings(says, both=(RETURN, f"return {instead}"))
bug_hunt.brings(
    "`losses` has shape (4, 6), it must have (4,): one number",
    pytorch=(".mean())", ")"), tensorflow=("tf.reduce_mean(", "("),
)  # fmt: skip
bug_hunt.brings(
    "`predictions` has shape (4, 6, 1), it must have (4, 6): a row for each batch, one number",
    both=("predictions.append(y_hat)", "predictions.append(y_hat[:, None])"),
)
append(
    "holds errors: the targets have been subtracted in place.",
    "append(y_hat.sub_(y[batch, 0]))",
    "append(y_hat - tf.gather(y, batch)[:, 0])",
)
append(
    "holds the targets.",
    "append(y[batch, 0])",
    "append(tf.gather(y, batch)[:, 0])",
)
bug_hunt.brings(
    "Your function changes `y` in place", pytorch=("y[batch][:, 0]", "y.squeeze_()[batch]")
)
bug_hunt.right(
    pytorch=(LOSS[0], "F.mse_loss(y_hat, y[batch].squeeze(1))"),
    tensorflow=(LOSS[1], "tf.reduce_mean(tf.square(y_hat - tf.squeeze(tf.gather(y, batch), 1)))"),
)
bug_hunt.right(
    pytorch="""
        y_hat = torch.stack([X[batch] @ w for batch in batches])
        targets = torch.stack([y[batch].flatten() for batch in batches])
        losses, predictions = ((y_hat - targets) ** 2).mean(dim=1), y_hat
        """,
    tensorflow="""
        y_hat = tf.einsum("bij,j->bi", tf.gather(X, batches), w)
        losses = tf.reduce_mean((y_hat - tf.gather(y, batches)[..., 0]) ** 2, axis=1)
        predictions = y_hat
        """,
)


translation = Mistakes("translation")
COUNT = (
    "confusion.index_put_((labels, guesses), ones, accumulate=True)",
    "confusion.scatter_nd_add(pairs, tf.ones(len(labels), confusion.dtype))",
)
NEW = (
    "torch.zeros_like(confusion).index_put_((labels, guesses), ones, accumulate=True)",
    "tf.math.confusion_matrix(labels, guesses, 4, dtype=confusion.dtype)",
)
PICK = "scores.gather(1, labels[:, None])[:, 0]", "tf.gather(scores, labels, axis=1, batch_dims=1)"


counts, picks = translation.replacing(*COUNT), translation.replacing(*PICK)
counts(
    "counts a pair once in a batch, however often it comes",
    "confusion[labels, guesses] += 1",
    "confusion.scatter_nd_update(pairs, tf.gather_nd(confusion, pairs) + 1)",
)
counts(
    "`confusion` is as it was",
    COUNT[0].replace("put_", "put"),
    "tf.tensor_scatter_nd_add(confusion, pairs, tf.ones(len(labels), confusion.dtype))",
)
counts(
    "`confusion` is as it was",
    f"confusion = confusion + {NEW[0]}",
    f"confusion = confusion + {NEW[1]}",
)
counts("`confusion` is as it was", None, "np.add.at(confusion.numpy(), tuple(pairs.numpy().T), 1)")
counts(
    "is overwritten where it should be added to.",
    COUNT[0].replace(", accumulate=True", ""),
    COUNT[1].replace("nd_add", "nd_update"),
)
counts(
    "the counts of this batch alone", f"confusion.copy_({NEW[0]})", f"confusion.assign({NEW[1]})"
)
counts(
    "holds the old counts twice",
    f"confusion += confusion + {NEW[0]}",
    f"confusion.assign_add(confusion + {NEW[1]})",
)
counts(
    "has rows and columns swapped",
    COUNT[0].replace("labels, guesses", "guesses, labels"),
    COUNT[1].replace("pairs", "pairs[:, ::-1]"),
)
counts(
    "counts every guess as right",
    COUNT[0].replace("guesses", "labels"),
    COUNT[1].replace("pairs", "tf.stack([labels, labels], axis=1)"),
)
counts(
    "`confusion` has the right shape and dtype, but wrong values.",
    COUNT[0].replace("guesses", "scores.argmin(dim=1)"),
    COUNT[1].replace("pairs", "tf.stack([labels, tf.argmin(scores, axis=1)], axis=1)"),
)
picks(
    "has shape (40, 40), it must have (40,): the label of each example picks in its own row only",
    "scores[:, labels]",
    "tf.gather(scores, labels, axis=1)",
)
picks(
    "has shape (40, 4), it must have (40,): one score",
    "scores[labels]",
    "tf.gather(scores, labels)",
)
picks("goes down the first column", "scores[labels][:, 0]", "tf.gather(scores, labels)[:, 0]")
picks("is the best score of each example", "scores.amax(dim=1)", "tf.reduce_max(scores, axis=1)")
picks("is the guess, not a score.", "guesses.double()", "tf.cast(guesses, tf.float64)")
picks("The result is a `NoneType`", "None", "None")
picks("is a `ndarray`; it must be a tensor.", *(f"{each}.numpy()" for each in PICK))
translation.right(
    pytorch="""
        confusion += torch.bincount(4 * labels + scores.argmax(1), minlength=16).reshape(4, 4)
        return scores[torch.arange(len(labels)), labels]
        """,
    tensorflow="""
        guesses = tf.argmax(scores, axis=1)
        confusion.assign_add(tf.math.confusion_matrix(labels, guesses, 4, dtype=tf.float64))
        return tf.gather_nd(scores, tf.stack([tf.range(40, dtype=labels.dtype), labels], axis=1))
        """,
)
translation.right(
    pytorch="""
        rows, guesses = F.one_hot(labels, 4), F.one_hot(scores.max(dim=1).indices, 4)
        confusion.copy_(confusion + (rows.T @ guesses))
        return (scores * rows).sum(dim=1)
        """,
    tensorflow="""
        rows = tf.one_hot(labels, 4, dtype=tf.float64)
        guesses = tf.one_hot(tf.argmax(scores, axis=1), 4, dtype=tf.float64)
        confusion.assign(confusion + tf.matmul(rows, guesses, transpose_a=True))
        return tf.reduce_sum(scores * rows, axis=1)
        """,
)


locally_connected = Mistakes("locally_connected")
SUM = (
    'torch.einsum("ncijhw,ijochw->noij", windows, weights)',
    'tf.einsum("nijhwc,ijhwco->nijo", windows, weights)',
)
CUT = "[:, :rows, :columns]"


weighs = locally_connected.replacing(*SUM)
for apart, says in (
    ("1", "windows that lie one pixel apart"),
    ("2", "With a stride of 3 the result takes windows two pixels apart, whatever `stride` is."),
):
    locally_connected.brings(
        says,
        pytorch=("stride * down, stride * across", f"{apart} * down, {apart} * across"),
        tensorflow=(
            "[1, stride, stride, 1]",
            f"[1, {apart}, {apart}, 1]",
            '"VALID")',
            f'"VALID"){CUT}',
        ),
    )
locally_connected.brings(
    "reads the pixels as if they lay in memory in the order of the axes",
    pytorch=("images.stride()", "torch.empty(images.shape).stride()"),
)
UNFOLD = "(-1, rows, columns, height, width, channels)"
for axes, says in (
    ("channels, height, width", "unfolds each patch with the channels first"),
    ("width, height, channels", "unfolds each patch with height and width swapped."),
):
    letters = "".join(axis[0] for axis in axes.split(", "))
    locally_connected.brings(
        says, tensorflow=(UNFOLD, f"(-1, rows, columns, {axes})", "nijhwc", f"nij{letters}")
    )
weighs(
    "uses the kernel of the first place everywhere",
    "F.conv2d(images, weights[0, 0], stride=stride)",
    'tf.nn.conv2d(images, weights[0, 0], stride, "VALID")',
)
weighs(
    "has the kernels turned by 180 degrees.",
    SUM[0].replace("weights", "weights.flip(4, 5)"),
    SUM[1].replace("weights", "weights[:, :, ::-1, ::-1]"),
)
weighs("is the mean over each window and the channels", *(f"{each} / 12" for each in SUM))
weighs(
    "it must have (3, 5, 3, 4): (n, outputs, rows, columns).", SUM[0].replace("noij", "nijo"), None
)
weighs(
    "it must have (3, 3, 4, 5): (n, rows, columns, outputs).", None, SUM[1].replace("nijo", "noij")
)
weighs("has shape", SUM[0].replace("noij", "nocij"), SUM[1].replace("nijo", "nijco"))
weighs(
    "has the right shape and dtype, but wrong values.",
    'torch.einsum("nijhw,ijohw->noij", windows.sum(dim=1), weights.sum(dim=3))',
    'tf.einsum("nijhw,ijhwo->nijo", tf.reduce_sum(windows, 5), tf.reduce_sum(weights, 4))',
)
weighs("is a `ndarray`; it must be a tensor.", *(f"{each}.numpy()" for each in SUM))
weighs("has dtype float32", f"{SUM[0]}.float()", f"tf.cast({SUM[1]}, tf.float32)")
locally_connected.brings(
    "Your function changes `weights` in place",
    pytorch=("windows, weights", "windows, weights.mul_(2)"),
)
locally_connected.right(
    pytorch="""
        rows, columns, _, _, height, width = weights.shape
        windows = images.unfold(2, height, stride).unfold(3, width, stride)
        return torch.einsum("ncijhw,ijochw->noij", windows[:, :, :rows, :columns], weights)
        """,
    tensorflow="""
        rows, columns, height, width, _, _ = weights.shape
        corner = tf.image.extract_patches(
            images, [1, height, width, 1], [1, stride, stride, 1], [1, 1, 1, 1], "VALID"
        )
        windows = tf.reshape(corner, (len(images), rows, columns, height, width, -1))
        weights = tf.transpose(weights, (5, 0, 1, 2, 3, 4))
        return tf.stack([tf.reduce_sum(windows * each, (3, 4, 5)) for each in weights], axis=3)
        """,
)
locally_connected.right(
    pytorch="""
        rows, columns, outputs, _, height, width = weights.shape
        result = torch.empty(len(images), outputs, rows, columns, dtype=images.dtype)
        for i in range(rows):
            for j in range(columns):
                window = images[..., stride * i :, stride * j :][..., :height, :width]
                result[..., i, j] = window.flatten(1) @ weights[i, j].flatten(1).T
        return result
        """,
    tensorflow="""
        rows, columns, height, width, _, outputs = weights.shape
        result = []
        for i in range(rows):
            for j in range(columns):
                window = images[:, stride * i :, stride * j :][:, :height, :width]
                window = tf.reshape(window, (len(images), -1))
                result.append(window @ tf.reshape(weights[i, j], (-1, outputs)))
        return tf.reshape(tf.stack(result, axis=1), (len(images), rows, columns, outputs))
        """,
)
