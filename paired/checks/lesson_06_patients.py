"""The patients that the doctor of lesson 06's exercise examines, and what shows their illnesses.

A patient is a small network on the digits that is really trained; five of six have an illness. It
remembers its weights of each step, and a `Chart` is what NumPy makes of them. `SIGNS` has for each
illness the quantities that show it, and those that only look as if they did.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from paired import data
from paired.checks import to_numpy

import numpy as np

ILLNESSES = (
    "healthy",
    "learning rate too high",
    "overfitting",
    "dead units",
    "exploding gradients",
    "leak",
)

# The patients: eight layers of tanh, one of ReLU, ten logits.
DEPTH, WIDTH, _DIGITS = 8, 32, 10
STEPS, BATCH, _MOMENTUM = 200, 50, 0.875
RATE, _HIGH_RATE = 0.03, 3.0
LARGE = 12.0  # how many times too large the weights between layers of tanh are
_LOW_BIAS, _DEAD = -8.0, 29  # the bias that kills a unit, and how many have it
_FEW, _WRONG_LABELS = 80, 30
LEAKED = 150


class Layers(NamedTuple):
    """The weights of a patient, layer by layer: (inputs, outputs), and the biases, (outputs,)."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs of the layer of ReLU, (n, units), and the logits, (n, 10)."""
        hidden = x.astype(np.float64)
        for weight, bias in zip(self.weights[:DEPTH], self.biases[:DEPTH], strict=True):
            hidden = np.tanh(hidden @ weight + bias)
        units = np.maximum(hidden @ self.weights[DEPTH] + self.biases[DEPTH], 0)
        return units, units @ self.weights[-1] + self.biases[-1]


class History(NamedTuple):
    """What a patient was at a step: its weights, the loss of the batch, norms of gradients."""

    layers: Layers
    loss: float
    norms: list[float]


class Patient:
    """A network on the digits, in training.

    `model` is the network: layers of tanh, one of ReLU, one of logits. `X_train`, `y_train`,
    `X_test` and `y_test` are tensors, the images (n, 64) in float32. `dead` is how many of the 32
    units of ReLU the illness "dead units" kills.
    """

    def __init__(
        self, framework, seat: int, number: int, illness: str, second: str = "", dead: int = _DEAD
    ) -> None:
        rng = np.random.default_rng([seat, number, 6])
        self._framework, self._illness, self._seed = framework, illness, [seat, number]
        self._start, self._rate = _weights(rng, illness, dead), RATE
        if illness == "learning rate too high":
            self._rate = _HIGH_RATE
        self._arrays = _images(rng, second or illness)
        self._history: dict[int, History] = {}
        self.model = framework.network(DEPTH, WIDTH, _DIGITS)
        framework.load(self.model, self._start)
        self.X_train, self.y_train, self.X_test, self.y_test = map(framework.data, self._arrays)

    def train(self) -> Iterator[tuple[int, float, dict[str, Any]]]:
        """Train from the start; yield (step, loss of the batch, its gradients by name).

        At that moment `model` still has the weights that loss and gradients belong to; the step
        is made when the loop goes on.
        """
        self._framework.load(self.model, self._start)
        self._history = {}
        x, y, _, _ = self._arrays
        trainer = self._framework.trainer(self.model, self._rate, _MOMENTUM)
        for step, rows in enumerate(data.batches(len(x), BATCH, STEPS, seed=sum(self._seed))):
            loss, gradients = trainer.look(*map(self._framework.data, (x[rows], y[rows])))
            self._history[step] = History(trainer.layers(), loss, trainer.norms())
            yield step, loss, gradients
            trainer.step()
        nothing = [math.nan] * len(gradients)
        self._history[STEPS] = History(trainer.layers(), math.nan, nothing)


def ward(framework: str, seat: int) -> dict[str, Patient]:
    """Six patients, A to F: one is healthy, each of the others has another illness.

    Args:
        framework: "pytorch" or "tensorflow".
        seat: a whole number from 0; another one shuffles the patients and makes others.

    Raises:
        ValueError: the seat is not a whole number from 0.
    """
    if isinstance(seat, bool) or not isinstance(seat, int) or seat < 0:
        raise ValueError(f"`seat` must be a whole number from 0; it is {seat!r}.")
    adapter = FRAMEWORKS[framework]()
    order = np.random.default_rng([seat, 6]).permutation(len(ILLNESSES))
    return {
        letter: Patient(adapter, seat, number, ILLNESSES[number])
        for letter, number in zip("ABCDEF", map(int, order), strict=True)
    }


def _weights(rng: np.random.Generator, illness: str, dead: int) -> Layers:
    sizes = [64, *[WIDTH] * (DEPTH + 1), _DIGITS]
    layers = Layers([], [])
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        scale = math.sqrt((2 if number == DEPTH else 1) / inputs)
        if illness == "exploding gradients" and 0 < number < DEPTH:
            scale *= LARGE
        layers.weights.append(rng.normal(scale=scale, size=(inputs, outputs)).astype(np.float32))
        layers.biases.append(np.zeros(outputs, np.float32))
    if illness == "dead units":
        layers.biases[DEPTH][rng.permutation(WIDTH)[:dead]] = _LOW_BIAS
    return layers


@functools.cache
def _digits() -> data.Digits:
    return data.digits()


def _images(rng: np.random.Generator, illness: str) -> tuple[np.ndarray, ...]:
    """Training images (n, 64) and labels (n,), and the same for testing."""
    digits = _digits()
    test = digits.x_test.reshape(-1, 64)
    train = digits.x_train.reshape(-1, 64)
    rows = rng.permutation(len(train))
    x, y = train[rows], digits.y_train[rows]
    if illness == "overfitting":
        x, y = x[:_FEW], y[:_FEW].copy()
        wrong = rng.permutation(_FEW)[:_WRONG_LABELS]
        y[wrong] = (y[wrong] + rng.integers(1, _DIGITS, size=_WRONG_LABELS)) % _DIGITS
    elif illness == "leak":
        leaked = rng.permutation(len(test))[:LEAKED]
        x, y = np.concatenate([x, test[leaked]]), np.concatenate([y, digits.y_test[leaked]])
        rows = rng.permutation(len(x))
        x, y = x[rows], y[rows]
    return x, y, test, digits.y_test


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """The mean cross-entropy of logits, (n, classes), and labels, (n,)."""
    z = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]).mean())


class PyTorch:
    """What a patient needs of PyTorch."""

    def data(self, array: np.ndarray):
        """A tensor that holds the array."""
        import torch

        return torch.from_numpy(array.copy())

    def network(self, depth: int, width: int, outputs: int):
        """A new network: `depth` layers of tanh, one of ReLU, one of logits."""
        from torch import nn

        layers: list = [nn.Linear(64, width), nn.Tanh()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.Tanh()]
        return nn.Sequential(*layers, nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))

    def load(self, model, layers: Layers) -> None:
        """Give a network these weights."""
        import torch

        linear = [layer for layer in model if hasattr(layer, "weight")]
        with torch.no_grad():
            for layer, weight, bias in zip(linear, *layers, strict=True):
                layer.weight.copy_(self.data(weight.T))
                layer.bias.copy_(self.data(bias))

    def trainer(self, model, rate: float, momentum: float) -> "_TorchTrainer":
        """What trains a network: gradients, then the step, each when it is asked for."""
        return _TorchTrainer(model, rate, momentum)


class _TorchTrainer:
    """Stochastic gradient descent with momentum, in two halves."""

    def __init__(self, model, rate: float, momentum: float) -> None:
        import torch

        self._model = model
        self._optimizer = torch.optim.SGD(model.parameters(), rate, momentum)

    def look(self, x, y) -> tuple[float, dict]:
        import torch

        # More threads than one are slow for a network as small as this, on a busy machine very.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self._optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self._model(x), y)
        loss.backward()
        torch.set_num_threads(threads)
        return loss.item(), {name: p.grad for name, p in self._model.named_parameters()}

    def layers(self) -> Layers:
        linear = [layer for layer in self._model if hasattr(layer, "weight")]
        return Layers(
            [layer.weight.detach().numpy().T.copy() for layer in linear],
            [layer.bias.detach().numpy().copy() for layer in linear],
        )

    def norms(self) -> list[float]:
        return [p.grad.double().norm().item() for p in self._model.parameters()]

    def step(self) -> None:
        self._optimizer.step()


class TensorFlow:
    """The same of TensorFlow."""

    def data(self, array: np.ndarray):
        """A tensor that holds the array."""
        import tensorflow as tf

        return tf.constant(array)

    def network(self, depth: int, width: int, outputs: int):
        """A new network: `depth` layers of tanh, one of ReLU, one of logits."""
        import keras

        layers = [keras.layers.Dense(width, "tanh", name=f"tanh_{i + 1}") for i in range(depth)]
        layers += [keras.layers.Dense(width, "relu", name="relu")]
        layers += [keras.layers.Dense(outputs, name="logits")]
        return keras.Sequential([keras.Input((64,)), *layers], name="patient")

    def load(self, model, layers: Layers) -> None:
        """Give a network these weights."""
        for layer, weight, bias in zip(model.layers, *layers, strict=True):
            layer.kernel.assign(weight)
            layer.bias.assign(bias)

    def trainer(self, model, rate: float, momentum: float) -> "_KerasTrainer":
        """What trains a network: gradients, then the step, each when it is asked for."""
        return _KerasTrainer(model, rate, momentum)


class _KerasTrainer:
    """Stochastic gradient descent with momentum, in two halves, as one graph."""

    def __init__(self, model, rate: float, momentum: float) -> None:
        import tensorflow as tf

        self._variables = model.trainable_variables
        self._names = [variable.path.partition("/")[2] for variable in self._variables]
        # In one vector: a graph with few inputs is called sooner.
        weights = np.concatenate([to_numpy(variable).ravel() for variable in self._variables])
        self._values, self._velocity = tf.constant(weights), tf.zeros_like(weights)
        self._constants = tf.constant(rate), tf.constant(momentum)
        self._gradient, self._next = None, ()

    def look(self, x, y) -> tuple[float, dict]:
        loss, self._gradient, gradients, *self._next = _compiled()(
            self._values, self._velocity, x, y, *self._constants
        )
        return float(loss), dict(zip(self._names, gradients, strict=True))

    def _parts(self, vector) -> list[np.ndarray]:
        sizes = [math.prod(variable.shape) for variable in self._variables]
        pieces = np.split(vector.numpy(), np.cumsum(sizes)[:-1])
        return [p.reshape(v.shape) for p, v in zip(pieces, self._variables, strict=True)]

    def layers(self) -> Layers:
        parts = self._parts(self._values)
        return Layers(parts[::2], parts[1::2])

    def norms(self) -> list[float]:
        return [float(np.linalg.norm(np.float64(part))) for part in self._parts(self._gradient)]

    def step(self) -> None:
        self._values, self._velocity, values = self._next
        for variable, value in zip(self._variables, values, strict=True):
            variable.value.assign(value)


@functools.cache
def _compiled() -> Callable:
    """Loss, gradients and the next step of a batch: a graph that all patients share."""
    import keras
    import tensorflow as tf

    template = TensorFlow().network(DEPTH, WIDTH, _DIGITS)
    shapes = [variable.shape for variable in template.trainable_variables]
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def parts(vector) -> list:
        pieces = tf.split(vector, [math.prod(shape) for shape in shapes])
        return [tf.reshape(piece, shape) for piece, shape in zip(pieces, shapes, strict=True)]

    @tf.function
    def look(values, velocity, x, y, rate, momentum):
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = loss_of(y, template.stateless_call(parts(values), [], x)[0])
        gradient = tape.gradient(loss, values)
        velocity = momentum * velocity + gradient
        values -= rate * velocity
        return loss, gradient, parts(gradient), values, velocity, parts(values)

    return look


FRAMEWORKS = {"pytorch": PyTorch, "tensorflow": TensorFlow}


class Chart:
    """What NumPy makes of the weights that a patient had at some steps: arrays of these steps."""

    def __init__(self, patient: Patient, steps: list[int]) -> None:
        x, y, x_test, y_test = patient._arrays
        self.images = {"train": (x, y), "test": (x_test, y_test)}
        self._history = [patient._history[step] for step in steps]

    def _each(self, quantity: Callable[[History], float]) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.array([quantity(now) for now in self._history])

    def batch(self) -> np.ndarray:
        """The loss of each step's batch."""
        return self._each(lambda now: now.loss)

    def loss(self, name: str) -> np.ndarray:
        """The loss on all images of "train" or "test"."""
        x, y = self.images[name]
        return self._each(lambda now: cross_entropy(now.layers.forward(x)[1], y))

    def accuracy(self, name: str) -> np.ndarray:
        """The share of these images that are read rightly."""
        x, y = self.images[name]
        return self._each(lambda now: (now.layers.forward(x)[1].argmax(axis=1) == y).mean())

    def dead(self, name: str) -> np.ndarray:
        """The share of ReLU's units that are 0 for every one of these images."""
        x, _ = self.images[name]
        return self._each(lambda now: (now.layers.forward(x)[0] == 0).all(axis=0).mean())

    def zeros(self, name: str) -> np.ndarray:
        """The share of zeros in what ReLU gives for these images."""
        x, _ = self.images[name]
        return self._each(lambda now: (now.layers.forward(x)[0] == 0).mean())

    def norm(self, part: slice = slice(None)) -> np.ndarray:
        """The norm of the gradients of some parameters, all of them together."""
        return self._each(lambda now: math.sqrt((np.array(now.norms[part]) ** 2).sum()))

    def largest_norm(self) -> np.ndarray:
        """The largest of the norms of each parameter's gradient."""
        return self._each(lambda now: max(now.norms))

    def growth(self, of: int = 0, over: int = -2) -> np.ndarray:
        """The gradient of the first layer's weights over the last one's; NaN where both are 0."""
        return self._each(lambda now: np.divide(now.norms[of], now.norms[over]))

    def sum_of_norms(self) -> np.ndarray:
        """The sum of these norms."""
        return self._each(lambda now: sum(now.norms))


# What shows an illness, and what does not although it looks like it: functions, called in this
# order, since most need the network's outputs for all images and steps.


def _sign_of_rate(chart: Chart) -> tuple:
    return (chart.batch, lambda: chart.loss("train")), {
        "is the loss on the test images: begin with the training loss.": (
            lambda: chart.loss("test")
        ),
        "is the norm of the gradients, which other illnesses enlarge too.": chart.norm,
        "is an accuracy, which hides how far the loss jumps.": lambda: chart.accuracy("train"),
        "is the accuracy on the test images: log a training loss.": (
            lambda: chart.accuracy("test")
        ),
    }


def _sign_of_overfitting(chart: Chart) -> tuple:
    return (
        lambda: chart.loss("test"),
        lambda: chart.loss("test") - chart.batch(),
        lambda: chart.loss("test") - chart.loss("train"),
    ), {
        "is the loss of the batch, which says nothing of other images.": chart.batch,
        "is the loss on the training images, which says nothing of others.": (
            lambda: chart.loss("train")
        ),
        "is an accuracy: it stays where it is while the network grows too sure of its mistakes. "
        "Log the loss.": lambda: chart.accuracy("test"),
        "is the accuracy on the training images, which says nothing of others.": (
            lambda: chart.accuracy("train")
        ),
        "is a sum over the test images: log their mean.": (
            lambda: chart.loss("test") * len(chart.images["test"][0])
        ),
    }


def _sign_of_death(chart: Chart) -> tuple:
    zeros = (
        "is the share of zeros: a healthy unit of ReLU is 0 for about half of the images, a dead "
        "one for every image."
    )
    right = (
        lambda: chart.dead("test"),
        lambda: chart.dead("test") * WIDTH,
        lambda: chart.dead("train"),
        lambda: chart.dead("train") * WIDTH,
    )
    return right, {
        zeros: lambda: chart.zeros("test"),
        zeros + " ": lambda: chart.zeros("train"),  # said of both, and each needs a key of its own
        "is the share of the units that are alive: log that of the dead ones.": (
            lambda: 1 - chart.dead("test")
        ),
        "is the number of the units that are alive: log that of the dead ones.": (
            lambda: (1 - chart.dead("test")) * WIDTH
        ),
        "is 0 throughout: look at what comes out of ReLU, the last layer but one.": lambda: 0.0,
    }


def _sign_of_explosion(chart: Chart) -> tuple:
    first = functools.partial(chart.norm, slice(0, 1))
    right = (chart.norm, chart.growth, first, chart.largest_norm, lambda: np.log10(chart.norm()))
    return right, {
        "is upside down: what explodes is the first layer's gradient, on the last one's.": (
            lambda: chart.growth(-2, 0)
        ),
        "is the square of the norm: take its root.": lambda: chart.norm() ** 2,
        "is the sum of the norms of all: for the norm of all together add their squares.": (
            chart.sum_of_norms
        ),
        "is the gradient of the last layer alone, where nothing has grown yet.": (
            lambda: chart.norm(slice(-2, -1))
        ),
        "is the gradient of the last biases alone, where nothing has grown yet.": (
            lambda: chart.norm(slice(-1, None))
        ),
    }


def _sign_of_leak(chart: Chart) -> tuple:
    x, x_test = (chart.images[name][0] for name in ("train", "test"))
    known = {row.tobytes() for row in x}
    count = sum(row.tobytes() in known for row in x_test)
    rows = min(len(x), len(x_test))
    return (lambda: count, lambda: count / len(x_test), lambda: count / len(x)), {
        "is 0 for a patient with a leak: look for each test image among all training images, not "
        "only at the same place.": lambda: 0,
        # Mostly 0, but chance puts one of them there for one patient in ten.
        "counts only the images at the same place: look for each test image among all training "
        "images.": lambda: (x[:rows] == x_test[:rows]).all(axis=1).sum(),
        "counts the images that are *not* among the training images.": lambda: len(x_test) - count,
        "compares pixels, not images.": lambda: np.isin(x_test, x).sum(),
        "counts every test image. Compare images, not labels or pixels.": lambda: len(x_test),
    }


SIGNS = {
    "learning rate too high": _sign_of_rate,
    "overfitting": _sign_of_overfitting,
    "dead units": _sign_of_death,
    "exploding gradients": _sign_of_explosion,
    "leak": _sign_of_leak,
}

# What is said where a quantity is none of these.
UNKNOWN = {
    "learning rate too high": "is not a loss of this patient: log the loss of the batch, or of all "
    "training images.",
    "overfitting": "is not the loss on the test images, the mean cross-entropy of all of them, nor "
    "that minus the training loss.",
    "dead units": "is not the share of ReLU's units that are 0 for every image, nor their number.",
    "exploding gradients": "is not the norm of the gradients, the root of the sum of the squares "
    "of all of them, nor that of the first layer over that of the last.",
    "leak": "is not the number of test images that are among the training images, nor their share.",
}


def objection(said: str, illness: str, signs: dict[str, str]) -> str:
    """What speaks against a diagnosis; not what would be right."""
    tag = signs.get(said)
    if said == "healthy":
        return "it is not healthy: one of its signs is far from those of other patients."
    if said == "learning rate too high":
        # What these two suffer from is there before the learning rate is used.
        if illness in ("exploding gradients", "dead units"):
            return (
                f"look at `{signs[illness]}` at step 0, where the learning rate was not used yet."
            )
        return f"its training loss, `{tag}`, falls: the learning rate suits it."
    if said == "overfitting":
        return (
            f"look at `{tag}` beside the training loss. Overfitting is a test loss that rises "
            "while the training loss goes to 0."
        )
    if said == "dead units":
        if illness in ("learning rate too high", "exploding gradients"):
            return f"at step 0 `{tag}` is low: something kills its units later."
        return f"`{tag}` stays low: its units are alive."
    if said == "exploding gradients":
        return (
            f"at step 0 `{tag}` is of ordinary size. What grows later, the updates have enlarged."
        )
    return f"`{tag}` is 0: none of its test images is among its training images."
