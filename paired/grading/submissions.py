"""Answered exercises: where they are, whose they are, and what is in them."""

import json
import pathlib
import re
import shutil
import stat
from collections.abc import Iterator
from typing import NamedTuple

from paired import course

_NAME = re.compile(r"(\d\d_[a-z0-9_]+?)_(pytorch|tensorflow)")
_LOADS = re.compile(r"checks\.load\(\s*[\"'](\w+)[\"'],\s*[\"'](\w+)[\"']")
_LARGEST = 20_000_000  # bytes


class UnreadableError(Exception):
    """A file is no notebook; the message says why."""


class Submission(NamedTuple):
    """One answered exercise; no path: it is missing."""

    student: str
    lesson: str
    framework: str
    path: pathlib.Path | None


def cells(path: pathlib.Path, *, missing: bool = False) -> list[tuple[str, str]]:
    """The id and source of each code cell; none if the file is not there and may be missing.

    Raises:
        UnreadableError: it is no notebook, or none whose cells have ids.
    """
    if missing and not path.exists():
        return []
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            raise ValueError("it is a link, no file, or larger than 20 MB")
        content = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found = [(str(c.get("id") or c["metadata"].get("id", "")), "".join(c["source"]))
                 for c in content if c["cell_type"] == "code"]  # fmt: skip
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
        words = f"{type(problem).__name__}: {problem}"[:150]
        raise UnreadableError(f"It cannot be read as a notebook ({words}).") from None
    if not any(i for i, _ in found):
        raise UnreadableError("Its cells have no ids: open and save it in JupyterLab.")
    return found


def given(folder: pathlib.Path, root: pathlib.Path = course.ROOT) -> pathlib.Path:
    """Make a folder of the exercises as the course gives them, not as somebody answered them."""
    from paired.authors import exercises, files

    folder.mkdir()
    folder.parent.chmod(0o755)  # for whom the answers run as
    for path in course.notebooks("solutions", root):
        files.write(folder / path.name, exercises.exercise(path))
    for path in (root / "exercises" / ".given").glob("*.ipynb"):
        shutil.copy(path, folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    (folder / ".given").symlink_to(".")  # where the checks look for what a student began with
    return folder


def find(folder: pathlib.Path) -> list[Submission]:
    """The submissions in a folder: notebooks, or a folder for each student.

    A student is the folder, or what a notebook's name has besides the exercise's. Where others of
    the class have answered a lesson, who has neither half of it has a submission that is missing.
    """
    found = []
    for path in sorted(folder.rglob("*.ipynb")):
        inner = path.relative_to(folder).parts
        if any(part.startswith(".") for part in inner):
            continue
        if which := _exercise(path):
            name = _NAME.sub("", path.stem).strip(" _-.") if len(inner) == 1 else inner[0]
            found.append(Submission(name or path.stem, *which, path))
        else:
            print(f"{path.relative_to(folder)}: of no exercise that there is; left out")
    students = {each.student for each in found}
    students |= {path.name for path in folder.iterdir()
                 if path.is_dir() and not path.name.startswith(".")}  # fmt: skip
    for lesson in sorted({each.lesson for each in found}):
        halves = {each.framework for each in found if each.lesson == lesson}
        there = {each.student for each in found if each.lesson == lesson}
        for student in sorted(students - there):
            found.append(Submission(student, lesson, "/".join(sorted(halves)), None))
    return found


def _exercise(path: pathlib.Path) -> tuple[str, str] | None:
    """Lesson and framework: by the file's name, or by the checks that it loads."""
    names = {lesson.name for lesson in course.lessons()}
    try:
        text = "\n".join(source for _, source in cells(path))
    except UnreadableError:
        text = ""
    for match in filter(None, (_NAME.search(path.stem), _LOADS.search(text))):
        if match[1] in names and match[2] in course.FRAMEWORKS:
            return match[1], match[2]
    return None


def own(pristine: pathlib.Path) -> Iterator[tuple[Submission, bool]]:
    """The exercises of this checkout, and whether anybody has written in each."""
    for lesson in course.lessons():
        for framework in course.FRAMEWORKS:
            path = lesson.path(framework, "exercises")
            if path.exists():
                try:
                    touched = cells(path) != cells(pristine / path.name)
                except UnreadableError:
                    touched = True
                yield Submission("", lesson.name, framework, path), touched
