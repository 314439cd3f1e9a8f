"""Wrong answers to the exercise of lesson 03 without a framework, for both halves."""
# ruff: noqa: N803, N806 - the exercise names matrices W and X, and a temperature T

import math
from collections.abc import Callable

import numpy as np

from wrong_answers import WrongAnswers


def add_predictions(wrong: WrongAnswers, second: float, notes: dict[str, str]) -> None:
    right = {"w_first": 12.0, "w_second": second, "u_grad": 0.0, "v_grad": None, "c_grad": None}

    def add(name: str, answer, message: str) -> None:
        answers = (right | {name: answer}).values()
        wrong.add("predict", *answers, message=f"`{name}` {message}")

    add("w_first", 4, "leaves out the factor `c`.")
    add("w_first", 6.0, "is not the derivative of c * w**2, which is 2 * c * w.")
    add("w_first", 14, "has `z` in it, which comes later.")
    add("w_first", 24.0, "is not 24.0.")
    add("w_first", None, "is not None.")
    add("w_first", "12", "must be a number or None; it is '12'.")
    add("w_first", math.nan, "must be a number or None; it is nan.")
    add("w_first", True, "must be a number or None; it is True.")
    add("w_first", (12.0,), "must be a number or None; it is (12.0,).")
    add("w_first", [12.0], "must be a number or None; it is a `list`.")
    add("w_second", None, "is not None.")
    add("w_second", 10.0, "is not 10.0.")
    add("u_grad", None, "is not None: a path leads from `u` to `y`, and the derivative along it is "
        "a number.")  # fmt: skip
    add("u_grad", 1.0, "is the slope of relu above zero; u - 9 is below.")
    add("u_grad", 5, "is the value of `u`, not a derivative.")
    add("u_grad", -1, "is not -1.0.")
    for name, note in notes.items():
        add(name, 0, f"is not zero, which would mean a path with a flat spot: {note}.")
        add(name, 4.0, f"is not 4.0: {note}.")
        add(name, "None", "is a text: write `None` without quotes.")
        add(name, "", "must be a number or None; it is ''.")


def add_causes(
    wrong: WrongAnswers, first: str, second: str, notes: dict[str, str], descend: Callable
) -> None:
    def add(*answers, message: str) -> None:
        wrong.add("explain_error", *answers, message=message)

    for letter, note in notes.items():
        add(letter, second, descend, message=f"`first_cause` is not {letter}: {note}")
        add(first, letter.lower(), descend, message=f"`second_cause` is not {letter}: {note}")
    message = f"`first_cause` is not {second}, which is the cause of the second error."
    add(second, first, descend, message=message)
    message = f"`second_cause` is not {first}, which is the cause of the first error."
    add(first, first, descend, message=message)
    for answer, given in (("F", "'F'"), ("the tape", "'the tape'"), (2, "a `int`"), ("", "''")):
        message = f'`first_cause` must be one of the letters "A" to "E"; it is {given}.'
        add(answer, second, descend, message=message)


def backward(x, y, W, b, T, inputs_first, **mistakes):
    """The right answer to the task `derivation`, or one with the mistakes that are named."""
    W = W if inputs_first else W.T
    z = x @ W + b
    logits = z if mistakes.get("cool") else z / T
    if not mistakes.get("overflow"):
        logits = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        exp = np.exp(logits)
        p = exp / exp.sum(axis=1, keepdims=True)
    d = (p - mistakes.get("labels", 1) * np.eye(len(b))[y]) / mistakes.get("n", len(y))
    d = mistakes.get("sign", 1) * d
    dz = d / mistakes.get("divisor", T)
    dT = -(d * z).sum() / mistakes.get("square", T**2)
    dW = x.T @ dz
    return dz @ W.T, dW if inputs_first else dW.T, dz.sum(axis=0), dT


def add_derivations(
    wrong: WrongAnswers, inputs_first: bool, transposed: str, tensor: Callable
) -> None:
    def brings(message: str, change: Callable = lambda *parts: parts, **mistakes) -> None:
        def head_backward(x, y, W, b, T):
            own = {name: value(T) if callable(value) else value for name, value in mistakes.items()}
            return change(*backward(x, y, W, b, T, inputs_first, **own))

        wrong.add("derivation", head_backward, message=message)

    brings("`dx` is 6 times too large: the loss is the mean over the examples.", n=1)
    brings("`dx` has the wrong sign.", sign=-1)
    brings(
        "`dx` takes no notice of the labels: subtract 1 from the right class's probability.",
        labels=0,
    )
    brings("`dx` has the right shape and dtype, but wrong values.", labels=-1)
    brings(
        "`dx` is T times too large: z is divided by T on the way there, and so is what comes back.",
        divisor=1,
    )
    brings("`dx` has the softmax of z in it: the probabilities are those of z / T.", cool=True)
    brings("`dx` takes no notice of T at all.", cool=True, divisor=1)
    brings(transposed, lambda dx, dW, db, dT: (dx, dW.T, db, dT))
    brings(
        "`dW` has the right shape and dtype, but wrong values.",
        lambda dx, dW, db, dT: (dx, dW.T.reshape(dW.shape), db, dT),
    )
    brings(
        "`dx` has shape (5, 6), it must have (6, 5): that of `x`.",
        lambda dx, dW, db, dT: (dx.T, dW, db, dT),
    )
    brings(
        "`db` has shape (1, 4), it must have (4,): that of `b`.",
        lambda dx, dW, db, dT: (dx, dW, db[None], dT),
    )
    brings("`db` has the wrong sign.", lambda dx, dW, db, dT: (dx, dW, -db, dT))
    brings(
        "`dT` has shape (4,), it must have (): one number.",
        lambda dx, dW, db, dT: (dx, dW, db, np.repeat(dT, 4)),
    )
    brings("`dT` has the wrong sign.", lambda dx, dW, db, dT: (dx, dW, db, -dT))
    brings(
        "`dT` lacks a factor 1 / T: the derivative of z / T by T is -z / T**2.",
        square=lambda T: T,
    )
    brings(
        "`dT` has a factor 1 / T too many: the derivative of z / T by T is -z / T**2.",
        square=lambda T: T**3,
    )
    brings("`dT` is zero: the loss depends on T too.", lambda dx, dW, db, dT: (dx, dW, db, 0.0))
    brings(
        "`dT` is a `NoneType`; it must be an array of shape ().",
        lambda dx, dW, db, dT: (dx, dW, db, None),
    )
    brings(
        "`dx` has dtype float32, it must have float64.",
        lambda *parts: tuple(np.float32(part) for part in parts),
    )
    brings(
        "Where logits are in the thousands `dx` contains NaN or infinity: `np.exp` overflows. "
        "Subtract the largest logit of each row first.",
        overflow=True,
    )
    brings(
        "`head_backward` must return (dx, dW, db, dT); it returns 3 things.",
        lambda *parts: parts[:3],
    )
    brings(
        "`head_backward` must return (dx, dW, db, dT); it returns a `dict`.",
        lambda dx, dW, db, dT: {"dx": dx, "dW": dW, "db": db, "dT": dT},
    )

    def centres_the_inputs_in_place(x, y, W, b, T):
        x -= x.mean(axis=0)
        return backward(x, y, W, b, T, inputs_first)

    message = "Your function changes `x` in place: work on a copy of it."
    wrong.add("derivation", centres_the_inputs_in_place, message=message)

    def differences(x, y, W, b, T):
        def loss(*inputs):
            z = inputs[0] @ (inputs[1] if inputs_first else inputs[1].T) + inputs[2]
            logits = z / inputs[3]
            logits = logits - logits.max(axis=1, keepdims=True)
            log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            return -log_p[np.arange(len(y)), y].mean()

        inputs, gradients = [np.array(part) for part in (x, W, b, T)], []
        for k, array in enumerate(inputs):
            gradient = np.zeros(array.shape)
            for index in np.ndindex(array.shape):
                step = np.zeros(array.shape)
                step[index] = 1e-6
                up, down = ([*inputs[:k], array + s * step, *inputs[k + 1 :]] for s in (1, -1))
                gradient[index] = (loss(*up) - loss(*down)) / 2e-6
            gradients.append(gradient)
        return tuple(gradients)

    message = (
        "`dx` agrees to a few digits only: finite differences are an approximation. Derive it."
    )
    wrong.add("derivation", differences, message=message)

    def asks_a_framework(x, y, W, b, T):
        return tuple(map(tensor, backward(x, y, W, b, T, inputs_first)))

    message = "`dx` is a tensor of a framework: derive it, and compute it in NumPy."
    wrong.add("derivation", asks_a_framework, message=message)
