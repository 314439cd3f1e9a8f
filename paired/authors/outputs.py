"""Run notebooks and store what they print: `make outputs`, or `make outputs LESSON=04`.

A file is written in one step and only when it changes: interrupted, this leaves whole files behind.
"""

import argparse
import asyncio
import contextlib
import difflib
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Iterator

from paired import course, needs
from paired.authors import files
from paired.authors.files import NotebookError, read, relative, tags

CELL_SECONDS = 120


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
        files.replace(path, done.stdout)


@contextlib.asynccontextmanager
async def _kernel(path: pathlib.Path) -> AsyncIterator:
    """A client for the notebook, with a kernel of its own in the notebook's folder."""
    files.import_nbformat()
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
            tail = files.plain(problem.traceback).strip().splitlines()[-15:]
            raise NotebookError("\n    ".join([f"{where} raises an error", *tail])) from None
        except exceptions.CellTimeoutError:
            raise NotebookError(f"{where} did not end within {CELL_SECONDS} seconds") from None
        except exceptions.DeadKernelError:
            raise NotebookError(f"{where}: the kernel died while it ran this cell") from None


def _left_out(path: pathlib.Path, notebook: dict) -> list[str]:
    """Say once what is missing here, and return the ids of the cells that keep what is stored.

    Raises:
        NotebookError: one of them was never run.
    """
    said = {cell.id: needs.of(tags(cell)) for cell in notebook.cells if cell.cell_type == "code"}
    left_out = [cell for cell in notebook.cells if said.get(cell.id)]
    for reason in dict.fromkeys(said[cell.id] for cell in left_out):
        print(f"    NOT RUN in {relative(path)}: {reason}", flush=True)
    for cell in left_out:
        if cell.execution_count is None:
            raise NotebookError(f"{relative(path)}: cell {cell.id} was never run: {said[cell.id]}")
    return [cell.id for cell in left_out]


def _halves(notebook: dict, left_out: list[str]) -> tuple[list, list]:
    """The code cells, as (index, cell): those before the twin's record is read, and the rest."""
    cells = enumerate(notebook.cells)
    code = [(i, c) for i, c in cells if c.cell_type == "code" and c.id not in left_out]
    first = next((n for n, (_, cell) in enumerate(code) if "twin" in tags(cell)), len(code))
    return code[:first], code[first:]


async def _execute(paths: list[pathlib.Path]) -> list[dict]:
    """Run the halves of a pair side by side, and what compares them when both have a record."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_kernel(path)) for path in paths]
        halves = [
            _halves(client.nb, _left_out(path, client.nb))
            for client, path in zip(clients, paths, strict=True)
        ]
        for stage in (0, 1):
            runs = (
                _run(client, path, half[stage])
                for client, path, half in zip(clients, paths, halves, strict=True)
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


def _shown(cell: dict) -> list[str]:
    """What a reader sees of a cell's outputs, in lines."""
    lines = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        pictures = [(kind, value) for kind, value in data.items() if kind.startswith("image/")]
        lines += [f"[{kind}, checksum {zlib.crc32(value.encode())}]" for kind, value in pictures]
        text = output.get("text") or "\n".join(output.get("traceback", []))
        text = text or ("" if pictures else data.get("text/plain", ""))
        lines += files.plain(text).splitlines()
    return lines


def difference(before: dict, after: dict) -> Iterator[str]:
    """What changed in the outputs, cell by cell: a wrong output must not be stored unseen."""
    stored = {cell.id: cell for cell in before["cells"]}
    for cell in after["cells"]:
        if "nbval-ignore-output" in tags(cell):
            continue
        pair = _shown(stored.get(cell.id, {})), _shown(cell)
        # The first two lines of a diff name files.
        if lines := list(difflib.unified_diff(*pair, n=0, lineterm=""))[2:]:
            yield f"cell {cell.id}:"
            yield from (f"    {line}" for line in lines if not line.startswith("@@"))


def store_outputs(paths: list[pathlib.Path]) -> dict[pathlib.Path, list[str]]:
    """Format, run and store the halves of one pair, or one of them.

    Returns:
        The files that changed, each with the `difference` of its outputs.

    Raises:
        NotebookError: a cell failed. No outputs are stored then, in neither half.
    """
    for path in paths:
        read(path)
        _format(path)
    changed = {}
    for path, notebook in zip(paths, asyncio.run(_execute(paths)), strict=True):
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for count, cell in enumerate(code, start=1):
            cell.execution_count = count
            if "own-times" in tags(cell):  # of whoever runs it
                cell.outputs = []
        files.normalise(notebook)
        # A timing differs each time and nobody compares it: no reason to rewrite the file.
        before = read(path)
        if _compared(notebook) != _compared(before) and files.write(path, notebook):
            changed[path] = list(difference(before, notebook))
    return changed


def main(arguments: list[str] | None = None) -> int:
    """Run lessons and store their outputs; 1 if there is something to mend."""
    parser = argparse.ArgumentParser(prog="make outputs", description=__doc__)
    parser.add_argument("--lesson", default="", help="a number, such as 04; else all")
    parser.add_argument("files", nargs="*", help="these notebooks only")
    options = parser.parse_args(arguments)
    status = 0
    try:
        for pair in files.pairs(options.lesson, options.files, ("notebooks", "solutions")):
            print(f"{', '.join(map(relative, pair))}: running ...", flush=True)
            start = time.monotonic()
            try:
                changed = store_outputs(pair)
            except NotebookError as problem:
                print(f"{problem}\n    Nothing was stored.", file=sys.stderr)
                status = 1
                continue
            said = f"stored in {', '.join(map(relative, changed))}" if changed else "unchanged"
            print(f"    {time.monotonic() - start:.1f} s, {said}")
            for path, lines in changed.items():
                if lines:
                    print(f"What {relative(path)} shows now:", *lines, sep="\n    ")
    except LookupError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; every file is whole.", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    # Ended by `kill`, clean up as after Ctrl-C: kernels must not outlive the tool. Not by way of
    # SIGINT, which is ignored in the background of a shell.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
