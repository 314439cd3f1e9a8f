"""The authors' tools: store true outputs, generate exercises, keep the halves of a pair together.

`python -m paired.notebooks --help` lists them, and the Makefile has a target for each. A file is
written in one step and only when it changes: an interrupted tool leaves whole files behind.
"""

import argparse
import ast
import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import types
from collections.abc import AsyncIterator, Iterator

from paired import course

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_SECONDS = 120

BEGIN, END, STUB = "# BEGIN SOLUTION", "# END SOLUTION", "# STUB"
_PLACEHOLDER = "...  # your code here"
_ALMOST_MARKER = re.compile(r"#+\s*(begin|end)\s*solution|#+\s*stub\b", re.IGNORECASE)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(Exception):
    """Something that the author of a notebook has to mend; the message names file and cell."""


# Answers and their stubs


@dataclasses.dataclass(frozen=True)
class _Region:
    """The lines strictly between two markers: `lines[first:last]`, counted from 0."""

    first: int
    last: int


def regions(source: str) -> list[_Region]:
    """Find what lies between `# BEGIN SOLUTION` and `# END SOLUTION`.

    Raises:
        NotebookError: the markers are misspelt or unbalanced.
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
            raise NotebookError(
                f"line {number + 1}, `{line}`, is out of place: an answer stands between a line "
                f"`{BEGIN}` and a line `{END}`, and `{STUB} ...` only between those."
            )
    if begin is not None:
        raise NotebookError(f"line {begin + 1}, `{BEGIN}`, has no `{END}` after it.")
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
        raise NotebookError(
            f"line {problem.lineno} is no plain Python ({problem.msg}), so the stub cannot be "
            f"derived: mend it, or give the stub in lines `{STUB} ...`."
        ) from None
    indent = " " * statements[0].col_offset if statements else ""
    if statements and isinstance(statements[-1], ast.Return):
        return [f"{indent}return {_PLACEHOLDER}"]
    names = dict.fromkeys(name for statement in statements for name in _assigned(statement))
    if not names:
        raise NotebookError(
            f"the answer in line {region.first + 1} assigns no name and does not end in `return`: "
            f"say what the student gets in its place, in lines `{STUB} ...`."
        )
    return [f"{indent}{name} = {_PLACEHOLDER}" for name in names]


def stub(source: str) -> str:
    """What the student gets in place of a solved cell.

    Each region becomes its `# STUB` lines, if it has any; else `return ...` if it ends in a return;
    else `name = ...` for each name that it assigns at its own indentation.

    Raises:
        NotebookError: the markers are unbalanced, or no stub can be derived.
    """
    lines = source.splitlines()
    for region in reversed(regions(source)):
        lines[region.first - 1 : region.last + 1] = _stub_lines(source, region)
    return "\n".join(lines)


def solution(source: str) -> str:
    """A solved cell as the student may see it: without markers and `# STUB` lines.

    Raises:
        NotebookError: the markers are unbalanced.
    """
    regions(source)
    return "\n".join(
        line
        for line in source.splitlines()
        if line.strip() not in (BEGIN, END) and not _is_stub(line)
    )


# Files


def import_nbformat() -> types.ModuleType:
    """Import nbformat, a second sooner than a plain import does.

    jsonschema, which it imports, builds a parser for internationalised addresses if it can. The
    schema of notebooks has none.
    """
    module = "rfc3987_syntax"
    hidden = module not in sys.modules
    if hidden:
        sys.modules[module] = None
    try:
        import nbformat
    finally:
        if hidden:
            del sys.modules[module]
    return nbformat


def relative(path: pathlib.Path, root: pathlib.Path = course.ROOT) -> str:
    """The path as a reader of the repository knows it."""
    path = path.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def tags(cell: dict) -> list[str]:
    """A cell's tags."""
    return cell["metadata"].get("tags", [])


def read(path: pathlib.Path) -> dict:
    """Read a notebook.

    Raises:
        NotebookError: there is none, or it is not a notebook.
    """
    nbformat = import_nbformat()

    try:
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as problem:
        said = str(problem).splitlines()[0][:100]
        raise NotebookError(f"{relative(path)}: cannot be read as a notebook: {said}") from None


def _bytes(notebook: dict) -> bytes:
    return import_nbformat().writes(notebook).rstrip("\n").encode() + b"\n"


def write(path: pathlib.Path, notebook: dict) -> bool:
    """Write a notebook in one step if its bytes differ; True if they did."""
    data = _bytes(notebook)
    if path.exists() and path.read_bytes() == data:
        return False
    _replace(path, data)
    return True


def _replace(path: pathlib.Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def normalise(notebook: dict) -> None:
    """Take out everything that differs from one machine or editor to the next."""
    nbformat = import_nbformat()

    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": tags(cell)} if tags(cell) else {})
        for output in cell.get("outputs", []):
            if "execution_count" in output:
                output.execution_count = cell.execution_count


# Outputs


def kernel_environment() -> dict[str, str]:
    """The environment in which every tool runs a kernel, so that all get the same outputs."""
    path = [str(course.ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    profile = course.ROOT / ".cache" / "ipython"
    profile.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, dict.fromkeys(path))),
        # Nobody's own start-up files or backend.
        "IPYTHONDIR": str(profile),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # ipykernel captures what C code writes only where this is not set, and nbval's kernels have
        # it: the stored outputs would hold text that no validation ever sees.
        "PYTEST_CURRENT_TEST": os.environ.get("PYTEST_CURRENT_TEST", "paired.notebooks"),
    }


def _format(path: pathlib.Path) -> None:
    """Format the code. A syntax error is left for the run, which names the cell."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(path), "-"]
    before = path.read_bytes()
    done = subprocess.run(command, input=before, capture_output=True)
    if done.returncode == 0 and done.stdout != before:
        _replace(path, done.stdout)


@contextlib.asynccontextmanager
async def _kernel(path: pathlib.Path) -> AsyncIterator:
    """A client for the notebook, with a kernel of its own in the notebook's folder."""
    import_nbformat()
    import nbclient

    client = nbclient.NotebookClient(
        read(path),
        kernel_name="python3",
        timeout=CELL_SECONDS,
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        log=logging.Logger("silent", level=logging.CRITICAL),
    )
    client.create_kernel_manager()
    await client.async_start_new_kernel(
        cwd=str(path.parent),
        env=kernel_environment(),
        stdout=subprocess.DEVNULL,  # cells' outputs come by messages
        stderr=subprocess.DEVNULL,
    )
    try:
        await client.async_start_new_kernel_client()
        yield client
    finally:
        # `async_start_new_kernel_client` lets go of the manager where it fails.
        if client.km:
            await client.km.shutdown_kernel(now=True)
            client.kc.stop_channels()


async def _run(client, path: pathlib.Path, cells: list[tuple[int, dict]]) -> None:
    """Run some of a notebook's cells, as (index, cell).

    Raises:
        NotebookError: a cell failed, did not end, or took the kernel with it.
    """
    from nbclient import exceptions

    for index, cell in cells:
        where = f"{relative(path)}: cell {cell.id}"
        try:
            # As nbval does it: without history, so that a trailing `;` or `_` mean the same.
            await client.async_execute_cell(cell, index, store_history=False)
        except exceptions.CellExecutionError as problem:
            tail = _ANSI.sub("", problem.traceback).strip().splitlines()[-15:]
            raise NotebookError("\n    ".join([f"{where} raises an error", *tail])) from None
        except exceptions.CellTimeoutError:
            raise NotebookError(f"{where} did not end within {CELL_SECONDS} seconds") from None
        except exceptions.DeadKernelError:
            raise NotebookError(f"{where}: the kernel died while it ran this cell") from None


def _halves(notebook: dict) -> tuple[list, list]:
    """The code cells, as (index, cell): those before the twin's record is read, and the rest."""
    code = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    first = next((n for n, (_, cell) in enumerate(code) if "twin" in tags(cell)), len(code))
    return code[:first], code[first:]


async def _execute(paths: list[pathlib.Path]) -> list[dict]:
    """Run the halves of a pair side by side, and what compares them when both have a record."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_kernel(path)) for path in paths]
        for stage in (0, 1):
            runs = (
                _run(client, path, _halves(client.nb)[stage])
                for client, path in zip(clients, paths, strict=True)
            )
            results = await asyncio.gather(*runs, return_exceptions=True)
            for problem in results:
                if isinstance(problem, BaseException) and not isinstance(problem, NotebookError):
                    raise problem
            if problems := [str(problem) for problem in results if problem]:
                raise NotebookError("\n".join(problems))
        return [client.nb for client in clients]


def _compared(notebook: dict) -> str:
    """What of a notebook must be the same in each run: all but the outputs that nbval ignores."""
    cells = [
        {**cell, "outputs": []}
        if "nbval-ignore-output" in tags(cell) and "twin" not in tags(cell)
        else cell
        for cell in notebook["cells"]
    ]
    return json.dumps({**notebook, "cells": cells}, sort_keys=True)


def store_outputs(paths: list[pathlib.Path]) -> list[pathlib.Path]:
    """Format, run and store the halves of one pair (or one of them); return the files that changed.

    Raises:
        NotebookError: a cell failed. No outputs are stored then, in neither half.
    """
    for path in paths:
        read(path)
        _format(path)
    changed = []
    for path, notebook in zip(paths, asyncio.run(_execute(paths)), strict=True):
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for count, cell in enumerate(code, start=1):
            cell.execution_count = count
        normalise(notebook)
        # A timing differs each time and nobody compares it: no reason to rewrite the file.
        if _compared(notebook) != _compared(read(path)) and write(path, notebook):
            changed.append(path)
    return changed


# Exercises


def exercise(path: pathlib.Path) -> dict:
    """The exercise that a solved notebook gives.

    Raises:
        NotebookError: an answer has no stub; the message names the cell.
    """
    notebook = read(path)
    notebook.cells = [cell for cell in notebook.cells if "solution-only" not in tags(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                cell.source = stub(cell.source)
            except NotebookError as problem:
                raise NotebookError(f"{relative(path)}: cell {cell.id}: {problem}") from None
            cell.outputs, cell.execution_count = [], None
    normalise(notebook)
    return notebook


def stale_exercises(root: pathlib.Path = course.ROOT) -> Iterator[str]:
    """One sentence for each file of exercises/ that is not what solutions/ gives."""
    nbformat = import_nbformat()

    for path in course.notebooks("exercises", root):
        if not (root / "solutions" / path.name).exists():
            yield f"{relative(path, root)}: there is no solution to generate it from: delete it."
    for source in course.notebooks("solutions", root):
        path = root / "exercises" / source.name
        if not path.exists():
            yield f"{relative(path, root)}: missing: run `make exercises`."
            continue
        fresh = exercise(source)
        if _bytes(fresh) != path.read_bytes():
            cells = zip(nbformat.reads(_bytes(fresh), 4).cells, read(path).cells, strict=False)
            cell = next((f"cell {new.id}" for new, old in cells if new != old), "metadata or end")
            yield (
                f"{relative(path, root)}: {cell}: not what {relative(source, root)} gives: change "
                "the solution, then run `make exercises`."
            )


# Shared cells


def _at_head(path: pathlib.Path) -> dict[str, str] | None:
    """The sources of a notebook's cells by id as last committed; None where git cannot say."""
    command = ["git", "-C", str(path.parent), "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return {cell.get("id"): "".join(cell["source"]) for cell in json.loads(done.stdout)["cells"]}


def _newer(paths: list[pathlib.Path], cells: list[dict]) -> int:
    """Which of the two halves (0 or 1) has the newer version of a shared cell."""
    heads = [_at_head(path) for path in paths]
    if all(heads):
        changed = [
            head.get(cell.id) != cell.source for head, cell in zip(heads, cells, strict=True)
        ]
        if all(changed):
            raise NotebookError(
                f"{relative(paths[0])}: cell {cells[0].id}: changed in both halves, differently: "
                "make them equal by hand."
            )
        if any(changed):
            return changed.index(True)
    return max((0, 1), key=lambda half: paths[half].stat().st_mtime)


def sync(paths: list[pathlib.Path]) -> list[str]:
    """Copy each `shared` cell that differs from the newer half of a pair to the older.

    Newer is the half that changed the cell since the last commit, or the file saved last.

    Returns:
        One sentence for each cell copied.

    Raises:
        NotebookError: both halves changed a cell, differently. Neither file is changed then.
    """
    notebooks = [read(path) for path in paths]
    right = {cell.id: cell for cell in notebooks[1].cells}
    said = []
    for cell in notebooks[0].cells:
        pair = [cell, right.get(cell.id)]
        if "shared" in tags(cell) and pair[1] and cell.source != pair[1].source:
            newer = _newer(paths, pair)
            pair[1 - newer].source = pair[newer].source
            said.append(f"{relative(paths[1 - newer])}: cell {cell.id}: copied from its twin")
    if said:
        for path, notebook in zip(paths, notebooks, strict=True):
            write(path, notebook)
    return said


# A new lesson


def new_lesson(
    number: str, slug: str, title: str, root: pathlib.Path = course.ROOT
) -> list[pathlib.Path]:
    """Write a lesson's pair, exercises, checks and wrong answers from `paired/template/`.

    Raises:
        NotebookError: the number is taken, or a name will not do.
    """
    for name, value, pattern, wanted in (
        ("NUMBER", number, r"\d\d", "two digits"),
        ("SLUG", slug, r"[a-z][a-z0-9_]*", "lower-case words joined by _"),
        ("TITLE", title, r"[^\s\"\\][^\n\"\\]*", "a line without quotes"),
    ):
        if not re.fullmatch(pattern, value):
            raise NotebookError(
                f"{name} is {value!r}; expected {wanted}, as in make new-lesson NUMBER=03 "
                'SLUG=backprop TITLE="Backpropagation by hand"'
            )
    taken = [path for path in root.glob(f"*/{number}_*.ipynb") if path.parent.name in course.KINDS]
    if taken:
        there = relative(min(taken), root)
        raise NotebookError(f"There is a lesson {number} already, {there}: take another NUMBER.")
    template, lesson = course.ROOT / "paired" / "template", course.Lesson(number, slug)
    texts = {root / "paired" / "checks" / f"lesson_{number}.py": template / "checks.py"}
    for half in course.FRAMEWORKS:
        wrong = root / "tests" / "wrong_answers" / f"lesson_{number}_{half}.py"
        texts[wrong] = template / f"wrong_answers_{half}.py"
        for kind in ("notebooks", "solutions"):
            texts[lesson.path(half, kind, root)] = template / f"{kind}_{half}.ipynb"
    for path, source in texts.items():
        text = source.read_text(encoding="utf-8").replace("00_template", lesson.name)
        text = re.sub("(?i)(lesson) 00", rf"\1 {number}", text).replace("Template lesson", title)
        text = text.replace("template lesson", title[0].lower() + title[1:])
        _replace(path, text.encode())
    # The order of imports depends on the folder.
    modules = [str(path) for path in texts if path.suffix == ".py"]
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--fix", "--select", "I"]
    subprocess.run([*command, *modules], check=True)
    for half in course.FRAMEWORKS:
        texts[target := lesson.path(half, "exercises", root)] = None
        write(target, exercise(lesson.path(half, "solutions", root)))
    return list(texts)


# The command line


def pairs(lesson: str, files: list[str], kinds: tuple[str, ...]) -> list[list[pathlib.Path]]:
    """The notebooks to work on, the halves of a pair together: of one lesson, files, or all."""
    paths = [pathlib.Path(file).resolve() for file in files]
    if not files:
        lessons = [course.lesson(lesson)] if lesson else course.lessons()
        there = (path for each in lessons for kind in kinds for path in each.paths(kind))
        paths = [path for path in there if path.exists()]
    grouped: dict[tuple, list[pathlib.Path]] = {}
    for path in paths:
        grouped.setdefault((path.parent, path.stem.rpartition("_")[0]), []).append(path)
    return list(grouped.values())


def _outputs(options: argparse.Namespace) -> bool:
    """Run lessons and store their outputs."""
    good = True
    for pair in pairs(options.lesson, options.files, ("notebooks", "solutions")):
        print(f"{', '.join(map(relative, pair))}: running ...", flush=True)
        start = time.monotonic()
        try:
            changed = store_outputs(pair)
        except NotebookError as problem:
            print(f"{problem}\n    Nothing was stored.", file=sys.stderr)
            good = False
            continue
        said = f"stored in {', '.join(map(relative, changed))}" if changed else "unchanged"
        print(f"    {time.monotonic() - start:.1f} s, {said}")
    return good


def _exercises(options: argparse.Namespace) -> bool:
    """Generate exercises/ from solutions/."""
    for source in (path for pair in pairs(options.lesson, [], ("solutions",)) for path in pair):
        path = course.ROOT / "exercises" / source.name
        print(f"{relative(path)}: {'written' if write(path, exercise(source)) else 'unchanged'}")
    return True


def _sync(options: argparse.Namespace) -> bool:
    """Copy shared cells from the newer half of a pair to the older."""
    work = pairs(options.lesson, [], ("notebooks", "solutions"))
    said = [line for pair in work if len(pair) == 2 for line in sync(pair)]
    print(*said or ["All shared cells are equal."], sep="\n")
    if said:
        print("Outputs may have changed with the code: run `make outputs`.")
    return True


def _lint(options: argparse.Namespace) -> bool:
    """Hold every notebook and pair to the course's rules."""
    from paired import lint

    problems = list(lint.course_problems(course.ROOT))
    print(*problems or ["All notebooks keep the rules."], sep="\n")
    return not problems


def _new_lesson(options: argparse.Namespace) -> bool:
    """Start a lesson: a pair, its solutions and exercises, and its checks."""
    for path in new_lesson(options.number, options.slug, options.title):
        print(f"{relative(path)}: written")
    print(f"Next: make outputs LESSON={options.number}, then make lab LESSON={options.number}")
    return True


def main(arguments: list[str] | None = None) -> int:
    """Run one tool; 1 if there is something to mend."""
    parser = argparse.ArgumentParser(prog="python -m paired.notebooks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, tool in {
        "lint": _lint,
        "outputs": _outputs,
        "exercises": _exercises,
        "sync": _sync,
        "new-lesson": _new_lesson,
    }.items():
        command = commands.add_parser(name, help=tool.__doc__, description=tool.__doc__)
        command.set_defaults(tool=tool)
        if tool in (_outputs, _exercises, _sync):
            command.add_argument("--lesson", default="", help="a number, such as 04; else all")
    commands.choices["outputs"].add_argument("files", nargs="*", help="these notebooks only")
    for name in ("number", "slug", "title"):
        commands.choices["new-lesson"].add_argument(name)
    options = parser.parse_args(arguments)
    try:
        return 0 if options.tool(options) else 1
    except (NotebookError, LookupError) as problem:
        print(problem, file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted; every file is whole.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    # Ended by `kill`, clean up as after Ctrl-C: kernels must not outlive the tool. Not by way of
    # SIGINT, which is ignored in the background of a shell.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
