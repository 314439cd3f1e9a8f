"""What `make measure LESSON=08` races in TensorFlow.

A name on standard input is one turn of one contestant; the answer is a line of JSON: its seconds of
CPU and of the clock on the wall, and how many samples it trained on. The first turn of a name is
its first call: it builds, and what compiles compiles.
"""

import json
import pathlib
import sys
import time

from paired import data

import keras
import numpy as np
import tensorflow as tf
from keras import layers

SHAPES = {"mlp": (64,), "wide": (64,), "cnn": (8, 8, 1), "cnn28": (28, 28, 1)}
SHAPES |= {"lstm": (8, 8), "gru": (8, 8), "attention": (8, 8)}
SAMPLES = 640  # of a turn, at least one batch


def convolutional() -> list:
    """Two convolutions."""
    first = (layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPool2D(2))
    second = (layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPool2D(2))
    return [*first, *second, layers.Flatten(), layers.Dense(10)]


NETS = {
    "mlp": lambda: [layers.Dense(128, "relu"), layers.Dense(10)],
    "wide": lambda: [layers.Dense(1024, "relu"), layers.Dense(1024, "relu"), layers.Dense(10)],
    "cnn": convolutional,
    "cnn28": convolutional,
    "lstm": lambda: [layers.LSTM(64), layers.Dense(10)],
    "gru": lambda: [layers.GRU(64), layers.Dense(10)],
}


def build(name: str) -> keras.Model:
    """A network; attention, where the 8 rows look at each other, is no sequence of layers."""
    if name != "attention":
        return keras.Sequential([keras.Input(SHAPES[name]), *NETS[name]()])
    x = keras.Input(SHAPES[name])
    h = layers.Dense(32)(x)
    h = h + layers.MultiHeadAttention(4, 8)(h, h)
    return keras.Model(x, layers.Dense(10)(keras.ops.mean(h, axis=1)))


def trainer(name: str, mode: str, precision: str = "float32"):
    """A network, and a function that trains it on one batch."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    net = build(name)
    optimizer = keras.optimizers.Adam(1e-3)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer, loss_of)

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, net(x, training=True))
        optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)

    if mode in ("function", "jit"):
        optimizer.build(net.trainable_variables)
        step = tf.function(step, jit_compile=mode == "jit")
    return net, step


def race(name: str, mode: str, batch: int = 64, precision: str = "float32"):
    """A turn: `SAMPLES` samples in batches, of random numbers."""
    net, step = trainer(name, mode, precision)
    steps = max(SAMPLES // batch, 2)
    if mode == "fit":
        n = 5 * SAMPLES
        x, y = (np.random.rand(n, *SHAPES[name]).astype("float32"), np.zeros(n, "int32"))
    else:
        x, y = (tf.random.uniform((batch, *SHAPES[name])), tf.zeros(batch, tf.int32))

    def turn() -> int:
        if mode == "fit":
            net.fit(x, y, batch, verbose=0)
            return n
        for _ in range(steps):
            step(x, y)
        return steps * batch

    return turn


def accuracy(batch: int):
    """A turn: the MLP from the beginning to 95 % of the test digits, its data in memory."""
    digits = data.digits()
    x, x_test = (digits.x_train.reshape(-1, 64), tf.constant(digits.x_test.reshape(-1, 64)))
    net, step = trainer("mlp", "function")
    start, call = net.get_weights(), tf.function(net)
    every = max(128 // batch, 1)  # steps between two looks at the accuracy

    def turn() -> int:
        net.set_weights(start)
        for variable in net.optimizer.variables[2:]:  # not the iterations and the learning rate
            variable.assign(tf.zeros_like(variable))
        net.optimizer.iterations.assign(0)
        for n, rows in enumerate(data.batches(len(x), batch, 100_000), start=1):
            step(x[rows], digits.y_train[rows])
            if n % every == 0 and np.mean(np.argmax(call(x_test), 1) == digits.y_test) >= 0.95:
                return n * batch
        raise RuntimeError("95 % is not reached")

    return turn


def pipeline(way: str, folder: str):
    """A turn: an epoch of the MLP on PNG files, decoded each time or once."""
    paths = sorted(map(str, pathlib.Path(folder).glob("*.png")))
    labels = [int(pathlib.Path(path).stem[-1]) for path in paths]

    def decode(path, y):
        pixels = tf.io.decode_png(tf.io.read_file(path), channels=1)
        pixels = tf.reshape(tf.cast(pixels, tf.float32) / 255, (8, 8, 8, 8))
        return tf.reshape(tf.reduce_mean(pixels, (1, 3)), [64]), y

    dataset = tf.data.Dataset.from_tensor_slices((paths, labels)).map(decode)
    if way == "decoded once":
        dataset = dataset.cache()
    dataset = dataset.batch(64)
    _, step = trainer("mlp", "function")

    def turn() -> int:
        for x, y in dataset:
            step(x, y)
        return len(paths)

    return turn


KINDS = {"mode": race, "batch": race, "precision": race}
KINDS |= {"accuracy": accuracy, "pipeline": pipeline}


def main() -> None:
    """Answer until standard input ends."""
    turns = {}
    for line in sys.stdin:
        kind, *given = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        if line not in turns:
            turns[line] = KINDS[kind](*given)
        samples = turns[line]()
        took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps({**took, "samples": samples}), flush=True)


if __name__ == "__main__":
    main()
