"""Lesson 12, below Python and beyond the desk: its exercise's checks, which need no compiler."""

import inspect
import pathlib
import tempfile

from paired.checks import adapters
from paired.checks.answers import Choice, Halves, Number, task
from paired.checks.judging import Wrong, call, compare, kind_of, refuse

import numpy as np


def flawed(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """What the two files of task 2 were calibrated with, by name: pixels sorted by label."""
    flat = pixels.reshape(-1, 64).astype("float32")
    return {"A": flat[:10] / 255, "B": flat[::15]}


def onnx_file(weights: list[np.ndarray], path: pathlib.Path) -> pathlib.Path:
    """Two dense layers, (inputs, outputs), in a file of ONNX: PyTorch's exporter takes seconds."""
    import onnx
    from onnx import helper

    names = "a", "b", "c", "d"
    nodes = [
        helper.make_node("Gemm", ["images", "a", "b"], ["before"], name="first"),
        helper.make_node("Relu", ["before"], ["hidden"], name="relu"),
        helper.make_node("Gemm", ["hidden", "c", "d"], ["scores"], name="second"),
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", size])
        for name, size in (("images", 64), ("scores", 10))
    ]
    tensors = [onnx.numpy_helper.from_array(w, n) for n, w in zip(names, weights, strict=True)]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch."""

    def forms(self, x: np.ndarray) -> list[tuple]:
        """An array as tensors that lie in memory in different ways, each with what to say of it."""
        given = self.tensor(x)
        return [(given, "")] + ([(given.mT.contiguous().mT, ", transposed")] if x.ndim > 1 else [])

    def judge_operation(self, op, said: str, *tensors) -> None:
        """Raise `Wrong` unless an operation of the student's own is what captures rely on."""
        import torch
        from torch.utils._python_dispatch import TorchDispatchMode

        seen = set()

        class Calls(TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                seen.add(func.namespace)
                return func(*args, **kwargs or {})

        with Calls():
            op(*tensors)
        if not isinstance(op, torch.library.CustomOpDef) or seen != {"exercise"}:
            raise Wrong("It must be your operation `exercise::...`, and call no other one instead.")
        only = "test_schema", "test_faketensor"
        found = torch.library.opcheck(op, tensors, test_utils=only, raise_exception=False)
        for test, result in found.items():
            text = str(result).partition("\n")[0]
            refuse({"The fake still returns `...`.": "Ellipsis" in text})
            refuse({f"{said}, `opcheck` finds in `{test}`: {text}": result != "SUCCESS"})

    def body(self, op):
        """The Python function of an operation."""
        return getattr(op, "_init_fn", op)

    def vjp(self, op, dy: np.ndarray, *arrays: np.ndarray) -> tuple:
        """An operation's gradients for x and b, asked for after a later call."""
        import torch

        leaves = [self.variable(array) for array in arrays]
        both, dy = (op(*leaves[:2]), op(*leaves[2:])), self.tensor(dy)
        if not both[0].requires_grad:
            return None, None
        before = dy.clone()
        try:
            found = torch.autograd.grad(both, leaves, (dy, dy), allow_unused=True)
        except RuntimeError as error:
            refuse({"`back` still returns `...`.": "ellipsis" in str(error)})
            raise
        refuse({"`back` changes `dy`, which is not its own.": not torch.equal(dy, before)})
        return found[:2]

    def network(self, weights: list[np.ndarray], folder: pathlib.Path) -> pathlib.Path:
        """Two dense layers with these weights, as a file of ONNX."""
        return onnx_file(weights, folder / "float32.onnx")

    def contents(self, net: pathlib.Path):
        """What a network consists of, to be compared."""
        return net.read_bytes() if net.exists() else None

    def run(self, file: bytes, images: np.ndarray) -> np.ndarray:
        """The scores by a file."""
        import onnxruntime

        session = onnxruntime.InferenceSession(file)
        return session.run(None, {session.get_inputs()[0].name: images})[0]


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    def forms(self, x: np.ndarray) -> list[tuple]:
        """As `PyTorch.forms`: there is one."""
        return [(self.tensor(x), "")]

    def judge_operation(self, op, said: str, *tensors) -> None:
        """Raise `Wrong` unless a node of the student's own is what graphs rely on."""
        import tensorflow as tf

        captured, x = tf.function(op).get_concrete_function(*tensors), tensors[0]
        graph, said, before = captured.graph.as_graph_def(), f"{said}, in a graph", x.numpy().copy()
        nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
        y = captured.structured_outputs
        refuse({
            "It must be a node with Python code of yours, `tf.numpy_function`.": not (
                {node.op for node in nodes} & {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
            ),
            f"{said}, the result has the shape {y.shape}.": y.shape != x.shape,
            f"{said}, the result has another type.": y.dtype != x.dtype,
        })  # fmt: skip
        compare(f"{said}, the result", captured(*tensors), op(*tensors).numpy(), relative=1e-6)
        refuse({f"{said}, your code changes x.": not np.array_equal(x.numpy(), before)})

    def body(self, op):
        """As `PyTorch.body`."""
        return inspect.unwrap(getattr(op, "python_function", op))

    def vjp(self, op, dy: np.ndarray, *arrays: np.ndarray) -> tuple:
        """As `PyTorch.vjp`; for a matrix within a graph."""
        import tensorflow as tf

        def gradients(dy, *leaves):
            with tf.GradientTape() as tape:
                tape.watch(leaves)
                y, _ = op(*leaves[:2]), op(*leaves[2:])
            found = tape.gradient(y, leaves[:2], output_gradients=dy)
            refuse({"`back` still returns `...`.": any(each is ... for each in found)})
            return found

        if dy.ndim == 2:
            gradients = tf.function(gradients, autograph=False)
        return gradients(*map(self.tensor, (dy, *arrays)))

    def network(self, weights: list[np.ndarray], folder: pathlib.Path):
        """Two dense layers with these weights, in Keras."""
        import keras

        hidden = keras.layers.Dense(len(weights[1]), activation="relu")
        net = keras.Sequential([keras.Input((64,)), hidden, keras.layers.Dense(10)])
        net.set_weights(weights)
        return net

    def contents(self, net):
        """As `PyTorch.contents`."""
        return [weight.tobytes() for weight in net.get_weights()]

    def run(self, file: bytes, images: np.ndarray) -> np.ndarray:
        """The scores by a file."""
        from ai_edge_litert.interpreter import Interpreter

        runtime = Interpreter(model_content=file)
        [x], [y] = runtime.get_input_details(), runtime.get_output_details()
        runtime.resize_tensor_input(x["index"], images.shape)
        runtime.allocate_tensors()
        runtime.set_tensor(x["index"], images)
        runtime.invoke()
        return runtime.get_tensor(y["index"])


# Task 1

ZEROS, CONVERTED = "zeros need a gradient that says so.", "a conversion needs code that does it."


@task(
    gradient=Choice(
        Halves("B", "C"),
        Halves(
            {"A": ZEROS, "C": "the backward pass runs to its end."},
            {"A": ZEROS, "B": "the tape finds the operation, and looks for its gradient."},
        ),
    ),
    refused=Choice(
        Halves("B", "A"),
        Halves(
            {"A": "a type is no key of the dispatcher.", "C": CONVERTED},
            {"B": "a kernel is registered for a type, and there is none for this.", "C": CONVERTED},
        ),
    ),
    scale=Number(
        0.04,
        {
            10.2 / 256: "has 256 steps: from 0 to 255 there are 255.",
            8.2 / 255: "leaves out what lies below 0.",
            0.08: "is half as fine as it can be.",
        },
        tolerance=5e-5,
    ),
    stored=Number(
        75,
        {25: "stands for -1.0: 0.0 is stored as 50.", 255: "stands for the largest number."},
    ),
    becomes=Number(
        8.2,
        {10: "would take a q of 300.", 10.2: "is the length of the range, not its end."},
        tolerance=1e-6,
    ),
)
def predict(framework) -> str:
    """What a call finds, and what 8 bits keep."""
    return "All five are right."


# Task 2

NARROW, WIDE = "scores are cut off at the top.", "few different scores are left, and coarse ones."


@task(file_a=Choice("narrow", {"wide": NARROW}), file_b=Choice("wide", {"narrow": WIDE}))
def samples(framework, samples) -> str:
    """What was wrong with two files, and images to calibrate with."""
    rng = np.random.default_rng()
    for few, most, brightest in ((3, 200, 255), (0, 30, 200), (60, 200, 255)):
        counts = rng.permutation([few, 22, *rng.integers(most // 5 + 20, most, 8)])
        labels = np.repeat(np.arange(10), counts)
        pixels = rng.integers(0, brightest + 1, (len(labels), 8, 8)).astype("uint8")
        chosen = call(samples, pixels=pixels, labels=labels)
        said = kind_of(chosen)
        if isinstance(chosen, np.ndarray):
            said = f"{chosen.dtype} of shape {chosen.shape}"
        if not said.startswith("float32 of shape (") or chosen.shape[1:] != (64,):
            raise Wrong(f"It returns {said}; the network takes float32 of shape (n, 64).")
        if not 0 < len(chosen) <= 300:
            raise Wrong(f"It returns {len(chosen)} images; it must be 300 at most, and some.")
        if chosen.max() > 1:
            raise Wrong(f"Pixels go up to {chosen.max():g}; the network knows numbers up to 1.")
        index = {row.tobytes(): i for i, row in enumerate(pixels.reshape(-1, 64))}
        found = {index.get(np.rint(row * 255).astype("uint8").tobytes()) for row in chosen}
        if None in found or np.abs(chosen * 255 - np.rint(chosen * 255)).max() > 1e-3:
            raise Wrong("An image is none of `pixels`, or its numbers are not divided by 255.")
        have = np.bincount(labels[sorted(found)], minlength=10)
        lack = np.minimum(counts, 20) - have
        if lack[label := lack.argmax()] > 0:
            raise Wrong(f"Of label {label} there are {counts[label]}, and you take {have[label]}.")
    return "Each class is there, as the network gets it."


# Task 3


def kernel(framework, relu6, code) -> str:
    """An operation that is right for other shapes, and in captures."""
    rng = np.random.default_rng()
    for shape in ((4, 4), (3, 5), (9,), (), (0, 3), (2, 3, 4), (1, 17)):
        for dtype in ("float64", "float32"):
            x = np.asarray(rng.uniform(-9, 15, shape), dtype)
            for given, form in framework.forms(x):
                said = f"For x of shape {shape}, {dtype}{form}"
                compare(f"{said}, the result", call(relu6, x=given), x.clip(0, 6))
                framework.judge_operation(relu6, said, given)
    return "It is right for each of these shapes and types, and says so beforehand."


# Task 4

CALLED = []  # by graphs of an earlier check, too


def gradient(framework, squareplus, back) -> str:
    """The gradients of an operation, and its shape beforehand."""
    rng, names = np.random.default_rng(), getattr(framework.body(squareplus), "__globals__", {})
    code = names.get("squareplus_code")
    CALLED.clear()

    def noted(x, b):
        CALLED.append(1)
        return code(x, b)

    def slope(x, b):
        return (1 + x / np.sqrt(x * x + b)) / 2

    for shape, dtype in (((5,), "f8"), ((2, 3), "f4"), ((), "f8"), ((3, 1, 2), "f8")):
        x, later, dy = rng.normal(size=(3, *shape)).astype(dtype)
        b = np.asarray(rng.uniform(1, 6), dtype)
        root, close = np.sqrt(x * x + b), 1e-5 if dtype == "f4" else 1e-12
        given = {"x": framework.tensor(x), "b": framework.tensor(b)}
        names |= {"squareplus_code": noted} if code else {}
        try:
            y = call(squareplus, **given)
        finally:
            names |= {"squareplus_code": code} if code else {}
        compare("The result", y, (x + root) / 2, relative=close)
        said = f"For x of shape {shape}, {x.dtype}"
        framework.judge_operation(squareplus, said, *given.values())
        dx, db = framework.vjp(squareplus, dy, x, b, later, b + 1)
        compare("The gradient for x", dx, dy * slope(x, b), relative=close, mistakes={
            "is the derivative: multiply it by `dy`.": slope(x, b),
            "is that of a width of 4: b varies.": dy * slope(x, 4),
            "is that of a later call: `back` needs this call's x and b.": dy * slope(later, b + 1),
        })  # fmt: skip
        share = 1 / (4 * root)
        note = "b is one number, and so is its gradient."
        compare("The gradient for b", db, (dy * share).sum(), relative=close, shape_note=note,
                mistakes={
            "is a mean: each number of x has its part in it.": (dy * share).mean(),
            "is the derivative: multiply it by `dy`.": share.sum(),
            "is twice what it must be: √ gives a 2, and y is halved.": 2 * (dy * share).sum(),
        })  # fmt: skip
    refuse({"The result must be that of `squareplus_code`, which is not called.": not CALLED})
    return "Both gradients are right, and the shape is known beforehand."


# Task 5


def device(framework, shrink) -> str:
    """A file that is small, and near the network."""
    rng = np.random.default_rng()
    hidden = int(rng.integers(256, 300))
    shapes = (64, hidden), (hidden,), (hidden, 10), (10,)
    weights = [(rng.normal(size=s) / np.sqrt(s[0])).astype("f") for s in shapes]
    a, b, c, d = weights
    images = rng.uniform(size=(200, 64)).astype("f")
    images[:10] /= 5  # calibrated with the first ones, ranges are too narrow
    # Between images, or what lies outside their ranges by chance would be cut off in right files.
    test = (images + rng.permutation(images)) / 2
    with tempfile.TemporaryDirectory(suffix=" fürs Gerät") as folder:
        folder = pathlib.Path(folder)
        to = folder / "64 KB.file"
        net = framework.network(weights, folder)
        before = framework.contents(net)
        call(shrink, net=net, images=images, to=to)
        changed = framework.contents(net) != before
        refuse({"Your function changes the network that it is given.": changed})
        refuse({"There is no file at `to`.": not to.is_file()})
        file = to.read_bytes()
    if len(file) >= 65_536:
        raise Wrong(f"The file has {len(file):,} bytes: too many for the device.")
    try:
        scores = framework.run(file, test)
    except Exception as error:
        text = str(error).partition("\n")[0][:150]
        raise Wrong(f"The runtime does not take the file, with float32: {text}") from None
    right = np.maximum(test @ a + b, 0) @ c + d
    if scores.shape != right.shape or scores.dtype != np.float32:
        raise Wrong(
            f"Scores are {scores.dtype} of shape {scores.shape}, not float32 {right.shape}."
        )
    error = np.abs(scores - right).max() / np.abs(right).max()
    if not error <= 0.1:
        raise Wrong(f"A score differs by {error:.0%} of the largest; at most 10% is allowed.")
    return "The file is small enough, and so are its errors."


TASKS = (predict, samples, kernel, gradient, device)
