"""The records of measured times: when and with what they were made; and the race is a fair one."""

import datetime
import json

from paired.authors import measure

import pytest

RACES = measure.FOLDER / "08_speed" / "measured.json"


def test_delays_that_lesson_06_prints_say_when_and_with_what_they_were_measured():
    record = measure.FOLDER / "06_visualising" / "latency.json"
    known = json.loads(record.read_text(encoding="utf-8"))
    assert list(known) == ["TensorBoard", "Visdom"]
    for about in known.values():
        datetime.date.fromisoformat(about["date"])
        assert about["version"]
        assert about["Chromium"]
    assert all(0 < seconds < 2 for seconds in known["Visdom"]["seconds by itself"])
    pressed = known["TensorBoard"]["seconds with its reload button"]
    assert all(0 < seconds < 30 for seconds in pressed)


def test_each_contestant_takes_one_turn_in_a_round_and_the_order_changes():
    names = [f"runner {n}" for n in range(10)]
    orders = [measure.rotated(names, n) for n in range(measure.ROUNDS)]
    assert all(sorted(order) == sorted(names) for order in orders)
    assert len({tuple(order) for order in orders}) == measure.ROUNDS
    assert len({order[0] for order in orders}) > measure.ROUNDS / 2


def test_the_record_of_lesson_08_says_where_it_was_made_and_is_summed_up_right():
    record = json.loads(RACES.read_text(encoding="utf-8"))
    datetime.date.fromisoformat(record["machine"]["date"])
    assert set(record["machine"]) == {*measure.machine(), "load"}
    assert record["summary"] == measure.summary(record["races"])
    assert list(record["races"]) == list(measure.RACERS)
    for framework in measure.MODES:
        own = measure.contestants(framework, "folder")
        labels = {" ".join(str(part) for part in each if part != "folder") for each in own}
        assert labels <= set(record["races"][framework])


def test_a_program_that_ends_is_said_to_have_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(measure, "FOLDER", tmp_path)
    racer = measure.Racer("pytorch", "1", "1", str(tmp_path))
    with pytest.raises(measure.PictureError, match="has ended: \\('mode', 'mlp'\\)"):
        racer.turn(("mode", "mlp"))
    racer.close()
