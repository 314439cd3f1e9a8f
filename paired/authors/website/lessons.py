"""A pair of notebooks as one page of Markdown: cell against cell, and what is shared once."""

import base64
import difflib
import hashlib
import itertools
import pathlib
import re
from collections.abc import Iterator

from paired import course
from paired.authors import files
from paired.authors.website import links

_TEMPLATE = pathlib.Path(__file__).with_name("lesson.md")
_LINE = r"(?!#{1,6} |```)[^\n]+\n?"
# A heading, a block of code, or a paragraph; a list stays with what introduces it.
_BLOCK = re.compile(
    rf"^(?:#{{1,6}} [^\n]+|```.*?^```|(?:{_LINE})+(?:\n+(?=\s|[-*] |\d+\. )(?:{_LINE})+)*)",
    re.M | re.S,
)


def rows(pair: list[dict]) -> Iterator[tuple[dict | None, dict | None]]:
    """The cells of both halves in order, two of the same id together."""
    first, second = ({cell.id: cell for cell in notebook.cells} for notebook in pair)
    waiting = iter(second.values())
    for cell in first.values():
        if cell.id in second:
            own = itertools.takewhile(lambda each, stop=cell.id: each.id != stop, waiting)
            yield from ((None, each) for each in own)
        yield cell, second.get(cell.id)
    yield from ((None, each) for each in waiting)


def title(pair: list[dict]) -> str:
    """What both halves' titles have in common."""
    words = [notebook.cells[0].source.splitlines()[0].lstrip("# ").split() for notebook in pair]
    common = difflib.SequenceMatcher(None, *words, autojunk=False).get_matching_blocks()
    text = " ".join(word for block in common for word in words[0][block.a :][: block.size])
    return re.sub(r",?( (in|to))?$", "", text)


def fence(text: str, language: str, *options: str) -> str:
    """A block of code; the options are those of Sphinx's `code-block`."""
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    head = "\n".join([f"{{code-block}} {language}", *options, ""]) if options else language
    return f"{ticks}{head}\n{text.rstrip()}\n{ticks}"


def box(kind: str, inner: str, name: str = "", label: str = "") -> str:
    """Markdown in an element, with a link to it if it has a name."""
    attributes = f' id="{name}"' if name else ""
    attributes += f' role="group" aria-label="{label}"' if label else ""
    link = f'<a class="cell-link" href="#{name}" aria-label="Link to the cell {name}">#</a>'
    return f'<div class="{kind}"{attributes}>\n{link if name else ""}\n\n{inner}\n\n</div>\n'


def pair_of(texts: list[str], name: str = "") -> str:
    """What both halves have, next to each other; once where it is the same."""
    if texts[0] == texts[1]:
        return box("shared", texts[0], name) if texts[0] or name else ""
    halves = [
        box(f"half {framework}", text, label=course.NAMES[framework])
        for framework, text in zip(course.FRAMEWORKS, texts, strict=True)
        if text
    ]
    return box("pair" if len(halves) > 1 else "pair one-sided", "\n".join(halves), name)


def sections(text: str) -> list[tuple[str, list[str]]]:
    """Each heading, or none, with the blocks below it."""
    found = [("", [])]
    for block in _BLOCK.findall(text):
        if block.startswith("#"):
            found.append((block, []))
        else:
            found[-1][1].append(block.strip("\n"))
    return found if found[0][1] else found[1:]


def heading(lines: tuple[str, str]) -> str:
    """The heading of both halves; where they differ, or one has none, that of each."""
    if lines[0] == lines[1]:
        return f"\n{lines[0]}\n"
    spans = [
        f'<span class="only {framework}">{line.lstrip("# ")}</span>'
        for framework, line in zip(course.FRAMEWORKS, lines, strict=True)
        if line
    ]
    return f"\n{max(lines).split()[0]} {' '.join(spans)}\n"


def prose(texts: list[str | None], name: str) -> str:
    """A Markdown cell of both halves, or of the one whose text is not None."""
    parts = [sections(text or "") for text in texts]
    if None in texts:
        alone = texts.index(None)
        parts[alone] = [("", [])] * len(parts[1 - alone])
    if len(parts[0]) != len(parts[1]):  # then no heading can be that of both
        return pair_of([re.sub(r"(?m)^#+ +(.*)", r"**\1**", text) for text in texts], name)
    written = ""
    for (first, above), (second, below) in zip(*parts, strict=True):
        written += heading((first, second))
        for _, a, b, c, d in difflib.SequenceMatcher(None, above, below, False).get_opcodes():
            written += pair_of(["\n\n".join(above[a:b]), "\n\n".join(below[c:d])], name)
            name = ""
    return written + pair_of(["", ""], name)


def output(cell: dict | None, caption: str, folder: pathlib.Path) -> str:
    """What a cell shows; its pictures are written to the folder."""
    shown, text = "", ""
    for each in cell.get("outputs", []) if cell else []:
        data = each.get("data", {})
        if "image/png" in data:
            content = base64.b64decode(data["image/png"])
            path = folder / f"{cell.id}-{hashlib.sha256(content).hexdigest()[:8]}.png"
            files.replace(path, content)
            shown += f"\n![{caption}]({folder.name}/{path.name})\n"
        else:
            text += each.get("text") or data.get("text/plain") or ""
            text += files.plain("\n".join(each.get("traceback", [])))
    text = fence(text, "text") if text.strip() else ""
    return f'<div class="output">\n\n{text}\n{shown}\n</div>' if text or shown else ""


def captions(notebook: dict) -> dict[str, str]:
    """The text of each figure, by the cell that draws it: its caption, without marks."""
    found = {}
    for cell, after in itertools.pairwise(notebook.cells):
        paragraph = after.source.partition("\n\n")[0] if after.source.startswith("**Fig") else ""
        found[cell.id] = " ".join(re.sub(r"\]\([^)]*\)|[*`$\\\[\]]", "", paragraph).split())
    return found


def page(lesson: course.Lesson, source: pathlib.Path) -> str:
    """The Markdown of a lesson's page; its pictures are written beside it.

    Raises:
        NotebookError: a half is missing or is no notebook.
    """
    pair = [files.read(path) for path in lesson.paths()]
    texts = [captions(notebook) for notebook in pair]
    folder, written = source / "lessons" / lesson.name, ""
    for cells in rows(pair):
        name, kind = next((cell.id, cell.cell_type) for cell in cells if cell)
        if kind == "markdown":
            told = [cell and re.sub("^# .*\n", "", cell.source) for cell in cells]
            base = course.ROOT / "notebooks"
            told = [text and links.turn(text, base, folder, source) for text in told]
            written += prose(told, name)
        else:
            written += pair_of([fence(c.source, "ipython3") if c else "" for c in cells], name)
            shown = zip(cells, texts, strict=True)
            written += pair_of([output(c, text.get(name, ""), folder) for c, text in shown])
    template = _TEMPLATE.read_text(encoding="utf-8")
    return template.format(number=lesson.number, title=title(pair), cells=written)
