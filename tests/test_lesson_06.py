"""The patients of lesson 06's exercise have the illness that they are said to have, no other."""

import functools
import types

from paired.checks import lesson_06
from paired.checks import lesson_06_patients as patients
from paired.checks.judging import Wrong, to_numpy

import numpy as np
import pytest

SEATS = (3, 9)
LAST = slice(-4, None)
# NumPy trains: these need no framework.
BARE = types.SimpleNamespace(
    network=lambda *sizes: None, parameters=lambda model: {}, load=lambda *ignored: None,
    named=lambda *ignored: {}, tensor=lambda array: array,
)  # fmt: skip


def admitted(seat: int, illness: str, framework=BARE) -> patients.Patient:
    return patients.Patient(framework, [seat, patients.ILLNESSES.index(illness)], illness)


def examined(seat: int, illness: str, treat=None) -> patients.Chart:
    """A patient's chart after its training, which a treatment may have changed."""
    patient = admitted(seat, illness)
    if treat:
        treat(patient)
    for _ in patient.train():
        pass
    return patients.Chart((patient, list(range(0, patients.STEPS, 5))))


chart = functools.cache(examined)
each_seat = pytest.mark.parametrize("seat", SEATS)


def test_a_ward_has_one_patient_of_each_kind_and_each_seat_another_order(monkeypatch):
    monkeypatch.setitem(patients.FRAMEWORKS, "pytorch", lambda: BARE)
    wards = [patients.ward("pytorch", seat) for seat in range(5)]
    assert all(list(ward) == list("ABCDEF") for ward in wards)
    orders = [tuple(patient._illness for patient in ward.values()) for ward in wards]
    assert all(sorted(order) == sorted(patients.ILLNESSES) for order in orders)
    assert len(set(orders)) == 5


@pytest.mark.parametrize("seat", [-1, 1.5, "5", True])
def test_a_seat_is_a_whole_number(seat):
    with pytest.raises(ValueError, match="`seat` must be a whole number from 0"):
        patients.ward("pytorch", seat)


def test_a_training_is_the_same_each_time():
    again = examined(3, "exploding gradients")
    assert np.array_equal(again.batch, chart(3, "exploding gradients").batch)


@each_seat
@pytest.mark.parametrize("illness", patients.ILLNESSES)
def test_each_illness_has_its_sign_and_no_other(seat, illness):
    now = chart(seat, illness)
    (test, _, dead, _), batch = now.test, now.batch
    if illness in ("healthy", "leak"):
        assert max(batch[LAST].mean(), test[LAST].mean()) < 0.7
    if illness in ("learning rate too high", "exploding gradients"):
        assert batch[LAST].min() > 1.9  # where it began
    # At the first step causes are seen, and no consequences.
    explodes = illness == "exploding gradients"
    assert now.norm()[0] > 100 if explodes else now.norm()[0] < 3
    assert now.growth()[0] > 50 if explodes else now.growth()[0] < 5
    assert dead[0] > 0.85 if illness == "dead units" else dead[0] < 0.4
    if illness in ("healthy", "leak", "overfitting"):
        assert dead.max() < 0.6
    if illness == "learning rate too high":  # a consequence
        assert dead[-1] > 0.85
    rises = test[-8:].mean() > max(1.0, 1.25 * test.min()) and batch[LAST].mean() < 0.5
    assert rises == (illness == "overfitting")
    assert set(now.leaked) == {patients.LEAKED if illness == "leak" else 0}


def lower_the_rate(patient):
    patient._rate /= 60


def shrink_the_weights(patient):
    for weight in patient._start[2 : 2 * patients.DEPTH : 2]:
        weight /= patients.LARGE


def raise_the_biases(patient):
    patient._start[2 * patients.DEPTH + 1][:] = 0


@each_seat
def test_what_heals_an_illness_does_not_heal_another(seat):
    for illness, treat in (
        ("learning rate too high", lower_the_rate),
        ("exploding gradients", shrink_the_weights),
        ("dead units", raise_the_biases),
    ):
        healed = examined(seat, illness, treat).batch[LAST].mean()
        assert healed < min(0.8, chart(seat, illness).batch[LAST].mean() - 0.2)
    assert examined(seat, "exploding gradients", lower_the_rate).batch[LAST].mean() > 2


@each_seat
def test_what_shows_an_illness_is_told_from_what_only_looks_like_it(seat):
    visits = []
    for illnesses in (("dead units", "leak"), ("exploding gradients",)):
        patient = patients.Patient(BARE, [seat], *illnesses, steps=41, images=(1000, 300), dead=24)
        assert len(list(patient.train())) == 41
        visits.append((patient, list(range(0, 41, 5))))
    now = patients.Chart(*visits)

    def said(illness: str, values) -> str:
        """What the check says of values as the sign of this illness."""
        try:
            lesson_06._grows(illness, patients.SIGNS[illness], [np.float32(values)], now)
        except Wrong as wrong:
            return str(wrong)
        return ""

    for illness, sign in patients.SIGNS.items():
        for quantity in sign.right:
            assert not said(illness, quantity(now))
            assert not said(illness, 100 * quantity(now) + 1)
        for sentence, quantity in sign.mistakes.items():
            assert said(illness, quantity(now)) == f"`{illness}` {sentence}"
        assert said(illness, np.arange(18) % 7) == f"`{illness}` {sign.otherwise}"


@pytest.mark.parametrize("name", patients.FRAMEWORKS)
def test_the_frameworks_compute_what_numpy_does(name):
    framework = patients.FRAMEWORKS[name]()
    patient = admitted(4, "exploding gradients", framework)
    images, labels = patient._arrays[:2]
    batches = patients.data.batches(len(images), patients.BATCH, 5, seed=patient._seed)
    for rows, (_, loss, gradients) in zip(batches, patient.train(), strict=False):
        x, y = framework.tensor(images[rows]), framework.tensor(labels[rows])
        if name == "pytorch":
            import torch

            value = torch.nn.functional.cross_entropy(patient.model(x), y)
            own = torch.autograd.grad(value, list(patient.model.parameters()))
        else:
            import keras
            import tensorflow as tf

            loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            with tf.GradientTape() as tape:
                value = loss_of(y, patient.model(x))
            own = tape.gradient(value, patient.model.trainable_variables)
        assert to_numpy(value) == pytest.approx(loss, rel=1e-4)
        for gradient, right in zip(gradients.values(), map(to_numpy, own), strict=True):
            slack = 1e-3 * np.abs(right).max()
            assert np.allclose(to_numpy(gradient), right, rtol=1e-3, atol=slack)
