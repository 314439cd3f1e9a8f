"""Lesson 03, back-propagation: the two-layer network, with the way forward and the way back."""

import itertools

from paired import figures

import matplotlib.pyplot as plt

# Each row of boxes, from the top: its height, its colour, and what stands where.
_A, _H, _Z, _L = 1.3, 2.6, 3.9, 6.5
FORWARD = {"$X$": 0, "$a$": _A, "$h$": _H, "$z$": _Z, "$p$": 5.2, "$L$": _L}
ROWS = (
    (2, figures.BLUE, {"$W_1, b_1$": _A, "$W_2, b_2$": _Z}),
    (1, figures.BLUE, FORWARD),
    (0, figures.ORANGE, {"$da$": _A, "$dh$": _H, "$dz$": _Z}),
    (-1, figures.ORANGE, {"$dW_1, db_1$": _A, "$dW_2, db_2$": _Z}),
)
NAMES = {"ReLU": _A + 0.65, "softmax": _Z + 0.65, "loss": _L - 0.65}


def draw_network() -> None:
    """Draw the network of the lesson, and show it."""
    _, ax = plt.subplots(figsize=(6.4, 3))
    ax.set(xlim=(-0.4, 6.9), ylim=(-1.4, 2.4))
    ax.axis("off")
    for row, colour, names in ROWS:
        box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour}
        for name, x in names.items():
            ax.text(x, row, name, ha="center", va="center", bbox=box, fontsize=11)
    for name, x in NAMES.items():
        ax.text(x, 1.15, name, ha="center", fontsize=8)
    for first, last in itertools.pairwise(FORWARD.values()):
        _arrow(ax, (first, 1), (last, 1), figures.BLUE)
    for first, last in (((_L, 1), (_Z, 0)), ((_Z, 0), (_H, 0)), ((_H, 0), (_A, 0))):
        _arrow(ax, first, last, figures.ORANGE)
    for x in (_A, _Z):
        _arrow(ax, (x, 2), (x, 1), figures.BLUE)
        _arrow(ax, (x, 0), (x, -1), figures.ORANGE)
    plt.show()


def _arrow(ax, tail: tuple, head: tuple, colour: str) -> None:
    """An arrow from one box to another; those that lead back are dashed."""
    dashes = "dashed" if colour == figures.ORANGE else "solid"
    style = {"arrowstyle": "-|>", "color": colour, "linestyle": dashes, "linewidth": 1.4}
    ax.annotate("", head, tail, arrowprops=style | {"shrinkA": 15, "shrinkB": 15})
