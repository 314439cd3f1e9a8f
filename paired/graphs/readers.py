"""What each framework reports of a graph, as a `Graph`."""

import collections
import inspect
import re
from collections.abc import Callable, Iterable, Mapping

from paired.graphs.structure import Graph, Node

# How torch.export and torch.compile call the parameters and buffers of a module.
_PARAMETER = re.compile(r"[pb]_(\w+)|l_\w+?_modules_(\w+)_(?:parameters|buffers)_(\w+)_")


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


def of_onnx(model) -> Graph:
    """The graph of an ONNX file, an `onnx.ModelProto`."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    outputs = {value.name for value in model.graph.output}
    nodes, edges, makers = {}, [], {}
    for value in model.graph.input:
        nodes[value.name] = Node(value.name, "input", value)
        makers[value.name] = value.name
    for number, source in enumerate(model.graph.node):
        key = f"{source.op_type}-{number}"
        kind = "output" if outputs.intersection(source.output) else "operation"
        for name in filter(None, source.input):  # an optional input that is left out has no name
            if name not in makers:
                nodes[name] = _weight(weights[name])
                makers[name] = name
            edges.append((makers[name], key))
        nodes[key] = Node(source.op_type, kind, source)
        makers.update(dict.fromkeys(source.output, key))
    return Graph(nodes, edges)


def _weight(tensor) -> Node:
    """A tensor that an ONNX file holds, by its shape: a parameter if it is of a floating type."""
    floating = tensor.data_type in (1, 10, 11, 16)  # float, float16, double, bfloat16
    kind = "parameter" if floating else "constant"
    return Node(str(tuple(tensor.dims)), kind, tensor)


def _variables(graph) -> list:
    return [v for v in getattr(graph, "variables", ()) if hasattr(v, "handle")]
