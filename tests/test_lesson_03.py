"""Lesson 03: its table of the points where the frameworks differ is what both halves print."""

import re

from paired import course
from paired.authors import files

import pytest

LESSON = course.lesson("03")
WIDTH = 30  # of the names that the cell `kinks` prints


def cells(framework):
    return {cell["id"]: cell for cell in files.read(LESSON.path(framework))["cells"]}


def printed(framework):
    """The derivatives that one half prints, by the name of the case."""
    (output,) = cells(framework)["kinks"]["outputs"]
    lines = "".join(output["text"]).splitlines()
    return {line[:WIDTH].strip(): line[WIDTH:].strip() for line in lines}


@pytest.mark.parametrize("framework", course.FRAMEWORKS)
def test_the_table_of_differences_is_what_the_halves_print(framework):
    text = "".join(cells(framework)["kinks-answer"]["source"])
    table = {case: row for case, *row in re.findall(r"^\| `(.+)` \| (.+) \| (.+) \|$", text, re.M)}
    halves = [printed(half) for half in course.FRAMEWORKS]
    assert list(halves[0]) == list(halves[1])
    both = {case: [half[case] for half in halves] for case in halves[0]}
    assert table == {case: row for case, row in both.items() if row[0] != row[1]}
