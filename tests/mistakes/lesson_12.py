"""Lesson 12, below Python and beyond the desk: wrong answers, and other right ones."""

from mistakes import Mistakes

RIGHT = ""


def rows(task: Mistakes, *table: tuple[str, ...], half: str = "both") -> None:
    """Add what must be said, nothing of a right answer, and edits of the solution, or another."""
    for says, *change in table:
        task.brings(says, **{half: tuple(change) if len(change) > 1 else change[0]})


samples = Mistakes("samples")
rows(
    samples,
    (RIGHT, "[:30]", "[-20:]", "np.concatenate(each)", "np.sort(np.hstack(each))"),
    (RIGHT, """
        rng, chosen = np.random.default_rng(), []
        for label in np.unique(labels):
            own = pixels[labels == label]
            chosen += list(rng.permutation(own)[:25] / np.float32(255))
        return np.reshape(chosen, (-1, 64))
     """),
    ("and you take 0.", "return pixels[:300].reshape(-1, 64).astype('float32') / 255"),
    ("and you take 0.", "range(10)", "range(1, 10)"),
    ("and you take ", "[:30]", "[:20 if (labels == label).sum() > 19 else 0]"),
    ("and you take 19.", "[:30]", "[:19]"),
    ("and you take ", "chosen = pixels[np.concatenate(each)]",
     "chosen = pixels[:: max(1, len(pixels) // 150)][:300]"),
    ("images; it must be 300 at most, and some.", "[:30]", ""),
    ("Pixels go up to 255; the network", '"float32") / 255', '"float32")'),
    ("none of `pixels`, or its numbers are not divided by 255.", "/ 255", "/ 256"),
    ("none of `pixels`, or its numbers are not divided by 255.", "/ 255", "/ 255 / 255"),
    ("none of `pixels`, or its numbers are not divided by 255.", "/ 255", "/ pixels.max()"),
    ("It returns float64 of shape", '.astype("float32") / 255', " / 255"),
    ("the network takes float32 of shape (n, 64).", "-1, 64", "-1, 8, 8"),
    ("It returns None; the", "return None"),
    ("It returns a `list`; the", 'chosen.reshape(-1, 64).astype("float32") / 255',
     'list(chosen.reshape(-1, 64).astype("float32") / 255)'),
    ("Pixels go up to 200; the", "chosen = pixels[np.concatenate(each)]", "chosen = pixels["
     "np.concatenate(each)]\n    if len(pixels) < 300:\n        chosen = 255.0 * pixels"),
)  # fmt: skip

kernel = Mistakes("kernel")
COPY, SHAPE = "x.contiguous().numpy().flatten()", "x.new_empty(x.shape)"
MEMORY, REST = "x.as_strided((x.numel(),), (1,)).numpy()", "range(0, len(y), 8)"
FIRST = "x of shape (4, 4), float64"
rows(
    kernel,
    (RIGHT, COPY, "x.numpy().ravel().copy()", SHAPE, "torch.empty(x.shape, dtype=x.dtype)"),
    (RIGHT, REST, "range(0, x.numel(), 3)", "i : i + 8] = y[i : i + 8]",
     "i : i + 3] = y[i : i + 3]", SHAPE,
     "torch.empty_like(x, memory_format=torch.contiguous_format)"),
    ("Your function changes `x` in place", COPY, "x.contiguous().numpy().reshape(-1)"),
    ("(4, 4), float64, transposed, the result has the right shape and", COPY, f"{MEMORY}.copy()"),
    ("(3, 5), float64, the result has the right shape and dtype, but", REST,
     "range(0, len(y) // 8 * 8, 8)"),
    ("shape (3, 5), float64, `opcheck` finds in `test_faketensor`", SHAPE,
     "x.new_empty(len(x), len(x))"),
    (f"For {FIRST}, `opcheck` finds in `test_faketensor`", SHAPE, "torch.empty(x.shape)"),
    ("float64, transposed, `opcheck` finds in `test_faketensor`", SHAPE, "torch.empty_like(x)"),
    (f"For {FIRST}, the result has shape (16,)", ".reshape(x.shape)", ""),
    ("float32, the result has dtype float64", "from_numpy(y)", "from_numpy(y.astype(float))"),
    ("and call no other one instead.", "def relu6(x):\n    return x.clamp(0, 6)"),
    ("is a `NoneType`; it must be an array", "def relu6(x):\n    return None"),
    half="pytorch",
)  # fmt: skip
COPY, NODE, SHAPE = "x.flatten()", "tf.numpy_function(code, [x], x.dtype)", "y.set_shape(x.shape)"
IN_GRAPH = f"For {FIRST}, in a graph, "
rows(
    kernel,
    (RIGHT, COPY, "x.ravel().copy()", SHAPE, "y = tf.ensure_shape(y, x.shape)"),
    (RIGHT, NODE, "tf.py_function(lambda x: code(x.numpy()), [x], x.dtype)"),
    (RIGHT, NODE, "tf.numpy_function(code, [x], x.dtype, stateful=False)"),
    # The other function is still as the exercise gives it.
    ("float32, in a graph, the result has another type.", NODE,
     "tf.numpy_function(code, [x], tf.float64)", SHAPE, "y.set_shape((x.shape[0], x.shape[0]))"),
    ("attribute 'numpy'`.", NODE, "tf.constant(code(x.numpy()))"),
    (f"{IN_GRAPH}your code changes x.", COPY, "x.reshape(-1)"),
    ("(3, 5), float64, the result has the right shape and dtype, but", REST,
     "range(0, len(y) // 8 * 8, 8)"),
    (f"{IN_GRAPH}the result has the shape <unknown>.", SHAPE, ""),
    ("Your code raises `ValueError", SHAPE, "y.set_shape((x.shape[0], x.shape[0]))"),
    ("float32, in a graph, the result has another type.", NODE,
     "tf.numpy_function(code, [x], tf.float64)"),
    (f"{IN_GRAPH}the result has the right shape and dtype, but wrong", NODE,
     "tf.numpy_function(code if tf.executing_eagerly() else np.copy, [x], x.dtype)"),
    (f"For {FIRST}, the result has shape (16,)", ".reshape(x.shape)", "", SHAPE, ""),
    ("must be a node with Python code of yours", "def relu6(x):\n    return tf.nn.relu6(x)"),
    ("is a `NoneType`; it must be an array", "def relu6(x):\n    return None"),
    half="tensorflow",
)  # fmt: skip

gradient = Mistakes("gradient")
slope = gradient.replacing("dy * (1 + x / root) / 2", "dy * (1 + x / root) / 2")
for says, code in {
    "x is the derivative: multiply it by `dy`.": "(1 + x / root) / 2",
    "x is that of a width of 4: b varies.": "dy * (1 + x / (x * x + 4) ** 0.5) / 2",
    "x has the right shape and dtype, but wrong": "dy * (1 + 1 / root) / 2",
    "x is a `NoneType`": "None",
}.items():
    slope(says.replace("x ", "The gradient for x ", 1), code, code)
share = gradient.replacing("(dy / (4 * root)).sum()", "tf.reduce_sum(dy / (4 * root))")
FOR_B = "The gradient for b "
share(f"{FOR_B}is a mean: each", "(dy / root / 4).mean()", "tf.reduce_mean(dy / (4 * root))")
share(f"{FOR_B}is the derivative: multi", "(1 / (4 * root)).sum()", "tf.reduce_sum(1 / root / 4)")
share(f"{FOR_B}is twice what", "(dy / root).sum() / 2", "tf.reduce_sum(dy / root) / 2")
share(f"{FOR_B}is a `NoneType`", "None", "None")
share(f"{FOR_B}has the right shape", "(dy * root).sum()", "tf.reduce_sum(dy * root)")
share("b is one number, and so is its gradient.", None, "dy / (4 * root)")
share("`back` still returns `...`.", "...", "...")
share("Your code raises `TypeError", "sum(dy[i] / 4 / root[i] for i in range(len(x)))",
      "tf.reduce_sum([dy[i] / 4 / root[i] for i in range(len(x))])")  # fmt: skip
LATER = "The gradient for x is that of a later call: `back` needs this"
gradient.cannot("pytorch", "is not called", why="the operation is made in a cell that is given")
gradient.cannot("pytorch", "b is one number", why="autograd sums up what was spread out")
NEW = "x.new_empty(x.shape)"
rows(
    gradient,
    (RIGHT, NEW, "torch.empty_like(x)", "(dy / (4 * root)).sum()", "dy / (4 * root)"),
    (RIGHT, "ctx.save_for_backward(*inputs)", "ctx.x, ctx.b = inputs", "ctx.saved_tensors",
     "ctx.x, ctx.b", ".sum()", ".flatten().sum(0)"),
    ("(5,), float64, `opcheck` finds in `test_faketensor`", NEW, "x.new_empty(5, 5)"),
    ("The fake still returns `...`.", NEW, "..."),
    ("`back` changes `dy`", "dy * (1 + x / root) / 2", "dy.mul_((1 + x / root) / 2)"),
    (LATER, "ctx.save_for_backward(*inputs)", "keep.last = inputs", "ctx.saved_tensors",
     "keep.last"),
    half="pytorch",
)  # fmt: skip
SHAPE = "y.set_shape(x.shape)"
rows(
    gradient,
    (RIGHT, SHAPE, "y = tf.reshape(y, x.shape)", "tf.sqrt(x * x + b)", "(x**2 + b) ** 0.5"),
    (RIGHT, SHAPE, "y = tf.ensure_shape(y, x.shape)", "x / root", "tf.divide(x, root)"),
    ("(5,), float64, in a graph, the result has the shape <unknown>.", SHAPE, ""),
    (LATER, "return y,", "back.last = x, b\n    return y,", "lambda dy: back(x, b, dy)",
     "lambda dy: back(*back.last, dy)"),
    ("Your code raises `AttributeError: 'SymbolicTensor'", "tf.sqrt(x * x + b)",
     "np.sqrt(x.numpy() ** 2 + b.numpy())"),
    ("which is not called.", "squareplus_code, [x, b]",
     "lambda x, b: np.asarray((x + np.sqrt(x * x + b)) / 2, x.dtype), [x, b]"),
    ("float32, in a graph, the result has another type.", "[x, b], x.dtype", "[x, b], tf.float64"),
    ("The result has the right shape and dtype, but", SHAPE, f"{SHAPE}\n    y = y + 1"),
    half="tensorflow",
)  # fmt: skip

device = Mistakes("device")
DYNAMIC = "quant.quantize_dynamic(source, to, reduce_range=True)"
rows(
    device,
    (RIGHT, DYNAMIC, "quant.quantize_dynamic(source, to, reduce_range=True, per_channel=True)"),
    (RIGHT, DYNAMIC, "quant.quantize_dynamic(source, to, weight_type=quant.QuantType.QUInt8)"),
    (RIGHT, "quant.quantize_static(source, to, Samples(images), reduce_range=True)"),
    ("bytes: too many for the device.", DYNAMIC, "to.write_bytes(bytes(source.read_bytes()))"),
    ("A score differs by ", DYNAMIC,
     "quant.quantize_static(source, to, Samples(images / 16), reduce_range=True)"),
    ("A score differs by ", """
        quant.quantize_static(source, to, Samples(images[:1]), reduce_range=True)
     """),
    ("There is no file at `to`.", DYNAMIC, DYNAMIC.replace("to,", 'to.with_suffix(".onnx"),')),
    ("changes the network that it is given.", DYNAMIC, f"{DYNAMIC}; source.unlink()"),
    ("The runtime does not take the file, with float32", DYNAMIC, "to.write_bytes(b'small')"),
    ("The runtime does not take the file, with float32", DYNAMIC, "import onnx\n    onnx.save("
     "onnx.load(source), to, save_as_external_data=True, size_threshold=0)"),
    ("Scores are float32 of shape (200, ", DYNAMIC, f"import onnx\n    {DYNAMIC}\n    model = "
     "onnx.load(to)\n    model.graph.output[0].CopyFrom(onnx.ValueInfoProto(name='hidden'))\n"
     "    to.write_bytes(model.SerializeToString())"),
    half="pytorch",
)  # fmt: skip
DYNAMIC = "convert(net, **SMALL)"
GIVEN = "convert(net, **SMALL, representative_dataset=lambda: ([x[None]] for x in images{}){})"
INT8_ONLY = ", target_spec=INT8, inference_{}_type=tf.int8"
rows(
    device,
    (RIGHT, DYNAMIC, "convert(net, **SMALL, target_spec=tf.lite.TargetSpec(supported_types=["
     "tf.float16]))"),
    (RIGHT, DYNAMIC, GIVEN.format("", "")),
    ("bytes: too many for the device.", DYNAMIC, "convert(net, optimizations=[])"),
    ("A score differs by ", DYNAMIC, GIVEN.format("[:20] / 16", "")),
    ("A score differs by ", DYNAMIC, GIVEN.format("[:1]", "")),
    ("There is no file at `to`.", "to.write", "to.with_suffix('.tflite').write"),
    ("changes the network that it is given.", "to.write",
     "net.set_weights([w.round(1) for w in net.get_weights()])\n    to.write"),
    ("The runtime does not take the file, with float32", DYNAMIC, "b'small'"),
    ("The runtime does not take the file, with float32", DYNAMIC,
     GIVEN.format("", INT8_ONLY.format("input"))),
    ("Scores are int8 of shape (200, 10)", DYNAMIC, GIVEN.format("", INT8_ONLY.format("output"))),
    half="tensorflow",
)  # fmt: skip
