"""The pytest plugin around nbval: every kind of bad notebook, its report, and how soon it comes.

The notebooks are tiny and import no framework; all of one kind share one run of pytest.
"""

import base64
import dataclasses
import io
import os
import pathlib
import re
import subprocess
import sys
import time

from paired import course
from paired.authors import validation

import nbformat
import pytest
from matplotlib import style
from matplotlib.figure import Figure
from nbformat import v4
from nbval.plugin import get_sanitize_patterns

# The runs of pytest in its fixtures are shared: these tests stay on one worker.
pytestmark = pytest.mark.xdist_group("validation")

TIMEOUT = 2
SANITIZE = course.ROOT / "env" / "nbval-sanitize.cfg"


def write(path: pathlib.Path, *cells: tuple) -> None:
    """Write code cells, each as (id, source, stored output, or None if never run, *tags).

    An output is a text or a list of pictures.
    """
    notebook = v4.new_notebook()
    for count, (cell_id, source, stored, *tags) in enumerate(cells, start=1):
        outputs = [v4.new_output("stream", text=stored)] if stored else []
        if isinstance(stored, list):
            outputs = [v4.new_output("display_data", {"image/png": p}) for p in stored]
        count = None if stored is None else count
        notebook.cells.append(
            v4.new_code_cell(
                source, id=cell_id, outputs=outputs, execution_count=count, metadata={"tags": tags}
            )
        )
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


@style.context("default")  # other tests on this worker may use another
def draw(colours=("tab:blue", "tab:orange"), values=(1, 4, 9), top=10, width=4) -> str:
    """A figure of two lines, in base64."""
    figure = Figure((width, 3), dpi=96)
    axes = figure.subplots()
    axes.plot([1, 2, 3], color=colours[0])
    axes.plot(values, color=colours[1])
    axes.set_ylim(0, top)
    figure.savefig(picture := io.BytesIO())
    return base64.b64encode(picture.getvalue()).decode()


STORED = draw()
UNLIKE = "Picture 1 is not the stored one: their distance is "
# What is planted: the pictures that a cell shows where one is stored, and what is said of them.
PICTURES = {
    "no_image": ([], "The stored output has 1 picture(s), this run gives 0."),
    "extra_image": ([STORED, STORED], "The stored output has 1 picture(s), this run gives 2."),
    "blank": ([draw(("white", "white"))], UNLIKE),
    "other_data": ([draw(values=(1, 4, 8.9))], UNLIKE),
    "swapped_colours": ([draw(("tab:orange", "tab:blue"))], UNLIKE),
    "clipped_axis": ([draw(top=9)], UNLIKE),
    "other_size": ([draw(width=5)], "Picture 1 has 480 x 288 pixels, the stored one 384 x 288."),
}


@dataclasses.dataclass
class Run:
    """A run of pytest over a folder: what it reported of each notebook, by the file's name."""

    folder: pathlib.Path
    seconds: float
    code: int
    text: str
    changed: list[str]

    def report(self, name: str, cell: str) -> str:
        """The report of one cell's failure, which must be the only one of its notebook."""
        titles = re.findall(rf"^_+ .*\b{name}\.ipynb::(\S+) _+$", self.text, re.MULTILINE)
        assert titles == [cell], self.text
        after = self.text.split(f"{name}.ipynb::{cell} __", 1)[1]
        return re.split(r"^(?:_{3,}|={3,}) .*$", after.partition("\n")[2], flags=re.MULTILINE)[0]


def show(*pictures: str) -> str:
    """The source of a cell that shows pictures."""
    return f"for each in {pictures!r}:\n    display({{'image/png': each}}, raw=True)"


def run(folder: pathlib.Path, *options: str) -> Run:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    # As a student would call it: from the folder, with no settings of this repository.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rA",
        "-p",
        "paired.authors.validation",
        *options,
        ".",
    ]
    environment = {**os.environ, "PYTHONPATH": str(course.ROOT), "PIDS": str(folder.parent)}
    start = time.monotonic()
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    seconds = time.monotonic() - start
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    return Run(folder, seconds, done.returncode, done.stdout + done.stderr, changed)


KEEP_PID = "import os, pathlib\npathlib.Path(os.environ['PIDS'], str(os.getpid())).touch()"


@pytest.fixture(scope="module")
def strict(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("strict") / "notebooks"
    nothing = ("after", "pass", "")
    write(
        folder / "good.ipynb",
        ("one", "print(1)\n" + KEEP_PID, "1\n"),
        ("two", "print('cuda:0')", "cpu\n"),
    )
    write(
        folder / "never_run.ipynb", ("one", "print(1)", "1\n"), ("two", "print(2)", None), nothing
    )
    write(
        folder / "changed.ipynb", ("one", "print('loss')\nprint(0.123)", "loss\n0.124\n"), nothing
    )
    write(folder / "dead.ipynb", ("one", "import os, signal", ""),
          ("die", "os.kill(os.getpid(), signal.SIGKILL)", ""), nothing)  # fmt: skip
    write(folder / "endless.ipynb", ("loop", KEEP_PID + "\nwhile True:\n    pass", ""), nothing)
    stubborn = "try:\n    while True:\n        pass\nexcept KeyboardInterrupt:\n    pass"
    write(folder / "stubborn.ipynb", ("loop", stubborn, "", "nbval-ignore-output"), nothing)
    warn = "import sys\nprint('careful', file=sys.stderr)"
    write(folder / "stderr.ipynb", ("warn", warn, "", "nbval-ignore-output"), nothing)
    (folder / "broken.ipynb").write_text("{ not json")
    write(folder / "figures.ipynb", ("same", show(STORED), [STORED]),
          ("ignored", show(STORED), [STORED, STORED], "nbval-ignore-output"),
          ("loose", show(draw(values=(1, 4, 8.9))), [STORED], "rounding"),
          ("unplanned", show(STORED), ""))  # fmt: skip
    for name, (pictures, _) in PICTURES.items():
        write(folder / f"{name}.ipynb", ("figure", show(*pictures), [STORED]), nothing)
    limit, sanitize = f"--nbval-cell-timeout={TIMEOUT}", f"--nbval-sanitize-with={SANITIZE}"
    return run(folder, "--nbval", limit, sanitize, "-n", "2", "--dist", "loadfile")


@pytest.fixture(scope="module")
def lax(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("lax") / "exercises"
    write(
        folder / "good.ipynb", ("answer", "def f(x):\n    return ...", None), ("call", "f(1)", None)
    )
    write(folder / "syntax.ipynb", ("fine", "x = 1", None),
          ("answer", "def f(x:\n    return x", None), ("call", "f(1)", None))  # fmt: skip
    write(folder / "raises.ipynb", ("answer", "1 / 0", None), ("call", "2", None))
    write(folder / "magic.ipynb", ("answer", "%no_such_magic", None), ("call", "2", None))
    write(folder / "meant.ipynb", ("answer", "1 / 0", None, "raises-exception"))
    tasks = "class tasks:\n    class one:\n        check = print"
    for name, said in ("stub", "Not attempted: one"), ("solved", "Solved: one"):
        check = f"tasks.one.check({said!r})"
        write(folder / f"{name}.ipynb", ("setup", tasks, None), ("check", check, None))
    return run(folder, "--nbval")


@pytest.mark.parametrize(
    ("cpu", "gpu"),
    [
        ("tensor([1.])", "tensor([1.], device='cuda:0')"),
        ("tensor(1., grad_fn=<F>)", "tensor(1., device='cuda:0', grad_fn=<F>)"),
        ("device(type='cpu')", "device(type='cuda', index=0)"),
        ("on cpu", "on cuda:0"),
        ("/device:CPU:0", "/job:localhost/replica:0/task:0/device:GPU:0"),
    ],
)
def test_what_names_the_device_is_not_compared(cpu, gpu):
    patterns = get_sanitize_patterns(SANITIZE.read_text())
    for pattern, replacement in patterns:
        cpu, gpu = (re.sub(pattern, replacement, text) for text in (cpu, gpu))
    assert cpu == gpu


def test_cells_are_named_by_their_ids(strict):
    assert re.search(r"^PASSED \S*good.ipynb::one$", strict.text, re.MULTILINE)
    assert re.search(r"^PASSED \S*good.ipynb::two$", strict.text, re.MULTILINE), "sanitised"


def test_a_cell_that_was_never_run(strict):
    report = strict.report("never_run", "two")
    assert "never_run.ipynb: cell two was never run" in report
    assert "run `make outputs`" in report


def test_a_stored_number_changed_by_hand(strict):
    report = strict.report("changed", "one")
    assert "changed.ipynb: cell one gives another output than the stored one" in report
    assert "--- stored\n+++ now\n@@ -1,2 +1,2 @@\n loss\n-0.124\n+0.123\n" in report


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_is_not_the_stored_one(strict, name):
    pictures, sentence = PICTURES[name]
    report = strict.report(name, "figure")
    assert f"{name}.ipynb: cell figure gives another output than the stored one" in report
    assert sentence in report
    if sentence == UNLIKE:
        assert validation.distance(STORED, pictures[0]) > 2 * validation.LARGEST_DISTANCE


def test_a_picture_is_compared_as_its_cell_is_tagged(strict):
    passed = re.findall(r"^PASSED \S*figures.ipynb::(\S+)$", strict.text, re.MULTILINE)
    assert passed == ["same", "ignored", "loose"]
    assert "has 0 picture(s), this run gives 1." in strict.report("figures", "unplanned")


def test_a_kernel_that_dies(strict):
    report = strict.report("dead", "die")
    assert "dead.ipynb: cell die killed the kernel (SIGKILL: usually out of memory)" in report


def test_a_cell_that_never_ends(strict):
    report = strict.report("endless", "loop")
    assert "endless.ipynb: cell loop did not end within 2 seconds" in report


def test_a_cell_that_survives_its_interruption_fails_all_the_same(strict):
    assert "did not end within 2 seconds" in strict.report("stubborn", "loop")


def test_what_a_kernel_writes_to_stderr_is_a_failure_even_where_output_is_ignored(strict):
    report = strict.report("stderr", "warn")
    assert "stderr.ipynb: cell warn writes to stderr\n\ncareful" in report


def test_a_file_that_is_no_notebook(strict):
    assert re.search(
        r"broken\.ipynb: cannot be read as a notebook: Notebook does not appear", strict.text
    )


def test_after_a_failure_the_rest_is_skipped_and_said_once(strict):
    assert strict.code == 1
    assert re.search(r"14 failed, 7 passed, 13 skipped, 1 error", strict.text), strict.text
    assert strict.text.count("not run, because cell die failed") == 1


def test_reports_come_in_time_and_no_file_is_touched(strict, lax):
    assert strict.seconds < 120, "nothing waited for the 2000 seconds that nbval gives a cell"
    assert strict.changed == []
    assert lax.changed == []


def test_kernels_end_with_the_run(strict):
    pids = [int(path.name) for path in strict.folder.parent.iterdir() if path.name.isdigit()]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_students_syntax_error(lax):
    report = lax.report("syntax", "answer")
    assert "syntax.ipynb: cell answer raises an error" in report
    assert "SyntaxError" in report
    assert "def f(x:" in report


def test_a_students_error(lax):
    assert "ZeroDivisionError: division by zero" in lax.report("raises", "answer")


def test_an_unknown_magic_does_not_pass(lax):
    report = lax.report("magic", "answer")
    assert "magic.ipynb: cell answer fails\n\nUsageError" in report
    assert "`%no_such_magic` not found" in report


def test_an_untouched_exercise_passes(lax):
    assert re.search(r"4 failed, 7 passed, 3 skipped", lax.text), lax.text
    report = lax.report("solved", "check")
    assert "cell check does not say that the task is not attempted\n\nSolved: one" in report
