"""Lesson 09, exchange: the checks of its exercise.

Weights are drawn anew, (outputs, inputs, height, width) for a dense layer too, and NumPy computes
the logits. ONNX Runtime runs what an answer writes. What a stranger's file would run is to make a
folder, by which the check sees that it ran.
"""

import contextlib
import copy
import functools
import itertools
import os
import pathlib
import pickle
import tempfile
import textwrap
from collections.abc import Callable, Iterator

from paired.checks import adapters
from paired.checks.adapters import must_be_tensor
from paired.checks.answers import Number, task
from paired.checks.judging import Wrong, call, compare, kind_of, parts, refuse, to_numpy

import numpy as np

close_to = functools.partial(compare, relative=1e-5)  # what is computed in float32


def torch_layout(kernel, bias, dense, dense_bias) -> list[np.ndarray]:
    """Weights as PyTorch's layers keep them."""
    return [kernel, bias, dense.reshape(len(dense), -1), dense_bias]


def keras_layout(kernel, bias, dense, dense_bias) -> list[np.ndarray]:
    """Weights as Keras's layers keep them."""
    dense = dense.transpose(2, 3, 1, 0).reshape(-1, len(dense))
    return [kernel.transpose(2, 3, 1, 0), bias, dense, dense_bias]


def last_as_first(dense: np.ndarray) -> np.ndarray:
    """A dense layer's weight if the order of its inputs is channels-last, and read otherwise."""
    return dense.transpose(0, 2, 3, 1).reshape(dense.shape)


def first_as_last(dense: np.ndarray) -> np.ndarray:
    """The other way round."""
    outputs, channels, *size = dense.shape
    return dense.reshape(outputs, *size, channels).transpose(0, 3, 1, 2)


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch."""

    own, foreign = staticmethod(torch_layout), staticmethod(keras_layout)
    misread, suffix, alike = staticmethod(last_as_first), ".pt", ".pth"

    def network(self, weights: list, channels_last: bool = False):
        """Convolution, ReLU, flatten, dense; the flatten may be channels-last."""
        from torch import nn

        class ChannelsLast(nn.Module):
            def forward(self, x):
                return x.permute(0, 2, 3, 1)

        kernel, bias, dense, dense_bias = weights
        first = nn.Conv2d(*kernel.shape[1::-1], 3), nn.ReLU(), *[ChannelsLast()] * channels_last
        model = nn.Sequential(*first, nn.Flatten(), nn.Linear(dense[0].size, len(dense)))
        dense = dense.transpose(0, 2, 3, 1) if channels_last else dense
        arrays = map(self.tensor, torch_layout(kernel, bias, dense, dense_bias))
        model.load_state_dict(dict(zip(model.state_dict(), arrays, strict=True)))
        return model

    def logits(self, model, images: np.ndarray) -> np.ndarray:
        """A network's logits in evaluation mode, of images (n, channels, height, width)."""
        return copy.deepcopy(model).eval()(self.tensor(images)).detach().numpy()

    def memory(self, model) -> list[np.ndarray]:
        """A network's parameters, as arrays that share their memory."""
        return [parameter.detach().numpy() for parameter in model.parameters()]

    def trained(self):
        """A network with what differs between its modes, a part of it frozen."""
        from torch import nn

        body = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4).eval(), nn.ReLU(), nn.Flatten(), nn.Dropout()
        model = nn.Sequential(nn.Sequential(*body), nn.Linear(144, 10), nn.BatchNorm1d(10))
        for value in model.state_dict().values():
            value.copy_(self.tensor(np.random.default_rng().random(value.shape)))
        return model

    def state(self, model) -> tuple[list[bool], dict[str, np.ndarray]]:
        """The modes of a network's parts, and the arrays that it keeps, by name."""
        arrays = {name: to_numpy(value).copy() for name, value in model.state_dict().items()}
        return [module.training for module in model.modules()], arrays

    def save(self, path: pathlib.Path) -> dict[str, np.ndarray]:
        """Write a good file of the framework's own; the arrays in it."""
        import torch

        torch.save((model := self.trained()).state_dict(), path)
        return self.state(model)[1]

    def save_program(self, path: pathlib.Path, program, flag: pathlib.Path) -> str:
        """Write a file of the framework's own with a program in it; what that is."""
        import torch

        torch.save({"bias": program, "weight": torch.ones(2)}, path)
        return "holds a pickled program beside a weight"


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    own, foreign = staticmethod(keras_layout), staticmethod(torch_layout)
    misread, suffix, alike = staticmethod(first_as_last), ".keras", ".h5"

    def settings(self) -> dict[str, tuple[object, Callable]]:
        """As before, and whether Keras runs programs whatever `safe_mode` says."""
        if not (found := super().settings()):
            return found
        from keras.src.backend.common import global_state

        def let(run: bool) -> None:
            global_state.set_global_attribute("safe_mode_saving", False if run else None)

        runs = global_state.get_global_attribute("safe_mode_saving") is False
        return found | {"keras.config.enable_unsafe_deserialization()": (runs, let)}

    def network(self, weights: list, channels_last: bool = True):
        import keras
        from keras import layers

        (filters, channels, *_), (outputs, _, *size) = weights[0].shape, weights[2].shape
        body = layers.Conv2D(filters, 3), layers.ReLU(), layers.Flatten(), layers.Dense(outputs)
        model = keras.Sequential([keras.Input([size[0] + 2, size[1] + 2, channels]), *body])
        model.set_weights(keras_layout(*weights))
        return model

    def logits(self, model, images: np.ndarray) -> np.ndarray:
        return to_numpy(model(images.transpose(0, 2, 3, 1)))

    def memory(self, model) -> list[np.ndarray]:
        return []  # NumPy gets copies only

    def trained(self):
        import keras
        from keras import layers

        body = layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.Flatten()
        ends = layers.Dropout(0.5), layers.Dense(10), layers.BatchNormalization()
        model = keras.Sequential([keras.Input([8, 8, 1]), *body, *ends])
        rng = np.random.default_rng()
        model.set_weights([rng.random(weight.shape) for weight in model.get_weights()])
        return model

    def state(self, model) -> tuple[list[bool], dict[str, np.ndarray]]:
        return [], {weight.path: to_numpy(weight) for weight in model.weights}

    def save(self, path: pathlib.Path) -> dict[str, np.ndarray]:
        import keras

        self.trained().save(path)
        return self.state(keras.saving.load_model(path))[1]  # its paths are shorter

    def save_program(self, path: pathlib.Path, program, flag: pathlib.Path) -> str:
        import keras

        inputs, name = keras.Input([3]), str(flag)
        run = keras.layers.Lambda(lambda x: __import__("os").makedirs(name, exist_ok=True) or x)
        keras.Model(inputs, run(inputs)).save(path)
        flag.rmdir()  # Keras has just run it, for the shape
        return "holds a program in a `Lambda` layer"


def run(file: bytes, *inputs: np.ndarray) -> np.ndarray:
    """What ONNX Runtime computes by a file as it is: its optimisations take out a dropout."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # silent
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(file, options)
    names = [each.name for each in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))[0]


def tried(name: str, function: Callable, *given):
    """What a function of a library returns for a student's file, or `Wrong` if it raises."""
    try:
        return function(*given)
    except Exception as error:
        message = textwrap.shorten(str(error) or type(error).__name__, 200)
        raise Wrong(f"{name} refuses the file: {message}") from None


def drawn(wider: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Images (4, channels, height, width), and a network's weights."""
    rng = np.random.default_rng()
    channels, filters, outputs, height = (int(low + rng.integers(3)) for low in (4, 7, 4, 3))
    size = height, height + wider
    shapes = (filters, channels, 3, 3), (filters,), (outputs, filters, *size), (outputs,)
    images = rng.random((4, channels, height + 2, height + wider + 2), "f")
    return images, [rng.normal(size=shape).astype("f") for shape in shapes]


def forward(images, kernel, bias, dense, dense_bias) -> np.ndarray:
    """The logits of a network: convolution, ReLU, flatten, dense."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(2, 3))
    a = np.einsum("nchwij,ocij->nohw", windows, kernel) + bias[:, None, None]
    return np.einsum("nohw,kohw->nk", np.maximum(a, 0), dense) + dense_bias


def misplaced(images: np.ndarray, weights: list, misread: Callable) -> dict[str, np.ndarray]:
    """The logits that wrong layouts give, each alone and together, by what to say of them."""
    found, faults = {}, [
        ("height and width of the convolution's kernel are swapped", 1, weights[0].swapaxes(2, 3)),
        ("the dense layer's inputs are in another order", 3, misread(weights[2])),
    ]  # fmt: skip
    if images.shape[2] == images.shape[3]:
        faults.append(("height and width of the images are swapped", 0, images.swapaxes(2, 3)))
        faults.append(("height and width swap before the flatten", 3, weights[2].swapaxes(2, 3)))
    for some in (some for n in (1, 2, 3) for some in itertools.combinations(faults, n)):
        given = [images, *weights]
        for _, place, array in some:
            given[place] = array
        found[f"is as if {', and '.join(text for text, *_ in some)}."] = forward(*given)
    return found


def bound(function: Callable, *given, **options) -> Callable:
    """A function with first arguments and options; what is no function stays, for `call`."""
    return functools.partial(function, *given, **options) if callable(function) else function


# Task 1


def carry(framework, carry_in, carry_out) -> str:
    """Carry weights from the other framework's layout into a network, and back."""
    images, weights = drawn(wider=2)
    right, arrays = forward(images, *weights), framework.foreign(*weights)
    mistakes = misplaced(images, weights, framework.misread)
    mistakes["is as before: `carry_in` changes nothing."] = 0 * right
    others = [each + 1 for each in weights]
    into, out = framework.network([0 * each for each in weights]), framework.network(others)
    call(bound(carry_in, into), arrays=arrays)
    output = "After `{}` the network's output"
    close_to(output.format("carry_in"), framework.logits(into, images), right, mistakes=mistakes)
    names = "kernel", "bias", "dense kernel", "dense bias"
    carried = parts("carry_out", call(carry_out, model=out), *names)
    plain = {"is transposed, and its inputs keep their order.": framework.own(*others)[2].T}
    for name, array, expected in zip(names, carried, framework.foreign(*others), strict=True):
        name = f"The {name} that `carry_out` returns"
        if not isinstance(array, np.ndarray):
            raise Wrong(f"{name} is a `{type(array).__name__}`, no NumPy array.")
        close_to(name, array, expected, mistakes=plain)
    close_to(output.format("carry_out"), framework.logits(out, images), forward(images, *others))
    for name, model, given in ("carry_in", into, arrays), ("carry_out", out, carried):
        pairs = itertools.product(given, framework.memory(model))
        if any(itertools.starmap(np.shares_memory, pairs)):
            raise Wrong(f"All is right, but `{name}` has to copy: network and array share memory.")
    return "Both ways the numbers arrive where they belong."


# Task 2


@task(
    channels_first=Number(14, {
        5: "is the place in channels-last order.",
        15: "counts from 1: the first place is 0.",
        18: "takes columns before rows: a row lies in one piece.",
    }),
    channels_last=Number(5, {
        14: "is the place in channels-first order.",
        6: "counts from 1: the first place is 0.",
        13: "takes columns before rows: a row lies in one piece.",
    }),
)  # fmt: skip
def layout(framework, write) -> str:
    """Predict two places after a flatten, and write a file that has every layout right."""
    for wider in 0, 2:  # in squares a swap of height and width gives no error
        images, weights = drawn(wider)
        x, model = images.transpose(0, 2, 3, 1), framework.network(weights, channels_last=True)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "net.onnx")
            call(bound(write, model, path), shape=x.shape[1:])
            if not path.exists():
                raise Wrong("`write` writes no file at `path`.")
            runtime = f"For images of shape {x.shape[1:]}, ONNX Runtime"
            logits = tried(runtime, run, path.read_bytes(), x)
        mistakes, right = misplaced(images, weights, last_as_first), forward(images, *weights)
        close_to("The file's output", logits, right, mistakes=mistakes)
        close_to("After `write` the network's own output", framework.logits(model, images), right)
    return "Both places are right, and the file computes what the network computes."


# Task 3


def export(framework, export) -> str:
    """Export a network for any number of images, in evaluation mode."""
    import onnx

    rng, model = np.random.default_rng(), framework.trained()
    modes, arrays = framework.state(model)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "net.onnx")
        call(export, model=model, path=path)
        if (there := sorted(os.listdir(folder))) != [path.name]:
            raise Wrong(f"`export` is to write one file, {path.name}; it writes {there or 'none'}.")
        file = path.read_bytes()
    tried("`onnx.checker`", functools.partial(onnx.checker.check_model, full_check=True), file)
    inputs = onnx.load_from_string(file).graph.input
    number = [dim for each in inputs for dim in each.type.tensor_type.shape.dim[:1]]
    modes_after, after = framework.state(model)
    changed = [name for name, array in arrays.items() if not np.array_equal(array, after[name])]
    refuse({
        f"The file's inputs are {[each.name for each in inputs]}; there must be one, `images`.": (
            [each.name for each in inputs] != ["images"]
        ),
        f"The number of images is fixed in the file: {[dim.dim_value for dim in number]}.": (
            any(dim.HasField("dim_value") for dim in number)
        ),
        f"`export` changes the network's {changed[-1:]}: was it run for training?": changed,
    })  # fmt: skip
    for n in 1, 2, int(rng.integers(3, 9)):
        images = rng.random((n, 1, 8, 8), "f")
        x = images if framework.name == "pytorch" else images.transpose(0, 2, 3, 1)
        logits, again = (tried(f"For a batch of {n}, ONNX Runtime", run, file, x) for _ in range(2))
        if not np.array_equal(logits, again):
            raise Wrong("Two runs of the file differ, not optimised: dropout is active in it.")
        close_to(f"For a batch of {n} the file's output", logits, framework.logits(model, images))
    if modes != modes_after:
        raise Wrong("The file is right, but parts of the network are left in another mode.")
    return "The file takes any number of images, and gives the logits of evaluation mode."


# Task 4


def computed(kind: str, inputs: list[np.ndarray], attributes: dict) -> np.ndarray:
    """What ONNX Runtime computes for one operation."""
    from onnx import helper

    names = [f"input{i}" for i in range(len(inputs))]
    infos = [helper.make_tensor_value_info(name, 1, None) for name in [*names, "output"]]
    node = helper.make_node(kind, names, ["output"], **attributes)
    graph = helper.make_graph([node], kind, infos[:-1], infos[-1:])
    opset = helper.make_opsetid("", 18)
    file = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    return run(file.SerializeToString(), *inputs)


def judge_operation(framework, function, inputs: list, attributes: dict, known: dict) -> None:
    """Raise `Wrong` unless a function computes an operation as ONNX Runtime does."""
    name, kind = ("max_pool", "MaxPool") if "kernel_shape" in attributes else ("gemm", "Gemm")
    tensors = {f"input {i}": framework.tensor(array) for i, array in enumerate(inputs)}
    result, mistakes = call(bound(function, **copy.deepcopy(attributes)), **tensors), dict(known)
    options = ", ".join(f"{key}={value}" for key, value in attributes.items()) or "no attributes"
    name = f"`{name}` of {', '.join(str(each.shape) for each in inputs)} with {options}: the result"
    must_be_tensor(framework, name, result)
    for left_out in attributes:
        less = {key: value for key, value in attributes.items() if key != left_out}
        with contextlib.suppress(Exception):  # without it shapes may not fit
            mistakes[f"is as if there were no `{left_out}`."] = computed(kind, inputs, less)
    right = computed(kind, inputs, attributes)
    note = "without `strides` a window moves by 1." if tuple(result.shape[2:]) == (3, 3) else ""
    close_to(name, result, right, mistakes=mistakes, shape_note=note)


def interpreter(framework, gemm, max_pool) -> str:
    """Write two operations of ONNX, with their attributes and what holds without them."""
    rng = np.random.default_rng()
    m, n, k = (int(each) for each in rng.permutation(np.arange(2, 8))[:3])
    alpha, beta = ({name: float(rng.integers(2, 9) - 0.25)} for name in ("alpha", "beta"))
    for attributes, *shapes in 2 * (
        ({}, (m, k), (k, n)),
        (alpha, (m, k), (k, n), (n,)),
        ({"transA": 1} | beta, (k, m), (k, n), (m, 1)),
        ({"transB": 1, "beta": 0.0} | alpha, (m, k), (n, k), (m, n)),
        ({"transA": 1} | alpha | beta, (k, k), (k, k), ()),
        ({"transB": 1}, (k, k), (k, k)),
    ):
        inputs = [rng.normal(size=shape).astype("f") for shape in shapes]
        judge_operation(framework, gemm, inputs, attributes, {})
    x, known = np.float32(-1e30) * (1 + rng.random((2, 3, 9, 12), "f")), {}
    for pads, *strides in ((),), ((), 2, 3), ((1, 0, 2, 1),), ((0, 2, 1, 0), 3, 1):
        attributes = {"kernel_shape": [3, 4]} | ({"strides": strides} if strides else {})
        if pads:
            zeros = np.pad(x, [(0, 0), (0, 0), pads[::2], pads[1::2]])
            padded = computed("MaxPool", [zeros], attributes)
            known = {"lets a padded place win: it must lose to any number.": padded}
            attributes["pads"] = list(pads)
        judge_operation(framework, max_pool, [x], attributes, known)
    return "Both compute what ONNX Runtime computes."


# Task 5


def good_files(framework, folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, dict]]:
    """Files to take, each made when it is asked for, and the arrays in them."""
    import onnx
    import safetensors.numpy

    rng = np.random.default_rng()
    arrays = {"hidden.weight": rng.normal(size=(3, 4)).astype("f"), "scale": np.array(rng.random())}
    model = onnx.parser.parse_model(
        '<ir_version:10,opset_import:["":18]>g(float[n]x)=>(float[n]y){y=Relu(x)}'
    )
    for name, array in arrays.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    safetensors.numpy.save_file(arrays, path := folder / "good.safetensors")
    yield path, arrays
    np.savez(path := folder / "good.npz", **arrays)
    yield path, arrays
    onnx.save(model, path := folder / "good.onnx")
    yield path, arrays
    beside = {"save_as_external_data": True, "location": "its.0.data", "size_threshold": 0}
    onnx.save(model, path := folder / "beside.onnx", **beside)
    yield path, arrays
    yield (path := folder / f"good{framework.suffix}"), framework.save(path)


def bad_files(framework, folder: pathlib.Path, flag: pathlib.Path) -> Iterator[tuple]:
    """Files to refuse, and what is wrong with each; a program in them makes the folder `flag`."""

    class Program:
        def __reduce__(self):
            return os.mkdir, (str(flag),)

    for suffix in ".npz", ".safetensors", ".onnx", framework.suffix, ".dat":
        path = folder / f"pickle{suffix}"
        path.write_bytes(pickle.dumps(Program(), protocol=2))
        yield path, "is a pickle under another name"
    np.savez(path := folder / "mixed.npz", weight=np.ones(2), bias=np.array([Program()], object))
    yield path, "holds a pickled program beside a weight"
    path = folder / f"mixed{framework.suffix}"
    yield path, framework.save_program(path, Program(), flag)
    (path := folder / "empty.onnx").touch()
    yield path, "is empty"
    others = (".npz", ".npy"), (".safetensors", ".bin"), (".onnx", ".txt")
    for suffix, other in *others, (framework.suffix, framework.alike):
        path = (folder / f"good{suffix}").rename(folder / f"good{suffix}{other}")
        yield path, "is of no kind that you take"
    (folder / "its.0.data").rename(folder.parent / "its.d")
    file = (folder / "beside.onnx").read_bytes().replace(b"its.0.data", b"./../its.d")
    (path := folder / "outside.onnx").write_bytes(file)
    yield path, "takes its weights from outside its folder"


def loader(framework, load) -> str:
    """Take weights from a stranger's good files, and refuse the bad ones."""
    with tempfile.TemporaryDirectory() as name:
        folder, flag = pathlib.Path(name, "files"), pathlib.Path(name, "ran")
        folder.mkdir()
        for path, arrays in good_files(framework, folder):
            result, file = call(load, path=path), f"`{path.name}`"
            if not isinstance(result, dict):
                raise Wrong(f"For {file} `load` returns {kind_of(result)}, no dictionary.")
            for key in sorted(result.keys() ^ arrays.keys(), key=str):
                raise Wrong(f"`{key}` is in {file} or in what `load` returns, and not in both.")
            for key, array in arrays.items():
                if not isinstance(got := result[key], np.ndarray):
                    raise Wrong(f"`{key}` of {file} is a `{type(got).__name__}`, no NumPy array.")
                compare(f"`{key}` of {file}", got, array)
        for path, what in bad_files(framework, folder, flag):
            file, said = f"`{path.name}` {what}", ""
            with contextlib.suppress(Exception):
                said = kind_of(load(path))
            refuse({
                f"{file}, and that ran.": flag.exists(),
                f"{file}. Raise an error: `load` returns {said}.": said,
            })  # fmt: skip
    return "Good files are taken, bad ones are refused, and nobody's program ran."


TASKS = (carry, layout, export, interpreter, loader)
