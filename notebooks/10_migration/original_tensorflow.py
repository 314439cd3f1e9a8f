"""The project as it is in TensorFlow: a small network reads digits, row by row.

It is what the PyTorch half ports. Run, it trains, and leaves its record for the port.
"""

import math
import pathlib
import tempfile

from paired import data, parity
from paired.imports import quiet_import

import numpy as np

with quiet_import():
    import keras
    import tensorflow as tf
    from keras import layers, ops

    from probe_tensorflow import Probe

EPOCHS, BATCH, PATIENCE, MARGIN = 12, 64, 2, 0.02
RATE, DECAY, CLIP, DROPOUT = 1 / 32, 1 / 256, 1.0, 0.25


# The project


def draws(seed, epoch, n, units=16):
    """What is random in an epoch: the order, shifts, brightness and what dropout keeps."""
    rng = np.random.default_rng([seed, epoch])
    order, shifts = rng.permutation(n), rng.integers(-1, 2, (n, 2))
    light, kept = rng.uniform(0.75, 1.25, n), rng.random((n, units))
    return order, shifts, light, kept >= DROPOUT


def augment(image, shift, light):
    """Move an image by up to a pixel, and make it darker or brighter."""
    return tf.clip_by_value(tf.roll(image, shift, (0, 1)) * light, 0, 1)


def pipeline(x, y, seed):
    """The batches of all epochs, one after the other."""
    columns = zip(*(draws(seed, epoch, len(x)) for epoch in range(EPOCHS)), strict=True)
    order, shifts, light, kept = map(np.concatenate, columns)
    dataset = tf.data.Dataset.from_tensor_slices((x[order], y[order], shifts, light, kept))
    dataset = dataset.map(lambda x, y, s, light, kept: ((augment(x, s, light), kept), y))
    return dataset.batch(BATCH, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


class Gate(layers.Layer):
    """Lets through what it finds worth it."""

    def build(self, shape):
        self.gate = layers.Dense(shape[-1], activation="sigmoid", name="gate")
        self.gate.build(shape)

    def call(self, h):
        return h * self.gate(h)


class MaskedDropout(layers.Layer):
    """Dropout that is told what to keep."""

    def call(self, h, kept, training=False):
        return h * kept / (1 - DROPOUT) if training else h


class FocalLoss(keras.losses.Loss):
    """Cross-entropy with smoothed labels that weighs what is hard more."""

    def call(self, y, logits):
        log_p = ops.log_softmax(logits)
        target = ops.one_hot(y, 10, dtype=logits.dtype) * (1 - 5 / 64) + 1 / 128
        return -ops.sum(target * (1 - ops.exp(log_p)) ** 2 * log_p, axis=-1)


class BalancedAccuracy(keras.metrics.Metric):
    """The share of each digit that is recognised, averaged over the digits."""

    def __init__(self, name="balanced"):
        super().__init__(name=name)
        self.hits = self.add_weight(shape=(2, 10), initializer="zeros", name="hits")

    def update_state(self, y, logits, sample_weight=None):
        true = ops.one_hot(y, 10, dtype="float64")
        right = ops.cast(ops.cast(ops.argmax(logits, -1), y.dtype) == y, true.dtype)
        hits = ops.sum(true * right[:, None], 0), ops.sum(true, 0)
        self.hits.assign_add(ops.stack(hits))

    def result(self):
        return ops.mean(self.hits[0] / self.hits[1])


def build():
    """Images and what dropout keeps, to logits."""
    image, kept = keras.Input((8, 8)), keras.Input((16,))
    h = layers.Reshape((8, 8, 1))(image)
    h = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv")(h)
    h = layers.BatchNormalization(momentum=7 / 8, name="norm")(h)
    h = layers.LeakyReLU(negative_slope=1 / 8)(h)
    h = Gate(name="gate")(layers.Reshape((4, 32))(h))
    h = layers.LayerNormalization(name="scale")(layers.GRU(16, unroll=True, name="gru")(h))
    h = MaskedDropout()(h, kept)
    return keras.Model([image, kept], layers.Dense(10, name="out")(h))


def rate(step, per_epoch=18):
    """An epoch of warm-up, then half a cosine down to a quarter."""
    if step < per_epoch:
        return RATE * (step + 1) / per_epoch
    done = (step - per_epoch) / ((EPOCHS - 1) * per_epoch)
    return RATE * (5 + 3 * math.cos(math.pi * done)) / 8


class Schedule(keras.callbacks.Callback):
    """Sets the rate before each batch."""

    def on_train_batch_begin(self, batch, logs=None):
        optimizer = self.model.optimizer
        optimizer.learning_rate = rate(int(optimizer.iterations))


def start(model, seed):
    """The initial weights, biases too; scales and statistics stay as they are."""
    rng, found = np.random.default_rng(seed), []
    for variable in model.weights:
        bound = max(4, math.prod(variable.shape[:-1])) ** -0.5
        drawn = rng.uniform(-bound, bound, variable.shape)
        fixed = variable.name.startswith(("gamma", "moving"))
        found.append(variable.numpy() if fixed else drawn)
    return found


def split():
    """1,152 digits to train on, 285 to validate."""
    digits = data.digits("float64")
    x, y = digits.x_train, digits.y_train
    return x[:1152], y[:1152], x[1152:], y[1152:]


def train(seed, callbacks=()):
    """Train as long as the validation loss falls; the model with the best."""
    x, y, x_val, y_val = split()
    model = build()
    model.set_weights(start(model, seed))
    betas = {"beta_1": 7 / 8, "beta_2": 1023 / 1024}
    adam = keras.optimizers.AdamW(RATE, DECAY, **betas, global_clipnorm=CLIP)
    model.compile(adam, FocalLoss(), metrics=[BalancedAccuracy()])
    with tempfile.TemporaryDirectory() as folder:
        best = pathlib.Path(folder) / "best.weights.h5"
        keep = {"save_best_only": True, "save_weights_only": True, "monitor": "val_loss"}
        model.fit(
            pipeline(x, y, seed),
            validation_data=((x_val, np.ones((len(x_val), 16))), y_val),
            validation_batch_size=BATCH,
            epochs=EPOCHS,
            steps_per_epoch=18,
            shuffle=False,
            verbose=0,
            callbacks=[
                Schedule(),
                *callbacks,
                keras.callbacks.ModelCheckpoint(best, **keep),
                keras.callbacks.EarlyStopping("val_loss", min_delta=MARGIN, patience=PATIENCE),
            ],
        )
        model.load_weights(best)
    return model


# The record for the port


def recorded(record, seed=5):
    """Train and record, the initial weights as they are too; the best model."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    x, y, x_val, _ = split()
    model = build()
    for variable, value in zip(model.weights, start(model, seed), strict=True):
        record(f"w/start/{variable.path.replace('/', '.')}", value, step=0)
    probe = Probe(record, "to-pytorch", pipeline(x, y, seed), x_val)
    model = train(seed, [probe])
    probe.evaluate("best")
    return model


if __name__ == "__main__":
    record = parity.Recorder("10_original", "tensorflow")
    recorded(record)
    record.save()
