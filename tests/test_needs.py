"""What a lesson needs besides: found, or said in one line, and what depends on it is left out."""

import re
import types

from paired import course, needs
from paired.authors import files, outputs

import IPython
import pytest
from test_validation import run, write


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch, tmp_path):
    """Two extras, of which one is here, and no program."""
    for name, package in ("near", "numpy"), ("far", "nowhere_to_be_found"):
        (tmp_path / f"{name}.in").write_text(f"# a reason\n{package}==1  # another\n")
    monkeypatch.setattr(needs, "_EXTRAS", tmp_path)
    monkeypatch.setattr(needs.shutil, "which", lambda program: None)
    needs.missing.cache_clear()
    yield
    needs.missing.cache_clear()


def test_what_is_here_and_what_is_not():
    assert needs.names() == ["far", "near", "g++", "R"]
    assert needs.missing("near") is None
    assert needs.missing("far") == "the extra far is not here: make env EXTRAS=far"
    assert needs.missing("g++") == "g++ is not here (Debian: sudo apt install g++)"
    with pytest.raises(LookupError, match="nothing is called 'else'; there are far, near"):
        needs.missing("else")
    assert needs.of(["slow", "needs-near"]) is None
    assert needs.of(["needs-near", "needs-R"]).startswith("R is not here")
    needs.check("near")
    with pytest.raises(needs.MissingError) as error:
        needs.check("far")
    assert error.value._render_traceback_()[0].startswith("MissingError: The extra far is not here")


def test_outputs_keeps_what_is_stored_and_says_so_once(tmp_path, capsys):
    path = tmp_path / "01_a_pytorch.ipynb"
    write(path, ("one", "x = 1\nprint(x)", "2\n"), ("two", "1 / 0", "kept\n", "needs-far"),
          ("three", "1 / 0", "kept\n", "needs-far"), ("four", "print(x)", "2\n"))  # fmt: skip
    outputs.store_outputs([path])
    cells = files.read(path).cells
    assert [cell.outputs[0].text for cell in cells] == ["1\n", "kept\n", "kept\n", "1\n"]
    assert [cell.execution_count for cell in cells] == [1, 2, 3, 4]
    assert capsys.readouterr().out.count("NOT RUN in ") == 1
    write(path, ("one", "print(1)", None, "needs-far"))
    with pytest.raises(files.NotebookError, match="cell one was never run: the extra far"):
        outputs.store_outputs([path])


def test_validation_skips_a_cell_and_says_so_once(tmp_path, monkeypatch):
    """By a program that is not on the PATH: a process of its own sees the course's extras."""
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = tmp_path / "notebooks"
    write(folder / "a.ipynb", ("one", "print(1)", "1\n"), ("two", "1 / 0", "", "needs-R"),
          ("three", "1 / 0", "", "needs-R"), ("four", "print(1)", "1\n"))  # fmt: skip
    done = run(folder, "--nbval")
    assert done.code == 0, done.text
    assert "2 passed, 2 skipped" in done.text
    assert len(re.findall(r"SKIPPED \[2\].*NOT PROVEN HERE: R is not here", done.text)) == 1


def test_in_jupyterlab_a_cell_says_so_and_shows_what_is_stored(tmp_path, monkeypatch, capsys):
    """Also when what was shown has been saved, and the cell is run again."""
    path = tmp_path / "a.ipynb"
    told = "NOT RUN: the extra far is not here: make env EXTRAS=far.\n"
    sent = {"metadata": {"cellId": "one", "tags": ["needs-far"]}}
    monkeypatch.setattr(
        IPython, "get_ipython", lambda: types.SimpleNamespace(get_parent=lambda: sent)
    )
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    for kept in "kept\n", f"{told}kept\n":
        write(path, ("one", "1 / 0", kept, "needs-far"))
        exec(*needs._instead(["1 / 0\n"]))
        assert capsys.readouterr().out == f"{told}kept\n"
    monkeypatch.delenv("JPY_SESSION_NAME")
    exec(*needs._instead(["1 / 0\n"]))
    assert capsys.readouterr().out == told
    sent["metadata"]["tags"] = ["needs-near", "slow"]
    assert needs._instead(["1 / 0\n"]) == ["1 / 0\n"]


def test_every_need_that_a_cell_or_a_lock_names_is_known(monkeypatch):
    monkeypatch.undo()
    for lock in (course.ROOT / "env" / "extras").glob("*.lock"):
        assert lock.stem in needs.names()
        assert needs.missing(lock.stem) is None or "make env EXTRAS=" in needs.missing(lock.stem)
