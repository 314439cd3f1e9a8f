"""Lesson 08, speed: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

row_sums = Mistakes("row_sums")
sums = row_sums.replacing("matrix.sum(dim=1)", "tf.reduce_sum(matrix, axis=1)")
sums("one number for each of the 3 rows.", "matrix.sum(dim=0)", "tf.reduce_sum(matrix, axis=0)")
sums(
    "is the sum of all numbers, repeated.",
    "matrix.sum().expand(3)",
    "tf.fill([3], tf.reduce_sum(matrix))",
)
row_sums.right(
    pytorch="return matrix @ matrix.new_ones(5)",
    tensorflow="return tf.linalg.matvec(matrix, tf.ones(5, matrix.dtype))",
)
row_sums.right(pytorch="return matrix.T.sum(0)", tensorflow='return tf.einsum("ij->i", matrix)')
