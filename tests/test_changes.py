"""What is a student's own is no failure: answers, scratch notebooks, what an editor saves."""

import json
import pathlib
import subprocess
import sys

from paired.authors import changes, exercises, lint, new_lesson, outputs

import pytest
from conftest import commit_all


def commit(root: pathlib.Path) -> None:
    commit_all(root)
    changes._changed.cache_clear()


def edit(path: pathlib.Path, change) -> None:
    notebook = json.loads(path.read_text())
    change(notebook, {cell["id"]: cell for cell in notebook["cells"]})
    path.write_text(json.dumps(notebook, indent=2))
    changes._changed.cache_clear()


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """A course of one lesson, its PyTorch half executed, under git."""
    root = tmp_path_factory.mktemp("a course")
    new_lesson.new_lesson("07", "tiny", "Products", root)
    outputs.store_outputs([root / "notebooks" / "07_tiny_pytorch.ipynb"])
    for kind in ("solutions", "exercises"):  # this lesson has no checks in the course
        edit(root / kind / "07_tiny_pytorch.ipynb", without_checks)
    commit(root)
    return root


def without_checks(notebook, cells) -> None:
    cells["setup"]["source"], cells["row-sums-check"]["source"] = "import paired", "print(axis)"


def saved_by_jupyterlab(notebook, cells) -> None:
    notebook["metadata"]["language_info"] |= {"version": "3.13.0", "mimetype": "text/x-python"}
    notebook["metadata"]["widgets"] = {}
    for number, cell in enumerate(cells.values(), start=3):
        cell["metadata"]["collapsed"] = False
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [{"output_type": "stream", "name": "stderr", "text": "a warning"}]


def restored(root: pathlib.Path) -> None:
    subprocess.run(["git", "-C", str(root), "checkout", "-q", "HEAD", "--", "."], check=True)
    changes._changed.cache_clear()


def test_what_an_editor_saves_is_compared_when_it_is_committed_and_not_before(lesson):
    path = lesson / "notebooks" / "07_tiny_pytorch.ipynb"
    edit(path, saved_by_jupyterlab)
    said = {p.rule for p in lint.course_problems(lesson) if p.file == f"notebooks/{path.name}"}
    assert said.isdisjoint({"metadata", "executed", "clean_outputs"})
    commit(lesson)
    said = {p.rule for p in lint.course_problems(lesson) if p.file == f"notebooks/{path.name}"}
    assert said >= {"metadata", "executed", "clean_outputs"}
    outputs.store_outputs([path])
    commit(lesson)


def test_scratch_notebooks_are_left_out_until_they_are_committed(lesson):
    for name in ("Untitled.ipynb", "07_tiny_pytorch-Copy1.ipynb"):
        (lesson / "notebooks" / name).write_text("{}")
    files = {problem.file for problem in lint.course_problems(lesson)}
    files.update(path.name for path in lint.styled(lesson))
    assert "07_tiny_pytorch.ipynb" in files
    assert not any("Untitled" in file or "Copy1" in file for file in files)
    subprocess.run(["git", "-C", str(lesson), "add", "."], check=True)
    assert "notebooks/Untitled.ipynb" in {p.file for p in lint.course_problems(lesson)}
    subprocess.run(["git", "-C", str(lesson), "rm", "-qf", "notebooks/Untitled.ipynb",
                    "notebooks/07_tiny_pytorch-Copy1.ipynb"], check=True)  # fmt: skip


def test_an_answered_exercise_is_listed_and_compared_but_for_its_answers(lesson):
    path = lesson / "exercises" / "07_tiny_pytorch.ipynb"

    def answer(notebook, cells) -> None:
        saved_by_jupyterlab(notebook, cells)
        cells["row-sums"]["source"] = (
            "axis = 0\n\n\ndef row_sums(matrix):\n    return half an answer" + 20 * "\n"
        )
        mine = {"cell_type": "code", "id": "mine", "metadata": {}, "outputs": [], "source": "1"}
        notebook["cells"].append(mine | {"execution_count": None})

    edit(path, answer)
    assert list(exercises.stale_exercises(lesson)) == []
    assert exercises.answered(lesson) == [f"exercises/{path.name}"]
    assert path not in lint.styled(lesson)
    assert not [p for p in lint.course_problems(lesson) if p.file.startswith("exercises")]
    edit(path, lambda notebook, cells: cells["row-sums-check"].update(source="1 / 0"))
    [said] = exercises.stale_exercises(lesson)
    assert "cell row-sums-check: not the course's own." in said
    assert "git checkout HEAD -- " in said
    restored(lesson)


def nbval(folder: pathlib.Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "paired.authors.validation", *options]
    command += ["--nbval-current-env", "-p", "no:cacheprovider", "07_tiny_pytorch.ipynb"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout


def test_a_lesson_that_was_only_run_is_proven_as_committed_and_a_changed_one_as_it_lies(lesson):
    path = lesson / "notebooks" / "07_tiny_pytorch.ipynb"
    edit(path, saved_by_jupyterlab)
    assert " passed" in (said := nbval(path.parent, "--nbval")), said
    assert "failed" not in said
    edit(path, lambda notebook, cells: cells["setup"].update(source="import paired\nprint('mine')"))
    said = nbval(path.parent, "--nbval")
    first = said.index("was changed here. The course's own: git checkout HEAD -- ")
    assert first < said.index("cell setup gives another output than the stored one")
    restored(lesson)


def test_an_exercise_is_run_as_a_student_gets_it(lesson):
    path = lesson / "exercises" / "07_tiny_pytorch.ipynb"
    edit(path, lambda notebook, cells: cells["row-sums"].update(source="half an answer"))
    assert " passed" in (said := nbval(path.parent, "--nbval-lax")), said
    assert "failed" not in said
    restored(lesson)
