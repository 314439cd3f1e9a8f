"""The patients that the doctor of lesson 06's exercise examines, and what shows their illnesses.

A patient is a small network on the digits, and five of six have an illness. NumPy trains it, so it
is the same in both halves; the framework's network gets the weights of each step. A `Chart` is what
NumPy sees at some steps. `SIGNS` has for each illness the quantities that show it, and those that
only look as if they did.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from paired import data
from paired.checks import adapters

import numpy as np

ILLNESSES = (
    "healthy",
    "learning rate too high",
    "overfitting",
    "dead units",
    "exploding gradients",
    "leak",
)

# The patients: images of 64 pixels, eight layers of tanh, one of ReLU, ten logits.
DEPTH, WIDTH, _DIGITS = 8, 32, 10
_SIZES = (64, *[WIDTH] * (DEPTH + 1), _DIGITS)
STEPS, BATCH, _MOMENTUM = 200, 50, 0.875
RATE, _HIGH_RATE = 0.03, 3.0
LARGE = 12.0  # how many times too large the weights between layers of tanh are
_LOW_BIAS, _DEAD = -8.0, 29  # the bias that kills a unit, and how many have it
_FEW, _WRONG_LABELS = 80, 30
LEAKED = 150

# Layer by layer the weights, (inputs, outputs), and the biases, (outputs,).
Weights = list[np.ndarray]


def forward(weights: Weights, x: np.ndarray) -> list[np.ndarray]:
    """Examples, (n, inputs), and what each layer makes of them, the logits last; in float64.

    The last layer but one is of ReLU, those before it of tanh.
    """
    values = [x.astype(np.float64)]
    for weight, bias in zip(weights[:-4:2], weights[1:-4:2], strict=True):
        values.append(np.tanh(values[-1] @ weight + bias))
    values.append(np.maximum(values[-1] @ weights[-4] + weights[-3], 0))
    return [*values, values[-1] @ weights[-2] + weights[-1]]


def gradients(weights: Weights, x: np.ndarray, y: np.ndarray) -> tuple[float, Weights]:
    """The loss of a batch, and its gradients."""
    *values, logits = forward(weights, x)
    back = np.exp(logits - logits.max(axis=1, keepdims=True))
    back /= back.sum(axis=1, keepdims=True)
    back[np.arange(len(y)), y] -= 1
    back /= len(y)
    slopes = [*(1 - value**2 for value in values[:-1]), values[-1] > 0]
    found: Weights = []
    for value, slope, weight in zip(values[::-1], slopes[::-1], weights[-2::-2], strict=True):
        found = [value.T @ back, back.sum(axis=0), *found]
        back = back @ weight.T * slope
    return cross_entropy(logits, y), found


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """The mean cross-entropy of logits, (n, classes), and labels, (n,)."""
    z = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]).mean())


class History(NamedTuple):
    """What a patient was at a step: its weights, the loss of the batch, norms of gradients."""

    weights: Weights
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
        self._framework, self._illness, self._seed = framework, illness, seat + number
        self._start = _weights(rng, illness, dead)
        self._rate = _HIGH_RATE if illness == "learning rate too high" else RATE
        self._arrays = _images(rng, second or illness)
        self._history: dict[int, History] = {}
        self.model = framework.network(*_SIZES)
        self._parameters = framework.parameters(self.model)
        framework.load(self._parameters, self._start)
        self.X_train, self.y_train, self.X_test, self.y_test = map(framework.tensor, self._arrays)

    def train(self) -> Iterator[tuple[int, float, dict[str, Any]]]:
        """Train from the start; yield (step, loss of the batch, its gradients by name).

        At that moment `model` still has the weights that loss and gradients belong to; the step
        is made when the loop goes on.
        """
        self._history = {}
        x, y, _, _ = self._arrays
        weights, velocities = self._start, [np.zeros_like(array) for array in self._start]
        for step, rows in enumerate(data.batches(len(x), BATCH, STEPS, seed=self._seed)):
            loss, found = gradients(weights, x[rows], y[rows])
            norms = [math.sqrt(np.vdot(gradient, gradient)) for gradient in found]
            self._history[step] = History(weights, loss, norms)
            self._framework.load(self._parameters, weights)
            yield step, loss, self._framework.named(self._parameters, found)
            velocities = [
                (_MOMENTUM * velocity + gradient).astype(np.float32)
                for velocity, gradient in zip(velocities, found, strict=True)
            ]
            moves = zip(weights, velocities, strict=True)
            weights = [array - np.float32(self._rate) * velocity for array, velocity in moves]
        self._framework.load(self._parameters, weights)
        self._history[STEPS] = History(weights, math.nan, [math.nan] * len(weights))


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


def _weights(rng: np.random.Generator, illness: str, dead: int) -> Weights:
    weights: Weights = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(_SIZES)):
        scale = math.sqrt((2 if number == DEPTH else 1) / inputs)
        if illness == "exploding gradients" and 0 < number < DEPTH:
            scale *= LARGE
        weights.append(rng.normal(scale=scale, size=(inputs, outputs)).astype(np.float32))
        weights.append(np.zeros(outputs, np.float32))
    if illness == "dead units":
        weights[2 * DEPTH + 1][rng.permutation(WIDTH)[:dead]] = _LOW_BIAS
    return weights


_digits = functools.cache(data.digits)


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


class PyTorch(adapters.PyTorch):
    """What a patient needs besides of PyTorch."""

    def network(self, *sizes: int):
        """A new network: `forward` says of which layers; `sizes` are its inputs, and theirs."""
        from torch import nn

        layers: list = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.Tanh()]
        *layers, _, logits, _ = layers
        return nn.Sequential(*layers, nn.ReLU(), logits)

    def parameters(self, model) -> dict[str, Any]:
        """What a network learns, by name, in the order of `Weights`."""
        return dict(model.named_parameters())

    def load(self, parameters: dict[str, Any], weights: Weights) -> None:
        """Give a network's parameters these values."""
        import torch

        with torch.no_grad():
            for parameter, array in zip(parameters.values(), weights, strict=True):
                parameter.copy_(self.tensor(array.T))

    def named(self, parameters: dict[str, Any], gradients: Weights) -> dict[str, Any]:
        """Gradients as the framework has them: tensors in float32, by the parameter's name."""
        found = {}
        for (name, parameter), array in zip(parameters.items(), gradients, strict=True):
            found[name] = parameter.grad = self.tensor(np.ascontiguousarray(array.T, np.float32))
        return found


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    def network(self, *sizes: int):
        from keras import Input, Sequential
        from keras.layers import Dense

        inputs, *hidden, units, outputs = sizes
        layers = [Dense(n, "tanh", name=f"tanh_{i}") for i, n in enumerate(hidden, start=1)]
        layers += [Dense(units, "relu", name="relu"), Dense(outputs, name="logits")]
        return Sequential([Input((inputs,)), *layers], name="patient")

    def parameters(self, model) -> dict[str, Any]:
        return {variable.path: variable for variable in model.trainable_variables}

    def load(self, parameters: dict[str, Any], weights: Weights) -> None:
        import tensorflow as tf

        for variable, array in zip(parameters.values(), weights, strict=True):
            # `assign` does the same in six times the time, and this is done for every step.
            tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=array)

    def named(self, parameters: dict[str, Any], gradients: Weights) -> dict[str, Any]:
        names = (path.partition("/")[2] for path in parameters)
        arrays = (self.tensor(array.astype(np.float32)) for array in gradients)
        return dict(zip(names, arrays, strict=True))


FRAMEWORKS = {"pytorch": PyTorch, "tensorflow": TensorFlow}


class Seen(NamedTuple):
    """What can be seen of a network on some images, step by step: arrays (steps,)."""

    loss: np.ndarray
    accuracy: np.ndarray
    dead: np.ndarray  # the share of ReLU's units that are 0 for every image
    zeros: np.ndarray  # the share of zeros in what ReLU gives


class Chart:
    """What NumPy makes of the weights that a patient had at some steps: arrays (steps,)."""

    def __init__(self, patient: Patient, steps: list[int]) -> None:
        history = [patient._history[step] for step in steps]
        self._weights = [now.weights for now in history]
        self._arrays = patient._arrays
        self.images = patient._arrays[0], patient._arrays[2]  # for training, for testing
        self.batch = np.array([now.loss for now in history])
        # Of the gradient of each parameter, weights and biases by turns: (steps, parameters).
        self.norms = np.array([now.norms for now in history])

    @functools.cached_property
    def train(self) -> Seen:
        return self._seen(*self._arrays[:2])

    @functools.cached_property
    def test(self) -> Seen:
        return self._seen(*self._arrays[2:])

    def _seen(self, x: np.ndarray, y: np.ndarray) -> Seen:
        # Products of larger matrices go to all cores: that takes many times as long on a busy one.
        blocks, rows = np.array_split(x, 1 + len(x) // 256), []
        for weights in self._weights:
            last = zip(*(forward(weights, block)[-2:] for block in blocks), strict=True)
            units, logits = map(np.concatenate, last)
            right, off = logits.argmax(axis=1) == y, units == 0
            dead = off.all(axis=0).mean()
            rows.append((cross_entropy(logits, y), right.mean(), dead, off.mean()))
        return Seen(*np.transpose(rows))

    def norm(self) -> np.ndarray:
        """The norm of all gradients together."""
        return np.sqrt((self.norms**2).sum(axis=1))

    def growth(self) -> np.ndarray:
        """The gradient of the first layer's weights over the last one's; NaN where both are 0."""
        with np.errstate(all="ignore"):
            return self.norms[:, 0] / self.norms[:, -2]

    def leaked(self) -> int:
        """How many of the images for testing are among those for training."""
        x, x_test = self.images
        known = {row.tobytes() for row in x}
        return sum(row.tobytes() in known for row in x_test)

    def in_place(self) -> int:
        """How many of the images for testing are at the same place among those for training."""
        return sum(np.array_equal(*pair) for pair in zip(*self.images, strict=False))


class Sign(NamedTuple):
    """What shows an illness, and what does not although it looks like it: functions of a chart.

    They are called in this order, since most need the network's outputs for all images and steps.
    """

    right: tuple[Callable[[Chart], Any], ...]
    mistakes: dict[str, Callable[[Chart], Any]]
    otherwise: str  # what is said where a quantity is none of these


SIGNS = {
    "learning rate too high": Sign((lambda c: c.batch, lambda c: c.train.loss), {
        "is the loss on the test images: begin with the training loss.": lambda c: c.test.loss,
        "is the norm of the gradients, which other illnesses enlarge too.": Chart.norm,
        "is an accuracy, which hides how far the loss jumps.": lambda c: c.train.accuracy,
        "is the accuracy on the test images: log a training loss.": lambda c: c.test.accuracy,
    }, "is not a loss of this patient: log the loss of the batch, or of all training images."),
    "overfitting": Sign((
        lambda c: c.test.loss, lambda c: c.test.loss - c.batch,
        lambda c: c.test.loss - c.train.loss,
    ), {
        "is the loss of the batch, which says nothing of other images.": lambda c: c.batch,
        "is the loss on the training images, which says nothing of others.":
            lambda c: c.train.loss,
        "is an accuracy: it stays where it is while the network grows too sure of its mistakes. "
        "Log the loss.": lambda c: c.test.accuracy,
        "is the accuracy on the training images, which says nothing of others.":
            lambda c: c.train.accuracy,
        "is a sum over the test images: log their mean.":
            lambda c: c.test.loss * len(c.images[1]),
    }, "is not the loss on the test images, the mean cross-entropy of all of them, nor that minus "
       "the training loss."),
    "dead units": Sign((
        lambda c: c.test.dead, lambda c: c.test.dead * WIDTH, lambda c: c.train.dead,
        lambda c: c.train.dead * WIDTH,
    ), {
        "is the share of zeros: a healthy unit of ReLU is 0 for about half of the images, a dead "
        "one for every image.": lambda c: np.stack([c.test.zeros, c.train.zeros]),
        "is the share of the units that are alive: log that of the dead ones.":
            lambda c: 1 - c.test.dead,
        "is the number of the units that are alive: log that of the dead ones.":
            lambda c: (1 - c.test.dead) * WIDTH,
        "is 0 throughout: look at what comes out of ReLU, the last layer but one.": lambda c: 0,
    }, "is not the share of ReLU's units that are 0 for every image, nor their number."),
    "exploding gradients": Sign((
        Chart.norm, Chart.growth, lambda c: c.norms[:, 0], lambda c: c.norms.max(axis=1),
        lambda c: np.log10(c.norm()),
    ), {
        "is upside down: what explodes is the first layer's gradient, on the last one's.":
            lambda c: 1 / c.growth(),
        "is the square of the norm: take its root.": lambda c: c.norm() ** 2,
        "is the sum of the norms of all: for the norm of all together add their squares.":
            lambda c: c.norms.sum(axis=1),
        "is the gradient of the last layer alone, where nothing has grown yet.":
            lambda c: c.norms[:, -2],
        "is the gradient of the last biases alone, where nothing has grown yet.":
            lambda c: c.norms[:, -1],
    }, "is not the norm of the gradients, the root of the sum of the squares of all of them, nor "
       "that of the first layer over that of the last."),
    "leak": Sign((
        Chart.leaked, lambda c: c.leaked() / len(c.images[1]),
        lambda c: c.leaked() / len(c.images[0]),
    ), {
        "is 0 for a patient with a leak: look for each test image among all training images, not "
        "only at the same place.": lambda c: 0,
        # Mostly 0, but chance puts one of them there for one patient in ten.
        "counts only the images at the same place: look for each test image among all training "
        "images.": Chart.in_place,
        "counts the images that are *not* among the training images.":
            lambda c: len(c.images[1]) - c.leaked(),
        "compares pixels, not images.": lambda c: np.isin(*c.images[::-1]).sum(),
        "counts every test image. Compare images, not labels or pixels.":
            lambda c: len(c.images[1]),
    }, "is not the number of test images that are among the training images, nor their share."),
}  # fmt: skip

# What speaks against a diagnosis, not what would be right; `{}` is its sign's tag.
_OBJECTIONS = {
    "healthy": "it is not healthy: one of its signs is far from those of other patients.",
    "learning rate too high": "its training loss, `{}`, falls: the learning rate suits it.",
    "overfitting": "look at `{}` beside the training loss. Overfitting is a test loss that rises "
    "while the training loss goes to 0.",
    "dead units": "`{}` stays low: its units are alive.",
    "exploding gradients": "at step 0 `{}` is of ordinary size. What grows later, the updates have "
    "enlarged.",
    "leak": "`{}` is 0: none of its test images is among its training images.",
}


def objection(said: str, illness: str, signs: dict[str, str]) -> str:
    """What speaks against a diagnosis."""
    # What these two suffer from is there before the learning rate is used.
    if said == "learning rate too high" and illness in ("exploding gradients", "dead units"):
        return f"look at `{signs[illness]}` at step 0, where the learning rate was not used yet."
    if said == "dead units" and illness in ("learning rate too high", "exploding gradients"):
        return f"at step 0 `{signs[said]}` is low: something kills its units later."
    return _OBJECTIONS[said].format(signs.get(said))
