"""Wrong answers to the exercise of lesson 05 without a framework, for both halves."""

from collections.abc import Callable

from paired.checks import lesson_05_archive as archive

import numpy as np

from wrong_answers import WrongAnswers

SEAT = 8


def add_predictions(
    wrong: WrongAnswers, right: tuple[int, int, int], notes: dict[str, dict[int, str]]
) -> None:
    names = ("stops_equal", "stops_unequal", "first", "second", "third")
    good = dict(zip(names, (0, 2, *right), strict=True))

    def add(name: str, answer, message: str) -> None:
        answers = (good | {name: answer}).values()
        wrong.add("predict", *answers, message=f"`{name}` {message}")

    add("stops_equal", 1, "is not 1: ask what NaN is equal to.")
    add("stops_equal", 2, "counts the NaN: but NaN is equal to nothing, not even to itself.")
    add("stops_equal", 3.0, "counts what is not finite: but NaN is equal to nothing, not even to "
        "itself.")  # fmt: skip
    add("stops_equal", 5, "is not 5.")
    add("stops_equal", None, "must be a whole number from 0; it is None.")
    add("stops_equal", "0", "must be a whole number from 0; it is '0'.")
    add("stops_equal", False, "must be a whole number from 0; it is False.")
    add("stops_equal", float("nan"), "must be a whole number from 0; it is nan.")
    add("stops_equal", [0], "must be a whole number from 0; it is a `list`.")
    add("stops_unequal", 0, "is not 0: NaN differs from everything, itself included.")
    add("stops_unequal", 3, "counts infinity, which is equal to itself.")
    add("stops_unequal", 5, "counts every loss; a number is equal to itself.")
    add("stops_unequal", -2, "must be a whole number from 0; it is -2.")
    add("first", 2.5, "must be a whole number from 0; it is 2.5.")
    for name, messages in notes.items():
        for answer, message in messages.items():
            add(name, answer, message)
        add(name, 77, "is not 77.")


def add_causes(wrong: WrongAnswers, notes: dict[str, str], mended: Callable) -> None:
    def add(cause, tensor, message: str) -> None:
        wrong.add("explain_error", cause, tensor, mended, message=message)

    add("A", "squares", "`cause` is not 'A': `X` and `centre` are finite, and so is every tensor "
        "on the way there.")  # fmt: skip
    add("c", "squares", "`cause` is not 'C': the mean divides by n, which is not zero: `distance` "
        "has a finite gradient.")  # fmt: skip
    add("D ", "squares", "`cause` is not 'D': no number here is too large: the distances are "
        "ordinary ones.")  # fmt: skip
    add("E", "squares", "`cause` is not 'E': a square has the slope 0 at 0, which is a number.")
    for answer, given in (("F", "'F'"), ("BB", "'BB'"), ("", "''"), (2, "2"), (["B"], "a `list`")):
        message = f'`cause` must be one of the letters "A" to "E", in quotes; it is {given}.'
        add(answer, "squares", message)
    for name, note in notes.items():
        add("B", name, f"`tensor` is not '{name}': {note}")
    others = {"sqrt": "'sqrt'", "Squares": "'Squares'", "": "''", mended: "a `function`", 1: "1"}
    for answer, given in others.items():
        add("B", answer, "`tensor` must be the name of a tensor in `mean_distance`, in quotes; it "
            f"is {given}.")  # fmt: skip


def add_changed(
    wrong: WrongAnswers, evaluate: Callable, trained: tuple, other: tuple, kind: str
) -> None:
    for name in trained:
        message = f"`changed` is not '{name}': only training changes it, by the optimiser."
        wrong.add("evaluation", name, evaluate, message=message)
    for answer in (*other, 3, None, evaluate):
        given = "a `function`" if callable(answer) else repr(answer)
        wrong.add(
            "evaluation",
            answer,
            evaluate,
            message=f"`changed` must be {kind}, in quotes; it is {given}.",
        )


def add_readings(wrong: WrongAnswers, framework: str) -> None:
    """Wrong readings of the archive of `SEAT`, which holds what it holds in every run."""
    names = archive.contents(SEAT)
    rows = next(rows for rows in names["batches"] if names["at"] in rows)
    serials = names["SERIALS"]
    row, column = list(rows).index(names["at"]), names["column"]
    right, other = int(serials[names["at"]]), int(serials[rows[row - 1]])
    beside = int(serials[names["batches"][0][0]])

    def add(*answers, message: str) -> None:
        wrong.add("live", *answers, message=message)

    wrong.also_right("live", SEAT, right, column)
    wrong.also_right("live", float(SEAT), np.int64(right), np.asarray(column))
    add(SEAT, other, column, message=f"`serial` is the number of row {(row - 1) % 5} of that "
        "batch; its readings are ones that `log1p` takes. Which row has one that it does "
        "not?")  # fmt: skip
    add(SEAT, row, column, message="`serial` is a row; what is asked for is `serials` of that row.")
    add(SEAT, names["at"], column, message="`serial` is a row; what is asked for is `serials` of "
        "that row.")  # fmt: skip
    add(SEAT, beside, column, message="`serial` is the number of a record in another batch, which "
        "gave no error.")  # fmt: skip
    away = f"`serial` is no record of the archive of seat {SEAT}. Is that the seat whose archive "
    add(SEAT, right + 1_000_000, column, message=away + "you debugged?")
    add(SEAT, -1, column, message="`serial` must be a whole number from 0; it is -1.")
    add(SEAT + 1, right, column, message=away.replace("8", "9") + "you debugged?")
    for wrong_column in {0, 1, 2} - {column}:
        add(SEAT, right, wrong_column, message=f"`column` is not {wrong_column}: in that column "
            "the record is fine.")  # fmt: skip
    add(SEAT, right, column + 3, message=f"`column` is not {column + 3}: in that column the record "
        "is fine. Columns count from 0.")  # fmt: skip
    add(SEAT, right, -1, message="`column` must be a whole number from 0; it is -1.")
    add(SEAT, right, "first", message="`column` must be a whole number from 0; it is 'first'.")
    add(
        SEAT,
        str(right),
        column,
        message=f"`serial` must be a whole number from 0; it is '{right}'.",
    )
    add(SEAT, [right], column, message="`serial` must be a whole number from 0; it is a `list`.")
    add(
        SEAT,
        right + 0.5,
        column,
        message=f"`serial` must be a whole number from 0; it is {right}.5.",
    )
    add("8", right, column, message="`seat` must be a whole number from 0; it is '8'.")
    add(-8, right, column, message="`seat` must be a whole number from 0; it is -8.")
