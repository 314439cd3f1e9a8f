"""Lesson 06, visualising: the checks of its exercise.

What an answer logs is read back from the event files, and compared with NumPy: in the last two
tasks with what it makes of the very weights that a patient (`lesson_06_patients`) had.
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
from collections.abc import Callable, Iterator

from paired import dashboards, events
from paired.checks import (
    TIME_LIMIT_SECONDS,
    NotAttempted,
    Wrong,
    call,
    compare,
    to_numpy,
)
from paired.checks import (
    lesson_06_patients as patients,
)
from paired.checks.lesson_06_patients import ILLNESSES, STEPS, Patient
from paired.checks.lesson_06_patients import ward as ward  # the exercise's own

import numpy as np

_WRITER_THREAD = "_AsyncWriterThread"
_UNFLUSHED = "Close the writer: until then its files may lack the last events."
# How often a sign has to be logged, and how near to the end of the training.
_FEWEST, _END = 16, 10
_AGREEING = 0.9  # the share of its points that have to be what NumPy says


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
    return {each for each in threading.enumerate() if type(each).__name__ == _WRITER_THREAD}


_PANEL_HINT = (
    "For each line and each of its points: raise a ValueError if `x != int(x)`; "
    '`{}(line["name"], value, int(x))`; and the largest `abs(value - float(np.float32(value)))`. '
    'Back: `events.read(folder)` gives `{{("scalar", name): {{step: value}}}}`.'
)


class _PyTorch(patients.PyTorch):
    """What the checks need of PyTorch."""

    name = "pytorch"
    one_step = "`add_scalar` without `global_step` logs at step 0, each time."
    clip_note = "`clip_grad_norm_` changes the gradients in place: log before it."
    pictures_note = "`add_images` puts the digits side by side, in one picture"

    def small(self, weights: dict[str, np.ndarray]):
        """A network with one hidden layer of ReLU, and the names of its parameters."""
        import torch
        from torch import nn

        model = nn.Sequential()
        for name in ("hidden", "relu", "output"):
            layer = nn.ReLU() if name == "relu" else nn.Linear(*weights[f"{name}.weight"].shape)
            model.add_module(name, layer)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.data(weights[name].T))
        return model, {name: name for name in weights}

    def small_weights(self, model) -> dict[str, np.ndarray]:
        return {name: to_numpy(p).T.copy() for name, p in model.named_parameters()}

    def pictures(self, images: np.ndarray) -> np.ndarray:
        """What the event of a batch of images, (n, 8, 8), holds: (pictures, height, width)."""
        return np.concatenate(list(images), axis=1)[None]

    def write(self, folder: pathlib.Path, lines: dict) -> None:
        """Log lines as scalars."""
        events.keep_tensorflow_out()
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(folder) as writer:
            for name, (steps, values) in lines.items():
                for step, value in zip(steps, values, strict=True):
                    writer.add_scalar(name, value, step)


class _TensorFlow(patients.TensorFlow):
    """The same of TensorFlow."""

    name = "tensorflow"
    one_step = "A step that is given to `as_default` stands for every call in it."
    clip_note = "`tf.clip_by_global_norm` returns others: log those that the tape gave."
    pictures_note = "`tf.summary.image` keeps `max_outputs` digits of a batch, each a picture"

    def small(self, weights: dict[str, np.ndarray]):
        import keras

        layers = [
            keras.layers.Dense(7, "relu", name="hidden"),
            keras.layers.Dense(3, name="output"),
        ]
        model = keras.Sequential([keras.Input((5,)), *layers], name="net")
        for variable, weight in zip(model.trainable_variables, weights.values(), strict=True):
            variable.assign(weight)
        paths = [variable.path for variable in model.trainable_variables]
        return model, dict(zip(weights, paths, strict=True))

    def small_weights(self, model) -> dict[str, np.ndarray]:
        names = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")
        arrays = map(to_numpy, model.trainable_variables)
        return dict(zip(names, (array.copy() for array in arrays), strict=True))

    def pictures(self, images: np.ndarray) -> np.ndarray:
        return images

    def write(self, folder: pathlib.Path, lines: dict) -> None:
        import tensorflow as tf

        writer = tf.summary.create_file_writer(str(folder))
        with writer.as_default():
            for name, (steps, values) in lines.items():
                for step, value in zip(steps, values, strict=True):
                    tf.summary.scalar(name, value, step)
        writer.close()


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
    last, until = None, time.monotonic() + TIME_LIMIT_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(path) as answer:  # noqa: S310 - our own server
            now = json.load(answer)
            if now and now == last:
                return now
            last = now
        time.sleep(0.1)
    raise TimeoutError(f"TensorBoard shows no {plugin} with the tag {tag!r} in the run {run!r}.")


def predict(framework, points, pictures, steps, smoothed, stored) -> str:
    """What TensorBoard shows of what was logged."""
    _number("points", points, 1000, {
        3000: "is not 3000: a browser would have to draw every point of every run.",
        10000: "is more than was logged.",
        500: "is the limit for histograms.",
    })  # fmt: skip
    _number("pictures", pictures, 10, {
        25: "is not 25: pictures are large, and TensorBoard keeps a sample of them too.",
        3: "is how many pictures of *one batch* `tf.summary.image` keeps.",
        1000: "is the limit for scalars.",
    })  # fmt: skip
    _number("steps", steps, 1, {3: f"is not 3. {framework.one_step}"})
    _number("smoothed", smoothed, 2, {
        2.5: "is the plain mean: at 0.5 an earlier value counts half as much as the next one.",
        1.5: "gives the first point the weight of a 0 before it: TensorBoard divides by the sum "
        "of the weights.",
        1: "is the point itself.",
        4: "is the first point.",
        3: "has the weights in the wrong order: the later value counts more.",
    })  # fmt: skip
    _number("stored", stored, 2**24, {
        2**24 + 1: "is what was logged. A scalar is stored as float32, which has 24 bits.",
        2**24 + 2: "is the other neighbour: a tie goes to the even one.",
    })  # fmt: skip
    return "All five are right. The next cell asks TensorBoard."


def _number(name: str, answer, right: float, notes: dict[float, str]) -> None:
    """Judge a number."""
    try:
        number = float(answer)
        valid = not isinstance(answer, str | bool) and number >= 0
    except Exception:  # whatever the answer's own code does
        valid = False
    if not valid:
        raise Wrong(f"`{name}` must be a number from 0; it is {_given(answer)}.")
    if number != right:
        raise Wrong(f"`{name}` {notes.get(number, f'is not {number:.15g}.')}")


def _given(answer) -> str:
    """What an answer is, in a few words."""
    if isinstance(answer, str | bool | int | float):
        return repr(answer)
    return "None" if answer is None else f"a `{type(answer).__name__}`"


# Task 2


def missing_view(framework, train) -> str:
    """Add histograms of gradients to a training that logs a scalar."""
    rng = np.random.default_rng()
    weights = {
        "hidden.weight": rng.normal(size=(5, 7)), "hidden.bias": rng.uniform(1, 2, size=7),
        "output.weight": rng.normal(size=(7, 3)), "output.bias": rng.normal(size=3),
    }  # fmt: skip
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    count = 13
    arrays = [(rng.normal(size=(9, 5)), rng.integers(3, size=9)) for _ in range(count)]
    arrays = [((2 * x).astype(np.float32), y) for x, y in arrays]
    model, names = framework.small(weights)
    tags = {name: f"gradient/{path}" for name, path in names.items()}
    batches = [(framework.data(x), framework.data(y)) for x, y in arrays]
    with _folder() as folder:
        call(train, model=model, batches=batches, folder=folder)
        _view_judged(framework, events.points(folder), tags, _trained(weights, arrays), model)
    return "Each histogram holds the gradient that the batch gave, at the right step."


def _view_judged(framework, points: list[events.Point], tags: dict, trained: tuple, model) -> None:
    history, final = trained
    for name, array in framework.small_weights(model).items():
        if not np.allclose(array, final[name], rtol=1e-3, atol=1e-4):
            raise Wrong(
                "The network is trained otherwise than before: leave the training as it is."
            )
    _losses_logged(framework, points, [step["loss"] for step in history])
    drawn = [point for point in points if point.kind == "histogram"]
    if not drawn:
        others = {point.tag for point in points} - {"loss"}
        more = f" Of the kind it is are {_listed(others)} not." if others else ""
        raise Wrong(f"There is no histogram in the event files.{more}")
    got = {point.tag for point in drawn}
    if missing := sorted(set(tags.values()) - got):
        raise Wrong(f"There is no histogram `{missing[0]}`; those there are {_listed(got)}.")
    if surplus := sorted(got - set(tags.values())):
        raise Wrong(f"The histogram `{surplus[0]}` is one too many: one for each parameter.")
    wanted = list(range(0, len(history), 5))
    for name, tag in tags.items():
        mine = [point for point in drawn if point.tag == tag]
        steps = [point.step for point in mine]
        if steps != wanted:
            raise Wrong(
                f"`{tag}` has histograms at the steps {_few(steps)}; of {len(history)} steps, "
                f"every fifth from 0 is to have one: {_few(wanted)}."
            )
        for point in mine:
            _histogram_judged(framework, point, name, history)


def _losses_logged(framework, points: list[events.Point], losses: list[float]) -> None:
    logged = [p for p in points if p.kind == "scalar" and p.tag == "loss"]
    if len(logged) < len(losses):
        raise Wrong(f"The event files do not hold all {len(losses)} losses. {_UNFLUSHED}")
    right = [point.step for point in logged] == list(range(len(losses)))
    values = [float(point.value) for point in logged]
    if not right or not np.allclose(values, losses, rtol=1e-3, atol=1e-4):
        raise Wrong("The scalar `loss` is no longer what it was: leave it as it is.")


def _trained(weights: dict, batches: list) -> tuple[list[dict], dict]:
    """A training in NumPy: for each step the loss and arrays of each kind; the last weights."""
    weights = {name: array.astype(np.float64) for name, array in weights.items()}
    history = []
    for x, y in batches:
        hidden = x @ weights["hidden.weight"] + weights["hidden.bias"]
        units = np.maximum(hidden, 0)
        z = units @ weights["output.weight"] + weights["output.bias"]
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        back = (p - np.eye(3)[y]) / len(y)
        below = back @ weights["output.weight"].T * (hidden > 0)
        gradients = {
            "hidden.weight": x.T @ below, "hidden.bias": below.sum(axis=0),
            "output.weight": units.T @ back, "output.bias": back.sum(axis=0),
        }  # fmt: skip
        norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
        clipped = {name: g * min(1, 0.5 / norm) for name, g in gradients.items()}
        after = {name: weights[name] - 0.1 * clipped[name] for name in weights}
        loss = patients.cross_entropy(z, y)
        history.append({
            "loss": loss, "gradient": gradients, "clipped": clipped, "before": weights,
            "after": after,
        })  # fmt: skip
        weights = after
    return history, weights


def _histogram_judged(framework, point: events.Point, name: str, history: list[dict]) -> None:
    """Compare a histogram with the gradient of its step."""
    now = history[point.step]
    where = f"The histogram `{point.tag}` of step {point.step}"
    right = now["gradient"][name]
    if _is_histogram(point.value, right):
        return
    values = int(point.value[:, 2].sum())
    if values != right.size:
        raise Wrong(f"{where} counts {values} numbers; the parameter has {right.size}.")
    at_end = history[min(point.step + 1, len(history) - 1)]["gradient"][name]
    before = history[point.step - 1]["gradient"][name] if point.step else None
    itself = "is that of the parameter itself, not of its gradient."
    mistakes = [
        (f"is that of the clipped gradient. {framework.clip_note}", now["clipped"][name]),
        # A step is short: before and after it the histograms may be the same.
        (itself, now["before"][name]),
        (itself, now["after"][name]),
        ("holds zeros: the gradient has been cleared before it is logged.", np.zeros_like(right)),
        ("holds the gradient's magnitudes: its sign is lost.", np.abs(right)),
        ("is that of the next step's gradient.", at_end),
        (
            "is that of the update: without the learning rate and its sign it is the gradient.",
            -0.1 * now["clipped"][name],
        ),
    ]
    if before is not None:
        mistakes.append(("is that of the gradient of the step before.", before))
    for sentence, mistake in mistakes:
        if _is_histogram(point.value, mistake):
            raise Wrong(f"{where} {sentence}")
    raise Wrong(f"{where} is not that of the gradient: look at its range.")


def _is_histogram(buckets: np.ndarray, array: np.ndarray) -> bool:
    """Whether buckets, (n, 3), hold an array, but for what rounding moves to the next one."""
    counts = buckets[:, 2]
    used = buckets[counts > 0]
    if not len(used) or counts.sum() != array.size:
        return False
    if not array.any():  # zeros: one bucket, wherever its edges are
        return len(used) == 1 and used[0, 0] <= 0 <= used[0, 1]
    size = np.abs(array).max()
    edges = np.append(buckets[:, 0], buckets[-1, 1]).astype(np.float64)
    if used[0, 0] - array.min() > 1e-3 * size or array.max() - used[-1, 1] > 1e-3 * size:
        return False
    spread = max(np.ptp(array), 1e-12)
    if used[0, 1] < array.min() - 1e-3 * size or used[-1, 0] > array.max() + 1e-3 * size:
        return False
    # At every edge as many numbers lie below as the buckets say, give or take rounding.
    below = np.concatenate([[0], np.cumsum(counts)])
    least = [(array < edge - 1e-4 * spread).sum() for edge in edges]
    most = [(array <= edge + 1e-4 * spread).sum() for edge in edges]
    return bool(np.all((least <= below) & (below <= most)))


def _listed(names) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


def _few(numbers: list) -> str:
    """Numbers, the first few of many."""
    shown = ", ".join(map(str, numbers[:6]))
    return f"{shown}, ..." if len(numbers) > 6 else shown or "none"


# Task 3


def bug_hunt(framework, log_runs) -> str:
    """Log two runs and a batch of images so that TensorBoard shows them as they are."""
    rng = np.random.default_rng()
    runs = {
        name: [float(loss) for loss in rng.uniform(0.1, 3, size=count)]
        for name, count in (("slow", 33), ("fast", 17))
    }
    images = rng.integers(17, size=(6, 8, 8)).astype(np.float64)
    with _folder() as folder:
        call(log_runs, folder=folder, runs=runs, images=images)
        _runs_judged(framework, events.points(folder), runs, images)
    return "Two runs with a line each, and digits that look like digits."


def _runs_judged(framework, points: list[events.Point], runs: dict, images: np.ndarray) -> None:
    scalars = [point for point in points if point.kind == "scalar" and point.tag == "loss"]
    found = {point.run for point in scalars}
    if not scalars:
        raise Wrong(f"The event files hold no scalar `loss`. {_UNFLUSHED}")
    if len(found) == 1 and not found & set(runs):
        raise Wrong(
            "All losses are in one folder, and TensorBoard takes a folder for a run: both "
            "trainings become one line. Give each a folder of its own."
        )
    for name, losses in runs.items():
        mine = [point for point in scalars if point.run == name]
        if not mine:
            raise Wrong(
                f"There is no run `{name}`: log to `folder / name`. Runs: {_listed(found)}."
            )
        if len(mine) != len(losses):
            raise Wrong(f"The run `{name}` does not hold all {len(losses)} losses. {_UNFLUSHED}")
        steps = [point.step for point in mine]
        if len(set(steps)) == 1:
            text = f"All {len(mine)} losses of the run `{name}` are at step {steps[0]}."
            raise Wrong(f"{text} {framework.one_step}")
        if steps != list(range(len(losses))):
            raise Wrong(f"The steps of the run `{name}` are {_few(steps)}; they count from 0.")
        if not np.array_equal([point.value for point in mine], np.float32(losses)):
            raise Wrong(f"The run `{name}` holds other losses than those it was given.")
    _pictures_judged(framework, points, images)


def _pictures_judged(framework, points: list[events.Point], images: np.ndarray) -> None:
    mine = [point for point in points if point.kind == "image"]
    if not mine:
        raise Wrong(f"The event files hold no image. {_UNFLUSHED}")
    named = {(point.run, point.tag) for point in mine}
    if named != {("images", "digits")}:
        run, tag = sorted(named - {("images", "digits")})[0]
        where = "`folder` itself" if run == "." else f"the run `{run}`"
        raise Wrong(f"`{tag}` is in {where}; log `digits` to `folder / 'images'`, once.")
    if len(mine) > 1:
        raise Wrong(f"`digits` is logged {len(mine)} times; log the batch once, at step 0.")
    if mine[0].step != 0:
        raise Wrong(f"`digits` is at step {mine[0].step}; it must be at step 0.")
    got = mine[0].value.mean(axis=-1)  # of a grey picture all channels are the same
    right = framework.pictures(images)
    if got.shape != right.shape:
        raise Wrong(
            f"`digits` holds {len(got)} of {got.shape[1]} x {got.shape[2]} pixels; it must hold "
            f"{len(right)} of {right.shape[1]} x {right.shape[2]}: {framework.pictures_note}."
        )
    mistakes = {
        "Every pixel above 0 is white: floats have to lie between 0 and 1, and these reach 16.": (
            np.where(right > 0, 255, 0)
        ),
        "The picture is almost black: whole numbers have to reach 255, and these reach 16.": right,
        "White and black have changed places: 16 is white.": 255 - right * 255 / 16,
        "Rows and columns have changed places.": (
            framework.pictures(images.transpose(0, 2, 1)) * 255 / 16
        ),
        "The pictures reach from black to white in another range than 0 to 16.": (
            right * 255 / 15
        ),
    }  # fmt: skip
    if np.abs(got - right * 255 / 16).max() <= 1:
        return
    for sentence, mistake in mistakes.items():
        if np.abs(got - mistake).max() <= 1:
            raise Wrong(sentence)
    raise Wrong("The pictures have the right size, and other pixels than the images.")


# Task 4


def panel(framework, to_tensorboard, from_tensorboard) -> str:
    """Move the lines of a Visdom window to event files, and back."""
    rng = np.random.default_rng()
    exact = {
        "train": _line(rng, 9, lambda n: rng.integers(-4000, 4000, size=n) / 1024, first=0),
        "test": _line(rng, 5, lambda n: rng.integers(-4000, 4000, size=n) / 1024, first=2**31),
    }
    exact["test"][1][2] = math.nan  # a gap in the line
    exact["train"][1][4] = 0.0  # and none
    fine = {"fine": _line(rng, 8, lambda n: rng.uniform(0.5, 3, size=n), first=3)}
    fine["fine"][1][3] *= 1e6
    for what, lines in (("", exact), ("Where values need float64: ", fine)):
        with _folder() as folder:
            lost = call(to_tensorboard, window=_window(lines), folder=folder)
            _lines_judged(framework, what, events.points(folder), lines)
            _loss_judged(what, lost, lines)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        window = _window({"half": ([0, 1.5, 2], [1.0, 2.0, 3.0])})
        try:
            call(to_tensorboard, window=window, folder=pathlib.Path(folder))
        except ValueError:
            pass
        except Exception as error:  # one of the writer's own, or the student's
            raise Wrong(
                "One window has a point at x = 1.5, which is no step: raise a `ValueError` there; "
                f"yours raises `{type(error).__name__}`."
            ) from None
        else:
            raise Wrong(
                "One window has a point at x = 1.5, which is no step: an event's step is a whole "
                "number. Raise a `ValueError`; your function moves the point elsewhere, or loses "
                "it."
            )
    with _folder() as folder:
        framework.write(folder, exact)
        back = call(from_tensorboard, folder=folder)
    _back_judged(back, exact)
    return "Steps and values arrive as float32 has them, and come back the same."


def _line(rng: np.random.Generator, n: int, values: Callable, *, first: int) -> tuple[list, list]:
    steps = first + np.cumsum(rng.integers(1, 9, size=n))
    return [int(step) for step in steps], [float(value) for value in values(n)]


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


def _lines_judged(framework, what: str, points: list[events.Point], lines: dict) -> None:
    named = {point.tag for point in points if point.kind == "scalar"}
    if not named:
        raise Wrong(f"{what}The event files hold no scalar. {_UNFLUSHED}")
    if named != set(lines):
        raise Wrong(f"{what}The tags are {_listed(named)}; the lines are {_listed(lines)}.")
    for name, (steps, values) in lines.items():
        mine = [point for point in points if point.tag == name]
        if len(mine) != len(steps):
            gap = " A gap, `null` in JSON, is a point too: NaN." if what == "" else ""
            raise Wrong(f"{what}`{name}` has {len(mine)} points of {len(steps)}.{gap}")
        got = [point.step for point in mine]
        if got == list(range(len(steps))):
            raise Wrong(f"{what}`{name}` is logged at steps counted from 0: take those of its `x`.")
        if got != steps:
            raise Wrong(f"{what}`{name}` is at other steps than its x.")
        held = np.array([float(point.value) for point in mine])
        if not np.array_equal(held, np.float32(values).astype(float), equal_nan=True):
            if np.array_equal(np.isnan(held), np.isnan(values)):
                raise Wrong(f"{what}`{name}` has other values than the line.")
            raise Wrong(f"{what}`{name}` is NaN elsewhere than the line has a gap, `null` in JSON.")


def _loss_judged(what: str, lost, lines: dict) -> None:
    values = np.concatenate([np.array(values) for _, values in lines.values()])
    differences = np.abs(values - np.float32(values).astype(float))
    right = np.asarray(np.nanmax(differences))
    got = to_numpy(lost)
    if got.shape != () or got.dtype.kind not in "fiu":
        raise Wrong(
            f"{what}The result is {_given(lost)}; it must be one number, the largest error."
        )
    if np.isnan(got):
        raise Wrong(f"{what}The largest error is NaN: leave gaps out of it.")
    mistakes = {
        "is 0: compare with the float32 that the event holds, and in float64. NumPy computes "
        "`np.float32(y) - y` in float32.": 0.0,
        "is a sum: the largest is asked for.": np.nansum(differences),
        "is a mean: the largest is asked for.": np.nanmean(differences),
        "is relative: the difference itself is asked for.": np.nanmax(
            np.divide(differences, np.abs(values), where=values != 0, out=np.zeros_like(values))
        ),
        "is the error of float16; a scalar event holds a float32.": np.nanmax(
            np.abs(values - np.float16(np.clip(values, -6e4, 6e4)).astype(float))
        ),
    }
    if right == 0 and got != 0:
        raise Wrong(
            f"{what}The largest error is not 0, although float32 holds these values exactly: "
            "compare in float64."
        )
    mistakes = {sentence: np.asarray(value) for sentence, value in mistakes.items()}
    number = np.asarray(float(got))
    if right > 0:
        compare(f"{what}The largest error", number, right, mistakes=mistakes)


def _back_judged(back, lines: dict) -> None:
    if not isinstance(back, dict):
        raise Wrong(
            f"Back: the result is {_given(back)}; it must be a dict, name to (steps, values)."
        )
    if set(back) != set(lines):
        raise Wrong(
            f"Back: the names are {_listed(map(str, back))}; the tags are {_listed(lines)}."
        )
    for name, (steps, values) in lines.items():
        try:
            got, numbers = (to_numpy(list(part)) for part in back[name])
        except Exception:
            raise Wrong(f"Back: `{name}` must be a pair: its steps, and its values.") from None
        if got.shape != (len(steps),) or numbers.shape != got.shape:
            shapes = f"{len(got.ravel())} steps and {len(numbers.ravel())} values"
            raise Wrong(f"Back: `{name}` has {shapes}; the events are {len(steps)}.")
        if not np.array_equal(got, steps):
            raise Wrong(f"Back: `{name}` has other steps than its events.")
        if not np.array_equal(numbers, np.float32(values), equal_nan=True):
            raise Wrong(f"Back: `{name}` has other values than its events.")


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
        points = events.points(folder)
        for illness in ILLNESSES[1:]:
            _evidence(framework, patient, points, illness, signs[illness])
    return "Every sign is what it says, on a patient that you have not seen."


def _signs_judged(signs) -> None:
    if not isinstance(signs, dict):
        raise Wrong(f"`signs` is {_given(signs)}; it must be a dict: the tag for each illness.")
    for illness in ILLNESSES[1:]:
        tag = signs.get(illness)
        if tag is ...:
            raise NotAttempted(f'Still `...`: the sign of "{illness}".')
        if not isinstance(tag, str):
            raise Wrong(f'`signs["{illness}"]` must be the tag of a scalar; it is {_given(tag)}.')
    if len({signs[illness] for illness in ILLNESSES[1:]}) < len(ILLNESSES) - 1:
        raise Wrong("Two illnesses have the same tag in `signs`: each has a sign of its own.")


def _evidence(
    framework, patient: Patient, points: list[events.Point], illness: str, tag: str
) -> None:
    """Raise `Wrong` unless the points of a tag are a quantity that shows an illness."""
    mine = [point for point in points if point.tag == tag and point.kind == "scalar"]
    if not mine:
        there = _listed({point.tag for point in points if point.kind == "scalar"})
        raise Wrong(
            f"The event files hold no scalar `{tag}`, the sign of {illness}; they hold {there}. "
            f"{_UNFLUSHED}"
        )
    steps = [point.step for point in mine]
    if len(set(steps)) < len(steps):
        twice = next(step for step in steps if steps.count(step) > 1)
        raise Wrong(f"`{tag}` has more than one point at step {twice}.")
    if illness != "leak" and (len(steps) < _FEWEST or min(steps) != 0 or max(steps) < STEPS - _END):
        raise Wrong(
            f"`{tag}` has {len(steps)} points, from step {min(steps)} to {max(steps)}: follow the "
            f"training from step 0 to its end at step {STEPS - 1}, at {_FEWEST} steps or more."
        )
    if strange := sorted(set(steps) - set(patient._history)):
        raise Wrong(f"`{tag}` has a point at step {strange[0]}; there are {STEPS} steps, from 0.")
    values = np.array([float(point.value) for point in mine])
    right, mistakes = patients.SIGNS[illness](patients.Chart(patient, steps))
    if any(_same(values, quantity()) for quantity in right):
        return
    for sentence, quantity in mistakes.items():
        if _same(values, quantity()):
            raise Wrong(f"`{tag}`, the sign of {illness}, {sentence}")
    raise Wrong(f"`{tag}`, the sign of {illness}, {patients.UNKNOWN[illness]}")


def _same(values: np.ndarray, right) -> bool:
    right = np.broadcast_to(np.asarray(right, float), values.shape)
    size = np.abs(right[np.isfinite(right)]).max(initial=0)
    near = np.isclose(values, right, rtol=1e-3, atol=1e-5 * max(size, 1), equal_nan=True)
    # A unit that is barely alive in float32 may be dead in float64, now and then.
    return near.mean() >= _AGREEING


def doctor(framework, ward, folder, signs, diagnoses) -> str:
    """Name each patient's illness, on the evidence of its event files."""
    if not (isinstance(ward, dict) and ward and all(isinstance(p, Patient) for p in ward.values())):
        raise Wrong(f"`ward` is {_given(ward)}; take that of `lesson_06.ward`.")
    if not isinstance(diagnoses, dict) or set(diagnoses) != set(ward):
        raise Wrong(f"`diagnoses` must be a dict with the keys {_listed(ward)}.")
    if missing := [letter for letter, name in diagnoses.items() if name is ...]:
        raise NotAttempted(f"Still `...`: {', '.join(missing)}.")
    for letter, name in diagnoses.items():
        if name not in ILLNESSES if isinstance(name, str) else True:
            raise Wrong(f"`{letter}` is {_given(name)}; choose among {_listed(ILLNESSES)}.")
    for name in ILLNESSES:
        if (count := list(diagnoses.values()).count(name)) != 1:
            raise Wrong(f"`{name}` is given to {count} patients; each is given to one.")
    _signs_judged(signs)
    for letter, patient in ward.items():
        if not patient._history:
            raise Wrong(f"Patient {letter} has not been examined: run the cell that does it.")
        points = events.points(folder / letter)
        for illness, tag in signs.items():
            try:
                _evidence(framework, patient, points, illness, tag)
            except Wrong as problem:
                raise Wrong(
                    f"The evidence of patient {letter} does not hold: {problem} Solve `examine`, "
                    "and examine all patients anew."
                ) from None
    for letter, patient in ward.items():
        if (said := diagnoses[letter]) != patient._illness:
            raise Wrong(f"Patient {letter}: {patients.objection(said, patient._illness, signs)}")
    return "Six diagnoses, each with the evidence in its event files."


ADAPTERS = {"pytorch": _PyTorch, "tensorflow": _TensorFlow}
TASKS = (predict, missing_view, bug_hunt, panel, examine, doctor)
