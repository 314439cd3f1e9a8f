"""Wrong answers to the exercise of lesson 06 without a framework, for both halves."""

import functools
import itertools
import json
import math
import pathlib
import tempfile
from collections.abc import Callable

from paired import events
from paired.checks import lesson_06
from paired.checks import lesson_06_patients as patients

import numpy as np

from wrong_answers import WrongAnswers

SEAT = 8
UNFLUSHED = " " + lesson_06._UNFLUSHED
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
    add("smoothed", 2.5, "is the plain mean: at 0.5 an earlier value counts half as much as the "
        "next one.")  # fmt: skip
    add("smoothed", 1.5, "gives the first point the weight of a 0 before it: TensorBoard divides "
        "by the sum of the weights.")  # fmt: skip
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


def add_log(wrong: WrongAnswers, log_runs: Callable, message: str, **changes) -> None:
    """Add a wrong way of logging two runs and images: `log_runs` with these changes."""

    def changed(folder, runs, images):
        log_runs(folder, runs, images, **changes)

    wrong.add("bug_hunt", changed, message=message)


def add_logs(wrong: WrongAnswers, log_runs: Callable, batch: Callable) -> None:
    """Add those that both writers share; `batch` gives the images the axis of channels."""
    add = functools.partial(add_log, wrong, log_runs)
    one_line = (
        "All losses are in one folder, and TensorBoard takes a folder for a run: both trainings "
        "become one line. Give each a folder of its own."
    )
    add(one_line, path=lambda folder, name: folder)
    add(one_line, path=lambda folder, name: folder / "runs")
    add(
        "There is no run `slow`: log to `folder / name`. Runs: `loss/fast`, `loss/slow`.",
        path=lambda folder, name: folder / "loss" / name,
    )
    add(
        "The steps of the run `slow` are 1, 2, 3, 4, 5, 6, ...; they count from 0.",
        step=lambda step: step + 1,
    )
    add("The run `slow` does not hold all 33 losses." + UNFLUSHED, part=5)
    add("The event files hold no scalar `loss`." + UNFLUSHED, tag="losses")
    add("The event files hold no image." + UNFLUSHED, times=0)
    add("The run `slow` holds other losses than those it was given.", loss=lambda x: round(x, 2))
    pictures = {
        "Every pixel above 0 is white: floats have to lie between 0 and 1, and these reach 16.":
            lambda images: batch(images),
        "The picture is almost black: whole numbers have to reach 255, and these reach 16.":
            lambda images: batch(images).astype(np.uint8),
        "White and black have changed places: 16 is white.":
            lambda images: 1 - batch(images) / 16,
        "Rows and columns have changed places.":
            lambda images: batch(images.transpose(0, 2, 1)) / 16,
        "The pictures have the right size, and other pixels than the images.":
            lambda images: batch(images) / 20,
    }  # fmt: skip
    for message, change in pictures.items():
        add(message, pictures=change)
    add("`digits` is at step 1; it must be at step 0.", at=1)
    add("`digits` is logged 2 times; log the batch once, at step 0.", times=2)
    where = "log `digits` to `folder / 'images'`, once."
    add(f"`digits` is in the run `slow`; {where}", image_run="slow")
    add(f"`digit` is in the run `images`; {where}", image_tag="digit")


def add_moves(wrong: WrongAnswers, framework: str) -> None:
    """Wrong ways from Visdom to TensorBoard, and back."""
    write = lesson_06.ADAPTERS[framework]().write

    def there(window, folder, *, gap=math.nan, zero=0.0, step=int, kind=np.float32, best=max,
              add=0.0, tag="{}", refuse=True, skip=False, relative=False):  # fmt: skip
        """A right one, unless told otherwise."""
        errors, lines = [0.0], {}
        for line in json.loads(window)["content"]["data"]:
            steps, values = lines.setdefault(tag.format(line["name"]), ([], []))
            for number, (x, y) in enumerate(zip(line["x"], line["y"], strict=True)):
                if refuse and x != int(x):
                    raise ValueError(x)
                if y is None and skip:
                    continue
                steps.append(step(x) if step else number)
                values.append(gap if y is None else y or zero)
                if y is not None:
                    error = abs(y - float(kind(y)))
                    errors.append(error / abs(y) if relative and y else error)
        write(folder, lines)
        return best(errors) + add

    def back(folder):
        return {
            tag: (list(points), [float(value) for value in points.values()])
            for (_, tag), points in events.read(folder).items()
        }

    def moves(message: str, result: Callable | None = None, **changes) -> None:
        def changed(window, folder):
            largest = there(window, folder, **changes)
            return result(largest) if result else largest

        wrong.add("panel", changed, back, message=message)

    moves("`test` has 4 points of 5. A gap, `null` in JSON, is a point too: NaN.", skip=True)
    moves("`test` is NaN elsewhere than the line has a gap, `null` in JSON.", gap=0.0)
    moves("`train` is NaN elsewhere than the line has a gap, `null` in JSON.", zero=math.nan)
    moves("`train` is logged at steps counted from 0: take those of its `x`.", step=None)
    moves("`train` is at other steps than its x.", step=lambda x: int(x) + 1)
    moves("The tags are `loss/test`, `loss/train`; the lines are `test`, `train`.", tag="loss/{}")
    one = "it must be one number, the largest error."
    moves(f"The result is None; {one}", lambda _: None)
    moves(f"The result is a `list`; {one}", lambda largest: [largest])
    moves("The largest error is NaN: leave gaps out of it.", lambda _: math.nan)
    moves("The largest error is not 0, although float32 holds these values exactly: compare in "
          "float64.", add=1e-9)  # fmt: skip
    fine = "Where values need float64: The largest error is "
    zero = (
        "0: compare with the float32 that the event holds, and in float64. NumPy computes "
        "`np.float32(y) - y` in float32."
    )
    moves(fine + zero, kind=np.float64)
    moves(fine + zero, result=lambda _: 0)
    moves(fine + "a sum: the largest is asked for.", best=sum)
    moves(fine + "a mean: the largest is asked for.", best=lambda e: sum(e) / (len(e) - 1))
    moves(fine + "relative: the difference itself is asked for.", relative=True)
    moves("One window has a point at x = 1.5, which is no step: an event's step is a whole number. "
          "Raise a `ValueError`; your function moves the point elsewhere, or loses it.",
          refuse=False)  # fmt: skip

    def asserts(window, folder):
        for line in json.loads(window)["content"]["data"]:
            assert all(x == int(x) for x in line["x"])
        return there(window, folder)

    message = "One window has a point at x = 1.5, which is no step: raise a `ValueError` there; "
    message += "yours raises `AssertionError`."
    wrong.add("panel", asserts, back, message=message)

    def returns(message: str, change: Callable) -> None:
        def changed(folder):
            return {name: change(*line) for name, line in back(folder).items()}

        wrong.add("panel", there, changed, message="Back: " + message)

    returns("`train` has 1 steps and 1 values; the events are 9.", lambda s, v: (s[:1], v[:1]))
    returns("`train` has other steps than its events.", lambda s, v: (range(len(s)), v))
    returns("`test` has other values than its events.", lambda s, v: (s, np.nan_to_num(v)))
    returns("`train` must be a pair: its steps, and its values.", lambda s, v: None)
    message = "Back: the result is a `list`; it must be a dict, name to (steps, values)."
    wrong.add("panel", there, lambda folder: list(back(folder)), message=message)
    message = "Back: the names are `('scalar', 'test')`, `('scalar', 'train')`; the tags are "
    wrong.add("panel", there, lambda folder: events.read(folder), message=message + "`test`, "
              "`train`.")  # fmt: skip


def add_examinations(wrong: WrongAnswers, framework: str, share: int = 1) -> None:
    """Wrong signs, wrong tags for right ones, and too few points; every `share`-th of the signs.

    Each costs a training, and what judges them is NumPy in both halves.
    """
    count = itertools.count()
    write = lesson_06.ADAPTERS[framework]().write

    def examine(patient, folder, *, every=12, last=1000, twice=False, **others) -> None:
        """A right one, unless told otherwise: `others` are quantities of a chart, by tag."""
        for _ in patient.train():
            pass
        steps = [step for step in range(0, patients.STEPS, every) if step <= last]
        chart = patients.Chart(patient, steps)
        lines = {}
        for tag, quantity in (QUANTITIES | others).items():
            if quantity is not None:
                at = [0] if tag == "leaked" else steps
                values = np.broadcast_to(quantity(chart), len(at))
                lines[tag] = (at * 2, [*values] * 2) if twice else (at, [*values])
        write(folder, lines)

    def add(illness: str, message: str, quantity: Callable) -> None:
        tag = SIGNS[illness]

        def changed(patient, folder):
            examine(patient, folder, **{tag: quantity})

        message = f"`{tag}`, the sign of {illness}, {message}"
        if next(count) % share == 0:
            wrong.add("examine", SIGNS, changed, message=message)

    rate = functools.partial(add, "learning rate too high")
    rate("is the loss on the test images: begin with the training loss.", lambda c: c.loss("test"))
    rate("is an accuracy, which hides how far the loss jumps.", lambda c: c.accuracy("train"))
    rate("is the accuracy on the test images: log a training loss.", lambda c: c.accuracy("test"))
    rate("is the norm of the gradients, which other illnesses enlarge too.", lambda c: c.norm())
    rate("is not a loss of this patient: log the loss of the batch, or of all training images.",
         lambda c: patients.RATE)  # fmt: skip
    over = functools.partial(add, "overfitting")
    over("is the loss of the batch, which says nothing of other images.", lambda c: c.batch())
    over("is the loss on the training images, which says nothing of others.",
         lambda c: c.loss("train"))  # fmt: skip
    over("is an accuracy: it stays where it is while the network grows too sure of its mistakes. "
         "Log the loss.", lambda c: c.accuracy("test"))  # fmt: skip
    over("is the accuracy on the training images, which says nothing of others.",
         lambda c: c.accuracy("train"))  # fmt: skip
    over("is a sum over the test images: log their mean.", lambda c: 360 * c.loss("test"))
    over("is not the loss on the test images, the mean cross-entropy of all of them, nor that "
         "minus the training loss.",
         lambda c: c.loss("train") - c.loss("test"))  # fmt: skip
    dead = functools.partial(add, "dead units")
    dead("is the share of zeros: a healthy unit of ReLU is 0 for about half of the images, a dead "
         "one for every image.", lambda c: c.zeros("test"))  # fmt: skip
    dead("is the share of the units that are alive: log that of the dead ones.",
         lambda c: 1 - c.dead("test"))  # fmt: skip
    dead("is the number of the units that are alive: log that of the dead ones.",
         lambda c: 32 - 32 * c.dead("test"))  # fmt: skip
    dead("is 0 throughout: look at what comes out of ReLU, the last layer but one.", lambda c: 0)
    dead("is not the share of ReLU's units that are 0 for every image, nor their number.",
         lambda c: c.dead("test") + 0.5)  # fmt: skip
    norm = functools.partial(add, "exploding gradients")
    norm("is the square of the norm: take its root.", lambda c: c.norm() ** 2)
    norm("is the sum of the norms of all: for the norm of all together add their squares.",
         lambda c: c.sum_of_norms())  # fmt: skip
    norm("is the gradient of the last layer alone, where nothing has grown yet.",
         lambda c: c.norm(slice(-2, -1)))  # fmt: skip
    norm("is the gradient of the last biases alone, where nothing has grown yet.",
         lambda c: c.norm(slice(-1, None)))  # fmt: skip
    norm("is upside down: what explodes is the first layer's gradient, on the last one's.",
         lambda c: c.growth(-2, 0))  # fmt: skip
    norm("is not the norm of the gradients, the root of the sum of the squares of all of them, nor "
         "that of the first layer over that of the last.", lambda c: c.norm() / 20)  # fmt: skip
    leak = functools.partial(add, "leak")
    leak("is 0 for a patient with a leak: look for each test image among all training images, not "
         "only at the same place.", lambda c: 0)  # fmt: skip
    leak("counts the images that are *not* among the training images.", lambda c: 360 - _leaked(c))
    leak("compares pixels, not images.",
         lambda c: np.isin(c.images["test"][0], c.images["train"][0]).sum())  # fmt: skip
    leak("counts every test image. Compare images, not labels or pixels.",
         lambda c: np.isin(c.images["test"][1], c.images["train"][1]).sum())  # fmt: skip
    leak("is not the number of test images that are among the training images, nor their share.",
         lambda c: 7)  # fmt: skip

    for quantity in (patients.Chart.growth, patients.Chart.largest_norm):
        wrong.also_right("examine", SIGNS, functools.partial(examine, norm=quantity))

    def bad(message: str, **changes) -> None:
        def changed(patient, folder):
            examine(patient, folder, **changes)

        wrong.add("examine", SIGNS, changed, message=message)

    follow = "follow the training from step 0 to its end at step 199, at 16 steps or more."
    bad(f"`loss/train` has 8 points, from step 0 to 175: {follow}", every=25)
    bad(f"`loss/train` has 21 points, from step 0 to 100: {follow}", every=5, last=100)
    bad("`loss/train` has more than one point at step 0.", twice=True)
    bad("The event files hold no scalar `dead`, the sign of dead units; they hold `leaked`, "
        f"`loss/test`, `loss/train`, `norm`. {lesson_06._UNFLUSHED}", dead=None)  # fmt: skip
    message = "Your function never trains: loop over `patient.train()`."
    wrong.add("examine", SIGNS, lambda patient, folder: write(folder, {"leaked": ([0], [3])}),
              message=message)  # fmt: skip

    def signs(signs, message: str) -> None:
        wrong.add("examine", signs, examine, message=message)

    signs(None, "`signs` is None; it must be a dict: the tag for each illness.")
    signs("loss/train", "`signs` is 'loss/train'; it must be a dict: the tag for each illness.")
    signs(list(SIGNS), "`signs` is a `list`; it must be a dict: the tag for each illness.")
    signs({}, '`signs["learning rate too high"]` must be the tag of a scalar; it is None.')
    signs(SIGNS | {"leak": 3}, '`signs["leak"]` must be the tag of a scalar; it is 3.')
    signs(SIGNS | {"overfitting": "loss/train"},
          "Two illnesses have the same tag in `signs`: each has a sign of its own.")  # fmt: skip
    swapped = SIGNS | {"overfitting": "loss/train", "learning rate too high": "loss/test"}
    signs(swapped, "`loss/test`, the sign of learning rate too high, is the loss on the test "
          "images: begin with the training loss.")  # fmt: skip
    swapped = SIGNS | {"dead units": "norm", "exploding gradients": "dead"}
    signs(swapped, "`norm`, the sign of dead units, is not the share of ReLU's units that are 0 "
          "for every image, nor their number.")  # fmt: skip


def _leaked(chart) -> int:
    return patients.SIGNS["leak"](chart)[0][0]()


# What a right examination logs, by tag.
QUANTITIES = {
    "loss/train": lambda chart: chart.batch(),
    "loss/test": lambda chart: chart.loss("test"),
    "dead": lambda chart: chart.dead("test"),
    "norm": lambda chart: chart.norm(),
    "leaked": _leaked,
}


@functools.cache
def _ward(framework: str) -> tuple[dict, pathlib.Path, tempfile.TemporaryDirectory]:
    """A ward that was examined, its event files, and what removes them."""
    adapter = lesson_06.ADAPTERS[framework]()
    ward = patients.ward(framework, SEAT)
    temporary = tempfile.TemporaryDirectory()
    folder = pathlib.Path(temporary.name)
    steps = list(range(0, patients.STEPS, 12))
    for letter, patient in ward.items():
        for _ in patient.train():
            pass
        chart = patients.Chart(patient, steps)
        lines = {tag: (steps, quantity(chart)) for tag, quantity in QUANTITIES.items()}
        adapter.write(folder / letter, lines | {"leaked": ([0], [_leaked(chart)])})
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
    names = ", ".join(f"`{name}`" for name in sorted(patients.ILLNESSES))
    add(right | {"B": "influenza"}, f"`B` is 'influenza'; choose among {names}.")
    add(right | {"C": None}, f"`C` is None; choose among {names}.")
    add(right, "`ward` is None; take that of `lesson_06.ward`.", ward=None)
    add(right, "`ward` is a `dict`; take that of `lesson_06.ward`.", ward=right)
    again = " Solve `examine`, and examine all patients anew."
    fresh = patients.ward(framework, SEAT)
    add(right, "Patient A has not been examined: run the cell that does it.", ward=fresh)
    empty = "The evidence of patient A does not hold: The event files hold no scalar `loss/train`, "
    empty += "the sign of learning rate too high; they hold none. "
    empty += lesson_06._UNFLUSHED
    add(right, empty + again, folder=folder / "nobody")
    swapped = {**ward, "A": ward["B"], "B": ward["A"]}
    add(right, "The evidence of patient A does not hold: `loss/train`, the sign of learning rate "
        "too high, is not a loss of this patient: log the loss of the batch, or of all training "
        "images." + again, ward=swapped)  # fmt: skip

    def swap(said: str, illness: str, message: str) -> None:
        """Give the patient with an illness another name, and the other patient this one."""
        mine, others = who[illness], who[said]
        diagnoses = right | {mine: said, others: illness}
        if mine > others:  # the first in the alphabet is spoken of
            return
        add(diagnoses, f"Patient {mine}: {message}")

    look = "look at `{}` at step 0, where the learning rate was not used yet."
    rises = (
        "look at `loss/test` beside the training loss. Overfitting is a test loss that rises while "
        "the training loss goes to 0."
    )
    falls = "its training loss, `loss/train`, falls: the learning rate suits it."
    alive = "`dead` stays low: its units are alive."
    later = "at step 0 `dead` is low: something kills its units later."
    ordinary = "at step 0 `norm` is of ordinary size. What grows later, the updates have enlarged."
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
        for illness in patients.ILLNESSES:
            if illness != said:
                swap(said, illness, special.get(illness, others[said]))
