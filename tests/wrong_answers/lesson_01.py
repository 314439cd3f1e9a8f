"""Wrong answers to the exercise of lesson 01 that both halves share."""

import math
from collections.abc import Callable

from wrong_answers import WrongAnswers

NAME_OF_A_TYPE = 'must be the name of a type, such as "int32"; it is'
ROW_AND_FLAT = '`changed` must be a set of names in quotes, such as {"row", "flat"}; it is a'
OUT_OF_FIVE = "`changed` must be a set of names in quotes, out of the five;"


def add_predictions(
    wrong: WrongAnswers,
    right: tuple,
    halves: dict,
    products: dict,
    strides: dict,
    changes: dict,
) -> None:
    """Add wrong predictions; those that differ between the halves come with their messages."""

    def add(place: int, answer, message: str) -> None:
        answers = list(right)
        answers[place] = answer
        wrong.add("predict", *answers, message=message)

    for answer, message in halves.items():
        add(0, answer, f"`half_dtype` {message}")
    for answer, message in {
        "float": f"{NAME_OF_A_TYPE} 'float'.",
        "": f"{NAME_OF_A_TYPE} ''.",
        32: f"{NAME_OF_A_TYPE} a `int`.",
        None: f"{NAME_OF_A_TYPE} a `NoneType`.",
        "float16": "is not float16.",
    }.items():
        add(0, answer, f"`half_dtype` {message}")
    for answer, message in products.items():
        add(1, answer, f"`product_dtype` {message}")
    for answer, message in {
        (5, 3): "takes the axis of length 1 away: it is stretched to 4.",
        (4, 3): "leaves out the first axis: where one shape has no axis, the other's counts.",
        (5, 1, 3): "is the shape of the first: its axis of length 1 is stretched to 4.",
        (4, 5, 3): "has two axes swapped: align the shapes at their last axes.",
        (5, 4): "lacks the last axis: nothing is summed here.",
        (5, 4, 3, 3): "has an axis too many: equal lengths go together.",
        (5, 4, 4): "is not (5, 4, 4): go axis by axis.",
        60: "must be a tuple of whole numbers; it is 60.",
        "(5, 4, 3)": "must be a tuple of whole numbers; it is '(5, 4, 3)'.",
        (5, 4, math.nan): "must be a tuple of whole numbers; it is a `tuple`.",
        None: "must be a tuple of whole numbers; it is a `NoneType`.",
    }.items():
        add(2, answer, f"`difference_shape` {message}")
    for answer, message in strides.items():
        add(3, answer, f"`view_strides` {message}")
    for names, message in changes.items():
        add(4, set(names.split()), f"`changed` {message}")
    add(4, "same", f"{ROW_AND_FLAT} `str`.")
    add(4, None, f"{ROW_AND_FLAT} `NoneType`.")
    add(4, {"same", "view"}, f"{OUT_OF_FIVE} 'view' is none of them.")
    add(4, [["same"]], f"{OUT_OF_FIVE} a `list` is none of them.")


def add_causes(wrong: WrongAnswers, right: str, others: dict, similarity: Callable) -> None:
    """Add wrong causes beside a function that is right; `right` are the three letters."""

    def add(causes, message: str) -> None:
        wrong.add("explain_error", *causes, similarity, message=message)

    names = [f"{name}_cause" for name in ("first", "second", "third")]
    another = "which is the cause of another of the three."
    for place, name in enumerate(names):
        for letter, message in others.items():
            causes = [*right[:place], letter, *right[place + 1 :]]
            add(causes, f"`{name}` is not {letter}: {message}")
        swapped = right[(place + 1) % 3]
        causes = [*right[:place], swapped, *right[place + 1 :]]
        add(causes, f"`{name}` is not {swapped}, {another}")
    letters = 'must be one of the letters "A" to "F"; it is'
    add((right[0], "a shape", right[2]), f"`second_cause` {letters} 'a shape'.")
    add((right[0], right[1], 2), f"`third_cause` {letters} a `int`.")
    add(("G", right[1], right[2]), f"`first_cause` {letters} 'G'.")
    add((tuple(right), right[1], right[2]), f"`first_cause` {letters} a `tuple`.")
