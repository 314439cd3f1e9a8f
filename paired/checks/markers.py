"""What a solved cell marks: answers, and what a student gets in their place."""

import ast
import dataclasses
import re
from collections.abc import Iterator

BEGIN, END, STUB = "# BEGIN SOLUTION", "# END SOLUTION", "# STUB"
_PLACEHOLDER = "...  # your code here"
_ALMOST_MARKER = re.compile(r"#+\s*(begin|end)\s*solution|#+\s*stub\b", re.IGNORECASE)


class MarkerError(Exception):
    """The markers of a cell are misspelt or unbalanced, or no stub can be derived from it."""


@dataclasses.dataclass(frozen=True)
class _Region:
    """The lines strictly between two markers: `lines[first:last]`, counted from 0."""

    first: int
    last: int


def regions(source: str) -> list[_Region]:
    """Find what lies between `# BEGIN SOLUTION` and `# END SOLUTION`.

    Raises:
        MarkerError: the markers are misspelt or unbalanced.
    """
    found, begin = [], None
    for number, line in enumerate(map(str.strip, source.splitlines())):
        if line == BEGIN and begin is None:
            begin = number
        elif line == END and begin is not None:
            found.append(_Region(begin + 1, number))
            begin = None
        elif (line == STUB or line.startswith(f"{STUB} ")) and begin is not None:
            continue
        elif _ALMOST_MARKER.match(line):
            raise MarkerError(
                f"line {number + 1}, `{line}`, is out of place: an answer stands between a line "
                f"`{BEGIN}` and a line `{END}`, and `{STUB} ...` only between those."
            )
    if begin is not None:
        raise MarkerError(f"line {begin + 1}, `{BEGIN}`, has no `{END}` after it.")
    return found


def _is_stub(line: str) -> bool:
    return line.strip() == STUB or line.lstrip().startswith(f"{STUB} ")


def _statements(tree: ast.AST, region: _Region) -> Iterator[ast.stmt]:
    """The outermost statements inside a region, in order."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt) and region.first < node.lineno <= region.last:
            yield node
        else:
            yield from _statements(node, region)


def _assigned(statement: ast.stmt) -> Iterator[str]:
    """The names and attributes (`self.hidden`) that one statement binds."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            for target in targets:
                yield from _targets(target)
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            yield from _targets(target)


def _targets(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _targets(part)
        case ast.Starred(value=value):
            yield from _targets(value)
        case ast.Name() | ast.Attribute():
            name = ast.unparse(target)
            if name != "_":
                yield name


def _stub_lines(source: str, region: _Region) -> list[str]:
    lines = source.splitlines()[region.first : region.last]
    given = [line for line in lines if _is_stub(line)]
    if given:
        # Verbatim, at the marker's indentation.
        return [line.replace(f"{STUB} ", "", 1).replace(STUB, "", 1).rstrip() for line in given]
    try:
        statements = list(_statements(ast.parse(source), region))
    except SyntaxError as problem:
        raise MarkerError(
            f"line {problem.lineno} is no plain Python ({problem.msg}), so the stub cannot be "
            f"derived: mend it, or give the stub in lines `{STUB} ...`."
        ) from None
    indent = " " * statements[0].col_offset if statements else ""
    if statements and isinstance(statements[-1], ast.Return):
        return [f"{indent}return {_PLACEHOLDER}"]
    names = dict.fromkeys(name for statement in statements for name in _assigned(statement))
    if not names:
        raise MarkerError(
            f"the answer in line {region.first + 1} assigns no name and does not end in `return`: "
            f"say what the student gets in its place, in lines `{STUB} ...`."
        )
    return [f"{indent}{name} = {_PLACEHOLDER}" for name in names]


def stub(source: str) -> str:
    """What the student gets in place of a solved cell.

    Each region becomes its `# STUB` lines, if it has any; else `return ...` if it ends in a return;
    else `name = ...` for each name that it assigns at its own indentation.

    Raises:
        MarkerError: the markers are unbalanced, or no stub can be derived.
    """
    lines = source.splitlines()
    for region in reversed(regions(source)):
        lines[region.first - 1 : region.last + 1] = _stub_lines(source, region)
    return "\n".join(lines)


def solution(source: str) -> str:
    """A solved cell as the student may see it: without markers and `# STUB` lines.

    Raises:
        MarkerError: the markers are unbalanced.
    """
    regions(source)
    return "\n".join(
        line
        for line in source.splitlines()
        if line.strip() not in (BEGIN, END) and not _is_stub(line)
    )


def hints(source: str) -> list[str]:
    """The steps of a Markdown cell tagged `hints`: the items of its numbered list."""
    items = re.split(r"(?m)^\d+\.\s+", source)[1:]
    return [" ".join(item.split()) for item in items]
