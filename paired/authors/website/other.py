"""The page for those who know one of the two frameworks: what differs, cell by cell."""

import difflib
import re

from paired import course
from paired.authors import files
from paired.authors.website import lessons

_HEAD = """
You know one of the two frameworks; this page teaches you the other. It holds what differs between
the halves of each lesson: a table, then every code cell that both halves have and that is not the
same. The lines that one half has and the other has not are marked. The name above a cell leads to
it in its lesson, where you find what it prints, and why.
"""


def marked(sources: list[str]) -> list[str]:
    """The code of both halves, in which the lines that the other has not are marked."""
    lines = [source.splitlines() for source in sources]
    same = difflib.SequenceMatcher(None, *lines, autojunk=False).get_matching_blocks()
    written = []
    for which, own in enumerate(lines):
        equal = {block[which] + i for block in same for i in range(block.size)}
        alone = [str(i + 1) for i in range(len(own)) if i not in equal]
        options = [f":emphasize-lines: {','.join(alone)}"] if alone and equal else []
        written.append(lessons.fence("\n".join(own), "ipython3", *options))
    return written


def section(lesson: course.Lesson) -> str:
    """What differs in one lesson.

    Raises:
        NotebookError: a half is missing or is no notebook.
    """
    pair = [files.read(path) for path in lesson.paths()]
    table, code, alone = "", "", {framework: [] for framework in course.FRAMEWORKS}
    for cells in lessons.rows(pair):
        one, *two = [cell for cell in cells if cell]
        address = f"lessons/{lesson.name}.html#{one.id}"
        link = f'<a href="{address}"><code>{one.id}</code></a>'
        if one.id == "side-by-side":
            table = "\n".join(re.findall(r"(?m)^\|.*$", one.source))
        elif one.cell_type == "code" and not two:
            alone[course.FRAMEWORKS[cells.index(one)]].append(link)
        elif one.cell_type == "code" and one.source != two[0].source:
            both = lessons.pair_of(marked([one.source, two[0].source]))
            code += f'\n<p class="cell-name">{link}</p>\n\n{both}'
    head = f"[The lesson](/lessons/{lesson.name}.md), and where its halves part:\n\n{table}"
    notes = " ".join(
        f"Only the {course.NAMES[framework]} half has {', '.join(found)}."
        for framework, found in alone.items()
        if found
    )
    written = lessons.box("column", head) + code + lessons.box("column", notes)
    return f"\n## {lesson.number} {lessons.title(pair)}\n\n{written}"


def page() -> str:
    """The Markdown of the page."""
    found = "".join(section(lesson) for lesson in course.lessons())
    return f"# The other framework\n\n{lessons.box('column', _HEAD)}{found}"
