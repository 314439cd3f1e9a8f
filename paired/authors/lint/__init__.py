"""The rules that every notebook and every pair keeps. No framework is imported, no cell is run.

A rule is a small generator in `text`, `code` or `pairs`; its docstring says what it asks for, its
sentences what to do.
"""

import dataclasses
import pathlib
import re
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
    for check in NOTEBOOK_RULES:
        if notebook.kind in check.kinds and not (check.committed and changes.is_changed(path)):
            yield from (Problem(name, cell, check.__name__, text) for cell, text in check(notebook))
    twin = path.with_name(f"{match[1]}_{course.twin(match[2])}.ipynb")
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


def main() -> int:
    """Hold every notebook and pair to the course's rules; 1 if one is broken."""
    problems = list(course_problems())
    for file in dict.fromkeys(problem.file for problem in problems):
        if changes.is_changed(course.ROOT / file):
            print(changes.how_to_undo(course.ROOT / file))
    print(*problems or ["All notebooks keep the rules."], sep="\n")
    return int(bool(problems))
