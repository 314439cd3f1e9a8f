"""Lesson 01's pictures: piles of images, and grids of numbers side by side."""

from paired import figures

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

# What the numbers in `colours` mean: white, blue, yellow, orange, grey.
_PAINT = ListedColormap(["white", figures.SKY, figures.YELLOW, figures.ORANGE, "#DDDDDD"])


def draw_piles(grids: dict) -> None:
    """Draw arrays of rank 0 to 4, each under its name, rank and shape: piles of images."""
    _, axes = plt.subplots(1, len(grids), figsize=(9.6, 2), width_ratios=[1, 1, 1, 1, 3])
    for axis, (name, array) in zip(axes, grids.items(), strict=True):
        piles = np.array(array, ndmin=4)  # axes that are missing get the length 1
        for (i, k), _ in np.ndenumerate(piles[..., 0, 0]):
            height, width = piles.shape[2:]
            left, low = 16 * i + 1.5 * k, 1.5 * k
            where = (left, left + width, low, low + height)
            axis.imshow(piles[i, k], vmin=0, vmax=1, extent=where, zorder=-k)
            frame = {"fill": False, "ec": figures.BLUE, "zorder": -k}
            axis.add_patch(plt.Rectangle((left, low), width, height, **frame))
        axis.set(xlim=(-0.5, 16 * len(piles) - 1), ylim=(-0.5, 14.5))
        axis.axis("off")
        title = f"{name}, rank {np.ndim(array)}\nshape {np.shape(array)}"
        axis.set_title(title, fontsize=10, loc="left")
    plt.show()


def draw_grids(grids: dict, colours: dict, letters: dict | None = None, height=2, size=10) -> None:
    """Draw arrays of rank 2 side by side, each under its title.

    Args:
        grids: the arrays, by title.
        colours: for a title, an array of the same shape: see `_PAINT`; white where it has none.
        letters: for a title, the names of its two axes, down and across.
        height: that of the figure, in inches.
        size: that of the numbers, in points.
    """
    widths = [max(2, array.shape[1]) for array in grids.values()]
    _, axes = plt.subplots(1, len(grids), figsize=(9.6, height), width_ratios=widths)
    for axis, (title, array) in zip(axes, grids.items(), strict=True):
        paint = {"cmap": _PAINT, "vmin": 0, "vmax": 4, "edgecolors": "0.7", "linewidth": 0.5}
        axis.pcolormesh(colours.get(title, 0 * array), clip_on=False, **paint)
        for (down, across), value in np.ndenumerate(array):
            axis.text(across + 0.5, down + 0.5, value, ha="center", va="center", fontsize=size)
        down, across = (letters or {}).get(title, ("", ""))
        axis.set(xticks=[], yticks=[], xlabel=across, ylabel=down, aspect="equal")
        axis.yaxis.label.set_rotation(0)
        axis.set_title(title, fontsize=10)
        axis.spines[:].set_visible(False)
        axis.invert_yaxis()
    plt.show()
