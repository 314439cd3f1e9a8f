"""Wrong answers to the exercise of lesson 02 that are numbers and names: tasks 1 and 3."""

import math

from wrong_answers import WrongAnswers


def add_predictions(wrong: WrongAnswers, appends: dict, graphs: dict, right: tuple) -> None:
    """`right` is the right answer; `appends` and `graphs` hold what is wrong and how."""
    for count, message in {
        **appends,
        0: "is not 0.",
        "2": "must be a number; it is '2'.",
        None: "must be a number; it is None.",
    }.items():
        wrong.add("predict", count, *right[1:], message=f"`num_appends` {message}")
    for count, message in {
        1: "is the number of lines that multiply. The loop is Python's: the graph has no loop.",
        3: "is one too few: the first round multiplies as well.",
        5: "counts the factors; each node multiplies two.",
        0: "fits a loop that is a node itself; this one is Python's, and leaves its rounds.",
        6: "is not 6.",
        math.nan: "must be a number; it is nan.",
    }.items():
        wrong.add("predict", right[0], count, right[2], message=f"`num_products` {message}")
    for count, message in {
        **graphs,
        1: "would be right if sizes were never looked at.",
        4: "is one for each call: the first length comes back.",
        (3, 4, 5): "must be a number; it is (3, 4, 5).",
    }.items():
        wrong.add("predict", *right[:2], count, message=f"`num_graphs` {message}")


def add_explanations(wrong: WrongAnswers, clip) -> None:
    """`clip` is a right answer to the rest of the task."""
    for line, message in {
        1: "Line 1 asks for the number of axes, which is part of the shape.",
        2: "Line 2 compares `rank`, which is part of the shape and known.",
        3: "Line 3 is not reached: `rank` is known, and it is 2 or less.",
        4: "Line 4 computes with tensors, and a graph can hold that.",
        6: "Line 6 is never reached: the error comes before.",
        "5": "Line '5' is not a line of `clip`: give a number from 1 to 6.",
        None: "Line None is not a line of `clip`: give a number from 1 to 6.",
        12: "Line 12 is not a line of `clip`: give a number from 1 to 6.",
    }.items():
        wrong.add("explain_error", line, "norm", clip, message=message)
    for name, message in {
        "rank": "'rank' is part of the shape, and known.",
        "limit": "'limit' is a number of Python's, and known.",
        "factor": "'factor' is what the line would give; the error comes before.",
        "x": "'x' is not asked for on line 5: which variable made from it is?",
        "the norm": "'the norm' is not the name, as text, of a variable of `clip`.",
        5: "5 is not the name, as text, of a variable of `clip`.",
    }.items():
        wrong.add("explain_error", 5, name, clip, message=message)
