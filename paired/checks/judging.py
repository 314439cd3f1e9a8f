"""What a check does with an answer: call it, read what it returns, compare that with a reference.

Each says in a sentence what is wrong, by raising `Wrong`.
"""

from collections.abc import Callable, Mapping

from paired import parity

import numpy as np


class Wrong(Exception):  # noqa: N818 - a verdict, not an error
    """The answer is wrong; the message says how, and what to look at."""


class NotAttempted(Exception):  # noqa: N818 - a verdict, not an error
    """The answer is still the placeholder."""


def refuse(faults: Mapping[str, object]) -> None:
    """Raise `Wrong` with the first sentence whose fault is there."""
    for sentence, fault in faults.items():
        if fault:
            raise Wrong(sentence)


def call(function: Callable, **arguments):
    """Call the student's function with these arguments, by position.

    Raises:
        NotAttempted: it returns the placeholder.
        Wrong: it is no function, or changes what it was given.
    """
    return call_changing(function, (), **arguments)


def call_changing(function: Callable, changing: tuple, **arguments):
    """As `call`, with first arguments (`changing`) that the function may or has to change."""
    if not callable(function):
        kind = type(function).__name__
        raise Wrong(f"`check` takes your function itself, not a result of it; this is a `{kind}`.")
    before = {name: _contents(value) for name, value in arguments.items()}
    result = function(*changing, *arguments.values())
    if result is ...:
        raise NotAttempted("The function still returns `...`.")
    for name, value in arguments.items():
        if before[name] != _contents(value):
            raise Wrong(f"Your function changes `{name}` in place: work on a copy of it.")
    return result


def _contents(value):
    """What an argument holds, to be compared; nothing of a model, which may change."""
    if isinstance(value, dict):
        return {key: _contents(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_contents(item) for item in value]
    if isinstance(value, str | int | float):
        return repr(value)  # of NaN, too, equal to itself
    return to_numpy(value).tolist() if hasattr(value, "__array__") else None


def parts(function: str, result, *names: str) -> tuple:
    """The things that a function returns, as many as the names.

    Raises:
        NotAttempted: one of them is the placeholder.
        Wrong: they are more or fewer, or no tuple or list.
    """
    wanted = f"`{function}` must return ({', '.join(names)})"
    if not isinstance(result, tuple | list):
        raise Wrong(f"{wanted}; it returns {kind_of(result)}.")
    if len(result) != len(names):
        things = "1 thing" if len(result) == 1 else f"{len(result)} things"
        raise Wrong(f"{wanted}; it returns {things}.")
    for name, part in zip(names, result, strict=True):
        if part is ...:
            raise NotAttempted(f"The function still returns `...` for {name}.")
    return tuple(result)


def kind_of(value) -> str:
    """What a value is, in a few words: itself if it is simple, else its type."""
    plain = (str, bool, int, float, type(None))
    items = value if isinstance(value, tuple | list | set) else [value]
    if all(isinstance(item, plain) for item in items):
        return text if len(text := repr(value)) <= 60 else f"{text[:57]}..."
    return f"a `{type(value).__name__}`"


def to_numpy(value) -> np.ndarray:
    """A number, an array, a tensor of either framework, or a sequence of them, as an array."""
    if isinstance(value, list | tuple):
        return np.array([to_numpy(item) for item in value])
    return parity.to_numpy(value)


def compare(
    name: str,
    value,
    expected,
    *,
    shape_note: str = "",
    nearly_note: str = "",
    mistakes: Mapping[str, np.ndarray] | None = None,
    relative: float = 1e-12,
) -> None:
    """Raise `Wrong` unless a value is the expected array: shape first, then dtype, then values.

    Args:
        name: what the student calls the value.
        value: anything that `to_numpy` takes.
        expected: the reference, an array or a number.
        shape_note: what to add where the shape is another.
        nearly_note: why the values may be right to a few digits and not to twelve; said after the
            name, where no known mistake is met. Where there is none, nearly right is wrong as any.
        mistakes: the arrays that known mistakes give, by what to say (after the name) of each.
        relative: how far from an array a value may lie and still be it, as a share of the array's
            magnitude.
    """
    expected = np.asarray(expected)
    try:
        got = to_numpy(value)
    except ValueError:  # a sequence of arrays that do not fit together
        got = np.array(None)
    if got.dtype.kind not in "fiub":
        kind = type(value).__name__
        raise Wrong(f"{name} is a `{kind}`; it must be an array of shape {expected.shape}.")
    if got.shape != expected.shape:
        message = f"{name} has shape {got.shape}, it must have {expected.shape}"
        raise Wrong(f"{message}: {shape_note}" if shape_note else f"{message}.")
    if got.dtype != expected.dtype:
        raise Wrong(f"{name} has dtype {got.dtype}, it must have {expected.dtype}.")
    if close(got, expected, relative):
        return
    if not np.isfinite(got).all() and np.isfinite(expected).all():
        raise Wrong(f"{name} contains NaN or infinity.")
    for sentence, mistake in (mistakes or {}).items():
        if close(got, np.asarray(mistake), relative):
            raise Wrong(f"{name} {sentence}")
    if nearly_note and nearly(got, expected):
        raise Wrong(f"{name} agrees to a few digits only: {nearly_note}")
    raise Wrong(f"{name} has the right shape and dtype, but wrong values.")


def close(a: np.ndarray, b: np.ndarray, relative: float = 1e-12) -> bool:
    """Whether two arrays have one shape and differ by at most this share of their magnitude."""
    if a.shape != b.shape:
        return False
    return bool(a.size == 0 or np.abs(a - b).max() <= relative * max(1.0, np.abs(b).max()))


def nearly(got: np.ndarray, right: np.ndarray) -> bool:
    """Whether a value of the right shape is right to three digits, and not to twelve."""
    if got.shape != right.shape or close(got, right):
        return False
    return bool(np.abs(got - right).max() <= 1e-3 * np.abs(right).max())
