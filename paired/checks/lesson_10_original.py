"""The originals of lesson 10's exercise, in NumPy: what a port has to compute, in float64.

The original of one half is a project of the other framework. `RULES` says where the two differ: a
port with a mistake does one thing as the framework that it was ported to.
"""

import functools
from typing import NamedTuple

from paired import data, parity

import numpy as np

_KERAS = {"epsilon": 1e-3, "kept": 0.99, "unbiased": 0, "loss": "count", "velocity": "with rate"}
_TORCH = {"epsilon": 1e-5, "kept": 0.9, "unbiased": 1, "loss": "weights", "velocity": "bare"}
# Of each half what the original does, and what the half's own framework does.
RULES = {"pytorch": (_KERAS, _TORCH), "tensorflow": (_TORCH, _KERAS)}
NAMES = "hidden.weight", "norm.weight", "norm.bias", "out.weight", "out.bias"
# The mistakes of the four ports that the exercise shows, A to D.
PORTS = {
    "pytorch": ("velocity", "loss", "clipping", "epsilon"),
    "tensorflow": ("clipping", "velocity", "epsilon", "loss"),
}
FIRST_KINDS = "w", "logits", "loss", "grad"  # what the ports record
MOMENTUM, CLIP, EPOCH = 0.5, 0.05, 4
Arrays = dict[str, np.ndarray]
_digits = functools.cache(functools.partial(data.digits, "float64"))


class Project(NamedTuple):
    """What a training starts from: weights as PyTorch keeps them, and (X, y, rate) of each step."""

    weights: Arrays
    class_weights: np.ndarray
    batches: list[tuple[np.ndarray, np.ndarray, float]]
    x_test: np.ndarray


def project(seed: int | None = None) -> Project:
    """Draw a project: two epochs of four batches of digits, in another order each time."""
    rng, digits = np.random.default_rng(seed), _digits()
    shapes = (16, 64), (16,), (16,), (10, 16), (10,)
    weights = {
        name: rng.normal(scale=0.3, size=shape) for name, shape in zip(NAMES, shapes, strict=True)
    }
    weights["norm.weight"] += 1
    count, top = (rng.choice([30, 35, 42]), rng.choice([3, 5, 6])) if seed is None else (46, 4)
    chosen = rng.permutation(len(digits.x_train))[:count]
    order = [part for _ in "12" for part in np.array_split(rng.permutation(chosen), EPOCH)]
    x, y = digits.x_train.reshape(-1, 64), digits.y_train
    batches = [
        (x[i], y[i], min(step, 4) * float(top) / 32) for step, i in enumerate(order, start=1)
    ]
    class_weights = rng.uniform(0.5, 2, size=10)
    x_test = digits.x_test[rng.permutation(len(digits.x_test))[:20]].reshape(-1, 64)
    return Project(weights, class_weights, batches, x_test)


def record(of: Project, half: str, mistake: str = "") -> parity.Record:
    """Train a half's original, or a port of it with a mistake, and record each step."""
    there, here = RULES[half]
    rules = there | {key: value for key, value in here.items() if key == mistake}
    rules["clipping"] = "norm" if mistake == "clipping" else "value"
    weights, tensors = {name: array.copy() for name, array in of.weights.items()}, {}
    velocity = dict.fromkeys(weights, 0.0)
    mean, variance = np.zeros(16), np.ones(16)

    def note(kind: str, **named: np.ndarray) -> None:
        tensors.update({(f"{kind}/port/{key}", step): value for key, value in named.items()})

    for step, (x, y, rate) in enumerate([(None, None, 0), *of.batches]):
        if step:
            logits, loss, gradients, batch = gradient(weights, of.class_weights, x, y, rules)
            note("logits", all=logits)
            note("loss", mean=np.asarray(loss))
            note("grad", **gradients)
            for name, grad in gradients.items():
                inside = rate if rules["velocity"] == "with rate" else 1
                velocity[name] = MOMENTUM * velocity[name] + inside * grad
                weights[name] = weights[name] - (rate / inside) * velocity[name]
            spread, kept = batch.var(axis=0, ddof=rules["unbiased"]), rules["kept"]
            mean = kept * mean + (1 - kept) * batch.mean(axis=0)
            variance = kept * variance + (1 - kept) * spread
        note("w", **weights)
        note("stat", mean=mean, variance=variance)
        note("eval", logits=forward(weights, of.x_test, mean, variance, rules["epsilon"])[0])
    return parity.Record(tensors, False, "")


def only(whole: parity.Record, *kinds: str) -> parity.Record:
    """The rows of these kinds."""
    rows = {row: value for row, value in whole.tensors.items() if row[0].split("/")[0] in kinds}
    return parity.Record(rows, False, "")


def ports(of: Project, half: str) -> dict[str, parity.Record]:
    """The records of four ports by their names; each port has one mistake."""
    records = (only(record(of, half, mistake), *FIRST_KINDS) for mistake in PORTS[half])
    return dict(zip("ABCD", records, strict=True))


def forward(weights: Arrays, x, mean, variance, epsilon: float) -> tuple[np.ndarray, ...]:
    """The logits, what goes into ReLU, and what is normalised."""
    normed = (x @ weights["hidden.weight"].T - mean) / np.sqrt(variance + epsilon)
    before = weights["norm.weight"] * normed + weights["norm.bias"]
    after = np.maximum(before, 0)
    return after @ weights["out.weight"].T + weights["out.bias"], after, normed


def gradient(weights: Arrays, class_weights, x, y, rules: dict) -> tuple:
    """Logits, loss and clipped gradients of a step, and the batch that is normalised."""
    batch = x @ weights["hidden.weight"].T
    mean, variance = batch.mean(axis=0), batch.var(axis=0)
    logits, after, normed = forward(weights, x, mean, variance, rules["epsilon"])
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    counts = class_weights[y]
    counts = counts / (counts.sum() if rules["loss"] == "weights" else len(y))
    loss = -(counts * np.log(share[np.arange(len(y)), y])).sum()
    delta = counts[:, None] * (share - np.eye(10)[y])
    back = delta @ weights["out.weight"] * (after > 0)
    inner = back * weights["norm.weight"]
    inner = inner - inner.mean(axis=0) - normed * (inner * normed).mean(axis=0)
    gradients = {
        "hidden.weight": (inner / np.sqrt(variance + rules["epsilon"])).T @ x,
        "norm.weight": (back * normed).sum(axis=0), "norm.bias": back.sum(axis=0),
        "out.weight": delta.T @ after, "out.bias": delta.sum(axis=0),
    }  # fmt: skip
    norm = np.sqrt(sum((grad**2).sum() for grad in gradients.values()))
    for name, grad in gradients.items():
        by_norm = grad * min(1, CLIP / norm)
        gradients[name] = by_norm if rules["clipping"] == "norm" else np.clip(grad, -CLIP, CLIP)
    return logits, loss, gradients, batch
