"""A bundle installs the course where there is no network, and refuses what it was not made for."""

import json
import os
import shutil
import subprocess

import bundle
import pytest
from installing import extras, installed, page, run, small_course


@pytest.fixture
def stick(tmp_path):
    """A small course without packages of its own, and a bundle of it."""
    root, stick = small_course(tmp_path), tmp_path / "a stick"
    run(root, "--extras", "more")
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    settings |= {"PIP_FIND_LINKS": (root / "wheels").as_uri()}
    command = [root / ".venv" / "bin" / "python", root / "env" / "bundle.py", stick, ""]
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(command, env=kept | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"make lab BUNDLE={stick}" in done.stdout
    for folder in ("wheels", "bin", ".venv", ".cache"):
        shutil.rmtree(root / folder)
    return root, stick


def test_everything_comes_from_the_bundle(stick):
    root, folder = stick
    run(root, "--bundle", str(folder), "--extras", "more")
    assert installed(root, "tiny.version") == "1.0"
    assert page(root) == "draw()\n"
    assert extras(root) == ["more"]
    assert "The bundle has no packages of env/extras/most.lock." in run(
        root, "--bundle", str(folder), "--extras", "most", status=1
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"machine": "Python 3.9 on Amiga m68k"},
            "The bundle is for Python 3.9 on Amiga m68k; this",
        ),
        ({"locks": {"cpu.lock": "tiny==2.0\n"}}, "was made from another env/cpu.lock"),
        (None, "is no bundle that `make bundle` has finished"),
    ],
)
def test_a_bundle_for_something_else_is_refused_in_a_sentence(stick, change, sentence):
    root, folder = stick
    about = json.loads((folder / bundle.ABOUT).read_text())
    (folder / bundle.ABOUT).write_text(json.dumps(about | change) if change else "{}")
    assert sentence in run(root, "--bundle", str(folder), status=1)
    assert not (root / ".venv").exists()
