"""Lesson 04, the same network: the checks of its exercise.

Weights are dictionaries of NumPy arrays under PyTorch's names and in PyTorch's layout, unless an
adapter has turned them into its own. Inputs are drawn anew for every check.
"""

import math
from collections.abc import Sequence

from paired.checks import Wrong, call, close, compare, to_numpy

import numpy as np

NUM_INPUTS, NUM_HIDDENS, NUM_CLASSES = 12, 7, 10
# Sums of a few powers of two: Keras rounds its hyper-parameters to float32, which holds these.
LR, LRS, MOMENTUM = 0.25, (0.25, 0.25, 0.125, 0.125, 0.0625), 0.875


_PARAMETERS = (
    "A layer has weights and biases. A filter of the convolution has one weight for each pixel of "
    "its window and each input channel; a unit of the last layer one for each of its inputs."
)
_LOSS = (
    "Ten equal logits give each class the same probability; the loss is minus the logarithm "
    "(`math.log`) of that of the right class."
)
_MOMENTUM = (
    "For one weight, write down the first three steps of both rules, the third with another "
    "learning rate. The first two agree."
)


class _PyTorch:
    """What the checks need of PyTorch: its layout, models that hold given weights, its words."""

    given, flat, other_flat, backwards = "kernel", "ochw", "hwco", ("chwo", "ohwc")
    lr_inside = False
    dense_note = "`nn.Linear` keeps (outputs, inputs)."
    logits_note = "`F.cross_entropy` takes the network's output as it is."
    velocity_note = "`torch.optim.SGD` multiplies the whole velocity by the newest learning rate."

    def own(self, weights: dict) -> dict:
        return weights

    def other(self, weights: dict) -> dict:
        return _keras_layout(weights)

    def read(self, model) -> dict:
        return {name: to_numpy(parameter) for name, parameter in model.named_parameters()}

    def data(self, array: np.ndarray):
        import torch

        return torch.from_numpy(array.copy())

    def mlp(self, weights: dict):
        from torch import nn

        hidden, output = nn.Linear(NUM_INPUTS, NUM_HIDDENS), nn.Linear(NUM_HIDDENS, NUM_CLASSES)
        return self._holding(weights, hidden=hidden, relu=nn.ReLU(), output=output)

    def conv_net(self, weights: dict):
        from torch import nn

        pool = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return self._holding(weights, conv=nn.Conv2d(2, 5, 3), pool=pool, dense=nn.Linear(5, 10))

    def _holding(self, weights: dict, **layers):
        import torch

        model = torch.nn.Sequential()
        for name, layer in layers.items():
            model.add_module(name, layer)
        model.load_state_dict({name: torch.from_numpy(a) for name, a in weights.items()})
        return model.double()


class _TensorFlow:
    """The same of TensorFlow and Keras."""

    given, flat, other_flat, backwards = "weight", "hwco", "ochw", ("ohwc", "chwo")
    lr_inside = True
    dense_note = "`Dense` keeps (inputs, outputs)."
    logits_note = "Keras's losses take probabilities unless they are told `from_logits=True`."
    velocity_note = "In `keras.optimizers.SGD` old gradients keep the learning rate they came with."

    def own(self, weights: dict) -> dict:
        return _keras_layout(weights)

    def other(self, weights: dict) -> dict:
        return weights

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
        model.set_weights(list(self.own(weights).values()))
        return model


def predict(framework, num_parameters, feature_shape, loss) -> str:
    """Parameters, feature maps and first loss of a small network, known before it runs."""
    conv, dense = 3 * 3 * 1 * 8, 4 * 4 * 8 * 10
    mistakes = {
        conv + dense: "counts the weights and leaves out the biases.",
        conv + 8 + 4 * dense + 10: "fits a network without pooling, which leaves 4 x 4 pixels.",
        conv + 8: "is that of the convolution alone.",
        dense + 10: "is that of the last layer alone.",
    }
    _predicted("num_parameters", num_parameters, conv + 8 + dense + 10, mistakes, tolerance=0)

    def shape(axes: str, pixels: int) -> tuple[int, ...]:
        return (32, *(8 if axis == "c" else pixels for axis in axes if axis != "o"))

    right = shape(framework.flat, 4)
    mistakes = {
        shape(framework.other_flat, 4): "is the other framework's: where are the channels in this?",
        shape(framework.flat, 8): "is the shape before pooling.",
        shape(framework.flat, 3): "forgets the padding of the convolution.",
        right[1:]: "is that of one image; the batch has 32.",
        (32, 128): "is the shape after Flatten.",
    }
    given = tuple(feature_shape) if hasattr(feature_shape, "__iter__") else feature_shape
    if given != right:
        sentence = mistakes.get(given, f"is not {given}: go from layer to layer, axis by axis.")
        raise Wrong(f"`feature_shape` {sentence}")
    mistakes = {
        0.1: "is the probability of the right class; the loss is minus its logarithm.",
        -math.log(10): "has the wrong sign: the logarithm of a probability is negative.",
        math.log2(10): "is in bits; both frameworks use the natural logarithm.",
        1.0: "uses the logarithm to base 10; both frameworks use the natural one.",
    }
    _predicted("loss", loss, math.log(10), mistakes, tolerance=0.01)
    return "All three are right. The next cell lets the network say so itself."


def _predicted(name: str, answer, right: float, mistakes: dict, tolerance: float) -> None:
    try:
        number = math.nan if isinstance(answer, str) else float(answer)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(f"`{name}` must be a number; it is {answer!r}.")
    if not math.isclose(number, right, rel_tol=tolerance):
        for mistake, sentence in mistakes.items():
            if math.isclose(number, mistake, rel_tol=tolerance):
                raise Wrong(f"`{name}` {sentence}")
        raise Wrong(f"`{name}` is not {answer}.")


def transport(framework, load_weights) -> str:
    """Load weights in the other framework's layout into a model."""
    start, wanted = (_draw(conv=(5, 2, 3, 3), dense=(10, 5)) for _ in range(2))
    model = framework.conv_net(start)
    given = {name: array.astype("float32") for name, array in framework.other(wanted).items()}
    result = call(load_weights, model=model, weights=given)
    after, before = framework.read(model), framework.own(start)
    for (name, right), array in zip(framework.own(wanted).items(), given.values(), strict=True):
        if close(after[name], before[name]):
            raise Wrong(f"`{name}` still has its initial values: there are four arrays to load.")
        mistakes = {
            "was reshaped, which only cuts the same row of numbers anew: transpose the array.": (
                array.reshape(right.shape)
            ),
            "has height and width swapped: `.T` reverses all four axes.": array.T,
        }
        note = framework.dense_note if right.ndim == 2 else ""
        compare(f"`{name}`", after[name], right, shape_note=note, mistakes=mistakes)
    _is_same_model(result, model)
    return "All four arrays arrive in their layers, in the right layout and dtype."


def flatten_order(framework, flatten_order) -> str:
    """Reorder a dense layer's weights that follow Flatten, between CHW and HWC."""
    sizes = {"c": 4, "h": 3, "w": 5, "o": 7}

    def reorder(array: np.ndarray, before: str, after: str) -> np.ndarray:
        array = array.reshape([sizes[axis] for axis in before])
        array = array.transpose([before.index(axis) for axis in after])
        return array.reshape((7, -1) if after[0] == "o" else (-1, 7))

    right = np.random.default_rng().normal(size=(7, 60) if framework.flat[0] == "o" else (60, 7))
    given = reorder(right, framework.flat, framework.other_flat)
    swapped = framework.flat.translate(str.maketrans("hw", "wh"))
    mistakes = {
        "is transposed, but its inputs are still in the other framework's order: a dense layer "
        "after Flatten sees the pixels in the order of the layout.": given.T,
        "is reordered in the wrong direction: which framework's order does the argument have?": (
            reorder(given, *framework.backwards)
        ),
        "has height and width swapped.": reorder(given, framework.other_flat, swapped),
    }
    result = call(flatten_order, **{framework.given: given.copy()}, channels=4, height=3, width=5)
    note = framework.dense_note
    compare("Your array", result, right, shape_note=note, mistakes=mistakes)
    return "Every one of the 60 inputs meets its own weights, for 4 channels of 3 x 5 pixels."


def bug_hunt(framework, train) -> str:
    """Mend a training loop: its steps must be those of the mean loss from logits."""
    start, x, y = _problem(64)
    batches = list(np.random.default_rng().permutation(64).reshape(4, 16))
    steps = [(x[batch], y[batch], LR) for batch in batches]

    def trained(n: int):
        model, data = framework.mlp(start), {"X": framework.data(x), "y": framework.data(y)}
        losses = call(train, model=model, **data, batches=batches[:n], lr=LR)
        return losses, framework.read(model)

    def agrees(n: int, **mistake) -> bool:
        return _agree(framework, after, _train(start, steps[:n], **mistake)[1])

    _, after = trained(1)
    moved = after["output.bias"] - start["output.bias"]
    if not moved.any():
        raise Wrong("The first step moves nothing: are there gradients when the step is taken?")
    # Adam's first step moves every weight by the learning rate, whatever the loss: no sign of one.
    evenly = np.ptp(np.abs(moved)) < 1e-3 * np.abs(moved).max()
    if abs(moved.sum()) > 1e-9 and not evenly:
        raise Wrong(
            "The first step changes the sum of the output layer's biases. No loss from logits "
            f"does, since it only sees their differences. {framework.logits_note}"
        )
    if agrees(1, softmax_twice=True):
        raise Wrong(f"The loss takes softmax of a softmax. {framework.logits_note}")
    if agrees(1, factor=16):
        raise Wrong(
            "With a batch of 16 the first step is 16 times too long: the gradient is that of the "
            "sum of the losses, not of their mean."
        )
    if not agrees(1):
        raise Wrong("The first step is not one of gradient descent on the mean cross-entropy.")
    _, after = trained(2)
    if agrees(2, accumulate=True):
        raise Wrong("The second step still has the gradient of the first batch in it.")
    losses, after = trained(4)
    if not agrees(4):
        raise Wrong("The first step is right, a later one is not: what is left over from it?")
    compare("The list of losses", losses, _train(start, steps)[0])
    return "Four steps agree with gradient descent on the mean cross-entropy, to twelve digits."


def translation(framework, train_with_momentum) -> str:
    """Train with the other framework's rule for momentum, while the learning rate changes."""
    start, x, y = _problem(32)

    def trained(lrs):
        model, data = framework.mlp(start), {"X": framework.data(x), "y": framework.data(y)}
        result = call(train_with_momentum, model=model, **data, lrs=list(lrs), momentum=MOMENTUM)
        _is_same_model(result, model)
        return framework.read(model)

    def agrees(lrs=LRS, momentum=MOMENTUM, lr_inside=not framework.lr_inside, **mistake) -> bool:
        steps = [(x, y, lr) for lr in lrs]
        return _agree(framework, after, _train(start, steps, momentum, lr_inside, **mistake)[1])

    after, constant = trained(LRS), (LR,) * len(LRS)
    if agrees(lr_inside=framework.lr_inside):
        raise Wrong(
            "This is the rule of the framework that you write in: both agree until the learning "
            f"rate changes. {framework.velocity_note}"
        )
    if agrees(momentum=0):
        raise Wrong("No step carries velocity over from the last: is it made anew in the loop?")
    if agrees(constant):
        raise Wrong("Every step uses the first learning rate: `lrs` has one for each step.")
    if agrees(nesterov=True):
        raise Wrong("This is Nesterov's momentum; here the step is the velocity itself.")
    if agrees(accumulate=True):
        raise Wrong("The gradients of earlier steps are still there when a step is taken.")
    if not agrees():
        after = trained(constant)
        when = (
            "once the learning rate changes" if agrees(constant) else "at a constant rate already"
        )
        raise Wrong(f"The weights differ {when}: do the first three steps on paper.")
    return "Five steps at three learning rates agree with the other framework, to twelve digits."


def _is_same_model(result, model) -> None:
    if result is not model:
        kind = type(result).__name__
        raise Wrong(f"The function must return the model that it is given; it returns `{kind}`.")


def _agree(framework, read: dict, weights: dict) -> bool:
    return all(close(read[name], array) for name, array in framework.own(weights).items())


def _keras_layout(weights: dict) -> dict:
    axes = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
    return {
        name.replace("weight", "kernel"): array.transpose(axes[array.ndim])
        for name, array in weights.items()
    }


def _draw(**shapes: tuple[int, ...]) -> dict:
    """Fresh weights and biases for layers of these shapes, outputs first, that float32 can hold."""
    rng, weights = np.random.default_rng(), {}
    for name, shape in shapes.items():
        for kind, size in {"weight": shape, "bias": shape[:1]}.items():
            weights[f"{name}.{kind}"] = rng.normal(size=size).astype("float32").astype("float64")
    return weights


def _problem(n: int) -> tuple[dict, np.ndarray, np.ndarray]:
    """Weights of a network with one hidden layer, and `n` examples for it."""
    rng = np.random.default_rng()
    weights = _draw(hidden=(NUM_HIDDENS, NUM_INPUTS), output=(NUM_CLASSES, NUM_HIDDENS))
    return weights, rng.normal(size=(n, NUM_INPUTS)), rng.integers(NUM_CLASSES, size=n)


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

    Args:
        weights: the first weights.
        steps: for each step the examples, their labels and the learning rate.
        momentum: the share of the velocity that a step keeps.
        lr_inside: whether the velocity has the learning rate in it, as in Keras.
        nesterov: whether to step ahead of the velocity; it and what follows are mistakes.
        accumulate: whether to add each gradient to those before.
        softmax_twice: whether to take softmax of a softmax.
        factor: multiplies the gradients.
    """
    velocity, gradients = dict.fromkeys(weights, 0.0), dict.fromkeys(weights, 0.0)
    losses = []
    for x, y, lr in steps:
        loss, new = _gradient(weights, x, y, softmax_twice)
        losses.append(loss)
        inside, outside = (lr, 1) if lr_inside else (1, lr)
        moved = {}
        for name, w in weights.items():
            gradients[name] = factor * new[name] + (gradients[name] if accumulate else 0)
            velocity[name] = momentum * velocity[name] + inside * gradients[name]
            step = velocity[name]
            if nesterov:
                step = momentum * step + inside * gradients[name]
            moved[name] = w - outside * step
        weights = moved
    return np.array(losses), weights


ADAPTERS = {"pytorch": _PyTorch, "tensorflow": _TensorFlow}
TASKS = (predict, transport, flatten_order, bug_hunt, translation)
