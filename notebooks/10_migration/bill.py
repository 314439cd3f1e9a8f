"""How much of a program a port keeps."""

import ast
import difflib
import pathlib


def part(program: pathlib.Path, *names: str) -> str:
    """These functions and classes of a program, as they stand there."""
    text = program.read_text(encoding="utf-8")
    nodes = {getattr(node, "name", ""): node for node in ast.parse(text).body}
    return "\n\n\n".join(ast.get_source_segment(text, nodes[name]) for name in names)


def count(before: str, after: str) -> tuple[int, int, int]:
    """How many lines are kept, gone and new: without comments, descriptions and empty ones."""
    old, new = (
        [
            line
            for line in ast.unparse(ast.parse(text)).splitlines()
            if line and not line.strip().startswith('"""')
        ]
        for text in (before, after)
    )
    matching = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    kept = sum(block.size for block in matching)
    return kept, len(old) - kept, len(new) - kept
