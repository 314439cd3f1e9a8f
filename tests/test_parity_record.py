"""The parity record and its comparison, on small arrays."""

from paired import parity

import numpy as np
import pytest


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Records go to a temporary course whose notebooks do not exist."""
    monkeypatch.setattr(parity.course, "ROOT", tmp_path)
    monkeypatch.setattr(parity.course, "HOME", tmp_path)
    return tmp_path / ".records"


def recorder(framework="pytorch", **tensors):
    """A recorder that holds the named tensors as weights of step 0."""
    record = parity.Recorder("99_test", framework)
    for name, value in tensors.items():
        record(f"w/run/{name}", value, step=0)
    return record


def compared(first, second):
    """The comparison of two recorders that were saved and read back."""
    first.save()
    second.save()
    return parity.compare(parity.load("99_test", "pytorch"), parity.load("99_test", "tensorflow"))


@pytest.mark.parametrize(
    ("layout", "shape"),
    [("io", (3, 2)), ("hwio", (3, 3, 1, 4)), ("nhwc", (5, 8, 7, 3)), ("oihw", (4, 1, 3, 3))],
)
def test_layouts_are_stored_in_one_order(layout, shape):
    order = next(o for o in ("oi", "oihw", "nchw") if sorted(o) == sorted(layout))
    value = np.random.default_rng(0).normal(size=shape)
    stored = parity.canonical(value, layout)
    assert stored.shape == tuple(shape[layout.index(letter)] for letter in order)
    index = tuple(n - 1 for n in shape)
    assert stored[tuple(index[layout.index(letter)] for letter in order)] == value[index]


def test_flattened_axes_are_unfolded_before_they_are_reordered():
    oihw = np.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2)
    flat = oihw.transpose(2, 3, 1, 0).reshape(12, 2)
    assert np.array_equal(parity.canonical(flat, ("hwio", (2, 2, 3, 2))), oihw)


@pytest.mark.parametrize("layout", ["oi", "xyzw", "nchwo"])
def test_a_layout_that_does_not_fit_is_refused(layout):
    with pytest.raises(parity.ParityError, match="layout"):
        parity.canonical(np.zeros((1, 1, 1, 1)), layout)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights/run/w", 1.0, "not kind/run/name"),
        ("w/run", 1.0, "not kind/run/name"),
        ("w/run/w", float("nan"), "not finite"),
        ("w/run/w", np.array([1.0, np.inf]), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_not_recorded(key, value, message):
    with pytest.raises(parity.ParityError, match=message):
        recorder()(key, value, step=0)


@pytest.mark.parametrize("other", [2.001, [2.0], [2.0, 2.0]])
def test_a_key_has_one_value_a_step(other):
    record = recorder(w=1.0)
    record("w/run/w", 2.0, step=1)
    with pytest.raises(parity.ParityError, match="recorded before at step 1, with another value"):
        record("w/run/w", np.array(other), step=1)


def test_a_cell_that_records_can_be_run_twice():
    record = recorder(w=1.0)
    for rounding in (0, 1e-7):
        record("w/run/w", 2.0 + rounding, step=1)
    assert record.tensors["w/run/w", 1] == 2


def test_what_is_recorded_does_not_change_with_the_original():
    value = np.zeros(3)
    record = recorder(w=value)
    value += 1
    assert not record.tensors["w/run/w", 0].any()


def test_a_saved_record_comes_back_as_it_was(records):
    record = recorder(scalar=1.5, b=np.arange(3), a=np.ones((2, 2), np.float32))
    record.save()
    back = parity.load("99_test", "pytorch")
    assert list(back.tensors) == list(record.tensors)
    for row, value in record.tensors.items():
        assert back.tensors[row].dtype == value.dtype
        assert back.tensors[row].shape == value.shape
        assert np.array_equal(back.tensors[row], value)
    assert [path.name for path in records.iterdir()] == ["99_test_pytorch.npz"]


def test_a_missing_or_broken_record_says_what_to_do(records):
    with pytest.raises(parity.ParityError, match=r"Run notebooks/99_test_pytorch\.ipynb"):
        parity.load("99_test", "pytorch")
    recorder(w=1.0).save()
    path = records / "99_test_pytorch.npz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(parity.ParityError, match=r"cannot be read [\s\S]* to make it anew"):
        parity.load("99_test", "pytorch")


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ({"w": 1.0}, {}, "only the first record has it"),
        ({}, {"w": 1.0}, "only the second record has it"),
        ({"w": np.ones(3)}, {"w": np.ones(3, np.float32)}, "dtype float64 against float32"),
        ({"w": np.ones((3, 2))}, {"w": np.ones((2, 3))}, "shape (3, 2) against (2, 3)"),
        ({"w": np.ones(1)}, {"w": np.float64(1)}, "shape (1,) against ()"),
    ],
)
def test_what_differs_in_kind_is_a_disagreement(records, first, second, problem):
    comparison = compared(recorder(**first), recorder("tensorflow", **second))
    assert comparison.first_disagreement.problem == problem
    assert comparison.first_disagreement.share == np.inf


def test_rounding_passes_and_more_than_rounding_does_not(records):
    eps = np.finfo(np.float64).eps
    for size, agrees in ((63, True), (65, False)):
        comparison = compared(
            recorder(w=np.array([1.0, 0.5])),
            recorder("tensorflow", w=np.array([1.0, 0.5 + size * eps])),
        )
        assert (comparison.first_disagreement is None) == agrees


def test_data_must_be_equal_to_the_last_bit(records):
    first, second = recorder(), recorder("tensorflow")
    first("x/data/train", 1.0, step=0)
    second("x/data/train", np.nextafter(1.0, 2.0), step=0)
    assert compared(first, second).first_disagreement.key == "x/data/train"


def test_float32_is_compared_up_to_step_10_only(records):
    first, second = recorder(), recorder("tensorflow")
    for record in (first, second):
        record("loss/run/loss", np.float32(1), step=10)
        record("loss/run/loss", np.float32(1), step=11)
    assert compared(first, second).first_disagreement.step == 11


def test_a_gpu_is_allowed_ten_times_as_much():
    on_cpu = parity.tolerance("w", 3, np.dtype("float32"))
    assert parity.tolerance("w", 3, np.dtype("float32"), gpu=True) == pytest.approx(10 * on_cpu)


def test_the_first_row_in_causal_order_is_named_whatever_the_order_of_recording(records):
    first, second = recorder(), recorder("tensorflow")
    for record, value in ((first, 0.0), (second, 1.0)):
        record("w/run/w", value, step=1)
        record("loss/run/loss", value, step=2)
        record("grad/run/w", value, step=1)
        record("loss/run/loss", 0.0, step=1)
    comparison = compared(first, second)
    assert (comparison.first_disagreement.key, comparison.first_disagreement.step) == (
        "grad/run/w",
        1,
    )
    assert "First disagreement: grad/run/w@1: error 1.0e+00" in comparison.table()


def test_a_lesson_without_its_twin_says_how_to_get_it(records, capsys):
    recorder(w=1.0).save()
    parity.report("99_test", "pytorch")
    assert "Run notebooks/99_test_tensorflow.ipynb from top to bottom" in capsys.readouterr().out


def test_a_twin_that_changed_since_its_record_is_noticed(records, capsys):
    recorder(w=1.0).save()
    recorder("tensorflow", w=1.0).save()
    notebooks = records.parent / "notebooks"
    notebooks.mkdir()
    (notebooks / "99_test_tensorflow.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "source": ["1 + 1"]}]}'
    )
    parity.report("99_test", "pytorch")
    said = capsys.readouterr().out
    assert "The tensorflow half has changed since its record was made: run it again." in said
    assert "All 1 tensors agree" in said


def test_a_twin_with_the_marks_of_a_merge_in_it_is_named(records, capsys):
    recorder(w=1.0).save()
    recorder("tensorflow", w=1.0).save()
    notebooks = records.parent / "notebooks"
    notebooks.mkdir()
    (notebooks / "99_test_tensorflow.ipynb").write_text("{\n<<<<<<< HEAD\n}")
    parity.report("99_test", "pytorch")
    said = capsys.readouterr().out
    assert "notebooks/99_test_tensorflow.ipynb cannot be read as a notebook; a merge may" in said
    assert "git checkout HEAD -- notebooks/99_test_tensorflow.ipynb" in said
