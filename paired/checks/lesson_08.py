"""Lesson 08, speed: the checks of its exercise."""

from paired.checks.answers import Halves, Number, task
from paired.checks.judging import call, compare

import numpy as np


@task(
    axis=Number(
        1,
        {
            0: "is the axis along which rows lie below each other: it stays.",
            2: Halves("is `dim` of a third axis.", "is `axis` of a third axis."),
        },
    )
)
def row_sums(framework, row_sums) -> str:
    """Name the axis that disappears, and sum each row of a matrix."""
    matrix = np.random.default_rng().normal(size=(3, 5))
    result = call(row_sums, matrix=framework.tensor(matrix))
    mistakes = {"is the sum of all numbers, repeated.": np.full(3, matrix.sum())}
    note = "one number for each of the 3 rows."
    compare("The result", result, matrix.sum(axis=1), shape_note=note, mistakes=mistakes)
    return "One number for each row."


TASKS = (row_sums,)
