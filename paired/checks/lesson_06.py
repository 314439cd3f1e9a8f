"""Lesson 06, visualising: the checks of its exercise.

What an answer logs is read back from the event files, and compared with NumPy: in the last two
tasks with what it makes of the very weights that a patient (`lesson_06_patients`) had.
"""

import contextlib
import functools
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
from paired.checks.judging import NotAttempted, Wrong, call, compare, kind_of, refuse, to_numpy
from paired.checks.lesson_06_patients import ILLNESSES, STEPS, Patient
from paired.checks.lesson_06_patients import ward as ward  # the exercise's own

import numpy as np

_UNFLUSHED = "Is the writer closed? Until then its files may lack the last events."
# How often a sign has to be logged, and how near to the end of the training.
_FEWEST, _END = 16, 10
_AGREEING = 0.9  # the share of its points that have to be what NumPy says
_PATIENCE_SECONDS = 20


class PyTorch(patients.PyTorch):
    """What the checks need besides of PyTorch, and its words."""

    one_step = "`add_scalar` without `global_step` logs at step 0, each time."
    clip_note = "`clip_grad_norm_` changes the gradients in place: log before it."
    pictures_note = "`add_images` puts the digits side by side, in one picture"

    def arrays(self, parameters: dict) -> patients.Weights:
        """The values of a network's parameters, weights as (inputs, outputs)."""
        return [to_numpy(parameter).T for parameter in parameters.values()]

    def pictures(self, images: np.ndarray) -> np.ndarray:
        """What the event of a batch of images, (n, 8, 8), holds: (pictures, height, width)."""
        return np.concatenate(list(images), axis=1)[None]


class TensorFlow(patients.TensorFlow):
    """The same of TensorFlow."""

    one_step = "A step that is given to `as_default` stands for every call in it."
    clip_note = "`tf.clip_by_global_norm` returns others: log those that the tape gave."
    pictures_note = "`tf.summary.image` keeps `max_outputs` digits of a batch, each a picture"

    def arrays(self, parameters: dict) -> patients.Weights:
        return [to_numpy(variable) for variable in parameters.values()]

    def pictures(self, images: np.ndarray) -> np.ndarray:
        return images


@contextlib.contextmanager
def _folder() -> Iterator[pathlib.Path]:
    """A folder for event files; `Wrong` if all is well but that a writer is not closed."""
    before = _open_writers()
    # A writer that was not closed may still have a file open here.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield pathlib.Path(name)
    if _open_writers() - before:
        raise Wrong(
            "All that you log has arrived, this time; but a writer is still open, and may hold "
            "back its last events. Call its `close()`, or use it in a `with`."
        )


def _open_writers() -> set[threading.Thread]:
    """The threads of PyTorch's writers that are open; TensorFlow's leave none."""
    return {each for each in threading.enumerate() if type(each).__name__ == "_AsyncWriterThread"}


def _listed(names) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


def _few(numbers: list) -> str:
    """Numbers, the first few of many."""
    shown = ", ".join(map(str, numbers[:6]))
    return f"{shown}, ..." if len(numbers) > 6 else shown or "none"


# Task 1


def shown(board: dashboards.TensorBoard, plugin: str, run: str, tag: str) -> list:
    """What TensorBoard's page gets to draw of a tag, once all of it is loaded.

    Args:
        board: a server that runs.
        plugin: "scalars", whose points are `[time, step, value]`, or "images".
        run: the run's folder, below the server's.
        tag: the tag.

    Raises:
        TimeoutError: there is nothing of this tag.
    """
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
    weights = [
        rng.normal(size=(5, 7)), rng.uniform(1, 2, size=7), rng.normal(size=(7, 3)),
        rng.normal(size=3),
    ]  # fmt: skip
    weights = [array.astype(np.float32) for array in weights]
    arrays = [(rng.normal(scale=2, size=(9, 5)), rng.integers(3, size=9)) for _ in range(13)]
    arrays = [(x.astype(np.float32), y) for x, y in arrays]
    model = framework.network(5, 7, 3)
    parameters = framework.parameters(model)
    framework.load(parameters, weights)
    batches = [(framework.tensor(x), framework.tensor(y)) for x, y in arrays]
    with _folder() as folder:
        call(train, model=model, batches=batches, folder=folder)
        _view_judged(framework, events.points(folder), _trained(weights, arrays), parameters)
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
        f"The event files do not hold all {len(losses)} losses. {_UNFLUSHED}":
            len(logged) < len(losses),
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
    mistakes = [
        (f"is that of the clipped gradient. {framework.clip_note}", now["clipped"]),
        # A step is short: before and after it the histograms may be the same.
        (itself, now["before"]),
        (itself, now["after"]),
        ("holds zeros: the gradient has been cleared before it is logged.", np.zeros_like(right)),
        ("holds the gradient's magnitudes: its sign is lost.", np.abs(right)),
        (
            "is that of the update: without the learning rate and its sign it is the gradient.",
            -0.1 * now["clipped"],
        ),
        ("is that of the next step's gradient.", history[point.step + 1]["gradient"][number]),
    ]
    if point.step:
        before = history[point.step - 1]["gradient"][number]
        mistakes.append(("is that of the gradient of the step before.", before))
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
    runs = {name: rng.uniform(0.1, 3, size=n).tolist() for name, n in (("deep", 33), ("wide", 17))}
    images = rng.integers(13, size=(7, 8, 8)).astype(np.float64)  # up to 12, where 16 is white
    with _folder() as folder:
        call(log_runs, folder=folder, runs=runs, images=images)
        points = events.points(folder)
        _runs_judged(framework, points, runs)
        _pictures_judged(framework, points, images)
    return "Two runs with a line each, and digits that look like digits."


def _runs_judged(framework, points: list[events.Point], runs: dict) -> None:
    scalars = [point for point in points if (point.kind, point.tag) == ("scalar", "loss")]
    found = {point.run for point in scalars}
    refuse({
        f"The event files hold no scalar `loss`. {_UNFLUSHED}": not scalars,
        "All losses are in one folder, and TensorBoard takes a folder for a run: both trainings "
        "become one line. Give each a folder of its own.":
            len(found) == 1 and not found & set(runs),
    })  # fmt: skip
    for name, losses in runs.items():
        mine = [point for point in scalars if point.run == name]
        steps, n = [point.step for point in mine], len(losses)
        refuse({
            f"There is no run `{name}`: log to `folder / name`. Runs: {_listed(found)}.": not mine,
            f"The run `{name}` holds {len(mine)} losses of {n}. {_UNFLUSHED}": len(mine) != n,
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
        raise Wrong(f"The event files hold no image. {_UNFLUSHED}")
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
        "White and black have changed places: 16 is white.": 255 - right * 255 / 16,
        "Rows and columns have changed places.":
            framework.pictures(images.transpose(0, 2, 1)) * 255 / 16,
        "The brightest pixel is white, whatever it is: 16 is white, and these images reach less.":
            right * 255 / right.max(),
    }  # fmt: skip
    refuse({text: np.abs(got - mistake).max() <= 1 for text, mistake in mistakes.items()})
    raise Wrong("The pictures have the right size, and other pixels than the images.")


# Task 4


def panel(framework, to_tensorboard, from_tensorboard) -> str:
    """Move the lines of a Visdom window to event files, and back."""
    rng = np.random.default_rng()
    exact = {
        "train": _line(rng, rng.integers(-4000, 4000, size=9) / 1024, first=0),
        "test": _line(rng, rng.integers(-4000, 4000, size=5) / 1024, first=2**31),
    }
    exact["test"][1][2] = math.nan  # a gap in the line
    exact["train"][1][4] = 0.0  # and none
    # Most errors are in the first line, and the largest to either side once.
    values = rng.uniform(0.5, 3, size=45) * np.repeat([1e6, 1], [40, 5])
    fine, turned = (
        {"fine": _line(rng, side[:40], first=3), "later": _line(rng, side[40:], first=3)}
        for side in (values, -values)
    )
    need = "Where values need float64: "
    for what, lines in (("", exact), (need, fine), (need, turned)):
        with _folder() as folder:
            lost = call(to_tensorboard, window=_window(lines), folder=folder)
            _lines_judged(what, _logged(what, folder), lines)
            _loss_judged(what, lost, lines)
            _lines_judged("Back: ", call(from_tensorboard, folder=folder), lines)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        window = _window({"half": ([0, 1.5, 2], [1.0, 2.0, 3.0])})
        no_step = "One window has a point at x = 1.5, which is no step"
        try:
            call(to_tensorboard, window=window, folder=pathlib.Path(folder))
        except ValueError:
            pass
        except Exception as error:  # one of the writer's own, or the student's
            kind = type(error).__name__
            raise Wrong(f"{no_step}: raise a `ValueError` there; yours raises `{kind}`.") from None
        else:
            raise Wrong(
                f"{no_step}: an event's step is a whole number. Raise a `ValueError`; your "
                "function moves the point elsewhere, or loses it."
            )
    return "Steps and values arrive as float32 has them, and come back the same."


def _line(rng: np.random.Generator, values: np.ndarray, *, first: int) -> tuple[list, list]:
    return (first + np.cumsum(rng.integers(1, 9, size=len(values)))).tolist(), values.tolist()


def _window(lines: dict) -> str:
    """What `get_window_data` returns for a window with these lines."""
    traces = [
        {
            "x": [float(step) for step in steps],
            "y": [None if math.isnan(value) else value for value in values],
            "name": name, "type": "scatter", "mode": "lines",
        }
        for name, (steps, values) in lines.items()
    ]  # fmt: skip
    content = {"data": traces, "layout": {"showlegend": True, "title": {"text": "loss"}}}
    return json.dumps({"command": "window", "type": "plot", "title": "loss", "content": content})


def _logged(what: str, folder: pathlib.Path) -> dict:
    """The scalars in a folder: steps and values by tag."""
    lines: dict = {}
    for point in events.points(folder):
        if point.kind == "scalar":
            steps, values = lines.setdefault(point.tag, ([], []))
            steps.append(point.step)
            values.append(float(point.value))
    if not lines:
        raise Wrong(f"{what}The event files hold no scalar. {_UNFLUSHED}")
    return lines


def _lines_judged(what: str, found, lines: dict) -> None:
    """Raise `Wrong` unless steps and values by name are those of the lines, as float32 has them."""
    if not isinstance(found, dict):
        kind = kind_of(found)
        raise Wrong(f"{what}the result is {kind}; it must be a dict, name to (steps, values).")
    if set(found) != set(lines):
        names = _listed(map(str, found))
        raise Wrong(f"{what}The tags are {names}; the lines are {_listed(lines)}.")
    for name, (steps, values) in lines.items():
        try:
            got, held = (to_numpy(list(part)).tolist() for part in found[name])
            held = [float(value) for value in held]
        except Exception:
            raise Wrong(f"{what}`{name}` must be a pair: its steps, and its values.") from None
        counts = f"{len(got)} steps and {len(held)} values of {len(steps)}"
        gap = " A gap, `null` in JSON, is a point too: NaN." if np.isnan(values).any() else ""
        gaps = np.isnan(held).tolist() == np.isnan(values).tolist()
        refuse({
            f"{what}`{name}` has {counts}.{gap}": not len(got) == len(held) == len(steps),
            f"{what}`{name}` is at steps counted from 0: take those of the line.":
                got == list(range(len(steps))),
            f"{what}`{name}` is at other steps than the line.": got != steps,
            f"{what}`{name}` is NaN elsewhere than the line has a gap, `null` in JSON.": not gaps,
            f"{what}`{name}` has other values than the line.":
                not np.array_equal(held, np.float32(values), equal_nan=True),
        })  # fmt: skip


def _loss_judged(what: str, lost, lines: dict) -> None:
    values = np.concatenate([values for _, values in lines.values()])
    values = values[~np.isnan(values)]
    signed = values - np.float32(values)
    errors = np.abs(signed)
    got = to_numpy(lost)
    number = got.shape == () and got.dtype.kind in "fiu"
    refuse({
        f"{what}The result is {kind_of(lost)}; it must be one number, the largest error.":
            not number,
        f"{what}The largest error is NaN: leave gaps out of it.": number and np.isnan(got),
        f"{what}The largest error is not 0, although float32 holds these values exactly: compare "
        "in float64.": number and got != 0 and not errors.any(),
    })  # fmt: skip
    if not errors.any():
        return
    mistakes = {
        "is 0: compare with the float32 that the event holds, and in float64. NumPy computes "
        "`np.float32(y) - y` in float32.": np.zeros(()),
        "is a sum: the largest is asked for.": errors.sum(),
        "is a mean: the largest is asked for.": errors.mean(),
        "is relative: the difference itself is asked for.": (errors / np.abs(values)).max(),
        "is that of the last line alone: the largest of all lines is asked for.": errors[-5:].max(),
        "is the largest of y - float32(y), which may be below 0: take `abs`.": signed.max(),
        "is the largest of float32(y) - y, which may be below 0: take `abs`.": (-signed).max(),
    }
    compare(f"{what}The largest error", float(got), errors.max(), mistakes=mistakes)


# Tasks 5 and 6


def examine(framework, signs, examine) -> str:
    """Log what shows each of five illnesses."""
    _signs_judged(signs)
    number = int(np.random.default_rng().integers(1000, 1_000_000))
    # Who is ill in two ways shows both, in the time of one. Where few units are left, training may
    # kill them too: then gradients are 0, and wrong quantities the same as right ones.
    patient = Patient(framework, number, 0, "dead units", "leak", dead=24)
    with _folder() as folder:
        call(examine, patient=patient, folder=folder)
        if not patient._history:
            raise Wrong("Your function never trains: loop over `patient.train()`.")
        _evidence(patient, events.points(folder), signs)
    return "Every sign is what it says, on a patient that you have not seen."


def _signs_judged(signs) -> None:
    if not isinstance(signs, dict):
        raise Wrong(f"`signs` is {kind_of(signs)}; it must be a dict: the tag for each illness.")
    tags = [signs.get(illness) for illness in ILLNESSES[1:]]
    for illness, tag in zip(ILLNESSES[1:], tags, strict=True):
        if tag is ...:
            raise NotAttempted(f"Still `...`: {illness}.")
        if not isinstance(tag, str):
            kind = kind_of(tag)
            raise Wrong(f'`signs["{illness}"]` must be the tag of a scalar; it is {kind}.')
    if len(set(tags)) < len(tags):
        raise Wrong("Two illnesses have the same tag in `signs`: each has a sign of its own.")


def _evidence(patient: Patient, points: list[events.Point], signs: dict[str, str]) -> None:
    """Raise `Wrong` unless the points of each tag are a quantity that shows its illness."""
    scalars = [point for point in points if point.kind == "scalar"]
    charts = functools.cache(lambda *steps: patients.Chart(patient, list(steps)))
    for illness, sign in patients.SIGNS.items():
        tag = signs[illness]
        mine = [point for point in scalars if point.tag == tag]
        there = _listed({point.tag for point in scalars})
        steps = [point.step for point in mine]
        first, last = min(steps, default=0), max(steps, default=0)
        twice = [step for step in steps if steps.count(step) > 1]
        strange = sorted(set(steps) - set(patient._history))
        followed = len(steps) >= _FEWEST and first == 0 and last >= STEPS - _END
        refuse({
            f"The event files hold no scalar `{tag}`, the sign of {illness}; they hold {there}. "
            f"{_UNFLUSHED}": not mine,
            f"`{tag}` has more than one point at step {twice and twice[0]}.": twice,
            f"`{tag}` has {len(steps)} points, from step {first} to {last}: follow the training "
            f"from step 0 to its end at step {STEPS - 1}, at {_FEWEST} steps or more.":
                illness != "leak" and not followed,
            f"`{tag}` has a point at step {strange and strange[0]}; there are {STEPS} steps, from "
            "0.": strange,
        })  # fmt: skip
        chart, values = charts(*steps), np.array([float(point.value) for point in mine])
        if any(_same(values, quantity(chart)) for quantity in sign.right):
            continue
        for sentence, quantity in sign.mistakes.items():
            if _same(values, quantity(chart)):
                raise Wrong(f"`{tag}`, the sign of {illness}, {sentence}")
        raise Wrong(f"`{tag}`, the sign of {illness}, {sign.otherwise}")


def _same(values: np.ndarray, quantity) -> bool:
    """Whether values, (steps,), are a quantity's, or one row's of several, (rows, steps)."""
    for right in np.broadcast_to(
        quantity, np.broadcast_shapes((1, len(values)), np.shape(quantity))
    ):
        size = np.abs(right[np.isfinite(right)]).max(initial=1)
        near = np.isclose(values, right, rtol=1e-3, atol=1e-5 * size, equal_nan=True)
        # A unit that is barely alive in float32 may be dead in float64, now and then.
        if near.mean() >= _AGREEING:
            return True
    return False


def doctor(framework, ward, folder, signs, diagnoses) -> str:
    """Name each patient's illness, on the evidence of its event files."""
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
    _signs_judged(signs)
    for letter, patient in ward.items():
        if not patient._history:
            raise Wrong(f"Patient {letter} has not been examined: run the cell that does it.")
        try:
            _evidence(patient, events.points(folder / letter), signs)
        except Wrong as problem:
            raise Wrong(
                f"The evidence of patient {letter} does not hold: {problem} Solve `examine`, "
                "and examine all patients anew."
            ) from None
    for letter, patient in ward.items():
        if (said := diagnoses[letter]) != patient._illness:
            raise Wrong(f"Patient {letter}: {patients.objection(said, patient._illness, signs)}")
    return "Six diagnoses, each with the evidence in its event files."


TASKS = (predict, missing_view, bug_hunt, panel, examine, doctor)
