"""What INSTRUCTORS.md promises a teacher: minutes that add up, and cells that can be skipped."""

import ast
import re

from paired import course

import pytest

LINES = (course.ROOT / "INSTRUCTORS.md").read_text(encoding="utf-8").splitlines()
TABLES = [[p.strip() for p in line.strip("|").split("|")] for line in LINES if line[:1] == "|"]
LESSONS = {row[0][:2]: row for row in TABLES if re.match(r"\d\d ", row[0])}


def test_every_lesson_has_the_minutes_that_its_notebooks_say():
    assert [*LESSONS] == [lesson.number for lesson in course.lessons()]
    for lesson in course.lessons():
        _, half, both, exercise, *_ = LESSONS[lesson.number]
        for framework in course.FRAMEWORKS:
            for kind, minutes in (("notebooks", [half, both]), ("exercises", [exercise])):
                cells = course.cells(lesson.path(framework, kind))
                [words] = [source for name, _, source in cells if name == "title"]
                time = re.search(r"\*\*Time\*\* ([^.]*)", words)
                said = re.findall(r"\d+", time.group(1))
                if lesson.number == "00" and kind == "notebooks":  # two parts, and the whole
                    said = [str(int(said[0]) + int(said[1])), said[2]]
                assert said == minutes, (lesson.name, framework, kind)


def test_the_minutes_of_a_track_are_those_of_its_lessons():
    tracks = [row for row in TABLES if re.match(r"\d\d.*, \d\d", row[1]) if len(row) == 3]
    assert len(tracks) == 5
    for name, lessons, minutes in tracks:
        total = 0
        for number, both, exercise in re.findall(r"(\d\d)( both)?( \+ exercise)?", lessons):
            total += int(LESSONS[number][2 if both else 1])
            total += int(LESSONS[number][3]) if exercise else 0
        assert int(minutes) == total, name


def names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell binds anywhere, and those that it reads."""
    lines = ("pass" if re.match(r"\s*[%!]", line) else line for line in source.splitlines())
    bound, read = set(), set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        match node:
            case ast.Name():
                (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
            case ast.FunctionDef() | ast.ClassDef() | ast.ExceptHandler():
                bound.add(node.name)
            case ast.alias():
                bound.add((node.asname or node.name).split(".")[0])
            case ast.arg():
                bound.add(node.arg)
    return bound, read


@pytest.mark.parametrize("framework", course.FRAMEWORKS)
@pytest.mark.parametrize("lesson", [*course.lessons()], ids=lambda lesson: lesson.name)
def test_cells_that_can_be_skipped_are_missed_by_no_later_one(lesson, framework):
    cells = course.cells(lesson.path(framework))
    order = [name for name, *_ in cells]
    skip, talk = LESSONS[lesson.number][4:6]
    for cell in re.findall("`(.+?)`", talk):
        assert "**Predict**" in cells[order.index(cell)][2]
    skipped = set()
    for first, last in re.findall("`(.+?)` to `(.+?)`", skip):
        assert order.index(first) < order.index(last)
        skipped |= {*order[order.index(first) : order.index(last) + 1]}
    there, gone = set(), set()
    for name, kind, source in cells:
        if kind == "code":
            bound, read = names(source)
            if name in skipped:
                gone |= bound - there
            else:
                assert not (read - bound) & gone, name
                there |= bound
                gone -= bound
