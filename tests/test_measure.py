"""The records of measured times: when and with what they were made; and the race is a fair one."""

import datetime
import json
import pathlib
import runpy
import types

from paired import course
from paired.authors import measure

import pytest


def program(number):
    """What measures for a lesson."""
    return types.SimpleNamespace(**runpy.run_path(str(measure.programs()[number])))


def record_of(program):
    path = pathlib.Path(program.__file__).with_name(program.RECORD)
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def race():
    return program("08")


def test_delays_that_lesson_06_prints_say_when_and_with_what_they_were_measured():
    known = record_of(program("06"))
    assert list(known) == ["TensorBoard", "Visdom"]
    for about in known.values():
        datetime.date.fromisoformat(about["date"])
        assert about["version"]
        assert about["Chromium"]
    assert all(0 < seconds < 2 for seconds in known["Visdom"]["seconds by itself"])
    pressed = known["TensorBoard"]["seconds with its reload button"]
    assert all(0 < seconds < 30 for seconds in pressed)


def test_each_contestant_takes_one_turn_in_a_round_and_the_order_changes(race):
    names = [f"runner {n}" for n in range(10)]
    orders = [race.rotated(names, n) for n in range(race.ROUNDS)]
    assert all(sorted(order) == sorted(names) for order in orders)
    assert len({tuple(order) for order in orders}) == race.ROUNDS
    assert len({order[0] for order in orders}) > race.ROUNDS / 2


def test_the_record_of_lesson_08_says_where_it_was_made_and_is_summed_up_right(race):
    record = record_of(race)
    datetime.date.fromisoformat(record["machine"]["date"])
    assert set(record["machine"]) == {*measure.machine(), "load"}
    assert record["summary"] == race.summary(record["races"])
    assert list(record["races"]) == list(race.RACERS)
    for framework in race.MODES:
        own = race.contestants(framework, "folder")
        labels = {" ".join(str(part) for part in each if part != "folder") for each in own}
        assert labels <= set(record["races"][framework])


def test_a_program_that_ends_is_said_to_have_ended(monkeypatch, race, tmp_path):
    elsewhere = str(tmp_path / "measure.py")  # where there is no program to race
    monkeypatch.setitem(race.Racer.__init__.__globals__, "__file__", elsewhere)
    racer = race.Racer("pytorch", "1", "1", str(tmp_path))
    with pytest.raises(measure.PictureError, match="has ended: \\('mode', 'mlp'\\)"):
        racer.turn(("mode", "mlp"))
    racer.close()


@pytest.mark.parametrize("framework", course.FRAMEWORKS)
def test_a_beginners_mistakes_bring_what_the_record_of_lesson_13_says(framework):
    lesson = program("13")
    known = [dict(row) for row in record_of(lesson)["errors"] if row["framework"] == framework]
    fresh = lesson.apart(framework, f"mistakes_{framework}.py")
    assert len(known) == 10
    for row, again in zip(known, fresh, strict=True):
        assert row.pop("framework") == framework
        assert row["code"] == again["code"], "run `make measure LESSON=13`"
        assert (row["outcome"], row["kind"]) == (again["outcome"], again["kind"])
        for question in ("what", "where", "do"):
            assert row[question] == again[question], "run `make measure LESSON=13`"
            for each in (row, again):  # what a yes rests on is still said
                assert each[question] in "\n".join([each["message"], *each["lines"]]), question
        assert (row["outcome"] == "silent") == bool(row["effect"])
        assert row["outcome"] != "silent" or not row["what"] + row["where"] + row["do"]
