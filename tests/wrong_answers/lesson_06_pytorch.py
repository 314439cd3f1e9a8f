"""Wrong answers to the PyTorch half of lesson 06's exercise."""
# ruff: noqa: N803, N806 - the exercise names matrices X

import json
import math
import shutil

from paired import events

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from wrong_answers import WrongAnswers, lesson_06
from wrong_answers.lesson_06 import SIGNS

events.prepare()  # before PyTorch's writer is imported
from torch.utils.tensorboard import SummaryWriter  # noqa: E402

wrong = WrongAnswers()
UNFLUSHED = (
    " A writer collects events in memory, and its files have the rest once it is closed: call its "
    "`close()`, or use it in a `with`."
)
unclosed = []

lesson_06.add_predictions(wrong, "`add_scalar` without `global_step` logs at step 0, each time.")


def trains(message, **changes):
    """Add a wrong way of logging gradients."""

    def train(model, batches, folder):
        _train(model, batches, folder, **changes)

    wrong.add("missing_view", train, message=message)


def _train(model, batches, folder, *, when="before", every=5, tag="gradient/{}", log=None, lr=0.1,
           first=0, value=lambda p: p.grad, close=True, only="", at=lambda step: step):  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    writer = SummaryWriter(folder)

    def view():
        if step % every == first:
            for name, parameter in model.named_parameters():
                if only in name:
                    add = log or writer.add_histogram
                    add(tag.format(name), value(parameter), at(step))

    for step, (X, y) in enumerate(batches):
        optimizer.zero_grad()
        if when == "zeroed":
            view()
        loss = F.cross_entropy(model(X), y)
        loss.backward()
        if when == "before":
            view()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        if when == "clipped":
            view()
        optimizer.step()
        if when == "after":
            view()
        writer.add_scalar("loss", loss.item(), step)
    if close:
        writer.close()
    else:
        unclosed.append(writer)


FIRST = "The histogram `gradient/hidden.weight` of step 0 "
CLIP = (
    "is that of the clipped gradient. `clip_grad_norm_` changes the gradients in place: log before "
    "it."
)
trains(FIRST + CLIP, when="clipped")
trains(FIRST + CLIP, when="after")
trains(FIRST + "is that of the parameter itself, not of its gradient.", value=lambda p: p)
trains(
    FIRST + "is that of the parameter after the step, not of its gradient.",
    value=lambda p: p,
    when="after",
)
trains(FIRST + "holds the gradient's magnitudes: its sign is lost.", value=lambda p: p.grad.abs())
trains(
    FIRST + "is that of the update: without the learning rate and its sign it is the gradient.",
    value=lambda p: -0.1 * p.grad,
    when="clipped",
)
trains(
    FIRST + "counts 1 numbers; the parameter has 35.", value=lambda p: p.grad.norm()
)  # a histogram of one number
trains("There is no histogram in the event files.", every=100, first=1)
trains(
    "`gradient/hidden.weight` has histograms at the steps 0, 1, 2, 3, 4, 5, ...; of 13 steps, every "
    "fifth from 0 is to have one: 0, 5, 10.",
    every=1,
)
trains(
    "`gradient/hidden.weight` has histograms at the steps 4, 9; of 13 steps, every fifth from 0 is "
    "to have one: 0, 5, 10.",
    first=4,
)
trains(
    "`gradient/hidden.weight` has histograms at the steps 0, 0, 0; of 13 steps, every fifth from 0 "
    "is to have one: 0, 5, 10.",
    at=lambda step: None,
)
trains(
    "There is no histogram `gradient/hidden.bias`; those there are `gradient/hidden.weight`, "
    "`gradient/output.weight`.",
    only="weight",
)
trains(
    "There is no histogram `gradient/hidden.bias`; those there are `hidden.bias`, `hidden.weight`, "
    "`output.bias`, `output.weight`.",
    tag="{}",
)
trains("The event files do not hold all 13 losses." + UNFLUSHED, close=False)
trains("The network is trained otherwise than before: leave the training as it is.", lr=0.2)


@wrong.brings(
    "missing_view", FIRST + "holds zeros: the gradient has been cleared before it is logged."
)
def logs_cleared_gradients(model, batches, folder):
    def zeros(parameter):
        return torch.zeros_like(parameter)

    _train(model, batches, folder, value=zeros)


@wrong.brings("missing_view", "The scalar `loss` is no longer what it was: leave it as it is.")
def logs_the_scalar_a_step_late(model, batches, folder):
    with SummaryWriter(folder) as writer:
        losses = []

        def keep(tag, value, step):
            writer.add_histogram(tag, value, step)

        _train(model, batches, folder / "own", log=keep)
        for points in events.read(folder / "own").values():
            losses += [float(value) for value in points.values()]
        for step, loss in enumerate(losses, start=1):
            writer.add_scalar("loss", loss, step)
    shutil.rmtree(folder / "own")


@wrong.brings("missing_view", "The event files do not hold all 13 losses." + UNFLUSHED)
def does_not_train(model, batches, folder):
    pass


# Task 3


def logs(message, **changes):
    """Add a wrong way of logging two runs and images."""

    def log_runs(folder, runs, images):
        _log_runs(folder, runs, images, **changes)

    wrong.add("bug_hunt", log_runs, message=message)


def _log_runs(folder, runs, images, *, path=lambda folder, name: folder / name, tag="loss",
              step=lambda step: step, close=True, pictures=lambda images: images[:, None] / 16,
              at=0, image_run="images", image_tag="digits", loss=float, times=1):  # fmt: skip
    for name, losses in runs.items():
        writer = SummaryWriter(path(folder, name))
        for number, value in enumerate(losses):
            writer.add_scalar(tag, loss(value), step(number))
        if close:
            writer.close()
        else:
            unclosed.append(writer)
    with SummaryWriter(folder / image_run) as writer:
        for _ in range(times):
            writer.add_images(image_tag, pictures(images), at)


logs(
    "All losses are in one folder, and TensorBoard takes a folder for a run: both trainings become "
    "one line. Give each a folder of its own.",
    path=lambda folder, name: folder,
)
logs(
    "All losses are in one folder, and TensorBoard takes a folder for a run: both trainings become "
    "one line. Give each a folder of its own.",
    path=lambda folder, name: folder / "runs",
)
logs(
    "There is no run `slow`: log to `folder / name`. Runs: `loss/fast`, `loss/slow`.",
    path=lambda folder, name: folder / "loss" / name,
)
logs(
    "All 33 losses of the run `slow` are at step 0. `add_scalar` without `global_step` logs at step "
    "0, each time.",
    step=lambda step: None,
)
logs(
    "The steps of the run `slow` are 1, 2, 3, 4, 5, 6, ...; they count from 0.",
    step=lambda step: step + 1,
)
logs("The run `slow` does not hold all 33 losses." + UNFLUSHED, close=False)
logs("The event files hold no scalar `loss`." + UNFLUSHED, tag="losses")
logs("The run `slow` holds other losses than those it was given.", loss=lambda x: round(x, 2))
logs(
    "Every pixel above 0 is white: floats have to lie between 0 and 1, and these reach 16.",
    pictures=lambda images: images[:, None],
)
logs(
    "The picture is almost black: whole numbers have to reach 255, and these reach 16.",
    pictures=lambda images: images[:, None].astype(np.uint8),
)
logs(
    "White and black have changed places: 16 is white.",
    pictures=lambda images: 1 - images[:, None] / 16,
)
logs(
    "Rows and columns have changed places.",
    pictures=lambda images: images.transpose(0, 2, 1)[:, None] / 16,
)
logs(
    "The pictures have the right size, and other pixels than the images.",
    pictures=lambda images: images[:, None] / 20,
)
logs(
    "`digits` holds 1 of 8 x 40 pixels; it must hold 1 of 8 x 48: `add_images` puts the digits side "
    "by side, in one picture.",
    pictures=lambda images: images[:5, None] / 16,
)
logs("`digits` is at step 1; it must be at step 0.", at=1)
logs("`digits` is logged 2 times; log the batch once, at step 0.", times=2)
logs("`digits` is in the run `slow`; log `digits` to `folder / 'images'`, once.", image_run="slow")
logs("`digit` is in the run `images`; log `digits` to `folder / 'images'`, once.",
     image_tag="digit")  # fmt: skip
logs(
    "Your code raises `AssertionError: Input should be a 4D numpy array with 3 channels`.",
    pictures=lambda images: images[..., None] / 16,
)


@wrong.brings("bug_hunt", "The event files hold no image." + UNFLUSHED)
def logs_no_image(folder, runs, images):
    _log_runs(folder, runs, images, times=0)


# Task 4


def to_tensorboard(window, folder, *, gap=math.nan, step=int, kind=np.float32, best=max,
                   result=lambda largest: largest, tag="{}", refuse=True, skip=False,
                   close=True, relative=False):  # fmt: skip
    """A right one, unless told otherwise."""
    errors = [0.0]
    writer = SummaryWriter(folder)
    for line in json.loads(window)["content"]["data"]:
        for number, (x, y) in enumerate(zip(line["x"], line["y"], strict=True)):
            if refuse and x != int(x):
                raise ValueError(x)
            if y is None and skip:
                continue
            value = gap if y is None else y
            writer.add_scalar(tag.format(line["name"]), value, step(x) if step else number)
            error = abs(value - float(kind(value)))
            if error == error:
                errors.append(error / abs(value) if relative and value else error)
    if close:
        writer.close()
    else:
        unclosed.append(writer)
    return result(best(errors))


def from_tensorboard(folder):
    return {
        tag: (list(points), [float(value) for value in points.values()])
        for (_, tag), points in events.read(folder).items()
    }


def moves(message, **changes):
    """Add a wrong way to TensorBoard."""

    def changed(window, folder):
        return to_tensorboard(window, folder, **changes)

    wrong.add("panel", changed, from_tensorboard, message=message)


FINE = "Where values need float64: "
moves("`test` has 4 points of 5. A gap, `null` in JSON, is a point too: NaN.", skip=True)
moves("`test` is NaN elsewhere than the line has a gap, `null` in JSON.", gap=0.0)
moves("`train` is logged at steps counted from 0: take those of its `x`.", step=None)
moves("`train` is at other steps than its x.", step=lambda x: int(x) + 1)
moves("The tags are `loss/test`, `loss/train`; the lines are `test`, `train`.", tag="loss/{}")
moves("The result is None; it must be one number, the largest error.", result=lambda _: None)
moves("The result is a `list`; it must be one number, the largest error.", result=lambda e: [e])
moves("The largest error is NaN: leave gaps out of it.", result=lambda e: math.nan)
moves(
    "The largest error is not 0, although float32 holds these values exactly: compare in float64.",
    result=lambda e: e + 1e-9,
)
moves(FINE + "The largest error is 0: compare each value with the float32 that the event holds.",
      kind=np.float64)  # fmt: skip
moves(FINE + "The largest error is a sum: the largest is asked for.", best=sum)
moves(FINE + "The largest error is a mean: the largest is asked for.",
      best=lambda errors: sum(errors) / (len(errors) - 1))  # fmt: skip
moves(FINE + "The largest error is relative: the difference itself is asked for.", relative=True)
moves(
    "One window has a point at x = 1.5, which is no step: an event's step is a whole number. Raise "
    "a `ValueError`; your function moves the point elsewhere, or loses it.",
    refuse=False,
)


def returns(message, back):
    """Add a wrong way back."""
    wrong.add("panel", to_tensorboard, back, message=message)


returns("Back: the result is a `list`; it must be a dict, name to (steps, values).",
        lambda folder: list(from_tensorboard(folder).items()))  # fmt: skip
returns("Back: the names are `('scalar', 'test')`, `('scalar', 'train')`; the tags are `test`, "
        "`train`.", lambda folder: events.read(folder))  # fmt: skip
returns("Back: `train` has 1 steps and 1 values; the events are 9.",
        lambda folder: {n: (s[:1], v[:1]) for n, (s, v) in from_tensorboard(folder).items()})  # fmt: skip
returns("Back: `train` has other steps than its events.",
        lambda folder: {n: (range(len(s)), v) for n, (s, v) in from_tensorboard(folder).items()})  # fmt: skip
returns("Back: `test` has other values than its events.",
        lambda folder: {n: (s, np.nan_to_num(v)) for n, (s, v) in from_tensorboard(folder).items()})  # fmt: skip
returns("Back: `train` must be a pair: its steps, and its values.",
        lambda folder: {n: dict(zip(s, v, strict=True)) for n, (s, v) in
                        from_tensorboard(folder).items()})  # fmt: skip


# Task 5


def examine(patient, folder, every=5, last=1000, twice=False, close=True, **others):
    """A right one, unless told otherwise: `others` are functions, by tag."""
    tags = ("loss/train", "loss/test", "dead", "norm")
    quantities = dict(zip(tags, (_loss, _test_loss, _dead, _norm), strict=True)) | others
    writer = SummaryWriter(folder)
    writer.add_scalar("leaked", others.get("leaked", _leaked)(patient), 0)
    for step, loss, gradients in patient.train():
        if step % every == 0 and step <= last:
            for tag in tags:
                if quantities[tag]:
                    with torch.no_grad():
                        value = quantities[tag](patient, loss, gradients)
                    writer.add_scalar(tag, value, step)
                    if twice:
                        writer.add_scalar(tag, value, step)
    if close:
        writer.close()
    else:
        unclosed.append(writer)


def _loss(patient, loss, gradients):
    return loss


def _test_loss(patient, loss, gradients):
    return F.cross_entropy(patient.model(patient.X_test), patient.y_test)


def _accuracy(patient, loss, gradients):
    return (patient.model(patient.X_test).argmax(dim=1) == patient.y_test).float().mean()


def _train_accuracy(patient, loss, gradients):
    return (patient.model(patient.X_train).argmax(dim=1) == patient.y_train).float().mean()


def _train_loss(patient, loss, gradients):
    return F.cross_entropy(patient.model(patient.X_train), patient.y_train)


def _units(patient):
    return patient.model[:-1](patient.X_test)


def _dead(patient, loss, gradients):
    return (_units(patient) == 0).all(dim=0).float().mean()


def _norm(patient, loss, gradients):
    return torch.stack([g.norm() for g in gradients.values()]).norm()


def _leaked(patient):
    known = {row.tobytes() for row in patient.X_train.numpy()}
    return sum(row.tobytes() in known for row in patient.X_test.numpy())


def examines(message, **changes):
    """Add a wrong examination."""

    def changed(patient, folder):
        examine(patient, folder, **changes)

    wrong.add("examine", SIGNS, changed, message=message)


lesson_06.add_signs(wrong, examine)
RATE = "`loss/train`, the sign of learning rate too high, "
OVER = "`loss/test`, the sign of overfitting, "
DEAD = "`dead`, the sign of dead units, "
NORM = "`norm`, the sign of exploding gradients, "
LEAK = "`leaked`, the sign of leak, "
examines(RATE + "is the loss on the test images: begin with the training loss.",
         **{"loss/train": _test_loss})  # fmt: skip
examines(RATE + "is an accuracy, which hides how far the loss jumps.",
         **{"loss/train": _train_accuracy})  # fmt: skip
examines(RATE + "is the accuracy on the test images: log a training loss.",
         **{"loss/train": _accuracy})  # fmt: skip
examines(RATE + "is the norm of the gradients, which other illnesses enlarge too.",
         **{"loss/train": _norm})  # fmt: skip
examines(RATE + "is not a loss of this patient: log the loss of the batch, or of all training "
         "images.", **{"loss/train": lambda *_: 0.02})  # fmt: skip
examines(OVER + "is the loss of the batch, which says nothing of other images.",
         **{"loss/test": _loss})  # fmt: skip
examines(OVER + "is the loss on the training images, which says nothing of others.",
         **{"loss/test": _train_loss})  # fmt: skip
examines(OVER + "is an accuracy: it stays where it is while the network grows too sure of its "
         "mistakes. Log the loss.", **{"loss/test": _accuracy})  # fmt: skip
examines(OVER + "is a sum over the test images: log their mean.",
         **{"loss/test": lambda *a: 360 * _test_loss(*a)})  # fmt: skip
examines(OVER + "is not the loss on the test images: mean cross-entropy, on all of them.",
         **{"loss/test": lambda p, *_: F.cross_entropy(p.model(p.X_test[:50]), p.y_test[:50])})  # fmt: skip
examines(DEAD + "is the share of zeros: a healthy unit of ReLU is 0 for about half of the images, a "
         "dead one for every image.",
         dead=lambda p, *_: (_units(p) == 0).float().mean())  # fmt: skip
examines(DEAD + "is the share of the units that are alive: log that of the dead ones.",
         dead=lambda *a: 1 - _dead(*a))  # fmt: skip
examines(DEAD + "is the number of the units that are alive: log that of the dead ones.",
         dead=lambda *a: 32 * (1 - _dead(*a)))  # fmt: skip
examines(DEAD + "is not the share of ReLU's units that are 0 for every image, nor their number.",
         dead=lambda p, *_: (_units(p) == 0).any(dim=0).float().mean())  # fmt: skip
examines(NORM + "is the square of the norm: take its root.", norm=lambda *a: _norm(*a) ** 2)
examines(NORM + "is the sum of the norms of all: for the norm of all together add their squares.",
         norm=lambda p, loss, gradients: sum(g.norm() for g in gradients.values()))  # fmt: skip
examines(NORM + "is the gradient of the last layer alone, where nothing has grown yet.",
         norm=lambda p, loss, gradients: list(gradients.values())[-2].norm())  # fmt: skip
examines(NORM + "is the gradient of the last biases alone, where nothing has grown yet.",
         norm=lambda p, loss, gradients: list(gradients.values())[-1].norm())  # fmt: skip
examines(NORM + "is not the norm of the gradients: the root of the sum of the squares of all of "
         "them.",
         norm=lambda p, loss, gradients: max(g.max() for g in gradients.values()))  # fmt: skip
examines(LEAK + "is 0 for a patient with a leak: look for each test image among all training "
         "images, not only at the same place.",
         leaked=lambda p: (p.X_train[:360] == p.X_test).all(dim=1).sum())  # fmt: skip
examines(LEAK + "counts the images that are *not* among the training images.",
         leaked=lambda p: 360 - _leaked(p))  # fmt: skip
examines(LEAK + "compares pixels, not images.",
         leaked=lambda p: torch.isin(p.X_test, p.X_train).sum())  # fmt: skip
examines(LEAK + "counts every test image. Compare images, not labels or pixels.",
         leaked=lambda p: torch.isin(p.y_test, p.y_train).sum())  # fmt: skip
examines(LEAK + "is not the number of test images that are among the training images, nor their "
         "share.", leaked=lambda p: 7)  # fmt: skip
examines(
    "`loss/train` has 8 points, from step 0 to 175: follow the training from step 0 to its end at "
    "step 199, at 16 steps or more.",
    every=25,
)
examines(
    "`loss/train` has 21 points, from step 0 to 100: follow the training from step 0 to its end at "
    "step 199, at 16 steps or more.",
    last=100,
)
examines("`loss/train` has more than one point at step 0.", twice=True)
NONE = "The event files hold no scalar `dead`, the sign of dead units; they hold `leaked`, "
examines(NONE + "`loss/test`, `loss/train`, `norm`." + UNFLUSHED, dead=None)


def never_trains(patient, folder):
    with SummaryWriter(folder) as writer:
        writer.add_scalar("leaked", _leaked(patient), 0)


wrong.add("examine", SIGNS, never_trains,
          message="Your function never trains: loop over `patient.train()`.")  # fmt: skip

lesson_06.add_diagnoses(wrong, "pytorch")
