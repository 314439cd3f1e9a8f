"""Lesson 00, template lesson: the checks of its exercise."""

from paired.checks import call, compare

import numpy as np


class PyTorch:
    """What the checks need of PyTorch."""

    hints = {  # noqa: RUF012 - constant
        "row_sums": ("Which axis of the matrix disappears?", "Use `matrix.sum(dim=...)`."),
    }

    def tensor(self, array: np.ndarray):
        """An array as this framework's tensor."""
        import torch

        return torch.from_numpy(array.copy())


class TensorFlow:
    """What the checks need of TensorFlow."""

    hints = {  # noqa: RUF012 - constant
        "row_sums": ("Which axis of the matrix disappears?", "Use `tf.reduce_sum(..., axis=...)`."),
    }

    def tensor(self, array: np.ndarray):
        """An array as this framework's tensor."""
        import tensorflow as tf

        return tf.constant(array)


def row_sums(framework, row_sums) -> str:
    """Sum each row of a matrix."""
    matrix = np.random.default_rng().normal(size=(3, 5))
    result = call(row_sums, matrix=framework.tensor(matrix))
    mistakes = {"is the sum of all numbers, repeated.": np.full(3, matrix.sum())}
    note = "one number for each of the 3 rows."
    compare("The result", result, matrix.sum(axis=1), shape_note=note, mistakes=mistakes)
    return "One number for each row."


ADAPTERS = {"pytorch": PyTorch, "tensorflow": TensorFlow}
TASKS = (row_sums,)
