"""Lesson 06, visualising: the checks of its exercise.

What an answer logs is read back from the event files, and compared with NumPy: in the task
`examine` with what it makes of the very weights that a patient (`lesson_06_patients`) had.
"""

import contextlib
import json
import math
import pathlib
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

from paired import dashboards, events
from paired.checks import lesson_06_patients as patients
from paired.checks.answers import Halves, Number, task
from paired.checks.judging import NotAttempted, Wrong, call, kind_of, refuse, to_numpy
from paired.checks.lesson_06_patients import ILLNESSES, Patient
from paired.checks.lesson_06_patients import ward as ward  # the exercise's own

import numpy as np

EVERY = 5  # how many steps may lie between two points of a sign
_COMPARED = 11  # how many points are compared: later on signs change little, and prove little
_CERTAIN = 0.99  # that it is this mistake and no other
_AGREEING = 0.95  # the share of pairs of points that have to be as NumPy has them
_PATIENCE_SECONDS = 20


class PyTorch(patients.PyTorch):
    """What the checks need besides of PyTorch, and its words."""

    one_step = "`add_scalar` without `global_step` logs at step 0, each time."
    clip_note = "`clip_grad_norm_` changes the gradients in place: log before it."
    pictures_note = "`add_images` puts the digits side by side, in one picture"

    def open_writers(self) -> set[int]:
        """The writers that are not closed, each by a number of its own."""
        threads = threading.enumerate()
        return {id(each) for each in threads if type(each).__name__ == "_AsyncWriterThread"}

    def arrays(self, parameters: dict) -> patients.Weights:
        """The values of a network's parameters, weights as (inputs, outputs)."""
        return [to_numpy(parameter).T for parameter in parameters.values()]

    def pictures(self, images: np.ndarray) -> np.ndarray:
        """What the event of up to 8 images, (n, 8, 8), holds: (pictures, height, width)."""
        return np.concatenate(list(images), axis=1)[None]


class TensorFlow(patients.TensorFlow):
    """The same of TensorFlow."""

    one_step = "A step that is given to `as_default` stands for every call in it."
    clip_note = "`tf.clip_by_global_norm` returns others: log those that the tape gave."
    pictures_note = "`tf.summary.image` keeps `max_outputs` digits of a batch, each a picture"

    def open_writers(self) -> set[int]:
        return set()  # they write when they go, and nobody knows which are there

    def arrays(self, parameters: dict) -> patients.Weights:
        return [to_numpy(variable) for variable in parameters.values()]

    def pictures(self, images: np.ndarray) -> np.ndarray:
        return images


@contextlib.contextmanager
def _folder(framework) -> Iterator[pathlib.Path]:
    """A folder for event files. A writer that is left open is said, whatever else is wrong."""
    before, reason = framework.open_writers(), ""
    # A writer that was not closed may still have a file open here.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        try:
            yield pathlib.Path(name)
        except Wrong as wrong:
            reason = str(wrong)
        if framework.open_writers() - before:
            reason = reason or "All that you log has arrived, this time."
            reason += " A writer is still open. What is not flushed it may hold back: close it."
        if reason:
            raise Wrong(reason)


def _logged(folder: pathlib.Path) -> list[events.Point]:
    """What the event files in a folder hold, without those of the folders in it."""
    return [point for point in events.points(folder) if point.run == "."]


def _listed(names) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


def _few(numbers: list) -> str:
    """Numbers, the first few of many."""
    shown = ", ".join(map(str, numbers[:6]))
    return f"{shown}, ..." if len(numbers) > 6 else shown or "none"


# Task 1


def shown(board: dashboards.TensorBoard, plugin: str, run: str, tag: str) -> list:
    """What the page gets to draw of a tag: of "scalars" `[time, step, value]`, or of "images"."""
    query = urllib.parse.urlencode({"run": run, "tag": tag, "sample": 0})
    path = f"{board.url}data/plugin/{plugin}/{plugin}?{query}"
    last, until = None, time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(path) as answer:  # noqa: S310 - our own server
            now = json.load(answer)
            if now and now == last:
                return now
            last = now
        time.sleep(0.1)
    raise TimeoutError(f"TensorBoard shows no {plugin} with the tag {tag!r} in the run {run!r}.")


@task(
    points=Number(1000, {
        3000: "is not 3000: a browser would have to draw every point of every run.",
        10000: "is more than was logged.",
        500: "is the limit for histograms.",
    }),
    pictures=Number(10, {
        25: "is not 25: pictures are large, and TensorBoard keeps a sample of them too.",
        3: "is how many pictures of *one batch* `tf.summary.image` keeps.",
        1000: "is the limit for scalars.",
    }),
    steps=Number(1, {3: Halves(*(f"is not 3. {half.one_step}" for half in (PyTorch, TensorFlow)))}),
    smoothed=Number(2, {
        2.5: "is the plain mean: at 0.5 an earlier value counts half as much as the next one.",
        1.5: "gives the first point the weight of a 0 before it: TensorBoard divides by the sum of "
        "the weights.",
        1: "is the point itself.",
        4: "is the first point.",
        3: "has the weights in the wrong order: the later value counts more.",
    }),
    stored=Number(2**24, {
        2**24 + 1: "is what was logged. A scalar is stored as float32, which has 24 bits.",
        2**24 + 2: "is the other neighbour: a tie goes to the even one.",
    }),
)  # fmt: skip
def predict(framework) -> str:
    """What TensorBoard shows of what was logged."""
    return "All five are right. The next cell asks TensorBoard."


# Task 2


def missing_view(framework, train) -> str:
    """Add histograms of gradients to a training that logs a scalar."""
    rng = np.random.default_rng()
    weights = [rng.normal(size=size).astype(np.float32) for size in ((5, 7), 7, (7, 3), 3)]
    weights[1] = np.abs(weights[1]) + 1  # units that live
    arrays = [(rng.normal(scale=2, size=(9, 5)), rng.integers(3, size=9)) for _ in range(23)]
    arrays = [(x.astype(np.float32), y) for x, y in arrays]
    model = framework.network(5, 7, 3)
    parameters = framework.parameters(model)
    framework.load(parameters, weights)
    batches = [(framework.tensor(x), framework.tensor(y)) for x, y in arrays]
    with _folder(framework) as folder:
        call(train, model=model, batches=batches, folder=folder)
        _view_judged(framework, _logged(folder), _trained(weights, arrays), parameters)
    return "Each histogram holds the gradient that the batch gave, at the right step."


def _trained(weights: patients.Weights, batches: list) -> list[dict]:
    """A training in NumPy: for each step its loss, and arrays of each kind."""
    history = []
    for x, y in batches:
        loss, gradients = patients.gradients(weights, x, y)
        norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients))
        clipped = [gradient * min(1, 0.5 / norm) for gradient in gradients]
        after = [array - 0.1 * step for array, step in zip(weights, clipped, strict=True)]
        arrays = {"gradient": gradients, "clipped": clipped, "before": weights, "after": after}
        history.append({"loss": loss, **arrays})
        weights = after
    return history


def _view_judged(framework, points: list[events.Point], history: list[dict], parameters) -> None:
    def near(found: list, right: list) -> bool:
        pairs = zip(found, right, strict=True)
        return all(np.allclose(*pair, rtol=1e-3, atol=1e-4) for pair in pairs)

    losses = [step["loss"] for step in history]
    logged = [point for point in points if (point.kind, point.tag) == ("scalar", "loss")]
    same = [point.step for point in logged] == list(range(len(losses)))
    tags, drawn = [f"gradient/{name}" for name in parameters], {}
    for point in points:
        if point.kind == "histogram":
            drawn.setdefault(point.tag, []).append(point)
    others = _listed({point.tag for point in points} - {"loss"})
    missing, surplus = sorted(set(tags) - set(drawn)), sorted(set(drawn) - set(tags))
    refuse({
        "The network is trained otherwise than before: leave the training as it is.": not near(
            framework.arrays(parameters), history[-1]["after"]
        ),
        f"The event files do not hold all {len(losses)} losses.": len(logged) < len(losses),
        "The scalar `loss` is no longer what it was: leave it as it is.": not same
        or not near([point.value for point in logged], losses),
        f"There is no histogram in the event files. Of another kind there are: {others}.":
            not drawn,
        f"There is no histogram `{missing and missing[0]}`; those there are {_listed(drawn)}.":
            missing,
        f"The histogram `{surplus and surplus[0]}` is one too many: one for each parameter.":
            surplus,
    })  # fmt: skip
    wanted = list(range(0, len(history), 5))
    for number, tag in enumerate(tags):
        steps = [point.step for point in drawn[tag]]
        if steps != wanted:
            raise Wrong(
                f"`{tag}` has histograms at the steps {_few(steps)}; of {len(history)} steps, "
                f"every fifth from 0 is to have one: {_few(wanted)}."
            )
        for point in drawn[tag]:
            _histogram_judged(framework, point, number, history)


def _histogram_judged(framework, point: events.Point, number: int, history: list[dict]) -> None:
    """Compare a histogram with the gradient of a parameter at its step."""
    now = {kind: arrays[number] for kind, arrays in history[point.step].items() if kind != "loss"}
    where = f"The histogram `{point.tag}` of step {point.step}"
    right = now["gradient"]
    if _is_histogram(point.value, right):
        return
    values = int(point.value[:, 2].sum())
    if values != right.size:
        raise Wrong(f"{where} counts {values} numbers; the parameter has {right.size}.")
    itself = "is that of the parameter itself, not of its gradient."
    mistakes = (
        (f"is that of the clipped gradient. {framework.clip_note}", now["clipped"]),
        # A step is short: before and after it the histograms may be the same.
        (itself, now["before"]),
        (itself, now["after"]),
        ("holds zeros: the gradient has been cleared before it is logged.", np.zeros_like(right)),
        ("holds the gradient's magnitudes: its sign is lost.", np.abs(right)),
        ("is that of the update: a gradient has no learning rate in it.", -0.1 * now["clipped"]),
        ("is that of the next step's gradient.", history[point.step + 1]["gradient"][number]),
        # Of step 0 this is the last step's.
        ("is that of another step's gradient.", history[point.step - 1]["gradient"][number]),
    )
    for sentence, mistake in mistakes:
        if _is_histogram(point.value, mistake):
            raise Wrong(f"{where} {sentence}")
    raise Wrong(f"{where} is not that of the gradient: look at its range.")


def _is_histogram(buckets: np.ndarray, array: np.ndarray) -> bool:
    """Whether buckets, (n, 3), hold an array, but for what rounding moves to the next one."""
    counts = buckets[:, 2]
    if counts.sum() != array.size:
        return False
    edges = np.append(buckets[:, 0], buckets[-1, 1]).astype(np.float64)
    # At every edge as many numbers lie below as the buckets say, give or take rounding.
    below, slack = np.append(0, np.cumsum(counts)), 1e-4 * np.ptp(array)
    least = [(array < edge - slack).sum() for edge in edges]
    most = [(array <= edge + slack).sum() for edge in edges]
    return bool(np.all((least <= below) & (below <= most)))


# Task 3


def bug_hunt(framework, log_runs) -> str:
    """Log two runs and a batch of images so that TensorBoard shows them as they are."""
    rng = np.random.default_rng()
    names = ("deep", "wide", "late")[: rng.integers(2, 4)]
    runs = {name: rng.uniform(0.1, 3, size=rng.integers(7, 40)).tolist() for name in names}
    for brightest in (12, 16):  # 16 is white, whatever the brightest is
        images = rng.integers(brightest + 1, size=(rng.integers(7, 9), 8, 8)).astype(np.float64)
        with _folder(framework) as folder:
            call(log_runs, folder=folder, runs=runs, images=images)
            points = events.points(folder)
            _runs_judged(framework, points, runs)
            _pictures_judged(framework, points, images)
    return "A line for each run, and digits that look like digits."


def _runs_judged(framework, points: list[events.Point], runs: dict) -> None:
    scalars = [point for point in points if (point.kind, point.tag) == ("scalar", "loss")]
    found = {point.run for point in scalars}
    refuse({
        "The event files hold no scalar `loss`.": not scalars,
        "All losses are in one folder, and TensorBoard takes a folder for a run: all trainings "
        "become one line. Give each a folder of its own.":
            len(found) == 1 and not found & set(runs),
    })  # fmt: skip
    for name, losses in runs.items():
        mine = [point for point in scalars if point.run == name]
        steps, n = [point.step for point in mine], len(losses)
        refuse({
            f"There is no run `{name}`: log to `folder / name`. Runs: {_listed(found)}.": not mine,
            f"The run `{name}` holds {len(mine)} losses of {n}.": len(mine) != n,
            f"All {n} losses of the run `{name}` are at step {steps and steps[0]}. "
            f"{framework.one_step}": len(set(steps)) == 1,
            f"The steps of the run `{name}` are {_few(steps)}; they count from 0.":
                steps != list(range(n)),
            f"The run `{name}` holds other losses than those it was given.":
                [point.value for point in mine] != list(np.float32(losses)),
        })  # fmt: skip
    if surplus := sorted(found - set(runs)):
        raise Wrong(f"The losses in `{surplus[0]}` are too many: each run has a folder of its own.")


def _pictures_judged(framework, points: list[events.Point], images: np.ndarray) -> None:
    mine = [point for point in points if point.kind == "image"]
    if not mine:
        raise Wrong("The event files hold no image.")
    for point in mine:
        if (point.run, point.tag) != ("images", "digits"):
            where = "`folder` itself" if point.run == "." else f"the run `{point.run}`"
            raise Wrong(f"`{point.tag}` is in {where}; log `digits` to `folder / 'images'`, once.")
    step = mine[0].step
    refuse({
        f"`digits` is logged {len(mine)} times; log the batch once, at step 0.": len(mine) > 1,
        f"`digits` is at step {step}; it must be at step 0.": step != 0,
    })  # fmt: skip
    got = mine[0].value.mean(axis=-1)  # of a grey picture all channels are the same
    right = framework.pictures(images)
    if got.shape != right.shape:
        raise Wrong(
            f"`digits` holds {len(got)} of {got.shape[1]} x {got.shape[2]} pixels; it must hold "
            f"{len(right)} of {right.shape[1]} x {right.shape[2]}: {framework.pictures_note}."
        )
    if np.abs(got - right * 255 / 16).max() <= 1:
        return
    mistakes = {
        "Every pixel above 0 is white: floats have to lie between 0 and 1, these lie between 0 and "
        "16.": np.where(right > 0, 255, 0),
        "The picture is almost black: in whole numbers 255 is white, and in these 16.": right,
        "What is white in the images is black: in whole numbers 255 is white, and 256 is 0.":
            right * 16 % 256,
        "White and black have changed places: 16 is white.": 255 - right * 255 / 16,
        "Rows and columns have changed places.":
            framework.pictures(images.transpose(0, 2, 1)) * 255 / 16,
        "The brightest pixel is white, whatever it is: 16 is white, and these images reach less.":
            right * 255 / right.max(),
    }  # fmt: skip
    refuse({text: np.abs(got - mistake).max() <= 1 for text, mistake in mistakes.items()})
    raise Wrong("The pictures have the right size, and other pixels than the images.")


# Tasks 4 and 5


def examine(framework, examine) -> str:
    """Log what shows each of five illnesses."""
    rng = np.random.default_rng()

    def admitted(*illnesses: str, steps: int) -> Patient:
        seed, images = [int(rng.integers(10**6))], rng.integers((900, 200), (1200, 330)).tolist()
        few = {"dead": 24, "leaked": int(rng.integers(1, 4))}  # not so many as in the ward
        return Patient(framework, seed, *illnesses, steps=steps, images=images, **few)

    # Who is ill in two ways shows both, in the time of one; and the other is well there. Where few
    # units are left, training may kill them too: then gradients are 0, and any quantity is.
    while patients.in_place(two := admitted("dead units", "leak", steps=41)):
        pass  # so that who looks only there finds none
    seen, longer = [], int(rng.integers(61, 70))  # so that who stops before the end is seen
    for patient in (two, admitted("exploding gradients", steps=longer)):
        with _folder(framework) as folder:
            call(examine, patient=patient, folder=folder)
            if not patient._history:
                raise Wrong("Your function never trains: loop over `patient.train()`.")
            seen.append((patient, _signs(_logged(folder), patient)))
    steps = list(range(0, EVERY * _COMPARED, EVERY))
    chart = patients.Chart(*((each, [s for s in steps if s < each._steps]) for each, _ in seen))
    for illness, sign in patients.SIGNS.items():
        _grows(illness, sign, [found[illness] for _, found in seen], chart)
    ill, well = (found["leak"] for _, found in seen)
    refuse({
        "`leak` is 0 for a patient with a leak: look for each test image among all training "
        "images, not only at the same place; one is enough.": not all(ill),
        "`leak` is logged more than once.": len(ill) > 1,
        f"`leak` is {well[0]:g} for a patient without a leak. Compare whole images, not labels or "
        "pixels.": any(well),
    })  # fmt: skip
    return "Every sign is what it says, on two patients that you have not seen."


def _signs(points: list[events.Point], patient: Patient) -> dict[str, list[float]]:
    """For each illness the values of its sign, at every fifth step; of a leak all there are."""
    wanted, found = list(range(0, patient._steps, EVERY)), {}
    for illness in ILLNESSES[1:]:
        mine = [point for point in points if (point.kind, point.tag) == ("scalar", illness)]
        at = {point.step: float(point.value) for point in mine}
        there = _listed({point.tag for point in points if point.kind == "scalar"})
        refuse({
            f"The event files in `folder` itself hold no scalar `{illness}`; they hold {there}.":
                not at,
            f"`{illness}` has points at the steps {_few(list(at))}; of {patient._steps} steps "
            "every fifth, from 0, is to have one.":
                illness != "leak" and not set(wanted) <= set(at),
        })  # fmt: skip
        once = [float(point.value) for point in mine]
        found[illness] = once if illness == "leak" else [at[step] for step in wanted[:_COMPARED]]
    return found


def _grows(illness: str, sign: patients.Sign, values: list, chart: patients.Chart) -> None:
    """Raise `Wrong` unless the values of both patients grow with what shows the illness."""
    together = np.concatenate(values)

    def share(quantity) -> float:
        return patients.growing(together, quantity(chart))

    right = max(map(share, sign.right))
    likely = max(sign.mistakes, key=lambda sentence: share(sign.mistakes[sentence]))
    nearest = share(sign.mistakes[likely])
    if right < _AGREEING or nearest > right:
        raise Wrong(f"`{illness}` {likely if nearest > _CERTAIN else sign.otherwise}")


def doctor(framework, ward, diagnoses) -> str:
    """Name each patient's illness."""
    if not (isinstance(ward, dict) and ward and all(isinstance(p, Patient) for p in ward.values())):
        raise Wrong(f"`ward` is {kind_of(ward)}; take that of `lesson_06.ward`.")
    if not isinstance(diagnoses, dict) or set(diagnoses) != set(ward):
        raise Wrong(f"`diagnoses` must be a dict with the keys {_listed(ward)}.")
    if missing := [letter for letter, name in diagnoses.items() if name is ...]:
        raise NotAttempted(f"Still `...`: {', '.join(missing)}.")
    for letter, name in diagnoses.items():
        if not isinstance(name, str) or name not in ILLNESSES:
            raise Wrong(f"`{letter}` is {kind_of(name)}; choose among {_listed(ILLNESSES)}.")
    for name in ILLNESSES:
        if (count := list(diagnoses.values()).count(name)) != 1:
            raise Wrong(f"`{name}` is given to {count} patients; each is given to one.")
    for letter, patient in ward.items():
        if not patient._history:
            raise Wrong(f"Patient {letter} has not been examined: run the cell that does it.")
        if (said := diagnoses[letter]) != patient._illness:
            raise Wrong(f"Patient {letter}: {patients.objection(said, patient._illness)}")
    return "Six diagnoses, and all are right."


TASKS = (predict, missing_view, bug_hunt, examine, doctor)
