"""The patients of lesson 06's exercise have the illness that they are said to have, no other."""

import functools
import json
import types

from paired import dashboards, events
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
    return patients.Patient(framework, seat, patients.ILLNESSES.index(illness), illness)


def examined(seat: int, illness: str, treat=None) -> patients.Chart:
    """A patient's chart after its training, which a treatment may have changed."""
    patient = admitted(seat, illness)
    if treat:
        treat(patient)
    for _ in patient.train():
        pass
    return patients.Chart(patient, list(range(0, patients.STEPS, 5)))


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
    test, batch, dead = now.test.loss, now.batch, now.test.dead
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
    assert now.leaked() == (patients.LEAKED if illness == "leak" else 0)


def test_looking_for_a_test_image_only_at_its_own_place_is_not_to_find_none():
    # The shuffle leaves a leaked image at its place for one patient in ten.
    charts = [patients.Chart(admitted(seat, "leak"), []) for seat in range(100)]
    found = [chart for chart in charts if chart.in_place()]
    assert 0 < len(found) < 30
    right, mistakes, _ = patients.SIGNS["leak"]
    for each in found:
        values = {sentence: quantity(each) for sentence, quantity in mistakes.items()}
        said = next(sentence for sentence, value in values.items() if value == each.in_place())
        assert said.startswith("counts only the images at the same place")
        assert list(values.values()).count(0) == 1
        assert right[0](each) == patients.LEAKED


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
@pytest.mark.parametrize("illness", patients.SIGNS)
def test_what_shows_an_illness_is_told_from_what_only_looks_like_it(seat, illness):
    patient = patients.Patient(BARE, seat, 0, "dead units", "leak", dead=24)
    for _ in patient.train():
        pass
    steps = list(range(0, patients.STEPS, 12))
    now, sign = patients.Chart(patient, steps), patients.SIGNS[illness]

    def said(quantity) -> str:
        """What the check says of a quantity as the sign of this illness."""
        shown = {each: right[0](now) for each, (right, *_) in patients.SIGNS.items()}
        shown[illness] = np.atleast_2d(quantity)[0]
        points = [
            events.Point(".", "scalar", tag, step, value)
            for tag, values in shown.items()
            for step, value in zip(steps, np.broadcast_to(values, len(steps)), strict=True)
        ]
        try:
            lesson_06._evidence(patient, points, {each: each for each in shown})
        except Wrong as wrong:
            return str(wrong)
        return ""

    assert not any(said(quantity(now)) for quantity in sign.right)
    for sentence, quantity in sign.mistakes.items():
        if "only the images at the same place" not in sentence:  # mostly none is there
            assert said(quantity(now)) == f"`{illness}`, the sign of {illness}, {sentence}"
    assert said(np.full(len(steps), 0.7)).endswith(sign.otherwise)


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


def test_visdom_keeps_lines_as_the_check_has_them(tmp_path):
    lines = {"train": ([10, 20, 35], [2.5, 1.0, 0.1]), "test": ([0, 2**31], [float("nan"), 0.5])}
    with dashboards.Visdom(tmp_path) as server:
        client = server.client("check")
        for name, (steps, values) in lines.items():
            client.line(values, steps, win="loss", name=name, update="append")
        window = json.loads(client.get_window_data("loss"))
    ours = json.loads(lesson_06._window(lines))
    assert set(ours) <= set(window)
    assert (window["command"], window["type"]) == (ours["command"], ours["type"])
    for real, line in zip(window["content"]["data"], ours["content"]["data"], strict=True):
        assert [real[key] for key in ("x", "y", "name", "type")] == [
            line[key] for key in ("x", "y", "name", "type")
        ]
