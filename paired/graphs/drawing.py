"""A graph drawn with matplotlib, data flowing down. No system program is needed."""

import collections
import itertools
from collections.abc import Collection, Iterable, Mapping

from paired import figures
from paired.graphs.structure import Graph, Node

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
from matplotlib import lines, patches, path
from scipy.optimize import isotonic_regression

# How a node of each kind looks: fill, outline, and the style of the outline, so that no kind
# depends on its colour alone. Fills are Okabe and Ito's colours, paled to let black text stand out.
STYLES = {
    "input": ("#CCE3F0", figures.BLUE, "solid"),
    "parameter": ("#FAECCC", figures.ORANGE, "dashed"),
    "constant": ("#F2F2F2", "#666666", "dotted"),
    "subgraph": ("#F5E4ED", figures.PURPLE, "dashdot"),
    "operation": ("#FFFFFF", figures.BLACK, "solid"),
    "output": ("#CCECE3", figures.GREEN, "solid"),
}
# In inches; characters are as wide as DejaVu Sans draws them on average.
_FONT_SIZE, _CHARACTER, _HEIGHT, _ROW, _GAP, _MARGIN = 8, 0.078, 0.24, 0.52, 0.16, 0.12
_SWEEPS = 12
_MOST_NODES = 120


def draw(
    graph: Graph,
    title: str = "",
    *,
    numbers: Mapping[str, int] | None = None,
    highlight: Collection[str] = (),
    ax: plt.Axes | None = None,
) -> None:
    """Draw a graph, data flowing from top to bottom; what repeats in a large one is folded.

    Args:
        graph: what to draw.
        title: written above it.
        numbers: a number for each of some nodes, by key, such as the order in which they ran.
        highlight: the keys of nodes to draw with a thick red outline.
        ax: where to draw; else a figure as large as the graph is made, and shown.

    Raises:
        KeyError: a key in `numbers` or `highlight` is none of the graph's.
        ValueError: the graph is empty, too large to be read, or has a cycle.
    """
    if not graph.nodes:
        raise ValueError("The graph has no nodes: there is nothing to draw.")
    if strangers := [key for key in (*(numbers or ()), *highlight) if key not in graph.nodes]:
        raise KeyError(f"No node is called {strangers[0]!r}; see `graph.nodes`.")
    graph = _readable(graph)
    places, routes = _layout(graph)
    kinds = [kind for kind in STYLES if any(n.kind == kind for n in graph.nodes.values())]
    halves = {key: _width(node.label) / 2 for key, node in graph.nodes.items()}
    # An edge that goes round a node may run further out than any node.
    bends = [x for _, points in routes for x, _ in points]
    left = min([x - halves[key] for key, (x, _) in places.items()] + bends) - _MARGIN
    right = max([x + halves[key] for key, (x, _) in places.items()] + bends) + _MARGIN
    bottom, top = min(y for _, y in places.values()) - _ROW, _ROW / 2
    legend = sum(_width(kind) + 0.3 for kind in kinds)
    wanting = max(0.0, legend - (right - left)) / 2
    left, right = left - wanting, right + wanting
    shown = ax is None
    if shown:
        _, ax = plt.subplots(figsize=(right - left, top - bottom + 0.3 * bool(title)))
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set_aspect("equal")
    ax.axis("off")
    ax.set_title(title, fontsize=_FONT_SIZE + 2)
    for edge, points in routes:
        _draw_edge(ax, points, dashed=edge in graph.control)
    for key, node in graph.nodes.items():
        _draw_node(ax, places[key], halves[key], node, key in highlight)
        if numbers and key in numbers:
            _draw_number(ax, places[key], halves[key], numbers[key])
    handles = [lines.Line2D([], [], **_marker(kind), label=kind) for kind in kinds]
    ax.legend(
        handles=handles,
        loc="lower center",
        ncols=len(kinds),
        fontsize=_FONT_SIZE - 1,
        handletextpad=0.2,
        columnspacing=1,
        borderpad=0,
    )
    if shown:
        plt.show()


def _readable(graph: Graph) -> Graph:
    """The graph, folded if it is large."""
    while len(graph.nodes) > _MOST_NODES:
        folded = graph.folded()
        if folded is graph:
            raise ValueError(
                f"The graph has {len(graph.nodes)} nodes, and more than {_MOST_NODES} cannot be "
                "read in a picture. Take a smaller one that shows the same, such as five steps of "
                "a sequence, or leave nodes out: graph.without(lambda node: ...)."
            )
        graph = folded
    return graph


def _width(label: str) -> float:
    return max(0.34, _CHARACTER * len(label) + 0.14)


def _marker(kind: str) -> dict:
    fill, outline, _ = STYLES[kind]
    style = {"marker": "s", "linestyle": "none", "markersize": 7}
    return {**style, "markerfacecolor": fill, "markeredgecolor": outline}


def _draw_node(ax, place, half: float, node: Node, thick: bool) -> None:
    fill, outline, style = STYLES[node.kind]
    x, y = place
    rounded = "round,pad=0,rounding_size=0.1" if node.kind == "operation" else "square,pad=0"
    ax.add_patch(
        patches.FancyBboxPatch(
            (x - half, y - _HEIGHT / 2),
            2 * half,
            _HEIGHT,
            boxstyle=rounded,
            facecolor=fill,
            edgecolor=figures.RED if thick else outline,
            linestyle="solid" if thick else style,
            linewidth=2.2 if thick else 1,
            zorder=2,
        )
    )
    ax.text(x, y, node.label, ha="center", va="center", fontsize=_FONT_SIZE, zorder=3)


def _draw_number(ax, place, half: float, number: int) -> None:
    x, y = place[0] - half, place[1] + _HEIGHT / 2
    circle = {"boxstyle": "circle,pad=0.15", "facecolor": figures.BLACK, "edgecolor": "none"}
    style = {"color": "white", "fontsize": _FONT_SIZE - 2, "fontweight": "bold", "zorder": 4}
    ax.text(x, y, str(number), ha="center", va="center", bbox=circle, **style)


def _draw_edge(ax, points: list[tuple[float, float]], dashed: bool) -> None:
    """A smooth line through the points, vertical at each, with a head at the last."""
    (x, y), *rest = points
    vertices, codes = [(x, y)], [path.Path.MOVETO]
    for x_next, y_next in rest:
        middle = (y + y_next) / 2
        vertices += [(x, middle), (x_next, middle), (x_next, y_next)]
        codes += [path.Path.CURVE4] * 3
        x, y = x_next, y_next
    ax.add_patch(
        patches.FancyArrowPatch(
            path=path.Path(vertices, codes),
            arrowstyle="-|>,head_length=3.5,head_width=1.8",
            linestyle=(0, (3, 2)) if dashed else "solid",
            color="#444444",
            linewidth=0.9,
            shrinkA=0,
            shrinkB=0,
            zorder=1,
        )
    )


# Layout, after K. Sugiyama, S. Tagawa and M. Toda, Methods for visual understanding of hierarchical
# system structures, IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981: nodes in rows,
# long edges through a place in each row between, rows ordered by the average of their neighbours.


def _rows(graph: Graph) -> dict[str, int]:
    """The row of each node: below all that it needs; what needs nothing just above its first user.

    Raises:
        ValueError: there is a cycle.
    """
    graph.order()
    network = graph.network()
    rows = {
        key: row for row, keys in enumerate(nx.topological_generations(network)) for key in keys
    }
    for key in network:
        if not network.in_degree(key) and network.out_degree(key):
            rows[key] = min(rows[user] for user in network.successors(key)) - 1
    return rows


def _layout(graph: Graph) -> tuple[dict, list]:
    """Where each node is, and for each edge the points that it runs through; in inches."""
    rows = _rows(graph)
    widths = {key: _width(node.label) for key, node in graph.nodes.items()}
    levels: list[list] = [[] for _ in range(max(rows.values()) + 1)]
    for key in graph.order():
        levels[rows[key]].append(key)
    chains, neighbours = [], collections.defaultdict(lambda: ([], []))  # above, below
    for number, (first, last) in enumerate(graph.edges):
        between = [(number, row) for row in range(rows[first] + 1, rows[last])]
        for place in between:
            widths[place] = 0.05
            levels[place[1]].append(place)
        chain = [first, *between, last]
        chains.append(((first, last), chain))
        for upper, lower in itertools.pairwise(chain):
            neighbours[lower][0].append(upper)
            neighbours[upper][1].append(lower)
    xs = _columns(levels, neighbours, widths)
    places = {key: (xs[key], -_ROW * rows[key]) for key in graph.nodes}
    routes = [
        (edge, _route(chain, aside, xs, rows))
        for (edge, chain), aside in zip(chains, _asides(chains), strict=True)
    ]
    return places, routes


def _columns(levels: list[list], neighbours: Mapping, widths: Mapping) -> dict:
    """The x of each place: near its neighbours, in an order with few crossings, and not too close.

    A row is first ordered by the average x of its neighbours. Its places are then the nearest, by
    least squares, to those averages that keep the order and the gaps: an isotonic regression.
    """
    xs = {place: float(i) for level in levels for i, place in enumerate(level)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for level in levels if down else reversed(levels):
            wanted = {}
            for place in level:
                near = neighbours[place][0 if down else 1] or neighbours[place][1 if down else 0]
                wanted[place] = float(np.mean([xs[each] for each in near])) if near else xs[place]
            level.sort(key=wanted.get)
            steps = [0.0]
            for first, second in itertools.pairwise(level):
                steps.append((widths[first] + widths[second]) / 2 + _GAP)
            offsets = np.cumsum(steps)
            shifted = np.array([wanted[place] for place in level]) - offsets
            xs.update(zip(level, isotonic_regression(shifted).x + offsets, strict=True))
    return xs


def _asides(chains: list) -> Iterable[float]:
    """How far to the side each edge runs, where several join the same two nodes directly."""
    total = collections.Counter(edge for edge, chain in chains if len(chain) == 2)
    seen = collections.Counter()
    for edge, chain in chains:
        several = len(chain) == 2 and total[edge] > 1
        yield 0.14 * (seen[edge] - (total[edge] - 1) / 2) if several else 0.0
        seen[edge] += 1


def _route(chain: list, aside: float, xs: Mapping, rows: Mapping) -> list[tuple[float, float]]:
    """The points that an edge runs through, from the foot of one node to the head of another."""
    first, *between, last = chain
    points = [(xs[first] + aside, -_ROW * rows[first] - _HEIGHT / 2)]
    points += [(xs[place], -_ROW * place[1]) for place in between]
    return [*points, (xs[last] + aside, -_ROW * rows[last] + _HEIGHT / 2)]
