"""Wrong answers to the exercise of lesson 02 in PyTorch."""
# ruff: noqa: N803 - the exercise names a matrix X

import contextlib
import warnings

import numpy as np
import torch
from torch import nn

from wrong_answers import WrongAnswers, lesson_02

wrong = WrongAnswers()
lesson_02.add_predictions(
    wrong,
    appends={
        1: "is one for the definition: Python runs the function's body in every call.",
        2: "is how often `tf.function` would trace it. Nothing is traced here.",
        3: "is the number of calls with a new pair of arguments. Nothing is kept between calls.",
    },
    graphs={
        3: "is one for each length. `torch.compile` learns from the second that it varies.",
    },
    right=(5, 4, 2),
)


def _walk(loss, parents=lambda node: [p for p, _ in node.next_functions], remember=True):
    nodes, seen, waiting = [], set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if remember:
            seen.add(node)
        nodes.append(node)
        waiting.extend(parents(node))
    return nodes


def _leaves(nodes):
    return [node.variable for node in nodes if hasattr(node, "variable")]


@wrong.brings(
    "parameters_behind",
    "The list holds a node of the graph, `AccumulateGrad`: a leaf's tensor is `node.variable`.",
)
def lists_the_nodes(loss):
    return [node for node in _walk(loss) if hasattr(node, "variable")]


@wrong.brings(
    "parameters_behind", "The list holds a node of the graph, `MeanBackward0`: a leaf's tensor is "
    "`node.variable`.",
)  # fmt: skip
def lists_every_node(loss):
    return _walk(loss)


@wrong.brings(
    "parameters_behind",
    "The list holds 0 of 3 parameters: does the walk follow every input of a node?",
)
def follows_the_first_input_only(loss):
    return _leaves(_walk(loss, lambda node: [p for p, _ in node.next_functions[:1]]))


@wrong.brings(
    "parameters_behind",
    "The list holds a parameter more than once: it is used more than once.",
)
def forgets_where_it_was(loss):
    return _leaves(_walk(loss, remember=False))


@wrong.brings(
    "parameters_behind",
    "In a graph where 18 nodes use the one before twice, your walk takes every path, and there "
    "are 262144: keep what you have met.",
)
def sorts_the_leaves_out_at_the_end(loss):
    return list({id(leaf): leaf for leaf in _leaves(_walk(loss, remember=False))}.values())


@wrong.brings(
    "parameters_behind",
    "In a graph where 18 nodes use the one before twice, your walk takes every path, and there "
    "are 262144: keep what you have met.",
)
def walks_down_by_itself_every_time(loss):
    found = []

    def visit(node):
        if hasattr(node, "variable") and not any(node.variable is each for each in found):
            found.append(node.variable)
        for parent, _ in node.next_functions:
            if parent is not None:
                visit(parent)

    visit(loss.grad_fn)
    return found


@wrong.brings(
    "parameters_behind", "Your code raises `AttributeError: 'NoneType' object has no attribute "
    "'next_functions'`.",
)  # fmt: skip
def does_not_expect_none(loss):
    found, waiting = [], [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        waiting += [parent for parent, _ in node.next_functions]
    return found


@wrong.brings("parameters_behind", "The result must be a list of parameters; it is a `int`.")
def counts_them(loss):
    return len(_leaves(_walk(loss)))


@wrong.brings("parameters_behind", "The result must be a list of parameters; it is a `Parameter`.")
def stops_at_the_first(loss):
    return _leaves(_walk(loss))[0]


@wrong.brings("parameters_behind", "The list holds a `tuple`.")
def lists_shapes(loss):
    return [tuple(leaf.shape) for leaf in _leaves(_walk(loss))]


@wrong.brings("parameters_behind", "The list holds a tensor that is no parameter.")
def lists_copies(loss):
    return [leaf.detach().clone() for leaf in _leaves(_walk(loss))]


@wrong.brings(
    "parameters_behind",
    "The list holds 0 of 3 parameters: does the walk follow every input of a node?",
)
def looks_at_the_last_node_only(loss):
    return _leaves([parent for parent, _ in loss.grad_fn.next_functions])


def _clip(x, limit):
    if x.ndim > 2:
        raise ValueError
    return x * torch.clamp(limit / torch.linalg.vector_norm(x), max=1.0)


lesson_02.add_explanations(wrong, _clip)


def _clips(message):
    return wrong.brings("explain_error", message, 5, "norm")


REFUSED = (
    "`torch.export` still refuses: `clip` still asks for a value that is not there while the graph "
    "is captured."
)


@_clips(REFUSED)
def leaves_it(x, limit):
    rank = x.ndim
    if rank > 2:
        raise ValueError("a vector or a matrix, please")
    norm = torch.linalg.vector_norm(x)
    factor = limit / norm if norm > limit else 1.0
    return factor * x


@_clips("Your code raises `RuntimeError: .numpy() is not supported for tensor subclasses.`.")
def passes_through_numpy(x, limit):
    if x.ndim > 2:
        raise ValueError
    norm = np.linalg.norm(x.numpy())
    return x * min(1.0, float(limit / norm)) if norm else x


@_clips(REFUSED)
def uses_if(x, limit):
    if x.ndim > 2:
        raise ValueError
    norm = torch.linalg.vector_norm(x)
    if norm > limit:
        x = x * limit / norm
    return x


@_clips(REFUSED)
def asks_for_the_item(x, limit):
    if x.ndim > 2:
        raise ValueError
    norm = torch.linalg.vector_norm(x).item()
    return limit / norm * x if norm > limit else x


@_clips(REFUSED)
def uses_a_python_bool(x, limit):
    if x.ndim > 2:
        raise ValueError
    norm = torch.linalg.vector_norm(x)
    return x if bool(norm <= limit) else x * limit / norm


@_clips(
    "The graph refuses some inputs: a promise to the exporter (`torch._check`) keeps one branch, "
    "and both are wanted."
)
def promises_one_side(x, limit):
    if x.ndim > 2:
        raise ValueError
    norm = torch.linalg.vector_norm(x)
    if torch.compiler.is_exporting():
        torch._check(norm.item() > limit)
        return x * limit / norm
    return x * limit / norm if norm > limit else x


@_clips("What the graph returns has the right shape and dtype, but wrong values.")
def chooses_by_whether_it_is_exported(x, limit):
    if x.ndim > 2:
        raise ValueError
    norm = torch.linalg.vector_norm(x)
    if torch.compiler.is_exporting() or norm > limit:
        x = x * limit / norm
    return x


@_clips("A short array, clipped, has norm 2: what is short already stays as it is.")
def scales_everything(x, limit):
    return x * limit / torch.linalg.vector_norm(x)


@_clips("A long array, clipped, is not shortened.")
def takes_the_larger(x, limit):
    return x * torch.clamp(limit / torch.linalg.vector_norm(x), min=1.0)


@_clips("A long array, clipped, is clipped number by number; wanted is the same direction.")
def clips_the_numbers(x, limit):
    return torch.clamp(x, -limit, limit)


@_clips("A long array, clipped, has the right shape and dtype, but wrong values.")
def clips_row_by_row(x, limit):
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * torch.clamp(limit / norm, max=1.0)


@_clips("A zero array, clipped, contains NaN or infinity.")
def mixes_by_arithmetic(x, limit):
    norm = torch.linalg.vector_norm(x)
    long = (norm > limit).float()
    return long * (x * limit / norm) + (1 - long) * x


@_clips("A short array, clipped, has norm 2: what is short already stays as it is.")
def multiplies_before_it_chooses(x, limit):
    norm = torch.linalg.vector_norm(x)
    return torch.maximum(torch.minimum(x / norm * limit, x), x / norm * limit)


@_clips("`clip` takes an array of rank 3 now. A shape is known: lines 1 to 3 can stay.")
def forgets_the_rank(x, limit):
    return x * torch.clamp(limit / torch.linalg.vector_norm(x), max=1.0)


@_clips("A long array, clipped, has dtype float64, it must have float32.")
def computes_in_float64(x, limit):
    return _clip(x.double(), limit)


def _probe(model, layer, X, change):
    with layer.register_forward_hook(change):
        return model(X)


@wrong.brings(
    "bug_hunt",
    "What left the layer has been multiplied: a list holds the tensor itself, and `*=` changes it.",
)
def finds_only_the_hook(model, layer, X, scale):
    seen = []

    def change(module, inputs, output):
        seen.append(output)
        output *= scale
        return output

    output = _probe(model, layer, X, change)
    return seen[0], output


def _stays(model, layer, X, scale, keep):
    """Record in the way of `keep`, and leave the hook."""
    seen = []

    def change(module, inputs, output):
        seen.append(keep(output))
        return scale * output

    layer.register_forward_hook(change)
    output = model(X)
    return seen[-1], output


@wrong.brings(
    "bug_hunt",
    "What left the layer has been multiplied by the scale of the call before: its hook is still "
    "there.",
)
def finds_only_the_change(model, layer, X, scale):
    return _stays(model, layer, X, scale, lambda output: output)


@wrong.brings(
    "bug_hunt", "The output is scaled by the call before as well: its hook is still there."
)
def stays_and_records_elsewhere(model, layer, X, scale):
    with torch.no_grad():
        hidden = torch.tanh(model.first(X)) @ layer.weight.T + layer.bias
    return hidden, _stays(model, layer, X, scale, lambda output: output)[1]


@wrong.brings(
    "bug_hunt",
    "What left the layer is what the layer makes of `X`; its input is what the layers before it "
    "make.",
)
def asks_the_layer_itself(model, layer, X, scale):
    return layer(X), _probe(model, layer, X, lambda module, inputs, output: scale * output)


@wrong.brings("bug_hunt", "The layer ran 2 times: one run of the model shows it all.")
def runs_twice(model, layer, X, scale):
    seen = []
    _probe(model, layer, X, lambda module, inputs, output: seen.append(output))
    return seen[0], _probe(model, layer, X, lambda module, inputs, output: scale * output)


@wrong.brings("bug_hunt", "The output is that of the untouched model: what does the hook return?")
def returns_nothing_from_the_hook(model, layer, X, scale):
    seen = []

    def change(module, inputs, output):
        seen.append(output)
        output = scale * output

    output = _probe(model, layer, X, change)
    return seen[0], output


@wrong.brings("bug_hunt", "The output is scaled at the end, and not after the layer.")
def scales_the_output(model, layer, X, scale):
    seen = []
    output = _probe(model, layer, X, lambda module, inputs, output: seen.append(output))
    return seen[0], scale * output


@wrong.brings(
    "bug_hunt",
    "When the model raises an error the hook stays: remove it in `finally`, or let a `with` do it.",
)
def replaces_forward(model, layer, X, scale):
    forward, seen = layer.forward, []

    def change(x):
        seen.append(forward(x))
        return scale * seen[0]

    layer.forward = change
    output = model(X)
    layer.forward = forward
    return seen[0], output


@wrong.brings(
    "bug_hunt",
    "The output is right and its gradient is not: the change has to be part of the graph, not made "
    "under `no_grad` or on `.data`.",
)
def changes_the_data(model, layer, X, scale):
    seen = []

    def change(module, inputs, output):
        seen.append(output.clone())
        output.data.mul_(scale)

    output = _probe(model, layer, X, change)
    return seen[0], output


@wrong.brings(
    "bug_hunt",
    "The output is right and its gradient is not: the change has to be part of the graph, not made "
    "under `no_grad` or on `.data`.",
)
def switches_the_graph_off(model, layer, X, scale):
    with torch.no_grad():
        return changes_and_restores(model, layer, X, scale)


@wrong.brings("bug_hunt", "`probe` calls `eval()`, and the model stays in that mode.")
def stays_in_evaluation(model, layer, X, scale):
    seen = []

    def change(module, inputs, output):
        seen.append(output)
        return scale * output

    model.eval()
    output = _probe(model, layer, X, change)
    return seen[0], output


@wrong.brings("bug_hunt", "`probe` removes hooks that are not its own: remove by the handle.")
def changes_and_restores(model, layer, X, scale):
    seen = []

    def change(module, inputs, output):
        seen.append(output)
        return scale * output

    layer.register_forward_hook(change)
    try:
        output = model(X)
    finally:
        layer._forward_hooks.clear()
    return seen[0], output


@wrong.brings("bug_hunt", "After `probe` the model is not as it was: is its hook still there?")
def leaves_the_last_hook(model, layer, X, scale):
    seen = []
    handles = getattr(layer, "handles", [])
    for handle in handles:
        handle.remove()

    def change(module, inputs, output):
        seen.append(output)
        return scale * output

    layer.handles = [layer.register_forward_hook(change)]
    output = model(X)
    return seen[0], output


@wrong.brings("bug_hunt", "After `probe` the model is not as it was: is its hook still there?")
def switches_the_hook_off(model, layer, X, scale):
    seen, running = [], [True]

    def change(module, inputs, output):
        if running:
            seen.append(output)
            return scale * output
        return output

    layer.register_forward_hook(change)
    output = model(X)
    running.clear()
    return seen[0], output


@wrong.brings(
    "bug_hunt",
    "When the model raises an error the hook stays: remove it in `finally`, or let a `with` do it.",
)
def removes_it_where_all_goes_well(model, layer, X, scale):
    seen = []

    def change(module, inputs, output):
        seen.append(output)
        return scale * output

    handle = layer.register_forward_hook(change)
    output = model(X)
    handle.remove()
    return seen[0], output


@wrong.brings("bug_hunt", "`probe` hides an error of the model: let it pass, and remove the hook.")
def hides_the_error(model, layer, X, scale):
    with contextlib.suppress(RuntimeError):
        seen = []

        def change(module, inputs, output):
            seen.append(output)
            return scale * output

        output = _probe(model, layer, X, change)
        return seen[0], output


@wrong.brings("bug_hunt", "`probe` changes `hidden.weight`: change what leaves the layer instead.")
def scales_the_weights(model, layer, X, scale):
    seen = []
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.mul_(scale)
    output = _probe(model, layer, X, lambda module, inputs, output: seen.append(output / scale))
    with torch.no_grad():
        layer.weight.mul_(1 / (scale + 1e-12))
        layer.bias.div_(scale)
    return seen[0], output


@wrong.brings("bug_hunt", "`probe` returns two tensors: what left the layer, and the output.")
def returns_the_output_alone(model, layer, X, scale):
    return _probe(model, layer, X, lambda module, inputs, output: scale * output)


class Settle(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.choose = forward

    def forward(self, x):
        return self.choose(x)


def _softmax(x):
    return torch.softmax(x, dim=0)


def _centre(x):
    return x - x.mean()


def _exported(forward, sizes=({0: torch.export.Dim.DYNAMIC},), example=None):
    example = torch.zeros(3, dtype=torch.float64) if example is None else example
    return torch.export.export(Settle(forward), (example,), dynamic_shapes=sizes)


@wrong.brings(
    "translation",
    "The graph refuses 2 numbers: without `dynamic_shapes`, or with bounds in them, it is made for "
    "the sizes of the example.",
)
def exports_one_length(limit):
    return _exported(
        lambda x: torch.cond(x.abs().max() > limit, _softmax, _centre, (x,)), sizes=None
    )


@wrong.brings(
    "translation",
    "The graph refuses 40 numbers: without `dynamic_shapes`, or with bounds in them, it is made "
    "for the sizes of the example.",
)
def bounds_the_length(limit):
    return _exported(
        lambda x: torch.cond(x.abs().max() > limit, _softmax, _centre, (x,)),
        sizes=({0: torch.export.Dim("length", min=2, max=8)},),
    )


@wrong.brings(
    "translation",
    "The results are right, but the graph has no `cond` in it: it computes both branches every "
    "time, where the original runs one.",
)
def uses_where(limit):
    return _exported(lambda x: torch.where(x.abs().max() > limit, _softmax(x), _centre(x)))


@wrong.brings(
    "translation",
    "`torch.export` refuses the `if`: Python asks for a value that is not there yet. Give both "
    "branches to `torch.cond`.",
)
def keeps_the_if(limit):
    return _exported(lambda x: _softmax(x) if x.abs().max() > limit else _centre(x))


@wrong.brings(
    "translation",
    "Every input takes the same branch: the condition was decided once, before the graph ran, and "
    "not by the numbers in `x`.",
)
def decides_by_the_example(limit):
    example = torch.zeros(3, dtype=torch.float64)
    above = bool(example.abs().max() > limit)
    return _exported(lambda x: _softmax(x) if above else _centre(x))


@wrong.brings(
    "translation",
    "Every input takes the same branch: the condition was decided once, before the graph ran, and "
    "not by the numbers in `x`.",
)
def gives_cond_a_python_bool(limit):
    example = torch.full((3,), 9.0, dtype=torch.float64)
    above = bool(example.abs().max() > limit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says that this cannot be meant
        return _exported(lambda x: torch.cond(above, _softmax, _centre, (x,)))


@wrong.brings(
    "translation",
    "The branches are the wrong way round: `torch.cond` takes the true first.",
)
def swaps_the_branches(limit):
    return _exported(lambda x: torch.cond(x.abs().max() > limit, _centre, _softmax, (x,)))


@wrong.brings(
    "translation", "Some inputs take the wrong branch: a large negative number counts too."
)
def forgets_the_magnitude(limit):
    return _exported(lambda x: torch.cond(x.max() > limit, _softmax, _centre, (x,)))


@wrong.brings(
    "translation",
    "Some inputs take the wrong branch: is the largest magnitude compared with `limit`?",
)
def fixes_the_limit(limit):
    return _exported(lambda x: torch.cond(x.abs().max() > 1, _softmax, _centre, (x,)))


@wrong.brings(
    "translation",
    "Some inputs take the wrong branch: is the largest magnitude compared with `limit`?",
)
def compares_the_norm(limit):
    norm = torch.linalg.vector_norm
    return _exported(lambda x: torch.cond(norm(x) > limit, _softmax, _centre, (x,)))


@wrong.brings(
    "translation", "A number that equals `limit` takes the wrong branch: compare with `>`."
)
def includes_the_limit(limit):
    return _exported(lambda x: torch.cond(x.abs().max() >= limit, _softmax, _centre, (x,)))


@wrong.brings(
    "translation",
    "`build` returns what `torch.export.export` does, an `ExportedProgram`; this is a `Settle`.",
)
def returns_the_module(limit):
    return Settle(lambda x: torch.cond(x.abs().max() > limit, _softmax, _centre, (x,)))


@wrong.brings(
    "translation",
    "`build` returns what `torch.export.export` does, an `ExportedProgram`; this is a "
    "`GraphModule`.",
)
def returns_what_runs(limit):
    return _exported(lambda x: torch.cond(x.abs().max() > limit, _softmax, _centre, (x,))).module()


@wrong.brings(
    "translation", "The result for 2 numbers has the right shape and dtype, but wrong values."
)
def standardises(limit):
    return _exported(
        lambda x: torch.cond(
            x.abs().max() > limit, _softmax, lambda x: (x - x.mean()) / x.std(), (x,)
        )
    )
