"""Lesson 05, debugging: the checks of its exercise, and the archive that its fourth task debugs.

References are NumPy's, on inputs that are drawn anew for every check. What the live debugger shows
is compared with what the very frame held that a student stops in.
"""

import builtins
import contextlib
import functools
import linecache
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import NoReturn

from paired.checks import NotAttempted, Wrong, call, close, compare, to_numpy

import numpy as np

# The archive: a prime number of records, so that every order below visits each at most once.
_RECORDS, _BATCHES, _ROWS, _COLUMNS = 211, 40, 5, 3

# How the networks of the last task are spoiled, in turn: a number in a bias, weights that are
# finite and too large, and not at all.
_SPOILING = (-np.inf, np.nan, np.inf, "overflow", None)

# Code that a student reads in the debugger: its file has a name, and the same one everywhere.
_SOURCES = {
    "pytorch": '''
def feed(step):
    """Give `step` every batch of the archive, and insist on a finite loss."""
    for number in range(BATCHES):
        run_batch(step, number)


def run_batch(step, number):
    rows = (STRIDE * (ROWS * number + np.arange(ROWS)) + START) % len(SERIALS)
    serials = SERIALS[rows]
    readings = torch.from_numpy(READINGS[rows])
    loss = step(readings, torch.from_numpy(TARGETS[rows]))
    require_finite(loss)


def require_finite(loss):
    if not torch.isfinite(loss):
        raise FloatingPointError("the loss of a batch is not a finite number")
''',
    "tensorflow": '''
def feed(step):
    """Give `step` every batch of the archive, and insist on a finite loss."""
    compiled = tf.function(run_batch, autograph=False)
    for number in tf.range(BATCHES, dtype=tf.int64):
        try:
            compiled(step, number)
        except tf.errors.InvalidArgumentError:
            raise FloatingPointError("the loss of a batch is not a finite number") from None


def run_batch(step, number):
    rows = (STRIDE * (ROWS * number + tf.range(ROWS)) + START) % len(SERIALS)
    serials = tf.gather(SERIALS, rows)
    readings = tf.gather(READINGS, rows)
    loss = step(readings, tf.gather(TARGETS, rows))
    return require_finite(loss)


def require_finite(loss):
    try:
        return tf.debugging.check_numerics(loss, "the loss")
    except tf.errors.InvalidArgumentError:
        raise FloatingPointError("the loss of a batch is not a finite number") from None
''',
}


def archive(framework: str, seat: int) -> types.SimpleNamespace:
    """An archive of readings with one that `log1p` cannot take; each seat has its own.

    Returns:
        `feed(step)`, which calls `step(X, y)` with batches: X of shape (5, 3), y of shape (5,),
        both float64.

    Raises:
        ValueError: the seat is not a whole number from 0.
    """
    if isinstance(seat, bool) or not isinstance(seat, int) or seat < 0:
        raise ValueError(f"`seat` must be a whole number from 0; it is {_given(seat)}.")
    names = {"__name__": "archive", "np": np} | contents(seat)
    hidden = {"batches", "at", "column"}
    names = {name: value for name, value in names.items() if name not in hidden}
    if framework == "pytorch":
        import torch

        names["torch"] = torch
    else:
        import tensorflow as tf

        names["tf"] = tf
    source = _SOURCES[framework].lstrip("\n")
    # A debugger looks the lines up here: there is no such file. Without a time, they stay.
    linecache.cache["<archive>"] = (len(source), None, source.splitlines(True), "<archive>")
    exec(compile(source, "<archive>", "exec"), names)  # noqa: S102 - our own code
    return types.SimpleNamespace(feed=names["feed"])


def contents(seat: int) -> dict:
    """What the archive of a seat holds, and where the bad reading is."""
    rng = np.random.default_rng([seat, 5])
    stride, start = (int(number) for number in rng.integers(1, _RECORDS, size=2))
    batches = (stride * np.arange(_BATCHES * _ROWS) + start).reshape(_BATCHES, _ROWS) % _RECORDS
    at, column = int(rng.choice(batches[5:].ravel())), int(rng.integers(_COLUMNS))
    readings = rng.integers(-7, 32, size=(_RECORDS, _COLUMNS)) / 8  # log1p takes all of these
    readings[at, column] = -rng.integers(9, 20) / 8
    return {
        "batches": batches, "at": at, "column": column,
        "BATCHES": _BATCHES, "ROWS": np.int64(_ROWS), "STRIDE": stride, "START": start,
        "SERIALS": 100_000 + rng.permutation(900_000)[:_RECORDS], "READINGS": readings,
        "TARGETS": rng.integers(8, size=_RECORDS) / 8,
    }  # fmt: skip


class _PyTorch:
    """What the checks need of PyTorch: its tensors, its words."""

    name = "pytorch"
    right = (5, 1, 1)
    notes = (
        {
            4: "leaves one out: hooks run under `no_grad` too.",
            6: "counts `layer.forward(x)`, which goes around the hooks: `layer(x)` runs them.",
            3: "counts the rows of `x`: a hook sees the whole batch at once.",
        },
        {
            0: "is not 0: the loss leads back through the layer.",
            2: "counts the ways from the loss to the layer: their gradients are added first.",
            5: "counts the calls of the layer; the loss leads back through the last of them only.",
            4: "counts the calls of the layer; the loss leads back through the last of them only.",
        },
        {
            0: "is not 0: a gradient arrives at `y`.",
            2: "counts the ways from the loss to `y`: their gradients are added first.",
            3: "counts the rows of `y`: a hook sees the whole gradient at once.",
        },
    )
    guilty = "squares"
    tensor_notes = {  # noqa: RUF012 - a constant
        "difference": "its gradient is NaN, which the message complains of; the gradient one step "
        "before, on the way back, is not finite either.",
        "distance": "its gradient is 1 / n, a number.",
        "X": "its gradient is not finite either, but others are so before, on the way back.",
        "centre": "its gradient is not finite either, but others are so before, on the way back.",
    }
    nodes = "name a tensor of `free_energy`, as its code does"
    first = ("grown",)
    node_notes = {  # noqa: RUF012 - a constant
        "scores": "they are large, and finite.",
        "gate": "it is computed from one that is infinite already.",
        "odds": "it is zero, which is finite.",
        "energy": "it comes later.",
    }
    trained = ("hidden.weight", "hidden.bias", "norm.weight", "norm.bias", "out.weight", "out.bias")
    collected = ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked")
    states = "name a tensor of `net.state_dict()`, in quotes"
    mode_note = (
        "Your function runs the network in training mode: dropout is on, and normalisation uses "
        "the batch, and collects from it. Which method changes the mode?"
    )
    still_note = (
        "Choosing between results does not help: the gradient of what is not chosen is computed "
        "too, and infinity times 0 is NaN."
    )
    left_note = "Take the handle of each hook, and remove it."
    hints = {  # noqa: RUF012 - a constant
        "predict": (
            "NaN is equal to nothing, itself included. Count the losses for which each condition "
            "is true.",
            "A module's hooks run when the module is called, with or without gradients, and not "
            "when its method `forward` is. Backward hooks run when a gradient arrives, complete.",
            "NaN == NaN is false: 0. NaN != NaN is true: 2. Four calls and one under no_grad: 5. "
            "One gradient arrives at the layer's output, and one at `y`, after the sum: 1 and 1.",
        ),
        "explain_error": (
            "`PowBackward0` is the derivative of `difference**2`: two times the difference, times "
            "what arrives from `squares`. Which of both is not finite?",
            "The slope of a root at 0 is infinite, and infinity times 0 is NaN. Let the root never "
            "see a zero: `torch.where` before it, and again after it.",
            "B, and `squares`. `zero = squares == 0`; `safe = torch.where(zero, 1.0, squares)`; "
            "`distance = torch.where(zero, 0.0, safe.sqrt())`.",
        ),
        "first_inf": (
            "`pdb.runcall(free_energy, X, W)` opens a debugger at the first line. `n` goes a line "
            "on; `p grown.isfinite().all()` asks. The first that says False is the one.",
            "log(1 + exp(s)) is max(s, 0) + log(1 + exp(-|s|)): nothing grows. Or ask "
            "`torch.logaddexp`. Then run again, with large scores.",
            '"grown". `gate = torch.logaddexp(scores, torch.zeros_like(scores))`, and `energy = '
            "-torch.logsumexp(-gate, dim=1)`: exp(-gate) is zero where gates are large, too.",
        ),
        "evaluation": (
            "Copy `net.state_dict()` before and after a call, tensor by tensor, and compare. What "
            "do layers do otherwise in training than in evaluation?",
            "`model.eval()` and `model.train(mode)` change the mode; `model.training` says it. "
            "Then print the shapes of `model(X).argmax(dim=1)`, of `y` and of what `==` makes of "
            "both.",
            '"norm.running_mean". Remember `model.training`, call `model.eval()`, and set it back '
            "by `model.train(...)`. Compare with `y[:, 0]`, and put the results of all batches "
            "into one tensor (`torch.cat`) before you take the mean.",
        ),
        "live": (
            "Run `archive.feed(step)` in a cell of its own, and `%debug` in the next. The debugger "
            "opens where the error was raised; `up` goes to the function that called.",
            "In `run_batch`, `p readings` and `p serials` belong together, row by row. What does "
            "`log1p` not take?",
            "log(1 + x) has no value below x = -1. Find the reading that is less, its row and its "
            "column, both from 0; `p serials[row]` is the number.",
        ),
        "translation": (
            "`module.register_forward_hook(function)` calls `function(module, inputs, output)` "
            "after each call of the module, and returns a handle with a method `remove`.",
            "Hooks run in the order of the calls: append the names of bad outputs to a list. "
            "`named_modules()` gives names; a module without children is a layer.",
            "One hook for each layer, `model(X)` under `torch.no_grad()` and in a `try:`, "
            "`handle.remove()` for each in its `finally:`, and then `bad[0] if bad else None`.",
        ),
    }

    def data(self, array: np.ndarray):
        import torch

        return torch.from_numpy(array.copy())

    def gradients(self, function: Callable, *arrays: np.ndarray) -> tuple:
        """The value of a function, and its gradients with respect to all its inputs."""
        import torch

        leaves = [self.data(array).requires_grad_() for array in arrays]
        value = _ask(function, X=leaves[0], centre=leaves[1])
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            return value, [None] * len(leaves)
        return value, torch.autograd.grad(value, leaves, allow_unused=True)

    def value(self, function: Callable, *arrays: np.ndarray):
        return _ask(function, X=self.data(arrays[0]), W=self.data(arrays[1]))

    def step(self, X, y):  # noqa: N803 - as the notebook
        import torch

        return ((torch.log1p(X).sum(dim=1) - y) ** 2).mean()

    eagerly = staticmethod(contextlib.nullcontext)

    def networks(self, rng: np.random.Generator) -> Iterator[tuple]:
        """Networks with an input, the first bad layer, and what to say of other answers."""
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.out = nn.Linear(4, 2)  # registered first, called last
                self.head = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
                self.body = nn.Linear(4, 4)

            def forward(self, x):
                return self.out(torch.relu(self.body(self.head(x))))

        order = ("head.0", "head.1", "body", "out")
        for bad, value in zip(("head.0", "body", "body", "body", None), _SPOILING, strict=True):
            model = Net().double()
            for parameter in model.parameters():
                parameter.data = self.data(rng.uniform(0.1, 1, size=tuple(parameter.shape)))
            if value == "overflow":
                model.head[0].weight.data *= 1e200
                model.body.weight.data *= 1e200
            elif bad:
                model.get_submodule(bad).bias.data[1] = value
            yield model, self.data(rng.uniform(0.1, 1, size=(6, 3))), bad, order

    def classifier(self, rng: np.random.Generator, *, training: bool) -> tuple:
        """A network in a mode, and a list in which its modes stand after calls."""
        import torch
        from torch import nn

        model = nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)
        ).double()
        for parameter in model.parameters():
            parameter.data = self.data(rng.normal(size=tuple(parameter.shape)))
        model[1].running_mean = self.data(rng.normal(size=8))
        modes: list[bool] = []
        for module in model:
            module.register_forward_pre_hook(lambda module, _: modes.append(module.training))
        model.train(training)
        torch.manual_seed(int(rng.integers(1000)))
        return model, modes

    def predict(self, model, x: np.ndarray) -> np.ndarray:
        import torch

        was = model.training
        with torch.no_grad():
            scores = model.eval()(self.data(x)).numpy()
        model.train(was)
        return scores

    def mode_left(self, model, training: bool) -> str:
        if all(module.training == training for module in model.modules()):
            return ""
        was, left = ("training", "evaluation")[:: 1 if training else -1]
        return f"The network was in {was} mode, and your function leaves it in {left} mode."

    def left_on(self, model) -> str:
        """What a function has left on a network, as a sentence."""
        for module in model.modules():
            if module._forward_hooks or module._forward_pre_hooks:
                return f"After your function returns its hooks are still there. {self.left_note}"
        if not model.training:
            return "Your function leaves the network in evaluation mode: leave it as it is."
        return ""

    def weights(self, model) -> list[np.ndarray]:
        return [to_numpy(tensor).copy() for tensor in model.state_dict().values()]


class _TensorFlow:
    """The same of TensorFlow."""

    name = "tensorflow"
    right = (4, 5, 5)
    notes = (
        {
            5: "counts the calls; Python's lines run only while a function is traced.",
            1: "is not 1: another shape, and each other Python number, is traced anew.",
            2: "counts one trace for both Python numbers: each is a constant of its own trace.",
            3: "counts one trace for both Python numbers: each is a constant of its own trace.",
        },
        {
            4: "counts the traces; `tf.print` is part of the graph, which each call runs.",
            1: "counts the first call only; `tf.print` is part of the graph, which each call runs.",
            0: "is not 0: `tf.print` is part of the graph, which each call runs.",
        },
        {
            0: "is not 0: without a graph each call runs Python's lines.",
            1: "is not 1: without a graph each call runs Python's lines.",
            4: "counts traces; without a graph there are none, and each call runs Python's lines.",
        },
    )
    guilty = "squares"
    tensor_notes = {  # noqa: RUF012 - a constant
        "difference": "its gradient comes later on the way back: the message names the first op "
        "that is bad, and its inputs.",
        "distance": "its gradient is 1 / n, a number.",
        "X": "its gradient comes later on the way back.",
        "centre": "its gradient comes later on the way back.",
    }
    nodes = "name a node of the graph, as tfdbg lists it"
    first = ("gate/grown", "gate/grown:0")
    node_notes = {  # noqa: RUF012 - a constant
        "grown": "it has its scope in front of it.",
        "scores": "they are large, and finite.",
        "gate/plus": "one of its inputs is infinite already.",
        "gate/log": "its input is infinite already.",
        "odds": "it is zero, which is finite.",
        "energy": "it comes later.",
    }
    trained = (
        "hidden/kernel", "hidden/bias", "norm/gamma", "norm/beta", "out/kernel", "out/bias",
    )  # fmt: skip
    collected = ("norm/moving_mean", "norm/moving_variance")
    states = "name the `path` of one of `net.weights`, in quotes"
    mode_note = (
        "Your function runs the network in training mode: dropout is on, and normalisation uses "
        "the batch, and collects from it. Which argument says so?"
    )
    still_note = (
        "Choosing between results may not help: the gradient of what is not chosen is computed "
        "too, and infinity times 0 is NaN."
    )
    left_note = "Leave its layers as they are."
    hints = {  # noqa: RUF012 - a constant
        "predict": (
            "NaN is equal to nothing, itself included. Count the losses for which each condition "
            "is true.",
            "What is Python's own (`append`, a breakpoint) runs while the function is traced, and "
            "what is TensorFlow's (`tf.print`) whenever the graph runs. Which calls trace?",
            "NaN == NaN is false: 0. NaN != NaN is true: 2. Traced for a scalar, for 3.0, for 4.0 "
            "and for a vector: 4. Run five times: 5. Without graphs each call is Python: 5.",
        ),
        "explain_error": (
            "`SqrtGrad` computes the gradient of `squares` from the root, its input 0, and from "
            "what arrives, its input 1. Which input makes the infinity?",
            "The slope of a root at 0 is infinite, and infinity times 0 is NaN. Let the root never "
            "see a zero: `tf.where` before it, and again after it.",
            "B, and `squares`. `zero = squares == 0`; `safe = tf.where(zero, "
            "tf.ones_like(squares), squares)`; `distance = tf.where(zero, tf.zeros_like(squares), "
            "tf.sqrt(safe))`.",
        ),
        "first_inf": (
            "Call `run(free_energy, X, W, debug=True)` in a cell of its own. There, "
            "`run -f has_inf_or_nan` stops after the run, and lists the nodes that are not "
            "finite. `ni NODE` names a node's inputs: walk back to the one whose inputs are fine.",
            "log(1 + exp(s)) is max(s, 0) + log(1 + exp(-|s|)): nothing grows. Or ask "
            "`tf.nn.softplus`. Then debug again: something else is not finite.",
            '"gate/grown". `gate = tf.nn.softplus(scores)`, and `energy = -tf.reduce_logsumexp('
            "-gate, axis=1)`: exp(-gate) is zero where gates are large, too.",
        ),
        "evaluation": (
            "Copy `net.get_weights()` before and after a call, array by array, and compare. What "
            "do layers do otherwise in training than in evaluation?",
            "Which argument of `model(...)` says that this is no training? Then print the shapes "
            "of the `argmax`, of `y` and of what `==` makes of both.",
            '"net/norm/moving_mean". Write `training=False`. Compare with `y[:, 0]`, and put the '
            "results of all batches into one tensor (`tf.concat`) before you take the mean.",
        ),
        "live": (
            "Run `archive.feed(step)` in a cell of its own, and `%debug` in the next: the function "
            "with the batch is not on the stack, since a graph runs. What lets Python run instead?",
            "`tf.config.run_functions_eagerly(True)`, then both again, and `up`. In `run_batch`, "
            "`p readings` and `p serials` belong together, row by row. What does `log1p` not take?",
            "log(1 + x) has no value below x = -1. Find the reading that is less, its row and its "
            "column, both from 0; `p serials[row]` is the number.",
        ),
        "translation": (
            "There are no hooks; but a network knows the symbolic output of each of its layers: "
            "`layer.output`, for each of `model.layers`.",
            "`keras.Model(inputs, outputs)` takes a list of outputs: a network that shares the "
            "layers, and returns what each of them gives.",
            "`probe = keras.Model(model.inputs, [layer.output for layer in model.layers])`; then "
            "walk through `zip(model.layers, probe(X))`, and return the first bad layer's name.",
        ),
    }

    def data(self, array: np.ndarray):
        import tensorflow as tf

        return tf.constant(array)

    def gradients(self, function: Callable, *arrays: np.ndarray) -> tuple:
        import tensorflow as tf

        inputs = [self.data(array) for array in arrays]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = _ask(function, X=inputs[0], centre=inputs[1])
        if not tf.is_tensor(value):
            return value, [None] * len(inputs)
        return value, tape.gradient(value, inputs)

    def value(self, function: Callable, *arrays: np.ndarray):
        """What a function's nodes give in a session."""
        import tensorflow as tf

        v1 = tf.compat.v1
        with tf.Graph().as_default() as graph:
            nodes = [v1.placeholder(array.dtype, array.shape) for array in arrays]
            # A node has no values that could be compared before and after: hide it from `call`.
            node = _ask((lambda: function(*nodes)) if callable(function) else function)
            if not isinstance(node, tf.Tensor) or node.graph is not graph:
                kind = type(node).__name__
                raise Wrong(f"`free_energy` must return a node of the graph; this is a `{kind}`.")
            with v1.Session() as session:
                return session.run(node, dict(zip(nodes, arrays, strict=True)))

    def step(self, X, y):  # noqa: N803 - as the notebook
        import tensorflow as tf

        return tf.reduce_mean((tf.reduce_sum(tf.math.log1p(X), axis=1) - y) ** 2)

    @contextlib.contextmanager
    def eagerly(self) -> Iterator[None]:
        import tensorflow as tf

        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(before)

    def networks(self, rng: np.random.Generator) -> Iterator[tuple]:
        import keras

        order = ("first", "relu", "drop", "second", "norm", "add", "out")
        bads = ("first", "second", "second", "second", None)
        for bad, value in zip(bads, _SPOILING, strict=True):
            kind = {"dtype": "float64"}
            inputs = keras.Input((3,), **kind)
            first = keras.layers.ReLU(name="relu", **kind)(
                keras.layers.Dense(4, name="first", **kind)(inputs)
            )
            body = keras.layers.Dropout(0.5, name="drop", **kind)(first)
            body = keras.layers.Dense(4, name="second", **kind)(body)
            body = keras.layers.BatchNormalization(name="norm", **kind)(body)
            body = keras.layers.Add(name="add", **kind)([body, first])
            model = keras.Model(inputs, keras.layers.Dense(2, name="out", **kind)(body))
            for weight in model.trainable_weights:
                weight.assign(rng.uniform(0.1, 1, size=weight.shape))
            if value == "overflow":
                for name in ("first", "second"):
                    kernel = model.get_layer(name).kernel
                    kernel.assign(1e200 * kernel)
            elif bad:
                bias = model.get_layer(bad).bias
                bias.assign(np.where(np.arange(4) == 1, value, bias))
            yield model, self.data(rng.uniform(0.1, 1, size=(6, 3))), bad, order

    def classifier(self, rng: np.random.Generator, *, training: bool) -> tuple:
        import keras

        modes: list[bool] = []

        class Probe(keras.layers.Layer):
            def call(self, x, training=None):
                modes.append(bool(training))
                return x

        kind = {"dtype": "float64"}
        model = keras.Sequential(
            [
                keras.Input((3,), **kind),
                keras.layers.Dense(8, **kind),
                keras.layers.BatchNormalization(**kind),
                keras.layers.Dropout(0.5, **kind),
                Probe(**kind),
                keras.layers.Dense(3, **kind),
            ]
        )
        for weight in model.weights:
            if weight.dtype == "float64" and "variance" not in weight.path:
                weight.assign(rng.normal(size=weight.shape))
        return model, modes

    def predict(self, model, x: np.ndarray) -> np.ndarray:
        return to_numpy(model(self.data(x), training=False))

    def mode_left(self, model, training: bool) -> str:
        return ""

    def left_on(self, model) -> str:
        for layer in model.layers:
            if "call" in vars(layer) or "__call__" in vars(layer):
                return (
                    f"After your function returns `{layer.name}.call` is another. {self.left_note}"
                )
        return ""

    def weights(self, model) -> list[np.ndarray]:
        return [to_numpy(weight).copy() for weight in model.weights]


def predict(framework, stops_equal, stops_unequal, first, second, third) -> str:
    """How often conditions are true, and how often code is run."""
    equal = {
        1: "is not 1: ask what NaN is equal to.",
        2: "counts the NaN: but NaN is equal to nothing, not even to itself.",
        3: "counts what is not finite: but NaN is equal to nothing, not even to itself.",
    }
    unequal = {
        0: "is not 0: NaN differs from everything, itself included.",
        3: "counts infinity, which is equal to itself.",
        5: "counts every loss; a number is equal to itself.",
    }
    _counted("stops_equal", stops_equal, 0, equal)
    _counted("stops_unequal", stops_unequal, 2, unequal)
    names, answers = ("first", "second", "third"), (first, second, third)
    for name, answer, right, notes in zip(
        names, answers, framework.right, framework.notes, strict=True
    ):
        _counted(name, answer, right, notes)
    return "All five are right. The next cell counts."


def _counted(name: str, answer, right: int, notes: dict[int, str]) -> None:
    """Judge a whole number."""
    number = _whole(answer)
    if number is None or number < 0:
        raise Wrong(f"`{name}` must be a whole number from 0; it is {_given(answer)}.")
    if number != right:
        raise Wrong(f"`{name}` {notes.get(number, f'is not {number}.')}")


def _whole(answer) -> int | None:
    """An answer as a whole number, if it is one."""
    if isinstance(answer, str | bool):
        return None
    try:
        return int(answer) if int(answer) == answer else None
    except Exception:  # whatever the answer's own code does
        return None


def _given(answer) -> str:
    """What an answer is, in a few words."""
    if isinstance(answer, str | bool | int | float):
        return repr(answer)
    return "None" if answer is None else f"a `{type(answer).__name__}`"


_CAUSES = {
    "A": "`X` and `centre` are finite, and so is every tensor on the way there.",
    "C": "the mean divides by n, which is not zero: `distance` has a finite gradient.",
    "D": "no number here is too large: the distances are ordinary ones.",
    "E": "a square has the slope 0 at 0, which is a number.",
}


def explain_error(framework, cause, tensor, mean_distance) -> str:
    """Say where a gradient stops to be finite and why, and mend the function."""
    letter = cause.strip().upper() if isinstance(cause, str) else None
    if letter not in (*_CAUSES, "B"):
        raise Wrong(f'`cause` must be one of the letters "A" to "E"; it is {_given(cause)}.')
    if letter != "B":
        raise Wrong(f"`cause` is not {letter}: {_CAUSES[letter]}")
    if (named := _name(tensor)) != framework.guilty:
        note = framework.tensor_notes.get(named)
        if note is None:
            text = "must be the name of a tensor in `mean_distance`, in quotes"
            raise Wrong(f"`tensor` {text}; it is {_given(tensor)}.")
        raise Wrong(f'`tensor` is not "{named}": {note}')
    rng = np.random.default_rng()
    n = 7
    centre = rng.normal(size=4)
    rows = centre + rng.normal(size=(n, 4))
    rows[[1, 4]] = centre
    for what, x in (("Where a row is the centre", rows), ("Far from the centre", rows[[0, 2, 3]])):
        _distance_checked(framework, mean_distance, what, x, centre)
    near = rows.copy()
    near[2] = centre + np.array([3e-9, 0, 4e-9, 0])
    _distance_checked(framework, mean_distance, "Where a row is very near the centre", near, centre)
    return "Cause and tensor are right; value and gradients agree with a reference in NumPy."


def _distance_checked(framework, function: Callable, what: str, x, centre) -> None:
    value, gradients = framework.gradients(function, x, centre)
    distance = np.sqrt(((x - centre) ** 2).sum(axis=1))
    there = distance > 0
    mistakes = {
        "leaves out rows that are the centre: their distance is 0, and they count.": (
            distance[there].mean()
        ),
        "is the sum: take the mean.": distance.sum(),
        "is that of the squares: the root is missing.": (distance**2).mean(),
    }
    _compared(f"{what}, the value", value, np.asarray(distance.mean()), mistakes)
    unit = np.zeros_like(x)
    unit[there] = (x - centre)[there] / distance[there, None]
    right = {"X": unit / len(x), "centre": -unit.sum(axis=0) / len(x)}
    for (name, array), gradient in zip(right.items(), gradients, strict=True):
        if gradient is None:
            raise Wrong(f"No gradient arrives at `{name}`: something is cut off from it.")
        got = to_numpy(gradient)
        if not np.isfinite(got).all():
            raise Wrong(
                f"{what}, the gradient at `{name}` is still not finite. {framework.still_note}"
            )
        mistakes = {
            "has zero in rows that are not at the centre: only a distance of 0 is special.": (
                np.where((distance > 1e-6)[:, None], array, 0) if name == "X" else np.nan * array
            ),
            "is zero: a gradient is lost.": np.zeros_like(array),
        }
        _compared(f"{what}, the gradient at `{name}`", gradient, array, mistakes)


def _compared(name: str, value, right: np.ndarray, mistakes: dict) -> None:
    """Compare, and say so where a value is nearly right."""
    got = to_numpy(value)
    if got.shape == right.shape and got.dtype == right.dtype and not close(got, right):
        near = np.abs(got - right).max() <= 1e-3 * max(np.abs(right).max(), 1e-300)
        if near and not any(close(got, mistake) for mistake in mistakes.values()):
            raise Wrong(
                f"{name} agrees to a few digits only: a small number that is added, or a limit, "
                "changes the results. They must be exact."
            )
    compare(name, value, right, mistakes=mistakes)


def _name(answer) -> str | None:
    return answer.strip() if isinstance(answer, str) else None


def first_inf(framework, first_bad, free_energy) -> str:
    """Name what is infinite first, and mend the function for large scores."""
    if (named := _name(first_bad)) not in framework.first:
        note = framework.node_notes.get((named or "").removesuffix(":0"))
        if note is None:
            raise Wrong(f"`first_bad` is {_given(first_bad)}: {framework.nodes}, in quotes.")
        raise Wrong(f'`first_bad` is not "{named}": {note}')
    rng = np.random.default_rng()
    x, w = rng.uniform(0.5, 1, size=(6, 4)), rng.uniform(0.2, 1, size=(4, 3)) * [-1, 1, 2]
    for what, scale in (
        ("For small scores", 1.0),
        ("For scores far below zero", -2000.0),
        ("For large scores", 2000.0),
        ("For scores near 50", 50.0),
    ):
        weight = w * scale if scale == 1 else (np.abs(w) + 0.5) * scale
        value = framework.value(free_energy, x, weight)
        scores = x @ weight
        gate = np.logaddexp(0, scores)
        right = np.asarray(-_log_sum_exp(-gate).mean())
        got = to_numpy(value)
        if got.dtype.kind == "f" and got.shape == () and not np.isfinite(got):
            again = "" if scale < 0 else " Debug your function: which is the first now?"
            raise Wrong(f"{what} the result is {got}.{again}")
        capped = np.logaddexp(0, np.minimum(scores, 700))
        with np.errstate(all="ignore"):
            mistakes = {
                "has the wrong sign.": -right,
                "is that of scores with a limit: large ones must count as they are.": np.asarray(
                    -_log_sum_exp(-capped).mean()
                ),
                "has ReLU in place of the gate: near zero they differ.": np.asarray(
                    -_log_sum_exp(-np.maximum(scores, 0)).mean()
                ),
                "has the scores in place of the gate: below zero they differ.": np.asarray(
                    -_log_sum_exp(-scores).mean()
                ),
                "is the sum over the examples: take the mean.": right * len(x),
                "has the least gate in place of the sum of the odds.": np.asarray(
                    gate.min(axis=1).mean()
                ),
                "is that of the mean of the odds, not of their sum.": right + np.log(3),
            }
        _compared(f"{what} the result", value, right, mistakes)
    return "Scores of any size give the right number, to twelve digits."


def _log_sum_exp(a: np.ndarray) -> np.ndarray:
    largest = a.max(axis=1, keepdims=True)
    return np.log(np.exp(a - largest).sum(axis=1)) + largest[:, 0]


def evaluation(framework, changed, evaluate) -> str:
    """Name what an evaluation changes, and mend it: modes, shapes, and the last, small batch."""
    named = (_name(changed) or "").removesuffix(":0").removeprefix("net/")
    if named in framework.trained:
        raise Wrong(f'`changed` is not "{named}": only training changes it, by the optimiser.')
    if named not in framework.collected:
        raise Wrong(f"`changed` is {_given(changed)}; {framework.states}.")
    rng = np.random.default_rng()
    for training in (True, False):
        drawn = None
        while drawn is None:  # a network that gives one answer always is of no use
            model, modes = framework.classifier(rng, training=training)
            drawn = _shares(rng, functools.partial(framework.predict, model))
        arrays, right, mistakes = drawn
        modes.clear()
        before = framework.weights(model)
        batches = [(framework.data(x), framework.data(y)) for x, y in arrays]
        result = _ask(evaluate, model=model, batches=batches)
        if not modes:
            raise Wrong("Your function never calls `model`.")
        if any(modes):
            raise Wrong(framework.mode_note)
        if not all(map(np.array_equal, before, framework.weights(model))):
            raise Wrong("Your function changes numbers that the network keeps.")
        if left := framework.mode_left(model, training):
            raise Wrong(left)
        got = to_numpy(result)
        if got.dtype.kind in "fiu" and got.shape == ():
            result = np.asarray(got, float)
        compare("The share", result, right, shape_note="one number.", mistakes=mistakes)
    return "The right share, from batches of any size; and the network is as it was before."


def _shares(rng: np.random.Generator, predict: Callable) -> tuple | None:
    """Batches of which every mistake gives another share of right answers; the share; those."""
    for _ in range(20):
        sizes = (12, 12, 5)
        arrays = [(rng.normal(size=(n, 3)), rng.integers(3, size=(n, 1))) for n in sizes]
        each = [(predict(x).argmax(axis=1), y[:, 0]) for x, y in arrays]
        hits = [guess == y for guess, y in each]
        tables = [guess == y[:, None] for guess, y in each]
        right = np.asarray(np.concatenate(hits).mean())
        mistakes = {
            "is the mean of the batches' shares: the last one is smaller, and counts less.": (
                np.mean([hit.mean() for hit in hits])
            ),
            "compares every answer with every label: print the shapes of both.": np.mean(
                [table.mean() for table in tables]
            ),
            "compares every answer with every label, in tables of n rows and n columns: print the "
            "shapes of both.": np.concatenate([table.ravel() for table in tables]).mean(),
            "is that of the last batch alone.": hits[-1].mean(),
            "is that of the first batch alone.": hits[0].mean(),
            "is the share of wrong answers.": 1 - right,
        }
        mistakes = {name: np.asarray(value) for name, value in mistakes.items()}
        values = [float(right), *map(float, mistakes.values())]
        if len({round(value, 9) for value in values}) == len(values):
            counts = {
                "is a number of examples, not their share.": right * sum(sizes),
                "is in percent: return a share, from 0 to 1.": right * 100,
                "is a sum over batches: divide by all examples.": right * len(sizes),
            }
            return arrays, right, mistakes | counts
    return None


def live(framework, seat, serial, column) -> str:
    """Read in a debugger which record of an archive spoils a batch."""
    chair, number, place = _whole(seat), _whole(serial), _whole(column)
    if chair is None or chair < 0:
        raise Wrong(f"`seat` must be a whole number from 0; it is {_given(seat)}.")
    if number is None:
        raise Wrong(f"`serial` must be a whole number; it is {_given(serial)}.")
    if place is None:
        raise Wrong(f"`column` must be 0, 1 or 2; it is {_given(column)}.")
    serials, readings, others = _held(framework, chair)
    ((row, bad),) = np.argwhere(readings <= -1)
    if number != serials[row]:
        if number in serials:
            found = np.flatnonzero(serials == number)[0]
            text = "its readings are ones that `log1p` takes. Which row has one that it does not?"
            raise Wrong(f"`serial` is the number of row {found} of that batch; {text}")
        if 0 <= number < _RECORDS:
            raise Wrong("`serial` is a row; what is asked for is `serials` of that row.")
        if number in others:
            raise Wrong("`serial` is the number of a record in another batch, which gave no error.")
        raise Wrong(
            f"`serial` is no record of the archive of seat {chair}. Is that the seat whose "
            "archive you debugged?"
        )
    if place != bad:
        text = "" if place in range(_COLUMNS) else " Columns count from 0."
        raise Wrong(f"`column` is not {place}: in that column the record is fine.{text}")
    return "That is what the frame held when the step failed."


def _held(framework, seat: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Serials and readings in the frame of the batch that fails, and all serials."""
    opened = archive(framework.name, seat)
    with framework.eagerly():
        try:
            opened.feed(framework.step)
        except FloatingPointError as error:
            frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    batch = next(frame for frame in frames if frame.f_code.co_name == "run_batch")
    names = batch.f_locals
    return to_numpy(names["serials"]), to_numpy(names["readings"]), batch.f_globals["SERIALS"]


def translation(framework, first_bad_layer) -> str:
    """Find the first layer whose output is not finite, with the other framework's idiom."""
    rng = np.random.default_rng()
    for model, x, bad, order in framework.networks(rng):
        before = framework.weights(model)
        answer = _ask(first_bad_layer, model=model, X=x)
        _layer_judged(answer, bad, order)
        if left := framework.left_on(model):
            raise Wrong(left)
        after = framework.weights(model)
        if not all(map(functools.partial(np.array_equal, equal_nan=True), before, after)):
            raise Wrong(
                "Your function changes numbers that the network keeps: let it only predict."
            )
    wide = framework.data(rng.uniform(size=(6, 7)))  # no layer takes seven columns
    try:
        _ask(first_bad_layer, model=model, X=wide)
    except (Wrong, NotAttempted):
        raise
    except Exception:  # whatever the framework raises
        hidden = False
    else:
        hidden = True
    if hidden:
        raise Wrong("Where the network itself raises an error your function hides it.")
    if left := framework.left_on(model):
        raise Wrong(f"Where the network itself raises an error: {left[0].lower()}{left[1:]}")
    return "Five networks: each first bad layer has its name, and nothing is left behind."


def _layer_judged(answer, bad: str | None, order: tuple[str, ...]) -> None:
    """Judge the name of a layer, or None."""
    if answer == bad if isinstance(answer, str | None) else False:
        return
    if answer is not None and not isinstance(answer, str):
        raise Wrong(f"The result is {_given(answer)}; it must be a name, or None.")
    if bad is None:
        raise Wrong(f"Every output is finite, and the result is {answer!r}: return None.")
    if answer is None:
        raise Wrong(
            f"The output of `{bad}` is not finite, and the result is None. Look at each layer, and "
            "for NaN as well as for both infinities."
        )
    if answer not in order:
        raise Wrong(f"The network has no layer called {answer!r}; its names are {_listed(order)}.")
    if order.index(answer) < order.index(bad):
        raise Wrong(f"The result is {answer!r}, whose output is finite; {bad!r} is the first.")
    raise Wrong(f"The result is {answer!r}, but the output of {bad!r} is bad before it.")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _ask(function: Callable, **arguments):
    """Call the student's function, in which no debugger may wait for the keyboard."""
    keyboard, builtins.input = builtins.input, _refuse
    try:
        return call(function, **arguments)
    finally:
        builtins.input = keyboard


def _refuse(prompt: object = "") -> NoReturn:
    sys.settrace(None)  # or all that follows would be traced, slowly
    raise Wrong("Your function opens a debugger: take the breakpoint out before you check it.")


ADAPTERS = {"pytorch": _PyTorch, "tensorflow": _TensorFlow}
TASKS = (predict, explain_error, first_inf, evaluation, live, translation)
