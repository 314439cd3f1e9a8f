"""Kinds of answers that are no functions: numbers, choices, shapes. Their tables are the check.

    @task(
        steps=Number(3, {4: "counts the last step twice."}),
        cause=Choice("B", {"A": "the shapes fit.", "C": "no type is converted here."}),
    )
    def predict(framework) -> str:
        return "Both are right."

A table says of each wrong value what is wrong with it, and the tests give each of them as an
answer. Where the two halves differ, a value or a sentence is `Halves(pytorch=..., tensorflow=...)`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from paired.checks.judging import Wrong, kind_of

import numpy as np


class Halves(NamedTuple):
    """What differs between the halves."""

    pytorch: object
    tensorflow: object


def resolve(value, half: str):
    """A value as one half has it, wherever there are `Halves` in it."""
    if isinstance(value, Halves):
        return resolve(getattr(value, half), half)
    if isinstance(value, dict):
        return {resolve(key, half): resolve(item, half) for key, item in value.items()}
    return value


class Answer:
    """One answer with a name: the right value, and what to say of wrong ones.

    Args:
        right: the value, or `Halves`.
        mistakes: for each known wrong value the sentence, without the answer's name.
        otherwise: the sentence for every other value; `{}` is the value.
    """

    wanted = ""

    def __init__(self, right, mistakes: Mapping | Halves, otherwise: str | Halves = "is not {}."):
        self.right, self.mistakes, self.otherwise = right, mistakes, otherwise

    def _read(self, answer, half: str):
        """The answer in the form of the table's values; any error if it is not of this kind."""
        raise NotImplementedError

    def _expects(self, half: str) -> str:
        """What an answer has to be, after "must be"."""
        return self.wanted

    def judge(self, name: str, answer, half: str) -> None:
        """Raise `Wrong` unless the answer is right."""
        try:
            given = self._read(answer, half)
        except Exception:  # whatever the answer's own code does
            wanted = f"`{name}` must be {self._expects(half)}"
            raise Wrong(f"{wanted}; it is {kind_of(answer)}.") from None
        if not self._same(given, resolve(self.right, half)):
            raise Wrong(f"`{name}` {self._sentence(given, half)}")

    def _same(self, given, value) -> bool:
        """Whether an answer is this value."""
        return given == value

    def _sentence(self, given, half: str) -> str:
        """What is wrong with a value."""
        for value, sentence in resolve(self.mistakes, half).items():
            if self._same(given, value):
                return sentence
        return resolve(self.otherwise, half).format(self._shown(given))

    def _shown(self, given) -> str:
        """A value as a sentence shows it."""
        return str(given)

    def wrong(self, half: str) -> Iterator[tuple[object, str]]:
        """Every wrong value of the table, with its sentence: what the tests give as answers."""
        for value in resolve(self.mistakes, half):
            yield value, self._sentence(value, half)


class Number(Answer):
    """A finite number.

    Args:
        right: the value; None where `none`.
        mistakes: sentences, by value.
        otherwise: the sentence for every other number.
        none: whether None is an answer too.
        tolerance: how far from a value a number may lie and still be meant as it.
    """

    def __init__(self, right, mistakes, otherwise="is not {}.", *, none=False, tolerance=0.0):
        super().__init__(right, mistakes, otherwise)
        self.none, self.tolerance = none, tolerance
        self.wanted = "a number, or None without quotes" if none else "a number"

    def _read(self, answer, half: str) -> float | None:
        if answer is None and self.none:
            return None
        if isinstance(answer, str | bool):
            raise TypeError
        number = float(answer)
        if not math.isfinite(number):
            raise ValueError
        return number

    def _same(self, given, value) -> bool:
        if given is None or value is None:
            return given is value
        return abs(given - value) <= self.tolerance

    def _shown(self, given) -> str:
        return "None" if given is None else f"{given:.15g}"


class Choice(Answer):
    """One of the values in the table or the right one, such as letters; case does not matter."""

    def _read(self, answer, half: str) -> str:
        text = answer.strip().strip("`").lower()  # a name may stand in quotes of code
        return next(option for option in self._options(half) if option.lower() == text)

    def _options(self, half: str) -> list[str]:
        return sorted({resolve(self.right, half), *resolve(self.mistakes, half)})

    def _expects(self, half: str) -> str:
        options = self._options(half)
        if len(options) > 2 and all(len(option) == 1 for option in options):
            return f'one of the letters "{options[0]}" to "{options[-1]}"'
        return " or ".join(f'"{option}"' for option in options)

    def _sentence(self, given, half: str) -> str:
        return f"is not {given}: {super()._sentence(given, half)}"


class Shape(Answer):
    """A tuple of whole numbers, such as a shape or strides."""

    wanted = "a tuple of whole numbers"

    def _read(self, answer, half: str) -> tuple[int, ...]:
        if isinstance(answer, str | set | dict):
            raise TypeError
        numbers = tuple(answer)
        if not all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in numbers):
            raise TypeError
        return numbers


def task(**kinds: Answer) -> Callable[[Callable], Callable]:
    """Declare the answers of a task that are no functions; they come first, in this order.

    The function gets the answers that are left, and those of the declared ones that it names.
    """

    def declare(function: Callable) -> Callable:
        function.kinds = kinds
        return function

    return declare
