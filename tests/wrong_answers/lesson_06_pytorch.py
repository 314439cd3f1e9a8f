"""Wrong answers to the PyTorch half of lesson 06's exercise."""
# ruff: noqa: N806 - the exercise names matrices X

import functools

from paired import events

import torch
import torch.nn.functional as F
from torch import nn

from wrong_answers import WrongAnswers, lesson_06

events.keep_tensorflow_out()  # before PyTorch's writer is imported
from torch.utils.tensorboard import SummaryWriter  # noqa: E402

wrong = WrongAnswers()

lesson_06.add_predictions(wrong, "`add_scalar` without `global_step` logs at step 0, each time.")


def trains(message, **changes):
    """Add a wrong way of logging gradients."""

    def train(model, batches, folder):
        _train(model, batches, folder, **changes)

    wrong.add("missing_view", train, message=message)


def _train(model, batches, folder, *, when="before", every=5, first=0, tag="gradient/{}", lr=0.1,
           only="", value=lambda p: p.grad, delay=0, at=lambda step: step):  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)

    def view(now):
        if when == now and step % every == first:
            for name, parameter in model.named_parameters():
                if only in name:
                    writer.add_histogram(tag.format(name), value(parameter), at(step))

    with SummaryWriter(folder) as writer:
        for step, (X, y) in enumerate(batches):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(X), y)
            loss.backward()
            view("before")
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            view("clipped")
            optimizer.step()
            view("after")
            writer.add_scalar("loss", loss.item(), step + delay)


FIRST = "The histogram `gradient/hidden.weight` of step 0 "
CLIP = (
    "is that of the clipped gradient. `clip_grad_norm_` changes the gradients in place: log before "
    "it."
)
trains(FIRST + CLIP, when="clipped")
trains(FIRST + CLIP, when="after")
trains(FIRST + "is that of the parameter itself, not of its gradient.", value=lambda p: p)
trains(
    FIRST + "is that of the parameter itself, not of its gradient.",
    value=lambda p: p,
    when="after",
)
trains(FIRST + "holds the gradient's magnitudes: its sign is lost.", value=lambda p: p.grad.abs())
trains(
    FIRST + "holds zeros: the gradient has been cleared before it is logged.",
    value=lambda p: torch.zeros_like(p),
)
trains(
    FIRST + "is that of the update: without the learning rate and its sign it is the gradient.",
    value=lambda p: -0.1 * p.grad,
    when="clipped",
)
trains(FIRST + "counts 1 numbers; the parameter has 35.", value=lambda p: p.grad.norm())
trains("There is no histogram in the event files.", every=100, first=50)
STEPS = "`gradient/hidden.weight` has histograms at the steps "
WANTED = "; of 13 steps, every fifth from 0 is to have one: 0, 5, 10."
trains(STEPS + "0, 1, 2, 3, 4, 5, ..." + WANTED, every=1)
trains(STEPS + "4, 9" + WANTED, first=4)
trains(STEPS + "0, 0, 0" + WANTED, at=lambda step: None)
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
trains("The network is trained otherwise than before: leave the training as it is.", lr=0.2)


trains("The scalar `loss` is no longer what it was: leave it as it is.", delay=1)


@wrong.brings(
    "missing_view",
    "The network is trained otherwise than before: leave the training as it is.",
)
def does_not_train(model, batches, folder):
    pass


def _log_runs(folder, runs, images, *, path=lambda folder, name: folder / name, tag="loss",
              step=lambda step: step, part=None, pictures=lambda images: images[:, None] / 16,
              at=0, image_run="images", image_tag="digits", loss=float, times=1):  # fmt: skip
    for name, losses in runs.items():
        writer = SummaryWriter(path(folder, name))
        for number, value in enumerate(losses[:part]):
            writer.add_scalar(tag, loss(value), step(number))
        writer.close()
    with SummaryWriter(folder / image_run) as writer:
        for _ in range(times):
            writer.add_images(image_tag, pictures(images), at)


logs = functools.partial(lesson_06.add_log, wrong, _log_runs)
lesson_06.add_logs(wrong, _log_runs, lambda images: images[:, None])
logs(
    "All 33 losses of the run `slow` are at step 0. `add_scalar` without `global_step` logs at "
    "step 0, each time.",
    step=lambda step: None,
)
logs(
    "`digits` holds 1 of 8 x 40 pixels; it must hold 1 of 8 x 48: `add_images` puts the digits "
    "side by side, in one picture.",
    pictures=lambda images: images[:5, None] / 16,
)
logs(
    "Your code raises `AssertionError: Input should be a 4D numpy array with 3 channels`.",
    pictures=lambda images: images[..., None] / 16,
)


OPEN = (
    "All that you log has arrived, this time; but a writer is still open, and may hold back its "
    "last events. Call its `close()`, or use it in a `with`."
)


@wrong.brings("bug_hunt", OPEN)
def leaves_a_writer_open(folder, runs, images):
    _log_runs(folder, runs, images)
    SummaryWriter(folder)


@wrong.brings("missing_view", OPEN)
def leaves_the_writer_open(model, batches, folder):
    _train(model, batches, folder)
    SummaryWriter(folder)


lesson_06.add_moves(wrong, "pytorch")
lesson_06.add_examinations(wrong, "pytorch", share=2)
lesson_06.add_diagnoses(wrong, "pytorch")
