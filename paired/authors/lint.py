"""The rules that every notebook and every pair keeps. No framework is imported, no cell is run.

A rule is a small generator below; its docstring says what it asks for, its sentences what to do.
"""

import dataclasses
import functools
import json
import pathlib
import re
import sys
import types
from collections.abc import Callable, Iterator

from paired import course
from paired.authors import changes, files
from paired.checks.markers import MarkerError, regions, stub

MAX_CODE_LINES, MAX_WORDS, MAX_CELLS = 30, 150, 45

TAGS = {
    "shared", "parity", "one-sided", "compare", "gpu", "slow", "twin", "task", "check", "hints",
    "rounding", "solution-only", "nbval-ignore-output", "nbval-check-output", "nbval-skip",
    "raises-exception",
}  # fmt: skip
# Tags of cells that may name the other framework.
COMPARING = {"compare", "hints", "one-sided", "shared", "twin"}
WORDS = {"pytorch": r"(?i:pytorch|\btorch)\b", "tensorflow": r"(?i:tensorflow|\bkeras)\b|\btf\."}
MODULES = {"pytorch": ("torch", "torchvision"), "tensorflow": ("tensorflow", "keras")}
# Names that a heading in sentence case capitalises, besides those with a capital inside.
PROPER = {"Adam", "Chromium", "Jupyter", "Keras", "Nesterov", "Python", "Visdom"}

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HEX = re.compile(r"(?=.*\d)[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?")
_INSTALL = re.compile(
    r"^\s*([%!]+\s*)?(\S*python\S* -m )?(pip3?|conda|mamba|uv|apt(-get)?)\b.*install"
)
_ABSOLUTE = re.compile(
    r"(?<![\w.~/])(/(home|root|Users|tmp|opt|usr|var|mnt|work|content)/|~/|[A-Z]:\\)"
)
_HOST = re.compile(r"\w+://(?!127\.0\.0\.1\b|localhost\b)")
_UNSTABLE = re.compile(r"\bat 0x[0-9a-f]{6,}")
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) +(.+?)#*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]]*)\]\(")
_LINK = re.compile(r"\]\(<?([^)\s>]+)|\b(?:href|src)=[\"']([^\"']+)")


@dataclasses.dataclass(frozen=True)
class Problem:
    """One broken rule."""

    file: str
    cell: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.cell}: {self.rule}: {self.text}"


@dataclasses.dataclass
class Notebook:
    """One notebook: its JSON, with the lines of sources and outputs joined."""

    path: pathlib.Path
    root: pathlib.Path
    cells: list[types.SimpleNamespace]
    metadata: dict
    version: str

    @property
    def kind(self) -> str:
        """One of `course.KINDS`."""
        return self.path.parent.name

    @property
    def framework(self) -> str:
        """Which half it is."""
        return self.path.stem.rpartition("_")[2]

    @functools.cached_property
    def code(self) -> list[types.SimpleNamespace]:
        """The code cells."""
        return [cell for cell in self.cells if cell.type == "code"]

    @functools.cached_property
    def by_id(self) -> dict[str, types.SimpleNamespace]:
        """The cells by their ids."""
        return {cell.id: cell for cell in self.cells}


def _text(value) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _cell(index: int, cell: dict) -> types.SimpleNamespace:
    source, metadata = _text(cell["source"]), cell["metadata"]
    return types.SimpleNamespace(
        id=cell.get("id", f"number {index + 1}"),
        type=cell["cell_type"],
        source=source,
        prose=_FENCED.sub("", source) if cell["cell_type"] == "markdown" else "",
        metadata=metadata,
        tags=metadata.get("tags", []),
        outputs=cell.get("outputs", []),
        count=cell.get("execution_count"),
    )


def _output_text(cell: types.SimpleNamespace) -> str:
    """All that a cell's outputs say in words."""
    parts = []
    for output in cell.outputs:
        parts += [_text(output.get("text", "")), _text(output.get("traceback", ""))]
        data = output.get("data", {}).items()
        parts += [_text(value) for kind, value in data if kind.startswith("text/")]
    return "\n".join(parts)


def _content(cell: types.SimpleNamespace) -> list[dict]:
    """A cell's outputs without the numbers of the run."""
    return [{**output, "execution_count": None} for output in cell.outputs]


def load(path: pathlib.Path, root: pathlib.Path) -> Notebook:
    """Read a notebook for the rules.

    Raises:
        ValueError: it is not a notebook; the message says why.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        cells = [_cell(index, cell) for index, cell in enumerate(content["cells"])]
        version = f"{content['nbformat']}.{content['nbformat_minor']}"
        return Notebook(path, root, cells, content["metadata"], version)
    except (AttributeError, KeyError, TypeError) as problem:
        raise ValueError(f"not the structure of a notebook ({problem!r})") from None


# A rule yields (cell id or "notebook", what is wrong and what to do).
Said = Iterator[tuple[str, str]]
NOTEBOOK_RULES: list[Callable[[Notebook], Said]] = []
PAIR_RULES: list[Callable[[Notebook, Notebook], Said]] = []


def rule(*kinds: str, committed: bool = False) -> Callable:
    """Register a rule for single notebooks, of these kinds or of all.

    A rule for what is `committed` leaves alone what somebody has saved since: an editor adds to a
    notebook's metadata, and running a cell to its outputs.
    """

    def register(function: Callable[[Notebook], Said]) -> Callable[[Notebook], Said]:
        function.kinds, function.committed = kinds or course.KINDS, committed
        NOTEBOOK_RULES.append(function)
        return function

    return register


def pair_rule(function: Callable[[Notebook, Notebook], Said]) -> Callable:
    """Register a rule for the two halves of a pair; what it says is said of the first."""
    PAIR_RULES.append(function)
    return function


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
        for tag in set(cell.tags) - TAGS:
            yield cell.id, f"unknown tag `{tag}`; known are {', '.join(sorted(TAGS))}."


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


@rule()
def size(notebook: Notebook) -> Said:
    """Cells and notebooks are short."""
    if (count := len(notebook.cells)) > MAX_CELLS:
        yield "notebook", f"has {count} cells, more than {MAX_CELLS}: split the lesson."
    for cell in notebook.cells:
        hidden = ("# BEGIN SOLUTION", "# END SOLUTION", "# STUB")
        lines = [line for line in cell.source.splitlines() if not line.strip().startswith(hidden)]
        words = sum(any(map(str.isalnum, word)) for word in cell.source.split())
        if cell.type == "code" and len(lines) > MAX_CODE_LINES:
            yield cell.id, f"has {len(lines)} lines, more than {MAX_CODE_LINES}: split it."
        if cell.type == "markdown" and "hints" not in cell.tags and words > MAX_WORDS:
            yield cell.id, f"has {words} words, more than {MAX_WORDS}: shorten or split it."


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
        html = cell.prose + _output_text(cell)
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
        text = "\n".join(_text(cell["source"]) for cell in json.loads(text)["cells"])
    headings = (heading for _, heading in _HEADING.findall(_FENCED.sub("", text)))
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


# Code


@rule()
def paired_first(notebook: Notebook) -> Said:
    """The first code cell imports `paired`, whose settings must come before any framework."""
    modules = "paired|" + "|".join(sum(MODULES.values(), ()))
    imports = re.compile(rf"^\s*(?:import|from) ({modules})\b", re.MULTILINE)
    first = imports.findall(notebook.code[0].source) if notebook.code else []
    if not first or first[0] != "paired":
        where = notebook.code[0].id if notebook.code else "notebook"
        yield where, "the first code cell must import `paired` before any framework."


@rule()
def installs(notebook: Notebook) -> Said:
    """Nothing is installed from a notebook."""
    for cell in notebook.code:
        if any(_INSTALL.match(line) for line in cell.source.splitlines()):
            yield cell.id, "installs something: name it in the course's environment instead."


@rule()
def elsewhere(notebook: Notebook) -> Said:
    """Code names no absolute path and no host: it works anywhere, offline."""
    for cell in notebook.code:
        if found := _ABSOLUTE.search(cell.source):
            yield cell.id, f"has the absolute path `{found[0]}`: use `paired.course.ROOT`."
        if found := _HOST.search(cell.source):
            yield cell.id, f"has an address, `{found[0]}`: links stand in the text."


@rule()
def markers(notebook: Notebook) -> Said:
    """Answers are marked, in cells tagged `task` of solutions/ and nowhere else."""
    for cell in notebook.code:
        try:
            marked = bool(regions(cell.source))
            if notebook.kind == "solutions":
                stub(cell.source)
        except MarkerError as problem:
            yield cell.id, str(problem)
            continue
        if marked and notebook.kind != "solutions":
            yield cell.id, "has solution markers: they belong in solutions/."
        elif marked and "task" not in cell.tags:
            yield cell.id, "has an answer: tag the cell `task`."
        elif "task" in cell.tags and not marked and notebook.kind == "solutions":
            yield (
                cell.id,
                "is a task without `# BEGIN SOLUTION` and `# END SOLUTION`: mark its answer.",
            )


# Outputs


@rule("notebooks", "solutions", committed=True)
def executed(notebook: Notebook) -> Said:
    """Every code cell was run, in order, in a fresh kernel: counts are 1 to n."""
    for number, cell in enumerate(notebook.code, start=1):
        if not cell.source.strip():
            yield cell.id, "is an empty code cell: delete it."
        elif cell.count != number:
            there = f"has the count {cell.count}" if cell.count else "was never run"
            yield cell.id, f"{there}, expected {number}: run `make outputs`."
            return


@rule("exercises", committed=True)
def untouched(notebook: Notebook) -> Said:
    """An exercise has neither outputs nor counts."""
    for cell in notebook.code:
        if cell.outputs or cell.count:
            yield cell.id, "has outputs: run `make exercises`."


@rule("notebooks", "solutions", committed=True)
def clean_outputs(notebook: Notebook) -> Said:
    """No warnings, no error that is not meant, nothing that another run shows differently."""
    for cell in notebook.code:
        errors = [out for out in cell.outputs if out["output_type"] == "error"]
        if any(output.get("name") == "stderr" for output in cell.outputs):
            yield cell.id, "writes to stderr: mend what it warns of, then run `make outputs`."
        if errors and "raises-exception" not in cell.tags:
            yield cell.id, f"ends in {errors[0]['ename']}: mend it, or tag it `raises-exception`."
        if not errors and "raises-exception" in cell.tags:
            yield cell.id, "is tagged `raises-exception` and raises none: take the tag off."
        if found := _UNSTABLE.search(text := _output_text(cell)):
            yield cell.id, f"shows a memory address (`{found[0]}`), new in each run: print less."
        if found := _ABSOLUTE.search(text):
            yield cell.id, f"shows a path of this machine (`{found[0]}`): print a relative one."


# Pairs


@pair_rule
def same_ids(notebook: Notebook, twin: Notebook) -> Said:
    """Both halves have the same cells, save those tagged `one-sided`."""
    for cell in notebook.cells:
        there = cell.id in twin.by_id
        if "one-sided" in cell.tags and there:
            yield cell.id, f"is tagged `one-sided` and {twin.path.name} has it too: untag it."
        elif "one-sided" not in cell.tags and not there:
            yield cell.id, f"{twin.path.name} has no such cell: add it, or tag this `one-sided`."


@pair_rule
def same_order(notebook: Notebook, twin: Notebook) -> Said:
    """Cells that both halves have come in the same order."""
    common = [cell.id for cell in notebook.cells if cell.id in twin.by_id]
    order = [cell.id for cell in twin.cells if cell.id in notebook.by_id]
    for here, there in zip(common, order, strict=False):
        if here != there:
            yield here, f"{twin.path.name} has `{there}` in its place: bring both in one order."
            return


def _common(notebook: Notebook, twin: Notebook) -> Iterator[tuple]:
    for cell in notebook.cells:
        if cell.id in twin.by_id:
            yield cell, twin.by_id[cell.id]


@pair_rule
def same_kind(notebook: Notebook, twin: Notebook) -> Said:
    """A cell has the same type and tags in both halves."""
    for cell, other in _common(notebook, twin):
        if cell.type != other.type:
            yield (
                cell.id,
                f"is {cell.type}, and {other.type} in {twin.path.name}: make them one type.",
            )
        if differing := set(cell.tags) ^ set(other.tags):
            yield (
                cell.id,
                f"only one half has the tag {', '.join(sorted(differing))}: tag both alike.",
            )


@pair_rule
def shared(notebook: Notebook, twin: Notebook) -> Said:
    """Cells tagged `shared` are the same to the byte."""
    for cell, other in _common(notebook, twin):
        if "shared" in cell.tags and cell.source != other.source:
            yield cell.id, f"is shared and differs from {twin.path.name}: run `make sync`."


@pair_rule
def parity(notebook: Notebook, twin: Notebook) -> Said:
    """Cells tagged `parity` print the same in both halves."""
    for cell, other in _common(notebook, twin):
        if "parity" not in cell.tags or None in (cell.count, other.count):
            continue
        if not cell.outputs:
            yield cell.id, "is tagged `parity` and prints nothing: print a value, or untag it."
        elif _content(cell) != _content(other):
            yield (
                cell.id,
                (
                    f"is tagged `parity` and prints something else in {twin.path.name}: run `make "
                    "outputs`; if they still differ, the networks do."
                ),
            )


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
    for check in PAIR_RULES if match[2] == course.FRAMEWORKS[0] else [same_ids]:
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


if __name__ == "__main__":
    sys.exit(main())
