"""What the checks need of a framework: one adapter for each, for all lessons.

A lesson that needs more extends them. A framework is imported where it is used: loading the checks
of an exercise imports none.
"""

from collections.abc import Callable

from paired.checks.judging import Wrong, kind_of

import numpy as np


class PyTorch:
    """PyTorch's tensors and gradients."""

    name = "pytorch"
    layout_note = "`nn.Linear` keeps (outputs, inputs)."

    def layout(self, weight: np.ndarray) -> np.ndarray:
        """A weight (outputs, inputs) or (outputs, inputs, height, width) as a layer keeps it."""
        return weight

    def tensor(self, array: np.ndarray):
        """An array as a tensor with a memory of its own."""
        import torch

        return torch.from_numpy(np.array(array))

    def variable(self, array: np.ndarray):
        """An array as something whose gradient can be asked for: a leaf."""
        return self.tensor(array).requires_grad_()

    def is_tensor(self, value) -> bool:
        """Whether a value is a tensor of this framework."""
        import torch

        return isinstance(value, torch.Tensor)

    def gradients(self, function: Callable, *arrays: np.ndarray) -> tuple:
        """A function's value for these arrays as tensors, and its gradients (None: there is none).

        The value must be one number.
        """
        import torch

        leaves = [self.variable(array) for array in arrays]
        value = function(*leaves)
        if not value.requires_grad:
            return value, (None,) * len(leaves)
        return value, torch.autograd.grad(value, leaves, allow_unused=True)


class TensorFlow:
    """TensorFlow's tensors and gradients."""

    name = "tensorflow"
    layout_note = "`Dense` keeps (inputs, outputs)."

    def layout(self, weight: np.ndarray) -> np.ndarray:
        """As `PyTorch.layout`; a bias stays as it is."""
        return weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T

    def tensor(self, array: np.ndarray):
        """An array as a constant tensor."""
        import tensorflow as tf

        return tf.constant(array)

    def variable(self, array: np.ndarray):
        """An array as something whose gradient can be asked for: a variable."""
        import tensorflow as tf

        return tf.Variable(array)

    def is_tensor(self, value) -> bool:
        """Whether a value is a tensor of this framework, or a variable."""
        import tensorflow as tf

        return tf.is_tensor(value)

    def gradients(self, function: Callable, *arrays: np.ndarray) -> tuple:
        """As `PyTorch.gradients`; the function's operations are recorded by a tape."""
        import tensorflow as tf

        leaves = [self.tensor(array) for array in arrays]
        with tf.GradientTape() as tape:
            tape.watch(leaves)
            value = function(*leaves)
        return value, tape.gradient(value, leaves)


def must_be_tensor(framework, name: str, value) -> None:
    """Raise `Wrong` unless a value is a tensor of the framework."""
    if not framework.is_tensor(value):
        raise Wrong(f"{name} is {kind_of(value)}; it must be a tensor.")
