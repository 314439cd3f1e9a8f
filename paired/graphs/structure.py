"""A graph of operations, whichever framework it comes from."""

import dataclasses
from collections.abc import Callable, Sequence

import networkx as nx


@dataclasses.dataclass(frozen=True)
class Node:
    """One node: what to write on it, its kind in `drawing.STYLES`, and the framework's object."""

    label: str
    kind: str
    source: object = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class Graph:
    """A directed acyclic graph of operations.

    `edges` run in the direction of the data, one for each time a value is used; `control` holds
    those that carry no value and only say what has to happen first.
    """

    nodes: dict[str, Node]
    edges: list[tuple[str, str]]
    control: frozenset[tuple[str, str]] = frozenset()

    def order(self) -> list[str]:
        """The keys in an order in which every node comes after all that it needs.

        Raises:
            ValueError: there is a cycle, so no such order.
        """
        try:
            places = {key: place for place, key in enumerate(self.nodes)}
            return list(nx.lexicographical_topological_sort(self.network(), places.get))
        except nx.NetworkXUnfeasible:
            raise ValueError("The graph has a cycle: no order fits all its edges.") from None

    def without(self, drop: Callable[[Node], bool]) -> "Graph":
        """The graph without some of its operations: what they were given goes to who used them."""
        nodes, edges, control = dict(self.nodes), list(self.edges), set(self.control)
        for key in [key for key, node in nodes.items() if drop(node)]:
            before = [edge for edge in edges if edge[1] == key]
            after = [edge for edge in edges if edge[0] == key]
            edges = [edge for edge in edges if key not in edge]
            for first, second in ((b, a) for b in before for a in after):
                new = (first[0], second[1])
                if first in control or second in control:
                    if new in edges:
                        continue
                    control.add(new)
                edges.append(new)
            del nodes[key]
        kept = frozenset(edge for edge in control if edge in edges)
        return Graph(nodes, edges, kept)

    def network(self) -> nx.MultiDiGraph:
        """The graph as networkx has it."""
        network = nx.MultiDiGraph()
        network.add_nodes_from(self.nodes)
        network.add_edges_from(self.edges)
        return network

    def folded(self) -> "Graph":
        """The graph with what repeats folded: the first time, the last, and one node between.

        What repeats is a run of equal labels in `order`, four times or more, such as the steps of a
        recurrent network.
        """
        order = self.order()
        start, length, times = _repeat([self.nodes[key].label for key in order])
        if times < 4:
            return self
        hidden = order[start + length : start + length * (times - 1)]
        between = f"{times - 2}-more-{hidden[0]}"
        moved = dict.fromkeys(hidden, between)
        nodes: dict[str, Node] = {}
        for key, node in self.nodes.items():
            if key in moved:
                nodes[between] = Node(f"... the same, {times - 2} times more ...", "subgraph")
            else:
                nodes[key] = node
        edges, control = [], set()
        for first, last in self.edges:
            edge = (moved.get(first, first), moved.get(last, last))
            if edge[0] != edge[1] and (edge == (first, last) or edge not in edges):
                edges.append(edge)
                control.update({edge} if (first, last) in self.control else ())
        return Graph(nodes, edges, frozenset(control))


def _repeat(labels: Sequence[str]) -> tuple[int, int, int]:
    """The repetition that covers most of a sequence: its start, its length, how many times."""
    best = (0, 1, 1)
    for length in range(1, len(labels) // 4 + 1):
        run = 0
        for place in range(len(labels) - length):
            run = run + 1 if labels[place] == labels[place + length] else 0
            times = run // length + 1
            if times * length > best[1] * best[2] and times > 3:
                best = (place + 1 - run, length, times)
    return best
