"""Wrong answers to the exercise of lesson 06 without a framework, for both halves."""

import functools
import pathlib
import tempfile
from collections.abc import Callable

from paired.checks import lesson_06

from wrong_answers import WrongAnswers

SEAT = 8
SIGNS = {
    "learning rate too high": "loss/train",
    "overfitting": "loss/test",
    "dead units": "dead",
    "exploding gradients": "norm",
    "leak": "leaked",
}


def add_predictions(wrong: WrongAnswers, one_step: str) -> None:
    good = {"points": 1000, "pictures": 10, "steps": 1, "smoothed": 2.0, "stored": 2**24}

    def add(name: str, answer, message: str) -> None:
        answers = (good | {name: answer}).values()
        wrong.add("predict", *answers, message=f"`{name}` {message}")

    add("points", 3000, "is not 3000: a browser would have to draw every point of every run.")
    add("points", 500, "is the limit for histograms.")
    add("points", 10_000, "is more than was logged.")
    add("points", 999.5, "is not 999.5.")
    add("points", "1000", "must be a number from 0; it is '1000'.")
    add("points", float("nan"), "must be a number from 0; it is nan.")
    add(
        "pictures", 25, "is not 25: pictures are large, and TensorBoard keeps a sample of them too."
    )
    add("pictures", 3, "is how many pictures of *one batch* `tf.summary.image` keeps.")
    add("pictures", 1000, "is the limit for scalars.")
    add("pictures", True, "must be a number from 0; it is True.")
    add("steps", 3, f"is not 3. {one_step}")
    add("steps", 0, "is not 0.")
    add("steps", [1], "must be a number from 0; it is a `list`.")
    add("smoothed", 2.5, "is the plain mean: at 0.5 an earlier value counts half as much as the next "
        "one.")  # fmt: skip
    add("smoothed", 1.5, "gives the first point the weight of a 0 before it: TensorBoard divides by "
        "the sum of the weights.")  # fmt: skip
    add("smoothed", 1, "is the point itself.")
    add("smoothed", 4, "is the first point.")
    add("smoothed", 3, "has the weights in the wrong order: the later value counts more.")
    add("smoothed", -2, "must be a number from 0; it is -2.")
    add("smoothed", None, "must be a number from 0; it is None.")
    add(
        "stored", 2**24 + 1, "is what was logged. A scalar is stored as float32, which has 24 bits."
    )
    add("stored", 2**24 + 2, "is the other neighbour: a tie goes to the even one.")
    add("stored", 2**24 - 1, "is not 16777215.")


def add_signs(wrong: WrongAnswers, examine: Callable) -> None:
    """Signs that are none, with an `examine` that is right."""

    def add(signs, message: str) -> None:
        wrong.add("examine", signs, examine, message=message)

    add(None, "`signs` is None; it must be a dict: the tag for each illness.")
    add("loss/train", "`signs` is 'loss/train'; it must be a dict: the tag for each illness.")
    add(list(SIGNS), "`signs` is a `list`; it must be a dict: the tag for each illness.")
    add({}, '`signs["learning rate too high"]` must be the tag of a scalar; it is None.')
    add(SIGNS | {"leak": 3}, '`signs["leak"]` must be the tag of a scalar; it is 3.')
    twice = "Two illnesses have the same tag in `signs`: each has a sign of its own."
    add(SIGNS | {"overfitting": "loss/train"}, twice)
    swapped = SIGNS | {"overfitting": "loss/train", "learning rate too high": "loss/test"}
    add(swapped, "`loss/test`, the sign of learning rate too high, is the loss on the test images: "
        "begin with the training loss.")  # fmt: skip
    swapped = SIGNS | {"dead units": "norm", "exploding gradients": "dead"}
    add(swapped, "`norm`, the sign of dead units, is not the share of ReLU's units that are 0 for "
        "every image, nor their number.")  # fmt: skip


@functools.cache
def _ward(framework: str) -> tuple[dict, pathlib.Path, tempfile.TemporaryDirectory]:
    """A ward that was examined, its event files, and what removes them."""
    adapter = lesson_06.ADAPTERS[framework]()
    ward = lesson_06.ward(framework, SEAT)
    temporary = tempfile.TemporaryDirectory()
    folder = pathlib.Path(temporary.name)
    steps = list(range(0, lesson_06._STEPS, 10))
    for letter, patient in ward.items():
        for _ in patient.train():
            pass
        chart = lesson_06._Chart(patient, steps)
        lines = {
            "loss/train": (steps, chart.batch()), "loss/test": (steps, chart.loss("test")),
            "dead": (steps, chart.dead("test")), "norm": (steps, chart.norm()),
            "leaked": ([0], [lesson_06._sign_of_leak(chart)[0][0]()]),
        }  # fmt: skip
        adapter.write(folder / letter, lines)
    return ward, folder, temporary


def add_diagnoses(wrong: WrongAnswers, framework: str) -> None:
    ward, folder, _ = _ward(framework)
    who = {patient._illness: letter for letter, patient in ward.items()}
    right = {letter: patient._illness for letter, patient in ward.items()}

    def add(diagnoses, message: str, signs=SIGNS, ward=ward, folder=folder) -> None:
        wrong.add("doctor", ward, folder, signs, diagnoses, message=message)

    add("healthy", "`diagnoses` must be a dict with the keys `A`, `B`, `C`, `D`, `E`, `F`.")
    add({"A": "healthy"}, "`diagnoses` must be a dict with the keys `A`, `B`, `C`, `D`, `E`, `F`.")
    add(dict.fromkeys(ward, "healthy"), "`healthy` is given to 6 patients; each is given to one.")
    names = ", ".join(f"`{name}`" for name in sorted(lesson_06.ILLNESSES))
    add(right | {"B": "influenza"}, f"`B` is 'influenza'; choose among {names}.")
    add(right | {"C": None}, f"`C` is None; choose among {names}.")
    add(right, "`ward` is None; take that of `lesson_06.ward`.", ward=None)
    add(right, "`ward` is a `dict`; take that of `lesson_06.ward`.", ward=right)
    add(right, "`folder` is 3; it must be the folder of the ward.", folder=3)
    again = " Solve `examine`, and examine all patients anew."
    fresh = lesson_06.ward(framework, SEAT)
    add(right, "Patient A has not been examined: run the cell that does it.", ward=fresh)
    empty = "The evidence of patient A does not hold: The event files hold no scalar `loss/train`, "
    empty += "the sign of learning rate too high; they hold none. "
    empty += lesson_06.ADAPTERS[framework].unflushed
    add(right, empty + again, folder=folder / "nobody")
    swapped = {**ward, "A": ward["B"], "B": ward["A"]}
    add(right, "The evidence of patient A does not hold: `loss/train`, the sign of learning rate too "
        "high, is not a loss of this patient: log the loss of the batch, or of all training images."
        + again, ward=swapped)  # fmt: skip

    def swap(said: str, illness: str, message: str) -> None:
        """Give the patient with an illness another name, and the other patient this one."""
        mine, others = who[illness], who[said]
        diagnoses = right | {mine: said, others: illness}
        if mine > others:  # the first in the alphabet is spoken of
            return
        add(diagnoses, f"Patient {mine}: {message}")

    look = "look at `{}` at step 0, before the learning rate is used."
    rises = (
        "look at `loss/test` beside the training loss. Overfitting is a test loss that rises while "
        "the training loss goes to 0."
    )
    falls = "its training loss, `loss/train`, falls: the learning rate suits it."
    alive = "`dead` stays low: its units are alive."
    later = "at step 0 `dead` is low: something kills its units later."
    ordinary = "at step 0 `norm` is of ordinary size; what grows later, the updates have enlarged."
    none = "`leaked` is 0: none of its test images is among its training images."
    objections = {
        "healthy": {},
        "learning rate too high": {
            "exploding gradients": look.format("norm"), "dead units": look.format("dead"),
        },
        "overfitting": {}, "leak": {}, "exploding gradients": {},
        "dead units": {"learning rate too high": later, "exploding gradients": later},
    }  # fmt: skip
    others = {
        "healthy": "it is not healthy: one of its signs is far from those of other patients.",
        "learning rate too high": falls, "overfitting": rises, "dead units": alive,
        "exploding gradients": ordinary, "leak": none,
    }  # fmt: skip
    for said, special in objections.items():
        for illness in lesson_06.ILLNESSES:
            if illness != said:
                swap(said, illness, special.get(illness, others[said]))
