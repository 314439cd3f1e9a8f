"""The digits, the batches and the initial weights: made once, with NumPy, for both halves."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np


class Digits(NamedTuple):
    """scikit-learn's handwritten digits, split into a training and a test set.

    Images have shape `(n, 8, 8)` and lie in [0, 1] in steps of 1/16, which float32 holds exactly;
    labels have shape `(n,)`, are int64 and run from 0 to 9.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def digits(dtype: str = "float32", test_size: int = 360, seed: int = 0) -> Digits:
    """Load the 1,797 digits, shuffled, with the last `test_size` of them as the test set.

    They are part of scikit-learn: nothing is downloaded. Source: E. Alpaydin and C. Kaynak,
    Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(seed).permutation(len(bunch.target))
    x = (bunch.images[order] / 16).astype(dtype)
    y = bunch.target[order].astype(np.int64)
    return Digits(x[:-test_size], y[:-test_size], x[-test_size:], y[-test_size:])


def batches(n: int, batch_size: int, steps: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield `steps` index arrays of shape `(batch_size,)` into `n` examples.

    Each epoch is a new permutation; the few examples that do not fill a last batch wait for the
    next epoch. Neither framework's own shuffling is used, since no seed makes the two agree.

    Raises:
        ValueError: the batch is larger than the data set.
    """
    if not 0 < batch_size <= n:
        raise ValueError(f"batch_size is {batch_size}; it has to lie between 1 and {n}.")
    rng = np.random.default_rng(seed)
    per_epoch = n // batch_size
    for step in range(steps):
        if step % per_epoch == 0:
            order = rng.permutation(n)
        start = step % per_epoch * batch_size
        yield order[start : start + batch_size]


def initial_weights(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    """Draw initial weights, to be loaded into both networks.

    Args:
        shapes: the shape of each parameter, outputs first as PyTorch has it: `(out, in)`, or
            `(out, in, height, width)` for a convolution. One dimension means a bias.
        seed: of NumPy's generator.

    Returns:
        float32 arrays: biases are zero, weights are uniform in ±sqrt(3 / fan_in), which has the
        variance 1 / fan_in. Source: Y. LeCun et al., Efficient BackProp, 1998, section 4.6.
    """
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        if len(shape) == 1:
            weights[name] = np.zeros(shape, np.float32)
        else:
            bound = math.sqrt(3 / math.prod(shape[1:]))
            weights[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return weights
