"""What is generated is what its source gives."""

import re

from paired import course
from paired.authors import exercises, files, summary

import nbformat
import pytest
from nbformat import v4


def test_exercises_are_fresh():
    assert list(exercises.stale_exercises()) == []


def test_the_summary_is_fresh():
    stale = "run `make summary`"
    fresh = summary.summary()
    for path, data in fresh.items():
        assert (course.ROOT / path).read_bytes() == data, stale
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", fresh["SUMMARY.md"].decode()):
        assert (course.ROOT / link).exists(), link
    there = (course.ROOT / summary.PICTURES).glob("C[0-9][0-9].png")
    assert {f"{summary.PICTURES}/{path.name}" for path in there} == {*fresh} - {"SUMMARY.md"}, stale


def test_the_summary_is_read_in_five_minutes():
    assert b"minutes, all of it 5." in summary.summary()["SUMMARY.md"]


def test_a_reason_is_cut_after_a_sentence_that_still_fits(monkeypatch):
    monkeypatch.setattr(summary, "LEAD", 5)
    assert summary.lead(". One, two. (`Three` four.) Five [six](a b c). Seven.") == (
        ". One, two. (`Three` four.)"
    )
    assert summary.lead(", since 2.0 all of it is here. More.") == ", since 2.0 all of it is here."


@pytest.fixture
def course_with_exercise(tmp_path):
    solved = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Exercise", id="title"),
            v4.new_code_cell("note = 1", id="secret", metadata={"tags": ["solution-only"]}),
            v4.new_code_cell(
                "# BEGIN SOLUTION\nanswer = 42\n# END SOLUTION\nprint(answer)",
                id="answer",
                metadata={"tags": ["task"]},
                execution_count=1,
                outputs=[v4.new_output("stream", text="42\n")],
            ),
        ]
    )
    source = tmp_path / "solutions" / "01_a_pytorch.ipynb"
    files.write(source, solved)
    path = tmp_path / "exercises" / source.name
    files.write(path, exercises.exercise(source))
    return tmp_path


def test_an_exercise_is_the_solution_without_answers_and_outputs(course_with_exercise):
    assert list(exercises.stale_exercises(course_with_exercise)) == []
    path = course_with_exercise / "exercises" / "01_a_pytorch.ipynb"
    title, answer = nbformat.read(path, 4).cells
    assert title.source == "# Exercise"
    assert answer.source == "answer = ...  # your code here\nprint(answer)"
    assert (answer.id, answer.metadata.tags) == ("answer", ["task"])
    assert (answer.outputs, answer.execution_count) == ([], None)


def test_a_stale_exercise_is_named_with_its_cell_and_not_touched(course_with_exercise):
    path = course_with_exercise / "exercises" / "01_a_pytorch.ipynb"
    edited = path.read_text().replace("your code here", "edited by hand")
    path.write_text(edited)
    assert list(exercises.stale_exercises(course_with_exercise)) == [
        "exercises/01_a_pytorch.ipynb: cell answer: not what solutions/01_a_pytorch.ipynb gives: "
        "change the solution, then run `make exercises`."
    ]
    assert path.read_text() == edited


def test_exercises_without_a_solution_or_the_reverse_are_named(course_with_exercise):
    there = course_with_exercise / "exercises" / "01_a_pytorch.ipynb"
    there.rename(there.with_name("02_b_pytorch.ipynb"))
    assert list(exercises.stale_exercises(course_with_exercise)) == [
        "exercises/02_b_pytorch.ipynb: there is no solution to generate it from: delete it.",
        "exercises/01_a_pytorch.ipynb: missing: run `make exercises`.",
    ]


def test_an_answer_without_a_stub_names_file_and_cell(course_with_exercise):
    path = course_with_exercise / "solutions" / "01_a_pytorch.ipynb"
    path.write_text(path.read_text().replace("# END SOLUTION", "# END"))
    with pytest.raises(files.NotebookError) as caught:
        exercises.exercise(path)
    assert "01_a_pytorch.ipynb: cell answer: line 1, `# BEGIN SOLUTION`, has no" in str(
        caught.value
    )
