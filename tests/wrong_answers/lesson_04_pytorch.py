"""Wrong answers to the exercise of lesson 04 in PyTorch."""
# ruff: noqa: N803 - the exercise names a matrix X

import torch
import torch.nn.functional as F
from torch import nn

from wrong_answers import WrongAnswers, lesson_04

wrong = WrongAnswers()

lesson_04.add_predictions(wrong, channels_first=True)


def _load(model, conv, conv_bias, dense, dense_bias):
    arrays = {"conv.weight": conv, "conv.bias": conv_bias}
    arrays |= {"dense.weight": dense, "dense.bias": dense_bias}
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return model


@wrong.brings(
    "transport", "`conv.weight` has height and width swapped: `.T` reverses all four axes."
)
def transposes_the_convolution_like_a_matrix(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    return _load(model, conv.T, conv_bias, dense.T, dense_bias)


@wrong.brings(
    "transport",
    "`dense.weight` was reshaped, which only cuts the same row of numbers anew: transpose the "
    "array.",
)
def reshapes_the_dense_kernel(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    return _load(model, conv.transpose(3, 2, 0, 1), conv_bias, dense.reshape(10, 5), dense_bias)


@wrong.brings(
    "transport",
    "`conv.weight` was reshaped, which only cuts the same row of numbers anew: transpose the "
    "array.",
)
def reshapes_the_convolution(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    return _load(model, conv.reshape(5, 2, 3, 3), conv_bias, dense.T, dense_bias)


@wrong.brings(
    "transport",
    "`dense.weight` has shape (5, 10), it must have (10, 5): `nn.Linear` keeps (outputs, inputs).",
)
def puts_the_dense_kernel_in_as_it_is(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    _load(model, conv.transpose(3, 2, 0, 1), conv_bias, dense.T, dense_bias)
    model.dense.weight = nn.Parameter(torch.from_numpy(dense).double())
    return model


@wrong.brings(
    "transport", "`dense.bias` still has its initial values: there are four arrays to load."
)
def forgets_a_bias(model, weights):
    conv, conv_bias, dense, _ = weights.values()
    before = model.dense.bias.detach().numpy().copy()
    return _load(model, conv.transpose(3, 2, 0, 1), conv_bias, dense.T, before)


@wrong.brings("transport", "`conv.weight` has dtype float32, it must have float64.")
def replaces_the_parameters(model, weights):
    conv, conv_bias, dense, dense_bias = (torch.from_numpy(a) for a in weights.values())
    model.conv.weight.data = conv.permute(3, 2, 0, 1)
    model.conv.bias.data, model.dense.weight.data = conv_bias, dense.T
    model.dense.bias.data = dense_bias
    return model


@wrong.brings(
    "transport", "The function must return the model that it is given; it returns `NoneType`."
)
def returns_nothing(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    _load(model, conv.transpose(3, 2, 0, 1), conv_bias, dense.T, dense_bias)


@wrong.brings(
    "flatten_order",
    "Your array is transposed, but its inputs are still in the other framework's order: a dense "
    "layer after Flatten sees the pixels in the order of the layout.",
)
def only_transposes(kernel, channels, height, width):
    return kernel.T


@wrong.brings(
    "flatten_order",
    "Your array is reordered in the wrong direction: which framework's order does the argument "
    "have?",
)
def reorders_backwards(kernel, channels, height, width):
    return kernel.reshape(channels, height, width, -1).transpose(3, 1, 2, 0).reshape(7, -1)


@wrong.brings("flatten_order", "Your array has height and width swapped.")
def swaps_height_and_width(kernel, channels, height, width):
    return kernel.reshape(height, width, channels, -1).T.reshape(7, -1)


@wrong.brings(
    "flatten_order",
    "Your array has shape (60, 7), it must have (7, 60): `nn.Linear` keeps (outputs, inputs).",
)
def forgets_to_transpose(kernel, channels, height, width):
    return kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(-1, 7)


@wrong.brings("flatten_order", "Your array has the right shape and dtype, but wrong values.")
def only_reshapes(kernel, channels, height, width):
    return kernel.reshape(-1, channels * height * width)


def _train(model, X, y, batches, lr, loss_fn=F.cross_entropy, zero_grad=True):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for batch in batches:
        loss = loss_fn(model(X[batch]), y[batch])
        if zero_grad:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def _of_softmax(logits, y):
    return F.cross_entropy(F.softmax(logits, dim=1), y)


@wrong.brings(
    "bug_hunt",
    "The loss takes softmax of a softmax. `F.cross_entropy` takes the network's output as it is.",
)
def finds_only_zero_grad(model, X, y, batches, lr):
    return _train(model, X, y, batches, lr, _of_softmax)


@wrong.brings("bug_hunt", "The second step still has the gradient of the first batch in it.")
def finds_only_softmax(model, X, y, batches, lr):
    return _train(model, X, y, batches, lr, zero_grad=False)


@wrong.brings("bug_hunt", "The second step still has the gradient of the first batch in it.")
def zeroes_the_gradients_once(model, X, y, batches, lr):
    model.zero_grad()
    return _train(model, X, y, batches, lr, zero_grad=False)


@wrong.brings(
    "bug_hunt",
    "The loss takes softmax of a softmax. `F.cross_entropy` takes the network's output as it is.",
)
def finds_neither_but_edits(model, X, y, batches, lr):
    return _train(model, X, y, batches, lr, _of_softmax, zero_grad=False)


@wrong.brings(
    "bug_hunt",
    "The first step moves nothing: are there gradients when the step is taken?",
)
def zeroes_the_gradients_before_the_step(model, X, y, batches, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for batch in batches:
        loss = F.cross_entropy(model(X[batch]), y[batch])
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong.brings(
    "bug_hunt",
    "The first step changes the sum of the output layer's biases. No loss from logits does, since "
    "it only sees their differences. `F.cross_entropy` takes the network's output as it is.",
)
def takes_the_logits_for_log_probabilities(model, X, y, batches, lr):
    return _train(model, X, y, batches, lr, F.nll_loss)


@wrong.brings(
    "bug_hunt",
    "With a batch of 16 the first step is 16 times too long: the gradient is that of the sum of "
    "the losses, not of their mean.",
)
def sums_the_losses(model, X, y, batches, lr):
    return _train(model, X, y, batches, lr, nn.CrossEntropyLoss(reduction="sum"))


@wrong.brings("bug_hunt", "The list of losses has shape (), it must have (4,).")
def returns_the_last_loss(model, X, y, batches, lr):
    return _train(model, X, y, batches, lr)[-1]


@wrong.brings(
    "bug_hunt", "The first step is not one of gradient descent on the mean cross-entropy."
)
def trains_with_adam(model, X, y, batches, lr):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for batch in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(X[batch]), y[batch]).backward()
        optimizer.step()
    return [0.0] * len(batches)


@wrong.brings("bug_hunt", "The first step is right, a later one is not: what is left over from it?")
def adds_momentum(model, X, y, batches, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.5)
    for batch in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(X[batch]), y[batch]).backward()
        optimizer.step()
    return [0.0] * len(batches)


def _sgd(model, X, y, lrs, zero_grad=True, **options):
    optimizer = torch.optim.SGD(model.parameters(), lr=lrs[0], **options)
    for lr in lrs:
        optimizer.param_groups[0]["lr"] = lr
        if zero_grad:
            optimizer.zero_grad()
        F.cross_entropy(model(X), y).backward()
        optimizer.step()
    return model


@wrong.brings(
    "translation",
    "This is the rule of the framework that you write in: both agree until the learning rate "
    "changes. `torch.optim.SGD` multiplies the whole velocity by the newest learning rate.",
)
def uses_sgd_as_it_is(model, X, y, lrs, momentum):
    return _sgd(model, X, y, lrs, momentum=momentum)


@wrong.brings(
    "translation", "No step carries velocity over from the last: is it made anew in the loop?"
)
def makes_a_new_optimizer_for_each_learning_rate(model, X, y, lrs, momentum):
    for lr in lrs:
        _sgd(model, X, y, [lr], momentum=momentum)
    return model


@wrong.brings(
    "translation", "Every step uses the first learning rate: `lrs` has one for each step."
)
def forgets_the_schedule(model, X, y, lrs, momentum):
    return _sgd(model, X, y, lrs[:1] * len(lrs), momentum=momentum)


def _by_hand(model, X, y, lrs, momentum, nesterov=False, sign=-1, zero_grad=True):
    velocities = [torch.zeros_like(parameter) for parameter in model.parameters()]
    for lr in lrs:
        if zero_grad:
            model.zero_grad()
        F.cross_entropy(model(X), y).backward()
        with torch.no_grad():
            for p, velocity in zip(model.parameters(), velocities, strict=True):
                velocity.mul_(momentum).add_(sign * lr * p.grad)
                p.add_(momentum * velocity - lr * p.grad if nesterov else velocity)
    return model


@wrong.brings("translation", "This is Nesterov's momentum; here the step is the velocity itself.")
def uses_nesterov(model, X, y, lrs, momentum):
    return _by_hand(model, X, y, lrs, momentum, nesterov=True)


@wrong.brings("translation", "The gradients of earlier steps are still there when a step is taken.")
def forgets_zero_grad(model, X, y, lrs, momentum):
    return _by_hand(model, X, y, lrs, momentum, zero_grad=False)


@wrong.brings(
    "translation",
    "The weights differ at a constant rate already: do the first three steps on paper.",
)
def climbs(model, X, y, lrs, momentum):
    return _by_hand(model, X, y, lrs, momentum, sign=1)


@wrong.brings(
    "translation",
    "The weights differ once the learning rate changes: do the first three steps on paper.",
)
def changes_the_learning_rate_a_step_late(model, X, y, lrs, momentum):
    return _by_hand(model, X, y, [lrs[0], *lrs[:-1]], momentum)


@wrong.brings(
    "translation", "The function must return the model that it is given; it returns `Sequential`."
)
def returns_a_copy(model, X, y, lrs, momentum):
    import copy

    return _by_hand(copy.deepcopy(model), X, y, lrs, momentum)
