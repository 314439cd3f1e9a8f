"""Any framework's graph as one picture: what the framework itself reports, data flowing down.

Three readers turn a framework's own objects into a `Graph`, and `draw` draws it with matplotlib. No
framework is imported here before the caller has done so, and no system program is needed.
"""

import collections
import dataclasses
import inspect
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping

from paired import figures

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

# How torch.export and torch.compile call the parameters and buffers of a module.
_PARAMETER = re.compile(r"[pb]_(\w+)|l_\w+?_modules_(\w+)_(?:parameters|buffers)_(\w+)_")


@dataclasses.dataclass(frozen=True)
class Node:
    """One node: what to write on it, one of the kinds of `STYLES`, and the framework's object."""

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
            return list(
                nx.lexicographical_topological_sort(self._network(), list(self.nodes).index)
            )
        except nx.NetworkXUnfeasible:
            raise ValueError("The graph has a cycle; a graph of operations has none.") from None

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

    def _network(self) -> nx.MultiDiGraph:
        network = nx.MultiDiGraph()
        network.add_nodes_from(self.nodes)
        network.add_edges_from(self.edges)
        return network


# What each framework reports


def of_autograd(result, names: Mapping[object, str] | None = None) -> Graph:
    """PyTorch's backward graph: the nodes behind a result, from `grad_fn` and `next_functions`.

    Args:
        result: a tensor that was computed from tensors with `requires_grad`, or its `grad_fn`.
        names: what to call leaves, by the tensor itself; others are shown by their shape.

    Raises:
        ValueError: the tensor has no `grad_fn`: nothing was recorded.
    """
    root = getattr(result, "grad_fn", result)
    if not hasattr(root, "next_functions"):
        raise ValueError(
            "The tensor has no grad_fn: it was given, not computed, or no tensor that it was "
            "computed from has requires_grad."
        )
    names = {id(tensor): name for tensor, name in (names or {}).items()}
    keys, nodes, edges = {}, {}, []
    counts = collections.Counter()
    waiting = [root]
    while waiting:
        source = waiting.pop()
        if source in keys:
            continue
        leaf = getattr(source, "variable", None)
        name = source.name().rpartition("::")[2]
        keys[source] = f"{name}-{counts[name]}"
        counts[name] += 1
        if leaf is None:
            node = Node(name, "output" if source is root else "operation", source)
        else:
            called = f"{names.get(id(leaf), 'leaf')} {tuple(leaf.shape)}"
            node = Node(called, "parameter", source)
        nodes[keys[source]] = node
        waiting += [parent for parent, _ in reversed(source.next_functions) if parent is not None]
    for source, key in keys.items():
        edges += [(keys[p], key) for p, _ in source.next_functions if p is not None]
    return Graph(nodes, edges)


def of_fx(graph) -> Graph:
    """A graph that `torch.export` or `torch.compile` captured, a `torch.fx.Graph`."""
    nodes, edges = {}, []
    for source in graph.nodes:
        kind = {"placeholder": "input", "output": "output"}.get(source.op, "operation")
        label = source.name if kind == "input" else _target(source.target)
        if kind == "input" and (match := _PARAMETER.fullmatch(label)):
            label, kind = ".".join(filter(None, match.groups())), "parameter"
        elif source.op == "get_attr":
            value = _attribute(graph.owning_module, source.target)
            kind = "subgraph" if hasattr(value, "graph") else "parameter"
        nodes[source.name] = Node(label, kind, source)
        # `all_input_nodes` would name an argument once that is used twice.
        used: list[str] = []
        _map_arguments((source.args, source.kwargs), lambda node, used=used: used.append(node.name))
        edges += [(name, source.name) for name in used]
    return Graph(nodes, edges)


def _map_arguments(argument, visit: Callable) -> None:
    """Call `visit` on each node among the arguments of a node of `torch.fx`."""
    if isinstance(argument, Mapping):
        argument = argument.values()
    if isinstance(argument, Iterable) and not isinstance(argument, str):
        for part in argument:
            _map_arguments(part, visit)
    elif hasattr(argument, "all_input_nodes"):
        visit(argument)


def _attribute(module, name: str):
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def _target(target) -> str:
    """What a node of `torch.fx` calls: `aten.addmm`, `add`, `relu`."""
    if isinstance(target, str):
        return target
    if inspect.isroutine(target) or inspect.isclass(target):
        return target.__name__
    return str(target).removesuffix(".default")


def of_tf(graph) -> Graph:
    """TensorFlow's graph, a `tf.Graph`: that of a session, or `concrete_function.graph`."""
    import tensorflow as tf

    captured = {}
    variables = {id(variable.handle): variable for variable in _variables(graph)}
    for outer, inner in getattr(graph, "captures", ()):
        variable = variables.get(id(outer))
        known = variable is not None
        captured[inner.op.name] = variable.name.partition(":")[0] if known else "captured"
    outputs = {tensor.op.name for tensor in getattr(graph, "outputs", ())}
    nodes, edges, control = {}, [], set()
    for source in graph.get_operations():
        label, kind = source.type, "operation"
        if source.name in captured:
            label, kind = captured[source.name], "parameter"
        elif source.type in ("Placeholder", "PlaceholderWithDefault"):
            label, kind = source.name, "input"
        elif source.type in ("VarHandleOp", "VariableV2"):
            label, kind = source.name, "parameter"
        elif source.type == "Const":
            value = tf.make_ndarray(source.get_attr("value"))
            label = (
                f"{value.item():.6g}" if value.size == 1 and value.dtype.kind in "fiu" else "Const"
            )
            kind = "constant"
        elif source.name in outputs:
            kind = "output"
        nodes[source.name] = Node(label, kind, source)
        edges += [(tensor.op.name, source.name) for tensor in source.inputs]
        waits = {(op.name, source.name) for op in source.control_inputs} - set(edges)
        edges += sorted(waits)
        control |= waits
    return Graph(nodes, edges, frozenset(control))


def _variables(graph) -> list:
    return [v for v in getattr(graph, "variables", ()) if hasattr(v, "handle")]


# Drawing


def draw(
    graph: Graph,
    title: str = "",
    *,
    numbers: Mapping[str, int] | None = None,
    highlight: Collection[str] = (),
    ax: plt.Axes | None = None,
) -> None:
    """Draw a graph, data flowing from top to bottom.

    Args:
        graph: what to draw.
        title: written above it.
        numbers: a number for each of some nodes, by key, such as the order in which they ran.
        highlight: the keys of nodes to draw with a thick red outline.
        ax: where to draw; else a figure as large as the graph is made, and shown.

    Raises:
        KeyError: a key in `numbers` or `highlight` is none of the graph's.
        ValueError: the graph is empty, or has a cycle.
    """
    if not graph.nodes:
        raise ValueError("The graph has no nodes: there is nothing to draw.")
    if strangers := [key for key in (*(numbers or ()), *highlight) if key not in graph.nodes]:
        raise KeyError(f"No node is called {strangers[0]!r}; see `graph.nodes`.")
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
    network = graph._network()
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
