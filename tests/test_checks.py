"""Every exercise knows whether it is solved, whatever the student's code does."""

import signal
import subprocess
import sys
import threading
import time
import types

from paired import checks
from paired.authors import exercises, files
from paired.checks import answers, judging, markers

import numpy as np
import pytest
from mistakes import run
from nbformat import v4

STUB = "def double(x):\n    return ...  # your code here"
SOLVED = """def double(x):
    # BEGIN SOLUTION
    # STUB return x + x * x  # wrong
    return 2 * x
    # END SOLUTION"""


def answer(source: str):
    """The function that a student's cell defines last."""
    return list(run(source, "answer-cell", {"__name__": "__main__"}).values())[-1]


HINTS = "**Hints**\n\n1. Add.\n2. Or\n   multiply.\n3. By two."


# A task without a framework, for the engine


FLAG = types.SimpleNamespace(up=False)


class Adapter(checks.adapters.Framework):
    name = "pytorch"

    def settings(self):
        return {"flag.up": (FLAG.up, lambda up: setattr(FLAG, "up", up))}


ADAPTER = Adapter()


def double(framework, double) -> str:
    x = np.arange(1.0, 4.0)
    result = judging.call(double, x=x.copy())
    judging.compare("The result", result, 2 * x, shape_note="one for each number.",
                   mistakes={"is the square.": x * x})  # fmt: skip
    return "Twice as much."


@pytest.fixture
def task(tmp_path):
    solved = v4.new_code_cell(SOLVED, id="double", metadata={"tags": ["task"]})
    hints = v4.new_markdown_cell(HINTS, id="double-hints", metadata={"tags": ["hints"]})
    path = tmp_path / "solutions" / "00_toy_pytorch.ipynb"
    files.write(path, v4.new_notebook(cells=[solved, hints]))
    files.write(tmp_path / "exercises" / path.name, exercises.exercise(path))
    return checks.Task(double, ADAPTER, path.name, tmp_path)


def verdict(task, *answers) -> tuple[str, str]:
    task.check(*answers)
    return task.verdict, task.reason


def test_a_solved_task_says_what_it_has_shown(task, capsys):
    task.check(lambda x: 2 * x)
    assert capsys.readouterr().out == "Solved: double\nTwice as much.\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("double = ...", "Still `...`: double."),
        ("def double(x):\n    return ...", "The function still returns `...`."),
        (markers.stub(SOLVED), "The code is still as the exercise gives it."),
        (
            "def double(x):\n\n    # I wonder\n    return (x + x*x)\n",
            "The code is still as the exercise gives it.",
        ),
    ],
)
def test_an_untouched_task_is_not_attempted(task, source, reason):
    assert verdict(task, answer(source)) == ("Not attempted", reason)


def test_a_name_is_judged_before_the_function_is_mended(task):
    stub = answer(markers.stub(SOLVED))
    task.kinds, task.names = {"cause": answers.Choice("B", {"A": "no."})}, ["cause", "double"]
    right = "Right so far: `cause`. The code is still as the exercise gives it."
    assert verdict(task, "B", stub) == ("Not attempted", right)
    assert verdict(task, "A", stub) == ("Wrong", "`cause` is not A: no.")


NASTY = {
    "raises": (
        "def double(x):\n    raise ValueError('boom')",
        "Your code raises `ValueError: boom` in line 2 of its cell, `raise ValueError('boom')`.",
    ),
    "raises in a helper": (
        "def helper(x):\n    return x['a']\ndef double(x):\n    return helper({})",
        "Your code raises `KeyError: 'a'` in line 2 of its cell, `return x['a']`.",
    ),
    "raises inside NumPy": (
        "def double(x):\n    return x.reshape(5)",
        "Your code raises `ValueError: cannot reshape array of size 3 into shape (5,)` in line 2 "
        "of its cell, `return x.reshape(5)`.",
    ),
    "raises at length": (
        "def double(x):\n    raise ValueError('na ' * 1000)",
        f"Your code raises `ValueError: {'na ' * 95}...` in line 2 of its cell, "
        "`raise ValueError('na ' * 1000)`.",
    ),
    "raises what cannot be printed": (
        "class Bad(Exception):\n    def __str__(self):\n        raise ValueError\n"
        "def double(x):\n    raise Bad",
        "Your code raises `Bad: <exception str() failed>` in line 5 of its cell, `raise Bad`.",
    ),
    "exits": (
        "def double(x):\n    exit(1)",
        "Your code raises `SystemExit: 1` in line 2 of its cell, `exit(1)`.",
    ),
    "exits by sys": (
        "import sys\ndef double(x):\n    sys.exit()",
        "Your code raises `SystemExit` in line 3 of its cell, `sys.exit()`.",
    ),
    "calls itself for ever": (
        "def double(x):\n    return double(x)",
        "Your code raises `RecursionError: maximum recursion depth exceeded` in line 2 of its "
        "cell, `return double(x)`.",
    ),
    "takes no argument": (
        "def double():\n    return 2",
        "Your code raises `TypeError: double() takes 0 positional arguments but 1 was given`.",
    ),
    "takes two arguments": (
        "def double(x, y):\n    return 2",
        "Your code raises `TypeError: double() missing 1 required positional argument: 'y'`.",
    ),
    "is called already": (
        "double = 6.0",
        "`check` takes your function itself, not a result of it; this is a `float`.",
    ),
    "returns nothing": (
        "def double(x):\n    2 * x",
        "The result is a `NoneType`; it must be an array of shape (3,).",
    ),
    "returns parts of different shapes": (
        "def double(x):\n    return 2 * x, 2",
        "The result is a `tuple`; it must be an array of shape (3,).",
    ),
    "returns text": (
        "def double(x):\n    return 'twice'",
        "The result is a `str`; it must be an array of shape (3,).",
    ),
    "returns itself": (
        "def double(x):\n    return double",
        "The result is a `function`; it must be an array of shape (3,).",
    ),
    "returns what cannot be read": (
        "class Bad:\n    def __array__(self, *args, **kwargs):\n        raise OSError('no')\n"
        "def double(x):\n    return Bad()",
        "Your code raises `OSError: no` in line 3 of its cell, `raise OSError('no')`.",
    ),
    "returns another shape": (
        "def double(x):\n    return 2 * x[:2]",
        "The result has shape (2,), it must have (3,): one for each number.",
    ),
    "returns another dtype": (
        "def double(x):\n    return (2 * x).astype(int)",
        "The result has dtype int64, it must have float64.",
    ),
    "returns NaN": (
        "def double(x):\n    return x * float('nan')",
        "The result contains NaN or infinity.",
    ),
    "makes a known mistake": ("def double(x):\n    return x**2", "The result is the square."),
    "is wrong": (
        "def double(x):\n    return 3 * x",
        "The result has the right shape and dtype, but wrong values.",
    ),
    "changes its input": (
        "def double(x):\n    x *= 2\n    return x",
        "Your function changes `x` in place: work on a copy of it.",
    ),
}


@pytest.mark.parametrize("name", NASTY)
def test_nothing_that_an_answer_does_raises(task, name):
    source, reason = NASTY[name]
    assert verdict(task, answer(source)) == ("Wrong", reason)


def test_a_text_or_a_number_that_is_changed_inside_an_argument_is_seen_and_nan_is_none():
    arguments = {"sheet": {"team": ["one", float("nan")]}, "rate": float("nan")}
    judging.call(lambda sheet, rate: None, **arguments)
    with pytest.raises(judging.Wrong, match="changes `sheet` in place"):
        judging.call(lambda sheet, rate: sheet["team"].__setitem__(0, "both"), **arguments)


@pytest.mark.parametrize(
    ("loop", "line"),
    [
        ("    while True:\n        pass", 2),
        ("    while True:\n        try:\n            x = x + 1\n        except Exception:\n"
         "            pass", 2),
    ],
)  # fmt: skip
def test_code_without_end_is_stopped(task, monkeypatch, loop, line):
    monkeypatch.setattr(checks, "TIME_LIMIT_SECONDS", 0.2)
    start = time.monotonic()
    word, reason = verdict(task, answer(f"def double(x):\n{loop}"))
    assert word == "Wrong"
    assert reason.startswith("Your code did not end within 0.2 seconds in line ")
    assert reason.endswith(": look for an endless loop.")
    assert time.monotonic() - start < 5


def test_a_slow_check_is_not_said_to_be_the_students_loop(tmp_path, monkeypatch):
    def double(framework, double) -> str:
        double(1)
        time.sleep(5)

    monkeypatch.setattr(checks, "TIME_LIMIT_SECONDS", 0.2)
    slow = checks.Task(double, ADAPTER, "00_toy_pytorch.ipynb", tmp_path)
    assert verdict(slow, lambda x: 2 * x)[1].startswith(
        "This check did not end within 0.2 seconds, outside your code"
    )


def test_the_alarm_that_was_set_before_is_set_again(task):
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        task.check(lambda x: 2 * x)
        deadline = time.monotonic() + 5
        while not rang and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rang == [1]


def test_the_stop_button_still_works(task):
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt):
        task.check(answer("def double(x):\n    raise KeyboardInterrupt"))
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_check_works_in_another_thread(task):
    thread = threading.Thread(target=task.check, args=[lambda x: 2 * x])
    thread.start()
    thread.join()
    assert task.verdict == "Solved"


def test_what_the_answer_prints_is_shown_in_part_when_it_is_wrong(task, capsys):
    task.check(answer("def double(x):\n    for i in range(100_000):\n        print(i)"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:15] == ["Your code printed:", *(f"  {i}" for i in range(10)), "  ...",
                           "Stuck? `tasks.double.hint()` has 3 hints."]  # fmt: skip
    assert len(lines) == 15


def test_what_a_right_answer_prints_is_not_shown(task, capsys):
    task.check(answer("def double(x):\n    print('here')\n    return 2 * x"))
    assert capsys.readouterr().out == "Solved: double\nTwice as much.\n"


def test_check_says_how_it_is_called(task):
    assert verdict(task) == ("Wrong", "Call it as `tasks.double.check(double)`.")


def test_hints_come_in_steps(task, capsys):
    for _ in range(4):
        task.hint()
    last = ["Hint 3 of 3: By two.",
            "That was the last hint; `tasks.double.solution()` shows a solution."]  # fmt: skip
    first = ["Hint 1 of 3: Add.", "Hint 2 of 3: Or multiply."]
    assert capsys.readouterr().out.splitlines() == [*first, *last, *last]


def test_the_solution_has_no_markers(task, capsys):
    task.solution()
    assert capsys.readouterr().out == "def double(x):\n    return 2 * x\n"


def test_checks_work_where_the_solutions_are_withheld(task, capsys):
    task._solutions.unlink()
    task.check(lambda x: 2 * x)
    task.solution()
    assert capsys.readouterr().out.splitlines() == [
        "Solved: double", "Twice as much.", "This copy of the course has no solutions.",
    ]  # fmt: skip


def test_summary_counts_what_is_solved(task, capsys):
    tasks = checks.Tasks(double=task, other=task)
    tasks.summary()
    task.check(lambda x: 2 * x)
    capsys.readouterr()
    tasks.summary()
    assert capsys.readouterr().out.splitlines() == [
        "double  solved", "double  solved", "2 of 2 solved",
    ]  # fmt: skip


# Answers that are no functions


A_NUMBER = answers.Number(2.0, {3.0: "is one too many."}, tolerance=0.005)
OR_NONE = answers.Number(None, {0.0: "is a number, and there is none."}, none=True)
LETTER = answers.Choice("B", {"A": "the shapes fit.", "C": answers.Halves("no.", "never.")})
WORD = answers.Choice("warm", {"cold": "it is not."})
SHAPE = answers.Shape(answers.Halves((2, 3), (3, 2)), {(6,): "has lost an axis."})


@pytest.mark.parametrize(
    ("kind", "given", "sentence"),
    [
        (A_NUMBER, 2.004, ""),
        (A_NUMBER, np.float64(2), ""),
        (A_NUMBER, 3, "is one too many."),
        (A_NUMBER, 2.5, "is not 2.5."),
        (A_NUMBER, 1370, "is not 1370."),
        (A_NUMBER, "2", "must be a number; it is '2'."),
        (A_NUMBER, True, "must be a number; it is True."),
        (A_NUMBER, None, "must be a number; it is None."),
        (A_NUMBER, float("nan"), "must be a number; it is nan."),
        (A_NUMBER, [2.0], "must be a number; it is [2.0]."),
        (A_NUMBER, object(), "must be a number; it is a `object`."),
        (OR_NONE, None, ""),
        (OR_NONE, 0, "is a number, and there is none."),
        (OR_NONE, "None", "must be a number, or None without quotes; it is 'None'."),
        (LETTER, " b", ""),
        (LETTER, "a", "is not A: the shapes fit."),
        (LETTER, "C", "is not C: no."),
        (LETTER, "D", 'must be one of the letters "A" to "C"; it is \'D\'.'),
        (LETTER, 2, 'must be one of the letters "A" to "C"; it is 2.'),
        (WORD, "`warm`", ""),
        (WORD, "Cold", "is not cold: it is not."),
        (WORD, "tepid", 'must be "cold" or "warm"; it is \'tepid\'.'),
        (SHAPE, [2, np.int64(3)], ""),
        (SHAPE, (3, 2), "is not (3, 2)."),
        (SHAPE, (6,), "has lost an axis."),
        (SHAPE, 6, "must be a tuple of whole numbers; it is 6."),
        (SHAPE, (2, 3.0), "must be a tuple of whole numbers; it is (2, 3.0)."),
        (SHAPE, "(2, 3)", "must be a tuple of whole numbers; it is '(2, 3)'."),
    ],
)
def test_an_answer_of_a_kind_is_judged_by_its_table(kind, given, sentence):
    if not sentence:
        kind.judge("mine", given, "pytorch")
        return
    with pytest.raises(judging.Wrong) as caught:
        kind.judge("mine", given, "pytorch")
    assert str(caught.value) == f"`mine` {sentence}"


def test_what_an_answer_leaves_changed_is_set_back_and_said(task, capsys):
    def raised(x):
        FLAG.up = True
        return 2 * x

    task.check(raised)
    assert (
        "`flag.up` was left True; it is as at the start of the exercise" in capsys.readouterr().out
    )
    assert not FLAG.up
    FLAG.up = True  # by a cell before the check
    task.check(lambda x: 2 * x)
    assert "`flag.up` was left True" in capsys.readouterr().out
    task.check(lambda x: 2 * x)
    assert "flag" not in capsys.readouterr().out


SETTINGS = {
    "pytorch": """
import torch
from paired.checks import adapters
adapter = adapters.PyTorch()
mode = torch.inference_mode()
mode.__enter__()
torch.set_grad_enabled(False)
torch.autograd.set_detect_anomaly(True)
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
""",
    "tensorflow": """
import tensorflow as tf
from paired.checks import adapters
adapter = adapters.TensorFlow()
tf.config.run_functions_eagerly(True)
tf.config.set_soft_device_placement(False)
tf.debugging.enable_check_numerics()
tf.keras.config.set_floatx("float64")
tf.keras.config.set_dtype_policy("mixed_bfloat16")
""",
}  # fmt: skip


RESTORED = """
adapter.restore()
assert adapter.left.keys() == adapter.settings().keys(), adapter.left
adapter.left.clear()
adapter.restore()
assert not adapter.left
"""


@pytest.mark.parametrize("framework", SETTINGS)
def test_a_frameworks_settings_are_set_back(framework):
    code = SETTINGS[framework] + RESTORED
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_declared_answers_come_first_and_the_function_gets_the_rest(tmp_path):
    @answers.task(cause=LETTER, size=A_NUMBER)
    def mend(framework, size, mended) -> str:
        assert (size, mended) == (2, max)
        return "Both."

    mine = checks.Task(mend, ADAPTER, "00_toy_pytorch.ipynb", tmp_path)
    assert verdict(mine) == ("Wrong", "Call it as `tasks.mend.check(cause, size, mended)`.")
    assert verdict(mine, "B", ..., max) == ("Not attempted", "Still `...`: size.")
    assert verdict(mine, "A", 2, max) == ("Wrong", "`cause` is not A: the shapes fit.")
    assert verdict(mine, "B", 2, max) == ("Solved", "Both.")


@pytest.mark.parametrize(
    ("lesson", "framework", "message"),
    [("04_network", "jax", "framework is 'jax'"), ("98_none", "pytorch", "lesson is '98_none'")],
)
def test_load_says_what_is_not_there(lesson, framework, message):
    with pytest.raises(LookupError, match=message):
        checks.load(lesson, framework)
