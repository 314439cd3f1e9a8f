"""Lesson 00, quick start: one image on its way through the network, as a picture."""

from collections.abc import Sequence

from paired import figures

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

# Where the layers stand, from left to right; the image fills a square before them.
_COLUMNS, _IMAGE = (4.6, 7.0, 9.4), (0.0, 2.6)
_TOP, _FLOOR = 3.6, -0.95


def draw_pass(
    image: np.ndarray,
    layers: Sequence[np.ndarray],
    label: int = -1,
    loss: float = 0,
    back: str = "",
) -> None:
    """Draw an image's pixels, what three layers make of them, and the probabilities of the digits.

    Args:
        image: of shape `(height, width)`, from 0 to 1.
        layers: the values of the first and second hidden layer and the logits, one axis each.
        label: the right digit, if it is known.
        loss: of the batch.
        back: what the framework calls the way back, which is drawn then.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.0 if back else 3.4))
    ax.imshow(image, extent=(*_IMAGE, 0.5, 3.1), vmin=0, vmax=1)
    ax.add_patch(plt.Rectangle((0, 0.5), 2.6, 2.6, fill=False, edgecolor="0.6"))
    text = {"ha": "center", "va": "center", "fontsize": 8}
    ax.text(1.3, -0.35, f"{image.size} pixels", **text)
    before = np.linspace((_IMAGE[1], 0.5), (_IMAGE[1], 3.1), len(image))
    for number, (x, values) in enumerate(zip(_COLUMNS, layers, strict=True), start=1):
        places = np.stack([np.full(len(values), x), np.linspace(_TOP, 0, len(values))], axis=1)
        lines = [(start, end) for start in before for end in places]
        ax.add_collection(LineCollection(lines, colors="0.8", linewidths=0.25, zorder=0))
        grey = (values - min(values.min(), 0)) / max(np.ptp([*values, 0]), 1e-9)
        size = 200 / len(values)
        ax.scatter(*places.T, size + 15, grey, edgecolors="0.3", linewidths=0.6, vmin=0, vmax=1)
        last = number == len(layers)
        ax.text(x, -0.35, f"{len(values)} {'logits' if last else 'hidden units'}", **text)
        name = f"layer {number}" if last else f"layer {number},\nactivation ReLU"
        ax.text((before[0, 0] + x) / 2, 4.15, f"{name} →", color=figures.BLUE, **text)
        before = places
    probabilities = np.exp(layers[-1] - layers[-1].max())
    probabilities /= probabilities.sum()
    colors = [figures.ORANGE if digit == label else figures.SKY for digit in range(10)]
    ax.barh(before[:, 1], probabilities, 0.25, left=_COLUMNS[-1] + 0.55, color=colors)
    for digit, (x, y) in enumerate(before):
        ax.text(x + 0.3, y, str(digit), **text)
    ax.text(10.45, 4.15, "probabilities", color=figures.BLUE, **text)
    if back:
        ax.text(12.0, 1.8, f"loss\n{loss:.2f}", color=figures.RED, **text | {"fontsize": 10})
        arrow = {"arrowstyle": "-|>", "color": figures.RED, "lw": 1.5}
        ax.annotate("", (3.0, _FLOOR), (12.0, _FLOOR), arrowprops=arrow)
        ax.annotate("", (12.0, 1.3), (12.0, _FLOOR), arrowprops=arrow | {"arrowstyle": "-"})
        words = f"{back}: a gradient for each weight, from the last layer to the first"
        ax.text(7.5, _FLOOR - 0.3, words, color=figures.RED, **text)
        words = "the optimiser\nchanges the weights"
        ax.text(1.3, _FLOOR - 0.25, words, color=figures.GREEN, **text)
    ax.set(xlim=(-0.3, 12.7), ylim=(-1.7 if back else -0.6, 4.5), aspect="equal")
    ax.axis("off")
    plt.show()
