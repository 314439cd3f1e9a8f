"""Lesson 05, debugging: the checks of its exercise.

References are NumPy's, on inputs that are drawn anew for every check.
"""

import builtins
import copy
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from paired.checks import adapters
from paired.checks.answers import Answer, Halves, Number, resolve, task
from paired.checks.judging import NotAttempted, Wrong, call, compare, kind_of, to_numpy
from paired.checks.lesson_05_archive import RECORDS, contents
from paired.checks.lesson_05_archive import archive as archive  # the notebooks' fourth task

import numpy as np

CHANGES = "Your function changes numbers that the network keeps: let it only predict."
NEARLY = "a small number that is added, or a limit, changes the results. They must be exact."
AGAIN = "Debug your function: which tensor is the first now?"


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch, and its words."""

    mode_note = "Which method changes the mode?"
    spoilt = "value", np.inf  # what makes infinities of numbers below zero, in the network's ReLU

    def weights(self, model) -> list:
        """The numbers of a network that may be set to any others; of a layer, kernel and bias."""
        kept = model.state_dict().items()
        return [tensor for name, tensor in kept if not name.endswith(("_var", "_tracked"))]

    def put(self, weight, array: np.ndarray) -> None:
        """Set one of them."""
        weight.copy_(self.tensor(array))

    def network(self, *, training: bool) -> tuple:
        """A network, four layers by name, ReLU last, and all names in the order of the calls."""
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.out = nn.Linear(4, 2)  # registered first, called last
                self.head = nn.Sequential(nn.Linear(3, 4), nn.Threshold(0, 0))  # a ReLU
                self.body, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
                self.body.register_forward_hook(lambda *_: None)  # somebody else's
                self.factor = 1.0

            def forward(self, x):
                return self.factor * self.out(torch.relu(self.norm(self.body(self.head(x)))))

        model = Net().double().train(training)
        names = "head.0", "body", "norm", "head.1"
        layers = {name: model.get_submodule(name) for name in names}
        return model, layers, ("head.0", "head.1", "body", "norm", "out")

    def classifier(self, *, training: bool) -> tuple:
        """A network in a mode, and a list in which its modes stand after calls."""
        from torch import nn

        layers = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)
        model, modes = nn.Sequential(*layers).double(), []
        for module in model:
            module.register_forward_pre_hook(lambda module, _: modes.append(module.training))
        return model.train(training), modes

    def predict(self, model, x: np.ndarray) -> np.ndarray:
        """What a network gives that does not train."""
        return to_numpy(copy.deepcopy(model).eval()(self.tensor(x)))

    def kept(self, model) -> dict:
        """What a function must leave as it is, by what to say where it does not."""
        from torch.nn.modules import module as everywhere

        modules = dict(model.named_modules(prefix="model"))
        kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
        hooks = [own for m in modules.values() for kind in kinds for own in vars(m)[kind].values()]
        others = [hook for hook in hooks if hook.__module__ == __name__]  # put on above
        return {
            "After your function returns its hooks are still there. Take the handle of each hook, "
            "and remove it.": len(hooks) - len(others) + len(everywhere._global_forward_hooks),
            "Your function takes off hooks that others had put on: remove only its own.": others,
            **_attributes(modules),
            "Your function changes which numbers require a gradient: leave that.": (
                [own.requires_grad for own in model.parameters()]
            ),
            CHANGES: [to_numpy(tensor).tobytes() for tensor in model.state_dict().values()],
        }


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    mode_note = "Which argument says so?"
    spoilt = "negative_slope", np.inf

    def weights(self, model) -> list:
        floats = [weight for weight in model.weights if weight.dtype == "float64"]
        return [weight for weight in floats if "variance" not in weight.path]

    def put(self, weight, array: np.ndarray) -> None:
        weight.assign(array)

    def network(self, *, training: bool) -> tuple:  # a call says its mode
        from keras import Input, Model, layers

        kind = {"dtype": "float64"}
        inputs = Input((3,), **kind)
        first = layers.Dense(4, name="first", **kind)
        second = layers.Dense(4, name="second", **kind)
        relu = layers.ReLU(name="relu", **kind)
        body = second(layers.Dropout(0.5, name="drop", **kind)(shared := relu(first(inputs))))
        norm = layers.BatchNormalization(name="norm", **kind)
        body = layers.Add(name="add", **kind)([norm(body), shared])
        model = Model(inputs, layers.Dense(2, name="out", **kind)(body))
        some = {layer.name: layer for layer in (first, second, norm, relu)}
        return model, some, [layer.name for layer in model.layers]

    def classifier(self, *, training: bool) -> tuple:
        from keras import Input, Sequential, layers

        kind: dict = {"dtype": "float64"}
        modes: list[bool] = []

        class Probe(layers.Layer):
            def call(self, x, training=None):
                modes.append(bool(training))
                return x

        norm, drop = layers.BatchNormalization(**kind), layers.Dropout(0.5, **kind)
        inner = [layers.Dense(8, **kind), norm, drop, Probe(**kind), layers.Dense(3, **kind)]
        return Sequential([Input((3,), **kind), *inner]), modes

    def predict(self, model, x: np.ndarray) -> np.ndarray:
        return to_numpy(model(self.tensor(x), training=False))

    def kept(self, model) -> dict:
        layers = {layer.name: layer for layer in model.layers} | {"model": model}
        numbers = [to_numpy(weight).tobytes() for weight in model.weights]
        return _attributes(layers, "call", "trainable") | {CHANGES: numbers}


def _attributes(named: dict, *properties: str) -> dict:
    """The attributes of modules or layers by what to say where they are not as they were."""
    plain = (bool, int, float, str)
    found = {
        (own, name): value if isinstance(value, plain) else type(value)
        for name, each in named.items()
        for own, value in vars(each).items()
        if not own.startswith(("_", "stop_")) and not own.endswith("_function")  # of `predict`
    }
    found |= {(own, name): getattr(each, own) for name, each in named.items() for own in properties}
    says = "After your function returns `{}` of `{}` is not as it was: put it back."
    return {says.format(*names): value for names, value in found.items()}


class Name(Answer):
    """A name in quotes, of which more than one may be right; "net/" may go with it."""

    def __init__(self, wanted: str | Halves, right: tuple | Halves, mistakes: dict | Halves):
        super().__init__(right, mistakes)
        self.wanted = wanted

    def _read(self, answer, half: str) -> str:
        name = answer.strip().removeprefix("net/")
        known = (*resolve(self.right, half), *resolve(self.mistakes, half))
        return known[known.index(name)]

    def _expects(self, half: str) -> str:
        return f"{resolve(self.wanted, half)}, in quotes"

    def _same(self, given, value) -> bool:
        return given in value if isinstance(value, tuple) else given == value

    def _sentence(self, given, half: str) -> str:
        return f"is not {given!r}: {super()._sentence(given, half)}"


@task(
    stops_equal=Number(0, {
        1: "is not 1: ask what NaN is equal to.",
        2: "counts the NaN: but NaN is equal to nothing, not even to itself.",
        3: "counts what is not finite: but NaN is equal to nothing, not even to itself.",
    }),
    stops_unequal=Number(2, {
        0: "is not 0: NaN differs from everything, itself included.",
        3: "counts infinity, which is equal to itself.",
        5: "counts every loss; a number is equal to itself.",
    }),
    first=Number(Halves(5, 4), Halves({
        3: "counts the rows of `x`: a hook sees the whole batch at once.",
        4: "leaves one out: hooks run under `no_grad` too.",
        6: "counts `layer.forward(x)`, which goes around the hooks: `layer(x)` runs them.",
    }, {
        1: "is not 1: another shape, and each other Python number, is traced anew.",
        **dict.fromkeys((2, 3), "counts one trace for both Python numbers: each is a constant of "
                        "its own trace."),
        5: "counts the calls; Python's lines run only while a function is traced.",
    })),
    second=Number(Halves(1, 5), Halves({
        0: "is not 0: the loss leads back through the layer.",
        2: "counts the ways from the loss to the layer: their gradients are added first.",
        **dict.fromkeys((4, 5, 6), "counts the calls of the layer; the loss leads back through "
                        "the last of them only."),
    }, {
        0: "is not 0: `tf.print` is part of the graph, which each call runs.",
        1: "counts the first call only; `tf.print` is part of the graph, which each call runs.",
        4: "counts the traces; `tf.print` is part of the graph, which each call runs.",
        9: "counts traces and runs: while a function is traced, `tf.print` prints nothing.",
    })),
    third=Number(Halves(1, 5), Halves({
        0: "is not 0: a gradient arrives at `y`.",
        2: "counts the ways from the loss to `y`: their gradients are added first.",
        3: "counts the rows of `y`: a hook sees the whole gradient at once.",
        4: "counts the tensors that were called `y`: the hook is on the last of them.",
    }, {
        0: "is not 0: without a graph each call runs Python's lines.",
        1: "is not 1: without a graph each call runs Python's lines.",
        4: "counts traces; without a graph there are none, and each call runs Python's lines.",
        **dict.fromkeys((9, 10), "counts traces too; without a graph there are none."),
    })),
)  # fmt: skip
def predict(framework) -> str:
    """How often conditions are true, and how often code is run."""
    return "All five are right. The next cell counts."


@task(
    first_bad=Name("the name of a tensor in `free_energy`", ("grown",), {
        "X": "it is finite.",
        "W": "its numbers are large, and finite.",
        "scores": "they are large, and finite.",
        "gate": "it is computed from one that is infinite already.",
        "odds": "it is zero, which is finite.",
        "energy": "it comes later.",
    })
)  # fmt: skip
def first_inf(framework, free_energy) -> str:
    """Name what is infinite first, and mend the function and its gradients for large scores."""
    rng = np.random.default_rng()
    x, w = rng.uniform(0.5, 1, size=(6, 4)), rng.uniform(0.2, 1, size=(4, 3)) * [-1, 1, -1]
    away = np.abs(w) + 0.5
    for what, inputs in {
        "For small scores": (x, w),
        "For equal scores": (x, w[:, [0, 0, 1, 1]]),
        "For scores far below zero": (x, -2000 * away),
        "For large scores": (x, 2000 * away),
        "For scores above 20": (x**0.01, rng.uniform(5.2, 5.4, size=(4, 3))),
    }.items():
        _energy_checked(framework, free_energy, what, *inputs)
    return "Scores of any size give the right number, to twelve digits, and the right gradients."


def _energy_checked(framework, function: Callable, what: str, x, w) -> None:
    scores = x @ w
    gate = np.logaddexp(0, scores)
    right = _energy(gate)
    mistakes = {
        "has the wrong sign.": -right,
        "takes a score above 20 for its gate, as PyTorch's `softplus` does by default.": (
            _energy(np.where(scores > 20, scores, gate))
        ),
        "has ReLU in place of the gate: near zero they differ.": _energy(np.maximum(scores, 0)),
        "has the scores in place of the gate: below zero they differ.": _energy(scores),
        "has the least gate in place of the sum of the odds.": gate.min(axis=1).mean(),
    }

    def value(*tensors):
        """What the function returns, if that is right."""
        value = _ask(function, X=tensors[0], W=tensors[1])
        got = to_numpy(value)
        if got.dtype.kind == "f" and got.shape == ():
            if not np.isfinite(got):
                raise Wrong(f"{what} the result is {got}. {AGAIN}")
            if got < right / 2 and right > 30:
                raise Wrong(
                    f"{what} the result is far too small: a limit, or a small number that is "
                    "added, holds it back. Large scores must count as they are."
                )
        note = "one number, the mean of all examples."
        words = {"shape_note": note, "nearly_note": NEARLY, "mistakes": mistakes}
        compare(f"{what} the result", value, right, **words)
        adapters.must_be_tensor(framework, f"{what} the result", value)
        return value

    _, gradients = framework.gradients(value, x, w)
    odds = np.exp(gate.min(axis=1, keepdims=True) - gate)
    slope = odds / odds.sum(axis=1, keepdims=True) * np.exp(scores - gate) / len(x)
    for name, gradient, expected in zip("XW", gradients, (slope @ w.T, x.T @ slope), strict=True):
        if gradient is None:
            raise Wrong(f"No gradient arrives at `{name}`: something is cut off from it.")
        name = f"{what} the gradient at `{name}`"
        if not np.isfinite(to_numpy(gradient)).all():
            raise Wrong(
                f"{name} is not finite, though the value is. What is computed and not chosen has a "
                "gradient too, and 0 times infinity is NaN: let nothing become infinite."
            )
        compare(name, gradient, expected, nearly_note=NEARLY)


def _energy(gate: np.ndarray) -> float:
    """Minus the mean of log(sum of exp(-gate)), the sum along a row."""
    least = gate.min(axis=1, keepdims=True)
    return (least[:, 0] - np.log(np.exp(least - gate).sum(axis=1))).mean()


LAYERS = {"hidden": ("kernel", "bias"), "norm": ("gamma", "beta"), "out": ("kernel", "bias")}
TRAINED = "only training changes it, by the optimiser."


@task(
    changed=Name(
        Halves("a name in `net.state_dict()`", "the `path` of one of `net.weights`"),
        Halves(
            ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked"),
            ("norm/moving_mean", "norm/moving_variance"),
        ),
        Halves(
            {f"{layer}.{own}": TRAINED for layer in LAYERS for own in ("weight", "bias")},
            {f"{layer}/{own}": TRAINED for layer in LAYERS for own in LAYERS[layer]},
        ),
    )
)
def evaluation(framework, evaluate) -> str:
    """Name what an evaluation changes, and mend it: modes, shapes, and the last, small batch."""
    rng = np.random.default_rng()
    for training in (True, False):
        model, modes = framework.classifier(training=training)
        arrays, right, mistakes = _drawn(framework, rng, model)
        modes.clear()
        before = framework.kept(model)
        batches = [(framework.tensor(x), framework.tensor(y)) for x, y in arrays]
        given = result = _ask(evaluate, model=model, batches=batches)
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
            result = next((share for share in shares if np.isclose(got, share, 1e-6, 1e-6)), got)
            if result is got and np.isclose(got, [np.round(right, n) for n in (2, 3, 4)]).any():
                raise Wrong("The share is rounded: return it as it is.")
            result = np.asarray(result, float)
        compare("The share", result, right, shape_note="one number.", mistakes=mistakes)
        if not isinstance(given, float):
            raise Wrong(f"The share is {kind_of(given)}; it must be a Python `float`.")
    return "The right share, from batches of any size; and the network is as it was before."


def _drawn(framework, rng: np.random.Generator, model) -> tuple:
    """Batches, the share of right answers, and those of mistakes; it sets the network's numbers."""
    sizes, shares = (12, 12, 5), {}
    every, shapes = "compares every answer with every label", "print the shapes of both."
    while len({round(share, 5) for share in shares.values()}) < 5:
        _fill(framework, model, rng.normal)
        arrays = [(rng.normal(size=(n, 3)), rng.integers(3, size=(n, 1))) for n in sizes]
        each = [(framework.predict(model, x).argmax(axis=1), y) for x, y in arrays]
        hits = [guess == y[:, 0] for guess, y in each]
        means, right = [hit.mean() for hit in hits], np.concatenate(hits).mean()
        mean = np.mean(means)
        tables = [guess == y for guess, y in each]
        cells = sum(table.sum() for table in tables)
        shares = {
            "": right,
            "is the mean of the batches' shares: the last one is smaller, and counts less.": mean,
            f"{every}: {shapes}": np.mean([table.mean() for table in tables]),
            f"{every}, in tables of n rows and n columns: {shapes}": (
                cells / sum(n * n for n in sizes)
            ),
            f"{every}, and counts them all: {shapes}": cells / sum(sizes),
        }
    return arrays, shares.pop(""), shares


def _fill(framework, model, draw: Callable) -> None:
    """Draw the numbers of a network."""
    for weight in framework.weights(model):
        framework.put(weight, draw(size=tuple(weight.shape)))


def _left_alone(framework, before: dict, model, when: str = "") -> None:
    """Raise `Wrong` where a network is not as it was."""
    after = framework.kept(model)
    for sentence in before | after:
        if before.get(sentence) != after.get(sentence):
            raise Wrong(f"{when}{sentence[0].lower()}{sentence[1:]}" if when else sentence)


def live(framework, seat, serial, column) -> str:
    """Read in a debugger which record of an archive spoils a batch."""
    if type(seat) not in (int, float) or seat < 0 or seat % 1:
        raise Wrong(f"`seat` must be a whole number from 0; it is {kind_of(seat)}.")
    held = contents(int(seat))
    at, serials = held["at"], held["SERIALS"]
    batch = next(rows for rows in held["batches"] if at in rows)
    mistakes = dict.fromkeys(
        serials, "is the number of a record in another batch, which gave no error."
    ) | dict.fromkeys(range(RECORDS), "is a row; what is asked for is `serials` of that row.")
    for row, n in enumerate(batch):
        text = "its readings are ones that `log1p` takes. Which row has one that it does not?"
        mistakes[serials[n]] = f"is the number of row {row} of that batch; {text}"
    text = f"is no record of seat {seat}'s archive. Is that the seat whose archive you debugged?"
    Number(serials[at], mistakes, text).judge("serial", serial, framework.name)
    text = "is not {}: in that column the record is fine. Columns count from 0."
    Number(held["column"], {}, text).judge("column", column, framework.name)
    return "That is what the frame held when the step failed."


def translation(framework, first_bad_layer) -> str:
    """Find the first layer whose output is not finite, with the other framework's idiom."""
    rng = np.random.default_rng()
    for model, x, bad, order in _networks(framework, rng):
        before = framework.kept(model)
        _layer_judged(_ask(first_bad_layer, model=model, X=x), bad, order)
        _left_alone(framework, before, model)
    wide = framework.tensor(rng.uniform(size=(6, 7)))  # no layer takes seven columns
    try:
        _ask(first_bad_layer, model=model, X=wide)
    except (Wrong, NotAttempted):
        raise
    except Exception:  # whatever the framework raises
        _left_alone(framework, before, model, "Where the network itself raises an error: ")
    else:
        raise Wrong("Where the network itself raises an error your function hides it.")
    return "Eight networks: each first bad layer has its name, and nothing is left behind."


def _networks(framework, rng: np.random.Generator) -> Iterator[tuple]:
    """Networks with an input, the first bad layer, and all layers in the order of the calls."""
    # By what weights are multiplied (3e307: the sum of finite numbers is infinite), the layer of
    # which a number of the last weight (a bias, or a running mean, which only a network that
    # predicts uses; of ReLU, the first layer's) is set, and to what.
    for factor, place, value, training in (
        (1, 0, -np.inf, True), (1, 1, np.nan, False), (1, 2, np.nan, True), (1, 1, np.inf, True),
        (3e307, 1, 0.5, False), (1e300, 0, 0.5, True), (1, 3, -9, True), (1, 0, 0.5, True),
    ):  # fmt: skip
        model, layers, order = framework.network(training=training)
        *own, relu = layers.values()
        _fill(framework, model, lambda size: rng.uniform(0.1, 1, size))
        weights = [framework.weights(layer) for layer in own]
        for kernel, *_ in weights:
            framework.put(kernel, factor * to_numpy(kernel))
        last = weights[place % 3][-1]
        framework.put(last, np.where(np.arange(4) == 1, value, to_numpy(last)))
        if place == 3:
            setattr(relu, *framework.spoilt)
        x = rng.uniform(0.1, 1, size=(6, 3))
        x[-1] *= 1e9 if factor == 1e300 else 1  # one example alone
        good = factor == 1 and np.isfinite(value) and place < 3
        model.factor = np.inf if good else 1.0  # its output, then, is that of no layer
        yield model, framework.tensor(x), None if good else list(layers)[place], order


def _layer_judged(answer, bad: str | None, order: tuple[str, ...]) -> None:
    """Judge the name of a layer, or None."""
    if not isinstance(answer, str | None):
        raise Wrong(f"The result is {kind_of(answer)}; it must be a name, or None.")
    if answer == bad:
        return
    if bad is None:
        raise Wrong(f"Every layer's output is finite, and the result is {answer!r}: return None.")
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


TASKS = (predict, first_inf, evaluation, live, translation)
