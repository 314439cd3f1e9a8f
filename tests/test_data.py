"""The digits, the batches and the initial weights."""

from paired import data

import numpy as np
import pytest


def test_the_digits_are_split_without_overlap_and_scaled():
    digits = data.digits()
    assert [a.shape for a in digits] == [(1437, 8, 8), (1437,), (360, 8, 8), (360,)]
    assert digits.x_train.dtype == np.float32
    assert digits.y_train.dtype == np.int64
    assert digits.x_train.min() == 0
    assert digits.x_train.max() == 1
    assert np.array_equal(digits.x_train * 16, np.round(digits.x_train * 16))
    both = np.concatenate([digits.x_train, digits.x_test]).reshape(1797, 64)
    from sklearn.datasets import load_digits

    original = load_digits().data / 16
    assert np.array_equal(both[np.lexsort(both.T)], original[np.lexsort(original.T)])


def test_the_digits_hold_the_same_values_in_float64():
    assert np.array_equal(data.digits("float64").x_train, data.digits("float32").x_train)


def test_each_epoch_shows_no_example_twice_in_another_order():
    indices = np.array(list(data.batches(100, 30, steps=6)))
    for epoch in (indices[:3], indices[3:]):
        assert len(np.unique(epoch)) == 90
    assert not np.array_equal(indices[:3], indices[3:])


def test_batches_depend_on_the_seed_only():
    def first(seed):
        return next(data.batches(50, 10, steps=1, seed=seed))

    assert np.array_equal(first(3), first(3))
    assert not np.array_equal(first(3), first(4))


@pytest.mark.parametrize("batch_size", [0, 11])
def test_a_batch_size_that_cannot_be_is_refused(batch_size):
    with pytest.raises(ValueError, match="has to lie between 1 and 10"):
        next(data.batches(10, batch_size, steps=1))


def test_initial_weights_have_the_variance_that_keeps_activations_level():
    weights = data.initial_weights({"w": (400, 100), "conv": (64, 16, 3, 3), "b": (400,)})
    assert all(value.dtype == np.float32 for value in weights.values())
    assert not weights["b"].any()
    for name, fan_in in (("w", 100), ("conv", 144)):
        assert np.abs(weights[name]).max() <= np.sqrt(3 / fan_in)
        assert weights[name].var() * fan_in == pytest.approx(1, rel=0.05)
