"""`make update`: the new version arrives, and nothing of the student's is lost."""

import json
import pathlib
import re
import subprocess
import tomllib

import paired.course
from paired.machine import update

import pytest
from conftest import write_notebook

LESSON = "exercises/04_network_pytorch.ipynb"


def git(root: pathlib.Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def course(tmp_path) -> pathlib.Path:
    """The course as its authors have it."""
    root = tmp_path / "course"
    write_notebook(root / LESSON, "answer = ...")
    (root / "README.md").write_text("one\n")
    (root / "notes.txt").write_text("one\n")
    git(tmp_path, "init", "--initial-branch", "main", "course")
    publish(root)
    return root


def publish(root: pathlib.Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "-m", "A version")


@pytest.fixture
def clone(course) -> pathlib.Path:
    """The student's clone."""
    git(course.parent, "clone", "course", "clone")
    return course.parent / "clone"


def source(file: pathlib.Path) -> str:
    return "".join(json.loads(file.read_text())["cells"][1]["source"])


def copies(clone: pathlib.Path) -> list[pathlib.Path]:
    return sorted(clone.rglob("*.mine-*"))


def test_untouched_clone_gets_the_new_version(course, clone, capsys):
    (course / "README.md").write_text("two\n")
    publish(course)
    assert update.main(clone) == 0
    assert "1 file(s) changed" in capsys.readouterr().out
    assert (clone / "README.md").read_text() == "two\n"
    [said] = update.update(clone)
    assert said == f"You have what origin/main has, at {course}."


def test_across_a_release_the_versions_and_what_is_new_are_named(course, clone):
    for version in ("1.0.0", "1.1.0"):
        (course / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
        publish(course)
        said = update.update(clone)
    assert said[1] == "You had version 1.0.0, this is 1.1.0: CHANGELOG.md says what is new."


def test_a_release_has_one_version():
    root = paired.course.ROOT
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    news = re.search(r"(?m)^## (\S+), (\S+)$", (root / "CHANGELOG.md").read_text())
    citation = (root / "CITATION.cff").read_text()
    assert project["version"] == news.group(1)
    assert f"\nversion: {news.group(1)}\ndate-released: {news.group(2)}\n" in citation


def test_work_on_a_file_that_changed_is_kept_beside_the_new_one(course, clone):
    write_notebook(clone / LESSON, "answer = 42")
    (clone / "notes.txt").write_text("mine\n")
    (clone / "README.md").write_text("mine too\n")
    (clone / "my_own.ipynb").write_text("{}")
    write_notebook(course / LESSON, "answer = ...  # better")
    (course / "README.md").write_text("two\n")
    publish(course)

    said = update.update(clone)

    assert source(clone / LESSON) == "answer = ...  # better"
    readme, lesson = copies(clone)
    assert readme.read_text() == "mine too\n"
    assert source(lesson) == "answer = 42"
    assert lesson.parent == (clone / LESSON).parent
    assert lesson.suffix == ".ipynb"
    assert any(lesson.name in line for line in said)
    assert (clone / "notes.txt").read_text() == "mine\n", "changed by the student only"
    assert (clone / "my_own.ipynb").exists()


def test_two_updates_within_a_minute_keep_both_copies(course, clone):
    for number in range(2):
        (clone / "README.md").write_text(f"mine {number}\n")
        (course / "README.md").write_text(f"theirs {number}\n")
        publish(course)
        update.update(clone)
    assert {copy.read_text() for copy in copies(clone)} == {"mine 0\n", "mine 1\n"}


def test_new_outputs_alone_are_no_work(course, clone):
    notebook = json.loads((clone / LESSON).read_text())
    notebook["cells"][1]["execution_count"] = 7
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "42"}]
    (clone / LESSON).write_text(json.dumps(notebook))
    write_notebook(course / LESSON, "answer = ...  # better")
    publish(course)
    update.update(clone)
    assert source(clone / LESSON) == "answer = ...  # better"
    assert copies(clone) == []


def test_broken_notebook_is_work(course, clone):
    (clone / LESSON).write_text("half a note")
    write_notebook(course / LESSON, "answer = ...  # better")
    publish(course)
    update.update(clone)
    assert [copy.read_text() for copy in copies(clone)] == ["half a note"]


def test_answers_outlive_a_lesson_that_gets_another_number(course, clone):
    write_notebook(clone / LESSON, "answer = 42")
    git(course, "mv", LESSON, "exercises/07_devices_pytorch.ipynb")
    publish(course)
    said = update.update(clone)
    [copy] = copies(clone)
    assert source(copy) == "answer = 42"
    assert (clone / "exercises/07_devices_pytorch.ipynb").exists()
    assert said[1] == (
        f"Your exercises/{copy.name} is what you had; {LESSON} is gone, or has a new name."
    )


def test_file_that_the_course_drops_is_kept_if_it_was_worked_on(course, clone):
    (clone / "notes.txt").write_text("mine\n")
    (course / "notes.txt").unlink()
    publish(course)
    update.update(clone)
    assert not (clone / "notes.txt").exists()
    assert [copy.read_text() for copy in copies(clone)] == ["mine\n"]


def test_file_that_the_student_deleted_comes_back(course, clone):
    (clone / "README.md").unlink()
    (course / "README.md").write_text("two\n")
    publish(course)
    update.update(clone)
    assert (clone / "README.md").read_text() == "two\n"


def test_staged_work_is_kept_too(course, clone):
    (clone / "README.md").write_text("mine\n")
    git(clone, "add", "README.md")
    (course / "README.md").write_text("two\n")
    publish(course)
    update.update(clone)
    assert (clone / "README.md").read_text() == "two\n"
    assert [copy.read_text() for copy in copies(clone)] == ["mine\n"]


def refused(clone: pathlib.Path, capsys) -> str:
    """What is said when an update is refused; no file may have changed."""
    before = {file: file.read_bytes() for file in clone.glob("*.*") if file.is_file()}
    assert update.main(clone) == 1
    assert {file: file.read_bytes() for file in clone.glob("*.*") if file.is_file()} == before
    return capsys.readouterr().err


def test_untracked_file_in_the_way_is_named(course, clone, capsys):
    (clone / "new.txt").write_text("mine\n")
    (course / "new.txt").write_text("theirs\n")
    publish(course)
    assert "brings new.txt, and you have a file of that name" in refused(clone, capsys)


def test_own_commits_are_left_to_git(course, clone, capsys):
    (clone / "notes.txt").write_text("mine\n")
    publish(clone)
    assert "You have what origin/main has" in update.update(clone)[0], "nothing new yet"
    (course / "README.md").write_text("two\n")
    publish(course)
    assert "git pull --rebase" in refused(clone, capsys)


def test_merge_that_was_left_half_done_is_settled_first(course, clone, capsys):
    write_notebook(clone / LESSON, "answer = 42")
    git(clone, "stash")
    write_notebook(clone / LESSON, "answer = 43")
    publish(clone)
    with pytest.raises(subprocess.CalledProcessError):
        git(clone, "stash", "pop")
    (course / "README.md").write_text("two\n")
    publish(course)
    assert f"A merge was left half done in {LESSON}" in refused(clone, capsys)
    assert "answer = 42" in (clone / LESSON).read_text()


def test_lock_that_a_killed_git_left_is_named_and_nothing_is_copied(course, clone, capsys):
    (clone / "README.md").write_text("mine\n")
    (course / "README.md").write_text("two\n")
    publish(course)
    (clone / ".git" / "index.lock").touch()
    assert "remove .git/index.lock, then try again" in refused(clone, capsys)
    assert copies(clone) == []


def test_update_that_fails_half_way_gives_everything_back(course, clone, capsys):
    (clone / "README.md").write_text("mine\n")
    (course / "README.md").write_text("two\n")
    publish(course)
    hook = clone / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\ntouch .git/index.lock\n")  # another program comes in between
    hook.chmod(0o755)
    assert "nothing was changed. It says: " in refused(clone, capsys)
    assert copies(clone) == []


def test_filters_that_somebody_has_set_up_do_not_matter(course, clone):
    git(clone, "config", "filter.strip.clean", "sed s/42/../")
    git(clone, "config", "filter.strip.required", "true")
    (clone / ".git" / "info").mkdir(exist_ok=True)
    (clone / ".git" / "info" / "attributes").write_text(
        "*.ipynb filter=strip\n*.txt filter=strip\n"
    )
    write_notebook(clone / LESSON, "answer = 42")
    write_notebook(course / LESSON, "answer = ...  # better")
    publish(course)
    update.update(clone)
    assert source(clone / LESSON) == "answer = ...  # better"
    assert [source(copy) for copy in copies(clone)] == ["answer = 42"]


def test_folder_of_another_user_gets_the_advice_of_git(clone, capsys, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "git config --global --add safe.directory" in refused(clone, capsys)


def test_no_network(course, clone, capsys):
    course.rename(course.parent / "gone")
    assert "is there a network?" in refused(clone, capsys)


def test_branch_that_follows_nothing(clone, capsys):
    git(clone, "switch", "-c", "own")
    assert "git switch main" in refused(clone, capsys)


def test_downloaded_archive(tmp_path, capsys):
    assert "no clone made with git" in refused(tmp_path, capsys)


def test_archive_inside_another_repository_leaves_that_alone(course, capsys):
    (course / "archive").mkdir()
    assert "no clone made with git" in refused(course / "archive", capsys)


def test_no_git(clone, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in refused(clone, capsys)
