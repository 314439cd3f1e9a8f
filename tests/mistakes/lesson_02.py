"""Lesson 02, graphs: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

behind = Mistakes("parameters_behind")
INPUTS, MET = "[tensor.op for tensor in op.inputs]", "if op.name not in seen:"

lists = behind.replacing("append(node.variable)", "return [v for")
lists("no parameter of this graph", "append(tuple(node.variable.shape))", "return [v.numpy() for")
lists("`, no parameter of this graph: ", "append(node.variable.detach())", "return [v.handle for")
behind.brings(
    "The result must be a list of parameters; it is ",
    pytorch=("return found", "return set(found)"),
    tensorflow=("return [v for", "return len([v for", "in reached)]", "in reached)])"),
)
behind.brings(
    "holds 1 of 3",
    pytorch=("node.next_functions]", "node.next_functions[:1]]"),
    tensorflow=(INPUTS, "[tensor.op for tensor in op.inputs[:1]]"),
)
behind.brings(  # it stops at the first node that it meets again
    "holds 2 of 3",
    pytorch=("is None or node in seen:", "in seen:\n            break\n        if node is None:"),
    tensorflow=(MET, "if op.name in seen:\n            break\n        else:"),
)
PARAMETER = 'isinstance(getattr(node, "variable", None), nn.Parameter)'
behind.brings("holds 0 of 3", pytorch=('hasattr(node, "variable")', PARAMETER))
behind.brings("holds 0 of 3", pytorch=("set()", "MET", "def p", "MET = set()\n\n\ndef p"))
AGAIN = "return [", "return 2 * ["
behind.brings("more than once", pytorch=(" or node in seen", ""), tensorflow=AGAIN)
behind.brings(
    "there are 262144: keep what you have met",
    pytorch=(" or node in seen", "", "return found", "return list(dict.fromkeys(found))"),
    tensorflow=(MET, "if True:"),
)
UNREAD = "the graph changes and never reads"
behind.brings(UNREAD, tensorflow="return list(concrete.variables)")
behind.brings(UNREAD, tensorflow=(INPUTS, f"{INPUTS} + list(op.control_inputs)"))
ALL = "[tensor.op for tensor in concrete.outputs]"
behind.brings("only the second output", tensorflow=("[concrete.outputs[0].op]", ALL))
behind.brings("computes a gradient", pytorch=("return found", "return loss.backward()"))
EQUAL = "if not any(torch.equal(node.variable, v) for v in found):\n                found"
behind.brings("keep what has the same numbers apart", pytorch=("found.append(", f"{EQUAL}.append("))
behind.right(
    pytorch="""
        seen = {None: None}

        def visit(node):
            if node not in seen:
                seen[node] = getattr(node, "variable", None)
                any(visit(parent) for parent, _ in node.next_functions)

        visit(loss.grad_fn)
        return [leaf for leaf in seen.values() if leaf is not None]
    """,
    tensorflow="""
        layer, seen = {concrete.outputs[0].op}, set()
        while layer:
            seen |= layer
            layer = {tensor.op for op in layer for tensor in op.inputs} - seen
        handles = [id(outer) for outer, inner in concrete.graph.captures if inner.op in seen]
        return [v for v in concrete.variables if id(v.handle) in handles]
    """,
)
breadth_first = behind.replacing("waiting.pop()", "waiting.pop()")
breadth_first("", "waiting.pop(0)", "waiting.pop(0)")

clip = Mistakes("explain_error")
clip.brings("`line` is 12, which is not a line of `clip`", both={"line": 12})
FACTOR = "torch.where(norm > limit, limit / norm, 1.0)", "tf.minimum(1.0, limit / norm)"
NORM = "torch.linalg.vector_norm(x)", "tf.norm(x)"
CHOICE = "1.0\n    if {}:\n        factor = limit / norm"

factor, norm = clip.replacing(*FACTOR), clip.replacing(*NORM)
result = clip.replacing("return factor * x", "return factor * x")
factor("still refuses", "limit / norm if norm > limit else 1.0", "min(1.0, limit / norm)")
factor("still refuses", CHOICE.format("bool(norm > limit)"), "limit / max(norm, limit)")
factor("still refuses", "limit / max(limit, norm.item())", None)
factor(
    "What the graph returns has the right shape and dtype, but wrong values.",
    CHOICE.format("torch.compiler.is_exporting() or norm > limit"),
    CHOICE.format("not tf.executing_eagerly() or norm > limit"),
)
constant = "The gradient takes the norm for a constant"
norm(constant, "torch.linalg.vector_norm(x.detach())", "tf.norm(tf.stop_gradient(x))")
factor("A short array, clipped, has norm 2: what", "limit / norm", "limit / norm")
factor("A long array, clipped, is not shortened", "1.0", "tf.maximum(1.0, limit / norm)")
result("number by n", "return x.clip(-limit, limit)", "return tf.clip_by_value(x, -limit, limit)")
norm(
    "A long array, clipped, has the right shape and dtype, but wrong values",
    "torch.linalg.vector_norm(x, dim=-1, keepdim=True)",
    "tf.norm(x, axis=-1, keepdims=True)",
)
LONG = "tf.cast(norm > limit, tf.float32)"
factor(
    "A zero array, clipped, contains NaN or infinity",
    "(norm > limit) * limit / norm + (norm <= limit) * 1",
    f"{LONG} * limit / norm + 1 - {LONG}",
)
clip.brings("takes an array of rank 3 now", both=("> 2", "> 3"))
factor("`clip` calls back", None, "tf.py_function(lambda: min(1.0, limit / norm), [], x.dtype)")
result("has dtype float64", "return factor * x.double()", "return tf.cast(factor * x, tf.float64)")
factor("", "torch.clamp(limit / norm, max=1.0)", CHOICE.format("norm > limit"))
COND = "torch.cond(norm > limit, lambda n: limit / n, lambda n: n.new_ones(()), (norm,))"
factor("", COND, "tf.cond(norm > limit, lambda: limit / norm, lambda: 1.0)")
result("", "return x / torch.clamp(norm / limit, min=1)", "return tf.clip_by_norm(x, limit)")

bug_hunt = Mistakes("bug_hunt")


def probes(says: str, *change: str) -> None:
    """A change of the half with the hook."""
    bug_hunt.brings(says, pytorch=change)


SCALED, SEEN, BACK = "return scale * output", "seen.append(output)", "return seen[0]"
HOOK = "layer.register_forward_hook(change)"
WITH, STAYS = f"with {HOOK}:\n        output = model(X)", f"{HOOK}\n    output = model(X)"
TRY = f"handle = {HOOK}\n    try:\n        output = model(X)\n    "
REMOVED, RESTORED = "handle.remove()", "layer.forward = forward"

probes("has been multiplied: a list", SCALED, "output *= scale\n        return output")
probes("What left the layer contains NaN", SEEN, "seen.append(scale * output / scale)")
probes("The layer ran 2 times", BACK, "return layer(torch.tanh(model.first(X)))")
probes("is that of the untouched model", SCALED, "output = scale * output")
probes("is scaled at the end", SCALED, "", "[0], output", "[0], scale * output")
CLONED = "seen.append(output.clone())\n        output *= scale"
probes("asking for its gradient raises an error", SEEN, CLONED, SCALED, "")
DATA = "seen.append(output.clone())\n        output.data.mul_(scale)"
probes("but not its gradient", SEEN, DATA, SCALED, "")
probes("but not its gradient", "with layer", "with torch.no_grad(), layer")
LEFT = "After `probe` the model is not as it was: "
for mode in ("eval()", "train()", "eval().train()"):
    probes(f"{LEFT}`training` differs", BACK, f"model.{mode}\n    {BACK}")
CLEAR = f"{TRY}finally:\n        layer._forward_hooks.clear()"
probes(f"{LEFT}`_forward_hooks` differs", WITH, CLEAR)
ONCE = f"if seen:\n            return\n        {SEEN}"
probes(f"{LEFT}`_forward_hooks` differs", SEEN, ONCE, WITH, STAYS)
probes(f"{LEFT}`seen` differs", WITH, f"{WITH}\n    model.seen = seen")
FORWARD = "forward, layer.forward = layer.forward, lambda x: scale * change(0, 0, forward(x))\n    "
probes(
    f"{LEFT}`forward` differs",
    SCALED, "return output", WITH, f"{FORWARD}output = model(X)\n    {RESTORED}",
)  # fmt: skip
probes(f"{LEFT}its output differs", BACK, f"layer.weight.data *= 1.001\n    {BACK}")
AFTER = "When the model raises an error it is not as it was: "
probes(f"{AFTER}`_forward_hooks` differs", WITH, f"handle = {STAYS}\n    {REMOVED}")
SOME = f"{TRY}except RuntimeError:\n        {REMOVED}\n        raise\n    {REMOVED}"
probes(f"{AFTER}`_forward_hooks` differs", WITH, SOME)
MODE = "modes = [m.training for m in model.modules()]\n    model.eval()\n    "
BACKTO = "\n    for m, mode in zip(model.modules(), modes):\n        m.training = mode"
probes(f"{AFTER}`training` differs", WITH, f"{MODE}{WITH}{BACKTO}")
HIDES = f"{TRY}except RuntimeError:\n        output = seen = [X]\n    {REMOVED}"
probes("hides an error of the model", WITH, HIDES)
probes("must return (what left the layer, the output); it", "seen[0], output", "output")
probes("", WITH, f"{TRY}finally:\n        {REMOVED}")
TRY = "try:\n        output = model(X)\n    finally:\n        del layer.forward"
probes("", SCALED, "return output", WITH, f"{FORWARD}{TRY}")


def augments(says: str, *change: str) -> None:
    """A change of the half with the trace."""
    bug_hunt.brings(says, tensorflow=change)


COUNT, ADD, READ = "tf.Variable(0)", "count.assign_add(1)", "count.read_value()"
DRAWN, MIRRORED = "tf.random.uniform([])", "image[:, ::-1]"
FROZEN = "The count is 1 in each of 256 calls"
augments(FROZEN, COUNT, "0", ADD, "nonlocal count\n        count += 1", READ, "count")
augments(FROZEN, COUNT, "tf.constant(0)", ADD, "", READ, "count + 1")
augments("In 256 calls every image is mirrored", DRAWN, "0.3")
augments("In 256 calls every image stays", DRAWN, "tf.random.stateless_uniform([], seed=(1, 2))")
augments("An image is upside down", MIRRORED, "image[::-1]")
PYTHON = "tf.numpy_function(lambda: __import__('random').random(), [], tf.float64)"
augments("The graph of `augment` calls back into Python", DRAWN, PYTHON)
augments("`augment` is a `function`, and must be a `tf.function`", "@tf.function\n    ", "")
augments(
    "tf.Variables created on the first call. Make sure the tf.Variable is only created once or "
    "created outside tf.function. See ...` in line 6 of its cell, `count = tf.Variable(0)`.",
    f"    count = {COUNT}\n", "", ADD, f"count = {COUNT}\n        {ADD}",
)  # fmt: skip
ONE = f"COUNT = {COUNT}\n\n\ndef make"
augments("A second function from `make_augment` goes on", COUNT, "COUNT", "def make", ONE)
augments(
    "An image of another shape is traced anew",
    COUNT, f"[{COUNT} for _ in range(9)]", ADD, "count[len(image)].assign_add(1)",
    READ, "count[len(image)]",
)  # fmt: skip
augments("16 of 256 images are mirrored", DRAWN, "count % 16 / 2")
augments("of 256 images are mirrored: it should be half", f"{DRAWN} < 0.5", f"{DRAWN} < 0.8")
augments("plain ones take turns", f"{DRAWN} < 0.5", "count % 2 == 0")
augments("after calls 1, 2 and 3 is 0, 1, 2.", READ, f"{READ} - 1")
augments("The count must be a number; its shape is (3, 4).", READ, "image")
augments("`augment` must return (image, count); it", f"image, {READ}", "image")
LAZY = f"nonlocal count\n        if count is None:\n            count = {COUNT}\n        {ADD}"
augments("256 images of one shape brought 2 traces", COUNT, "None", ADD, LAZY)
WHERE = f"tf.where({DRAWN} < 0.5, tf.reverse(image, [1]), image)"
augments("", f"if {DRAWN} < 0.5:\n            ", "", MIRRORED, WHERE, ADD, "", READ, ADD)
DRAW = f"{COUNT}\n    draw = tf.random.Generator.from_non_deterministic_state()"
augments("", COUNT, DRAW, f"{DRAWN} < 0.5", "draw.uniform([], maxval=2, dtype=tf.int32) == 0")

translation = Mistakes("translation")


def chooses(says: str, *change: str) -> None:
    """A change of the half with the branch."""
    translation.brings(says, pytorch=change)


ABOVE, SIZES = "x.abs().max() > limit", "({0: torch.export.Dim.DYNAMIC},)"
CHOOSE = f"torch.cond({ABOVE}, softmax, centre, (x,))"
chooses("The graph refuses 2 numbers", SIZES, "None")
chooses("The graph refuses 10000 numbers", "Dim.DYNAMIC", "Dim('n', min=2, max=64)")
chooses("computes both branches", CHOOSE, f"torch.where({ABOVE}, softmax(x), centre(x))")
PICK = f"torch.cond({ABOVE}, lambda a, b: a * 1, lambda a, b: b * 1, (softmax(x), centre(x)))"
chooses("computes both branches", CHOOSE, PICK)
WITHIN = "torch.cond({}, lambda x: softmax(x) + {} * centre(x), lambda x: {}centre(x), (x,))"
chooses("computes both branches", CHOOSE, WITHIN.format(ABOVE, 0, ""))
chooses("computes both branches", CHOOSE, WITHIN.format(ABOVE, 0, "0 * softmax(x) + "))
GIVEN = "lambda x, c: softmax(x), lambda x, c: c * 1, (x, x - x.sum() / x.shape[0]))"
chooses("computes both branches", CHOOSE, f"torch.cond({ABOVE}, {GIVEN}")
chooses("`torch.export` refuses the `if`", CHOOSE, f"softmax(x) if {ABOVE} else centre(x)")
EARLY = "sizes =", "above = example.max().item() > 9\n    sizes ="
chooses("Every input takes the same", CHOOSE, "softmax(x) if above else centre(x)", *EARLY)
MAGNITUDE = "is the largest magnitude compared"
chooses(MAGNITUDE, "softmax, centre, (x", "centre, softmax, (x")
for condition in ("x.max() > limit", "x.abs().max() > 1", "x.norm() > limit"):
    chooses(MAGNITUDE, ABOVE, condition)
chooses("A number that equals `limit` takes", "> limit", ">= limit")
EXPORT = "torch.export.export(Settle(), (example,), dynamic_shapes=sizes)"
chooses("a `GraphModule`, not an `ExportedProgram`", EXPORT, f"{EXPORT}.module()")
chooses("The result for 2 numbers has the right shape and", "- x.mean()", "- x.mean() / x.std()")
chooses("for 3 numbers contains NaN", "x.softmax(dim=0)", "x.exp() / x.exp().sum()")
chooses(
    "", "x.softmax(dim=0)", "x.log_softmax(0).exp()", "- x.mean()", "- x.sum() / len(x)",
    ABOVE, "(x.abs() > limit).any()",
)  # fmt: skip
BY_NAME = "{'x': [torch.export.Dim('n')]}"
chooses("", SIZES, BY_NAME, "zeros(3", "ones(7", ABOVE, "x.norm(torch.inf) > limit")


def builds(says: str, *change: str) -> None:
    """A change of the half with the session."""
    translation.brings(says, tensorflow=change)


ZERO = "tf.Variable(0.0, dtype=tf.float64)"
TOTAL, COUNT = f"total = {ZERO}", f"count = {ZERO}"
SUM, SIZE = (
    "total.assign_add(tf.reduce_sum(x))",
    "count.assign_add(tf.cast(tf.size(x), tf.float64))",
)
GRAPH, MEAN = "@tf.function(input_signature=[tf.TensorSpec([None], tf.float64)])", "total / count"
builds("is that of this batch alone: what is", SUM, "", SIZE, "", MEAN, "tf.reduce_mean(x)")
builds("mean of the batches' means", SUM, "total.assign_add(tf.reduce_mean(x))", SIZE, ADD)
builds("The mean after batch 2 has the right shape and", SIZE, "count.assign(4.0)")
builds("The mean after batch 1 has dtype float32", MEAN, "tf.cast(total / count, tf.float32)")
builds("What `build` returns is a `function`, and must be", f"{GRAPH}\n    def", "def")
builds("It was traced 3 times", GRAPH, "@tf.function")
builds("`build` returns calls back", "tf.reduce_sum(x)", "tf.numpy_function(sum, [x], x.dtype)")
ONE = f"TOTAL = {ZERO}\n\n\ndef build"
builds("shares its numbers with the first", TOTAL, "total = TOTAL", "def build", ONE)
builds(
    "", TOTAL, "both = tf.Variable([0.0, 0.0], dtype=tf.float64)", COUNT, "",
    SUM, "both.assign_add([tf.reduce_sum(x), tf.cast(len(x), x.dtype)])", SIZE, "",
    MEAN, "both[0] / both[1]",
)  # fmt: skip
SHIFT = "total.assign_add(tf.reduce_sum(x - total) / count)"
builds("", SUM, "", SIZE, f"{SIZE}\n        {SHIFT}", MEAN, "total.read_value()")
