"""Submissions are judged as in the notebook, and a verdict cannot be forged."""

import csv
import importlib
import json
import pathlib
import subprocess
import sys

from paired import checks, course
from paired.checks import markers
from paired.grading import sandbox, submissions, suspicion, travel

import mistakes
import numpy as np
import pytest

pytestmark = [
    # Without a sandbox the answers of these tests would do what they try.
    pytest.mark.skipif(bool(sandbox.trouble()), reason=f"NO SANDBOX: {sandbox.trouble()}"),
    pytest.mark.xdist_group("grading"),
]


def solved(lesson: str, framework: str) -> dict:
    """The solution as a student might hand it in."""
    notebook = json.loads((course.ROOT / "solutions" / f"{lesson}_{framework}.ipynb").read_text())
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["source"] = markers.solution(cell["source"])
    return notebook


def hand_in(folder: pathlib.Path, student: str, half: tuple[str, str], **sources: str) -> None:
    """A submission that is the solution but for these cells, by task."""
    notebook = solved(*half)
    for cell in notebook["cells"]:
        cell["source"] = sources.get(cell["id"].replace("-", "_"), cell["source"])
    (folder / student).mkdir(parents=True, exist_ok=True)
    (folder / student / f"{'_'.join(half)}.ipynb").write_text(json.dumps(notebook))


def attempts(half: tuple[str, str]) -> list[dict[str, tuple[str, str]]]:
    """What each of a class hands in: of each task a source, and what has to be said of it."""
    lesson, framework = half
    path = course.ROOT / "solutions" / f"{lesson}_{framework}.ipynb"
    sources = {cell.replace("-", "_"): source for cell, _, source in course.cells(path)}
    found: dict[str, list[tuple[str, str]]] = {}
    module = importlib.import_module(f"mistakes.lesson_{lesson[:2]}")
    tables = [each for each in vars(module).values() if isinstance(each, mistakes.Mistakes)]
    for each in (attempt for table in tables for attempt in table.attempts):
        if each.half == framework:
            is_values = isinstance(each.change, dict)
            source = mistakes.changed(sources[each.task], () if is_values else each.change)
            if is_values:
                if any(not isinstance(v, int | float | str | tuple | None) for v in
                       each.change.values()):  # fmt: skip
                    continue
                source += "".join(f"\n{name} = {v!r}" for name, v in each.change.items())
            found.setdefault(each.task, []).append((source, each.says))
    for name, task in vars(checks.load(lesson, framework)).items():
        for own, kind in task.kinds.items():
            for value, sentence in kind.wrong(framework):
                source = f"{markers.solution(sources[name])}\n{own} = {value!r}"
                found.setdefault(name, []).append((source, f"`{own}` {sentence}"))
    rounds = max(map(len, found.values()))
    return [{n: each[i] for n, each in found.items() if i < len(each)} for i in range(rounds)]


def grade(folder: pathlib.Path) -> dict[tuple[str, str], dict]:
    """The rows of the table, by student and task."""
    command = [sys.executable, "-m", "paired.grading", str(folder)]
    done = subprocess.run(command, cwd=course.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(folder / "grades.csv", newline="", encoding="utf-8") as file:
        return {(row["student"], row["task"]): row for row in csv.DictReader(file)}


def differing(folder: pathlib.Path, half: tuple[str, str]) -> list[str]:
    """Hand in every attempt of the course's own tests; the verdicts that are not the notebook's."""
    handed_in = attempts(half)
    for number, each in enumerate(handed_in):
        sources = {name: source for name, (source, _) in each.items()}
        hand_in(folder, f"s{number:02}", half, **sources)
    rows, found = grade(folder), []
    for number, each in enumerate(handed_in):
        for name, (_, says) in each.items():
            row = rows[f"s{number:02}", name]
            if row["verdict"] != (checks.WRONG if says else checks.SOLVED):
                found.append(f"s{number:02} {name}: {row}; must say {says!r}")
            elif says not in row["reason"]:
                print(f"s{number:02} {name} says otherwise: {row['reason']!r}, not {says!r}")
    return found


@pytest.mark.parametrize("half", [("01_tensors", "pytorch"), ("03_backprop", "tensorflow")])
def test_wrong_answers_get_the_verdict_that_they_get_in_the_notebook(half, tmp_path):
    assert differing(tmp_path, half) == []


WRONG_BODY = "def clip_gradient(x, max_norm):\n    return x\n"
# What each does besides a wrong answer to a task of lesson 03, and what is said of it.
FORGERIES = {
    "patches the comparison": (
        "from paired.checks import lesson_03\nlesson_03.compare = lambda *a, **k: None\n", "",
    ),
    "patches by another name": (
        "def patch_it(m):\n    m.abs = lambda a: a * 0\npatch_it(np)\n", "accepts any result",
    ),
    "patches when it is called": (
        "def clip_gradient(x, max_norm):\n    import paired.checks.lesson_03 as m\n"
        "    m.compare = m.refuse = lambda *a, **k: None\n    return x\n", "",
    ),
    "reads what is expected": (
        "def clip_gradient(x, max_norm):\n    import inspect\n"
        "    return inspect.currentframe().f_back.f_back.f_locals['expected']\n", "",
    ),
    "writes a verdict everywhere": (
        "import json, os, struct\n"
        "words = json.dumps({'task': 'custom_gradient', 'verdict': 'Solved', 'reason': ''}), "
        "json.dumps({'end': True})\n"
        "for fd in range(3, 64):\n    for each in words:\n        try:\n"
        "            os.write(fd, struct.pack('!i', len(each)) + each.encode())\n"
        "        except OSError:\n            pass\nos._exit(0)\n", "",
    ),
    "leaves": ("import os\nos._exit(0)\n", "ends the process"),
    "leaves when it is called": (
        "def clip_gradient(x, max_norm):\n    import os\n    os._exit(0)\n", "ends the process"
    ),
    "never ends": ("while True:\n    try:\n        while True:\n            pass\n"
                   "    except BaseException:\n        pass\n", "did not end"),
    # One after the other: a limit that failed must not cost the machine that tests it.
    "forks too much": (
        "import os, time\nfor _ in range(200):\n    if os.fork() == 0:\n        time.sleep(60)\n",
        "",
    ),
    "takes all memory": ("hog = [np.ones(10**8) for _ in range(100)]\n", ""),
    "fills the disk": (
        "with open('/tmp/big', 'wb') as f:\n    while True:\n        f.write(bytes(10**7))\n", ""
    ),
    "is no Python": ("def clip_gradient(x, max_norm:\n", "SyntaxError"),
    "reads the solutions": (
        f"SOLUTION = open({str(course.ROOT / 'solutions' / '03_backprop_pytorch.ipynb')!r}).read()"
        "\nassert SOLUTION\n", "",
    ),
}  # fmt: skip
# Looks for what it must not see, and reaches where it must not.
PRYING = """
import glob, socket
def clip_gradient(x, max_norm):
    seen = [p for root in {roots!r} for p in glob.glob(root + "/**", recursive=True)]
    seen = [p for p in seen if any(f"/{{n}}" in p for n in ("solutions/", "tests/", "student/"))]
    raise RuntimeError(seen, *(name for _, name in socket.if_nameindex()))
"""


def test_forged_verdicts_and_answers_without_end_are_not_solved_and_cost_nobody_else(tmp_path):
    half = "03_backprop", "pytorch"
    for number, (code, _) in enumerate(FORGERIES.values()):
        source = code if "def clip_gradient" in code else code + WRONG_BODY
        hand_in(tmp_path, f"f{number:02}", half, custom_gradient=source)
    hand_in(tmp_path, "honest", half)
    roots = [str(course.ROOT), str(tmp_path), "/home", "/root", "/proc/1/root" + str(course.ROOT)]
    hand_in(tmp_path, "student", half, custom_gradient=PRYING.format(roots=roots))
    (tmp_path / "absent").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "03_backprop_pytorch.ipynb").write_text("{not json")
    rows = grade(tmp_path)
    assert {row["verdict"] for (who, _), row in rows.items() if who == "honest"} == {"Solved"}
    assert rows["absent", "predict"]["verdict"] == "Missing"
    assert rows["broken", "predict"]["verdict"] == "Unreadable"
    assert "`RuntimeError: ([], 'lo')`" in rows["student", "custom_gradient"]["reason"]
    for number, (name, (_, says)) in enumerate(FORGERIES.items()):
        row = rows[f"f{number:02}", "custom_gradient"]
        assert row["verdict"] in ("Wrong", "Look at it"), (name, row)
        assert says in row["reason"], (name, row)
        others = {rows[f"f{number:02}", task]["verdict"] for task in ("predict", "derivation")}
        if "patch" not in name:
            assert others == {"Solved"}, (name, others)


def test_a_name_that_forging_needs_is_found_however_it_is_written():
    usual = ["import numpy as np\nimport torch\nfrom torch import nn\nprint(vars)"]
    for code, found in {
        "np.abs = max": ["set np.abs"],
        "nn.Linear.forward = max": ["set nn.Linear.forward"],
        "import torch as t\nt.sum = max": ["set t.sum"],
        "for np.abs in [max]: pass": ["set np.abs"],
        "match f:\n    case object(__globals__=g): pass": ["__globals__"],
        "'{0.__code__}'.format(f)": ["__code__"],
        "%run other.py": ["get_ipython", "run_line_magic"],
        "from paired.checks.judging import compare": ["import paired.checks.judging.compare"],
        "def f(x):\n    return torch.os.sys": ["os", "sys"],
        "getattr(f, name)": ["getattr()"],
        "getattr(f, '__globals__')": ["__globals__"],
        "import math\nmodel.a = vars(model.eval()), getattr(model, 'bias')": [],
    }.items():
        assert suspicion.suspicious([code], usual) == found, code


@pytest.mark.parametrize(
    "value", [None, 3, 2.5, "text", ..., (1, [2.0, None]), {"a": np.eye(2)}, np.float32(3)]
)
def test_what_travels_arrives_as_it_was(value):
    arrived = travel.unpack(json.loads(json.dumps(travel.pack(value))))
    assert repr(arrived) == repr(value)


def test_what_is_more_than_a_value_does_not_travel():
    for value in (print, object(), np.array([None]), type("Sly", (int,), {})(3)):
        with pytest.raises(travel.CannotTravelError):
            travel.pack(value)
    for packed in ({"array": ["|O", [1], "", False]}, {"model": []}, {"plain": []}):
        with pytest.raises(travel.CannotTravelError):
            travel.unpack(packed)


def test_submissions_are_found_by_folder_and_by_name(tmp_path):
    for name in ("zoe/03_backprop_pytorch.ipynb", "03_backprop_pytorch_amy.ipynb", "notes.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{")
    (tmp_path / "tom").mkdir()
    found = [(each.student, each.framework, bool(each.path)) for each in submissions.find(tmp_path)]
    assert found == [("amy", "pytorch", True), ("zoe", "pytorch", True), ("tom", "pytorch", False)]


def test_a_handout_has_no_solutions_and_still_knows_an_untouched_exercise(tmp_path):
    command = [sys.executable, "-m", "paired.machine.handout", str(tmp_path / "course")]
    subprocess.run(command, cwd=course.ROOT, check=True, capture_output=True)
    names = {path.name for path in (tmp_path / "course").iterdir()}
    assert {"Makefile", "env", "exercises", "notebooks", "paired"} <= names
    assert not {"solutions", "tests", ".git"} & names
    program = (
        "from paired import checks, course\n"
        "tasks = checks.load('03_backprop', 'pytorch')\n"
        "tasks.bug_hunt.solution()\n"
        "source = tasks.bug_hunt._source()\n"
        "import linecache\n"
        "linecache.cache['cell'] = len(source), None, source.splitlines(True), 'cell'\n"
        "exec(compile(source, 'cell', 'exec'))\n"
        "tasks.bug_hunt.check(loss_and_gradients)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path / "course", capture_output=True, text=True)
    assert done.stdout.startswith("This copy of the course has no solutions.\nNot attempted"), done
