"""Quiet imports, the settings that go with them, and what the student-facing modules import."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys

from paired import course, imports, inventory, settings

import pytest


def run(program: str, **variables: str) -> subprocess.CompletedProcess:
    """Run a program in a Python of its own, without the settings of this one."""
    inherited = {k: v for k, v in os.environ.items() if k not in settings.ENVIRONMENT}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=inherited | variables,
        cwd=course.ROOT,
        capture_output=True,
        text=True,
    )


def test_what_is_said_during_the_import_is_held_back_and_later_words_are_not(capfd):
    with imports.quiet_import():
        os.write(2, b"noise")
    os.write(2, b"a later warning")
    assert capfd.readouterr().err == "a later warning"


def test_what_was_held_back_shows_when_the_import_fails(capfd):
    def broken_import():
        with imports.quiet_import():
            os.write(2, b"a library is missing")
            raise ImportError

    with pytest.raises(ImportError):
        broken_import()
    assert capfd.readouterr().err == "a library is missing"


def test_tensorflow_is_imported_without_a_word():
    done = run(
        "from paired.imports import quiet_import\n"
        "with quiet_import():\n    import tensorflow as tf\n"
        "print(float(tf.reduce_sum(tf.ones(3))))"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3.0\n", "")


def test_what_a_person_has_set_for_other_work_does_not_change_a_lesson(tmp_path):
    own = {"floatx": "float16", "image_data_format": "channels_first", "backend": "torch"}
    (tmp_path / "keras.json").write_text(json.dumps(own))
    done = run(
        "import ipykernel, os, paired\n"
        "from paired.imports import quiet_import\n"
        "with quiet_import():\n    import keras\n"
        "print(keras.config.image_data_format(), keras.config.floatx(), keras.config.backend())\n"
        "print(os.environ['MPLBACKEND'], repr(os.environ['PYTHONBREAKPOINT']))",
        KERAS_HOME=str(tmp_path), KERAS_BACKEND="torch", MPLBACKEND="Agg", PYTHONBREAKPOINT="0",
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "channels_last float32 tensorflow", "module://matplotlib_inline.backend_inline ''",
    ], done.stderr  # fmt: skip


def test_no_module_that_a_lesson_imports_brings_a_framework():
    done = run(
        "from paired import checks, course, data, figures, imports, inventory, parity\n"
        "import sys\nprint({'torch', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    assert done.stdout == "set()\n", done.stderr


def test_the_settings_are_applied_and_a_callers_own_value_wins():
    program = "import paired, os, json; print(json.dumps(dict(os.environ)))"
    environment = json.loads(run(program, OMP_NUM_THREADS="2").stdout)
    assert environment["OMP_NUM_THREADS"] == "2"
    for name, value in settings.ENVIRONMENT.items():
        if name != "OMP_NUM_THREADS":
            assert environment[name] == value


def test_requirements_are_followed_to_their_own_and_cuda_is_left_out():
    needed = inventory.requirements("tensorflow")
    assert {"numpy", "requests", "idna"} <= needed  # idna by way of requests
    assert "tensorflow" not in needed
    assert not any("nvidia" in name for name in inventory.requirements("torch"))


def test_lines_of_code_are_counted_without_docstrings_and_comments(tmp_path):
    source = '''# a comment
def f(x):
    """A docstring
    of two lines."""

    return g(
        x,
    )
'''
    cells = [{"id": "f", "cell_type": "code", "source": source}]
    path = tmp_path / "some.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert inventory.code_lines(path, "f") == 2
    assert inventory.code_lines(path, "absent") == 0


def test_each_framework_has_its_python(monkeypatch, tmp_path):
    assert course.python("tensorflow") == sys.executable
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv-gpu-pytorch"))
    where = course.ROOT / ".venv-gpu-tensorflow" / "bin" / "python"
    assert course.python("tensorflow") == str(where)


TRITON = importlib.util.find_spec("triton")


@pytest.mark.skipif(TRITON is None, reason="torch's CPU build is here, which comes without triton")
def test_triton_after_tensorflow_is_no_segmentation_fault():
    program = "import paired, tensorflow, torch; torch.optim.SGD([torch.ones(1)], 0.1); import sys"
    ran = run(f"{program}; print('triton' in sys.modules)")
    assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr


@pytest.mark.skipif(not hasattr(os, "RTLD_DEEPBIND"), reason="on Linux only is there a triton")
def test_only_triton_after_tensorflow_is_loaded_in_another_way(tmp_path, monkeypatch):
    imports.separate_triton()
    assert sys.meta_path.count(imports._TritonFinder) == 1, "paired has done it already"
    (tmp_path / f"libtriton{importlib.machinery.EXTENSION_SUFFIXES[-1]}").touch()

    def loader(name: str) -> type | None:
        spec = imports._TritonFinder.find_spec(name, [str(tmp_path)])
        return spec and type(spec.loader)

    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert loader("triton._C.libtriton") is None
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    assert loader("triton._C.libtriton") is imports._OwnSymbols
    assert loader("triton._C.libproton") is None
    flags = sys.getdlopenflags()
    with pytest.raises(ImportError):  # the file is empty
        importlib.util.module_from_spec(
            imports._TritonFinder.find_spec("triton._C.libtriton", [str(tmp_path)])
        )
    assert sys.getdlopenflags() == flags
