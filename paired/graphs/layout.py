"""Where each node and edge of a graph is drawn.

After K. Sugiyama, S. Tagawa and M. Toda, Methods for visual understanding of hierarchical system
structures, IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981: nodes in rows, long
edges through a place in each row between, rows ordered by the average of their neighbours.
"""

import collections
import itertools
from collections.abc import Iterable, Mapping

from paired.graphs.structure import Graph

import networkx as nx
import numpy as np
from scipy.optimize import isotonic_regression

# In inches; characters are as wide as DejaVu Sans draws them on average.
HEIGHT, ROW = 0.24, 0.52
_CHARACTER, _GAP = 0.078, 0.16
_SWEEPS = 12


def width(label: str) -> float:
    """How wide a node with this label is, in inches."""
    return max(0.34, _CHARACTER * len(label) + 0.14)


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


def layout(graph: Graph) -> tuple[dict, list]:
    """Where each node is, and for each edge the points that it runs through; in inches."""
    rows = _rows(graph)
    widths = {key: width(node.label) for key, node in graph.nodes.items()}
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
    places = {key: (xs[key], -ROW * rows[key]) for key in graph.nodes}
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
    points = [(xs[first] + aside, -ROW * rows[first] - HEIGHT / 2)]
    points += [(xs[place], -ROW * place[1]) for place in between]
    return [*points, (xs[last] + aside, -ROW * rows[last] + HEIGHT / 2)]
