"""Graphs are read as the framework reports them, and drawn so that they can be read."""

import operator
import re

from paired import graphs, imports
from paired.graphs import layout

import matplotlib
import matplotlib.pyplot as plt
import onnx
import pytest

DIAMOND = graphs.Graph(
    {name: graphs.Node(name, "operation") for name in "dbca"},
    [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")],
)


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("agg")
    yield
    plt.close("all")


def labels(graph):
    """Edges by what is written on their nodes."""
    return sorted((graph.nodes[a].label, graph.nodes[b].label) for a, b in graph.edges)


def test_order_puts_each_node_after_what_it_needs():
    order = DIAMOND.order()
    assert sorted(order) == list("abcd")
    assert all(order.index(first) < order.index(second) for first, second in DIAMOND.edges)


def test_a_cycle_is_refused():
    nodes = {name: graphs.Node(name, "operation") for name in "ab"}
    circle = graphs.Graph(nodes, [("a", "b"), ("b", "a")])
    with pytest.raises(ValueError, match="cycle"):
        graphs.draw(circle)


def test_an_empty_graph_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        graphs.draw(graphs.Graph({}, []))


def test_a_stranger_is_named():
    with pytest.raises(KeyError, match="No node is called 'z'"):
        graphs.draw(DIAMOND, highlight={"z"})


def test_without_joins_what_it_leaves_out():
    less = DIAMOND.without(lambda node: node.label in "bc")
    assert less.edges == [("a", "d"), ("a", "d"), ("a", "d")]
    assert list(less.nodes) == ["d", "a"]


def test_without_keeps_control_edges_apart():
    nodes = {name: graphs.Node(name, "operation") for name in "abc"}
    graph = graphs.Graph(nodes, [("a", "b"), ("b", "c")], frozenset({("b", "c")}))
    assert graph.without(lambda node: node.label == "b").control == {("a", "c")}


# Drawing


def boxes(axis):
    return {
        text.get_text(): patch
        for text, patch in zip(
            axis.texts,
            [p for p in axis.patches if isinstance(p, matplotlib.patches.FancyBboxPatch)],
            strict=True,
        )
    }


def test_data_flows_down_and_nothing_overlaps():
    _, axis = plt.subplots()
    graphs.draw(DIAMOND, ax=axis)
    place = {name: (box.get_x(), box.get_y(), box.get_width()) for name, box in boxes(axis).items()}
    for first, second in DIAMOND.edges:
        assert place[first][1] > place[second][1]
    (left, y, width), (right, other_y, _) = sorted((place["b"], place["c"]))
    assert y == other_y
    assert left + width < right


def test_each_use_of_a_value_is_an_arrow():
    nodes = {name: graphs.Node(name, "operation") for name in "ab"}
    _, axis = plt.subplots()
    graphs.draw(graphs.Graph(nodes, [("a", "b"), ("a", "b")]), ax=axis)
    arrows = [p for p in axis.patches if isinstance(p, matplotlib.patches.FancyArrowPatch)]
    starts = {float(arrow.get_path().vertices[0][0]) for arrow in arrows}
    assert (len(arrows), len(starts)) == (2, 2)


def test_a_drawing_is_as_wide_as_its_arrows():
    nodes = {name: graphs.Node(name, "operation") for name in "abcde"}
    skips = [("a", "c"), ("a", "d"), ("a", "e"), ("b", "d"), ("b", "e"), ("c", "e")]
    graph = graphs.Graph(nodes, [*zip("abcd", "bcde", strict=True), *skips])
    _, axis = plt.subplots()
    graphs.draw(graph, ax=axis)
    left, right = axis.get_xlim()
    assert all(left < x < right for _, points in layout.layout(graph)[1] for x, _ in points)


def test_numbers_and_highlights_are_drawn():
    _, axis = plt.subplots()
    graphs.draw(DIAMOND, "title", numbers={"a": 7}, highlight={"b"}, ax=axis)
    assert "7" in [text.get_text() for text in axis.texts]
    assert axis.get_title() == "title"
    thick = [p for p in axis.patches if p.get_linewidth() > 2]
    assert len(thick) == 1


def test_a_drawing_of_its_own_is_shown_once(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()))
    graphs.draw(DIAMOND)
    assert len(shown) == 1


# What the frameworks report


def test_of_autograd_has_an_edge_for_each_use():
    import torch

    w = torch.ones(3, requires_grad=True)
    graph = graphs.of_autograd((w * w).sum(), names={w: "w"})
    assert labels(graph) == [
        ("MulBackward0", "SumBackward0"), ("w (3,)", "MulBackward0"), ("w (3,)", "MulBackward0"),
    ]  # fmt: skip
    kinds = {node.label: node.kind for node in graph.nodes.values()}
    assert kinds == {"SumBackward0": "output", "MulBackward0": "operation", "w (3,)": "parameter"}
    leaf = next(node for node in graph.nodes.values() if node.kind == "parameter")
    assert leaf.source.variable is w


def test_of_autograd_needs_something_recorded():
    import torch

    with pytest.raises(ValueError, match="no grad_fn"):
        graphs.of_autograd(torch.ones(3))


def test_of_fx_reads_an_exported_program():
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 3)

        def forward(self, x):
            y = self.linear(x)
            return torch.cond(y.sum() > 0, lambda y: y * y, lambda y: -y, (y,))

    program = torch.export.export(Model(), (torch.ones(1, 2),))
    graph = graphs.of_fx(program.graph)
    kinds = {node.label: node.kind for node in graph.nodes.values()}
    assert kinds["linear_weight"] == kinds["linear_bias"] == "parameter"
    assert kinds["x"] == "input"
    assert kinds["aten.linear"] == "operation"
    assert kinds["true_graph_0"] == kinds["false_graph_0"] == "subgraph"
    assert kinds["output"] == "output"
    assert len(graph.nodes) == len(list(program.graph.nodes))
    graphs.draw(graph)


def test_of_fx_reads_what_torch_compile_captures():
    import torch
    from torch import nn

    captured = []

    def backend(module, example):
        captured.append(graphs.of_fx(module.graph))
        return module.forward

    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    torch.compile(model, backend=backend)(torch.ones(1, 2))
    kinds = {node.label: node.kind for node in captured[0].nodes.values()}
    assert {label for label, kind in kinds.items() if kind == "parameter"} == {"0.weight", "0.bias"}
    assert kinds["linear"] == "operation"
    torch.compiler.reset()


def test_of_fx_reads_a_traced_function():
    import torch

    def square(x):
        return operator.mul(x, x)

    graph = graphs.of_fx(torch.fx.symbolic_trace(square).graph)
    assert labels(graph) == [("mul", "output"), ("x", "mul"), ("x", "mul")]


def test_of_tf_reads_a_concrete_function():
    with imports.quiet_import():
        import tensorflow as tf

    w, calls = tf.Variable([1.0, 2.0], name="w"), tf.Variable(0, name="calls")

    @tf.function
    def f(x):
        calls.assign_add(1)
        return x * w

    concrete = f.get_concrete_function(tf.TensorSpec([2]))
    graph = graphs.of_tf(concrete.graph)
    assert set(graph.nodes) == {op.name for op in concrete.graph.get_operations()}
    kinds = {node.label: node.kind for node in graph.nodes.values()}
    assert kinds["w"] == kinds["calls"] == "parameter"
    assert (kinds["x"], kinds["1"], kinds["Mul"]) == ("input", "constant", "operation")
    assert kinds["Identity"] == "output"
    assert graph.control
    graphs.draw(graph)


def test_of_tf_reads_the_graph_of_a_session():
    with imports.quiet_import():
        import tensorflow as tf

    with tf.Graph().as_default() as session_graph:
        x = tf.compat.v1.placeholder(tf.float32, [], name="x")
        w = tf.compat.v1.get_variable("w", [], use_resource=False)
        tf.multiply(x, w)
    graph = graphs.of_tf(session_graph)
    assert graph.nodes["x"].kind == "input"
    assert graph.nodes["w"].kind == "parameter"
    assert ("x", "Mul") in graph.edges


def test_of_tf_shows_a_constant_of_one_element_as_a_number():
    with imports.quiet_import():
        import tensorflow as tf

    with tf.Graph().as_default() as graph:
        for value in (2.5, [3.0], [4.0, 5.0]):
            tf.constant(value)
    assert [node.label for node in graphs.of_tf(graph).nodes.values()] == ["2.5", "3", "Const"]


@pytest.mark.parametrize("steps", [30, 300])
def test_an_unrolled_network_is_folded_before_it_is_drawn(steps):
    torch = pytest.importorskip("torch")
    w, h = torch.ones(2, 2, requires_grad=True), torch.ones(2)
    for _ in range(steps):
        h = torch.tanh(w @ h + torch.ones(2))
    graph = graphs.of_autograd(h.sum(), {w: "w"})
    assert len(graph.nodes) > 3 * steps
    folded = graph.folded()
    assert len(folded.nodes) < 12
    [label] = [node.label for node in folded.nodes.values() if node.kind == "subgraph"]
    times = int(re.search(r"(\d+) times more", label)[1])
    assert steps - 4 <= times <= steps - 2
    assert folded.order()
    figure, axis = plt.subplots()
    graphs.draw(graph, ax=axis)
    figure.canvas.draw()


def test_a_graph_that_is_too_large_says_what_to_do():
    nodes = {f"{i}": graphs.Node(f"operation {i}", "operation") for i in range(121)}
    with pytest.raises(ValueError, match=r"has 121 nodes, .* five steps of a sequence"):
        graphs.draw(graphs.Graph(nodes, []))


def test_an_onnx_file_is_read():
    text = """<ir_version: 10, opset_import: ["" : 20]>
    file (float[n,4] x) => (float[n,2] y)
    <float[4,2] w = {1,2,3,4,5,6,7,8}, int64[2] shape = {-1,4}, float[1] unused = {0}>
    {
        flat = Reshape(x, shape)
        product = MatMul(flat, w)
        half = Clip(product, , product)
        y = Add(half, half)
    }"""
    graph = graphs.of_onnx(onnx.parser.parse_model(text))
    assert labels(graph) == [
        ("(2,)", "Reshape"),
        ("(4, 2)", "MatMul"),
        ("Clip", "Add"),
        ("Clip", "Add"),
        ("MatMul", "Clip"),
        ("MatMul", "Clip"),
        ("Reshape", "MatMul"),
        ("x", "Reshape"),
    ]
    kinds = {node.label: node.kind for node in graph.nodes.values()}
    found = [kinds[label] for label in ("(2,)", "(4, 2)", "x", "Clip", "Add")]
    assert found == ["constant", "parameter", "input", "operation", "output"]
    graphs.draw(graph)
