"""One style for every figure of the course."""

import matplotlib.pyplot as plt
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


def show_images(images, titles, columns: int = 10) -> None:
    """Draw small grey images of shape `(n, height, width)` in rows, each under its title."""
    rows = -(-len(images) // columns)
    _, axes = plt.subplots(rows, columns, figsize=(0.72 * columns, 0.95 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(image, vmin=0, vmax=1)
        axis.set_title(title, fontsize=8, pad=2)
    plt.show()
