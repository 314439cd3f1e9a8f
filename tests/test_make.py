"""The commands that `make` lists, and how a run of the tests ends."""

import subprocess
import sys
import time

from paired import course

import pytest


@pytest.mark.parametrize("how", ["loadgroup", "loadfile"])
def test_a_worker_that_dies_ends_the_run_with_a_sentence(tmp_path, how):
    deadly = "import os, signal\n\ndef test_deadly():\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    (tmp_path / "test_a.py").write_text("def test_before():\n    pass\n\n" + deadly)
    (tmp_path / "test_b.py").write_text("def test_other():\n    pass\n")
    settings = str(course.ROOT / "pyproject.toml")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", settings, "-n", "2", "--dist", how, tmp_path],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 1
    assert "crashed while running 'test_a.py::test_deadly'" in done.stdout
    assert time.monotonic() - began < 60
