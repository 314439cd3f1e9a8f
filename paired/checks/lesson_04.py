"""Lesson 04, the same network: the checks of its exercise.

Weights are dictionaries of NumPy arrays under PyTorch's names and in PyTorch's layout, unless an
adapter has turned them into its own. Inputs are drawn anew for every check.
"""

import collections
import math
from collections.abc import Sequence

from paired.checks import adapters
from paired.checks.answers import Halves, Number, Shape, task
from paired.checks.judging import Wrong, call, close, compare, kind_of, refuse, to_numpy

import numpy as np

NUM_INPUTS, NUM_HIDDENS, NUM_CLASSES = 12, 7, 10
# Sums of a few powers of two: Keras rounds its hyper-parameters to float32, which holds these.
RATES, MOMENTA = (0.25, 0.1875, 0.125, 0.0625), (0.5, 0.75, 0.875)


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch: models that hold given weights, and its words."""

    kernel, flat, lr_inside = "weight", "ochw", False
    logits_note = "`F.cross_entropy` takes the network's output as it is."
    velocity_note = "`torch.optim.SGD` multiplies the whole velocity by the newest learning rate."

    def read(self, model) -> dict:
        """The weights of a model, as `_own` has them."""
        return {name: to_numpy(parameter) for name, parameter in model.named_parameters()}

    def data(self, array: np.ndarray):
        """An array of examples as a model takes it."""
        return self.tensor(array)

    def mlp(self, weights: dict):
        """A network with one hidden layer, which holds these weights."""
        from torch import nn

        hidden, output = nn.Linear(NUM_INPUTS, NUM_HIDDENS), nn.Linear(NUM_HIDDENS, NUM_CLASSES)
        return self._holding(weights, hidden=hidden, relu=nn.ReLU(), output=output)

    def conv_net(self, weights: dict):
        """A convolution, global average pooling and a dense layer, which hold these weights."""
        from torch import nn

        pool = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return self._holding(weights, conv=nn.Conv2d(2, 5, 3), pool=pool, dense=nn.Linear(5, 10))

    def _holding(self, weights: dict, **layers):
        from torch import nn

        model = nn.Sequential(collections.OrderedDict(layers)).double()
        model.load_state_dict({name: self.tensor(array) for name, array in weights.items()})
        return model


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow and Keras."""

    kernel, flat, lr_inside = "kernel", "hwco", True
    logits_note = "Keras's losses take probabilities unless they are told `from_logits=True`."
    velocity_note = "In `keras.optimizers.SGD` old gradients keep the learning rate they came with."

    def read(self, model) -> dict:
        pairs = ((layer, variable) for layer in model.layers for variable in layer.weights)
        return {f"{layer.name}.{variable.name}": to_numpy(variable) for layer, variable in pairs}

    def data(self, array: np.ndarray) -> np.ndarray:
        return array.copy()

    def mlp(self, weights: dict):
        from keras import layers

        hidden = layers.Dense(NUM_HIDDENS, activation="relu", name="hidden", dtype="float64")
        output = layers.Dense(NUM_CLASSES, name="output", dtype="float64")
        return self._holding(weights, (NUM_INPUTS,), hidden, output)

    def conv_net(self, weights: dict):
        from keras import layers

        conv = layers.Conv2D(5, 3, activation="relu", name="conv", dtype="float64")
        pool = layers.GlobalAveragePooling2D(dtype="float64")
        dense = layers.Dense(10, name="dense", dtype="float64")
        return self._holding(weights, (8, 8, 2), conv, pool, dense)

    def _holding(self, weights: dict, input_shape: tuple[int, ...], *layers):
        import keras

        model = keras.Sequential([keras.Input(input_shape, dtype="float64"), *layers])
        model.set_weights(list(_own(self, weights).values()))
        return model


def _other(framework):
    """The adapter of the other half."""
    return TensorFlow() if framework.name == "pytorch" else PyTorch()


def _own(framework, weights: dict) -> dict:
    """Weights under a framework's names and in its layout."""
    return {
        name.replace("weight", framework.kernel): framework.layout(array)
        for name, array in weights.items()
    }


@task(
    num_parameters=Number(
        1370,
        {
            1352: "counts the weights and leaves out the biases.",
            5210: "fits a network without pooling, which leaves 4 x 4 pixels.",
            80: "is that of the convolution alone.",
            1290: "is that of the last layer alone.",
        },
    ),
    feature_shape=Shape(
        Halves((32, 8, 4, 4), (32, 4, 4, 8)),
        {
            Halves((32, 4, 4, 8), (32, 8, 4, 4)): (
                "is the other framework's: where are the channels in this?"
            ),
            (32, 8, 8, 8): "is the shape before pooling.",
            Halves((32, 8, 3, 3), (32, 3, 3, 8)): "forgets the padding of the convolution.",
            Halves((8, 4, 4), (4, 4, 8)): "is that of one image; the batch has 32.",
            (32, 128): "is the shape after Flatten.",
        },
        "is not {}: go from layer to layer, axis by axis.",
    ),
    loss=Number(
        math.log(10),
        {
            0.1: "is the probability of the right class; the loss is minus its logarithm.",
            -math.log(10): "has the wrong sign: the logarithm of a probability is negative.",
            math.log2(10): "is in bits; both frameworks use the natural logarithm.",
            1.0: "uses the logarithm to base 10; both frameworks use the natural one.",
        },
        tolerance=0.005,
    ),
)
def predict(framework) -> str:
    """Parameters, feature maps and first loss of a small network, known before it runs."""
    return "All three are right. The next cell lets the network say so itself."


def transport(framework, load_weights) -> str:
    """Load weights in the other framework's layout into a model."""
    start, wanted = (_draw(conv=(5, 2, 3, 3), dense=(10, 5)) for _ in range(2))
    model, before = framework.conv_net(start), _own(framework, start)
    given = {name: a.astype("float32") for name, a in _own(_other(framework), wanted).items()}
    _is_same_model(call(load_weights, model=model, weights=given), model)
    after = framework.read(model)
    for (name, right), array in zip(_own(framework, wanted).items(), given.values(), strict=True):
        if name in after and close(after[name], before[name]):
            still = f"`{name}` still has its initial values in the model that was given"
            raise Wrong(f"{still}: there are four arrays to load into it.")
        mistakes = {
            "was reshaped, which only cuts the same row of numbers anew: transpose the array.": (
                array.reshape(right.shape)
            ),
            "has height and width swapped: `.T` reverses all four axes.": array.T,
        }
        note = framework.layout_note if right.ndim == 2 else ""
        compare(f"`{name}`", after.get(name), right, shape_note=note, mistakes=mistakes)
    return "All four arrays arrive in their layers, in the right layout and dtype."


def flatten_order(framework, flatten_order) -> str:
    """Reorder a dense layer's weights that follow Flatten, between CHW and HWC."""
    rng, other = np.random.default_rng(), _other(framework)
    c, h, w = rng.permutation([3, 4, 5, 6])[:3].tolist()  # c is never h * w
    sizes = {"c": c, "h": h, "w": w, "o": 7}

    def reorder(array: np.ndarray, before: str, after: str) -> np.ndarray:
        array = array.reshape([sizes[axis] for axis in before])
        array = array.transpose([before.index(axis) for axis in after])
        return array.reshape((7, -1) if after[0] == "o" else (-1, 7))

    def turned(axes: str) -> str:
        """The axes with the outputs at the other end."""
        return axes[1:] + axes[0] if axes[0] == "o" else axes[-1] + axes[:-1]

    right = framework.layout(rng.normal(size=(7, c * h * w)))
    given = reorder(right, framework.flat, other.flat)
    swapped = framework.flat.translate(str.maketrans("hw", "wh"))
    mistakes = {
        "is transposed, but its inputs are still in the other framework's order: a dense layer "
        "after Flatten sees the pixels in the order of the layout.": given.T,
        "is reordered in the wrong direction: which framework's order does the argument have?": (
            reorder(given, turned(framework.flat), turned(other.flat))
        ),
        "has height and width swapped.": reorder(given, other.flat, swapped),
    }
    result = call(flatten_order, **{other.kernel: given}, channels=c, height=h, width=w)
    note = framework.layout_note
    compare("Your array", result, right, shape_note=note, mistakes=mistakes)
    return "Every input meets its own weights, at sizes that you have not seen."


def bug_hunt(framework, train) -> str:
    """Mend a training loop: its steps must be those of the mean loss from logits."""
    (start, x, y), rng = _problem(64), np.random.default_rng()
    sizes, lr = [*rng.permutation([14, 19, 30]), 1], float(rng.choice(RATES))
    batches = np.split(rng.permutation(64), np.cumsum(sizes)[:-1])
    steps, size = [(x[batch], y[batch], lr) for batch in batches], sizes[0]

    def trained(n: int):
        model, data = framework.mlp(start), {"X": framework.data(x), "y": framework.data(y)}
        losses = call(train, model=model, **data, batches=batches[:n], lr=lr)
        return losses, framework.read(model)

    def agrees(n: int, **mistake) -> bool:
        return _agree(framework, after, _train(start, steps[:n], **mistake)[1])

    _, after = trained(1)
    moved = after["output.bias"] - start["output.bias"]
    # Adam's first step moves weights by the learning rate, whatever the loss: no sign of one.
    adam = np.isclose(np.abs(moved), lr, rtol=1e-3).mean() > 0.5
    refuse({
        "The first step moves nothing: is it taken, on the model given, with gradients?": agrees(0),
        "The first step changes the sum of the output layer's biases. No loss from logits does, "
        f"since it only sees their differences. {framework.logits_note}": (
            abs(moved.sum()) > 1e-9 and not adam
        ),
        f"The loss takes softmax of a softmax. {framework.logits_note}": (
            agrees(1, softmax_twice=True)
        ),
        f"With a batch of {size} the first step is {size} times too long: the gradient is that of "
        "the sum of the losses, not of their mean.": agrees(1, factor=size),
        "The first step is not one of gradient descent on the mean cross-entropy.": not agrees(1),
    })  # fmt: skip
    _, after = trained(2)
    second = "The second step still has the gradient of the first batch in it."
    refuse({second: agrees(2, accumulate=True)})
    losses, after = trained(4)
    later = "The first step is right, a later one is not: each batch needs one, free of the others."
    refuse({later: not agrees(4)})
    compare("The list of losses", losses, _train(start, steps)[0])
    return "Four steps agree with gradient descent on the mean cross-entropy, to twelve digits."


def translation(framework, train_with_momentum) -> str:
    """Train with the other framework's rule for momentum, while the learning rate changes."""
    (start, x, y), rng = _problem(32), np.random.default_rng()
    third, first, second = sorted(rng.permutation(RATES)[:3].tolist())  # down after it went up
    rates, share = (first, first, second, second, third), float(rng.choice(MOMENTA))

    def trained(lrs):
        model, data = framework.mlp(start), {"X": framework.data(x), "y": framework.data(y)}
        result = call(train_with_momentum, model=model, **data, lrs=list(lrs), momentum=share)
        _is_same_model(result, model)
        return framework.read(model)

    def agrees(lrs=rates, momentum=share, lr_inside=not framework.lr_inside, **mistake) -> bool:
        steps = [(x, y, lr) for lr in lrs]
        return _agree(framework, after, _train(start, steps, momentum, lr_inside, **mistake)[1])

    after, constant = trained(rates), (first,) * len(rates)
    refuse({
        "This is the rule of the framework that you write in: both agree until the learning rate "
        f"changes. {framework.velocity_note}": agrees(lr_inside=framework.lr_inside),
        "No step carries velocity over from the last: is it made anew in the loop?": (
            agrees(momentum=0)
        ),
        "Every step uses the first learning rate: `lrs` has one for each step.": agrees(constant),
        "This is Nesterov's momentum; here the step is the velocity itself.": agrees(nesterov=True),
        "The gradients of earlier steps are still there when a step is taken.": (
            agrees(accumulate=True)
        ),
    })  # fmt: skip
    if not agrees():
        after, when = trained(constant), "once the learning rate changes"
        when = when if agrees(constant) else "at a constant rate already"
        raise Wrong(f"The weights differ {when}: do the first three steps on paper.")
    after = trained(rates)
    refuse({"The first call is right, the second is not: what is left of the first?": not agrees()})
    return "Five steps at three learning rates agree with the other framework, to twelve digits."


def _is_same_model(result, model) -> None:
    if result is not model:
        other = "another one" if type(result) is type(model) else kind_of(result)
        raise Wrong(f"The function must return the model that it is given; it returns {other}.")


def _agree(framework, read: dict, weights: dict) -> bool:
    own = _own(framework, weights)
    return all(name in read and close(read[name], array) for name, array in own.items())


def _draw(**shapes: tuple[int, ...]) -> dict:
    """Fresh weights and biases for layers of these shapes, outputs first, that float32 can hold."""
    rng, weights = np.random.default_rng(), {}
    for name, shape in shapes.items():
        for kind, size in {"weight": shape, "bias": shape[:1]}.items():
            weights[f"{name}.{kind}"] = rng.normal(size=size).astype("float32").astype("float64")
    return weights


def _problem(n: int) -> tuple[dict, np.ndarray, np.ndarray]:
    """Weights of a network with one hidden layer, and `n` examples; Keras clips no probability."""
    rng = np.random.default_rng()
    drawn = _draw(hidden=(NUM_HIDDENS, NUM_INPUTS), output=(NUM_CLASSES, NUM_HIDDENS))
    weights = {name: array / 4 for name, array in drawn.items()}
    weights["output.bias"] -= weights["output.bias"].mean()
    return weights, rng.normal(scale=2, size=(n, NUM_INPUTS)), rng.integers(NUM_CLASSES, size=n)


def _gradient(w: dict, x: np.ndarray, y: np.ndarray, softmax_twice: bool) -> tuple[float, dict]:
    """The mean cross-entropy of that network, and its gradient."""
    hidden = np.maximum(x @ w["hidden.weight"].T + w["hidden.bias"], 0)
    p = _softmax(hidden @ w["output.weight"].T + w["output.bias"])
    q = _softmax(p) if softmax_twice else p
    loss = -np.log(q[np.arange(len(y)), y]).mean()
    d_logits = (q - np.eye(NUM_CLASSES)[y]) / len(y)
    if softmax_twice:
        d_logits = p * (d_logits - (p * d_logits).sum(axis=1, keepdims=True))
    d_hidden = d_logits @ w["output.weight"] * (hidden > 0)
    return loss, {
        "hidden.weight": d_hidden.T @ x,
        "hidden.bias": d_hidden.sum(axis=0),
        "output.weight": d_logits.T @ hidden,
        "output.bias": d_logits.sum(axis=0),
    }


def _softmax(logits: np.ndarray) -> np.ndarray:
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def _train(
    weights: dict,
    steps: Sequence[tuple],
    momentum: float = 0.0,
    lr_inside: bool = False,
    *,
    nesterov: bool = False,
    accumulate: bool = False,
    softmax_twice: bool = False,
    factor: float = 1.0,
) -> tuple[np.ndarray, dict]:
    """The losses and the last weights of gradient descent with momentum.

    `steps` holds examples, their labels and the learning rate; with `lr_inside` the velocity has
    the rate in it, as in Keras. Mistakes: `nesterov` steps ahead of the velocity, `accumulate` adds
    each gradient to those before, `factor` multiplies the gradients.
    """
    losses, velocity, gradients = [], dict.fromkeys(weights, 0.0), dict.fromkeys(weights, 0.0)
    for x, y, lr in steps:
        loss, new = _gradient(weights, x, y, softmax_twice)
        losses.append(loss)
        inside, outside = (lr, 1) if lr_inside else (1, lr)
        moved = {}
        for name, w in weights.items():
            gradients[name] = factor * new[name] + accumulate * gradients[name]
            velocity[name] = momentum * velocity[name] + inside * gradients[name]
            ahead = momentum * velocity[name] + inside * gradients[name]
            moved[name] = w - outside * (ahead if nesterov else velocity[name])
        weights = moved
    return np.array(losses), weights


TASKS = (predict, transport, flatten_order, bug_hunt, translation)
