"""Thirty mistakes of a port, each an edit of the lesson's own cells, and what a record shows."""

import linecache

from paired import course, data, parity

import numpy as np

# By name, for each half: a part of the port, and what takes its place. A second pair may follow.
MISTAKES = {
    "kernel: height and width swapped": {
        "pytorch": ("transpose(3, 2, 0, 1)", "transpose(3, 2, 1, 0)"),
        "tensorflow": ("transpose(2, 3, 1, 0)", "transpose(3, 2, 1, 0)"),
    },
    "square matrix not transposed": {
        "pytorch": ("    for name in (\"norm\", \"scale\"):",
                    "    state['gate.weight'] = start['gate.gate.kernel']\n"
                    "    for name in ('norm', 'scale'):"),
        "tensorflow": ('start["gate.gate.weight"].T', 'start["gate.gate.weight"]'),
    },
    "GRU: gates not reordered": {
        "pytorch": ("[r, z, n], axis", "[z, r, n], axis"),
        "tensorflow": ("[z, r, n])", "[r, z, n])"),
    },
    "GRU: second bias dropped": {
        "pytorch": ('= gates("bias")', '= gates("bias") * [[1], [0]]'),
        "tensorflow": ('for of in ("ih", "hh")])]', 'for of in ("ih", "hh")]) * [[1], [0]]]'),
    },
    "padding on the other side": {
        "pytorch": ("(0, 1, 0, 1)", "(1, 0, 1, 0)"),
        "tensorflow": ("ZeroPadding2D(1)", "ZeroPadding2D(((0, 1), (0, 1)))"),
    },
    "flattened in the other order": {
        "pytorch": ("permute(0, 2, 3, 1)", "permute(0, 2, 1, 3)"),
        "tensorflow": ("    h = layers.Permute((1, 3, 2))(h)\n", ""),
    },
    "batch norm: epsilon": {
        "pytorch": ("BatchNorm(8, eps=1e-3", "BatchNorm(8, eps=1e-5"),
        "tensorflow": ("BatchNorm(epsilon=1e-5", "BatchNorm(epsilon=1e-3"),
    },
    "layer norm: epsilon": {
        "pytorch": ("LayerNorm(16, eps=1e-3)", "LayerNorm(16)"),
        "tensorflow": ("LayerNormalization(epsilon=1e-5)", "LayerNormalization()"),
    },
    "leaky ReLU: its default slope": {
        "pytorch": ("leaky_relu(self.norm(h), 1 / 8)", "leaky_relu(self.norm(h))"),
        "tensorflow": ("LeakyReLU(negative_slope=1 / 8)", "LeakyReLU()"),
    },
    "dropout not scaled": {
        "pytorch": ("h * kept / (1 - DROPOUT)", "h * kept"),
        "tensorflow": ("h * kept / (1 - DROPOUT)", "h * kept"),
    },
    "batch norm evaluates by the batch": {
        "pytorch": ("    net.eval()", "    net.eval().norm.train()"),
        "tensorflow": ("super().call(x, training=training)", "super().call(x, training=True)"),
    },
    "smoothing over the nine others": {
        "pytorch": ("+ 1 / 128", "+ (1 - F.one_hot(y, 10)) * 5 / 64 / 9"),
        "tensorflow": ("target * (1 - 5 / 64) + 1 / 128",
                       "target * (1 - 5 / 64) + (1 - target) * 5 / 64 / 9"),
    },
    "loss summed over the batch": {
        "pytorch": ("loss = focal_loss(logits, y)\n    optimizer",
                    "loss = focal_loss(logits, y) * len(y)\n    optimizer"),
        "tensorflow": ("FocalLoss(), metrics", 'FocalLoss(reduction="sum"), metrics'),
    },
    "no gradient through the weights of the loss": {
        "pytorch": ("(1 - log_p.exp()) ** 2", "(1 - log_p.exp().detach()) ** 2"),
        "tensorflow": ("(1 - ops.exp(log_p)) ** 2", "ops.stop_gradient(1 - ops.exp(log_p)) ** 2"),
    },
    "log of softmax plus 1e-7": {
        "pytorch": ("logits.log_softmax(1)", "(logits.softmax(1) + 1e-7).log()"),
        "tensorflow": ("ops.log_softmax(logits)", "ops.log(ops.softmax(logits) + 1e-7)"),
    },
    "Adam: epsilon in the other place": {
        "pytorch": ("1e-7 / (1 - (1023 / 1024) ** (step + 1)) ** 0.5", "1e-7"),
        "tensorflow": ("1e-8 * correction", "1e-8"),
    },
    "Adam: default beta": {
        "pytorch": ("(7 / 8, 1023 / 1024)", "(7 / 8, 0.999)"),
        "tensorflow": ('"beta_2": 1023 / 1024', '"beta_2": 0.999'),
    },
    "decay added to the gradient": {
        "pytorch": ("torch.optim.AdamW", "torch.optim.Adam"),
        "tensorflow": ("[g * factor for g in grads]", "[g * factor + DECAY * v for g, v in zip("
                       "grads, trainable_variables, strict=True)]",
                       "AdamW(RATE, DECAY, **betas)", "AdamW(RATE, 0.0, **betas)"),
    },
    "clipped tensor by tensor": {
        "pytorch": ("    for gradient in gradients:", "    for gradient in gradients:\n"
                    "        norm = gradient.norm()"),
        "tensorflow": ("[g * factor for g in grads]",
                       "[g * tf.minimum(CLIP / (tf.norm(g) + 1e-6), 1) for g in grads]"),
    },
    "clipping: 1e-6 in the divisor": {
        "pytorch": ("CLIP / max(norm, CLIP)", "min(CLIP / (norm + 1e-6), 1)"),
        "tensorflow": ("CLIP / (norm + 1e-6)", "CLIP / norm"),
    },
    "schedule a step ahead": {
        "pytorch": ("= rate(step)", "= rate(step + 1)"),
        "tensorflow": ("rate(int(optimizer.iterations))", "rate(int(optimizer.iterations) + 1)"),
    },
    "schedule in float32": {
        "pytorch": ("= rate(step)", "= float(np.float32(rate(step)))"),
        "tensorflow": ("rate(int(optimizer.iterations))",
                       "np.float32(rate(int(optimizer.iterations)))"),
    },
    "schedule set once an epoch": {
        "pytorch": ("= rate(step)", "= rate(step // 18 * 18)"),
        "tensorflow": ("rate(int(optimizer.iterations))",
                       "rate(int(optimizer.iterations) // 18 * 18)"),
    },
    "shift: rows and columns swapped": {
        "pytorch": ("shift, (0, 1))", "shift, (1, 0))"),
        "tensorflow": ("shift, (0, 1))", "shift, (1, 0))"),
    },
    "not shuffled anew each epoch": {
        "pytorch": ("default_rng([seed, epoch])", "default_rng([seed, 0])"),
        "tensorflow": ("default_rng([seed, epoch])", "default_rng([seed, 0])"),
    },
    "batch norm: momentum copied": {
        "pytorch": ("momentum=1 / 8", "momentum=7 / 8"),
        "tensorflow": ("momentum=7 / 8", "momentum=1 / 8"),
    },
    "running variance: the other divisor": {
        "pytorch": ("= BatchNorm(8", "= nn.BatchNorm2d(8"),
        "tensorflow": ("h = BatchNorm(", "h = layers.BatchNormalization("),
    },
    "the last weights, not the best": {
        "pytorch": ("        net.load_state_dict(torch.load(stop.path))\n", ""),
        "tensorflow": ("restore_best_weights=True", "restore_best_weights=False"),
    },
    "patience off by one": {
        "pytorch": ("self.waited >= PATIENCE", "self.waited > PATIENCE"),
        "tensorflow": ('"patience": PATIENCE + 1', '"patience": PATIENCE'),
    },
    "own metric averaged over batches": {
        "pytorch": ("balanced_accuracy(logits, y).item()", "np.mean([balanced_accuracy(*part).nan"
                    "_to_num() for part in zip(logits.split(64), y.split(64), strict=True)])"),
        "tensorflow": ("ops.sum(ops.stack([right, true]), 1)",
                       "ops.stack([ops.sum(right, 0) / ops.maximum(ops.sum(true, 0), 1),"
                       " ops.ones(10)])"),
    },
}  # fmt: skip


# What nobody transports: the weights are the framework's own, and so are its constants.
NATIVE = (
    "batch norm: epsilon", "layer norm: epsilon", "Adam: epsilon in the other place",
    "running variance: the other divisor",
)  # fmt: skip
OWN_WEIGHTS = {
    "pytorch": ("    net.load_state_dict(transported(start), strict=False)\n", "",
                "    net = Net()", "    torch.manual_seed(seed)\n    net = Net()"),
    "tensorflow": ("    model.set_weights(transported(start))\n", "",
                   "    model = build()",
                   "    keras.utils.set_random_seed(seed)\n    model = build()"),
}  # fmt: skip


def source(framework: str) -> str:
    """The cells of one half's port and of its probe, as they are saved."""
    cells = course.cells(course.lesson("10").path(framework))
    names = ("setup", "port-", "record-")
    return "\n\n\n".join(code for name, _, code in cells if name.startswith(names))


def edited(text: str, edits: tuple[str, ...]) -> str:
    """The text with each second string in place of the one before it."""
    for old, new in zip(edits[::2], edits[1::2], strict=True):
        if text.count(old) != 1:
            raise ValueError(f"{old!r} is there {text.count(old)} times.")
        text = text.replace(old, new)
    return text


def run(framework: str, edits: tuple[str, ...], start: dict, **seed: int) -> parity.Recorder:
    """The record of one half's port, edited, from these initial weights."""
    text = edited(source(framework), edits)
    code, namespace = compile(text, name := f"<port {hash(text)}>", "exec"), {}
    # TensorFlow reads the source of what it makes a graph of.
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(code, namespace)  # noqa: S102
    record = parity.Recorder("10_migration", framework)
    namespace["ported"](record, start, **seed)
    return record


def start(original: parity.Record) -> dict[str, np.ndarray]:
    """The original's initial weights, by its own names and in its own layouts."""
    found = {key: value for (key, _), value in original.tensors.items()}
    return {key[8:]: value for key, value in found.items() if key.startswith("w/start/")}


def compare(original: parity.Record, record: parity.Recorder) -> parity.Comparison:
    """The original's record against the port's; the weights that it only starts with aside."""
    theirs = {row: x for row, x in original.tensors.items() if row[0].split("/")[1] != "start"}
    mine = parity.Record(record.tensors, original.gpu, "")
    return parity.compare(parity.Record(theirs, original.gpu, ""), mine)


def check(row: parity.Row) -> str:
    """Which check a row belongs to: what is compared, and after how many steps."""
    name = row.key.split("/")[2]
    if name in ("validation", "balanced", "best"):
        return name
    return f"{'evaluation' if row.kind == 'eval' else row.kind}@{row.step}"


def result(tensors: dict[tuple[str, int], np.ndarray]) -> tuple[float, float]:
    """The validation loss of the model that a run returns, by the original's formula; accuracy."""
    [logits] = [value for (key, _), value in tensors.items() if key.endswith("/best")]
    y = data.digits().y_train[1152:]
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = np.eye(10)[y] * (1 - 5 / 64) + 1 / 128
    loss = -(target * (1 - np.exp(log_p)) ** 2 * log_p).sum(1).mean()
    return float(loss), float((logits.argmax(1) == y).mean())
