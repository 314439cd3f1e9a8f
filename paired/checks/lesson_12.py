"""Lesson 12, below Python and beyond the desk: its exercise's checks, which need no compiler."""

import pathlib
import tempfile

from paired.checks import adapters
from paired.checks.answers import Choice, Halves, Number, task
from paired.checks.judging import Wrong, call, compare, refuse

import numpy as np


def flawed(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """What the two files of task 2 were calibrated with, by name: pixels sorted by label."""
    flat = pixels.reshape(-1, 64).astype("float32")
    return {"A": flat[:10] / 255, "B": flat[::15]}


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
            refuse({f"{said}, `opcheck` finds in `{test}`: {text}": result != "SUCCESS"})

    def vjp(self, op, x: np.ndarray, b: np.ndarray, dy: np.ndarray) -> tuple:
        """What an operation gives, and its gradients for x and b."""
        import torch

        leaves = [self.variable(x), self.variable(b)]
        y = call(op, x=leaves[0], b=leaves[1])
        if not isinstance(y, torch.Tensor) or not y.requires_grad:
            return y, None, None
        return y.detach(), *torch.autograd.grad(y, leaves, self.tensor(dy), allow_unused=True)

    def network(self, weights: list[np.ndarray], folder: pathlib.Path) -> pathlib.Path:
        """Two dense layers with these weights, as a file of ONNX."""
        import onnx
        from onnx import helper

        names = "a", "b", "c", "d"
        nodes = [
            helper.make_node("Gemm", ["images", "a", "b"], ["before"]),
            helper.make_node("Relu", ["before"], ["hidden"]),
            helper.make_node("Gemm", ["hidden", "c", "d"], ["scores"]),
        ]
        ends = [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", size])
            for name, size in (("images", 64), ("scores", 10))
        ]
        tensors = [onnx.numpy_helper.from_array(w, n) for n, w in zip(names, weights, strict=True)]
        graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, folder / "float32.onnx")
        return folder / "float32.onnx"

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
                {node.op for node in nodes} & {"PyFunc", "EagerPyFunc"}
            ),
            f"{said}, the result has the shape {y.shape}.": y.shape != x.shape,
            f"{said}, the result has another type.": y.dtype != x.dtype,
        })  # fmt: skip
        compare(f"{said}, the result", captured(*tensors), op(*tensors).numpy(), relative=1e-6)
        refuse({f"{said}, your code changes x.": not np.array_equal(x.numpy(), before)})

    def vjp(self, op, x: np.ndarray, b: np.ndarray, dy: np.ndarray) -> tuple:
        """As `PyTorch.vjp`."""
        import tensorflow as tf

        leaves = [self.tensor(x), self.tensor(b)]
        with tf.GradientTape() as tape:
            tape.watch(leaves)
            y = call(op, x=leaves[0], b=leaves[1])
        if not tf.is_tensor(y):
            return y, None, None
        return y, *tape.gradient(y, leaves, output_gradients=self.tensor(dy))

    def network(self, weights: list[np.ndarray], folder: pathlib.Path):
        """Two dense layers with these weights, in Keras."""
        import keras

        hidden = keras.layers.Dense(len(weights[1]), activation="relu")
        net = keras.Sequential([keras.Input((64,)), hidden, keras.layers.Dense(10)])
        net.set_weights(weights)
        return net

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

UNLESS = "would need code that says so."


@task(
    gradient=Choice(
        Halves("B", "C"),
        Halves(
            {"A": UNLESS, "C": "the backward pass runs to its end."},
            {"A": UNLESS, "B": "the tape finds the operation, and looks for its gradient."},
        ),
    ),
    refused=Choice(
        Halves("B", "A"),
        Halves(
            {"A": "a type is no key of the dispatcher.", "C": UNLESS},
            {"B": "a kernel is registered for a type, and there is none for this.", "C": UNLESS},
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
    for few in (3, 0, 60):
        counts = rng.permutation([few, 22, *rng.integers(40, 200, 8)])
        labels = np.repeat(np.arange(10), counts)
        pixels = rng.integers(0, 256, (len(labels), 8, 8)).astype("uint8")
        chosen = np.asarray(call(samples, pixels=pixels, labels=labels))
        if chosen.dtype != np.float32 or chosen.ndim != 2 or chosen.shape[1] != 64:
            said = f"{chosen.dtype} of shape {chosen.shape}"
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
        for label in np.flatnonzero(have < np.minimum(counts, 20)):
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


def gradient(framework, squareplus, back) -> str:
    """The gradients of an operation, and its shape beforehand."""
    rng = np.random.default_rng()
    for shape, dtype in (((5,), "float64"), ((2, 3), "float32"), ((3, 1, 2), "float64")):
        x, dy = rng.normal(size=(2, *shape)).astype(dtype)
        b = np.asarray(rng.uniform(1, 6), dtype)
        root, close = np.sqrt(x * x + b), 1e-5 if dtype == "float32" else 1e-12
        y, dx, db = framework.vjp(squareplus, x, b, dy)
        compare("The result", y, (x + root) / 2, relative=close)
        slope, share = (1 + x / root) / 2, 1 / (4 * root)
        compare("The gradient for x", dx, dy * slope, relative=close, mistakes={
            "is the derivative: multiply it by `dy`.": slope,
            "is that of a width of 4: b varies.": dy * (1 + x / np.sqrt(x * x + 4)) / 2,
        })  # fmt: skip
        note = "b is one number, and so is its gradient."
        compare("The gradient for b", db, (dy * share).sum(), relative=close, shape_note=note,
                mistakes={
            "is a mean: each number of x has its part in it.": (dy * share).mean(),
            "is the derivative: multiply it by `dy`.": share.sum(),
            "is twice what it must be: √ gives a 2, and y is halved.": 2 * (dy * share).sum(),
        })  # fmt: skip
        said = f"For x of shape {shape}, {dtype}"
        framework.judge_operation(squareplus, said, framework.tensor(x), framework.tensor(b))
    return "Both gradients are right, and the shape is known beforehand."


# Task 5


def device(framework, shrink) -> str:
    """A file that is small, and near the network."""
    rng = np.random.default_rng()
    hidden = int(rng.integers(256, 300))
    shapes = (64, hidden), (hidden,), (hidden, 10), (10,)
    weights = [(rng.normal(size=s) / np.sqrt(s[0])).astype("f") for s in shapes]
    a, b, c, d = weights
    images, test = rng.uniform(size=(2, 200, 64)).astype("f")
    with tempfile.TemporaryDirectory(suffix=" fürs Gerät") as folder:
        folder = pathlib.Path(folder)
        to = folder / "64 KB.file"
        net = framework.network(weights, folder)
        call(shrink, net=net, images=images, to=to)
        if not to.is_file():
            raise Wrong("There is no file at `to`.")
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
