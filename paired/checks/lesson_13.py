"""Lesson 13, choosing: the checks of its exercise.

Sheets and answers are drawn anew. GELU's two forms are computed by SciPy.
"""

import pathlib
import tempfile
from collections.abc import Callable, Mapping

from paired.checks import adapters
from paired.checks.answers import Choice, Halves, Number, task
from paired.checks.judging import Wrong, call, compare, kind_of, parts, refuse, to_numpy

import numpy as np

_rng = np.random.default_rng()
NAMES, HOME, EVEN, SPLIT = ("PyTorch", "TensorFlow"), "what it knows", "either", "split"


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch."""

    kind, foreign = "an `nn.Linear`", ("kernel", "bias")

    def dense(self, layer) -> list:
        """Weight (outputs, inputs) and bias of a dense layer; nothing of anything else."""
        from torch import nn

        return [layer.weight, layer.bias] if isinstance(layer, nn.Linear) else []


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    kind, foreign = "a `keras.layers.Dense` that is built", ("weight", "bias")

    def dense(self, layer) -> list:
        """Its kernel transposed, and its bias."""
        import keras

        ready = isinstance(layer, keras.layers.Dense) and layer.built
        return [to_numpy(layer.kernel).T, *layer.weights[1:]] if ready else []


WHO = '"know PyTorch well", and Keras from an afternoon'
WHERE = '"in the control of the oven, a microcontroller"'


@task(
    team=Choice("one", {"both": f"{WHO}: an afternoon is no knowledge to plan with."}),
    deployment=Choice(
        "microcontroller",
        {
            "other": f"it runs {WHERE}.",
            "LLM server": "no language model is in it: the network sorts photographs.",
        },
    ),
    cloud=Choice(
        "other",
        {
            "TPUs": 'it is trained "on a PC in the office".',
            "AWS's chips": 'it is trained "on a PC in the office".',
        },
    ),
    models=Choice(
        "own",
        {
            "transformers": '"a small network of their own", on their own photographs.',
            "mobile": 'a mobile model is somebody else\'s; this is "a small network of their own".',
        },
    ),
    time=Choice("weeks", {"months": 'the fair is "in seven weeks".'}),
    decision=Choice(
        SPLIT,
        {
            "PyTorch": "team and time lean there, and nothing else: two are not three.",
            "TensorFlow": "deployment leans there alone, and is one vote of five.",
        },
    ),
)
def bakery(framework) -> str:
    """The sheet of a project, from its description."""
    return (
        "A split, 2 to 1: stay with PyTorch, and try the microcontroller first. Two objections "
        'come: "By lesson 10 a project moves to TensorFlow in 2 days: move all of it." And "in '
        "lesson 08 TensorFlow takes 0.82 of PyTorch's time for images of 28 by 28: take the faster "
        'one."'
    )


@task(
    days=Number(
        27,
        {
            2: "is what the lesson's own 87 lines take; theirs are 1,000.",
            39: "is what a move to PyTorch takes; they would move to TensorFlow.",
        },
        tolerance=0.5,
    ),
    ahead=Number(
        4,
        {3: "counts TensorFlow's: the ratio is its time over PyTorch's, above 1 PyTorch is ahead."},
    ),
    answers_change=Choice("no", {"yes": "no question is about a port or about speed."}),
)
def objections(framework) -> str:
    """What the lessons' numbers answer to numbers."""
    return (
        "27 of the 35 working days of seven weeks; and ahead on 4 networks of 7, behind on 3. The "
        "sheet stays as it is."
    )


# The lesson's sheet, and what task 1 says of the bakery.
SHEET = {
    "team": {"one": HOME, "both": EVEN},
    "deployment": {"microcontroller": "TensorFlow", "LLM server": "PyTorch", "other": EVEN},
    "cloud": {"TPUs": "TensorFlow", "AWS's chips": "PyTorch", "other": EVEN},
    "models": {"mobile": "TensorFlow", "transformers": "PyTorch", "own": EVEN},
    "time": {"weeks": HOME, "months": EVEN},
}
BAKERY = dict(zip(SHEET, ("one", "microcontroller", "other", "own", "weeks"), strict=True))


def drawn(questions: int, leans=(*NAMES, HOME, EVEN)) -> tuple[dict, dict]:
    """A sheet of two to four answers a question, some of one text, and one answer to each."""
    sheet = {
        f"question {number}": {
            f"answer {n}": _rng.choice(leans).item() for n in range(_rng.integers(2, 5))
        }
        for number in range(questions)
    }
    order = _rng.permutation(list(sheet)).tolist()
    return sheet, {name: _rng.choice(list(sheet[name])).item() for name in order}


def decided(sheet: Mapping, answers: Mapping, known: str, *, home=True, even=False, least=3) -> str:
    """The rule of three, and what slips make of it."""
    leans = [sheet[name][answer] for name, answer in answers.items()]
    leans = [known if home and lean == HOME else lean for lean in leans]
    best = max((*NAMES, EVEN) if even else NAMES, key=leans.count)
    return best if leans.count(best) >= least else SPLIT


SLIPS = {
    f'A question that leans to "{HOME}" is a vote for what the team knows.': {"home": False},
    f'"{EVEN}" is nobody\'s vote.': {"even": True},
    "Three are enough.": {"least": 4},
    "Two are not enough.": {"least": 2},
}


def bug_hunt(framework, decide: Callable) -> str:
    """The lesson's rule with two bugs."""
    projects, got = [], []
    for n in range(150):
        sheet, answers = drawn(5) if n else drawn(5, leans=(EVEN,))
        for known in NAMES:
            projects.append((sheet, answers, known))
            got.append(call(decide, sheet=sheet, answers=answers, known=known))
            if not isinstance(got[-1], str):
                wanted = '`decide` must return the name of a framework, or "split"'
                raise Wrong(f"{wanted}; it returns {kind_of(got[-1])}.")
    right = [decided(*project) for project in projects]
    for (sheet, answers, known), mine, one in zip(projects, got, right, strict=True):
        if mine != one:
            leans = ", ".join(sheet[name][answer] for name, answer in answers.items())
            what = f"For a team that knows {known} and the leans {leans} it is {one}"
            slips = (say for say, s in SLIPS.items() if got == [decided(*p, **s) for p in projects])
            raise Wrong(f"{what}, and `decide` returns {kind_of(mine)}. {next(slips, '')}".strip())
    return "Right for 300 projects, drawn anew."


def turning(framework, turning: Callable) -> str:
    """Which questions turn a verdict."""
    for sheet, before in [*(drawn(_rng.integers(3, 6)) for _ in range(100)), (SHEET, BAKERY)]:
        answers, options = dict(before), {name: list(each) for name, each in sheet.items()}
        known = "PyTorch" if sheet is SHEET else _rng.choice(NAMES).item()

        def decide(given, sheet=sheet, known=known):
            keep = "`decide` takes an answer to every question of the project: keep the others."
            refuse({keep: dict(given).keys() != sheet.keys()})
            return decided(sheet, given, known)

        now = decide(answers)
        ends = {n: {decide(answers | {n: o}) for o in each} - {now} for n, each in options.items()}
        right = {name for name, other in ends.items() if other}
        got = call(turning, decide=decide, options=options, answers=answers)
        if not isinstance(got, list):
            raise Wrong(f"`turning` must return a list of questions; it returns {kind_of(got)}.")
        strange = [one for one in got if not isinstance(one, str) or one not in sheet]
        refuse({f"{kind_of((strange or [0])[0])} in the list is no question.": strange})
        missed, idle = sorted(right - set(got)), sorted(set(got) - right)
        missed, idle = (f'"{each[0]}"' if each else "" for each in (missed, idle))
        refuse(
            {
                f"`turning` leaves out {missed}, where another answer changes the verdict.": missed,
                f"`turning` names {idle}, whose other answers leave the verdict as it is.": idle,
                "`turning` names a question twice.": len(got) > len(set(got)),
            }
        )
    turns = ", ".join(sorted(got))
    return f"Right for 100 projects, drawn anew. What can turn the bakery's verdict: {turns}."


def gelu(x: np.ndarray, approximate: bool = False) -> np.ndarray:
    """GELU, or its approximation by tanh (Hendrycks and Gimpel 2016)."""
    from scipy import special

    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


@task(holds=Choice("no", {"yes": "somewhere they are farther apart than that."}))
def claim(framework, largest_gap: Callable) -> str:
    """A made-up claim, put to the test."""
    found = parts("largest_gap", call(largest_gap), "x", "gap")
    try:
        x, gap = (np.nan if isinstance(each, str) else float(each) for each in found)
    except (TypeError, ValueError):
        x = gap = np.nan
    numbers = "`largest_gap` must return two numbers, neither NaN nor infinite."
    refuse({numbers: not np.isfinite([x, gap]).all()})
    grid = np.linspace(-6, 6, 120_001)
    largest = np.abs(gelu(grid) - gelu(grid, approximate=True)).max()
    here = float(np.abs(gelu(np.float64(x)) - gelu(np.float64(x), approximate=True)))
    refuse(
        {
            "The gap is a distance: not negative.": gap < 0,
            f"At x = {x:.6g} the two differ by {here:.3e}, and not by {gap:.3e}: is all of it in "
            "float64, and each formula as in the text?": abs(gap - here) > 1e-9,
            f"Somewhere they differ by more than {here:.3e}: look farther, in smaller steps.": (
                here < 0.999 * largest
            ),
        }
    )
    return f"At |x| = {abs(x):.2f} they differ by {gap:.2e}: nearly five times what is claimed."


def load_dense(framework, load_dense: Callable) -> str:
    """The other framework's dense layer, from a file."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng()
    for inputs, outputs in ((5, 3), (4, 4), (2, 6)):
        weight, bias = rng.normal(size=(outputs, inputs)), rng.normal(size=outputs)
        stored = Halves(weight.T, weight)._asdict()[framework.name]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "it's dense.safetensors")
            arrays = dict(zip(framework.foreign, (stored, bias), strict=True))
            save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, path)
            layer = call(load_dense, path=path)
        found = framework.dense(layer)
        refuse({f"`load_dense` must return {framework.kind}.": not found})
        refuse({"The layer has no bias.": len(found) < 2 or found[1] is None})
        mistakes = {"is transposed, in a layer that is square.": weight.T}
        what = f"The weight of {inputs} inputs and {outputs} outputs"
        mistakes = mistakes if inputs == outputs else {}
        compare(what, found[0], weight, shape_note=framework.layout_note, mistakes=mistakes)
        compare("The bias", found[1], bias)
        x = rng.normal(size=(7, inputs))
        compare("The layer's output", layer(framework.tensor(x)), x @ weight.T + bias)
    return "Three layers arrive, the square one too."


TASKS = (bakery, objections, bug_hunt, turning, claim, load_dense)
