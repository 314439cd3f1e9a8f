"""One style for every figure of the course."""

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler

# Okabe and Ito's palette, which people with any of the common kinds of colour blindness can tell
# apart; black comes last because axes and text already use it.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip


def use_style() -> None:
    """Apply the course's figure style to every figure drawn from now on."""
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.2),
            "figure.dpi": 96,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "image.cmap": "gray_r",
            "font.size": 10,
            "legend.frameon": False,
        }
    )


def draw_images(images, titles, columns: int = 10) -> plt.Figure:
    """Draw small grey images of shape `(n, height, width)` in rows, each under its title."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(0.72 * columns, 0.95 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(image, vmin=0, vmax=1)
        axis.set_title(title, fontsize=8, pad=2)
    return figure


def show_images(images, titles, columns: int = 10) -> None:
    """Draw images like `draw_images`, and show them."""
    draw_images(images, titles, columns)
    plt.show()


def tiles(images: np.ndarray, low: float, high: float, zoom: int = 16) -> np.ndarray:
    """Small images side by side in one row, each pixel magnified to a square.

    Args:
        images: of shape `(n, height, width)`.
        low: the value that becomes white, as do those below.
        high: the value that becomes black, as do those above.
        zoom: how many pixels wide and high one becomes, and how wide the gaps are.

    Returns:
        uint8, of shape `(height * zoom, n * (width + 1) * zoom - zoom, 3)`.
    """
    gap = np.full((*images.shape[:2], 1), low)
    row = np.concatenate([*np.concatenate([images, gap], axis=2)], axis=1)[:, :-1]
    grey = 255 * (1 - np.clip((row - low) / (high - low), 0, 1))
    return np.repeat(np.kron(np.rint(grey), np.ones((zoom, zoom)))[..., None], 3, 2).astype("uint8")
