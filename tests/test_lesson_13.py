"""Lesson 13: its exercise speaks of what the lessons have stored, and of the lesson's own sheet."""

import json
import re

from paired import course
from paired.checks import lesson_13


def cell(number: str, framework: str, name: str) -> dict:
    content = json.loads(course.lesson(number).path(framework).read_text(encoding="utf-8"))
    return next(each for each in content["cells"] if each["id"] == name)


def stored(number: str, framework: str, name: str) -> str:
    return "".join("".join(each["text"]) for each in cell(number, framework, name)["outputs"])


def test_the_objections_and_their_answers_are_the_lessons_numbers():
    kinds, said = lesson_13.objections.kinds, lesson_13.bakery(None)
    days = [
        dict(re.findall(r"(\d+) lines +(\d+) days", stored("10", framework, "cost")))
        for framework in ("tensorflow", "pytorch")
    ]
    assert days[0]["1000"] == str(kinds["days"].right)
    assert [days[0]["87"], days[1]["1000"]] == [str(n) for n in kinds["days"].mistakes]
    assert f"in {days[0]['87']} days" in said
    ratios = dict(re.findall(r"(?m)^(.{13}).* (\d\.\d\d)$", stored("08", "pytorch", "winners")))
    assert f"takes {ratios['CNN, 28      ']} of" in said
    ahead = sum(float(ratio) > 1 for ratio in ratios.values())
    assert (ahead, len(ratios)) == (kinds["ahead"].right, 7)


def test_the_sheet_is_the_lessons():
    names: dict = {}
    exec("".join(cell("13", "pytorch", "sheet")["source"]), names)
    assert names["SHEET"] == lesson_13.SHEET
