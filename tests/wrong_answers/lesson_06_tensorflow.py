"""Wrong answers to the TensorFlow half of lesson 06's exercise."""
# ruff: noqa: N806 - the exercise names matrices X

import functools

import keras
import tensorflow as tf

from wrong_answers import WrongAnswers, lesson_06

wrong = WrongAnswers()

lesson_06.add_predictions(
    wrong, "A step that is given to `as_default` stands for every call in it."
)


def trains(message, **changes):
    """Add a wrong way of logging gradients."""

    def train(model, batches, folder):
        _train(model, batches, folder, **changes)

    wrong.add("missing_view", train, message=message)


def _train(model, batches, folder, *, every=5, first=0, tag="gradient/{}", lr=0.1, only="",
           value=lambda variable, gradient, clipped: gradient, after=False, delay=0,
           at=lambda step: step):  # fmt: skip
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(lr)
    variables = model.trainable_variables
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for step, (X, y) in enumerate(batches):
            with tf.GradientTape() as tape:
                loss = loss_of(y, model(X))
            gradients = tape.gradient(loss, variables)
            clipped, _ = tf.clip_by_global_norm(gradients, 0.5)
            if after:
                optimizer.apply_gradients(zip(clipped, variables, strict=True))
            if step % every == first:
                for three in zip(variables, gradients, clipped, strict=True):
                    if only in three[0].path:
                        name = tag.format(three[0].path)
                        tf.summary.histogram(name, value(*three), at(step))
            if not after:
                optimizer.apply_gradients(zip(clipped, variables, strict=True))
            tf.summary.scalar("loss", loss, step + delay)
    writer.close()


KERNEL = "`gradient/net/hidden/kernel`"
FIRST = f"The histogram {KERNEL} of step 0 "
trains(
    FIRST + "is that of the clipped gradient. `tf.clip_by_global_norm` returns others: log those "
    "that the tape gave.",
    value=lambda variable, gradient, clipped: clipped,
)
trains(
    FIRST + "is that of the parameter itself, not of its gradient.",
    value=lambda variable, gradient, clipped: variable,
)
trains(
    FIRST + "is that of the parameter itself, not of its gradient.",
    value=lambda variable, gradient, clipped: variable,
    after=True,
)
trains(
    FIRST + "holds the gradient's magnitudes: its sign is lost.",
    value=lambda variable, gradient, clipped: tf.abs(gradient),
)
trains(
    FIRST + "holds zeros: the gradient has been cleared before it is logged.",
    value=lambda variable, gradient, clipped: tf.zeros_like(gradient),
)
trains(
    FIRST + "is that of the update: without the learning rate and its sign it is the gradient.",
    value=lambda variable, gradient, clipped: -0.1 * clipped,
)
trains(
    FIRST + "counts 1 numbers; the parameter has 35.",
    value=lambda variable, gradient, clipped: tf.norm(gradient),
)
trains("There is no histogram in the event files.", every=100, first=50)
STEPS = f"{KERNEL} has histograms at the steps "
WANTED = "; of 13 steps, every fifth from 0 is to have one: 0, 5, 10."
trains(STEPS + "0, 1, 2, 3, 4, 5, ..." + WANTED, every=1)
trains(STEPS + "4, 9" + WANTED, first=4)
trains(STEPS + "0, 0, 0" + WANTED, at=lambda step: 0)
trains(
    "There is no histogram `gradient/net/hidden/bias`; those there are "
    "`gradient/net/hidden/kernel`, `gradient/net/output/kernel`.",
    only="kernel",
)
trains(
    "There is no histogram `gradient/net/hidden/bias`; those there are `net/hidden/bias`, "
    "`net/hidden/kernel`, `net/output/bias`, `net/output/kernel`.",
    tag="{}",
)
trains("The network is trained otherwise than before: leave the training as it is.", lr=0.2)
trains("The scalar `loss` is no longer what it was: leave it as it is.", delay=1)


@wrong.brings(
    "missing_view", "The network is trained otherwise than before: leave the training as it is."
)
def does_not_train(model, batches, folder):
    pass


def _log_runs(folder, runs, images, *, path=lambda folder, name: folder / name, tag="loss",
              step=lambda step: step, part=None, pictures=lambda images: images[..., None] / 16,
              at=0, image_run="images", image_tag="digits", loss=float, times=1,
              outputs=100):  # fmt: skip
    for name, losses in runs.items():
        writer = tf.summary.create_file_writer(str(path(folder, name)))
        with writer.as_default():
            for number, value in enumerate(losses[:part]):
                tf.summary.scalar(tag, loss(value), step(number))
        writer.close()
    writer = tf.summary.create_file_writer(str(folder / image_run))
    with writer.as_default(step=at):
        for _ in range(times):
            tf.summary.image(image_tag, pictures(images), max_outputs=outputs)
    writer.close()


logs = functools.partial(lesson_06.add_log, wrong, _log_runs)
lesson_06.add_logs(wrong, _log_runs, lambda images: images[..., None])
logs(
    "All 33 losses of the run `slow` are at step 0. A step that is given to `as_default` stands "
    "for every call in it.",
    step=lambda step: 0,
)
logs(
    "`digits` holds 3 of 8 x 8 pixels; it must hold 6 of 8 x 8: `tf.summary.image` keeps "
    "`max_outputs` digits of a batch, each a picture.",
    outputs=3,
)
logs(
    "Your code raises `ValueError: Tensor must have rank 4. Received rank 3, shape (6, 8, 8)`.",
    pictures=lambda images: images / 16,
)

lesson_06.add_moves(wrong, "tensorflow")
lesson_06.add_examinations(wrong, "tensorflow", share=4)
lesson_06.add_diagnoses(wrong, "tensorflow")
