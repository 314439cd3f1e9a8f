"""Lesson 08's figures, drawn from `notebooks/08_speed/measured.json`: no time of this machine."""

from collections.abc import Mapping

from paired import figures

import matplotlib.pyplot as plt

COLOURS = {"pytorch": figures.ORANGE, "tensorflow": figures.BLUE}
MODES = {"pytorch": ("eager", "fused", "channels last", "compiled")}
MODES["tensorflow"] = ("tape", "fit", "function", "jit")
CUT = 5  # bars are cut off at so many times the shortest


def noise(measured: Mapping) -> None:
    """Draw how the same ten steps differ: alone and with busy processes, by each clock."""
    _, axes = plt.subplots(1, 2, figsize=(6.8, 2.6), sharey=True)
    for ax, (state, clocks) in zip(axes, measured.items(), strict=True):
        for height, (name, values) in enumerate(clocks.items()):
            heights = [height + (n % 7 - 3) / 15 for n in range(len(values))]
            ax.scatter(values, heights, s=7, label=name)
        ax.set(title=state, xlabel="milliseconds for ten steps", xscale="log")
        ax.set_yticks(range(len(clocks)), clocks)
    axes[0].invert_yaxis()  # and so the other's
    lows, highs = zip(*(ax.get_xlim() for ax in axes), strict=True)
    for ax in axes:
        ax.set_xlim(min(lows), max(highs))
        ticks = [
            tick for tick in (10, 20, 50, 100, 200, 500, 1000) if min(lows) < tick < max(highs)
        ]
        ax.set_xticks(ticks, ticks)
        ax.minorticks_off()
    plt.show()


def modes(races: Mapping, nets: Mapping[str, str]) -> None:
    """Draw each network in each mode of both frameworks: CPU time of a step of 64 samples.

    Args:
        races: what each racer took, by `mode <net> <mode>`.
        nets: the networks' names in the record, and what to call them.
    """
    rows = [(framework, mode) for framework, own in MODES.items() for mode in own]
    _, axes = plt.subplots(1, len(nets), figsize=(8.6, 3), sharey=True)
    for ax, (net, title) in zip(axes, nets.items(), strict=True):
        found = [races[half].get(f"mode {net} {mode}", {"us": 0})["us"] for half, mode in rows]
        milliseconds = [each * 64 / 1000 for each in found]
        least = min(each for each in milliseconds if each)
        for row, ((framework, _), each) in enumerate(zip(rows, milliseconds, strict=True)):
            ax.barh(row, each, color=COLOURS[framework])
            if each > CUT * least:
                ax.text(CUT * least, row, f"{each:.0f}", ha="right", va="center", color="white")
        ax.set(xlim=(0, CUT * least), xlabel="ms a step")
        ax.set_title(title, fontsize=9)
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(rows)), [mode for _, mode in rows], fontsize=8)
    axes[0].invert_yaxis()
    plt.show()


def batches(races: Mapping, sizes: tuple[int, ...]) -> None:
    """Draw samples a second, and seconds to 95 % of the test digits, by batch size."""
    _, (left, right) = plt.subplots(1, 2, figsize=(6.8, 2.8))
    for framework, colour in COLOURS.items():
        plain = {"pytorch": "fused", "tensorflow": "function"}[framework]
        own = races[framework]
        for net, style in ("mlp", "o-"), ("cnn", "s--"):
            rates = [1e6 / own[f"batch {net} {plain} {n}"]["us"] for n in sizes]
            left.plot(sizes, rates, style, color=colour, label=f"{framework}, {net}")
        each = [own[f"accuracy {n}"] for n in sizes]
        seconds = [found["us"] * found["samples a turn"] / 1e6 for found in each]
        right.plot(sizes, seconds, "o-", color=colour, label=f"{framework}, mlp")
    for ax, label in (left, "samples a second of CPU"), (right, "seconds of CPU to 95 %"):
        ax.set(xscale="log", yscale="log", xlabel="batch size", ylabel=label)
        ax.set_xticks(sizes, sizes)
        ax.minorticks_off()
        ax.legend(fontsize=7)
    ticks = (0.05, 0.1, 0.2, 0.5, 1, 2)
    right.set_yticks(ticks, ticks)
    plt.show()
