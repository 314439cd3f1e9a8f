"""Lesson 00, quick start: one image on its way through the network, as a picture."""

from collections.abc import Sequence

from paired import figures

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection


def draw_pass(image: np.ndarray, layers: Sequence[np.ndarray], label=-1, loss=0.0, back="") -> None:
    """Draw an image's pixels, what three layers make of them, and the probabilities of the digits.

    Args:
        image: of shape `(height, width)`, from 0 to 1.
        layers: the values of two hidden layers and the logits, one axis each.
        label: the right digit, if it is known.
        loss: of the batch.
        back: what the framework calls the way back; without it none is drawn.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.0 if back else 3.4))
    text = {"ha": "center", "va": "center", "fontsize": 8}
    blue, red = text | {"color": figures.BLUE}, text | {"color": figures.RED}
    ax.imshow(image, extent=(0, 2.6, 0.5, 3.1), vmin=0, vmax=1)
    ax.add_patch(plt.Rectangle((0, 0.5), 2.6, 2.6, fill=False, edgecolor="0.6"))
    ax.text(1.3, -0.35, f"{image.size} pixels", **text)
    before = np.linspace((2.6, 0.5), (2.6, 3.1), len(image))
    for number, (x, values) in enumerate(zip((4.6, 7.0, 9.4), layers, strict=True), start=1):
        places = np.linspace((x, 3.6), (x, 0), len(values))
        lines = [(start, end) for start in before for end in places]
        ax.add_collection(LineCollection(lines, colors="0.8", linewidths=0.25, zorder=0))
        grey = (values - min(values.min(), 0)) / max(np.ptp([*values, 0]), 1e-9)
        style = {"edgecolors": "0.3", "linewidths": 0.6, "vmin": 0, "vmax": 1}
        ax.scatter(*places.T, 15 + 200 / len(values), grey, **style)
        kind, after = ("logits", "") if number == 3 else ("hidden units", ",\nactivation ReLU")
        ax.text(x, -0.35, f"{len(values)} {kind}", **text)
        ax.text((before[0, 0] + x) / 2, 4.15, f"layer {number}{after} →", **blue)
        before = places
    probabilities = np.exp(layers[-1] - layers[-1].max())
    colors = [figures.ORANGE if digit == label else figures.SKY for digit in range(10)]
    ax.barh(before[:, 1], probabilities / probabilities.sum(), 0.25, left=9.95, color=colors)
    for digit, (x, y) in enumerate(before):
        ax.text(x + 0.3, y, str(digit), **text)
    ax.text(10.45, 4.15, "probabilities", **blue)
    if back:
        ax.text(12, 1.8, f"loss\n{loss:.2f}", **red | {"fontsize": 10})
        arrow = {"color": figures.RED, "lw": 1.5, "arrowstyle": "-|>"}
        ax.annotate("", (3, -0.95), (12, -0.95), arrowprops=arrow)
        ax.plot((12, 12), (1.3, -0.95), color=figures.RED, lw=1.5)
        words = "a gradient for each weight, from the last layer to the first"
        ax.text(7.5, -1.25, f"{back}: {words}", **red)
        ax.text(1.3, -1.15, "the optimiser\nchanges the weights", **text | {"color": figures.GREEN})
    ax.set(xlim=(-0.3, 12.7), ylim=(-1.7 if back else -0.6, 4.5), aspect="equal")
    ax.axis("off")
    plt.show()
