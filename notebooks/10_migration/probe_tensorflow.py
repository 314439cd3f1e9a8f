"""Records a training with Keras's `fit`: the original's, or a port's."""

from paired import parity

import keras
import numpy as np
import tensorflow as tf

STEPS = (1, 2, 10, 19, 100)
NAMES = ("conv.weight", "norm.weight", "norm.bias", "gate.weight", "gate.bias", "input", "state")
NAMES += ("bias", "scale.weight", "scale.bias", "out.weight", "out.bias")
LAYOUTS = {"conv.weight": "hwio", "gate.weight": "io", "out.weight": "io"}


def named(tensors):
    """Weights or gradients by name: the GRU's by source and gate."""
    found = dict(zip(NAMES, map(parity.to_numpy, tensors), strict=True))
    for source, bias in zip(("input", "state"), found.pop("bias"), strict=True):
        parts = np.split(found.pop(source), 3, 1), np.split(bias, 3)
        for gate, w, b in zip("zrn", *parts, strict=True):
            found |= {f"gru.{source}.{gate}.weight": w.T, f"gru.{source}.{gate}.bias": b}
    return found


class Probe(keras.callbacks.Callback):
    """Records, without a change of the project."""

    def __init__(self, record, run, batches, x_val):
        super().__init__()
        self.record, self.run, self.batches, self.step = record, run, batches, 0
        self.inputs = [x_val, np.ones((len(x_val), 16))]

    def tensors(self, kind, tensors):
        """Record one tensor for each trainable variable, in its layout."""
        for name, value in named(tensors).items():
            key = f"{kind}/{self.run}/{name}"
            self.record(key, value, layout=LAYOUTS.get(name), step=self.step)

    def evaluate(self, name="logits"):
        """Record the logits of the validation digits."""
        logits = self.model(self.inputs, training=False)
        self.record(f"eval/{self.run}/{name}", logits, step=self.step)

    def on_train_begin(self, logs=None):
        """Record the model as it starts, and the first step's logits, loss and gradients."""
        # Else the first step makes the optimiser's variables, and its graph is built twice.
        self.model.optimizer.build(self.model.trainable_variables)
        self.tensors("w", self.model.trainable_variables)
        self.evaluate()
        first, *_, second = self.batches.take(19)
        self.record(f"batch/{self.run}/images", first[0][0], step=1)
        self.record(f"batch/{self.run}/images", second[0][0], step=19)
        before, self.step = self.model.get_weights(), 1
        with tf.GradientTape() as tape:
            logits = self.model(first[0], training=True)
            loss = self.model.loss(first[1], logits)
        self.record(f"logits/{self.run}/training", logits, step=1)
        self.record(f"loss/{self.run}/training", loss, step=1)
        self.tensors("grad", tape.gradient(loss, self.model.trainable_variables))
        self.model.set_weights(before)
        self.step = 0

    def on_train_batch_end(self, batch, logs=None):
        """Record what a step has made."""
        self.step += 1
        if self.step in STEPS:
            self.tensors("w", self.model.trainable_variables)
            norm = self.model.get_layer("norm")
            self.record(f"stat/{self.run}/mean", norm.moving_mean, step=self.step)
            self.record(f"stat/{self.run}/variance", norm.moving_variance, step=self.step)
            self.evaluate()

    def on_epoch_end(self, epoch, logs=None):
        """Record what the project reports."""
        self.record(f"loss/{self.run}/validation", logs["val_loss"], step=self.step)
        self.record(f"eval/{self.run}/balanced", logs["val_balanced"], step=self.step)
