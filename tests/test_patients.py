"""The patients of lesson 06's exercise have the illness that they are said to have, no other."""

import functools
import json

from paired import dashboards
from paired.checks import lesson_06
from paired.checks import lesson_06_patients as patients

import numpy as np
import pytest

SEATS = (3, 9)
LAST = slice(-4, None)


@functools.cache
def chart(seat: int, illness: str) -> patients.Chart:
    return examined(seat, illness)


def admitted(seat: int, illness: str) -> patients.Patient:
    number = patients.ILLNESSES.index(illness)
    return patients.Patient(patients.FRAMEWORKS["pytorch"](), seat, number, illness)


def examined(seat: int, illness: str, treat=None) -> patients.Chart:
    """A patient's chart after its training, which a treatment may have changed."""
    patient = admitted(seat, illness)
    if treat:
        treat(patient)
    for _ in patient.train():
        pass
    return patients.Chart(patient, list(range(0, patients.STEPS, 5)))


each_seat = pytest.mark.parametrize("seat", SEATS)


def test_a_ward_has_one_patient_of_each_kind_and_each_seat_another_order():
    orders = set()
    for seat in range(5):
        ward = patients.ward("pytorch", seat)
        assert list(ward) == list("ABCDEF")
        orders.add(tuple(patient._illness for patient in ward.values()))
    assert all(sorted(order) == sorted(patients.ILLNESSES) for order in orders)
    assert len(orders) == 5


@pytest.mark.parametrize("seat", [-1, 1.5, "5", True])
def test_a_seat_is_a_whole_number(seat):
    with pytest.raises(ValueError, match="`seat` must be a whole number from 0"):
        patients.ward("pytorch", seat)


@each_seat
def test_a_training_is_the_same_each_time(seat):
    again = examined(seat, "exploding gradients")
    assert np.array_equal(again.batch(), chart(seat, "exploding gradients").batch())


@each_seat
def test_healthy_networks_learn(seat):
    for illness in ("healthy", "leak"):
        assert chart(seat, illness).batch()[LAST].mean() < 0.7
        assert chart(seat, illness).loss("test")[LAST].mean() < 0.7


@each_seat
def test_the_loss_of_the_last_two_stays_where_it_began(seat):
    for illness in ("learning rate too high", "exploding gradients"):
        assert chart(seat, illness).batch()[LAST].min() > 1.9


@each_seat
@pytest.mark.parametrize("illness", patients.ILLNESSES)
def test_gradients_are_large_at_the_first_step_of_one_only(seat, illness):
    first = chart(seat, illness).norm()[0]
    assert first > 100 if illness == "exploding gradients" else first < 3
    growth = chart(seat, illness).growth()[0]
    assert growth > 50 if illness == "exploding gradients" else growth < 5


@each_seat
@pytest.mark.parametrize("illness", patients.ILLNESSES)
def test_units_are_dead_at_the_first_step_of_one_only(seat, illness):
    dead = chart(seat, illness).dead("test")
    assert dead[0] > 0.85 if illness == "dead units" else dead[0] < 0.4
    if illness in ("healthy", "leak", "overfitting"):
        assert dead.max() < 0.6
    if illness == "learning rate too high":  # a consequence
        assert dead[-1] > 0.85


@each_seat
@pytest.mark.parametrize("illness", patients.ILLNESSES)
def test_the_test_loss_rises_while_the_training_loss_falls_of_one_only(seat, illness):
    test, batch = chart(seat, illness).loss("test"), chart(seat, illness).batch()
    rises = test[-8:].mean() > max(1.0, 1.25 * test.min()) and batch[LAST].mean() < 0.5
    assert rises == (illness == "overfitting")


@each_seat
@pytest.mark.parametrize("illness", patients.ILLNESSES)
def test_test_images_are_among_the_training_images_of_one_only(seat, illness):
    images = chart(seat, illness).images
    train = {row.tobytes() for row in images["train"][0]}
    leaked = sum(row.tobytes() in train for row in images["test"][0])
    assert leaked == (patients.LEAKED if illness == "leak" else 0)


def test_looking_for_a_test_image_only_at_its_own_place_is_not_to_find_none():
    # The shuffle leaves a leaked image at its place for one patient in ten.
    def in_place(chart: patients.Chart) -> int:
        pairs = zip(chart.images["test"][0], chart.images["train"][0], strict=False)
        return sum(np.array_equal(*pair) for pair in pairs)

    charts = (patients.Chart(admitted(seat, "leak"), []) for seat in range(100))
    found = [(chart, count) for chart in charts if (count := in_place(chart))]
    assert 0 < len(found) < 30
    for chart, count in found:
        right, mistakes = patients.SIGNS["leak"](chart)
        values = {sentence: quantity() for sentence, quantity in mistakes.items()}
        said = [sentence for sentence, value in values.items() if value == count]
        assert said[0].startswith("counts only the images at the same place")
        assert list(values.values()).count(0) == 1
        assert right[0]() == patients.LEAKED


# Treatment: what heals one illness does not heal another that looks like it.


def lower_the_rate(patient):
    patient._rate /= 60


def shrink_the_weights(patient):
    for weight in patient._start.weights[1 : patients.DEPTH]:
        weight /= patients.LARGE


def raise_the_biases(patient):
    patient._start.biases[patients.DEPTH][:] = 0


@each_seat
def test_a_lower_rate_heals_what_is_due_to_the_rate(seat):
    healed = examined(seat, "learning rate too high", lower_the_rate)
    assert healed.batch()[LAST].mean() < 0.8
    assert examined(seat, "exploding gradients", lower_the_rate).batch()[LAST].mean() > 2


@each_seat
def test_smaller_weights_heal_exploding_gradients(seat):
    assert examined(seat, "exploding gradients", shrink_the_weights).batch()[LAST].mean() < 0.8


@each_seat
def test_biases_of_zero_heal_dead_units(seat):
    sick, healed = chart(seat, "dead units"), examined(seat, "dead units", raise_the_biases)
    assert healed.batch()[LAST].mean() < min(0.8, sick.batch()[LAST].mean() - 0.2)


# What the checks take for granted of the tools


def test_numpy_and_the_frameworks_see_the_same_patient():
    for name in ("pytorch", "tensorflow"):
        adapter = patients.FRAMEWORKS[name]()
        patient = patients.Patient(adapter, 4, 0, "healthy")
        for step, loss, gradients in patient.train():
            now = patient._history[step]
            rows = next(patients.data.batches(len(patient._arrays[0]), patients.BATCH, 1, 4))
            x, y = (array[rows] for array in patient._arrays[:2])
            assert loss == pytest.approx(patients.cross_entropy(now.layers.forward(x)[1], y))
            assert len(now.norms) == len(gradients) == 20
            break
        norms = now.norms if name == "pytorch" else norms  # noqa: F821
        assert now.norms == pytest.approx(norms, rel=1e-4)


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
        assert {key: real[key] for key in ("x", "y", "name", "type")} == {
            key: line[key] for key in ("x", "y", "name", "type")
        }
