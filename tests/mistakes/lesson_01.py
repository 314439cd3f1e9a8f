"""Lesson 01, tensors: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

predict = Mistakes("predict")
for name, answer, says in (
    ("half_dtype", "float16", '`half_dtype` must be "float32" or "float64" or "int'),
    ("difference_shape", (5, 4, 4), "is not (5, 4, 4): go axis by axis."),
    ("changed", {"same"}, '`changed` must be one of the letters "A" to "D"'),
):
    predict.brings(says, both={name: answer})


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
columns, centre, multiply, blank = (
    explain_error.replacing(*old) for old in (COLUMNS, CENTRE, PRODUCT, BLANK)
)
explain_error.brings("Use .reshape(...) instead.`", pytorch=(".reshape(", ".view("))
blank("object does not support item assignment`", None, BLANK[0])
# The hint of an earlier edition: right where no strides fit, and only there.
explain_error.brings("Your function changes `images` in place", pytorch=("rows.clone()", "rows"))
columns("reads the images row by row", "images.clone()", "images")
centre(
    "subtracts the mean of each pixel over the images",
    CENTRE[0].replace("=1", "=0"),
    CENTRE[1].replace("=1", "=0"),
)
blank("still has the scanner's number in it: the first", "", "")
multiply(
    "has dtype float32, it must have float64.",
    "rows @ means.T.float()",
    "rows @ tf.cast(tf.transpose(means), tf.float32)",
)
multiply(
    "agrees to a few digits only: no decimal place of `means` may get lost.",
    "(rows @ means.T.float()).double()",
    "tf.cast(rows @ tf.cast(tf.transpose(means), tf.float32), tf.float64)",
)
multiply(
    "a row for each image, a column for each mean.",
    "means @ rows.double().T",
    "means @ tf.transpose(tf.cast(rows, tf.float64))",
)
multiply("it must be a tensor.", f"({PRODUCT[0]}).numpy()", f"({PRODUCT[1]}).numpy()")
multiply("it must be a tensor.", f"({PRODUCT[0]}).tolist()", f"({PRODUCT[1]}).numpy().tolist()")
explain_error.brings("Your code raises", pytorch=("len(images)", "360"))
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
LOOP, RETURN = "losses, predictions = [], []\n", "return losses, predictions"
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
loss = bug_hunt.replacing(*LOSS)
loss(
    "means over all pairs of a prediction and a target",
    *(each.replace("[:, 0]", "") for each in LOSS),
)
loss("holds sums over the batch", *(each.replace("mean", "sum") for each in LOSS))
HANDED_OUT = (*BUFFER[1], "append(y_hat)", "append(buffer)")
bug_hunt.brings("those of the last batch each time", pytorch=BUFFER[0], tensorflow=HANDED_OUT)
KEPT = "torch.mv(X[batch], w, out=KEPT.setdefault(batch[0], y[batch, 0]))"  # from call to call
KEPT = Y_HAT[0], KEPT, "def evaluate", "KEPT = {}\n\n\ndef evaluate"
bug_hunt.brings("`predictions` has the right shape and dtype, but wrong", pytorch=KEPT)
bug_hunt.brings("`evaluate` must return (losses, predictions)", both=(RETURN, "return losses[0]"))
bug_hunt.brings("one number for each batch.", both=(RETURN, "return losses[:2], predictions"))
bug_hunt.brings(
    "a row for each batch, one number", both=("append(y_hat)", "append(y_hat[:, None])")
)
bug_hunt.brings(
    "holds errors: the targets have been subtracted.",
    pytorch=("append(y_hat)", "append(y_hat.sub_(y[batch, 0]))"),
    tensorflow=("append(y_hat)", "append(y_hat - tf.gather(y, batch)[:, 0])"),
)
bug_hunt.brings("changes `y` in place", pytorch=("y[batch][:, 0]", "y.squeeze_()[batch]"))
bug_hunt.right(
    pytorch=(LOSS[0], "F.mse_loss(y_hat, y[batch].squeeze(1))"),
    tensorflow=(LOSS[1], "tf.reduce_mean(tf.square(y_hat - tf.squeeze(tf.gather(y, batch), 1)))"),
)
bug_hunt.right(
    pytorch="""
        y_hat = torch.stack([X[batch] @ w for batch in batches])
        targets = torch.stack([y[batch].flatten() for batch in batches])
        losses, predictions = [*((y_hat - targets) ** 2).mean(dim=1)], [*y_hat]
        """,
    tensorflow="""
        y_hat = tf.einsum("bij,j->bi", tf.gather(X, batches), w)
        losses = [*tf.reduce_mean((y_hat - tf.gather(y, batches)[..., 0]) ** 2, axis=1)]
        predictions = [*y_hat]
        """,
)


translation = Mistakes("translation")
COUNT = (
    "confusion.index_put_((labels, guesses), ones, accumulate=True)",
    "confusion.scatter_nd_add(pairs, tf.ones(len(labels), confusion.dtype))",
)
NEW = (
    "torch.zeros_like(confusion).index_put_((labels, guesses), ones, accumulate=True)",
    "tf.math.confusion_matrix(labels, guesses, confusion.shape[0], dtype=confusion.dtype)",
)
PICK = "scores.gather(1, labels[:, None])[:, 0]", "tf.gather(scores, labels, axis=1, batch_dims=1)"
counts, picks = translation.replacing(*COUNT), translation.replacing(*PICK)
counts(
    "counts a pair once in a batch, however often it comes",
    "confusion[labels, guesses] += 1",
    "confusion.scatter_nd_update(pairs, tf.gather_nd(confusion, pairs) + 1)",
)
counts("`confusion` is as it was", *(f"confusion = confusion + {new}" for new in NEW))
counts(
    "the counts of this batch alone", f"confusion.copy_({NEW[0]})", f"confusion.assign({NEW[1]})"
)
counts(
    "has rows and columns swapped",
    COUNT[0].replace("labels, guesses", "guesses, labels"),
    COUNT[1].replace("pairs", "pairs[:, ::-1]"),
)
# Right where every class is there, and only there.
counts(
    "Your code raises",
    "confusion += F.one_hot(labels).T @ F.one_hot(guesses)",
    f"confusion.assign_add({NEW[1].replace('confusion.shape[0], ', '')})",
)
picks(
    "one score for each example, that of its own", "scores[:, labels]", "tf.gather(scores, labels)"
)
picks("is the best score of each example", "scores.amax(dim=1)", "tf.reduce_max(scores, axis=1)")
picks("The result is a `NoneType`", "None", "None")
picks("is a `ndarray`; it must be a tensor.", *(f"{each}.numpy()" for each in PICK))
translation.right(
    pytorch="""
        k = len(confusion)
        pairs = k * labels + scores.argmax(1)
        confusion += torch.bincount(pairs, minlength=k * k).reshape(k, k)
        return scores[torch.arange(len(labels)), labels]
        """,
    tensorflow="""
        k, guesses = confusion.shape[0], tf.argmax(scores, axis=1)
        confusion.assign_add(tf.math.confusion_matrix(labels, guesses, k, dtype=tf.float64))
        places = tf.range(len(labels), dtype=labels.dtype)
        return tf.gather_nd(scores, tf.stack([places, labels], axis=1))
        """,
)
translation.right(
    pytorch="""
        k = len(confusion)
        rows, guesses = F.one_hot(labels, k), F.one_hot(scores.max(dim=1).indices, k)
        confusion.copy_(confusion + (rows.T @ guesses))
        return (scores * rows).sum(dim=1)
        """,
    tensorflow="""
        k = scores.shape[1]
        rows = tf.one_hot(labels, k, dtype=tf.float64)
        guesses = tf.one_hot(tf.argmax(scores, axis=1), k, dtype=tf.float64)
        confusion.assign(confusion + tf.matmul(rows, guesses, transpose_a=True))
        return tf.reduce_sum(scores * rows, axis=1)
        """,
)


locally_connected = Mistakes("locally_connected")
SUM = (
    'torch.einsum("ncijhw,ijochw->noij", windows, weights)',
    'tf.einsum("nijhwc,ijhwco->nijo", windows, weights)',
)
weighs = locally_connected.replacing(*SUM)
locally_connected.brings(
    "windows that lie one pixel apart",
    pytorch=("stride * down, stride * across", "down, across"),
    tensorflow=(
        "[1, stride, stride, 1]",
        "[1, 1, 1, 1]",
        '"VALID")',
        '"VALID")[:, :rows, :columns]',
    ),
)
locally_connected.brings("For a stride of 3 the result has", pytorch=("stride * down", "2 * down"))
locally_connected.brings(
    "reads the pixels as if they lay in memory in the order of the axes",
    pytorch=("images.stride()", "torch.empty(images.shape).stride()"),
)
UNFOLD = "(-1, rows, columns, height, width, channels)"
locally_connected.brings(
    "unfolds each patch with the channels first",
    tensorflow=(UNFOLD, "(-1, rows, columns, channels, height, width)", "nijhwc", "nijchw"),
)
weighs(
    "uses the kernel of the first place everywhere",
    "F.conv2d(images, weights[0, 0], stride=stride)",
    'tf.nn.conv2d(images, weights[0, 0], stride, "VALID")',
)
weighs("(n, outputs, rows, columns).", SUM[0].replace("noij", "nijo"), None)
weighs("(n, rows, columns, outputs).", None, SUM[1].replace("nijo", "noij"))
weighs("is a `ndarray`; it must be a tensor.", *(f"{each}.numpy()" for each in SUM))
weighs("changes `weights` in place", SUM[0].replace("weights", "weights.mul_(2)"), None)
for given, name in (("windows", "images"), ("weights", "weights")):
    stopped = f"{given}.detach()", f"tf.stop_gradient({given})"
    sums = (old.replace(given, new) for old, new in zip(SUM, stopped, strict=True))
    weighs(f"No gradient reaches `{name}`", *sums)
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
