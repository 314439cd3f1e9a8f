"""Wrong answers to the exercise of lesson 00 in PyTorch."""

import torch
from wrong_answers import WrongAnswers

wrong = WrongAnswers()


@wrong.brings(
    "row_sums", "The result has shape (5,), it must have (3,): one number for each of the 3 rows."
)
def sums_the_columns(matrix):
    """The other axis."""
    return matrix.sum(dim=0)


@wrong.brings("row_sums", "The result is the sum of all numbers, repeated.")
def sums_everything(matrix):
    """One sum for all rows."""
    return torch.full((3,), matrix.sum().item(), dtype=matrix.dtype)


@wrong.brings("row_sums", "The result has dtype float32, it must have float64.")
def rounds_to_float32(matrix):
    """Half of the digits are lost."""
    return matrix.sum(dim=1).float()
