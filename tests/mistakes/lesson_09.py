"""Lesson 09, exchange: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

RIGHT, VALUES = "", "has the right shape and dtype, but wrong values"


def rows(task: Mistakes, *table: tuple) -> None:
    """Add what has to come, and the change that brings it in each half, or one for both."""
    for says, pytorch, *tensorflow in table:
        task.brings(says, pytorch=pytorch, tensorflow=(tensorflow or [pytorch])[0])


carry = Mistakes("carry")
IN, OUT = "After `carry_in` the network's output", "that `carry_out` returns"
PIXELS = "dense = dense.reshape(-1, filters, outputs)  # its rows: pixel, filter"
FILTERS = "dense = dense.reshape(outputs, filters, -1)  # columns: filter, pixel"
FIRST = "dense.transpose(2, 1, 0).reshape(outputs, -1)"
LAST = "dense.transpose(2, 1, 0).reshape(-1, outputs)"
PLAIN = (PIXELS, "", FIRST, "dense.T"), (FILTERS, "", LAST, "dense.T")
TWICE = (FIRST, f"2 * {FIRST}"), (LAST, f"2 * {LAST}")
PT, TF = "new = kernel.transpose(3, 2, 0, 1)", "kernel = kernel.transpose(2, 3, 1, 0)"
SWAP = (PT, "new = kernel.transpose(3, 2, 1, 0)"), (TF, "kernel = kernel.transpose(3, 2, 1, 0)")
COPY, SET = "parameter.copy_(", "model.set_weights([kernel, bias, dense, dense_bias])"
BACK = "return [kernel.transpose(2, 3, 1, 0), bias", "return [kernel.transpose(3, 2, 0, 1), bias"
KEEP = [(each, f"{each}\n    carry_in.it = arrays") for each in (FIRST, LAST)]
KEPT = "return carry_in.it; [0"
ZERO = f"model[0].bias.data.zero_(); {BACK[0]}", f"model.weights[1].assign(-bias); {BACK[1]}"
ORDER, KERNEL = "the dense layer's inputs are in another order", "of the convolution's kernel are"
EINSUM = "np.einsum('{}', dense).reshape({})"
CHANNELS_LAST = f"model.insert(2, ChannelsLast())\n    {PT}"
ASSIGN = "for w, a in zip(model.weights, [kernel, bias, dense, dense_bias]):\n        w.assign(a)"
rows(
    carry,
    (f"{IN} is as if {ORDER}.", *PLAIN),
    (f"{IN} is as if height and width {KERNEL} swapped.", *SWAP),
    (f"{KERNEL} swapped, and {ORDER}.", PLAIN[0] + SWAP[0], PLAIN[1] + SWAP[1]),
    (f"{IN} {VALUES}", *TWICE),
    (f"{IN} is as before", (COPY, "print("), (SET, "pass")),
    (f"The dense kernel {OUT} is transposed, and", *PLAIN[::-1]),
    (f"The kernel {OUT} {VALUES}", (*KEEP[0], BACK[0], KEPT), (*KEEP[1], BACK[1], KEPT)),
    (f"The bias {OUT} is a `list`, no", *((each, f"{each}.tolist()") for each in BACK)),
    ("After `carry_out` the network's output", *zip(BACK, ZERO, strict=True)),
    ("dense kernel, dense bias); it returns 3", "return 3"),
    ("`carry_in` has to copy: network", (f"{COPY}t", "parameter.set_(t"), None),
    ("`carry_out` has to copy: network", (".copy()", ""), None),
    (RIGHT, (FIRST, EINSUM.format("pco->ocp", "outputs, -1")), (SET, ASSIGN)),
    (RIGHT, (PIXELS, "", FIRST, "dense.T", PT, CHANNELS_LAST), None),
    (RIGHT, None, (LAST, EINSUM.format("ocp->pco", "-1, outputs"))),
)
carry.cannot("tensorflow", "All is right", "has to copy:", why="Keras gives copies only")

layout = Mistakes("layout")
TURN, FLAT = ("[0, 3, 1, 2]> (images)", "[0, 3, 2, 1]> (images)"), ("Flatten (last)", "Flatten (a)")
W1 = ('"w1": w1', '"w1": w1.swapaxes(2, 3)'), ("transpose(3, 2, 0, 1)", "transpose(3, 2, 1, 0)")
ALL = *TURN, "[0, 2, 3, 1]", "[0, 3, 2, 1]"
SAVE, REFUSES = "save(nodes, arrays, path, shape)", "ONNX Runtime refuses the file: "
SPOIL = f"{SAVE}; b1 += 1", f"{SAVE}; model.weights[1].assign(b1 + 1)"
PERMUTED = (
    ('"w2": w2', '"w2": w2.reshape(len(b2), -1, len(b1)).swapaxes(1, 2).reshape(w2.shape)'),
    ('"w2": w2', '"w2": w2.reshape(-1, len(b1), len(b2)).swapaxes(0, 1).reshape(w2.shape)'),
)
rows(
    layout,
    (f"The file's output is as if {ORDER}.", FLAT),
    ("as if height and width of the images are swapped.", TURN),
    (f"as if {ORDER}, and height and width of the images are", TURN + FLAT),
    (f"as if height and width {KERNEL} swapped.", *W1),
    ("as if height and width swap before the flatten.", ALL[2:]),
    (f"{KERNEL} swapped, and {ORDER}.", W1[0] + FLAT, W1[1] + FLAT),
    (REFUSES, (" <transB = 1>", ""), ("Gemm", "Gemm <transB = 1>")),
    (REFUSES, (SAVE, "save(nodes, arrays, path, (8, 8, 1))")),
    (f"The file's output {VALUES}", ('"b2": b2', '"b2": 2 * b2')),
    ("After `write` the network's own output", *((SAVE, each) for each in SPOIL)),
    ("`write` writes no file at `path`", (SAVE, "pass")),
    (RIGHT, ALL + W1[0], ALL + W1[1]),
    (RIGHT, FLAT + PERMUTED[0], FLAT + PERMUTED[1]),
)

export = Mistakes("export")
MINE, CALL = "model = copy.deepcopy(model).eval()  # the caller's mode stays", "model.export("
END, THEN = "verbose=False)", "verbose=False)\n    {}"
FIXED = ('dynamic_shapes=({0: "n"},),', ""), ("[None, 8", "[2, 8")
FREE = """file = onnx.load(path)
    for each in *file.graph.input, *file.graph.output:
        each.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.save(file, path)"""
NAMED = END, THEN.format(FREE)
MODES = MINE, "modes = {m: m.training for m in model.modules()}\n    model.eval()"
BACK = END, THEN.format("for m in modes:\n        m.training = modes[m]")
TWO = THEN.format("model.save(path.with_suffix('.keras'))")
X = "x = keras.Input([8, 8, 1], name='images')\n    model = keras."
TRAIN = CALL, f"model(np.ones([1, 8, 8, 1]), training=True)\n    {CALL}"
LESS = CALL, f"{X}Sequential([x, *model.layers[:-1]])\n    {CALL}"
WRAP = CALL, f"{X}Model(x, model(x))\n    {CALL}"
NAMES, AXES = '"input_names": ["images"]', '"dynamic_axes": {"images": [0]}'
OLD = f"""
options = {{{NAMES}, {AXES}, "dynamo": False}}
torch.onnx.export(copy.deepcopy(model).eval(), torch.ones(5, 1, 8, 8), path, **options)
"""  # the exporter that torch had before takes a twentieth of the time


def old(before: str, after: str) -> str:
    """The right answer with the old exporter, changed."""
    assert before in OLD
    return OLD.replace(before, after)


rows(
    export,
    ("number of images is fixed in the file: [", old(AXES, '"dynamic_axes": None'), FIXED[1]),
    ("For a batch of 1, ONNX Runtime refuses the file", FIXED[0] + NAMED, FIXED[1] + NAMED),
    ("are ['x']; there must be one, `images`", old('["images"]', '["x"]'), ('"images"', '"x"')),
    ("one file, net.onnx; it writes [", ("external_data=False,", ""), (END, TWO)),
    ("one file, net.onnx; it writes none", "print(model)"),
    ("`onnx.checker` refuses the file: ", 'path.write_text("no")'),
    (
        "was it run for training?",
        old("options =", "model(torch.ones(9, 1, 8, 8))\noptions ="),
        TRAIN,
    ),
    (f"For a batch of 1 the file's output {VALUES}", old(".eval()", ".eval()[:-1]"), LESS),
    ("differ, not optimised: dropout is active", (".eval()", ""), None),
    ("left in another mode", (MODES[0], MODES[1].replace("modules", "children"), *BACK), None),
    ("has never called", None, ("input_signature=[images],", "")),
    (RIGHT, MODES + BACK, WRAP),
    (RIGHT, OLD, ("tf.TensorSpec(", "keras.KerasTensor(", "tf.float32", "'float32'")),
)
NONE = "Two runs of the file", "parts of the network are left"
export.cannot("tensorflow", *NONE, why="Keras exports no dropout, and has no mode")

interpreter = Mistakes("interpreter")
PADS, AFTER, TENSOR = "top, left, bottom, right = pads", "def max_pool", "it must be a tensor"
OTHER = "old = gemm\n\n\ndef gemm(*x, **y):\n    return {} old(*x, **y)\n\n\ndef max_pool"
T_A = ("a.T if transA", "a.T if a.shape[1] != b.shape[transB]")
T_B = ("bool(transA)", "a.shape[0] == b.shape[transB]")
WINDOW = "strides=(1, 1)", "strides=0", "kernel_shape, strides,", "kernel_shape, strides or [3, 4],"
ADD = "product + beta * c", "torch.add(product, c, alpha=beta)"
NEGATIVE = "tf.pad(x, around, constant_values=-", "-tf.pad(-x, around, constant_values="
rows(
    interpreter,
    ("is as if there were no `alpha`", ("alpha * (", "("), ("alpha * product", "product")),
    ("is as if there were no `beta`", ("beta * c", "(beta or 1) * c")),
    ("with transA=1, alpha=", T_A, None),
    ("with transB=1: the result", None, T_B),
    (f"no attributes: the result {VALUES}", (AFTER, OTHER.format("2 *"))),
    (TENSOR, (AFTER, OTHER.format("0 and"))),
    ("the result has shape", (PADS, "top, bottom, left, right = pads")),
    ("a window moves by 1", ("strides=(1, 1)", "strides=()"), WINDOW),
    ("lets a padded place win", ("-torch.inf", "0"), ("-np.inf", "-1e9")),
    (f"the result {VALUES}", (PADS, f"{PADS}\n    x = x - 1e29")),
    (RIGHT, ("-torch.inf", "torch.finfo(x.dtype).min"), ("-np.inf", "x.dtype.min")),
    (RIGHT, ADD, NEGATIVE),
    (RIGHT, (PADS, f"{PADS}\n    pads *= 0")),  # a list is emptied
)

loader = Mistakes("loader")
SAFE, NPZ = "safetensors.numpy.load_file(path)", "dict(np.load(path, allow_pickle=False))"
CHECK, READ = "onnx.checker.check_model(path)", "arrays = onnx.load(path).graph.initializer"
OTHER = 'raise ValueError(f"{path.name} is of no kind that is taken.")'
PICKLE = "__import__('pickle').loads(path.read_bytes())"
RAN, RAISE = " is a pickle under another name, and that ran", ". Raise an error: `load` returns "
ZIPPED = "dict(np.load(path, allow_pickle=path.read_bytes()[:2] == b'PK'))"
PART = "{n: np.load(path)[n] for n in np.load(path) if n != 'bias'}"
HALVES = "{n: a.astype('e') for n, a in np.load(path).items()}"
UNSAFE = "keras.config.enable_unsafe_deserialization()\n        model = "
SIZE = CHECK, "assert path.stat().st_size"
BY_HAND = """arrays = onnx.load(path, load_external_data=False).graph.initializer
        for a in arrays:
            if where := {e.key: e.value for e in a.external_data}:
                a.data_location, start = 0, int(where["offset"])
                data = (path.parent / where["location"]).read_bytes()
                a.raw_data = data[start : start + int(where["length"])]"""
rows(
    loader,
    (f"`pickle.npz`{RAN}", ("allow_pickle=False", "allow_pickle=True")),
    (f"`pickle.pt`{RAN}", ("weights_only=True", "weights_only=False"), None),
    ("in a `Lambda` layer, and that ran", None, ("safe_mode=True", "safe_mode=False")),
    ("in a `Lambda` layer, and that ran", None, ("model = ", UNSAFE)),
    (f"`pickle.dat`{RAN}", (OTHER, f"return {PICKLE}")),
    (f"`pickle.dat` is a pickle under another name{RAISE}", (OTHER, "return {}")),
    ("beside a weight, and that ran", (NPZ, ZIPPED)),
    (f"beside a weight{RAISE}", (NPZ, PART)),
    (f"`good.npz.npy` is of no kind that you take{RAISE}", (OTHER, "return {**np.load(path)}")),
    (f"`empty.onnx` is empty{RAISE}", (CHECK, "")),
    (f"takes its weights from outside its folder{RAISE}", (*SIZE, READ, BY_HAND)),
    ("For `good.safetensors` `load` returns a `list`", (SAFE, f"[*{SAFE}.values()]")),
    ("or in what `load` returns, and not", ("name: t", "name.title(): t"), ("w.path:", "w.name:")),
    ("`, no NumPy array", ("t.numpy()", "t"), ("w.numpy()", "w.value")),
    ("of `good.npz` has dtype float16, it must", (NPZ, HALVES)),
    (RIGHT, (*SIZE, NPZ, "{**np.load(path)}")),
    (RIGHT, (SAFE, "safetensors.numpy.load(path.read_bytes())")),
)
