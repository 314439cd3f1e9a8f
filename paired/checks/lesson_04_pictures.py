"""Lesson 04's drawings: a convolutional network by what its layers give, and two flatten orders."""

from collections.abc import Sequence

from paired import figures

import matplotlib.pyplot as plt
import numpy as np


def network(stages: Sequence[tuple[str, tuple[int, ...]]], channels_last: bool) -> None:
    """Draw what each layer gives for one image, where its shape is not that of the one before.

    Args:
        stages: each layer's name, and the shape of what it gives: three numbers, or one.
        channels_last: whether shapes are (height, width, channels).
    """
    before = [None, *(shape for _, shape in stages)]
    shown = [stage for stage, last in zip(stages, before, strict=False) if stage[1] != last]
    _, ax = plt.subplots(figsize=(6.4, 2.0))
    for x, (name, shape) in enumerate(shown):
        if len(shape) == 3:
            channels, side = (shape[2], shape[0]) if channels_last else shape[:2]
            width, height, sheets = side * 0.07, side * 0.054, min(channels, 4)
        else:
            width, height, sheets = 0.12, 0.25 + shape[0] * 0.006, 1
        for sheet in reversed(range(sheets)):
            corner = (x - width / 2 + sheet * 0.05, -height / 2 + sheet * 0.06)
            box = plt.Rectangle(corner, width, height, fc=figures.SKY, ec="black", lw=0.7)
            ax.add_patch(box)
        ax.text(x, 0.66, name, ha="center")
        ax.text(x, -0.66, " \u00d7 ".join(map(str, shape)), ha="center", va="center")
        if x:
            ax.annotate("", (x - 0.32, 0), (x - 0.54, 0), arrowprops={"arrowstyle": "->"})
    ax.set(xlim=(-0.5, len(shown) - 0.5), ylim=(-0.85, 0.85))
    ax.axis("off")
    plt.show()


def flatten_orders(maps: np.ndarray) -> None:
    """Draw feature maps of names, (channels, height, width), and both ways to flatten them."""
    _, height, width = maps.shape
    _, ax = plt.subplots(figsize=(6.4, 2.2))
    for c, y, x in np.ndindex(maps.shape):
        _square(ax, c * (width + 1) + x, 2.6 + height - y, maps[c, y, x], c)
    ways = {"channels first": maps, "channels last": maps.transpose(1, 2, 0)}
    for row, (way, ordered) in enumerate(ways.items()):
        ax.text(-0.3, 1.5 - 1.3 * row, way, ha="right", va="center")
        for place, name in enumerate(ordered.ravel()):
            _square(ax, place, 1 - 1.3 * row, name, int(np.argwhere(maps == name)[0, 0]))
    ax.set(xlim=(-3.5, maps.size + 0.1), ylim=(-0.5, 3.8 + height), aspect="equal")
    ax.axis("off")
    plt.show()


def _square(ax, x: float, y: float, text: str, channel: int) -> None:
    color = (figures.SKY, figures.ORANGE)[channel % 2]
    ax.add_patch(plt.Rectangle((x, y), 1, 1, fc=color, ec="black", lw=0.7))
    ax.text(x + 0.5, y + 0.47, text, ha="center", va="center")
