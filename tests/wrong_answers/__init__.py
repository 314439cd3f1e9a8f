"""Plausible wrong answers to the exercises, each with the message that it must bring."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass
class WrongAnswers:
    """The wrong answers of one half of an exercise: (task, answers, message).

    And right ones other than the solution, (task, answers), in which a check may find no fault.
    """

    all: list[tuple[str, tuple, str]] = dataclasses.field(default_factory=list)
    right: list[tuple[str, tuple]] = dataclasses.field(default_factory=list)

    def add(self, task: str, *answers, message: str) -> None:
        self.all.append((task, answers, message))

    def also_right(self, task: str, *answers) -> None:
        self.right.append((task, answers))

    def brings(self, task: str, message: str, *before) -> Callable[[Callable], Callable]:
        """Decorate a function that is a wrong answer, after the answers that stand before it."""

        def register(function: Callable) -> Callable:
            self.add(task, *before, function, message=message)
            return function

        return register
