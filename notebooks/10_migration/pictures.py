"""The lesson's figures, from its record."""

import itertools
from collections.abc import Mapping

from paired import course, figures

import matplotlib.pyplot as plt
import numpy as np


def changes(measured: dict) -> None:
    """How each mistake changes the validation loss, in each half."""
    _, axis = plt.subplots(figsize=(6.4, 6.2))
    for half, marker in zip(course.FRAMEWORKS, "os", strict=True):
        planted = measured[half]["mistakes"]
        change = np.array([about["loss, %"] for about in planted.values()])
        axis.plot(change.clip(-20, 20), list(planted), marker, label=half, ms=5)
    axis.axvspan(-5, 5, color="0.9", zorder=0)
    axis.set(xlabel="change of the validation loss in %, at most 20", xlim=(-21, 21))
    axis.invert_yaxis()
    axis.legend(loc="lower right")
    plt.show()


def checks(catches: Mapping[str, set[str]]) -> None:
    """How many mistakes each check catches, alone and together with those before it."""
    so_far = [len(caught) for caught in itertools.accumulate(catches.values(), set.union)]
    _, axis = plt.subplots(figsize=(6.4, 3.6))
    alone = [len(caught) for caught in catches.values()]
    axis.barh(list(catches), alone, label="alone", color=figures.SKY)
    axis.plot(so_far, list(catches), "o-", label="so far", color=figures.RED)
    axis.set(xlabel="mistakes caught, of 30", xlim=(0, 31))
    axis.invert_yaxis()
    axis.legend(loc="lower left", frameon=True)
    plt.show()


def seeds(groups: Mapping[str, list[float]]) -> None:
    """The results of each group's seeds, and their mean."""
    _, axis = plt.subplots(figsize=(6.4, 2.8))
    for row, losses in enumerate(groups.values()):
        axis.plot(losses, [row] * len(losses), "o", ms=4, alpha=0.5, color=figures.BLUE)
        axis.plot(np.mean(losses), row, "|", ms=18, color=figures.BLACK)
    axis.set(yticks=range(len(groups)), yticklabels=groups)
    axis.set(xlabel="validation loss of the returned model", ylim=(len(groups) - 0.5, -0.5))
    plt.show()
