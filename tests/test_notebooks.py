"""The authors' tools: stubs, stored outputs, sync, new lessons. No test imports a framework."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import time

from paired import course
from paired.authors import exercises, files, lint, new_lesson, outputs, sync
from paired.checks import markers

import nbformat
import pytest
from conftest import commit_all, started
from nbformat import v4


def write(path: pathlib.Path, *cells: tuple) -> pathlib.Path:
    """A notebook of code cells, each given as (id, source, *tags)."""
    notebook = v4.new_notebook()
    for cell_id, source, *tags in cells:
        notebook.cells.append(v4.new_code_cell(source, id=cell_id, metadata={"tags": tags}))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def sources(path: pathlib.Path) -> dict[str, str]:
    return {cell.id: cell.source for cell in nbformat.read(path, 4).cells}


def region(answer: str, before: str = "", after: str = "") -> str:
    lines = [before, "# BEGIN SOLUTION", *answer.splitlines(), "# END SOLUTION", after]
    return "\n".join(filter(None, lines))


HERE = "...  # your code here"


@pytest.mark.parametrize(
    ("answer", "stub"),
    [
        ("y = 1", f"y = {HERE}"),
        ("a, (b, *c) = f()\nd: int = 3\nd += 1", "\n".join(f"{n} = {HERE}" for n in "abcd")),
        ("def f(x):\n    z = 1\n    return x", f"f = {HERE}"),
        ("_, y = f()\nx[0] = 1", f"y = {HERE}"),
        ("for i in range(3):\n    inner = i\ntotal = 3", f"total = {HERE}"),
        ("self.hidden = Linear(3)", f"self.hidden = {HERE}"),
        ('text = """one\ntwo"""', f"text = {HERE}"),
        ("# STUB y = buggy()\ny = right()", "y = buggy()"),
        (
            "# STUB if x:\n# STUB     step()\n# STUB\n# STUB y = 1\nstep()",
            "if x:\n    step()\n\ny = 1",
        ),
    ],
)
def test_a_stub_keeps_the_names_of_the_answer(answer, stub):
    assert markers.stub(region(answer)) == stub


def test_the_stub_of_a_function_returns_the_placeholder():
    source = textwrap.dedent("""\
        def f(x):
            h = 1
            # BEGIN SOLUTION
            y = x + h
            return y
            # END SOLUTION


        # BEGIN SOLUTION
        z = f(1)
        # END SOLUTION
        print(z)""")
    assert markers.stub(source) == textwrap.dedent(f"""\
        def f(x):
            h = 1
            return {HERE}


        z = {HERE}
        print(z)""")


def test_a_cell_without_an_answer_is_its_own_stub():
    assert markers.stub("a = 1\n\nb = 2") == "a = 1\n\nb = 2"


def test_the_solution_shown_has_neither_markers_nor_stubs():
    source = region("# STUB y = 2\ny = 1", before="x = 0", after="print(y)")
    assert markers.solution(source) == "x = 0\ny = 1\nprint(y)"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("# BEGIN SOLUTION\ny = 1", "line 1, `# BEGIN SOLUTION`, has no `# END SOLUTION`"),
        ("y = 1\n# END SOLUTION", "line 2, `# END SOLUTION`, is out of place"),
        (
            "# BEGIN SOLUTION\n# BEGIN SOLUTION\ny = 1",
            "line 2, `# BEGIN SOLUTION`, is out of place",
        ),
        ("### begin solution\ny = 1", "line 1, `### begin solution`, is out of place"),
        ("# STUB y = 1", "line 1, `# STUB y = 1`, is out of place"),
        (region("step()"), "assigns no name and does not end in `return`"),
        (region("y = ("), "is no plain Python"),
    ],
)
def test_a_wrong_marker_is_refused_with_its_line(source, message):
    with pytest.raises(markers.MarkerError) as caught:
        markers.stub(source)
    assert message in str(caught.value)


PLOT = "import matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()"


def test_outputs_are_stored_and_a_second_run_changes_no_byte(tmp_path):
    record = "import pathlib\npathlib.Path('{half}').touch()"
    pair = [
        write(
            tmp_path / f"01_a_{half}.ipynb",
            ("setup", "import os, time\nos.system('echo from C')\nprint( 'one' )"),
            ("figure", PLOT),
            ("hidden", "3 + 4;"),
            ("timing", "time.time()", "nbval-ignore-output"),
            ("meant", "1 / 0", "raises-exception"),
            ("own", "time.time()", "own-times"),
            ("record", record.format(half=half)),
            ("compare", "sorted(os.listdir())", "twin"),
        )
        for half in course.FRAMEWORKS
    ]
    assert list(outputs.store_outputs(pair)) == pair
    first = [path.read_bytes() for path in pair]
    notebook = nbformat.reads(first[0].decode(), 4)
    cells = {cell.id: cell for cell in notebook.cells}

    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert cells["own"].outputs == [], "nobody else's times"
    assert cells["setup"].source.endswith('print("one")'), "formatted"
    assert cells["setup"].outputs[0].text == "one\n", "nbval does not see what C code writes"
    assert "image/png" in cells["figure"].outputs[0].data
    assert cells["hidden"].outputs[0].data["text/plain"] == "7", "as nbval runs it"
    assert cells["hidden"].outputs[0].execution_count == 3
    assert cells["meant"].outputs[0].ename == "ZeroDivisionError"
    both = cells["compare"].outputs[0].data["text/plain"]
    assert "'pytorch', 'tensorflow'" in both, "the twin's cells wait for both halves"
    assert notebook.metadata == files.METADATA
    assert cells["figure"].metadata == {}

    assert outputs.store_outputs(pair) == {}
    assert [path.read_bytes() for path in pair] == first

    cells["setup"].source += "\nprint('two')"
    cells["hidden"].source = "5"
    cells["figure"].source = cells["figure"].source.replace("2", "3")
    pair[0].write_text(nbformat.writes(notebook))
    [(changed, said)] = outputs.store_outputs(pair).items()
    assert changed == pair[0]
    text = "\n".join(said)
    assert "cell setup:\n    +two\ncell figure:\n    -[image/png, checksum " in text
    assert "cell hidden:\n    -7\n    +5" in text
    assert "timing" not in text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(:\n    pass", "raises an error"),
        ("%no_such_magic", "raises an error"),
        ("import os\n\nos._exit(3)", "the kernel died while it ran this cell"),
        ("while True:\n    pass", "did not end within 1 seconds"),
    ],
)
def test_a_cell_that_fails_leaves_the_file_as_it_is(tmp_path, monkeypatch, source, message):
    monkeypatch.setattr(outputs, "CELL_SECONDS", 1)
    path = write(tmp_path / "01_a_pytorch.ipynb", ("good", "x = 1"), ("bad-cell", source))
    before, start = path.read_bytes(), time.monotonic()
    with pytest.raises(files.NotebookError) as caught:
        outputs.store_outputs([path])
    assert "01_a_pytorch.ipynb: cell bad-cell" in str(caught.value)
    assert message in str(caught.value)
    assert path.read_bytes() == before
    assert time.monotonic() - start < 20


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A killed process stays in the table until somebody waits for it.
    stat = pathlib.Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")")[-1].split()[0] == "Z"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("name", "ignored"),
    [("SIGINT", ""), ("SIGTERM", ""), ("SIGTERM", "INT"), ("SIGKILL", "")],
)
def test_interrupted_outputs_leave_whole_files_and_no_kernel(tmp_path, name, ignored):
    source = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\n"
    path = write(tmp_path / "01_a_pytorch.ipynb", ("endless", source + "time.sleep(600)"))
    outputs._format(path)
    before = path.read_bytes()
    command = [sys.executable, "-m", "paired.authors.outputs", str(path)]
    if ignored:  # as in the background of a shell
        command = ["sh", "-c", f"trap '' {ignored}; exec \"$@\"", "sh", *command]
    with started(command, stderr=subprocess.PIPE) as tool:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        tool.send_signal(getattr(signal, name))
        said = tool.communicate(timeout=30)[1]
    kernel = int((tmp_path / "pid").read_text())
    while not _gone(kernel) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _gone(kernel)
    assert path.read_bytes() == before
    assert [each.name for each in sorted(tmp_path.iterdir())] == [path.name, "pid"]
    if name != "SIGKILL":
        assert "Interrupted; every file is whole.\n" in said


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    for text in ("{ no", "{}", "[]"):
        path = tmp_path / "01_a_pytorch.ipynb"
        path.write_text(text)
        with pytest.raises(files.NotebookError, match=r"01_a_pytorch\.ipynb: cannot be read"):
            files.read(path)


def test_a_notebook_without_cell_ids_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "01_a_pytorch.ipynb"
    cell = {"cell_type": "markdown", "metadata": {}, "source": "# A title"}
    old = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 0}
    path.write_text(json.dumps(old))
    with pytest.raises(files.NotebookError, match=r"no ids \(format 4.0, .*save it in JupyterLab"):
        files.read(path)


# Shared cells


def _pair(folder: pathlib.Path, *halves: str) -> list[pathlib.Path]:
    return [
        write(folder / f"01_a_{half}.ipynb", ("own", half), ("both", text, "shared"))
        for half, text in zip(course.FRAMEWORKS, halves, strict=True)
    ]


needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def test_sync_copies_the_half_saved_last_where_git_cannot_say(tmp_path):
    pair = _pair(tmp_path, "new", "old")
    os.utime(pair[1], (0, 0))
    said = sync.sync(pair)
    assert [line.split(": ", 1)[1] for line in said] == ["cell both: copied from its twin"]
    assert sources(pair[1]) == {"own": "tensorflow", "both": "new"}
    assert sync.sync(pair) == []


@needs_git
@pytest.mark.parametrize("changed", [0, 1])
def test_sync_copies_the_half_that_changed_since_the_last_commit(tmp_path, changed):
    pair = _pair(tmp_path, "x = 1", "x = 1")
    commit_all(tmp_path)
    halves = ["x = 1", "x = 1"]
    halves[changed] = "x = 2"
    _pair(tmp_path, *halves)
    os.utime(pair[changed], (0, 0))  # the time alone would mislead
    sync.sync(pair)
    assert [sources(path)["both"] for path in pair] == ["x = 2", "x = 2"]


@needs_git
def test_sync_refuses_where_both_halves_changed(tmp_path):
    _pair(tmp_path, "x = 1", "x = 1")
    commit_all(tmp_path)
    pair = _pair(tmp_path, "x = 2", "x = 3")
    before = [path.read_bytes() for path in pair]
    with pytest.raises(files.NotebookError, match="cell both: changed in both halves"):
        sync.sync(pair)
    assert [path.read_bytes() for path in pair] == before


# A new lesson


def test_a_new_lesson_needs_only_to_be_run(tmp_path):
    new_lesson.new_lesson("07", "tiny_test", "Products of matrices", tmp_path)
    assert {problem.rule for problem in lint.course_problems(tmp_path)} == {"executed"}
    assert list(exercises.stale_exercises(tmp_path)) == []
    for path in tmp_path.rglob("*.*"):
        assert "emplate" not in path.name + path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("7", "a", "T"), "NUMBER is '7'; expected two digits"),
        (("07", "A b", "T"), "SLUG is 'A b'; expected lower-case words"),
        (("07", "a", ""), "TITLE is ''"),
        (("01", "b", "T"), "There is a lesson 01 already, notebooks/01_a_pytorch.ipynb"),
    ],
)
def test_a_new_lesson_never_overwrites(tmp_path, names, message):
    write(tmp_path / "notebooks" / "01_a_pytorch.ipynb", ("a", "1"))
    with pytest.raises(files.NotebookError, match=message):
        new_lesson.new_lesson(*names, tmp_path)
    assert len(list(tmp_path.rglob("*.*"))) == 1
