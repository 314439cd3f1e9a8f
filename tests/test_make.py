"""The commands that `make` lists, each on a small course, and how a proof ends."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

from paired import course
from paired.authors import bench, prove

import install
import installing
import pytest
import visdom_page
from conftest import write_notebook

# By command: what it is given, its exit status (make's own is 2), and what it says. What takes
# minutes is asked for a lesson that there is not.
NO_LESSON = "There is no lesson '99'. The lessons are: 01_tiny"
COMMANDS = {
    "help": ("", 0, "Start with: make lab"),
    "env": ("", 0, ""),
    "new-lesson": ("NUMBER=02 SLUG=second TITLE='A second lesson'", 0, "02_second_pytorch.ipynb"),
    "format": ("", 0, "left unchanged"),
    "sync": ("", 0, ""),
    "exercises": ("", 0, "exercises/01_tiny_pytorch.ipynb: unchanged"),
    "summary": ("", 2, "07_devices_pytorch.ipynb: no cell `verdicts` there gives C01"),
    "lint": ("", 2, "was never run, expected 1: run `make outputs`"),
    "outputs": ("LESSON=99", 2, NO_LESSON),
    "lab": ("LESSON=99", 2, NO_LESSON),
    "test": ("LESSON=99", 2, NO_LESSON),
    "bench": ("LESSON=99", 2, NO_LESSON),
    "pictures": ("LESSON=99", 2, "Lesson '99' has no pictures"),
    "measure": ("LESSON=99", 2, "Lesson '99' shows no times; these do: none."),
    "update": ("", 2, "git"),
    # It imports both frameworks, and runs in lesson 07.
    "grade": ("SUBMISSIONS=nowhere", 2, "There is no folder nowhere"),
    "handout": ("", 2, "A handout is made in a clone, with git"),
    "bundle": ("--dry-run EXTRAS=serving", 0, 'env/bundle.py "bundle" "serving"'),
    "doctor": ("--dry-run JSON=1", 0, "-m paired.machine.doctor --json"),
    # These would add an extra to this environment: see test_hub.py and test_site.py.
    "hub": ("--dry-run HOST=here PORT=9000 STUDENTS=names", 0, '--host "here"'),
    "site": ("--dry-run", 0, '--extras ",site"'),
    "lock": None,  # below, as is `clean`
    "clean": None,
}


def make(root: pathlib.Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """The exit status and the words of `make` in a folder."""
    command = ["make", "--no-print-directory", *arguments]
    # Nor CI, where this environment would be given the extras.
    environment = {k: v for k, v in os.environ.items() if not re.match("MAKE|CI$", k)} | variables
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> pathlib.Path:
    """This course with one lesson, fresh from `make new-lesson`, and with this environment."""
    if not visdom_page.ready(pathlib.Path(sys.prefix), course.ROOT):
        pytest.skip("NO PAGE: make would fetch Visdom's page; run make env with a network")
    root = tmp_path_factory.mktemp("small") / "course"
    left_out = shutil.ignore_patterns(".*", "*.ipynb", "__pycache__", "[0-9][0-9]_*")
    shutil.copytree(course.ROOT, root, ignore=left_out)
    shutil.copytree(course.ROOT / "paired", root / "paired", dirs_exist_ok=True)
    for kind in course.KINDS:
        (root / kind).mkdir(exist_ok=True)
    (root / ".venv").mkdir()
    for path in pathlib.Path(sys.prefix).iterdir():
        (root / ".venv" / path.name).symlink_to(path)
    stamp = root / ".venv" / install.STAMP
    stamp.unlink(missing_ok=True)
    stamp.write_text(install.fingerprint("cpu.lock", root))
    for added in (root / ".venv").glob("*.extra"):  # what this environment has is left as it is
        added.unlink()
    status, words = make(root, "new-lesson", "NUMBER=01", "SLUG=tiny", "TITLE=A tiny lesson")
    assert status == 0, words
    return root


def test_every_command_that_make_lists_is_tried_here():
    listed = re.findall(r"^  make (\S+)", make(course.ROOT)[1], re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.xdist_group("make")
@pytest.mark.parametrize("command", [name for name, given in COMMANDS.items() if given])
def test_a_command_does_its_work_or_says_why_not(small, command):
    arguments, status, words = COMMANDS[command]
    code, said = make(small, command, *shlex.split(arguments))
    assert code == status, said
    assert words in said
    assert "Traceback" not in said


@pytest.mark.skipif(not installing.UV, reason="pip made this environment: uv is not here")
def test_make_lock_takes_the_newest_versions_that_are_allowed(tmp_path):
    root = installing.small_course(tmp_path)
    for name in ("Makefile", "env/lock.py"):
        shutil.copy(course.ROOT / name, root / name)
    (root / "env" / "requirements.in").write_text("tiny\n")
    (root / "env" / "extras" / "more.in").write_text("more\ntiny\n")
    (root / "env" / "visdom" / "package.json").write_text('{"dependencies": {}}')
    locked = {"packages": {"": {"dependencies": {}}}}
    (root / "env" / "visdom" / "package-lock.json").write_text(json.dumps(locked))
    wheels = (root / "wheels").as_uri()
    settings = {"PIP_FIND_LINKS": wheels, "PIP_NO_INDEX": "1", "UV_FIND_LINKS": wheels}
    settings |= {"UV_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    for upgrade, version in ((), "1.0"), (("UPGRADE=1",), "2.0"):  # 3.0 is not allowed
        status, words = make(root, "lock", f"PYTHON={sys.executable}", *upgrade, **settings)
        assert status == 0, words
        assert (root / "env" / "cpu.lock").read_text().endswith(f"\ntiny=={version}\n")
        more = (root / "env" / "extras" / "more.lock").read_text()
        assert more.endswith("Do not edit.\nmore==1.0\n"), "what every environment has is left out"


def test_clean_leaves_what_the_course_has(tmp_path):
    shutil.copy(course.ROOT / "Makefile", tmp_path)
    write_notebook(tmp_path / "notebooks" / "mine.ipynb", "1")
    for name in (".venv/bin", ".cache/uv", "paired/__pycache__", "site"):
        (tmp_path / name).mkdir(parents=True)
    assert make(tmp_path, "clean")[0] == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "Makefile", "mine.ipynb", "notebooks", "paired",
    ]  # fmt: skip


# What `make test` and `make bench` do


def stage(title: str, code: str) -> prove.Stage:
    return prove.Stage(title, [[sys.executable, "-c", code]])


@pytest.fixture
def log(tmp_path, monkeypatch) -> pathlib.Path:
    monkeypatch.setattr(prove, "_LOG", tmp_path / "browser.log")
    return tmp_path / "browser.log"


def test_a_proof_ends_with_the_first_stage_that_fails(log, capfd):
    began = time.monotonic()
    beside = [sys.executable, "-c", "import time; time.sleep(60)"]
    parts = [stage("first", ""), stage("second", "print('why'); exit(3)"), stage("third", "")]
    assert prove.prove(parts, beside) == 1
    assert time.monotonic() - began < 30, "the browser tests are stopped"
    out, err = capfd.readouterr()
    assert re.findall("== (.*)", out) == ["1 of 4: first", "2 of 4: second"]
    assert "why" in out
    assert "Failed at: second. What is wrong is said above." in err


@pytest.mark.parametrize(("status", "end"), [(0, "Everything passed, in "), (1, "Failed at: Jupy")])
def test_what_the_browser_tests_say_is_shown_at_the_end(log, capfd, status, end):
    beside = [sys.executable, "-c", f"print('skipped, loudly'); exit({status})"]
    assert prove.prove([stage("first", "print('1st')")], beside) == status
    out, err = capfd.readouterr()
    assert out.index("1st") < out.index("skipped, loudly")
    assert end in out + err


def test_one_lesson_is_proven_by_what_is_its_own():
    _, together, parity = prove.stages("03")
    [command] = together.commands
    notebooks = [path for path in command if path.endswith(".ipynb")]
    assert len(notebooks) == 6
    assert all("/03_backprop_" in path for path in notebooks)
    assert "tests/test_lesson_03.py" in command
    assert parity.commands[0][-1] == "tests/test_parity.py"


def test_what_belongs_to_no_lesson_is_the_rest():
    _, together = prove.stages(prove.NONE)
    [command] = together.commands
    assert not [path for path in command if path.endswith(".ipynb")]
    assert "03_backprop or test_lesson_03" in command[-1]


def test_a_debugger_and_a_cell_that_is_meant_to_fail_run_as_a_bare_script(tmp_path):
    path = tmp_path / "05_a_pytorch.ipynb"
    write_notebook(
        path,
        "import sys\nfrom paired import debuggers\ndebuggers.set_up()\nbreakpoint()",
        "sys.breakpointhook = sys.__breakpointhook__\ndebuggers.script('c')\nbreakpoint()",
        "%xmode Minimal",
    )
    assert bench.bare(path) > 0
    write_notebook(path, "1 / 0")
    with pytest.raises(bench.files.NotebookError, match="ZeroDivisionError"):
        bench.bare(path)


def test_a_worker_that_dies_ends_the_run_with_a_sentence(tmp_path):
    deadly = "import os, signal\n\ndef test_deadly():\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    (tmp_path / "test_a.py").write_text("def test_before():\n    pass\n\n" + deadly)
    (tmp_path / "test_b.py").write_text("def test_other():\n    pass\n")
    settings = str(course.ROOT / "pyproject.toml")
    command = [sys.executable, "-m", "pytest", "-c", settings, "-n", "2", "--dist", "loadgroup"]
    done = subprocess.run([*command, tmp_path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "crashed while running 'test_a.py::test_deadly'" in done.stdout
