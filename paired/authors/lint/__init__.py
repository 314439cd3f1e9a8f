"""The rules that every notebook and every pair keeps. No framework is imported, no cell is run.

Code is ruff's to judge. A rule is a small generator in `text`, `code` or `pairs`; its docstring
says what it asks for, its sentences what to do.
"""

import dataclasses
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

from paired import course
from paired.authors import changes, files
from paired.authors.lint import code, pairs, text  # noqa: F401 - the rules are listed
from paired.authors.lint.notebook import NOTEBOOK_RULES, PAIR_RULES, load


@dataclasses.dataclass(frozen=True)
class Problem:
    """One broken rule."""

    file: str
    cell: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.cell}: {self.rule}: {self.text}"


def course_problems(root: pathlib.Path = course.ROOT) -> Iterator[Problem]:
    """Every broken rule of every notebook and pair of the course."""
    for kind in course.KINDS:
        paths = list(course.notebooks(kind, root))
        others = set((root / kind).glob("*.ipynb")).difference(paths)
        for path in sorted([*paths, *(path for path in others if not changes.is_scratch(path))]):
            yield from _file_problems(path, root, paths)


def _file_problems(
    path: pathlib.Path, root: pathlib.Path, paths: list[pathlib.Path]
) -> Iterator[Problem]:
    name = files.relative(path, root)
    match = re.fullmatch(r"(\d\d_[a-z0-9_]+)_(pytorch|tensorflow)", path.stem)
    if not match:
        text = "the name must be like 04_network_pytorch.ipynb or 04_network_tensorflow.ipynb."
        yield Problem(name, "notebook", "name", text)
        return
    try:
        notebook = load(path, root)
    except ValueError as problem:
        text = f"is not valid JSON of a notebook: {problem}: restore it, with git or from a backup."
        yield Problem(name, "notebook", "json", text)
        return
    twin = path.with_name(f"{match[1]}_{course.twin(match[2])}.ipynb")
    if notebook.kind == "exercises" and any(map(changes.is_changed, (path, twin))):
        return  # somebody works on it: `exercises.stale_exercises` compares all but the answers
    for check in NOTEBOOK_RULES:
        if notebook.kind in check.kinds and not (check.committed and changes.is_changed(path)):
            yield from (Problem(name, cell, check.__name__, text) for cell, text in check(notebook))
    if twin not in paths:
        yield Problem(name, "notebook", "twin", f"the other half, {twin.name}, is missing: add it.")
        return
    try:
        other = load(twin, root)
    except ValueError:
        return  # said of the twin itself
    # What differs is said once, of the first half; `same_ids` looks from both sides.
    for check in PAIR_RULES if match[2] == course.FRAMEWORKS[0] else [pairs.same_ids]:
        yield from (
            Problem(name, cell, check.__name__, text) for cell, text in check(notebook, other)
        )


def styled(root: pathlib.Path = course.ROOT) -> list[pathlib.Path]:
    """What ruff judges: the course's files, and not a student's notes and answers."""
    folders = [root / kind for kind in course.KINDS]
    lessons = {path for folder in folders for path in course.notebooks(folder.name, root)}

    def is_own(path: pathlib.Path) -> bool:
        if path in lessons:
            return path.parent.name == "exercises" and changes.is_changed(path)
        return path.parent in folders and changes.is_scratch(path)

    listed = [path for path in changes.listed(root) if path.suffix in (".py", ".ipynb")]
    return [path for path in listed if not is_own(path)] or [root]


def _ruff() -> Iterator[str]:
    """What ruff says, if it is not content."""
    for command, todo in (("check", ""), ("format --check", "Not formatted: make format\n")):
        program = [sys.executable, "-m", "ruff", *command.split(), "--quiet", *styled()]
        done = subprocess.run(program, cwd=course.ROOT, text=True, capture_output=True)
        if done.returncode:
            yield f"{done.stdout}{done.stderr}{todo}"


def main() -> int:
    """Hold code to ruff's rules, notebooks and pairs to the course's; 1 if one is broken."""
    said, problems = list(_ruff()), list(course_problems())
    broken = {problem.file for problem in problems}
    for path in (path for kind in course.KINDS for path in course.notebooks(kind)):
        name = files.relative(path)
        if changes.is_changed(path) and (name in broken or any(name in each for each in said)):
            print(changes.how_to_undo(path))
    print(*[*said, *problems] or ["All notebooks keep the rules."], sep="\n")
    return int(bool(said or problems))
