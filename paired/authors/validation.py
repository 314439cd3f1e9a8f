"""A pytest plugin that makes nbval strict, quick and readable: `-p paired.authors.validation`.

- Tests are named after cells: `notebooks/04_network_pytorch.ipynb::loss-curve`.
- After its first failure the rest of a notebook is skipped, and the report shows what differs.
- A kernel that dies is noticed at once, and a cell that does not end is stopped in time.
- Kernels are forked from a process that has imported the framework; see `paired.authors.kernels`.
  Without one, or with `PAIRED_FORK=` in the environment, they are started as usual.
- Pictures are compared too: as many as are stored, of the same sizes, and alike.
- A cell that needs what is not here (`needs-NAME`) is skipped, with one line for the notebook.
- A cell that was never run fails, where nbval alone would not compare it, and so does a failed
  magic. In a folder `exercises` nothing has outputs, and nothing is compared; but every check says
  that its task is not attempted yet.
"""

import base64
import contextlib
import difflib
import io
import os
import pathlib
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from queue import Empty
from unittest import mock

from paired import course, needs
from paired.authors import changes, files, kernels, outputs

files.import_nbformat()  # quickly, before nbval does

import pytest  # noqa: E402
from jupyter_client import manager  # noqa: E402
from nbval import kernel as nbval_kernel  # noqa: E402
from nbval import plugin as nbval  # noqa: E402
from xdist.scheduler import LoadGroupScheduling  # noqa: E402

_POLL_SECONDS = 1.0
# What a cell gets, once interrupted, to come to an end.
_GRACE_SECONDS = 5.0

_PICTURES = ("image/png", "image/jpeg")
# How far a picture may be from the stored one; see `distance`. On another CPU, emulated, and with
# two threads the lessons' pictures were within 0.002, but for those of cells tagged `rounding`,
# within 14.2: they show rounding errors, or a training that multiplies them. The smallest mistakes
# that a reader would see, a digit of an axis or one point of a line, are 2 and more; where cells
# are tagged `rounding`, a blank picture is 28 and more.
LARGEST_DISTANCE, LARGEST_OF_ROUNDING = 1.0, 20.0

# How often to start a kernel that dies before it has answered.
_TRIES = 3

# Where the sockets are of the processes that kernels are forked from.
_FORK = "PAIRED_FORK"


class KernelDiedError(Exception):
    """The kernel's process is gone."""


class Kernel(nbval_kernel.RunningKernel):
    """A kernel that is watched while a cell runs."""

    deadline = float("inf")
    status = "ok"

    def __init__(self, address: pathlib.Path | None, cwd: str, startup_timeout: float) -> None:
        # A kernel binds ports that were free when they were chosen. Let no import come in between;
        # and where another program was quicker all the same, no cell has run yet: try again.
        if address and not kernels.ready(address):
            address = None
        for tries_left in reversed(range(_TRIES)):
            self._start(address, cwd)
            try:
                self.kc.wait_for_ready(timeout=startup_timeout)
                self._ensure_iopub_up()
                return
            except BaseException as problem:
                died = isinstance(problem, RuntimeError) and not self.is_alive()
                self.stop()
                if not (died and tries_left):
                    raise

    def _start(self, address: pathlib.Path | None, cwd: str) -> None:
        """Start a process as nbval does it, but for the process that it is forked from."""
        specs = nbval_kernel.NbvalKernelspecManager()
        name = nbval_kernel.CURRENT_ENV_KERNEL_NAME
        self.km = manager.KernelManager(kernel_name=name, kernel_spec_manager=specs)
        self.km.provisioner = kernels.ForkProvisioner(
            kernel_id="", kernel_spec=self.km.kernel_spec, parent=self.km
        )
        self.km.provisioner.address = address
        self.km.start_kernel(stderr=subprocess.DEVNULL, cwd=cwd)
        self.kc = self.km.client()
        self.kc.start_channels()

    def get_message(self, stream: str, timeout: float | None = None) -> dict:
        """Wait for a message, but not for one that a dead kernel can no longer send."""
        until = min(time.monotonic() + (timeout or 0), self.deadline)
        while (left := until - time.monotonic()) > 0:
            try:
                return super().get_message(stream, min(left, _POLL_SECONDS))
            except Empty:
                process = self.km.provisioner.process
                if not self.is_alive():
                    raise KernelDiedError(_ending(process and process.poll())) from None
        raise Empty

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait until the kernel has run a cell, and keep whether it failed."""
        while True:
            message = self.get_message("shell", timeout)
            if message["parent_header"].get("msg_id") == msg_id:
                self.status = message["content"]["status"]
                return


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}" if code else "it ended by itself"
    name = signal.Signals(-code).name
    return f"{name}: usually out of memory" if name == "SIGKILL" else name


def distance(stored: str, now: str) -> float:
    """How far two pictures are from each other: 0 for the same, 255 for black and white.

    Args:
        stored: a picture, as a notebook has it: in base64.
        now: another one, in base64.

    Returns:
        The root mean square of the difference of their red, green, blue and opacity, 0 to 255 each.

    Raises:
        ValueError: they have different sizes.
    """
    # Not above: most pictures are the stored one to the byte, and this takes half a second.
    import numpy as np
    from matplotlib.testing import compare
    from PIL import Image

    images = [Image.open(io.BytesIO(base64.b64decode(text))) for text in (stored, now)]
    (width, height), (stored_width, stored_height) = images[1].size, images[0].size
    if images[0].size != images[1].size:
        raise ValueError(
            f"has {width} x {height} pixels, the stored one {stored_width} x {stored_height}."
        )
    arrays = (np.asarray(image.convert("RGBA"), "int16") for image in images)
    return float(compare.calculate_rms(*arrays))


def _pictures(outputs: list) -> list[str]:
    """The pictures among outputs, in base64."""
    data = (output.get("data", {}) for output in outputs)
    return ["".join(each[kind].split()) for each in data for kind in each if kind in _PICTURES]


def _unlike(stored: list[str], now: list[str], largest: float) -> Iterator[str]:
    """What is wrong with the pictures of a cell, in a sentence each."""
    if len(stored) != len(now):
        yield f"The stored output has {len(stored)} picture(s), this run gives {len(now)}."
        return
    for number, (old, new) in enumerate(zip(stored, now, strict=True), start=1):
        try:
            far = 0.0 if old == new else distance(old, new)
        except ValueError as problem:
            yield f"Picture {number} {problem}"
            continue
        if far > largest:
            yield (
                f"Picture {number} is not the stored one: their distance is {far:.2f} of 255, at "
                f"most {largest:g} is another machine's doing. If it is as it should be: `make "
                "outputs`."
            )


class ValidatedNotebook(nbval.IPyNbFile):
    """A notebook, one test for each code cell."""

    failed = note = ""

    def _proven(self) -> dict:
        """The notebook that is proven: where only its outputs changed, as it was committed.

        An exercise is proven as a student gets it, and anything else as it lies.
        """
        mine = files.read(self.path)
        head = changes.is_changed(self.path) and changes.at_head(self.path)
        if not head:
            return mine
        if self.exercise or changes.sources(mine) == changes.sources(head):
            return head
        self.note = f"{changes.how_to_undo(self.path)}\n"
        return mine

    @property
    def exercise(self) -> bool:
        """Whether it is one for students, whose answers are missing."""
        return self.path.parent.name == "exercises"

    @property
    def strict(self) -> bool:
        """Whether outputs are compared."""
        return self.config.option.nbval and not self.exercise

    def collect(self) -> Iterator["Cell"]:
        """The code cells as tests, named by their ids."""
        self.compare_outputs = self.strict
        try:
            notebook = self._proven()
            with mock.patch.object(nbval.nbformat, "read", return_value=notebook):
                items = list(super().collect())
        except files.NotebookError as problem:
            raise self.CollectError(str(problem)) from None
        for item in items:
            yield Cell.from_parent(
                self,
                name=item.cell.id,
                cell_num=item.cell_num,
                cell=item.cell,
                options=item.options,
            )

    def setup(self) -> None:
        """Leave the kernel to the first cell, whose failure is reported once."""

    def start(self) -> None:
        """Start the kernel."""
        folder, half = os.environ.get(_FORK), _framework(self.path)
        address = pathlib.Path(folder, half) if folder and half in course.FRAMEWORKS else None
        limit = self.config.option.nbval_kernel_startup_timeout
        self.kernel = Kernel(address, str(self.path.parent), limit)
        self.setup_sanitize_files()


class Cell(nbval.IPyNbCell):
    """A code cell; passes if it runs and, under `--nbval`, its outputs are the stored ones."""

    def setup(self) -> None:
        """Skip what comes after a failure, and what needs something that is not here."""
        if said := needs.of(files.tags(self.cell)):
            raise pytest.skip.Exception(f"NOT PROVEN HERE: {said}", _use_item_location=True)
        if self.parent.failed:
            reason = f"not run, because cell {self.parent.failed} failed"
            raise pytest.skip.Exception(reason, _use_item_location=True)

    def runtest(self) -> None:
        """Run the cell and compare."""
        try:
            self._run()
        except pytest.skip.Exception:
            raise
        except BaseException:
            self.parent.failed = self.name
            raise

    def _run(self) -> None:
        strict = self.parent.strict
        limit = self.config.option.nbval_cell_timeout
        if strict and self.cell.execution_count is None and not self.options["skip"]:
            self.raise_cell_error("was never run, so nothing is compared: run `make outputs`")
        if self.parent.kernel is None:
            self.parent.start()
        kernel = self.parent.kernel
        kernel.deadline = time.monotonic() + limit + 2 * _GRACE_SECONDS
        self.output_timeout = _GRACE_SECONDS
        try:
            super().runtest()
        except nbval.NbCellError as problem:
            if self.parent.timed_out:
                self._raise_timeout(limit)
            raise problem
        except KernelDiedError as problem:
            self.raise_cell_error(f"killed the kernel ({problem})")
        if self.parent.timed_out:  # and the cell made the best of its interruption
            self._raise_timeout(limit)
        written = "".join(out.text for out in self.test_outputs if out.get("name") == "stderr")
        if kernel.status == "error" and not self.options["check_exception"]:
            self.raise_cell_error("fails", written)
        if strict and written:
            self.raise_cell_error("writes to stderr", written)
        if self.parent.exercise and re.match(r"tasks\.\w+\.check\(", self.cell.source):
            said = "".join(out.get("text", "") for out in self.test_outputs)
            if not said.startswith("Not attempted: "):
                self.raise_cell_error("does not say that the task is not attempted", said)

    def compare_outputs(self, test: list, ref: list, skip_compare: tuple | None = None) -> bool:
        """Whether the outputs are the stored ones; what pictures differ is kept."""
        rounding = "rounding" in files.tags(self.cell)
        largest = LARGEST_OF_ROUNDING if rounding else LARGEST_DISTANCE
        self.unlike = list(_unlike(_pictures(ref), _pictures(test), largest))
        return super().compare_outputs(test, ref, skip_compare) and not self.unlike

    def _raise_timeout(self, limit: float) -> None:
        self.raise_cell_error(f"did not end within {limit:g} seconds")

    def repr_failure(self, excinfo: pytest.ExceptionInfo) -> str:
        """Say which cell failed, and how what it gives differs from what is stored."""
        problem = excinfo.value
        where = f"{self.parent.note}{self.parent.nodeid}: cell {self.name}"
        if not isinstance(problem, nbval.NbCellError):
            return f"{where} could not be run: {problem!r}"
        said, detail = str(problem), problem.inner_traceback or ""
        if said == "Cell outputs differ":
            said = "gives another output than the stored one"
            diff = difflib.unified_diff(
                self._lines(self.cell.outputs),
                self._lines(self.test_outputs),
                "stored",
                "now",
                lineterm="",
            )
            detail = "\n".join([*diff, *self.unlike]) or detail
        elif said == "Cell execution caused an exception":
            said = "raises an error"
        detail = files.plain(detail).strip()
        return f"{where} {said}" + (f"\n\n{detail}" if detail else "")

    def _lines(self, outputs: list) -> list[str]:
        """What outputs say, line by line, as it is compared."""
        lines = []
        for output in nbval.coalesce_streams(outputs):
            if output.output_type == "stream":
                prefix = "stderr: " if output.name == "stderr" else ""
                lines += [prefix + line for line in self.sanitize(output.text).splitlines()]
            elif output.output_type == "error":
                lines.append(self.sanitize(f"{output.ename}: {output.evalue}"))
            else:
                for kind, value in sorted(output.data.items()):
                    shown = kind not in self.parent.skip_compare and isinstance(value, str)
                    lines += self.sanitize(value).splitlines() if shown else [f"<{kind}>"]
        return lines

    def reportinfo(self) -> tuple:
        """Where the test is, for pytest's reports."""
        return self.path, 0, self.nodeid


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Take nbval's notebooks and make them ours."""
    collectors = yield
    return [
        ValidatedNotebook.from_parent(parent, path=file_path)
        if isinstance(each, nbval.IPyNbFile)
        else each
        for each in collectors
    ]


class _Schedule(LoadGroupScheduling):
    """Tests as `--dist loadgroup` has them, and the cells of a notebook together."""

    def _split_scope(self, nodeid: str) -> str:
        notebook, found, _ = nodeid.partition(".ipynb::")
        return notebook if found else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log) -> _Schedule | None:
    """Keep the cells of a notebook together where tests are run in groups."""
    return _Schedule(config, log) if config.option.dist == "loadgroup" else None


def _framework(path: str | pathlib.Path) -> str:
    """The last part of a notebook's name: which half of a pair it is, if it is one."""
    return pathlib.Path(path).stem.rpartition("_")[2]


def pytest_configure(config: pytest.Config) -> None:
    """Give kernels the course's environment, and a cell less than nbval's half an hour."""
    os.environ.update(outputs.kernel_environment())
    if config.option.nbval_cell_timeout == 2000:
        config.option.nbval_cell_timeout = float(outputs.CELL_SECONDS)
    if hasattr(config, "workerinput") or _FORK in os.environ:
        return
    halves = {_framework(argument) for argument in config.args}
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    folder = stack.enter_context(kernels.forking(halves.intersection(course.FRAMEWORKS)))
    if folder:
        os.environ[_FORK] = str(folder)
        stack.callback(os.environ.pop, _FORK)
