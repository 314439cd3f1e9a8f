"""What the checks need of a framework: one adapter for each, for all lessons.

A lesson that needs more extends them. A framework is imported where it is used: loading the checks
of an exercise imports none.
"""

import sys
from collections.abc import Callable

from paired.checks.judging import Wrong, kind_of

import numpy as np


class Framework:
    """What holds for both."""

    def __init__(self) -> None:
        self._at_first = self.settings()
        self.left: dict[str, object] = {}

    def settings(self) -> dict[str, tuple[object, Callable]]:
        """What an answer can leave changed for all after it: its value, and what sets it."""
        return {}

    def restore(self) -> None:
        """Set back what is no longer as it was when the exercise began, and keep it in `left`."""
        now = self.settings()
        for name, (value, set_to) in self._at_first.items():
            if now[name][0] != value:
                self.left[name] = now[name][0]
                set_to(value)


class PyTorch(Framework):
    """PyTorch's tensors and gradients."""

    name = "pytorch"
    layout_note = "`nn.Linear` keeps (outputs, inputs)."

    def settings(self) -> dict[str, tuple[object, Callable]]:
        """As `Framework.settings`; none before PyTorch is imported."""
        if not (torch := sys.modules.get("torch")):
            return {}
        return {
            "torch.is_inference_mode_enabled()": (
                torch.is_inference_mode_enabled(), self._set_inference_mode
            ),
            "torch.is_grad_enabled()": (torch.is_grad_enabled(), torch.set_grad_enabled),
            "torch.is_anomaly_enabled()": (
                torch.is_anomaly_enabled(), torch.autograd.set_detect_anomaly
            ),
            "torch.get_default_dtype()": (torch.get_default_dtype(), torch.set_default_dtype),
            "torch.get_default_device()": (torch.get_default_device(), torch.set_default_device),
        }  # fmt: skip

    def _set_inference_mode(self, on: bool) -> None:
        self._mode = sys.modules["torch"].inference_mode(on)  # kept, or it ends
        self._mode.__enter__()

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


class TensorFlow(Framework):
    """TensorFlow's tensors and gradients."""

    name = "tensorflow"
    layout_note = "`Dense` keeps (inputs, outputs)."

    def settings(self) -> dict[str, tuple[object, Callable]]:
        """As `Framework.settings`; none before TensorFlow is imported."""
        if not (tf := sys.modules.get("tensorflow")):
            return {}
        from tensorflow.python.debug.lib import check_numerics_callback

        def check_numerics(on: bool) -> None:
            (tf.debugging.enable_check_numerics if on else tf.debugging.disable_check_numerics)()

        checked = getattr(check_numerics_callback._state, "check_numerics_callback", None)
        keras, config = tf.keras.config, tf.config
        return {
            "tf.config.functions_run_eagerly()": (
                config.functions_run_eagerly(), config.run_functions_eagerly
            ),
            "tf.config.get_soft_device_placement()": (
                config.get_soft_device_placement(), config.set_soft_device_placement
            ),
            "tf.debugging.enable_check_numerics": (checked is not None, check_numerics),
            "keras.config.floatx()": (keras.floatx(), keras.set_floatx),
            "keras.config.dtype_policy().name": (
                keras.dtype_policy().name, keras.set_dtype_policy
            ),
        }  # fmt: skip

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
