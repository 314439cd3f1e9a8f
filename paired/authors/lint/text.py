"""Rules for the form of notebooks, and for their prose."""

import collections
import json
import pathlib
import re
import statistics
import types

from paired import course, needs
from paired.authors import files
from paired.authors.lint.notebook import FENCED, Notebook, Said, joined, output_text, rule

MAX_LINES, MAX_WORDS = 20, 150  # of a cell
# Of a half of a lesson, and of its section "Further", which nobody has to read.
BUDGET = {"words": 2000, "lines of code": 300, "lines of output": 250, "predictions": 8}
FURTHER = {"words": 500, "lines of code": 80}
MEDIAN = 10
TAGS = {
    "shared", "parity", "one-sided", "compare", "gpu", "slow", "twin", "task", "check", "hints",
    "rounding", "solution-only", "own-times", "nbval-ignore-output", "nbval-check-output",
    "nbval-skip", "raises-exception",
}  # fmt: skip
# Tags of cells that may name the other framework.
COMPARING = {"compare", "hints", "one-sided", "shared", "twin"}
WORDS = {"pytorch": r"(?i:pytorch|\btorch)\b", "tensorflow": r"(?i:tensorflow|\bkeras)\b|\btf\."}
# Keras runs on PyTorch too: to a PyTorch half it is a word, not a framework.
MODULES = {"pytorch": ("torch", "torchvision"), "tensorflow": ("tensorflow",)}
# Names that a heading in sentence case capitalises, besides those with a capital inside.
PROPER = {"Adam", "Chromium", "Jupyter", "Keras", "Nesterov", "Python", "Visdom"}
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HEX = re.compile(r"(?=.*\d)[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?")
_HEADING = re.compile(r"^(#{1,6}) +(.+?)#*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]]*)\]\(")
_LINK = re.compile(r"\]\(<?([^)\s>]+)|\b(?:href|src)=[\"']([^\"']+)")


# Form


@rule()
def version(notebook: Notebook) -> Said:
    """The format is nbformat 4.5, the first with cell ids."""
    if notebook.version != "4.5":
        yield "notebook", f"has format {notebook.version}, not 4.5: save it with JupyterLab 4."


@rule()
def ids(notebook: Notebook) -> Said:
    """Cell ids are unique and say what the cell is for: `loss-curve`."""
    seen = set()
    for cell in notebook.cells:
        if not _ID.fullmatch(cell.id) or _HEX.fullmatch(cell.id):
            yield cell.id, "the id must be lower-case words joined by hyphens, like `loss-curve`."
        if cell.id in seen:
            yield cell.id, "two cells have this id: rename one, in both halves."
        seen.add(cell.id)


@rule()
def tags(notebook: Notebook) -> Said:
    """Tags are known ones."""
    for cell in notebook.cells:
        known = TAGS | {needs.TAG + name for name in needs.names()}
        for tag in set(cell.tags) - known:
            yield cell.id, f"unknown tag `{tag}`; known are {', '.join(sorted(known))}."


@rule(committed=True)
def metadata(notebook: Notebook) -> Said:
    """Metadata holds the kernel's name and the tags, nothing of one machine or editor."""
    how = "run `make outputs` (in exercises/: `make exercises`)."
    if notebook.metadata != files.METADATA:
        yield "notebook", f"metadata is not the course's: {how}"
    for cell in notebook.cells:
        known = {"tags", "hints"} if notebook.kind == "exercises" else {"tags"}
        if extra := sorted(cell.metadata.keys() - known):
            yield cell.id, f"metadata has {', '.join(extra)}, and only tags are kept: {how}"


def code_lines(cell: types.SimpleNamespace) -> int:
    """The lines of a code cell, without the markers around an answer and its stub."""
    hidden = ("# BEGIN SOLUTION", "# END SOLUTION", "# STUB")
    return sum(not line.strip().startswith(hidden) for line in cell.source.splitlines())


def printed(cell: types.SimpleNamespace) -> str:
    """What a code cell says in text: not its pictures, nor the words that stand for one."""
    pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
    texts = [output for output in cell.outputs if output not in pictures]
    return output_text(types.SimpleNamespace(outputs=texts))


@rule()
def size(notebook: Notebook) -> Said:
    """Cells are short."""
    for cell in notebook.cells:
        words = sum(any(map(str.isalnum, word)) for word in cell.source.split())
        if cell.type == "code" and (lines := code_lines(cell)) > MAX_LINES:
            yield cell.id, f"has {lines} lines, more than {MAX_LINES}: split it."
        if cell.type == "markdown" and "hints" not in cell.tags and words > MAX_WORDS:
            yield cell.id, f"has {words} words, more than {MAX_WORDS}: shorten or split it."


@rule("notebooks")
def budget(notebook: Notebook) -> Said:
    """A half of a lesson asks no more of its reader than one sitting gives."""
    counts = {False: collections.Counter(), True: collections.Counter()}
    further = False
    for cell in notebook.cells:
        for level, heading in _HEADING.findall(cell.prose):
            further = heading.strip() == "Further" or (further and len(level) > 2)
        if cell.type == "markdown":
            counts[further]["words"] += len(cell.source.split())
            counts[further]["predictions"] += cell.source.count("**Predict**")
        else:
            counts[further]["lines of code"] += len(cell.source.splitlines())
            counts[further]["lines of output"] += len(printed(cell).splitlines())
    for limits, there, where in (BUDGET, False, ""), (FURTHER, True, "the section Further "):
        for what, limit in limits.items():
            if (count := counts[there][what]) > limit:
                yield "notebook", f"{where}has {count} {what}, more than {limit}: cut."
    median = statistics.median(map(code_lines, notebook.code)) if notebook.code else 0
    if median > MEDIAN:
        yield "notebook", f"half of its code cells have {median:g} lines or more: cut to {MEDIAN}."


# Prose


@rule()
def title(notebook: Notebook) -> Said:
    """There is one heading of level 1, in the first cell."""
    where = [
        cell.id
        for cell in notebook.cells
        for level, _ in _HEADING.findall(cell.prose)
        if level == "#"
    ]
    if not notebook.cells or where != [notebook.cells[0].id]:
        found = f"found in {', '.join(where)}" if where else "found none"
        yield "notebook", f"exactly one `# title`, in the first cell, is expected: {found}."


@rule()
def sentence_case(notebook: Notebook) -> Said:
    """Headings are in sentence case: a capital for the first word and for names only."""
    for cell in notebook.cells:
        for _, heading in _HEADING.findall(cell.prose):
            words = re.sub(r"`[^`]*`", "", re.sub(r"(^|[.:?!]\s+)\W*\w+", "", heading))
            for word in re.findall(r"\b[A-Z][a-z]+\b", words):
                if word not in PROPER:
                    yield cell.id, f"`{word}` in the heading `{heading}`: write it in lower case."


@rule()
def alt_text(notebook: Notebook) -> Said:
    """Every image in Markdown or HTML says in words what it shows."""
    for cell in notebook.cells:
        html = cell.prose + output_text(cell)
        bare = any(not alt.strip() for alt in _IMAGE.findall(cell.prose))
        for image in re.findall(r"<img\b[^>]*>", html):
            bare |= not re.search(r"\balt=(\"\s*[^\"\s]|'\s*[^'\s])", image)
        if bare:
            yield cell.id, "an image has no alt text: say in a few words what it shows."


@rule()
def offline(notebook: Notebook) -> Said:
    """Pictures are drawn by code or lie in the repository: nothing is fetched."""
    for cell in notebook.cells:
        if re.search(r"!\[[^\]]*\]\(\w+://|<img\b[^>]*\bsrc=[\"']?\w+://", cell.prose):
            yield cell.id, "an image comes from the web, which is not there on a train: draw it."


@rule("notebooks", "solutions")
def caption(notebook: Notebook) -> Said:
    """A figure is followed by a Markdown cell that begins with `**Figure` and describes it."""
    for cell, after in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        pictures = any(
            "image/" in kind for output in cell.outputs for kind in output.get("data", ())
        )
        captioned = after and after.type == "markdown" and after.source.startswith("**Figure")
        if pictures and not captioned:
            yield (
                cell.id,
                "no Markdown cell that begins with `**Figure` follows its figure: add one.",
            )


def _anchors(path: pathlib.Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join(joined(cell["source"]) for cell in json.loads(text)["cells"])
    headings = (heading for _, heading in _HEADING.findall(FENCED.sub("", text)))
    return {_slug(heading) for heading in headings}


def _slug(heading: str) -> str:
    return re.sub(r"[^\w-]", "", heading.strip().lower().replace(" ", "-"))


@rule()
def links(notebook: Notebook) -> Said:
    """Links inside the repository lead to a file that there is, and to a heading in it."""
    for cell in notebook.cells:
        for groups in _LINK.findall(re.sub(r"`[^`]*`", "", cell.prose)):
            target, _, anchor = "".join(groups).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            path = (notebook.path.parent / target) if target else notebook.path
            inside = path.resolve().is_relative_to(notebook.root.resolve())
            if target.startswith("/") or not inside or not path.exists():
                yield cell.id, f"the link to `{target}` leads to no file of the course: mend it."
            elif (
                anchor and path.suffix in (".md", ".ipynb") and _slug(anchor) not in _anchors(path)
            ):
                yield cell.id, f"there is no heading `#{anchor}` in {path.name}: mend the link."


@rule()
def framework(notebook: Notebook) -> Said:
    """A half speaks of its own framework, save in cells that compare."""
    other = course.twin(notebook.framework)
    imports = re.compile(rf"^\s*(import|from) ({'|'.join(MODULES[other])})\b", re.MULTILINE)
    for cell in notebook.cells:
        if cell.type == "code" and imports.search(cell.source):
            yield cell.id, f"imports the wrong framework: the {notebook.framework} half runs alone."
        elif not COMPARING.intersection(cell.tags) and (
            word := re.search(WORDS[other], cell.source)
        ):
            yield cell.id, f"says `{word[0]}`: reword it, or tag the cell `compare`."
