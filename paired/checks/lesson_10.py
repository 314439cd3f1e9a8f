"""Lesson 10, migration: the checks of its exercise.

No second framework is asked: what the original computes, NumPy says, see `lesson_10_original`.
"""

from collections.abc import Callable

from paired import parity
from paired.checks import adapters
from paired.checks import lesson_10_original as original
from paired.checks.answers import Choice, Halves, Number, task
from paired.checks.judging import NotAttempted, Wrong, call, compare, kind_of, to_numpy

import numpy as np


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch; the originals are those of Keras."""

    axes, calls = (0, 3, 1, 2), "forward"  # where its images have Keras's axes; what a layer runs

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

    def port(self, make_model: Callable, epsilon: float, rows: original.Arrays, step: int):
        """A port with the weights and statistics of a step."""
        import torch

        norm = torch.nn.BatchNorm1d(16, epsilon)
        norm.running_mean, norm.running_var = map(self.tensor, (rows["mean"], rows["variance"]))
        return make_model({name: rows[name] for name in original.NAMES}, norm).train(step % 2 == 1)

    def state(self, model) -> list:
        """What of a port an answer may not change."""
        flags = [each.training for each in model.modules()]
        flags += [each.requires_grad for each in model.parameters()]
        return [flags, repr(model.norm), *map(to_numpy, model.state_dict().values())]


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow; the originals are those of PyTorch."""

    axes, calls = (0, 1, 2, 3), "call"

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
        optimizer = model.optimizer
        logs = ({"loss": 0.0, "val_loss": loss} for loss in losses)
        return [
            callback.on_epoch_end(n, log) or float(optimizer.learning_rate)
            for n, log in enumerate(logs)
        ]

    def port(self, make_model: Callable, epsilon: float, rows: original.Arrays, step: int):
        import keras

        norm = keras.layers.BatchNormalization(epsilon=epsilon)
        model = make_model({name: rows[name] for name in original.NAMES}, norm)
        norm.moving_mean.assign(rows["mean"])
        norm.moving_variance.assign(rows["variance"])
        return model

    def state(self, model) -> list:
        flags = [each.trainable for each in model.variables]
        return [flags, str(model.norm.get_config()), *map(to_numpy, model.variables)]


# Task 1


_MOMENTUM = "reads the momentum as the other framework does."
_SPREAD = {90: _MOMENTUM, 180: _MOMENTUM, 100: "is the variance of the batch, divided by n."}
_LOSS = {20: "is the sum: what is it divided by?", 6: "is the mean without weights."}
_MOVED = {8: "is without momentum: the second step remembers the first."}


@task(
    conv=Number(Halves(9, 5), Halves({5: "pads on both sides."}, {9: "pads at the end only."})),
    variance=Number(Halves(10, 20), Halves(
        _SPREAD | {20: "divides by n - 1."}, _SPREAD | {10: "divides by n."},
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
        delta, factor = rng.choice([0.25, 0.5]).item(), 0.5 + 0.25 * (trial % 2)
        shares, losses = rng.choice([-2, -2, 0, 0.5, 1, 1.5], size=12), [9.0]
        for share in [0 * shares, 0 * shares, 1.5 + 0 * shares][trial] if trial < 3 else shares:
            losses.append(float(min(losses) - share * delta))
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
    first, second, candidate = np.split(array, 3, axis=-1)
    return np.concatenate([second, first, candidate], axis=-1)


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
    x, steps = rng.normal(size=(2, h, w, 3)), rng.normal(size=(2, 4, 3))
    drawn = rng.standard_normal
    kernel, matrix, bias = map(drawn, ((3, 3, 3, units), (h * w * 3, units), (units,)))
    cells = [*map(drawn, ((3, 3 * units), (units, 3 * units), (2, 3 * units)))]
    images, done = framework.tensor(x.transpose(framework.axes)), []
    orders = [x.reshape(2, -1), x.transpose(0, 3, 1, 2).reshape(2, -1)]
    joined = [*cells[:2], np.stack([cells[2].sum(axis=0), 0 * cells[2][0]])]

    def convolved(kernel: np.ndarray, near: int) -> np.ndarray:
        return conv(x, kernel, bias, near).transpose(framework.axes)

    cases = {
        "conv": ([kernel, bias], images, convolved(kernel, off), {
            "pads on the other sides than the original.": convolved(kernel, not off),
            "has the kernel's height and width exchanged.":
                convolved(kernel.transpose(1, 0, 2, 3), off),
        }),
        "dense": ([matrix, bias], images, orders[off] @ matrix + bias, {
            "takes the numbers of an image in another order than the original's Flatten.":
                orders[not off] @ matrix + bias,
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
        shape = (h, w, 3) if kind == "dense" else None
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


def _first(right: parity.Record, record: parity.Recorder) -> parity.Row | None:
    """The first row that disagrees with the original's; it has to have the same form."""
    row = parity.compare(right, parity.Record(record.tensors, False, "")).first_disagreement
    if row and row.problem:
        told = f"{row.problem}. The first record is the original's, the second yours."
        raise Wrong(f"`{row.key}` at step {row.step}: {told}")
    return row


@task(port_a=_culprit(0), port_b=_culprit(1), port_c=_culprit(2), port_d=_culprit(3))
def culprits(framework, train, record_weights) -> str:
    """Name the mistake of each of four ports, and mend a port that has all four."""
    of = original.project()
    batches = [(framework.tensor(x), framework.tensor(y), rate) for x, y, rate in of.batches]
    record = parity.Recorder("10_migration", framework.name)
    call(train, weights=of.weights, class_weights=framework.tensor(of.class_weights),
         batches=batches, record=record, watch=record_weights)  # fmt: skip
    right = original.only(original.record(of, framework.name), *original.FIRST_KINDS)
    if not (row := _first(right, record)):
        return f"The names are right. All {len(record.tensors)} rows agree, on data drawn anew."
    if row.step == 0:
        raise Wrong(f"`{row.key}` disagrees before the first step: `make_model` gets `weights`.")
    small = " Does a number pass through float32 on its way?" * (row.error < 1e-7)
    raise Wrong(
        f"The first row that disagrees is `{row.key}` at step {row.step}, by {row.error:.1e} of "
        f"its magnitude: {_LOOK[row.kind]}{small}"
    )


# Task 5


def watch(framework, watch, make_model) -> str:
    """Record what tells a port from the original that the weights do not."""
    half = framework.name
    for normalises in (False, True):
        of, record = original.project(), parity.Recorder("10_migration", half)
        right = original.only(original.record(of, half), "w", "stat", "eval")
        epsilon = original.RULES[half][0]["epsilon"]
        x_test = framework.tensor(of.x_test)
        for step in range(len(of.batches) + 1):
            rows = {key.split("/")[2]: x for (key, at), x in right.tensors.items() if at == step}
            model = framework.port(make_model, epsilon, rows, step)
            if not normalises:
                setattr(model.norm, framework.calls, lambda x, **how: x)
            before = framework.state(model)
            call(watch, X_test=x_test, record=record, model=model, step=step)
            if not all(map(np.array_equal, before, framework.state(model))):
                raise Wrong(
                    "Training goes on after it, but your function leaves the port changed: its "
                    "weights, statistics, mode or settings."
                )
        if not (row := _first(right, record)) and not normalises:
            raise Wrong(
                "A port that has the right statistics and does not use them agrees by your record: "
                "let the port itself evaluate `X_test`."
            )
        if row and (normalises or row.kind != "eval"):
            raise Wrong(
                f"What the port has for `{row.key}` at step {row.step} is right, and by your "
                f"record it disagrees, by {row.error:.1e} of its magnitude."
            )
    return "A port that is right agrees by your record, and one that does not normalise does not."


TASKS = (predict, patience, layers, culprits, watch)
