"""Lesson 00, quick start: the checks of its exercise."""

import math
from collections.abc import Sequence

from paired.checks import adapters
from paired.checks.answers import Halves, Number, resolve, task
from paired.checks.judging import Wrong, call_changing, close, compare, kind_of, refuse, to_numpy

import numpy as np

# float32, as in the lesson: rounding stays far below this, and each known mistake above.
RELATIVE = 1e-4


class PyTorch(adapters.PyTorch):
    """A small network of PyTorch's."""

    def network(self, weights: list):
        """Flatten, a layer with ReLU and another, holding two weights and two biases."""
        import torch
        from torch import nn

        (units, size), last = weights[0].shape, len(weights[2])
        net = nn.Sequential(nn.Flatten(), nn.Linear(size, units), nn.ReLU(), nn.Linear(units, last))
        with torch.no_grad():
            for parameter, array in zip(net.parameters(), weights, strict=True):
                parameter.copy_(self.tensor(array))
        return net

    def read(self, net) -> list:
        """The network's weights as `network` takes them."""
        return [to_numpy(parameter) for parameter in net.parameters()]


class TensorFlow(adapters.TensorFlow):
    """The same of Keras."""

    def network(self, weights: list):
        import keras

        layers = [keras.Input((3, 2)), keras.layers.Flatten()]
        layers.append(keras.layers.Dense(len(weights[0]), activation="relu"))
        net = keras.Sequential([*layers, keras.layers.Dense(len(weights[2]))])
        net.set_weights([array.T for array in weights])
        return net

    def read(self, net) -> list:
        return [to_numpy(variable).T for variable in net.weights]


@task(
    num_parameters=Number(
        1510,
        {
            1480: "leaves out the biases: each unit has one.",
            1300: "is that of the first layer alone.",
            210: "is that of the last layer alone.",
        },
    ),
    num_steps=Number(
        45,
        {
            42: "leaves out the images that do not fill a batch: they make one of their own.",
            15: "is that of one epoch; there are three.",
            3: "counts epochs; there is a step for each batch.",
            4311: "counts images; there is a step for each batch.",
        },
    ),
    loss=Number(
        math.log(2),
        {
            0.5: "is the probability; the loss is minus its logarithm.",
            -math.log(2): "has the wrong sign: the logarithm of 1/2 is negative.",
            1: "is the logarithm to base 2; the loss takes the natural one.",
            math.log10(2): "is the logarithm to base 10; the loss takes the natural one.",
            math.log(10): "is the loss when each digit gets the probability 1/10.",
        },
        tolerance=0.005,
    ),
)
def predict(framework) -> str:
    """Parameters, steps and a loss, known before anything runs."""
    return "All three are right. The next cell lets the framework say so itself."


def train_epoch(framework, train_epoch) -> str:
    """Two epochs of SGD on batches of different sizes, one of them a single image."""
    rng = np.random.default_rng()
    weights = [rng.normal(size=size) for size in ((5, 6), 5, (4, 5))]
    # Logits from 0 to 1: a loss that takes them for probabilities has a gradient there, too.
    net = framework.network([*weights[:2], weights[2] / 20, rng.uniform(0.3, 0.7, 4)])
    for sizes in (7, 4, 6, 1), (2, 5, 3):
        _check_epoch(framework, train_epoch, net, sizes)
    return "Two epochs, of four batches and of three, are those of SGD."


def _check_epoch(framework, train_epoch, net, sizes: tuple) -> None:
    """Refuse an epoch that is not one of SGD from where the network stands."""
    rng, start = np.random.default_rng(), framework.read(net)
    pairs = [(rng.random((n, 3, 2)).astype("float32"), rng.integers(4, size=n)) for n in sizes]
    lr, half = rng.uniform(0.4, 0.6), framework.name
    batches = [(framework.tensor(x), framework.tensor(y)) for x, y in pairs]
    result = call_changing(train_epoch, (net,), batches=batches, lr=lr)
    after = framework.read(net)

    def agrees(weights: list) -> bool:
        return all(map(close, after, weights, [RELATIVE] * 4))

    losses, right = _train(start, pairs, lr)
    earlier = Halves("`.grad` keeps them until `zero_grad()`.", "take those that the tape returns.")
    refuse({
        "No parameter of `net` has changed.": agrees(start),
        "Only the first batch is used: does `return` stand inside the loop?":
            agrees(_train(start, pairs[:1], lr)[1]),
        f"Later steps have the gradients of earlier batches in them: {resolve(earlier, half)}":
            agrees(_train(start, pairs, lr, keep=1)[1]),
        "The steps have the learning rate of the lesson, 0.25, not `lr`.":
            agrees(_train(start, pairs, 0.25)[1]),
        "The sum of the last layer's biases changes. SGD down a cross-entropy of logits never "
        "changes it: look at the loss and the optimiser.":
            not agrees(right) and abs((after[3] - start[3]).sum()) > 1e-3,
        "The parameters are not those after one step of SGD with `lr` for each batch, in order, "
        "down the mean cross-entropy of the logits.": not agrees(right),
    })  # fmt: skip
    if not isinstance(result, float):
        raise Wrong(f"The function must return a Python number; it returns {kind_of(result)}.")
    mistakes = {
        "is the sum of the losses.": sum(losses),
        "is the loss of the last batch.": losses[-1],
        "is the mean over all images; batches count equally.": np.average(losses, weights=sizes),
    }
    compare("The mean loss", result, np.mean(losses), mistakes=mistakes, relative=RELATIVE)


def _train(weights: list, pairs: Sequence, lr: float, keep: float = 0) -> tuple[list, list]:
    """The losses and the last weights of SGD; `keep` adds that share of earlier gradients."""
    losses, kept = [], [0.0] * 4
    for images, y in pairs:
        w1, b1, w2, b2 = weights = [w.astype("float64") for w in weights]
        x = images.reshape(len(y), -1)
        hidden = np.maximum(x @ w1.T + b1, 0)
        p = np.exp(hidden @ w2.T + b2)
        p /= p.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(y)), y]).mean())
        d_logits = (p - np.eye(4)[y]) / len(y)
        d_hidden = d_logits @ w2 * (hidden > 0)
        new = [d_hidden.T @ x, d_hidden.sum(0), d_logits.T @ hidden, d_logits.sum(0)]
        kept = [a + keep * b for a, b in zip(new, kept, strict=True)]
        weights = [w - lr * gradient for w, gradient in zip(weights, kept, strict=True)]
    return losses, weights


TASKS = (predict, train_epoch)
