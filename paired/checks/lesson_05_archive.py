"""The archive that the fourth task of lesson 05's exercise debugs: readings, one of them bad.

Its code is made from text, so that a student meets it in the debugger only, under a name.
"""

import linecache
import types

import numpy as np

# A prime number of records, so that every order below visits each at most once.
RECORDS, BATCHES, ROWS, COLUMNS = 211, 40, 5, 3

# Code that a student reads in the debugger: its file has a name, and the same one everywhere.
_SOURCES = {
    "pytorch": '''
def feed(step):
    """Give `step` every batch of the archive, and insist on a finite loss."""
    for number in range(BATCHES):
        run_batch(step, number)


def run_batch(step, number):
    rows = (STRIDE * (ROWS * number + np.arange(ROWS)) + START) % len(SERIALS)
    serials = SERIALS[rows]
    readings = torch.from_numpy(READINGS[rows])
    loss = step(readings, torch.from_numpy(TARGETS[rows]))
    require_finite(loss)


def require_finite(loss):
    if not torch.isfinite(loss):
        raise FloatingPointError("the loss of a batch is not a finite number")
''',
    "tensorflow": '''
def feed(step):
    """Give `step` every batch of the archive, and insist on a finite loss."""
    compiled = tf.function(run_batch, autograph=False)
    for number in tf.range(BATCHES, dtype=tf.int64):
        try:
            compiled(step, number)
        except tf.errors.InvalidArgumentError:
            raise FloatingPointError("the loss of a batch is not a finite number") from None


def run_batch(step, number):
    rows = (STRIDE * (ROWS * number + tf.range(ROWS)) + START) % len(SERIALS)
    serials = tf.gather(SERIALS, rows)
    readings = tf.gather(READINGS, rows)
    loss = step(readings, tf.gather(TARGETS, rows))
    return require_finite(loss)


def require_finite(loss):
    try:
        return tf.debugging.check_numerics(loss, "the loss")
    except tf.errors.InvalidArgumentError:
        raise FloatingPointError("the loss of a batch is not a finite number") from None
''',
}


def archive(framework: str, seat: int) -> types.SimpleNamespace:
    """An archive of readings with one that `log1p` cannot take; each seat has its own.

    Returns:
        `feed(step)`, which calls `step(X, y)` with batches: X of shape (5, 3), y of shape (5,),
        both float64.

    Raises:
        ValueError: the seat is not a whole number from 0.
    """
    if isinstance(seat, bool) or not isinstance(seat, int) or seat < 0:
        raise ValueError(f"`seat` must be a whole number from 0; it is {seat!r}.")
    names = {"__name__": "archive", "np": np} | contents(seat)
    hidden = {"batches", "at", "column"}
    names = {name: value for name, value in names.items() if name not in hidden}
    if framework == "pytorch":
        import torch

        names["torch"] = torch
    else:
        import tensorflow as tf

        names["tf"] = tf
    source = _SOURCES[framework].lstrip("\n")
    # A debugger looks the lines up here: there is no such file. Without a time, they stay.
    linecache.cache["<archive>"] = (len(source), None, source.splitlines(True), "<archive>")
    exec(compile(source, "<archive>", "exec"), names)  # noqa: S102 - our own code
    return types.SimpleNamespace(feed=names["feed"])


def contents(seat: int) -> dict:
    """What the archive of a seat holds, and where the bad reading is."""
    rng = np.random.default_rng([seat, 5])
    stride, start = (int(number) for number in rng.integers(1, RECORDS, size=2))
    batches = (stride * np.arange(BATCHES * ROWS) + start).reshape(BATCHES, ROWS) % RECORDS
    at, column = int(rng.choice(batches[5:].ravel())), int(rng.integers(COLUMNS))
    readings = rng.integers(-7, 32, size=(RECORDS, COLUMNS)) / 8  # log1p takes all of these
    readings[at, column] = -rng.integers(9, 20) / 8
    return {
        "batches": batches, "at": at, "column": column,
        "BATCHES": BATCHES, "ROWS": np.int64(ROWS), "STRIDE": stride, "START": start,
        "SERIALS": 100_000 + rng.permutation(900_000)[:RECORDS], "READINGS": readings,
        "TARGETS": rng.integers(8, size=RECORDS) / 8,
    }  # fmt: skip
