"""Wrong answers to the exercises, and other right ones, made from the solutions by small edits.

A module here holds those of one lesson, for both halves:

    clip = Mistakes("custom_gradient")
    clip.brings(
        "arrives as it came",                      # part of the sentence that must come
        pytorch=("norm.clamp(min=max_norm)", "norm"),       # in the solution's cell: this, by that
        tensorflow=("tf.maximum(norm, max_norm)", "norm"),
    )
    clip.right(both="return x")                    # another body between the markers

A change is a tuple of texts, by turns old and new; or one text, which takes the place of what lies
between the last two markers, or of the whole cell where it begins with `def`, `class`, `import`,
`from` or `@`; or a dict of answers by name. `both` is the same change for either half.
"""

import dataclasses
import linecache
import re
import textwrap
from collections.abc import Callable

from paired.checks import markers

_WHOLE_CELL = re.compile(r"\s*(def|class|import|from|@)\b|\s*@")
HALVES = ("pytorch", "tensorflow")


@dataclasses.dataclass
class Attempt:
    """An answer in one half, and what has to come: part of a sentence; nothing if it is right."""

    task: str
    half: str
    change: tuple | str | dict
    says: str = ""


class Mistakes:
    """The wrong answers to one task, and right ones that are not the solution."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.attempts: list[Attempt] = []
        self.excused: list[tuple[str, str]] = []

    def brings(self, says: str, *, both=None, pytorch=None, tensorflow=None) -> None:
        """Add a wrong answer, to one half or to each."""
        for half, change in zip(HALVES, (pytorch, tensorflow), strict=True):
            if (change := both if change is None else change) is not None:
                self.attempts.append(Attempt(self.task, half, change, says))

    def right(self, *, both=None, pytorch=None, tensorflow=None) -> None:
        """Add a right answer."""
        self.brings("", both=both, pytorch=pytorch, tensorflow=tensorflow)

    def replacing(self, pytorch: str, tensorflow: str) -> Callable[..., None]:
        """`brings` for changes that all replace one text in each half; None: not in this half."""

        def brings(says: str, *new: str | None) -> None:
            pairs = zip((pytorch, tensorflow), new, strict=True)
            first, second = (pair if pair[1] is not None else None for pair in pairs)
            self.brings(says, pytorch=first, tensorflow=second)

        return brings

    def cannot(self, half: str, *sentences: str, why: str) -> None:
        """Say which sentences (parts of them) no wrong answer of a half can bring, and why."""
        assert why
        self.excused += [(half, sentence) for sentence in sentences]


def changed(source: str, change: tuple | str) -> str:
    """The code of a solved cell with a change made to it, without markers."""
    if isinstance(change, str):
        text = textwrap.dedent(change).strip("\n")
        if _WHOLE_CELL.match(text):
            return text
        region = markers.regions(source)[-1]
        lines = source.splitlines()
        begin = lines[region.first - 1]
        indent = begin[: len(begin) - len(begin.lstrip())]
        lines[region.first : region.last] = textwrap.indent(text, indent).splitlines()
        return markers.solution("\n".join(lines))
    source = markers.solution(source)
    for old, new in zip(change[::2], change[1::2], strict=True):
        source = replaced(source, old, new)
    return source


def replaced(source: str, old: str, new: str) -> str:
    """The source with a text, which it has once, replaced, however its lines are broken."""
    before, after = (re.search(end, old)[0] for end in (r"^\s*", r"\s*$"))
    words = [re.escape(word) for word in re.findall(r"\w+|[^\w\s]", old)]
    words = [rf",?\s*{word}" if word in (r"\)", r"\]", r"\}") else word for word in words]
    found = list(re.finditer(before + r"\s*".join(words) + after, source))
    assert len(found) == 1, f"{old!r} is there {len(found)} times in:\n{source}"
    return source[: found[0].start()] + new + source[found[0].end() :]


def run(source: str, name: str, namespace: dict) -> dict:
    """Run a cell as a notebook does: in `__main__`, with source that can be looked up."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)
    return namespace
