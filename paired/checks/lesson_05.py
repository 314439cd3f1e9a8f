"""Lesson 05, debugging: the checks of its exercise.

References are NumPy's, on inputs that are drawn anew for every check. What the live debugger shows
is compared with what the very frame held that a student stops in.
"""

import builtins
import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from typing import NoReturn

from paired.checks import NotAttempted, Wrong, call, close, compare, to_numpy
from paired.checks.lesson_05_archive import COLUMNS, RECORDS, archive

import numpy as np

# How the networks of the last task are spoiled, in turn: a number in a bias, weights that are
# finite and too large, and not at all.
_SPOILING = (-np.inf, np.nan, np.inf, "overflow", None)

# Task 1: the right number, and what to say of others. The rest is each framework's own.
_CONDITIONS = {
    "stops_equal": (0, {
        1: "is not 1: ask what NaN is equal to.",
        2: "counts the NaN: but NaN is equal to nothing, not even to itself.",
        3: "counts what is not finite: but NaN is equal to nothing, not even to itself.",
    }),
    "stops_unequal": (2, {
        0: "is not 0: NaN differs from everything, itself included.",
        3: "counts infinity, which is equal to itself.",
        5: "counts every loss; a number is equal to itself.",
    }),
}  # fmt: skip
_NAN = (
    "NaN is equal to nothing, itself included. Count the losses for which each condition is true."
)

_CAUSES = {
    "A": "`X` and `centre` are finite, and so is every tensor on the way there.",
    "C": "the mean divides by n, which is not zero: `distance` has a finite gradient.",
    "D": "no number here is too large: the distances are ordinary ones.",
    "E": "a square has the slope 0 at 0, which is a number.",
}
_TENSORS = {"distance": "its gradient is 1 / n, a number."}
_ROOT = "The slope of a root at 0 is infinite, and infinity times 0 is NaN."
_NODES = {
    "X": "it is finite.",
    "W": "its numbers are large, and finite.",
    "scores": "they are large, and finite.",
    "odds": "it is zero, which is finite.",
    "energy": "it comes later.",
}
_STEADY = "log(1 + exp(s)) is max(s, 0) + log(1 + exp(-|s|)): nothing grows."
_ODDS = (
    "Where gates are large, every exp(-gate) is zero, and so is their sum, whose logarithm is "
    "infinite. exp(-least) may be taken out of the sum, where least is the least gate of a row"
)
_READING = (
    "log(1 + x) has no value below x = -1. Find the reading that is less, its row and its column, "
    "both from 0; `p serials[row]` is the number."
)


class _PyTorch:
    """What the checks need of PyTorch: its tensors, its words."""

    name = "pytorch"
    predictions = {  # noqa: RUF012 - a constant
        "first": (5, {
            4: "leaves one out: hooks run under `no_grad` too.",
            6: "counts `layer.forward(x)`, which goes around the hooks: `layer(x)` runs them.",
            3: "counts the rows of `x`: a hook sees the whole batch at once.",
        }),
        "second": (1, {
            0: "is not 0: the loss leads back through the layer.",
            2: "counts the ways from the loss to the layer: their gradients are added first.",
        } | dict.fromkeys((4, 5, 6), "counts the calls of the layer; the loss leads back through "
                          "the last of them only.")),
        "third": (1, {
            0: "is not 0: a gradient arrives at `y`.",
            2: "counts the ways from the loss to `y`: their gradients are added first.",
            3: "counts the rows of `y`: a hook sees the whole gradient at once.",
            4: "counts the tensors that were called `y`: the hook is on the last of them.",
        }),
    }  # fmt: skip
    _later = "its gradient is not finite either, but others are so before, on the way back."
    tensors = _TENSORS | {
        "difference": "its gradient is NaN, which the message complains of; the gradient one step "
        "before, on the way back, is not finite either.",
        "X": _later,
        "centre": _later,
    }
    choice = "does not"
    node_kind = "the name of a tensor in `free_energy`"
    first_nodes = ("grown",)
    nodes = _NODES | {"gate": "it is computed from one that is infinite already."}
    trained = ("hidden.weight", "hidden.bias", "norm.weight", "norm.bias", "out.weight", "out.bias")
    collected = ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked")
    state_kind = "a name in `net.state_dict()`"
    mode_note = "Which method changes the mode?"
    eagerly = staticmethod(contextlib.nullcontext)

    def data(self, array: np.ndarray):
        import torch

        return torch.from_numpy(array.copy())

    def gradients(self, function: Callable, *arrays: np.ndarray) -> tuple:
        """The value of a function, and the gradients of its sum with respect to all its inputs."""
        import torch

        leaves = [self.data(array).requires_grad_() for array in arrays]
        value = _ask(function, X=leaves[0], centre=leaves[1])
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            return value, [None] * len(leaves)
        return value, torch.autograd.grad(value.sum(), leaves, allow_unused=True)

    def value(self, function: Callable, *arrays: np.ndarray):
        return _ask(function, X=self.data(arrays[0]), W=self.data(arrays[1]))

    def step(self, X, y):  # noqa: N803 - as the notebook
        return ((X.log1p().sum(dim=1) - y) ** 2).mean()

    def networks(self, rng: np.random.Generator) -> Iterator[tuple]:
        """Networks with an input, the first bad layer, and all layers in the order of the calls."""
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.out = nn.Linear(4, 2)  # registered first, called last
                self.head = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
                self.body = nn.Linear(4, 4)
                self.body.register_forward_hook(lambda *_: None)  # somebody else's

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
        from torch import nn

        layers = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)
        model, modes = nn.Sequential(*layers).double(), []
        for parameter in model.parameters():
            parameter.data = self.data(rng.normal(size=tuple(parameter.shape)))
        model[1].running_mean = self.data(rng.normal(size=8))
        for module in model:
            module.register_forward_pre_hook(lambda module, _: modes.append(module.training))
        return model.train(training), modes

    def predict(self, model, x: np.ndarray) -> np.ndarray:
        was = model.training
        scores = to_numpy(model.eval()(self.data(x)))
        model.train(was)
        return scores

    def kept(self, model) -> dict:
        """What a function must leave as it is."""
        modules = list(model.modules())
        hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
        return {
            "numbers": [to_numpy(tensor).copy() for tensor in model.state_dict().values()],
            "hooks": {(m, kind, key) for m in modules for kind in hooks for key in vars(m)[kind]},
            "modes": [module.training for module in modules],
        }

    def left(self, before: dict, after: dict) -> str:
        """What a function has not left as it was, as a sentence."""
        if after["hooks"] - before["hooks"]:
            return (
                "After your function returns its hooks are still there. Take the handle of each "
                "hook, and remove it."
            )
        if before["hooks"] - after["hooks"]:
            return "Your function takes off hooks that others had put on: remove only its own."
        if before["modes"] != after["modes"]:
            was, left = ("training", "evaluation")[:: 1 if before["modes"][0] else -1]
            return f"The network was in {was} mode, and your function leaves layers in {left} mode."
        return ""


class _TensorFlow:
    """The same of TensorFlow."""

    name = "tensorflow"
    predictions = {  # noqa: RUF012 - a constant
        "first": (4, {
            5: "counts the calls; Python's lines run only while a function is traced.",
            1: "is not 1: another shape, and each other Python number, is traced anew.",
        } | dict.fromkeys((2, 3), "counts one trace for both Python numbers: each is a constant of "
                          "its own trace.")),
        "second": (5, {
            4: "counts the traces; `tf.print` is part of the graph, which each call runs.",
            1: "counts the first call only; `tf.print` is part of the graph, which each call runs.",
            0: "is not 0: `tf.print` is part of the graph, which each call runs.",
            9: "counts traces and runs: while a function is traced, `tf.print` prints nothing.",
        }),
        "third": (5, {
            0: "is not 0: without a graph each call runs Python's lines.",
            1: "is not 1: without a graph each call runs Python's lines.",
            4: "counts traces; without a graph there are none, and each call runs Python's lines.",
        } | dict.fromkeys((9, 10), "counts traces too; without a graph there are none.")),
    }  # fmt: skip
    _later = "its gradient comes later on the way back."
    tensors = _TENSORS | {
        "difference": "its gradient comes later on the way back: the message names the first op "
        "that is bad, and its inputs.",
        "X": _later,
        "centre": _later,
    }
    choice = "may not"
    node_kind = "the name of a node of the graph, as tfdbg lists it"
    first_nodes = ("gate/grown",)
    nodes = _NODES | {
        "grown": "it has its scope in front of it.",
        "gate/plus": "one of its inputs is infinite already.",
        "gate/log": "its input is infinite already.",
        "Sum": "it is zero, which is finite.",
        **dict.fromkeys(("Neg", "Neg_1", "Mean"), "it comes later."),
    }
    trained = (
        "hidden/kernel", "hidden/bias", "norm/gamma", "norm/beta", "out/kernel", "out/bias",
    )  # fmt: skip
    collected = ("norm/moving_mean", "norm/moving_variance")
    state_kind = "the `path` of one of `net.weights`"
    mode_note = "Which argument says so?"

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
        from keras import Input, Model, layers

        order, kind = (
            ("first", "relu", "drop", "second", "norm", "add", "out"),
            {"dtype": "float64"},
        )
        bads = ("first", "second", "second", "second", None)
        for bad, value in zip(bads, _SPOILING, strict=True):
            inputs = Input((3,), **kind)
            first = layers.Dense(4, name="first", **kind)(inputs)
            first = layers.ReLU(name="relu", **kind)(first)
            body = layers.Dropout(0.5, name="drop", **kind)(first)
            body = layers.Dense(4, name="second", **kind)(body)
            body = layers.BatchNormalization(name="norm", **kind)(body)
            body = layers.Add(name="add", **kind)([body, first])
            model = Model(inputs, layers.Dense(2, name="out", **kind)(body))
            for weight in model.trainable_weights:
                weight.assign(rng.uniform(0.1, 1, size=weight.shape))
            if value == "overflow":
                for kernel in (model.get_layer(name).kernel for name in ("first", "second")):
                    kernel.assign(1e200 * kernel)
            elif bad:
                bias = model.get_layer(bad).bias
                bias.assign(np.where(np.arange(4) == 1, value, bias))
            yield model, self.data(rng.uniform(0.1, 1, size=(6, 3))), bad, order

    def classifier(self, rng: np.random.Generator, *, training: bool) -> tuple:
        from keras import Input, Sequential, layers

        modes: list[bool] = []

        class Probe(layers.Layer):
            def call(self, x, training=None):
                modes.append(bool(training))
                return x

        kind = {"dtype": "float64"}
        norm, drop = layers.BatchNormalization(**kind), layers.Dropout(0.5, **kind)
        inner = [layers.Dense(8, **kind), norm, drop, Probe(**kind), layers.Dense(3, **kind)]
        model = Sequential([Input((3,), **kind), *inner])
        for weight in model.weights:
            if weight.dtype == "float64" and "variance" not in weight.path:
                weight.assign(rng.normal(size=weight.shape))
        return model, modes

    def predict(self, model, x: np.ndarray) -> np.ndarray:
        return to_numpy(model(self.data(x), training=False))

    def kept(self, model) -> dict:
        return {
            "numbers": [to_numpy(weight).copy() for weight in model.weights],
            "calls": [(layer.name, layer.call) for layer in model.layers],
            "trainable": [layer.trainable for layer in (model, *model.layers)],
        }

    def left(self, before: dict, after: dict) -> str:
        for (name, was), (_, now) in zip(before["calls"], after["calls"], strict=True):
            if was != now:
                return (
                    f"After your function returns `{name}.call` is another. Leave the layers as "
                    "they are."
                )
        if before["trainable"] != after["trainable"]:
            return "Your function changes which layers are `trainable`: to predict, leave that."
        return ""


def predict(framework, stops_equal, stops_unequal, first, second, third) -> str:
    """How often conditions are true, and how often code is run."""
    answers = (stops_equal, stops_unequal, first, second, third)
    predictions = _CONDITIONS | framework.predictions
    for answer, (name, (right, notes)) in zip(answers, predictions.items(), strict=True):
        if (number := _whole(name, answer)) != right:
            raise Wrong(f"`{name}` {notes.get(number, f'is not {number}.')}")
    return "All five are right. The next cell counts."


def _whole(name: str, answer) -> int:
    """An answer as a whole number from 0."""
    with contextlib.suppress(Exception):  # whatever the answer's own code does
        if not isinstance(answer, str | bool) and int(answer) == answer and answer >= 0:
            return int(answer)
    raise Wrong(f"`{name}` must be a whole number from 0; it is {_given(answer)}.")


def _given(answer) -> str:
    """What an answer is, in a few words."""
    if isinstance(answer, str | bool | int | float):
        return repr(answer)
    return "None" if answer is None else f"a `{type(answer).__name__}`"


def _named(name: str, answer, right: Collection[str], notes: dict[str, str], kind: str) -> None:
    """Judge a name given as text, with the reasons that rule out others."""
    said = answer.strip().removesuffix(":0") if isinstance(answer, str) else None
    if said in right:
        return
    if note := notes.get(said):
        raise Wrong(f"`{name}` is not {said!r}: {note}")
    raise Wrong(f"`{name}` must be {kind}, in quotes; it is {_given(answer)}.")


def explain_error(framework, cause, tensor, mean_distance) -> str:
    """Say where a gradient stops to be finite and why, and mend the function."""
    letter = cause.upper() if isinstance(cause, str) else cause
    _named("cause", letter, ("B",), _CAUSES, 'one of the letters "A" to "E"')
    kind = "the name of a tensor in `mean_distance`"
    _named("tensor", tensor, ("squares",), framework.tensors, kind)
    rng = np.random.default_rng()
    centre = rng.normal(size=4)
    rows = centre + rng.normal(size=(7, 4))
    rows[[1, 4]] = centre
    near = rows.copy()
    near[2] = centre + np.array([3e-9, 0, 4e-9, 0])
    for what, x in (
        ("Where a row is the centre", rows),
        ("Far from the centre", rows[[0, 2, 3]]),
        ("Where a row is very near the centre", near),
    ):
        _distance_checked(framework, mean_distance, what, x, centre)
    return "Cause and tensor are right; value and gradients agree with a reference in NumPy."


def _distance_checked(framework, function: Callable, what: str, x, centre) -> None:
    value, gradients = framework.gradients(function, x, centre)
    difference = x - centre
    squares = (difference**2).sum(axis=1)
    distance = np.sqrt(squares)
    there = distance > 0
    by_column, all_differ = np.sqrt((difference**2).sum(axis=0)), np.abs(difference).sum(axis=1)
    _compared(f"{what}, the value", value, distance.mean(), "one number, the mean of all rows.", {
        "leaves out rows that are the centre: their distance is 0, and they count.":
            distance[there].mean(),
        "is the sum: take the mean.": distance.sum(),
        "is that of the squares: the root is missing.": squares.mean(),
        "is the root of a mean: each row has its own root.": np.sqrt(squares.mean()),
        "is the root of a sum over all rows: each row has its own.": np.sqrt(squares.sum()),
        "is that of columns: add up along the features of a row.": by_column.mean(),
        "adds up differences: square them, and take the root of the sum.": all_differ.mean(),
    })  # fmt: skip
    unit = np.zeros_like(x)
    unit[there] = difference[there] / distance[there, None] / len(x)
    no_near = np.where((distance > 1e-6)[:, None], unit, 0)
    rights = {"X": (unit, no_near), "centre": (-unit.sum(axis=0), -no_near.sum(axis=0))}
    for (name, (right, zeroed)), gradient in zip(rights.items(), gradients, strict=True):
        if gradient is None:
            raise Wrong(f"No gradient arrives at `{name}`: something is cut off from it.")
        name = f"{what}, the gradient at `{name}`"
        if not np.isfinite(to_numpy(gradient)).all():
            raise Wrong(
                f"{name} is still not finite. Choosing between results {framework.choice} help: "
                "the gradient of what is not chosen is computed too, and infinity times 0 is NaN."
            )
        _compared(name, gradient, right, "", {
            "has zero in rows that are not at the centre: only a distance of 0 is special.": zeroed,
            "is zero: a gradient is lost.": np.zeros_like(right),
        })  # fmt: skip


def _compared(name: str, value, right, shape_note: str, mistakes: dict) -> None:
    """Compare, and say so where a value is nearly right."""
    right, got = np.asarray(right), to_numpy(value)
    mistakes = {sentence: np.asarray(mistake) for sentence, mistake in mistakes.items()}
    if got.shape == right.shape and got.dtype == right.dtype and not close(got, right):
        near = np.abs(got - right).max() <= 1e-3 * max(np.abs(right).max(), 1e-300)
        if near and not any(close(got, mistake) for mistake in mistakes.values()):
            raise Wrong(
                f"{name} agrees to a few digits only: a small number that is added, or a limit, "
                "changes the results. They must be exact."
            )
    compare(name, value, right, shape_note=shape_note, mistakes=mistakes)


def first_inf(framework, first_bad, free_energy) -> str:
    """Name what is infinite first, and mend the function for large scores."""
    _named("first_bad", first_bad, framework.first_nodes, framework.nodes, framework.node_kind)
    rng = np.random.default_rng()
    x, w = rng.uniform(0.5, 1, size=(6, 4)), rng.uniform(0.2, 1, size=(4, 3)) * [-1, 1, 2]
    for what, weight in {
        "For small scores": w,
        "For scores far below zero": -2000 * (np.abs(w) + 0.5),
        "For large scores": 2000 * (np.abs(w) + 0.5),
        "For scores near 50": 50 * (np.abs(w) + 0.5),
    }.items():
        value = framework.value(free_energy, x, weight)
        scores = x @ weight
        gate = np.logaddexp(0, scores)
        right = _energy(gate)
        got = to_numpy(value)
        if got.dtype.kind == "f" and got.shape == () and what != "For small scores":
            if not np.isfinite(got):
                again = " Debug your function: which is the first now?" if right > 0 else ""
                raise Wrong(f"{what} the result is {got}.{again}")
            if got < right / 2 and right > 0:
                raise Wrong(
                    f"{what} the result is far too small: a limit, or a small number that is "
                    "added, holds it back. Large scores must count as they are."
                )
        _compared(f"{what} the result", value, right, "one number, the mean of all examples.", {
            "has the wrong sign.": -right,
            "has ReLU in place of the gate: near zero they differ.": _energy(np.maximum(scores, 0)),
            "has the scores in place of the gate: below zero they differ.": _energy(scores),
            "has exp(gate) in place of exp(-gate).": _energy(-gate),
            "has exp(gate), and no minus before the logarithm.": -_energy(-gate),
            "is the sum over the examples: take the mean.": right * len(x),
            "has the least gate in place of the sum of the odds.": gate.min(axis=1).mean(),
            "has the sum of the gates in place of the sum of the odds.": gate.sum(axis=1).mean(),
            "is that of the mean of the odds, not of their sum.": right + np.log(3),
            "adds the odds of different examples: add up along the units.": _energy(gate.T),
            "adds all odds at once: each example has its own sum.": _energy(gate.reshape(1, -1)),
        })  # fmt: skip
    return "Scores of any size give the right number, to twelve digits."


def _energy(gate: np.ndarray) -> float:
    """Minus the mean of log(sum of exp(-gate)), the sum along a row."""
    least = gate.min(axis=1, keepdims=True)
    return (least[:, 0] - np.log(np.exp(least - gate).sum(axis=1))).mean()


def evaluation(framework, changed, evaluate) -> str:
    """Name what an evaluation changes, and mend it: modes, shapes, and the last, small batch."""
    named = changed.strip().removeprefix("net/") if isinstance(changed, str) else changed
    notes = dict.fromkeys(framework.trained, "only training changes it, by the optimiser.")
    _named("changed", named, framework.collected, notes, framework.state_kind)
    rng = np.random.default_rng()
    for training in (True, False):
        drawn = None
        while drawn is None:  # a network that gives one answer always is of no use
            model, modes = framework.classifier(rng, training=training)
            drawn = _shares(rng, functools.partial(framework.predict, model))
        arrays, right, mistakes = drawn
        modes.clear()
        before = framework.kept(model)
        batches = [(framework.data(x), framework.data(y)) for x, y in arrays]
        result = _ask(evaluate, model=model, batches=batches)
        if not modes:
            raise Wrong("Your function never calls `model`.")
        if any(modes):
            raise Wrong(
                "Your function runs the network in training mode: dropout is on, and normalisation "
                f"uses the batch, and collects from it. {framework.mode_note}"
            )
        _left_alone(framework, before, model)
        got = to_numpy(result)
        if got.dtype.kind in "fiu" and got.shape == ():  # float32 will do
            shares = (right, *mistakes.values())
            known = [share for share in shares if np.isclose(got, share, rtol=1e-6, atol=1e-6)]
            if not known and np.isclose(got, [np.round(right, n) for n in (2, 3, 4)]).any():
                raise Wrong("The share is rounded: return it as it is.")
            result = np.asarray((known or [got])[0], float)
        compare("The share", result, right, shape_note="one number.", mistakes=mistakes)
    return "The right share, from batches of any size; and the network is as it was before."


def _shares(rng: np.random.Generator, predict: Callable) -> tuple | None:
    """Batches of which every mistake gives another share of right answers; the share; those."""
    sizes = (12, 12, 5)
    for _ in range(20):
        arrays = [(rng.normal(size=(n, 3)), rng.integers(3, size=(n, 1))) for n in sizes]
        each = [(predict(x).argmax(axis=1), y[:, 0]) for x, y in arrays]
        hits = [guess == y for guess, y in each]
        tables = [guess == y[:, None] for guess, y in each]
        right = np.concatenate(hits).mean()
        every = "compares every answer with every label"
        shares = {
            "is the mean of the batches' shares: the last one is smaller, and counts less.": (
                np.mean([hit.mean() for hit in hits])
            ),
            f"{every}: print the shapes of both.": np.mean([table.mean() for table in tables]),
            f"{every}, in tables of n rows and n columns: print the shapes of both.": (
                np.concatenate([table.ravel() for table in tables]).mean()
            ),
            "is that of the last batch alone.": hits[-1].mean(),
            "is that of the first batch alone.": hits[0].mean(),
            "is the share of wrong answers.": 1 - right,
        }
        if len({round(share, 5) for share in (right, *shares.values())}) > len(shares):
            more = {
                "is a number of examples, not their share.": right * sum(sizes),
                "is in percent: return a share, from 0 to 1.": right * 100,
                "is a sum over batches: divide by all examples.": right * len(sizes),
                f"{every}, and counts them all: print the shapes of both.": (
                    sum(table.sum() for table in tables) / sum(sizes)
                ),
            }
            known = {sentence: np.asarray(share) for sentence, share in (shares | more).items()}
            return arrays, np.asarray(right), known
    return None


def _left_alone(framework, before: dict, model, when: str = "") -> None:
    """Raise `Wrong` where a network is not as it was."""
    after = framework.kept(model)
    same = functools.partial(np.array_equal, equal_nan=True)
    left = framework.left(before, after)
    if not left and not all(map(same, before["numbers"], after["numbers"])):
        left = "Your function changes numbers that the network keeps: let it only predict."
    if left:
        raise Wrong(f"{when}{left[0].lower()}{left[1:]}" if when else left)


def live(framework, seat, serial, column) -> str:
    """Read in a debugger which record of an archive spoils a batch."""
    seat, serial = _whole("seat", seat), _whole("serial", serial)
    column = _whole("column", column)
    serials, readings, others = _held(framework, seat)
    ((row, bad),) = np.argwhere(readings <= -1)
    if serial != serials[row]:
        if serial in serials:
            found = np.flatnonzero(serials == serial)[0]
            text = "its readings are ones that `log1p` takes. Which row has one that it does not?"
            raise Wrong(f"`serial` is the number of row {found} of that batch; {text}")
        if serial < RECORDS:
            raise Wrong("`serial` is a row; what is asked for is `serials` of that row.")
        if serial in others:
            raise Wrong("`serial` is the number of a record in another batch, which gave no error.")
        raise Wrong(
            f"`serial` is no record of the archive of seat {seat}. Is that the seat whose archive "
            "you debugged?"
        )
    if column != bad:
        text = "" if column < COLUMNS else " Columns count from 0."
        raise Wrong(f"`column` is not {column}: in that column the record is fine.{text}")
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
        before = framework.kept(model)
        _layer_judged(_ask(first_bad_layer, model=model, X=x), bad, order)
        _left_alone(framework, before, model)
    wide = framework.data(rng.uniform(size=(6, 7)))  # no layer takes seven columns
    try:
        _ask(first_bad_layer, model=model, X=wide)
    except (Wrong, NotAttempted):
        raise
    except Exception:  # whatever the framework raises
        _left_alone(framework, before, model, "Where the network itself raises an error: ")
    else:
        raise Wrong("Where the network itself raises an error your function hides it.")
    return "Five networks: each first bad layer has its name, and nothing is left behind."


def _layer_judged(answer, bad: str | None, order: tuple[str, ...]) -> None:
    """Judge the name of a layer, or None."""
    if not isinstance(answer, str | None):
        raise Wrong(f"The result is {_given(answer)}; it must be a name, or None.")
    if answer == bad:
        return
    if bad is None:
        raise Wrong(f"Every output is finite, and the result is {answer!r}: return None.")
    if answer is None:
        raise Wrong(
            f"The output of `{bad}` is not finite, and the result is None. Look at each layer, and "
            "for NaN as well as for both infinities."
        )
    if answer not in order:
        names = ", ".join(f"`{name}`" for name in order)
        raise Wrong(f"The network has no layer called {answer!r}; its names are {names}.")
    if order.index(answer) < order.index(bad):
        raise Wrong(f"The result is {answer!r}, whose output is finite; {bad!r} is the first.")
    raise Wrong(f"The result is {answer!r}, but the output of {bad!r} is bad before it.")


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
