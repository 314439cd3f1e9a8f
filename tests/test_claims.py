"""Promise 6: every claim is in the table, and a verdict points to a cell that exists."""

import re

from paired import course
from paired.authors import summary
from paired.authors.summary import CELL, table

import pytest

CLAIMS = [f"C{number:02}" for number in range(1, 41)]
VERDICT = re.compile(r"\*\*(holds|held until \S+|half true|does not hold|not testable here)\*\*")


def find(path, cell_id):
    """A cell of a notebook, which must be there."""
    return summary.cells(path)[cell_id]


def test_every_claim_is_in_the_table_once_and_in_order():
    assert list(table()) == CLAIMS


@pytest.mark.parametrize("number", CLAIMS)
def test_a_verdict_rests_on_a_cell_that_exists(number):
    _, where, verdict = table()[number]
    assert VERDICT.fullmatch(verdict), f"{verdict!r} is not a verdict"
    cells = list(CELL.finditer(where))
    assert cells, f"{number} has a verdict and names no cell"
    for match in cells:
        cell = find(match["path"], match["cell"])
        assert cell.get("outputs"), f"{match['path']}: {match['cell']} shows nothing"


def test_lessons_and_table_give_the_same_verdicts():
    given = {}
    for path, text in summary.verdicts():
        for number, verdict in re.findall(r"\*\*(C\d\d)\*\*.*?(\*\*[^*]+\*\*)", text, re.DOTALL):
            given.setdefault(number, {})[path] = verdict
    assert given, "no lesson gives a verdict"
    for number, (_, where, verdict) in table().items():
        assert set(given.get(number, {}).values()) == {verdict}, number
        for match in CELL.finditer(where):
            assert match["path"] in given[number]


# What a verdict says in a number: its words, the cell that it rests on, and what that prints.
NUMBERS = [
    ("01", "`ranks` to 64", "ranks", r".*\[1\] \* 64.* 1\.0\n.*Error"),
    (
        "06",
        "`views` lists 14, ten of them with data",
        "views",
        r"10 views with data:.*\n4 without:",
    ),
]


@pytest.mark.parametrize(("lesson", "words", "cell", "printed"), NUMBERS)
def test_a_number_in_a_verdict_is_what_its_cell_prints(lesson, words, cell, printed):
    for path in course.lesson(lesson).paths():
        assert words in " ".join(find(path, "verdicts")["source"].split())
        [output] = find(path, cell)["outputs"]
        assert re.match(printed, output["text"]), output["text"]
