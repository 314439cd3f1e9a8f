"""What is installed and what is written: the counts behind the claims about effort."""

import ast
import pathlib
import re
from importlib import metadata

from paired import course

# CUDA's own packages come with some builds of the frameworks and not with others.
_CUDA = re.compile(r"nvidia|cuda|triton")


def requirements(distribution: str) -> set[str]:
    """The names of all installed distributions that this one needs, directly or not.

    Optional extras count where they are named by a requirement; CUDA's packages do not count.

    Raises:
        importlib.metadata.PackageNotFoundError: the distribution itself is not installed.
    """
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [(distribution, "")]
    metadata.distribution(distribution)
    while waiting:
        name, extra = waiting.pop()
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            key = needed.name.lower().replace("_", "-")
            if key in found or _CUDA.match(key):
                continue
            if needed.marker and not needed.marker.evaluate({"extra": extra}):
                continue
            try:
                metadata.distribution(key)
            except metadata.PackageNotFoundError:
                continue  # for another platform
            found.add(key)
            waiting += [(key, wanted) for wanted in needed.extras or ("",)]
    return found - {distribution}


def code_lines(notebook: pathlib.Path, cell_id: str) -> int:
    """How many lines of one cell hold code: no blank lines, comments or docstrings.

    Statements that are broken over several lines count as one. No such cell: 0.
    """
    source = next((source for own, _, source in course.cells(notebook) if own == cell_id), "")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return sum(bool(line) for line in ast.unparse(tree).splitlines())
