"""The patients that the doctor of lesson 06's exercise examines, and what shows their illnesses.

A patient is a small network on the digits, and five of six have an illness. NumPy trains it, so it
is the same in both halves; the framework's network gets the weights of each step. A `Chart` is what
NumPy sees at some steps. `SIGNS` has for each illness the quantities that show it.
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
    "healthy", "learning rate too high", "overfitting", "dead units", "exploding gradients", "leak"
)  # fmt: skip

# The patients: images of 64 pixels, eight layers of tanh, one of ReLU, ten logits.
DEPTH, WIDTH, _DIGITS = 8, 32, 10
_SIZES = (64, *[WIDTH] * (DEPTH + 1), _DIGITS)
STEPS, BATCH, _MOMENTUM = 200, 50, 0.875
RATE, _HIGH_RATE = 0.03, 3.0
LARGE = 12.0  # how many times too large the weights between layers of tanh are
_LOW_BIAS, _DEAD = -8.0, 29  # the bias that kills a unit, and how many have it
_FEW, _WRONG_LABELS = 80, 30
LEAKED = 150
_IMAGES = 1437, 360

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
    """What a patient was at a step: its weights, the loss of the batch, its gradients."""

    weights: Weights
    loss: float
    gradients: Weights


class Patient:
    """A network on the digits, in training.

    `model` is the network: layers of tanh, one of ReLU, one of logits. `X_train`, `y_train`,
    `X_test` and `y_test` are tensors, the images (n, 64) in float32.

    Args:
        framework: an adapter of `FRAMEWORKS`.
        seed: whole numbers; others make another patient.
        illnesses: some of `ILLNESSES`.
        steps: how long it trains.
        images: how many images it has for training (without those of a leak) and for testing.
        dead: how many of the 32 units of ReLU the illness "dead units" kills.
        leaked: how many images for testing the illness "leak" puts among those for training.
    """

    def __init__(
        self, framework, seed: list[int], *illnesses: str, steps=STEPS, images=_IMAGES, dead=_DEAD,
        leaked=LEAKED,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng([*seed, 6])
        self._framework, self._illness, self._seed = framework, illnesses[0], sum(seed)
        self._start = _weights(rng, illnesses, dead)
        self._rate = _HIGH_RATE if "learning rate too high" in illnesses else RATE
        self._arrays, self._steps = _images(rng, illnesses, leaked, *images), steps
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
        for step, rows in enumerate(data.batches(len(x), BATCH, self._steps, seed=self._seed)):
            loss, found = gradients(weights, x[rows], y[rows])
            self._history[step] = History(weights, loss, found)
            self._framework.load(self._parameters, weights)
            yield step, loss, self._framework.named(self._parameters, found)
            velocities = [
                (_MOMENTUM * velocity + gradient).astype(np.float32)
                for velocity, gradient in zip(velocities, found, strict=True)
            ]
            moves = zip(weights, velocities, strict=True)
            weights = [array - np.float32(self._rate) * velocity for array, velocity in moves]
        self._framework.load(self._parameters, weights)


def ward(framework: str, seat: int) -> dict[str, Patient]:
    """Six patients, A to F: one is healthy, each of the others has another illness.

    Another seat, a whole number from 0, shuffles the patients and makes others.
    """
    if isinstance(seat, bool) or not isinstance(seat, int) or seat < 0:
        raise ValueError(f"`seat` must be a whole number from 0; it is {seat!r}.")
    adapter = FRAMEWORKS[framework]()
    order = np.random.default_rng([seat, 6]).permutation(len(ILLNESSES))
    return {
        letter: Patient(adapter, [seat, number], ILLNESSES[number])
        for letter, number in zip("ABCDEF", map(int, order), strict=True)
    }


def _weights(rng: np.random.Generator, illnesses: tuple[str, ...], dead: int) -> Weights:
    weights: Weights = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(_SIZES)):
        scale = math.sqrt((2 if number == DEPTH else 1) / inputs)
        if "exploding gradients" in illnesses and 0 < number < DEPTH:
            scale *= LARGE
        weights.append(rng.normal(scale=scale, size=(inputs, outputs)).astype(np.float32))
        weights.append(np.zeros(outputs, np.float32))
    if "dead units" in illnesses:
        weights[2 * DEPTH + 1][rng.permutation(WIDTH)[:dead]] = _LOW_BIAS
    return weights


_digits = functools.cache(data.digits)


def _images(rng, illnesses, n_leaked: int, n: int, n_test: int) -> tuple[np.ndarray, ...]:
    """Training images (n, 64) and labels (n,), and the same for testing."""
    digits = _digits()
    test, y_test = digits.x_test.reshape(-1, 64)[:n_test], digits.y_test[:n_test]
    rows = rng.permutation(len(digits.x_train))[:n]
    x, y = digits.x_train.reshape(-1, 64)[rows], digits.y_train[rows]
    if "overfitting" in illnesses:
        x, y = x[:_FEW], y[:_FEW].copy()
        wrong = rng.permutation(_FEW)[:_WRONG_LABELS]
        y[wrong] = (y[wrong] + rng.integers(1, _DIGITS, size=_WRONG_LABELS)) % _DIGITS
    elif "leak" in illnesses:
        leaked = rng.permutation(n_test)[:n_leaked]
        x, y = np.concatenate([x, test[leaked]]), np.concatenate([y, y_test[leaked]])
        rows = rng.permutation(len(x))
        x, y = x[rows], y[rows]
    return x, y, test, y_test


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


class Chart:
    """What NumPy sees of some patients at some of their steps: arrays (points,)."""

    def __init__(self, *visits: tuple[Patient, list[int]]) -> None:
        self._points = [
            (patient._history[step], patient._arrays) for patient, steps in visits for step in steps
        ]
        self.batch = np.array([now.loss for now, _ in self._points])
        gradients = [now.gradients for now, _ in self._points]
        # Of each parameter, weights and biases by turns: (points, parameters).
        self.norms = np.array([[np.linalg.norm(each) for each in found] for found in gradients])
        self.largest = np.array([max(np.abs(each).max() for each in found) for found in gradients])
        self.leaked = np.array([leaked(arrays) for _, arrays in self._points])

    @functools.cached_property
    def train(self) -> np.ndarray:
        """Loss, error rate, share of dead units, share of zeros of ReLU: (4, points)."""
        return self._seen(0, 1)

    @functools.cached_property
    def test(self) -> np.ndarray:
        """The same on the images for testing."""
        return self._seen(2, 3)

    def _seen(self, images: int, labels: int) -> np.ndarray:
        rows = []
        for now, arrays in self._points:
            x, y = arrays[images], arrays[labels]
            # Larger products go to all cores: that takes many times as long on a busy machine.
            blocks = np.array_split(x, 1 + len(x) // 256)
            last = zip(*(forward(now.weights, block)[-2:] for block in blocks), strict=True)
            units, logits = map(np.concatenate, last)
            off, wrong = units == 0, logits.argmax(axis=1) != y
            dead = off.all(axis=0).mean()
            rows.append((cross_entropy(logits, y), wrong.mean(), dead, off.mean()))
        return np.transpose(rows)

    def norm(self) -> np.ndarray:
        """The norm of all gradients together."""
        return np.sqrt((self.norms**2).sum(axis=1))

    def growth(self) -> np.ndarray:
        """The gradient of the first layer's weights over the last one's; NaN where both are 0."""
        with np.errstate(all="ignore"):
            return self.norms[:, 0] / self.norms[:, -2]


def leaked(arrays: tuple[np.ndarray, ...]) -> int:
    """How many of the images for testing are among those for training."""
    known = {row.tobytes() for row in arrays[0]}
    return sum(row.tobytes() in known for row in arrays[2])


def in_place(patient: Patient) -> int:
    """How many of the images for testing are at the same place among those for training."""
    x, _, x_test, _ = patient._arrays
    return sum(np.array_equal(*pair) for pair in zip(x, x_test, strict=False))


class Sign(NamedTuple):
    """What shows an illness, and what does not although it looks like it: functions of a chart."""

    right: tuple[Callable[[Chart], Any], ...]  # a sign has to grow with one of these
    mistakes: dict[str, Callable[[Chart], Any]]
    otherwise: str  # what is said where a sign does not, and is none of the mistakes


SIGNS = {
    "learning rate too high": Sign(
        (lambda c: c.batch, lambda c: c.train[0], lambda c: c.train[1], lambda c: c.test[0]),
        {"is the norm of the gradients, which other illnesses enlarge too.": Chart.norm},
        "does not grow with a loss of this patient.",
    ),
    "overfitting": Sign(
        (
            lambda c: c.test[0], lambda c: c.test[0] - c.batch, lambda c: c.test[0] - c.train[0],
            lambda c: c.test[1], lambda c: c.test[1] - c.train[1],
        ),
        {
            "is the loss of the batch, which says nothing of other images.": lambda c: c.batch,
            "is the loss on the training images, which says nothing of others.":
                lambda c: c.train[0],
        },
        "does not grow with the loss on the test images, nor with that minus the training loss.",
    ),
    "dead units": Sign(
        (lambda c: c.test[2], lambda c: c.train[2]),
        {
            "is the share of zeros: a healthy unit of ReLU is 0 for about half of the images, a "
            "dead one for every image.": lambda c: c.test[3],
            "is the same throughout: look at what comes out of ReLU, the last layer but one.":
                lambda c: np.zeros_like(c.batch),
        },
        "does not grow with the number of ReLU's units that are 0 for every image.",
    ),
    "exploding gradients": Sign(
        (
            Chart.norm, Chart.growth, lambda c: c.norms[:, 0], lambda c: c.norms.max(axis=1),
            lambda c: c.norms.sum(axis=1), lambda c: c.largest,
        ),
        {
            "is the gradient of the last layer alone, where nothing has grown yet.":
                lambda c: c.norms[:, -2],
        },
        "does not grow with the gradients.",
    ),
}  # fmt: skip


def growing(values: np.ndarray, quantity: np.ndarray) -> float:
    """For which share of pairs of points values are larger, or the same, where a quantity is.

    Points where one of both is not finite are left out; rounding may turn a pair round.
    """
    known = np.isfinite(values) & np.isfinite(quantity)
    if known.mean() < 0.8:
        return 0.0
    values, quantity = values[known], quantity[known]
    one, other = np.triu_indices(len(values), 1)
    moved, more = values[one] - values[other], quantity[one] - quantity[other]
    size = np.maximum(np.abs(quantity[one]), np.abs(quantity[other]))
    clear, same = np.abs(more) > 1e-3 * size, np.abs(more) <= 1e-6 * size
    good = np.where(clear, moved * more > 0, np.abs(moved) <= 1e-3 * np.ptp(values))
    return float(good[clear | same].mean())


# What speaks against a diagnosis, not what would be right.
_OBJECTIONS = {
    "healthy": "it is not healthy: one of its signs is far from those of other patients.",
    "learning rate too high": "its training loss falls: the learning rate suits it.",
    "overfitting": "look at its test loss beside the training loss. Overfitting is a test loss "
    "that rises while the training loss goes to 0.",
    "dead units": "most of its units are alive.",
    "exploding gradients": "at step 0 its gradients are of ordinary size. What grows later, the "
    "updates have enlarged.",
    "leak": "none of its test images is among its training images.",
}


def objection(said: str, illness: str) -> str:
    """What speaks against a diagnosis."""
    # What these two suffer from is there before the learning rate is used.
    if said == "learning rate too high" and illness in ("exploding gradients", "dead units"):
        return "look at step 0, where the learning rate was not used yet."
    if said == "dead units" and illness in ("learning rate too high", "exploding gradients"):
        return "at step 0 its units are alive: something kills them later."
    return _OBJECTIONS[said]
