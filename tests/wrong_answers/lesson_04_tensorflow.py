"""Wrong answers to the exercise of lesson 04 in TensorFlow."""
# ruff: noqa: N803 - the exercise names a matrix X

import keras
import numpy as np
import tensorflow as tf

from wrong_answers import WrongAnswers, lesson_04

wrong = WrongAnswers()
lesson_04.add_predictions(wrong, channels_first=False)


def _load(model, conv, conv_bias, dense, dense_bias):
    model.get_layer("conv").set_weights([conv, conv_bias])
    model.get_layer("dense").set_weights([dense, dense_bias])
    return model


@wrong.brings(
    "transport", "`conv.kernel` has height and width swapped: `.T` reverses all four axes."
)
def transposes_the_convolution_like_a_matrix(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    return _load(model, conv.T, conv_bias, dense.T, dense_bias)


@wrong.brings(
    "transport",
    "`dense.kernel` was reshaped, which only cuts the same row of numbers anew: transpose the "
    "array.",
)
def reshapes_the_dense_weight(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    return _load(model, conv.transpose(2, 3, 1, 0), conv_bias, dense.reshape(5, 10), dense_bias)


@wrong.brings(
    "transport",
    "`conv.kernel` was reshaped, which only cuts the same row of numbers anew: transpose the "
    "array.",
)
def reshapes_the_convolution(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    return _load(model, conv.reshape(3, 3, 2, 5), conv_bias, dense.T, dense_bias)


@wrong.brings(
    "transport",
    "Your code raises `ValueError: Layer dense weight shape (5, 10) is not compatible with "
    "provided weight shape (10, 5).`.",
)
def puts_the_dense_weight_in_as_it_is(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    return _load(model, conv.transpose(2, 3, 1, 0), conv_bias, dense, dense_bias)


@wrong.brings(
    "transport", "`conv.bias` still has its initial values: there are four arrays to load."
)
def forgets_the_biases(model, weights):
    conv, _, dense, _ = weights.values()
    model.get_layer("conv").kernel.assign(conv.transpose(2, 3, 1, 0))
    model.get_layer("dense").kernel.assign(dense.T)
    return model


@wrong.brings(
    "transport", "`conv.kernel` still has its initial values: there are four arrays to load."
)
def loads_a_copy(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    copy = keras.models.clone_model(model)
    return _load(copy, conv.transpose(2, 3, 1, 0), conv_bias, dense.T, dense_bias)


@wrong.brings(
    "transport", "The function must return the model that it is given; it returns `NoneType`."
)
def returns_nothing(model, weights):
    conv, conv_bias, dense, dense_bias = weights.values()
    _load(model, conv.transpose(2, 3, 1, 0), conv_bias, dense.T, dense_bias)


@wrong.brings(
    "flatten_order",
    "Your array is transposed, but its inputs are still in the other framework's order: a dense "
    "layer after Flatten sees the pixels in the order of the layout.",
)
def only_transposes(weight, channels, height, width):
    return weight.T


@wrong.brings(
    "flatten_order",
    "Your array is reordered in the wrong direction: which framework's order does the argument "
    "have?",
)
def reorders_backwards(weight, channels, height, width):
    return weight.reshape(-1, height, width, channels).transpose(3, 1, 2, 0).reshape(-1, 7)


@wrong.brings("flatten_order", "Your array has height and width swapped.")
def swaps_height_and_width(weight, channels, height, width):
    return weight.reshape(-1, channels, height, width).transpose(3, 2, 1, 0).reshape(-1, 7)


@wrong.brings(
    "flatten_order",
    "Your array has shape (7, 60), it must have (60, 7): `Dense` keeps (inputs, outputs).",
)
def forgets_to_transpose(weight, channels, height, width):
    return weight.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(7, -1)


@wrong.brings("flatten_order", "Your array has the right shape and dtype, but wrong values.")
def only_reshapes(weight, channels, height, width):
    return weight.reshape(height * width * channels, -1)


@wrong.brings("flatten_order", "Your array has dtype float32, it must have float64.")
def passes_through_float32(weight, channels, height, width):
    weight = tf.constant(weight, tf.float32)
    weight = tf.reshape(weight, (-1, channels, height, width))
    return tf.reshape(tf.transpose(weight, (2, 3, 1, 0)), (height * width * channels, -1))


def _train(model, X, y, batches, lr, loss_fn, **options):
    optimizer = keras.optimizers.SGD(lr, **options)
    losses = []
    for batch in batches:
        with tf.GradientTape() as tape:
            loss = loss_fn(y[batch], model(X[batch], training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        losses.append(float(tf.reduce_mean(loss)))
    return losses


def _each(y, logits):
    return keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)


@wrong.brings(
    "bug_hunt",
    "With a batch of 16 the first step is 16 times too long: the gradient is that of the sum of "
    "the losses, not of their mean.",
)
def finds_only_from_logits(model, X, y, batches, lr):
    return _train(model, X, y, batches, lr, _each)


LOGITS = (
    "The first step changes the sum of the output layer's biases. No loss from logits does, since "
    "it only sees their differences. Keras's losses take probabilities unless they are told "
    "`from_logits=True`."
)


@wrong.brings("bug_hunt", LOGITS)
def finds_only_the_mean(model, X, y, batches, lr):
    def loss_fn(y, y_hat):
        return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, y_hat))

    return _train(model, X, y, batches, lr, loss_fn)


@wrong.brings("bug_hunt", LOGITS)
def finds_neither_but_edits(model, X, y, batches, lr):
    loss_fn = keras.losses.sparse_categorical_crossentropy
    return _train(model, X, y, batches, lr, loss_fn)


@wrong.brings(
    "bug_hunt",
    "The loss takes softmax of a softmax. Keras's losses take probabilities unless they are told "
    "`from_logits=True`.",
)
def mends_the_loss_twice(model, X, y, batches, lr):
    def loss_fn(y, logits):
        return tf.reduce_mean(_each(y, tf.nn.softmax(logits)))

    return _train(model, X, y, batches, lr, loss_fn)


@wrong.brings("bug_hunt", "The list of losses has shape (), it must have (4,).")
def returns_the_last_loss(model, X, y, batches, lr):
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return _train(model, X, y, batches, lr, loss_fn)[-1]


@wrong.brings(
    "bug_hunt", "The first step moves nothing: are there gradients when the step is taken?"
)
def forgets_to_apply_the_gradients(model, X, y, batches, lr):
    return [float(tf.reduce_mean(_each(y[batch], model(X[batch])))) for batch in batches]


@wrong.brings("bug_hunt", "The first step is right, a later one is not: what is left over from it?")
def adds_momentum(model, X, y, batches, lr):
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return _train(model, X, y, batches, lr, loss_fn, momentum=0.5)


@wrong.brings(
    "bug_hunt", "The first step is not one of gradient descent on the mean cross-entropy."
)
def halves_the_learning_rate(model, X, y, batches, lr):
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return _train(model, X, y, batches, lr / 2, loss_fn)


def _sgd(model, X, y, lrs, **options):
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(lrs[0], **options)
    for lr in lrs:
        optimizer.learning_rate = lr
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(X, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return model


@wrong.brings(
    "translation",
    "This is the rule of the framework that you write in: both agree until the learning rate "
    "changes. In `keras.optimizers.SGD` old gradients keep the learning rate they came with.",
)
def uses_sgd_as_it_is(model, X, y, lrs, momentum):
    return _sgd(model, X, y, lrs, momentum=momentum)


@wrong.brings(
    "translation",
    "This is the rule of the framework that you write in: both agree until the learning rate "
    "changes. In `keras.optimizers.SGD` old gradients keep the learning rate they came with.",
)
def uses_fit(model, X, y, lrs, momentum):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(lrs[0], momentum=momentum), loss)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: lrs[epoch])
    model.fit(X, y, batch_size=len(X), epochs=len(lrs), callbacks=[schedule], verbose=0)
    return model


@wrong.brings(
    "translation", "No step carries velocity over from the last: is it made anew in the loop?"
)
def makes_a_new_optimizer_for_each_learning_rate(model, X, y, lrs, momentum):
    for lr in lrs:
        _sgd(model, X, y, [lr], momentum=momentum)
    return model


@wrong.brings(
    "translation", "Every step uses the first learning rate: `lrs` has one for each step."
)
def forgets_the_schedule(model, X, y, lrs, momentum):
    return _sgd(model, X, y, lrs[:1] * len(lrs), momentum=momentum)


def _by_hand(model, X, y, lrs, momentum, nesterov=False, sign=-1):
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    velocities = [np.zeros(w.shape) for w in model.trainable_variables]
    for lr in lrs:
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(X, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        for i, (w, gradient) in enumerate(zip(model.trainable_variables, gradients, strict=True)):
            velocities[i] = momentum * velocities[i] + gradient
            step = momentum * velocities[i] + gradient if nesterov else velocities[i]
            w.assign_add(sign * lr * step)
    return model


@wrong.brings("translation", "This is Nesterov's momentum; here the step is the velocity itself.")
def uses_nesterov(model, X, y, lrs, momentum):
    return _by_hand(model, X, y, lrs, momentum, nesterov=True)


@wrong.brings(
    "translation",
    "The weights differ at a constant rate already: do the first three steps on paper.",
)
def climbs(model, X, y, lrs, momentum):
    return _by_hand(model, X, y, lrs, momentum, sign=1)


@wrong.brings(
    "translation",
    "The weights differ once the learning rate changes: do the first three steps on paper.",
)
def changes_the_learning_rate_a_step_late(model, X, y, lrs, momentum):
    return _by_hand(model, X, y, [lrs[0], *lrs[:-1]], momentum)
