"""Promise 3: each exercise of the course knows whether it is solved, and what is wrong if not."""

import ast
import contextlib
import dataclasses
import functools
import importlib
import inspect
import io
import re
import subprocess
import sys
from collections.abc import Iterator

from paired import checks, course
from paired.authors import files
from paired.checks import markers

import matplotlib
import matplotlib.pyplot as plt
import mistakes
import pytest
from test_checks import NASTY, answer

LESSONS = [
    lesson.name
    for lesson in course.lessons()
    if importlib.util.find_spec(f"mistakes.lesson_{lesson.number}")
]
# A framework is imported once, and an exercise solved once: the tests of one stay on one worker.
HALVES = [
    pytest.param(
        (lesson, framework),
        id=f"{lesson}-{framework}",
        marks=pytest.mark.xdist_group(f"checks-{framework}"),
    )
    for lesson in LESSONS
    for framework in course.FRAMEWORKS
]


@dataclasses.dataclass
class Half:
    """One half of a lesson's exercise, solved."""

    lesson: str
    framework: str
    namespace: dict
    printed: str

    @functools.cached_property
    def tasks(self) -> dict[str, checks.Task]:
        return vars(self.namespace["tasks"])

    @functools.cached_property
    def sources(self) -> dict[str, str]:
        path = course.ROOT / "solutions" / f"{self.lesson}_{self.framework}.ipynb"
        return {cell_id.replace("-", "_"): source for cell_id, _, source in course.cells(path)}

    @functools.cached_property
    def tables(self) -> list[mistakes.Mistakes]:
        module = importlib.import_module(f"mistakes.lesson_{self.lesson[:2]}")
        return [each for each in vars(module).values() if isinstance(each, mistakes.Mistakes)]

    @functools.cached_property
    def outcomes(self) -> list[tuple[mistakes.Attempt, str, str]]:
        """Each attempt with its verdict and reason; the solution first."""
        solved = [
            (mistakes.Attempt(name, self.framework, ()), task.verdict, task.reason)
            for name, task in self.tasks.items()
        ]
        attempts = [
            attempt
            for each in self.tables
            for attempt in each.attempts
            if attempt.half == self.framework
        ]
        attempts += [
            mistakes.Attempt(name, self.framework, {own: value}, f"`{own}` {sentence}")
            for name, task in self.tasks.items()
            for own, kind in task.kinds.items()
            for value, sentence in kind.wrong(self.framework)
        ]
        return solved + [(attempt, *self.judge(attempt)) for attempt in attempts]

    def judge(self, attempt: mistakes.Attempt) -> tuple[str, str]:
        """The verdict on an attempt, and its reason."""
        task = self.tasks[attempt.task]
        by_name = attempt.change if isinstance(attempt.change, dict) else {}
        source = mistakes.changed(self.sources[attempt.task], () if by_name else attempt.change)
        # Cells after the answer's may have used its names for something else.
        answers = mistakes.run(source, "answer-cell", dict(self.namespace)) | by_name
        with contextlib.redirect_stdout(io.StringIO()):
            task.check(*(answers[name] for name in task.names))
        return task.verdict, task.reason


def solve(lesson: str, framework: str) -> tuple[dict, str]:
    """What the solutions of an exercise leave, and what they print."""
    namespace = {"__name__": "__main__"}
    path = course.ROOT / "solutions" / f"{lesson}_{framework}.ipynb"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for cell in files.read(path).cells:
            if cell.cell_type == "code":
                mistakes.run(markers.solution(cell.source), f"{framework}-{cell.id}", namespace)
    return namespace, printed.getvalue()


@pytest.fixture(scope="module")
def half(request):
    matplotlib.use("agg")
    yield Half(*request.param, *solve(*request.param))
    # Some exercises set the default precision of a framework: set it back.
    if keras := sys.modules.get("keras"):
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    if torch := sys.modules.get("torch"):
        torch.set_default_dtype(torch.float32)
    # TensorBoard's library that was told to do without TensorFlow cannot write for it any more:
    # let the other half import it anew.
    if sys.modules.pop("tensorboard.compat.notf", None):
        for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
            del sys.modules[name]
    plt.close("all")


each_half = pytest.mark.parametrize("half", HALVES, indirect=True, scope="module")


@each_half
def test_the_solution_and_every_other_right_answer_are_solved(half):
    assert half.printed.count("Solved: ") == len(half.tasks)
    refused = [each for each in half.outcomes if not each[0].says and each[1] != checks.SOLVED]
    assert not refused, _told(refused)


@each_half
def test_every_wrong_answer_brings_its_sentence(half):
    missed = [
        each
        for each in half.outcomes
        if each[0].says and (each[1] != checks.WRONG or each[0].says not in each[2])
    ]
    assert not missed, _told(missed)


def _told(outcomes: list) -> str:
    return "\n".join(f"{attempt}\n    {verdict}: {why}" for attempt, verdict, why in outcomes)


@each_half
def test_every_sentence_of_the_checks_is_brought(half):
    """Each by at least one answer in each half that can say it."""
    module = importlib.import_module(f"paired.checks.lesson_{half.lesson[:2]}")
    said = "\n".join(reason for _, _, reason in half.outcomes)
    excused = [part for each in half.tables for own, part in each.excused if own == half.framework]
    tree = ast.parse(inspect.getsource(module))
    unsaid = [text for text in _sentences(tree, half.framework) if text not in said]
    missing = [text for text in unsaid if not any(part in text for part in excused)]
    assert not missing, "\n".join(missing)
    needless = [part for part in excused if not any(part in text for text in unsaid)]
    assert not needless, "\n".join(needless)


def _sentences(node: ast.AST, half: str) -> Iterator[str]:
    """The texts of at least three words in a lesson's checks that one half can say."""
    other = {"pytorch": "TensorFlow", "tensorflow": "PyTorch"}[half]
    match node:
        case ast.ClassDef(name=name) if name == other:
            return
        case ast.keyword(arg=name) if name == other.lower():
            return
        case ast.Expr(value=ast.Constant()):  # a docstring
            return
        case ast.Call(func=ast.Name(id="Halves"), args=[pytorch, tensorflow]):
            yield from _sentences(pytorch if half == "pytorch" else tensorflow, half)
            return
        case ast.Constant(value=str(text)):
            pieces = (piece.strip() for piece in re.split(r"\{[^{}]*\}", text))
            yield from (piece for piece in pieces if len(piece.split()) > 2)
    for child in ast.iter_child_nodes(node):
        yield from _sentences(child, half)


@each_half
def test_a_task_that_takes_a_function_has_two_other_right_answers(half):
    for name, task in half.tasks.items():
        functions = [own for own in task.names if callable(half.namespace[own])]
        right = [each for each, _, _ in half.outcomes if each.task == name and not each.says]
        assert not functions or len(right) > 2, name


@each_half
def test_no_task_lets_an_answer_raise(half):
    nasty = [answer(source) for source, _ in NASTY.values()]
    for name, task in half.tasks.items():
        task.check(*[None] * 9)
        assert task.reason.startswith("Call it as ")
        right = {own: half.namespace[own] for own in task.names}
        own = next((own for own in right if callable(right[own])), task.names[0])
        for wrong in nasty:
            task.check(*(right | {own: wrong}).values())
            assert (name, task.verdict) == (name, checks.WRONG)


@each_half
def test_every_task_has_hints(half):
    for task in half.tasks.values():
        assert len(task._hints) >= 2, task.name


def test_loading_the_checks_imports_no_framework():
    program = (
        "from paired import checks\n"
        f"for lesson in {LESSONS}:\n"
        "    for framework in ('pytorch', 'tensorflow'):\n"
        "        tasks = checks.load(lesson, framework)\n"
        "        next(iter(vars(tasks).values())).check()\n"
        "import sys; print(sorted({'torch', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=course.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
