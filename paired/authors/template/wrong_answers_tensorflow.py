"""Wrong answers to the exercise of lesson 00 in TensorFlow."""

import tensorflow as tf
from wrong_answers import WrongAnswers

wrong = WrongAnswers()


@wrong.brings(
    "row_sums", "The result has shape (5,), it must have (3,): one number for each of the 3 rows."
)
def sums_the_columns(matrix):
    """The other axis."""
    return tf.reduce_sum(matrix, axis=0)


@wrong.brings("row_sums", "The result is the sum of all numbers, repeated.")
def sums_everything(matrix):
    """One sum for all rows."""
    return tf.fill([3], tf.reduce_sum(matrix))


@wrong.brings("row_sums", "The result has dtype float32, it must have float64.")
def rounds_to_float32(matrix):
    """Half of the digits are lost."""
    return tf.cast(tf.reduce_sum(matrix, axis=1), tf.float32)
