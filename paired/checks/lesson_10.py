"""Lesson 10, migration: the checks of its exercise.

No second framework is asked: what the original computes, NumPy says, see `lesson_10_original`.
"""

import collections
from collections.abc import Callable

from paired import parity
from paired.checks import adapters
from paired.checks import lesson_10_original as original
from paired.checks.answers import Choice, Halves, Number, task
from paired.checks.judging import NotAttempted, Wrong, call, compare, kind_of, refuse, to_numpy

import numpy as np

_GATES = np.array([1, 0, 2])  # update and reset gate, exchanged


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch; the originals are those of Keras."""

    axes, layout = (0, 3, 1, 2), "oi"  # where its images have the axes of Keras; of its weights

    def handed(self, kind: str, arrays: list) -> list[np.ndarray]:
        """The arrays of a layer of Keras as the original has them."""
        return arrays

    def rates(self, make: Callable, losses: list, settings: dict) -> list[float]:
        """The learning rate after each epoch, from 1 on."""
        import torch

        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = call(make, optimizer=optimizer, **settings)
        if not hasattr(scheduler, "step"):
            raise Wrong(f"It must return a scheduler; it returns {kind_of(scheduler)}.")
        return [scheduler.step(loss) or optimizer.param_groups[0]["lr"] for loss in losses]

    def named(self, model) -> dict:
        """The parameters of a port by name."""
        return dict(model.named_parameters())

    def puppet(self, epsilon: float, by_batch: bool) -> tuple[object, Callable, Callable]:
        """A port, what sets its weights and statistics, and what gives its state."""
        import torch
        from torch import nn

        layers = [nn.Linear(64, 16, False), nn.BatchNorm1d(16, epsilon), nn.ReLU()]
        names = zip(("hidden", "norm", "relu", "out"), [*layers, nn.Linear(16, 10)], strict=True)
        model = nn.Sequential(collections.OrderedDict(names)).double()
        if by_batch:
            model.norm.forward = lambda x: nn.functional.batch_norm(
                x, None, None, model.norm.weight, model.norm.bias, True, 0, epsilon
            )

        def put(weights: original.Arrays, mean, variance, step: int) -> None:
            model.train(step % 2 == 1)
            state = weights | {"norm.running_mean": mean, "norm.running_var": variance}
            model.load_state_dict({k: self.tensor(v) for k, v in state.items()}, strict=False)

        def state() -> list:
            mode = torch.tensor([each.training for each in model.modules()])
            return [to_numpy(each) for each in (mode, *model.state_dict().values())]

        return model, put, state


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow; the originals are those of PyTorch."""

    axes, layout = (0, 1, 2, 3), "io"

    def handed(self, kind: str, arrays: list) -> list[np.ndarray]:
        if kind == "conv":
            return [arrays[0].transpose(3, 2, 0, 1), arrays[1]]
        if kind == "dense":
            return [arrays[0].T, arrays[1]]
        kernel, recurrent, bias = map(_exchanged, arrays)
        return [kernel.T, recurrent.T, *bias]

    def rates(self, make: Callable, losses: list, settings: dict) -> list[float]:
        import keras

        model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(1.0), "mse")
        callback = call(make, **settings)
        if not isinstance(callback, keras.callbacks.Callback):
            raise Wrong(f"It must return a callback; it returns {kind_of(callback)}.")
        callback.set_model(model)
        callback.on_train_begin()
        rates = []
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"loss": 0.0, "val_loss": loss})
            rates.append(float(model.optimizer.learning_rate))
        return rates

    def named(self, model) -> dict:
        norm, out = model.norm, model.out
        values = model.hidden.kernel, norm.gamma, norm.beta, out.kernel, out.bias
        return dict(zip(original.NAMES, values, strict=True))

    def puppet(self, epsilon: float, by_batch: bool) -> tuple[object, Callable, Callable]:
        import keras
        import tensorflow as tf

        class Norm(keras.layers.BatchNormalization):
            def call(self, x, training=None, mask=None):
                if not by_batch:
                    return super().call(x, training=training)
                moments = tf.nn.moments(x, [0])
                return tf.nn.batch_normalization(x, *moments, self.beta, self.gamma, epsilon)

        class Network(keras.Model):
            def call(self, x, training=False):
                return self.out(tf.nn.relu(self.norm(self.hidden(x), training=training)))

        model, dense = Network(dtype="float64"), keras.layers.Dense
        model.hidden = dense(16, use_bias=False, dtype="float64")
        model.norm, model.out = Norm(epsilon=epsilon, dtype="float64"), dense(10, dtype="float64")
        model(tf.zeros([1, 64], tf.float64))

        def put(weights: original.Arrays, mean, variance, step: int) -> None:
            for name, variable in self.named(model).items():
                variable.assign(weights[name].T)
            model.norm.moving_mean.assign(mean)
            model.norm.moving_variance.assign(variance)

        return model, put, lambda: [to_numpy(each) for each in model.variables]


# Task 1


_MOMENTUM = "reads the momentum as the other framework does."
_SPREAD = {90: _MOMENTUM, 180: _MOMENTUM, 100: "is the variance of the batch, divided by n."}
_LOSS = {20: "is the sum: what is it divided by?", 6: "is the mean without weights."}
_MOVED = {8: "is without momentum: the second step remembers the first."}


@task(
    conv=Number(Halves(9, 5), Halves(
        {5: "pads on both sides; here one number is missing, and it goes to the end."},
        {9: "pads at the end only; `padding=1` pads on both sides."},
    )),
    variance=Number(Halves(10, 20), Halves(
        _SPREAD | {20: "divides by n - 1 in the variance of the batch."},
        _SPREAD | {10: "divides by n in the variance of the batch."},
    )),
    loss=Number(Halves(10, 5), Halves(
        _LOSS | {5: "divides by the sum of the weights."},
        _LOSS | {10: "divides by the number of examples."},
    )),
    moved=Number(Halves(9, 11), Halves(
        _MOVED | {11: "lets the new rate count for the old gradient too."},
        _MOVED | {9: "lets the old rate go on counting for the old gradient."},
    )),
)  # fmt: skip
def predict(framework) -> str:
    """Four numbers that come out of the original."""
    return "All four are right. A port has to bring these four numbers."


# Task 2


def plateau(losses, factor, patience, delta, cooldown) -> list[float]:
    """The rates of PyTorch's ReduceLROnPlateau; Keras's does so with numbers one larger."""
    rate, best, bad, cooling, rates = 1.0, np.inf, 0, 0, []
    for loss in losses:
        best, bad = (loss, 0) if loss < best - delta else (best, bad + 1)
        if cooling > 0:
            cooling, bad = cooling - 1, 0
        if bad > patience:
            rate, cooling, bad = rate * factor, cooldown, 0
        rates.append(rate)
    return rates


def patience(framework, make_plateau) -> str:
    """Reduce the rate in the same epochs as the original does."""
    rng, more = np.random.default_rng(), int(framework.name == "pytorch")
    names = "factor", "patience", "min_delta" if more else "threshold", "cooldown"
    for trial in range(30):
        waits, cooldown = map(int, rng.integers(1, 4, size=2) if trial else (1, 0))
        delta, factor = rng.choice([0.2, 0.3, 0.4]).item(), 0.5 + 0.25 * (trial % 2)
        shares, losses = rng.choice([-2, 0, 0.3, 1.5], size=12, p=[0.3, 0.1, 0.3, 0.3]), [9.0]
        for share in [0 * shares, 0 * shares, 1.5 + 0 * shares][trial] if trial < 3 else shares:
            losses.append(round(float(min(losses) - share * delta), 2))
        settings = dict(zip(names, (factor, waits + more, delta, cooldown + more), strict=True))
        got = framework.rates(make_plateau, losses, settings)
        right = plateau(losses, factor, waits, delta, cooldown)
        if not np.allclose(got, right, rtol=1e-5):
            falls = [1 + np.flatnonzero(np.diff([1, *each]) < -1e-9) for each in (got, right)]
            raise Wrong(
                f"With {settings} and the losses {losses} the rate is reduced after epochs "
                f"{falls[0].tolist()}, to {got[-1]:.3g} in the end; the original reduces it after "
                f"{falls[1].tolist()}, to {right[-1]:.3g}."
            )
    return "In 30 trainings the rate is reduced in the same epochs."


# Task 3


def _exchanged(array: np.ndarray) -> np.ndarray:
    """The gates of a recurrent layer, in the last axis, in the other framework's order."""
    units = array.shape[-1] // 3
    return array.reshape(*array.shape[:-1], 3, units)[..., _GATES, :].reshape(array.shape)


def conv(x, kernel, bias, near: int) -> np.ndarray:
    """A convolution with stride 2; `near` zeros before each side, and one after."""
    padded = np.pad(x, ((0, 0), (near, 1), (near, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    return np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias


def gru(x, kernel, recurrent, bias) -> np.ndarray:
    """All states of a GRU whose gates are update, reset and candidate."""
    state, states = np.zeros((len(x), len(recurrent))), []
    for t in range(x.shape[1]):
        given = np.split(x[:, t] @ kernel + bias[0], 3, axis=1)
        kept = np.split(state @ recurrent + bias[1], 3, axis=1)
        update, reset = (1 / (1 + np.exp(-a - b)) for a, b in zip(given[:2], kept[:2], strict=True))
        state = update * state + (1 - update) * np.tanh(given[2] + reset * kept[2])
        states.append(state)
    return np.stack(states, axis=1)


def layers(framework, port) -> str:
    """Carry three layers over."""
    rng, off = np.random.default_rng(), framework.name == "tensorflow"
    h, w, units = (2 * int(rng.integers(low, low + 3)) for low in (2, 5, 2))
    c = 3
    x, done = rng.normal(size=(2, h, w, c)), []
    images = framework.tensor(x.transpose(framework.axes))

    def convolved(kernel: np.ndarray, near: int) -> np.ndarray:
        return conv(x, kernel, bias, near).transpose(framework.axes)

    kernel, bias = rng.normal(size=(3, 3, c, units)), rng.normal(size=units)
    orders = [x.reshape(2, -1), x.transpose(0, 3, 1, 2).reshape(2, -1)]
    dense = [rng.normal(size=(h * w * c, units)), bias]
    steps = rng.normal(size=(2, 4, c))
    cells = [rng.normal(size=s) for s in ((c, 3 * units), (units, 3 * units), (2, 3 * units))]
    joined = [*cells[:2], np.stack([cells[2].sum(axis=0), 0 * cells[2][0]])]
    cases = {
        "conv": ([kernel, bias], images, convolved(kernel, off), {
            "pads on the other sides than the original.": convolved(kernel, not off),
            "has the kernel's height and width exchanged.":
                convolved(kernel.transpose(1, 0, 2, 3), off),
        }),
        "dense": (dense, images, orders[off] @ dense[0] + bias, {
            "takes the numbers of an image in another order than the original's Flatten.":
                orders[not off] @ dense[0] + bias,
        }),
        "gru": (cells, framework.tensor(steps), gru(steps, *cells), {
            "has two gates exchanged: look at the order of the gates.":
                gru(steps, *map(_exchanged, cells)),
            "adds both biases in one place: in the candidate, the reset gate comes between.":
                gru(steps, *joined),
            "runs over the examples and not over time: look at `batch_first`.":
                gru(steps.swapaxes(0, 1), *cells).swapaxes(0, 1),
        }),
    }  # fmt: skip
    for kind, (arrays, given, right, mistakes) in cases.items():
        shape = (h, w, c) if kind == "dense" else None
        try:
            layer = call(port, kind=kind, arrays=framework.handed(kind, arrays), shape=shape)
        except NotAttempted as verdict:
            raise NotAttempted(f"{' '.join(done)} {verdict}".strip()) from None
        if not callable(layer):
            raise Wrong(f"`port` must return a layer for `{kind}`; it returns {kind_of(layer)}.")
        got = layer(given)
        got = to_numpy(got[0] if isinstance(got, tuple) else got)
        compare(f"What `{kind}` gives", got, right, mistakes=mistakes)
        done.append(f"`{kind}`: right.")
    return "Three layers compute what the original's layers compute."


# Task 4

_FIRST = {
    "layout": "w@0", "epsilon": "logits@1", "loss": "loss@1", "clipping": "grad@1", "rate": "w@1",
    "velocity": "w@2", "order": "logits@5",
}  # fmt: skip


def _culprit(port: int) -> Choice:
    sentence = "that is seen first in {}: which row of this port is the first that disagrees?"
    rights = [original.PORTS[half][port] for half in ("pytorch", "tensorflow")]
    others = [{w: sentence.format(row) for w, row in _FIRST.items() if w != r} for r in rights]
    return Choice(Halves(*rights), Halves(*others))


_LOOK = {
    "w": "the rows before it agree, so look at the update.",
    "logits": "the weights before it agree, so look at the network, and at what it is given.",
    "loss": "the logits agree, so look at how the loss is made of them.",
    "grad": "the loss agrees, so look at what is done to the gradients.",
}


@task(port_a=_culprit(0), port_b=_culprit(1), port_c=_culprit(2), port_d=_culprit(3))
def culprits(framework, train) -> str:
    """Name the mistake of each of four ports, and mend a port that has all four."""
    of = original.project()
    batches = [(framework.tensor(x), framework.tensor(y), rate) for x, y, rate in of.batches]
    record = parity.Recorder("10_migration", framework.name)

    def watch(record, model, step: int) -> None:
        for name, value in framework.named(model).items():
            layout = framework.layout if name in original.MATRICES else None
            record(f"w/port/{name}", value, layout=layout, step=step)

    call(train, weights=of.weights, class_weights=framework.tensor(of.class_weights),
         batches=batches, record=record, watch=watch)  # fmt: skip
    right = original.only(original.record(of, framework.name), *original.FIRST_KINDS)
    mine = parity.Record(record.tensors, False, "")
    row = parity.compare(right, mine).first_disagreement
    if not row:
        return f"The names are right. All {len(record.tensors)} rows agree, on data drawn anew."
    if row.problem:
        here = f"In your port's record `{row.key}` at step {row.step}"
        side = {"first": "is missing", "second": "is a row that the original has not"}
        told = next((s for word, s in side.items() if word in row.problem), None)
        raise Wrong(f"{here} {told or f'has another form: {row.problem} (the second is yours)'}.")
    if row.step == 0:
        raise Wrong(f"`{row.key}` disagrees before the first step: `make_model` gets `weights`.")
    small = " Does a number pass through float32 on its way?" * (row.error < 1e-7)
    raise Wrong(
        f"The first row that disagrees is `{row.key}` at step {row.step}, by {row.error:.1e} of "
        f"its magnitude: {_LOOK[row.kind]}{small}"
    )


# Task 5


def watch(framework, watch) -> str:
    """Record what tells a port from the original that the weights do not."""
    of, half = original.project(), framework.name
    right = original.record(of, half)
    stopped = {row: right.tensors[row[0], min(row[1], original.EPOCH)] for row in right.tensors}
    kept = original.only(original.record(of, half, "kept"), "stat")
    means = {row: value for row, value in kept.tensors.items() if "mean" in row[0]}
    ports = {
        "": (right, "", False),
        "has other weights after step 2": (original.record(of, half, "velocity"), "w", False),
        "keeps another share of its running mean":
            (parity.Record(right.tensors | means, False, ""), "stat", False),
        "divides by another number in its running variance":
            (original.record(of, half, "unbiased"), "stat", False),
        "keeps its running statistics as they are after the first epoch":
            (parity.Record(stopped, False, ""), "stat", False),
        "normalises with the batch's own statistics in evaluation": (right, "eval", True),
    }  # fmt: skip
    epsilon = original.RULES[half][0]["epsilon"]
    puppets = [framework.puppet(epsilon, by_batch) for by_batch in (False, True)]
    x_test = framework.tensor(of.x_test)
    for fault, (port, kind, by_batch) in ports.items():
        record = parity.Recorder("10_migration", half)
        model, put, state = puppets[by_batch]
        for step in (0, 1, 2, 4, 5, 8):
            source = right if kind != "w" else port
            weights = {name: source.tensors[f"w/port/{name}", step] for name in original.NAMES}
            stats = (port.tensors[f"stat/port/{name}", step] for name in ("mean", "variance"))
            put(weights, *stats, step)
            before = state()
            call(watch, X_test=x_test, record=record, model=model, step=step)
            if any((a != b).any() for a, b in zip(before, state(), strict=True)):
                what = "its mode, its weights" if half == "pytorch" else "its weights"
                raise Wrong(
                    f"Training goes on after it, but your function changes the port: {what} or its "
                    "running statistics."
                )
        unknown = sorted(f"{key}@{at}" for key, at in record.tensors.keys() - right.tensors.keys())
        common = {row: right.tensors[row] for row in record.tensors if row in right.tensors}
        records = (parity.Record(each, False, "") for each in (common, record.tensors))
        row = parity.compare(*records).first_disagreement
        refuse({
            f"`{unknown and unknown[0]}` is no row of the original's record: there is nothing to "
            "compare it with.": unknown,
            f"A port that is right disagrees by your record: {row}.": row and not fault,
            f"A port that {fault} agrees by your record.": fault and not row,
            f"A port that {fault} is seen first in `{row and row.key}`. Record what is wrong "
            "itself: then the first row names the culprit.": row and row.kind != kind,
        })  # fmt: skip
    return "A port that is right agrees by your record, and five others do not."


TASKS = (predict, patience, layers, culprits, watch)
