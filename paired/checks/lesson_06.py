"""Lesson 06, visualising: the checks of its exercise, and the patients that its doctor examines.

A patient is a small network on the digits that is really trained; five of six have an illness. What
an answer logs is read back from the event files, and compared with what NumPy makes of the very
weights that the patient had at that step.
"""

import contextlib
import functools
import io
import itertools
import json
import math
import pathlib
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from paired import dashboards, data, events
from paired.checks import TIME_LIMIT_SECONDS, NotAttempted, Wrong, call, compare, to_numpy

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
_DEPTH, _WIDTH, _DIGITS = 8, 32, 10
_STEPS, _BATCH, _MOMENTUM = 200, 50, 0.875
_RATE, _HIGH_RATE = 0.03, 3.0
_LARGE = 12.0  # how many times too large the weights between layers of tanh are
_LOW_BIAS, _DEAD = -8.0, 29  # the bias that kills a unit, and how many have it
_FEW, _WRONG_LABELS = 80, 30
_LEAKED = 150
_WRITER_THREAD = "_AsyncWriterThread"
_UNFLUSHED = "Close the writer: until then its files may lack the last events."
# How often a sign has to be logged, and how near to the end of the training.
_FEWEST, _END = 16, 10
_AGREEING = 0.9  # the share of its points that have to be what NumPy says


class Layers(NamedTuple):
    """The weights of a patient, layer by layer: (inputs, outputs), and the biases, (outputs,)."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs of the layer of ReLU, (n, units), and the logits, (n, 10)."""
        hidden = x.astype(np.float64)
        for weight, bias in zip(self.weights[:_DEPTH], self.biases[:_DEPTH], strict=True):
            hidden = np.tanh(hidden @ weight + bias)
        units = np.maximum(hidden @ self.weights[_DEPTH] + self.biases[_DEPTH], 0)
        return units, units @ self.weights[-1] + self.biases[-1]


class _History(NamedTuple):
    """What a patient was at a step: its weights, the loss of the batch, norms of gradients."""

    layers: Layers
    loss: float
    norms: list[float]


class Patient:
    """A network on the digits, in training.

    `model` is the network: layers of tanh, one of ReLU, one of logits. `X_train`, `y_train`,
    `X_test` and `y_test` are tensors, the images (n, 64) in float32.
    """

    def __init__(self, framework, seat: int, number: int, illness: str, second: str = "") -> None:
        rng = np.random.default_rng([seat, number, 6])
        self._framework, self._illness, self._seed = framework, illness, [seat, number]
        self._start, self._rate = _weights(rng, illness), _RATE
        if illness == "learning rate too high":
            self._rate = _HIGH_RATE
        self._arrays = _images(rng, second or illness)
        self._history: dict[int, _History] = {}
        self.model = framework.network(_DEPTH, _WIDTH, _DIGITS)
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
        for step, rows in enumerate(data.batches(len(x), _BATCH, _STEPS, seed=sum(self._seed))):
            loss, gradients = trainer.look(*map(self._framework.data, (x[rows], y[rows])))
            self._history[step] = _History(trainer.layers(), loss, trainer.norms())
            yield step, loss, gradients
            trainer.step()
        nothing = [math.nan] * len(gradients)
        self._history[_STEPS] = _History(trainer.layers(), math.nan, nothing)


def ward(framework: str, seat: int) -> dict[str, Patient]:
    """Six patients, A to F: one is healthy, each of the others has another illness.

    Args:
        framework: "pytorch" or "tensorflow".
        seat: a whole number from 0; another one shuffles the patients and makes others.

    Raises:
        ValueError: the seat is not a whole number from 0.
    """
    if isinstance(seat, bool) or not isinstance(seat, int) or seat < 0:
        raise ValueError(f"`seat` must be a whole number from 0; it is {_given(seat)}.")
    adapter = ADAPTERS[framework]()
    order = np.random.default_rng([seat, 6]).permutation(len(ILLNESSES))
    return {
        letter: Patient(adapter, seat, number, ILLNESSES[number])
        for letter, number in zip("ABCDEF", map(int, order), strict=True)
    }


def _weights(rng: np.random.Generator, illness: str) -> Layers:
    sizes = [64, *[_WIDTH] * (_DEPTH + 1), _DIGITS]
    layers = Layers([], [])
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        scale = math.sqrt((2 if number == _DEPTH else 1) / inputs)
        if illness == "exploding gradients" and 0 < number < _DEPTH:
            scale *= _LARGE
        layers.weights.append(rng.normal(scale=scale, size=(inputs, outputs)).astype(np.float32))
        layers.biases.append(np.zeros(outputs, np.float32))
    if illness == "dead units":
        layers.biases[_DEPTH][rng.permutation(_WIDTH)[:_DEAD]] = _LOW_BIAS
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
        leaked = rng.permutation(len(test))[:_LEAKED]
        x, y = np.concatenate([x, test[leaked]]), np.concatenate([y, digits.y_test[leaked]])
        rows = rng.permutation(len(x))
        x, y = x[rows], y[rows]
    return x, y, test, digits.y_test


def _cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    z = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]).mean())


class _Point(NamedTuple):
    """One entry of an event file."""

    run: str
    kind: str
    tag: str
    step: int
    value: np.ndarray


def _points(folder: str | pathlib.Path) -> list[_Point]:
    """Everything in the event files of a folder and of those in it, in the order of writing."""
    events.prepare()
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    folder, found = pathlib.Path(folder), []
    for path in sorted(folder.rglob("*tfevents*")):
        kinds: dict[str, str] = {}
        run = path.parent.relative_to(folder).as_posix()
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                # Only the first entry of a tag says of what kind it is.
                kind = kinds.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
                array = tensor_util.make_ndarray(value.tensor)
                found.append(_Point(run, kind, value.tag, event.step, array))
    return found


@contextlib.contextmanager
def _folder() -> Iterator[pathlib.Path]:
    """A folder for event files; `Wrong` if all is well but that a writer is not closed."""
    before = _open_writers()
    # A writer that was not closed may still have a file open here.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield pathlib.Path(name)
    if _open_writers() - before:
        raise Wrong(
            "All that you log has arrived, this time; but a writer is still open, and may hold "
            "back its last events. Call its `close()`, or use it in a `with`."
        )


def _open_writers() -> set[threading.Thread]:
    """The threads of PyTorch's writers that are open; TensorFlow's leave none."""
    return {each for each in threading.enumerate() if type(each).__name__ == _WRITER_THREAD}


class _PyTorch:
    """What the checks need of PyTorch."""

    name = "pytorch"
    one_step = "`add_scalar` without `global_step` logs at step 0, each time."
    clip_note = "`clip_grad_norm_` changes the gradients in place: log before it."
    pictures_note = "`add_images` puts the digits side by side, in one picture"
    hints = {  # noqa: RUF012 - a constant
        "predict": (
            "TensorBoard reads files of any length, and keeps a sample of each tag: 1,000 points "
            "of a scalar, fewer of what is larger.",
            "Ten pictures. Without `global_step` an event is written with the step 0. A scalar is "
            "stored as float32, whose 24 bits hold each whole number up to 2**24 = 16777216.",
            "1000, 10, 1. The weights of 4 and 1 are 1/2 and 1: (4 / 2 + 1) / (1 / 2 + 1) = 2. "
            "And 16777217 is rounded to the even neighbour, 16777216.",
        ),
        "missing_view": (
            "`add_histogram(tag, tensor, step)` takes a parameter's `.grad`; `named_parameters()` "
            "gives names and parameters. `record_if` is an `if`.",
            "When does `.grad` hold what the batch gives? After `backward()`, before "
            "`clip_grad_norm_`, which changes it in place.",
            "Between both: `if step % 5 == 0: for name, parameter in model.named_parameters(): "
            'writer.add_histogram(f"gradient/{name}", parameter.grad, step)`.',
        ),
        "bug_hunt": (
            "Read the error: which shape does `add_images` get, and which does it expect? Then "
            "mend it, run again, and look with `events.read`, or in TensorBoard, at what is there.",
            "Ask of each call: at which step? into which folder? in which range are the pixels? "
            "And of the writer: who closes it?",
            "`with SummaryWriter(folder / name) as writer:` for each run, `step` as the last "
            "argument of `add_scalar`, and `images[:, None] / 16`, of shape (n, 1, 8, 8), for the "
            "images.",
        ),
        "panel": (
            '`json.loads(window)["content"]["data"]` is a list of lines, each a dict with "name", '
            '"x" and "y". A `null` in JSON is `None` in Python.',
            "`np.float32(y)` is what the event will hold: compare it with y, as float64. "
            "`int(x) != x` finds what is no step; PyTorch itself would cut it off.",
            "For each line and each of its points: raise a ValueError if `x != int(x)`; "
            '`writer.add_scalar(line["name"], value, int(x))`; and the largest '
            "`abs(value - float(np.float32(value)))`. Back: `events.read(folder)` gives "
            '`{("scalar", name): {step: value}}`.',
        ),
        "examine": (
            "What would each illness change that you could count or measure? Which of these do you "
            "see in a loss, and for which do you need gradients, activations, or the images?",
            "A dead unit is 0 for *every* image: `(units == 0).all(dim=0)`, where `units = "
            "patient.model[:-1](patient.X_test)`. A leak is in the images: compare rows, as bytes "
            "(`row.tobytes()`), in a set.",
            "Training loss; test loss, by `F.cross_entropy`; the share of dead units; "
            "`torch.stack([g.norm() for g in gradients.values()]).norm()`; and once, the "
            "number of test images whose bytes are among those of the training images.",
        ),
        "doctor": (
            "Begin with what needs no training: which patient's test images are among its training "
            "images?",
            "Then look at step 0. What is wrong there, before any update, is a cause; what goes "
            "wrong later may be a consequence of something else.",
            "Gradients that are a hundred times larger at step 0 than other patients': exploding. "
            "Most units dead at step 0: dead units. All well at step 0, and the loss jumps at once "
            "and stays high: learning rate. The test loss rises while the training loss goes to 0: "
            "overfitting.",
        ),
    }

    def data(self, array: np.ndarray):
        import torch

        return torch.from_numpy(array.copy())

    def network(self, depth: int, width: int, outputs: int):
        from torch import nn

        layers: list = [nn.Linear(64, width), nn.Tanh()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.Tanh()]
        return nn.Sequential(*layers, nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))

    def load(self, model, layers: Layers) -> None:
        import torch

        linear = [layer for layer in model if hasattr(layer, "weight")]
        with torch.no_grad():
            for layer, weight, bias in zip(linear, *layers, strict=True):
                layer.weight.copy_(self.data(weight.T))
                layer.bias.copy_(self.data(bias))

    def trainer(self, model, rate: float, momentum: float) -> "_TorchTrainer":
        return _TorchTrainer(model, rate, momentum)

    def small(self, weights: dict[str, np.ndarray]):
        """A network with one hidden layer of ReLU, and the names of its parameters."""
        import torch
        from torch import nn

        model = nn.Sequential()
        for name in ("hidden", "relu", "output"):
            layer = nn.ReLU() if name == "relu" else nn.Linear(*weights[f"{name}.weight"].shape)
            model.add_module(name, layer)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.data(weights[name].T))
        return model, {name: name for name in weights}

    def small_weights(self, model) -> dict[str, np.ndarray]:
        return {name: to_numpy(p).T.copy() for name, p in model.named_parameters()}

    def pictures(self, images: np.ndarray) -> np.ndarray:
        """What the event of a batch of images, (n, 8, 8), holds: (pictures, height, width)."""
        return np.concatenate(list(images), axis=1)[None]

    def write(self, folder: pathlib.Path, lines: dict) -> None:
        """Log lines as scalars."""
        events.prepare()
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(folder) as writer:
            for name, (steps, values) in lines.items():
                for step, value in zip(steps, values, strict=True):
                    writer.add_scalar(name, value, step)


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


class _TensorFlow:
    """The same of TensorFlow."""

    name = "tensorflow"
    one_step = "A step that is given to `as_default` stands for every call in it."
    clip_note = "`tf.clip_by_global_norm` returns others: log those that the tape gave."
    pictures_note = "`tf.summary.image` keeps `max_outputs` digits of a batch, each a picture"
    hints = {  # noqa: RUF012 - a constant
        "predict": (
            _PyTorch.hints["predict"][0],
            "Ten pictures. A step that is given to `as_default` stands for every call in it. A "
            "scalar is stored as float32, whose 24 bits hold each whole number up to 2**24 = "
            "16777216.",
            _PyTorch.hints["predict"][2],
        ),
        "missing_view": (
            "`tf.summary.histogram(tag, tensor, step)` takes a gradient; `variable.path` is a "
            "variable's name. The gradients come in the order of the variables.",
            "`clip_by_global_norm` returns new tensors. Which of both did the batch give? An `if` "
            "does, or `with tf.summary.record_if(...)`.",
            "After `tape.gradient`: `if step % 5 == 0: for variable, gradient in zip(variables, "
            'gradients): tf.summary.histogram(f"gradient/{variable.path}", gradient, step)`.',
        ),
        "bug_hunt": (
            "Read the error: which shape does `tf.summary.image` get, and which does it expect? "
            "Then mend it, run again, and look with `events.read`, or in TensorBoard, at what is "
            "there.",
            "Ask of each call: at which step? into which folder? in which range are the pixels? "
            "And how many pictures of a batch are kept, if nobody says how many?",
            "A writer of its own, `tf.summary.create_file_writer(str(folder / name))`, for each "
            "run, `step` as the last argument of `scalar`, `images[..., None] / 16`, of shape (n, "
            "8, 8, 1), and `max_outputs=len(images)`.",
        ),
        "panel": (
            _PyTorch.hints["panel"][0],
            "`np.float32(y)` is what the event will hold: compare it with y, as float64. "
            "`int(x) != x` finds what is no step.",
            "For each line and each of its points: raise a ValueError if `x != int(x)`; "
            '`tf.summary.scalar(line["name"], value, int(x))`; and the largest '
            "`abs(value - float(np.float32(value)))`. Back: `events.read(folder)` gives "
            '`{("scalar", name): {step: value}}`.',
        ),
        "examine": (
            _PyTorch.hints["examine"][0],
            "A dead unit is 0 for *every* image: `tf.reduce_all(units == 0, axis=0)`, where "
            "`units` come from `keras.Model(patient.model.inputs, "
            "patient.model.layers[-2].output)`. A leak is in the images: compare rows, as bytes "
            "(`row.tobytes()`), in a set.",
            "Training loss; test loss, by a `SparseCategoricalCrossentropy` of logits; the share "
            "of dead units; `tf.linalg.global_norm(list(gradients.values()))`; and once, the "
            "number of test images whose bytes are among those of the training images.",
        ),
        "doctor": _PyTorch.hints["doctor"],
    }

    def data(self, array: np.ndarray):
        import tensorflow as tf

        return tf.constant(array)

    def network(self, depth: int, width: int, outputs: int):
        import keras

        layers = [keras.layers.Dense(width, "tanh", name=f"tanh_{i + 1}") for i in range(depth)]
        layers += [keras.layers.Dense(width, "relu", name="relu")]
        layers += [keras.layers.Dense(outputs, name="logits")]
        return keras.Sequential([keras.Input((64,)), *layers], name="patient")

    def load(self, model, layers: Layers) -> None:
        for layer, weight, bias in zip(model.layers, *layers, strict=True):
            layer.kernel.assign(weight)
            layer.bias.assign(bias)

    def trainer(self, model, rate: float, momentum: float) -> "_KerasTrainer":
        return _KerasTrainer(model, rate, momentum)

    def small(self, weights: dict[str, np.ndarray]):
        import keras

        layers = [
            keras.layers.Dense(7, "relu", name="hidden"),
            keras.layers.Dense(3, name="output"),
        ]
        model = keras.Sequential([keras.Input((5,)), *layers], name="net")
        for variable, weight in zip(model.trainable_variables, weights.values(), strict=True):
            variable.assign(weight)
        paths = [variable.path for variable in model.trainable_variables]
        return model, dict(zip(weights, paths, strict=True))

    def small_weights(self, model) -> dict[str, np.ndarray]:
        names = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")
        arrays = map(to_numpy, model.trainable_variables)
        return dict(zip(names, (array.copy() for array in arrays), strict=True))

    def pictures(self, images: np.ndarray) -> np.ndarray:
        return images

    def write(self, folder: pathlib.Path, lines: dict) -> None:
        import tensorflow as tf

        writer = tf.summary.create_file_writer(str(folder))
        with writer.as_default():
            for name, (steps, values) in lines.items():
                for step, value in zip(steps, values, strict=True):
                    tf.summary.scalar(name, value, step)
        writer.close()


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

    template = _TensorFlow().network(_DEPTH, _WIDTH, _DIGITS)
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


# Task 1


def shown(board: dashboards.TensorBoard, plugin: str, run: str, tag: str) -> list:
    """What TensorBoard's page gets to draw of a tag, once all of it is loaded.

    Args:
        board: a server that runs.
        plugin: "scalars", whose points are `[time, step, value]`, or "images".
        run: the run's folder, below the server's.
        tag: the tag.

    Raises:
        TimeoutError: there is nothing of this tag.
    """
    query = urllib.parse.urlencode({"run": run, "tag": tag, "sample": 0})
    path = f"{board.url}data/plugin/{plugin}/{plugin}?{query}"
    last, until = None, time.monotonic() + TIME_LIMIT_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(path) as answer:  # noqa: S310 - our own server
            now = json.load(answer)
            if now and now == last:
                return now
            last = now
        time.sleep(0.1)
    raise TimeoutError(f"TensorBoard shows no {plugin} with the tag {tag!r} in the run {run!r}.")


def predict(framework, points, pictures, steps, smoothed, stored) -> str:
    """What TensorBoard shows of what was logged."""
    _number("points", points, 1000, {
        3000: "is not 3000: a browser would have to draw every point of every run.",
        10000: "is more than was logged.",
        500: "is the limit for histograms.",
    })  # fmt: skip
    _number("pictures", pictures, 10, {
        25: "is not 25: pictures are large, and TensorBoard keeps a sample of them too.",
        3: "is how many pictures of *one batch* `tf.summary.image` keeps.",
        1000: "is the limit for scalars.",
    })  # fmt: skip
    _number("steps", steps, 1, {3: f"is not 3. {framework.one_step}"})
    _number("smoothed", smoothed, 2, {
        2.5: "is the plain mean: at 0.5 an earlier value counts half as much as the next one.",
        1.5: "gives the first point the weight of a 0 before it: TensorBoard divides by the sum "
        "of the weights.",
        1: "is the point itself.",
        4: "is the first point.",
        3: "has the weights in the wrong order: the later value counts more.",
    })  # fmt: skip
    _number("stored", stored, 2**24, {
        2**24 + 1: "is what was logged. A scalar is stored as float32, which has 24 bits.",
        2**24 + 2: "is the other neighbour: a tie goes to the even one.",
    })  # fmt: skip
    return "All five are right. The next cell asks TensorBoard."


def _number(name: str, answer, right: float, notes: dict[float, str]) -> None:
    """Judge a number."""
    try:
        number = float(answer)
        valid = not isinstance(answer, str | bool) and number >= 0
    except Exception:  # whatever the answer's own code does
        valid = False
    if not valid:
        raise Wrong(f"`{name}` must be a number from 0; it is {_given(answer)}.")
    if number != right:
        raise Wrong(f"`{name}` {notes.get(number, f'is not {number:.15g}.')}")


def _given(answer) -> str:
    """What an answer is, in a few words."""
    if isinstance(answer, str | bool | int | float):
        return repr(answer)
    return "None" if answer is None else f"a `{type(answer).__name__}`"


# Task 2


def missing_view(framework, train) -> str:
    """Add histograms of gradients to a training that logs a scalar."""
    rng = np.random.default_rng()
    weights = {
        "hidden.weight": rng.normal(size=(5, 7)), "hidden.bias": rng.uniform(1, 2, size=7),
        "output.weight": rng.normal(size=(7, 3)), "output.bias": rng.normal(size=3),
    }  # fmt: skip
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    count = 13
    arrays = [(rng.normal(size=(9, 5)), rng.integers(3, size=9)) for _ in range(count)]
    arrays = [((2 * x).astype(np.float32), y) for x, y in arrays]
    model, names = framework.small(weights)
    tags = {name: f"gradient/{path}" for name, path in names.items()}
    batches = [(framework.data(x), framework.data(y)) for x, y in arrays]
    with _folder() as folder:
        call(train, model=model, batches=batches, folder=folder)
        _view_judged(framework, _points(folder), tags, _trained(weights, arrays), model)
    return "Each histogram holds the gradient that the batch gave, at the right step."


def _view_judged(framework, points: list[_Point], tags: dict, trained: tuple, model) -> None:
    history, final = trained
    for name, array in framework.small_weights(model).items():
        if not np.allclose(array, final[name], rtol=1e-3, atol=1e-4):
            raise Wrong(
                "The network is trained otherwise than before: leave the training as it is."
            )
    _losses_logged(framework, points, [step["loss"] for step in history])
    drawn = [point for point in points if point.kind == "histograms"]
    if not drawn:
        others = {point.tag for point in points} - {"loss"}
        more = f" Of the kind it is are {_listed(others)} not." if others else ""
        raise Wrong(f"There is no histogram in the event files.{more}")
    got = {point.tag for point in drawn}
    if missing := sorted(set(tags.values()) - got):
        raise Wrong(f"There is no histogram `{missing[0]}`; those there are {_listed(got)}.")
    if surplus := sorted(got - set(tags.values())):
        raise Wrong(f"The histogram `{surplus[0]}` is one too many: one for each parameter.")
    wanted = list(range(0, len(history), 5))
    for name, tag in tags.items():
        mine = [point for point in drawn if point.tag == tag]
        steps = [point.step for point in mine]
        if steps != wanted:
            raise Wrong(
                f"`{tag}` has histograms at the steps {_few(steps)}; of {len(history)} steps, "
                f"every fifth from 0 is to have one: {_few(wanted)}."
            )
        for point in mine:
            _histogram_judged(framework, point, name, history)


def _losses_logged(framework, points: list[_Point], losses: list[float]) -> None:
    logged = [p for p in points if p.kind == "scalars" and p.tag == "loss"]
    if len(logged) < len(losses):
        raise Wrong(f"The event files do not hold all {len(losses)} losses. {_UNFLUSHED}")
    right = [point.step for point in logged] == list(range(len(losses)))
    values = [float(point.value) for point in logged]
    if not right or not np.allclose(values, losses, rtol=1e-3, atol=1e-4):
        raise Wrong("The scalar `loss` is no longer what it was: leave it as it is.")


def _trained(weights: dict, batches: list) -> tuple[list[dict], dict]:
    """A training in NumPy: for each step the loss and arrays of each kind; the last weights."""
    weights = {name: array.astype(np.float64) for name, array in weights.items()}
    history = []
    for x, y in batches:
        hidden = x @ weights["hidden.weight"] + weights["hidden.bias"]
        units = np.maximum(hidden, 0)
        z = units @ weights["output.weight"] + weights["output.bias"]
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        back = (p - np.eye(3)[y]) / len(y)
        below = back @ weights["output.weight"].T * (hidden > 0)
        gradients = {
            "hidden.weight": x.T @ below, "hidden.bias": below.sum(axis=0),
            "output.weight": units.T @ back, "output.bias": back.sum(axis=0),
        }  # fmt: skip
        norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
        clipped = {name: g * min(1, 0.5 / norm) for name, g in gradients.items()}
        after = {name: weights[name] - 0.1 * clipped[name] for name in weights}
        loss = _cross_entropy(z, y)
        history.append({
            "loss": loss, "gradient": gradients, "clipped": clipped, "before": weights,
            "after": after,
        })  # fmt: skip
        weights = after
    return history, weights


def _histogram_judged(framework, point: _Point, name: str, history: list[dict]) -> None:
    """Compare a histogram with the gradient of its step."""
    now = history[point.step]
    where = f"The histogram `{point.tag}` of step {point.step}"
    right = now["gradient"][name]
    if _is_histogram(point.value, right):
        return
    values = int(point.value[:, 2].sum())
    if values != right.size:
        raise Wrong(f"{where} counts {values} numbers; the parameter has {right.size}.")
    at_end = history[min(point.step + 1, len(history) - 1)]["gradient"][name]
    before = history[point.step - 1]["gradient"][name] if point.step else None
    mistakes = {
        "is that of the clipped gradient. " + framework.clip_note: now["clipped"][name],
        "is that of the parameter itself, not of its gradient.": now["before"][name],
        "is that of the parameter after the step, not of its gradient.": now["after"][name],
        "holds zeros: the gradient has been cleared before it is logged.": np.zeros_like(right),
        "holds the gradient's magnitudes: its sign is lost.": np.abs(right),
        "is that of the next step's gradient.": at_end,
        "is that of the update: without the learning rate and its sign it is the gradient.": (
            -0.1 * now["clipped"][name]
        ),
    }
    if before is not None:
        mistakes["is that of the gradient of the step before."] = before
    for sentence, mistake in mistakes.items():
        if _is_histogram(point.value, mistake):
            raise Wrong(f"{where} {sentence}")
    raise Wrong(f"{where} is not that of the gradient: look at its range.")


def _is_histogram(buckets: np.ndarray, array: np.ndarray) -> bool:
    """Whether buckets, (n, 3), hold an array, but for what rounding moves to the next one."""
    counts = buckets[:, 2]
    used = buckets[counts > 0]
    if not len(used) or counts.sum() != array.size:
        return False
    if not array.any():  # zeros: one bucket, wherever its edges are
        return len(used) == 1 and used[0, 0] <= 0 <= used[0, 1]
    size = np.abs(array).max()
    edges = np.append(buckets[:, 0], buckets[-1, 1]).astype(np.float64)
    if used[0, 0] - array.min() > 1e-3 * size or array.max() - used[-1, 1] > 1e-3 * size:
        return False
    spread = max(np.ptp(array), 1e-12)
    if used[0, 1] < array.min() - 1e-3 * size or used[-1, 0] > array.max() + 1e-3 * size:
        return False
    # At every edge as many numbers lie below as the buckets say, give or take rounding.
    below = np.concatenate([[0], np.cumsum(counts)])
    least = [(array < edge - 1e-4 * spread).sum() for edge in edges]
    most = [(array <= edge + 1e-4 * spread).sum() for edge in edges]
    return bool(np.all((least <= below) & (below <= most)))


def _listed(names) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


def _few(numbers: list) -> str:
    """Numbers, the first few of many."""
    shown = ", ".join(map(str, numbers[:6]))
    return f"{shown}, ..." if len(numbers) > 6 else shown or "none"


# Task 3


def bug_hunt(framework, log_runs) -> str:
    """Log two runs and a batch of images so that TensorBoard shows them as they are."""
    rng = np.random.default_rng()
    runs = {
        name: [float(loss) for loss in rng.uniform(0.1, 3, size=count)]
        for name, count in (("slow", 33), ("fast", 17))
    }
    images = rng.integers(17, size=(6, 8, 8)).astype(np.float64)
    with _folder() as folder:
        call(log_runs, folder=folder, runs=runs, images=images)
        _runs_judged(framework, _points(folder), runs, images)
    return "Two runs with a line each, and digits that look like digits."


def _runs_judged(framework, points: list[_Point], runs: dict, images: np.ndarray) -> None:
    scalars = [point for point in points if point.kind == "scalars" and point.tag == "loss"]
    found = {point.run for point in scalars}
    if not scalars:
        raise Wrong(f"The event files hold no scalar `loss`. {_UNFLUSHED}")
    if len(found) == 1 and not found & set(runs):
        raise Wrong(
            "All losses are in one folder, and TensorBoard takes a folder for a run: both "
            "trainings become one line. Give each a folder of its own."
        )
    for name, losses in runs.items():
        mine = [point for point in scalars if point.run == name]
        if not mine:
            raise Wrong(
                f"There is no run `{name}`: log to `folder / name`. Runs: {_listed(found)}."
            )
        if len(mine) != len(losses):
            raise Wrong(f"The run `{name}` does not hold all {len(losses)} losses. {_UNFLUSHED}")
        steps = [point.step for point in mine]
        if len(set(steps)) == 1:
            text = f"All {len(mine)} losses of the run `{name}` are at step {steps[0]}."
            raise Wrong(f"{text} {framework.one_step}")
        if steps != list(range(len(losses))):
            raise Wrong(f"The steps of the run `{name}` are {_few(steps)}; they count from 0.")
        if not np.array_equal([point.value for point in mine], np.float32(losses)):
            raise Wrong(f"The run `{name}` holds other losses than those it was given.")
    _pictures_judged(framework, points, images)


def _pictures_judged(framework, points: list[_Point], images: np.ndarray) -> None:
    mine = [point for point in points if point.kind == "images"]
    if not mine:
        raise Wrong(f"The event files hold no image. {_UNFLUSHED}")
    named = {(point.run, point.tag) for point in mine}
    if named != {("images", "digits")}:
        run, tag = sorted(named - {("images", "digits")})[0]
        where = "`folder` itself" if run == "." else f"the run `{run}`"
        raise Wrong(f"`{tag}` is in {where}; log `digits` to `folder / 'images'`, once.")
    if len(mine) > 1:
        raise Wrong(f"`digits` is logged {len(mine)} times; log the batch once, at step 0.")
    if mine[0].step != 0:
        raise Wrong(f"`digits` is at step {mine[0].step}; it must be at step 0.")
    got = _decoded(mine[0].value)
    right = framework.pictures(images)
    if got.shape != right.shape:
        raise Wrong(
            f"`digits` holds {len(got)} of {got.shape[1]} x {got.shape[2]} pixels; it must hold "
            f"{len(right)} of {right.shape[1]} x {right.shape[2]}: {framework.pictures_note}."
        )
    mistakes = {
        "Every pixel above 0 is white: floats have to lie between 0 and 1, and these reach 16.": (
            np.where(right > 0, 255, 0)
        ),
        "The picture is almost black: whole numbers have to reach 255, and these reach 16.": right,
        "White and black have changed places: 16 is white.": 255 - right * 255 / 16,
        "Rows and columns have changed places.": (
            framework.pictures(images.transpose(0, 2, 1)) * 255 / 16
        ),
        "The pictures reach from black to white in another range than 0 to 16.": (
            right * 255 / 15
        ),
    }  # fmt: skip
    if np.abs(got - right * 255 / 16).max() <= 1:
        return
    for sentence, mistake in mistakes.items():
        if np.abs(got - mistake).max() <= 1:
            raise Wrong(sentence)
    raise Wrong("The pictures have the right size, and other pixels than the images.")


def _decoded(value: np.ndarray) -> np.ndarray:
    """The pictures of an image event, (pictures, height, width), as whole numbers to 255."""
    from PIL import Image

    # Width and height come first, then one PNG for each picture.
    pictures = [np.asarray(Image.open(io.BytesIO(png)).convert("L")) for png in value[2:]]
    return np.stack(pictures).astype(np.float64)


# Task 4


def panel(framework, to_tensorboard, from_tensorboard) -> str:
    """Move the lines of a Visdom window to event files, and back."""
    rng = np.random.default_rng()
    exact = {
        "train": _line(rng, 9, lambda n: rng.integers(-4000, 4000, size=n) / 1024, first=0),
        "test": _line(rng, 5, lambda n: rng.integers(-4000, 4000, size=n) / 1024, first=2**31),
    }
    exact["test"][1][2] = math.nan  # a gap in the line
    exact["train"][1][4] = 0.0  # and none
    fine = {"fine": _line(rng, 8, lambda n: rng.uniform(0.5, 3, size=n), first=3)}
    fine["fine"][1][3] *= 1e6
    for what, lines in (("", exact), ("Where values need float64: ", fine)):
        with _folder() as folder:
            lost = call(to_tensorboard, window=_window(lines), folder=folder)
            _lines_judged(framework, what, _points(folder), lines)
            _loss_judged(what, lost, lines)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        window = _window({"half": ([0, 1.5, 2], [1.0, 2.0, 3.0])})
        try:
            call(to_tensorboard, window=window, folder=pathlib.Path(folder))
        except ValueError:
            pass
        else:
            raise Wrong(
                "One window has a point at x = 1.5, which is no step: an event's step is a whole "
                "number. Raise a `ValueError`; your function moves the point elsewhere, or loses "
                "it."
            )
    with _folder() as folder:
        framework.write(folder, exact)
        back = call(from_tensorboard, folder=folder)
    _back_judged(back, exact)
    return "Steps and values arrive as float32 has them, and come back the same."


def _line(rng: np.random.Generator, n: int, values: Callable, *, first: int) -> tuple[list, list]:
    steps = first + np.cumsum(rng.integers(1, 9, size=n))
    return [int(step) for step in steps], [float(value) for value in values(n)]


def _window(lines: dict) -> str:
    """What `get_window_data` returns for a window with these lines."""
    traces = [
        {
            "x": [float(step) for step in steps],
            "y": [None if math.isnan(value) else value for value in values],
            "name": name, "type": "scatter", "mode": "lines",
        }
        for name, (steps, values) in lines.items()
    ]  # fmt: skip
    content = {"data": traces, "layout": {"showlegend": True, "title": {"text": "loss"}}}
    return json.dumps({"command": "window", "type": "plot", "title": "loss", "content": content})


def _lines_judged(framework, what: str, points: list[_Point], lines: dict) -> None:
    named = {point.tag for point in points if point.kind == "scalars"}
    if not named:
        raise Wrong(f"{what}The event files hold no scalar. {_UNFLUSHED}")
    if named != set(lines):
        raise Wrong(f"{what}The tags are {_listed(named)}; the lines are {_listed(lines)}.")
    for name, (steps, values) in lines.items():
        mine = [point for point in points if point.tag == name]
        if len(mine) != len(steps):
            gap = " A gap, `null` in JSON, is a point too: NaN." if what == "" else ""
            raise Wrong(f"{what}`{name}` has {len(mine)} points of {len(steps)}.{gap}")
        got = [point.step for point in mine]
        if got == list(range(len(steps))):
            raise Wrong(f"{what}`{name}` is logged at steps counted from 0: take those of its `x`.")
        if got != steps:
            raise Wrong(f"{what}`{name}` is at other steps than its x.")
        held = np.array([float(point.value) for point in mine])
        if not np.array_equal(held, np.float32(values).astype(float), equal_nan=True):
            if np.array_equal(np.isnan(held), np.isnan(values)):
                raise Wrong(f"{what}`{name}` has other values than the line.")
            raise Wrong(f"{what}`{name}` is NaN elsewhere than the line has a gap, `null` in JSON.")


def _loss_judged(what: str, lost, lines: dict) -> None:
    values = np.concatenate([np.array(values) for _, values in lines.values()])
    differences = np.abs(values - np.float32(values).astype(float))
    right = np.asarray(np.nanmax(differences))
    got = to_numpy(lost)
    if got.shape != () or got.dtype.kind not in "fiu":
        raise Wrong(
            f"{what}The result is {_given(lost)}; it must be one number, the largest error."
        )
    if np.isnan(got):
        raise Wrong(f"{what}The largest error is NaN: leave gaps out of it.")
    mistakes = {
        "is 0: compare with the float32 that the event holds, and in float64. NumPy computes "
        "`np.float32(y) - y` in float32.": 0.0,
        "is a sum: the largest is asked for.": np.nansum(differences),
        "is a mean: the largest is asked for.": np.nanmean(differences),
        "is relative: the difference itself is asked for.": np.nanmax(
            np.divide(differences, np.abs(values), where=values != 0, out=np.zeros_like(values))
        ),
        "is the error of float16; a scalar event holds a float32.": np.nanmax(
            np.abs(values - np.float16(np.clip(values, -6e4, 6e4)).astype(float))
        ),
    }
    if right == 0 and got != 0:
        raise Wrong(
            f"{what}The largest error is not 0, although float32 holds these values exactly: "
            "compare in float64."
        )
    mistakes = {sentence: np.asarray(value) for sentence, value in mistakes.items()}
    number = np.asarray(float(got))
    if right > 0:
        compare(f"{what}The largest error", number, right, mistakes=mistakes)


def _back_judged(back, lines: dict) -> None:
    if not isinstance(back, dict):
        raise Wrong(
            f"Back: the result is {_given(back)}; it must be a dict, name to (steps, values)."
        )
    if set(back) != set(lines):
        raise Wrong(
            f"Back: the names are {_listed(map(str, back))}; the tags are {_listed(lines)}."
        )
    for name, (steps, values) in lines.items():
        try:
            got, numbers = (to_numpy(list(part)) for part in back[name])
        except Exception:
            raise Wrong(f"Back: `{name}` must be a pair: its steps, and its values.") from None
        if got.shape != (len(steps),) or numbers.shape != got.shape:
            shapes = f"{len(got.ravel())} steps and {len(numbers.ravel())} values"
            raise Wrong(f"Back: `{name}` has {shapes}; the events are {len(steps)}.")
        if not np.array_equal(got, steps):
            raise Wrong(f"Back: `{name}` has other steps than its events.")
        if not np.array_equal(numbers, np.float32(values), equal_nan=True):
            raise Wrong(f"Back: `{name}` has other values than its events.")


# Tasks 5 and 6


def examine(framework, signs, examine) -> str:
    """Log what shows each of five illnesses."""
    _signs_judged(signs)
    number = int(np.random.default_rng().integers(1000, 1_000_000))
    # Who is ill in two ways shows both, in the time of one.
    patient = Patient(framework, number, 0, "dead units", "leak")
    with _folder() as folder:
        call(examine, patient=patient, folder=folder)
        if not patient._history:
            raise Wrong("Your function never trains: loop over `patient.train()`.")
        points = _points(folder)
        for illness in ILLNESSES[1:]:
            _evidence(framework, patient, points, illness, signs[illness])
    return "Every sign is what it says, on a patient that you have not seen."


def _signs_judged(signs) -> None:
    if not isinstance(signs, dict):
        raise Wrong(f"`signs` is {_given(signs)}; it must be a dict: the tag for each illness.")
    for illness in ILLNESSES[1:]:
        tag = signs.get(illness)
        if tag is ...:
            raise NotAttempted(f'Still `...`: the sign of "{illness}".')
        if not isinstance(tag, str):
            raise Wrong(f'`signs["{illness}"]` must be the tag of a scalar; it is {_given(tag)}.')
    if len({signs[illness] for illness in ILLNESSES[1:]}) < len(ILLNESSES) - 1:
        raise Wrong("Two illnesses have the same tag in `signs`: each has a sign of its own.")


def _evidence(framework, patient: Patient, points: list[_Point], illness: str, tag: str) -> None:
    """Raise `Wrong` unless the points of a tag are a quantity that shows an illness."""
    mine = [point for point in points if point.tag == tag and point.kind == "scalars"]
    if not mine:
        there = _listed({point.tag for point in points if point.kind == "scalars"})
        raise Wrong(
            f"The event files hold no scalar `{tag}`, the sign of {illness}; they hold {there}. "
            f"{_UNFLUSHED}"
        )
    steps = [point.step for point in mine]
    if len(set(steps)) < len(steps):
        raise Wrong(f"`{tag}` has more than one point at step {_twice(steps)}.")
    if illness != "leak" and (
        len(steps) < _FEWEST or min(steps) != 0 or max(steps) < _STEPS - _END
    ):
        raise Wrong(
            f"`{tag}` has {len(steps)} points, from step {min(steps)} to {max(steps)}: follow the "
            f"training from step 0 to its end at step {_STEPS - 1}, at {_FEWEST} steps or more."
        )
    if strange := sorted(set(steps) - set(patient._history)):
        raise Wrong(f"`{tag}` has a point at step {strange[0]}; there are {_STEPS} steps, from 0.")
    values = np.array([float(point.value) for point in mine])
    right, mistakes = _SIGNS[illness](_Chart(patient, steps))
    if any(_same(values, quantity()) for quantity in right):
        return
    for sentence, quantity in mistakes.items():
        if _same(values, quantity()):
            raise Wrong(f"`{tag}`, the sign of {illness}, {sentence}")
    raise Wrong(f"`{tag}`, the sign of {illness}, {_UNKNOWN[illness]}")


def _twice(steps: list[int]) -> int:
    return next(step for step in steps if steps.count(step) > 1)


def _same(values: np.ndarray, right) -> bool:
    right = np.broadcast_to(np.asarray(right, float), values.shape)
    size = np.abs(right[np.isfinite(right)]).max(initial=0)
    near = np.isclose(values, right, rtol=1e-3, atol=1e-5 * max(size, 1), equal_nan=True)
    # A unit that is barely alive in float32 may be dead in float64, now and then.
    return near.mean() >= _AGREEING


_UNKNOWN = {
    "learning rate too high": "is not a loss of this patient: log the loss of the batch, or of all "
    "training images.",
    "overfitting": "is not the loss on the test images: mean cross-entropy, on all of them.",
    "dead units": "is not the share of ReLU's units that are 0 for every image, nor their number.",
    "exploding gradients": "is not the norm of the gradients: the root of the sum of the squares "
    "of all of them.",
    "leak": "is not the number of test images that are among the training images, nor their share.",
}


class _Chart:
    """What NumPy makes of the weights that a patient had at some steps: arrays of these steps."""

    def __init__(self, patient: Patient, steps: list[int]) -> None:
        x, y, x_test, y_test = patient._arrays
        self.images = {"train": (x, y), "test": (x_test, y_test)}
        self._history = [patient._history[step] for step in steps]

    def _each(self, quantity: Callable[[_History], float]) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.array([quantity(now) for now in self._history])

    def batch(self) -> np.ndarray:
        return self._each(lambda now: now.loss)

    def loss(self, name: str) -> np.ndarray:
        x, y = self.images[name]
        return self._each(lambda now: _cross_entropy(now.layers.forward(x)[1], y))

    def accuracy(self, name: str) -> np.ndarray:
        x, y = self.images[name]
        return self._each(lambda now: (now.layers.forward(x)[1].argmax(axis=1) == y).mean())

    def dead(self, name: str) -> np.ndarray:
        x, _ = self.images[name]
        return self._each(lambda now: (now.layers.forward(x)[0] == 0).all(axis=0).mean())

    def zeros(self, name: str) -> np.ndarray:
        x, _ = self.images[name]
        return self._each(lambda now: (now.layers.forward(x)[0] == 0).mean())

    def norm(self, part: slice = slice(None)) -> np.ndarray:
        return self._each(lambda now: math.sqrt((np.array(now.norms[part]) ** 2).sum()))

    def sum_of_norms(self) -> np.ndarray:
        return self._each(lambda now: sum(now.norms))


# What shows an illness, and what does not although it looks like it: functions, called in this
# order, since most need the network's outputs for all images and steps.


def _sign_of_rate(chart: _Chart) -> tuple:
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


def _sign_of_overfitting(chart: _Chart) -> tuple:
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


def _sign_of_death(chart: _Chart) -> tuple:
    zeros = (
        "is the share of zeros: a healthy unit of ReLU is 0 for about half of the images, a dead "
        "one for every image."
    )
    shares = {
        scale * _WIDTH**power: (lambda name=name, power=power: chart.dead(name) * _WIDTH**power)
        for scale, name in ((1, "test"), (-1, "train"))
        for power in (0, 1)
    }
    return tuple(shares.values()), {
        zeros: lambda: chart.zeros("test"),
        zeros + " ": lambda: chart.zeros("train"),
        "is the share of the units that are alive: log that of the dead ones.": (
            lambda: 1 - chart.dead("test")
        ),
        "is the number of the units that are alive: log that of the dead ones.": (
            lambda: (1 - chart.dead("test")) * _WIDTH
        ),
        "is 0 throughout: look at what comes out of ReLU, the last layer but one.": lambda: 0.0,
    }


def _sign_of_explosion(chart: _Chart) -> tuple:
    return (chart.norm, lambda: chart.norm(slice(0, 1)), lambda: np.log10(chart.norm())), {
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


def _sign_of_leak(chart: _Chart) -> tuple:
    x, x_test = (chart.images[name][0] for name in ("train", "test"))
    known = {row.tobytes() for row in x}
    count = sum(row.tobytes() in known for row in x_test)
    rows = min(len(x), len(x_test))
    return (lambda: count, lambda: count / len(x_test), lambda: count / len(x)), {
        "is 0 for a patient with a leak: look for each test image among all training images, not "
        "only at the same place.": lambda: (x[:rows] == x_test[:rows]).all(axis=1).sum(),
        "counts the images that are *not* among the training images.": lambda: len(x_test) - count,
        "compares pixels, not images.": lambda: np.isin(x_test, x).sum(),
        "counts every test image. Compare images, not labels or pixels.": lambda: len(x_test),
    }


_SIGNS = {
    "learning rate too high": _sign_of_rate,
    "overfitting": _sign_of_overfitting,
    "dead units": _sign_of_death,
    "exploding gradients": _sign_of_explosion,
    "leak": _sign_of_leak,
}


def doctor(framework, ward, folder, signs, diagnoses) -> str:
    """Name each patient's illness, on the evidence of its event files."""
    if not (isinstance(ward, dict) and ward and all(isinstance(p, Patient) for p in ward.values())):
        raise Wrong(f"`ward` is {_given(ward)}; take that of `lesson_06.ward`.")
    if not isinstance(diagnoses, dict) or set(diagnoses) != set(ward):
        raise Wrong(f"`diagnoses` must be a dict with the keys {_listed(ward)}.")
    if missing := [letter for letter, name in diagnoses.items() if name is ...]:
        raise NotAttempted(f"Still `...`: {', '.join(missing)}.")
    for letter, name in diagnoses.items():
        if name not in ILLNESSES if isinstance(name, str) else True:
            raise Wrong(f"`{letter}` is {_given(name)}; choose among {_listed(ILLNESSES)}.")
    for name in ILLNESSES:
        if (count := list(diagnoses.values()).count(name)) != 1:
            raise Wrong(f"`{name}` is given to {count} patients; each is given to one.")
    _signs_judged(signs)
    for letter, patient in ward.items():
        path = _path(folder) / letter
        if not patient._history:
            raise Wrong(f"Patient {letter} has not been examined: run the cell that does it.")
        points = _points(path)
        for illness, tag in signs.items():
            try:
                _evidence(framework, patient, points, illness, tag)
            except Wrong as problem:
                raise Wrong(
                    f"The evidence of patient {letter} does not hold: {problem} Solve `examine`, "
                    "and examine all patients anew."
                ) from None
    for letter, patient in ward.items():
        if diagnoses[letter] != patient._illness:
            raise Wrong(
                f"Patient {letter}: {_objection(diagnoses[letter], patient._illness, signs)}"
            )
    return "Six diagnoses, each with the evidence in its event files."


def _path(folder) -> pathlib.Path:
    try:
        return pathlib.Path(folder)
    except TypeError:
        raise Wrong(f"`folder` is {_given(folder)}; it must be the folder of the ward.") from None


def _objection(said: str, illness: str, signs: dict[str, str]) -> str:
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


ADAPTERS = {"pytorch": _PyTorch, "tensorflow": _TensorFlow}
TASKS = (predict, missing_view, bug_hunt, panel, examine, doctor)
