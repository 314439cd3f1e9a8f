"""Lesson 02, graphs: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

behind = Mistakes("parameters_behind")
INPUTS, MET = "[tensor.op for tensor in op.inputs]", "if op.name not in seen:"

lists = behind.replacing("append(node.variable)", "return [v for")
lists("which is no parameter", "append(tuple(node.variable.shape))", "return [v.numpy() for")
lists("`, which is no parameter: ", "append(node.variable.detach())", "return [v.handle for")
lists("a `AccumulateGrad`, which is no parameter: a leaf's tensor", "append(node)", None)
behind.brings(
    "The result must be a list of parameters; it is 3.",
    pytorch=("return found", "return len(found)"),
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
behind.brings(
    "more than once",
    pytorch=(" or node in seen", ""),
    tensorflow=(
        "seen, waiting = set()", "seen, waiting = []", MET, "if True:", ".add(", ".append(",
        "[v for v in concrete.variables if any(outer is v.handle for outer in reached)]",
        "[v for v in concrete.variables for outer, inner in concrete.graph.captures "
        "if outer is v.handle for _ in range(seen.count(inner.op.name))]",
    ),
)  # fmt: skip
behind.brings(
    "there are 262144: keep what you have met",
    pytorch=(" or node in seen", "", "return found", "return list(dict.fromkeys(found))"),
    tensorflow=(MET, "if True:"),
)
behind.brings(
    "raises `AttributeError: 'NoneType' object has no attribute 'next_functions'` in line 11 of "
    "its cell, `waiting += [parent",
    pytorch=("node is None or ", ""),
)
UNREAD = "changed by the graph and never read"
behind.brings(UNREAD, tensorflow="return list(concrete.variables)")
behind.brings(UNREAD, tensorflow=(INPUTS, f"{INPUTS} + list(op.control_inputs)"))
ALL = "[tensor.op for tensor in concrete.outputs]"
behind.brings("only the second output", tensorflow=("[concrete.outputs[0].op]", ALL))
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
EAGERLY = "tf.config.run_functions_eagerly(True)"

factor, norm = clip.replacing(*FACTOR), clip.replacing(*NORM)
result = clip.replacing("return factor * x", "return factor * x")
factor("still refuses", "limit / norm if norm > limit else 1.0", "min(1.0, limit / norm)")
factor("still refuses", CHOICE.format("bool(norm > limit)"), "limit / max(norm, limit)")
factor("still refuses", "limit / max(limit, norm.item())", None)
clip.brings(
    "still refuses",
    tensorflow=(
        "def clip", "@tf.autograph.experimental.do_not_convert\ndef clip",
        FACTOR[1], CHOICE.format("norm > limit"),
    ),
)  # fmt: skip
norm(
    ".numpy() is not supported for tensor subclasses.` in line 9 of its cell, `norm = torch.tensor",
    "torch.tensor((x.numpy() ** 2).sum() ** 0.5)", None,
)  # fmt: skip
norm(
    "While it is traced, your code raises `AttributeError: 'SymbolicTensor' object has no "
    "attribute 'numpy'` in line 9 of its cell, `norm = tf.constant(tf.norm(x).numpy())`.",
    None, "tf.constant(tf.norm(x).numpy())",
)  # fmt: skip
PROMISE = "torch.compiler.is_exporting() and (torch._check(norm.item() > limit) or True)"
factor("`torch._check`) keeps one branch", CHOICE.format(f"{PROMISE} or norm > limit"), None)
factor(
    "What the graph returns has the right shape and dtype, but wrong values.",
    CHOICE.format("torch.compiler.is_exporting() or norm > limit"),
    CHOICE.format("not tf.executing_eagerly() or norm > limit"),
)
PYTHON = "tf.numpy_function(lambda n: n, [tf.norm(x)], tf.float32)"
norm("graph of `clip` calls back into Python", None, f"tf.ensure_shape({PYTHON}, [])")
norm("`run_functions_eagerly` takes the graph", None, f"{EAGERLY} or {NORM[1]}")
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
HIDDEN = "torch.tanh(model.first(X)) @ layer.weight.T + layer.bias"

probes("has been multiplied: a list", SCALED, "output *= scale\n        return output")
probes("multiplied by the scale of the call before", WITH, STAYS, BACK, "return seen[-1]")
probes("The output is scaled by the call before", WITH, STAYS, BACK, f"return {HIDDEN}")
probes("is what the layer makes of `X`", BACK, "return layer(X)")
probes("The layer ran 2 times", BACK, "return layer(torch.tanh(model.first(X)))")
probes("is that of the untouched model", SCALED, "output = scale * output")
probes("is scaled at the end", SCALED, "", "[0], output", "[0], scale * output")
DATA = "seen.append(output.clone())\n        output.data.mul_(scale)"
probes("its gradient is not", SEEN, DATA, SCALED, "")
probes("its gradient is not", "with layer", "with torch.no_grad(), layer")
probes("calls `eval()` or `train()`", BACK, f"model.eval()\n    {BACK}")
probes("calls `eval()` or `train()`", BACK, f"model.train()\n    {BACK}")
probes("removes hooks that are not", WITH, f"{TRY}finally:\n        layer._forward_hooks.clear()")
LEFT = "is its hook, or an attribute, still there?"
LAST = f"getattr(layer, 'last', {HOOK}).remove()\n    layer.last = {STAYS}"
ONCE = f"if seen:\n            return\n        {SEEN}"
FORWARD = "forward, layer.forward = layer.forward, lambda x: scale * change(0, 0, forward(x))\n    "
probes(LEFT, SEEN, ONCE, WITH, STAYS)
probes(LEFT, WITH, f"{WITH}\n    layer.seen = seen")
probes(LEFT, SCALED, "return output", WITH, f"{FORWARD}output = model(X)\n    {RESTORED}")
AFTER = "When the model raises an error the hook stays"
probes(AFTER, WITH, f"handle = {STAYS}\n    {REMOVED}")
probes(AFTER, WITH, f"{TRY}except RuntimeError:\n        {REMOVED}\n        raise\n    {REMOVED}")
HIDES = f"{TRY}except RuntimeError:\n        output = seen = [X]\n    {REMOVED}"
probes("hides an error of the model", WITH, HIDES)
probes(
    "changes `hidden.weight`: change what leaves",
    SEEN, "seen.append(output / scale)", SCALED, "",
    "with layer", "for p in layer.parameters():\n        p.data *= scale\n    with layer",
    BACK, f"for p in layer.parameters():\n        p.data /= scale + 1e-12\n    {BACK}",
)  # fmt: skip
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
augments("An image is turned", MIRRORED, "image[::-1, ::-1]")
PYTHON = "tf.numpy_function(lambda: __import__('random').random(), [], tf.float64)"
augments("The graph of `augment` calls back into Python", DRAWN, PYTHON)
augments("`augment` is a `function`, and must be a `tf.function`", "@tf.function\n    ", "")
augments("`run_functions_eagerly` takes", "count = ", f"{EAGERLY}\n    count = ")
CONCRETE = "return augment.get_concrete_function(tf.TensorSpec([3, 4]))"
augments("`augment` is a `ConcreteFunction`, and", "return augment", CONCRETE)
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
chooses("`torch.export` refuses the `if`", CHOOSE, f"softmax(x) if {ABOVE} else centre(x)")
DECIDED, EARLY = "the condition was decided once", "above = example.max().item() > 9\n    sizes ="
chooses(DECIDED, CHOOSE, "softmax(x) if above else centre(x)", "sizes =", EARLY)
chooses("wrong way round", "softmax, centre, (x", "centre, softmax, (x")
chooses("a large negative number counts too", "abs().max", "max")
for condition in ("x.abs().max() > 1", "x.norm() > limit", "x.sum() > 99999"):
    chooses("is the largest magnitude compared", ABOVE, condition)
chooses("A number that equals `limit` takes", "> limit", ">= limit")
EXPORT = "torch.export.export(Settle(), (example,), dynamic_shapes=sizes)"
chooses("an `ExportedProgram`; this is a `Settle`", EXPORT, "Settle()")
chooses("an `ExportedProgram`; this is a `GraphModule`", EXPORT, f"{EXPORT}.module()")
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


W, STEPS = "w = tf.Variable(start, dtype=tf.float64)", "steps = tf.Variable(0.0, dtype=tf.float64)"
ADD, MOVE = "steps.assign_add(1)", "w.assign_sub(rate * tape.gradient(loss, w))"
LOSS, TAPE = "tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)", "with tf"
OWN = ("loss = evaluate(X, y)", f"loss = {LOSS}")
GRAPH = "@tf.function(input_signature=signature)\n    def train"
FIRST, STILL = "fits a rate that stays at its first", "fits weights that never move"
builds(FIRST, ADD, "")
builds(FIRST, STEPS, "steps = 0", TAPE, f"nonlocal steps\n        {TAPE}", ADD, "steps += 1")
builds(STILL, MOVE, "")
builds(
    STILL, W, "w = tf.constant(start)", TAPE, f"nonlocal w\n        {TAPE}", OWN[0],
    f"tape.watch(w)\n            {OWN[1]}", "w.assign_sub(rate", "w = w - (rate",
)  # fmt: skip
builds("is that after each step", ADD, f"{ADD}\n        loss = evaluate(X, y)")
builds("fits a rate that is a step too far", "(1 + steps)", "(2 + steps)")
builds("fits steps up the slope", "assign_sub", "assign_add")
builds("changes from call to call", "return train, evaluate", "return train, train")
COUNTS = f"{ADD}\n        return {LOSS}"
builds("fits an `evaluate` that counts a step", f"return {LOSS}", COUNTS, *OWN)
BEFORE = f"return {LOSS.replace('X, w', 'X, start')}"
builds("fits the weights from before", f"return {LOSS}", BEFORE, *OWN)
builds("`train` is a `function`, and must be a `tf.function`", GRAPH, "def train")
builds("`train` was traced 3 times", GRAPH, "@tf.function\n    def train")
ONE_W = f"W = {W[4:].replace('start', '[0.0] * 3')}\n\n\ndef build"
builds("A second `build` changes the first", W, "w = W\n    w.assign(start)", "def build", ONE_W)
ONE_STEPS = f"STEPS = {STEPS[8:]}\n\n\ndef build"
builds("of a second `build` has the right shape", W, f"lr = 0.25\n    {W}")
builds("of a second `build` has the right shape", STEPS, "steps = STEPS", "def build", ONE_STEPS)
builds("`run_functions_eagerly` takes", "signature = [", f"{EAGERLY}\n    signature = [")
builds("`build` must return (train, evaluate); it returns a `Function`", "train, evaluate", "train")
builds(
    "type float64 that does not match type float32 of argument 'x'.` in line 16 of its cell, `w.",
    STEPS, "steps = tf.Variable(0.0)",
)  # fmt: skip
builds("A loss has shape (4,); it must be one number", LOSS, "(tf.linalg.matvec(X, w) - y) ** 2")
translation.brings(
    "object has no attribute 'w'` in line 6 of its cell, `return self.w * X[0, 0]`. A method does "
    "not keep its object alive: keep a reference to it.",
    tensorflow="""
        class Trainer:
            w = tf.Variable(0.0)

            @tf.function
            def train(self, X, y):
                return self.w * X[0, 0]

        def build(start, lr):
            return Trainer().train, Trainer().train
    """,
)
SLOPE = "2 * tf.linalg.matvec(X, tf.linalg.matvec(X, w) - y, True) / tf.cast(len(y), tf.float64)"
builds("", "tape.gradient(loss, w)", SLOPE, "return train, evaluate", "return [train, evaluate]")
builds(
    "", STEPS, "steps = tf.Variable(0)", ADD, "",
    MOVE, f"w.assign(w - {MOVE[13:]}", "(1 + steps)", f"tf.cast({ADD}, tf.float64)",
)  # fmt: skip
