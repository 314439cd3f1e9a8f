"""Rules for the code of notebooks, and for what it gave."""

import re

from paired.authors.lint.notebook import Notebook, Said, output_text, rule
from paired.authors.lint.text import MODULES
from paired.checks.markers import MarkerError, regions, stub

_INSTALL = re.compile(
    r"^\s*([%!]+\s*)?(\S*python\S* -m )?(pip3?|conda|mamba|uv|apt(-get)?)\b.*install"
)
_ABSOLUTE = re.compile(
    r"(?<![\w.~/])(/(home|root|Users|tmp|opt|usr|var|mnt|work|content)/|~/|[A-Z]:\\)"
)
_HOST = re.compile(r"\w+://(?!127\.0\.0\.1\b|localhost\b)")
_UNSTABLE = re.compile(r"\bat 0x[0-9a-f]{6,}")


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
def own_times(notebook: Notebook) -> Said:
    """What is measured where the cell runs is nobody else's: it is not stored, nor compared."""
    for cell in notebook.code:
        if "own-times" in cell.tags and cell.outputs:
            yield cell.id, "is tagged `own-times` and has outputs: run `make outputs`."
        if "own-times" in cell.tags and "nbval-ignore-output" not in cell.tags:
            yield cell.id, "is tagged `own-times`: tag it `nbval-ignore-output` as well."


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
        if found := _UNSTABLE.search(text := output_text(cell)):
            yield cell.id, f"shows a memory address (`{found[0]}`), new in each run: print less."
        if found := _ABSOLUTE.search(text):
            yield cell.id, f"shows a path of this machine (`{found[0]}`): print a relative one."
