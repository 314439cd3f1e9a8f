"""Lesson 05, debugging: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

predict = Mistakes("predict")
predict.brings("`stops_unequal` is not -2.", both={"stops_unequal": -2})
predict.brings("`first` must be a number; it is '5'.", both={"first": "5"})
predict.right(both={"stops_unequal": 2.0})


explain_error = Mistakes("explain_error")
for answer in ("sqrt", "Squares", 1):
    says = f"must be the name of a tensor in `mean_distance`, in quotes; it is {answer!r}."
    explain_error.brings(says, both={"tensor": answer})
STILL = "Where a row is the centre, the gradient at `X` is still not finite. Choosing between"
FEW = "the value agrees to a few digits only: a small number that is added, or a limit"
CUT = "No gradient arrives at `X`: something is cut off from it."
for says, pytorch, tensorflow in (
    (STILL, "torch.where(squares > 0, squares.sqrt(), 0.0)",
     "tf.where(squares > 0, squares**0.5, tf.zeros_like(squares))"),
    (STILL, "squares.sqrt().nan_to_num()", "tf.cast(squares > 0, squares.dtype) * squares**0.5"),
    (STILL, "squares**0.5", "tf.norm(difference, axis=1)"),
    (FEW, "torch.nn.functional.pairwise_distance(X, centre)", "tf.sqrt(squares + 1e-8)"),
    (FEW, "squares.clamp(min=1e-10).sqrt()", "tf.sqrt(tf.maximum(squares, 1e-10))"),
    ("leaves out rows that are the centre", "squares[squares > 0].sqrt()",
     "tf.sqrt(tf.boolean_mask(squares, squares > 0))"),
    (CUT, "squares.detach().sqrt()", "tf.sqrt(tf.stop_gradient(squares))"),
    (CUT, "torch.from_numpy(squares.detach().numpy() ** 0.5)", "tf.constant(np.sqrt(squares))"),
    ("is the root of a mean", "squares.mean().sqrt()", "tf.sqrt(tf.reduce_mean(squares))"),
    ("the root is missing", "squares", "squares"),
    ("is the root of a sum over all rows", "difference.norm()", "tf.norm(difference)"),
    ("is that of columns", "difference.norm(dim=0)", "tf.norm(difference, axis=0)"),
    ("adds up differences", "difference.norm(p=1, dim=1)", "tf.norm(difference, ord=1, axis=1)"),
    ("the value has dtype float32, it must have float64", "difference.float().norm(dim=1)",
     "tf.norm(tf.cast(difference, tf.float32), axis=1)"),
):  # fmt: skip
    pytorch, tensorflow = f"distance = {pytorch}", f"distance = {tensorflow}"
    explain_error.brings(says, pytorch=pytorch, tensorflow=tensorflow)
explain_error.brings(
    "the gradient at `centre` is still not finite",
    pytorch="X.register_hook(torch.nan_to_num)\ndistance = squares.sqrt()",
)
mean = explain_error.replacing("distance.mean()", "tf.reduce_mean(distance)")
mean("is the sum: take the mean", "distance.sum()", "tf.reduce_sum(distance)")
mean("has shape (7,), it must have (): one number, the mean of all rows", "distance", "distance")
mean("Far from the centre, the value has the right shape and dtype, but wrong values",
     "distance.sum() / 7", "tf.reduce_sum(distance) / 7")  # fmt: skip
mean("; it must be a tensor", "distance.mean().item()", "float(tf.reduce_mean(distance))")
mean(
    "Where a row is the centre, the gradient at `X` is zero: a gradient is lost",
    "distance.mean().detach() + 0 * difference.sum()",
    "tf.stop_gradient(tf.reduce_mean(distance)) + 0 * tf.reduce_sum(difference)",
)
explain_error.brings(
    "very near the centre, the gradient at `X` has zero in rows that are not at the centre",
    pytorch=("squares == 0", "squares < 1e-12", "0.0, safe", "squares.detach().sqrt(), safe"),
    tensorflow=(
        "squares == 0", "squares < 1e-12",
        "tf.zeros_like(squares)", "tf.sqrt(tf.stop_gradient(squares))",
    ),
)  # fmt: skip
explain_error.brings(
    "Your function opens a debugger", both=("zero =", "pdb.set_trace()\n    zero =")
)
explain_error.right(
    pytorch="distance = torch.linalg.vector_norm(difference, dim=1)",
    tensorflow="distance = tf.math.divide_no_nan(squares, tf.sqrt(squares))",
)
explain_error.right(
    pytorch="""
        distance = torch.zeros_like(squares)
        distance[squares > 0] = squares[squares > 0].sqrt()
        """,
    tensorflow="""
        places = tf.where(squares > 0)
        roots = tf.sqrt(tf.gather_nd(squares, places))
        distance = tf.scatter_nd(places, roots, tf.shape(squares, tf.int64))
        """,
)
explain_error.right(pytorch=("distance.mean()", "torch.cdist(X, centre[None]).mean()"))
explain_error.right(both=('"B"', '" b"', '"squares"', '"squares "'))


first_inf = Mistakes("first_inf")
first_inf.brings("the name of a tensor in `free_energy`, in", pytorch={"first_bad": "exp"})
first_inf.brings("the name of a node of the graph, as", tensorflow={"first_bad": "Exp"})
gate = first_inf.replacing(
    "torch.logaddexp(scores, torch.zeros_like(scores))", 'tf.nn.softplus(scores, name="gate")'
)
energy = first_inf.replacing(
    "-torch.logsumexp(-gate, dim=1)", "-tf.reduce_logsumexp(-gate, axis=1)"
)
mean = first_inf.replacing("energy.mean()", "tf.reduce_mean(energy)")
AGAIN = "For large scores the result is inf. Debug your function: which is the first now?"
HELD = "For large scores the result is far too small: a limit, or a small number that is added"
for says, pytorch, tensorflow in (
    (AGAIN, "exp(scores)", "exp(scores)"),
    (HELD, "exp(scores.clamp(max=700))", "exp(tf.minimum(scores, 700))"),
    (HELD, "exp(scores.clamp(max=80))", "exp(tf.clip_by_value(scores, -80, 80))"),
    (HELD, "exp(scores).nan_to_num()", "exp(tf.minimum(scores, 500))"),
):
    gate(says, f"torch.log(1 + torch.{pytorch})", f"tf.math.log(1 + tf.{tensorflow})")
for says, *new in (
    ("For scores far below zero the result is inf.", "scores + torch.log(1 + torch.exp(-scores))",
     "scores + tf.math.log(1 + tf.exp(-scores))"),
    ("has ReLU in place of the gate", "torch.relu(scores)", "tf.nn.relu(scores)"),
    ("has the scores in place of the gate", "scores", "scores"),
    ("", "torch.nn.functional.softplus(scores, threshold=800)", "-tf.math.log_sigmoid(-scores)"),
):  # fmt: skip
    gate(says, *new)
for says, *new in (
    (AGAIN, "-torch.exp(-gate).sum(dim=1).log()",
     "-tf.math.log(tf.reduce_sum(tf.exp(-gate), axis=1))"),
    (HELD, "-torch.exp(-gate).sum(dim=1).clamp(min=1e-38).log()",
     "-tf.math.log(tf.reduce_sum(tf.exp(-tf.minimum(gate, 80)), axis=1))"),
    (HELD, "-(torch.exp(-gate).sum(dim=1) + 1e-300).log()",
     "-tf.math.log(tf.reduce_sum(tf.exp(-gate), axis=1) + 1e-300)"),
    ("is that of the mean of the odds", "-torch.exp(-gate).mean(dim=1).log()",
     "-tf.math.log(tf.reduce_mean(tf.exp(-gate), axis=1))"),
    ("the result has the wrong sign", "torch.logsumexp(-gate, dim=1)",
     "tf.reduce_logsumexp(-gate, axis=1)"),
    ("has the least gate in place of", "gate.min(dim=1).values", "tf.reduce_min(gate, axis=1)"),
    ("has exp(gate), and no minus before the logarithm", "torch.logsumexp(gate, dim=1)",
     "tf.reduce_logsumexp(gate, axis=1)"),
    ("has exp(gate) in place of exp(-gate)", "-torch.logsumexp(gate, dim=1)",
     "-tf.reduce_logsumexp(gate, axis=1)"),
    ("has the sum of the gates in place of", "gate.sum(dim=1)", "tf.reduce_sum(gate, axis=1)"),
    ("adds the odds of different examples", "-torch.logsumexp(-gate, dim=0)",
     "-tf.reduce_logsumexp(-gate, axis=0)"),
    ("adds all odds at once", "-torch.logsumexp(-gate, dim=(0, 1))", "-tf.reduce_logsumexp(-gate)"),
):  # fmt: skip
    energy(says, *new)
energy(
    "For scores in the hundreds the result is far too small",
    "torch.where(gate.amin(1) > 1000, gate.amin(1), -(torch.exp(-gate).sum(1) + 1e-15).log())",
    "tf.where(tf.reduce_min(gate, 1) > 1000, tf.reduce_min(gate, 1), "
    "-tf.math.log(tf.reduce_sum(tf.exp(-gate), 1) + 1e-15))",
)
mean("has shape (6,), it must have (): one number, the mean of all examples", "energy", "energy")
mean("is the sum over the examples", "energy.sum()", "tf.reduce_sum(energy)")
mean("must return a node of the graph; this is 3.0", None, "3.0")
first_inf.right(
    pytorch="""
        gate = scores.clamp(min=0) + torch.log1p(torch.exp(-scores.abs()))
        least = gate.min(dim=1, keepdim=True).values
        energy = least[:, 0] - torch.log(torch.exp(least - gate).sum(dim=1))
        """,
    tensorflow="""
        gate = tf.maximum(scores, 0) + tf.math.log1p(tf.exp(-tf.abs(scores)))
        least = tf.reduce_min(gate, axis=1, keepdims=True)
        energy = least[:, 0] - tf.math.log(tf.reduce_sum(tf.exp(least - gate), axis=1))
        """,
)
gate("", "torch.where(scores > 30, scores, torch.log1p(torch.exp(scores)))", None)
first_inf.right(pytorch={"first_bad": "grown "}, tensorflow={"first_bad": "gate/grown:0"})


evaluation = Mistakes("evaluation")
for answer in ("norm", "running_mean", 3):
    end = f", in quotes; it is {answer!r}."
    evaluation.brings("a name in `net.state_dict()`" + end, pytorch={"changed": answer})
    evaluation.brings("the `path` of one of `net.weights`" + end, tensorflow={"changed": answer})
TRAINS = "in training mode: dropout is on, and normalisation uses the batch, and collects from it."
evaluation.brings(
    TRAINS, pytorch=("model.eval()", "pass"), tensorflow=("training=False", "training=True")
)
evaluation.brings(  # and puts the numbers back
    TRAINS,
    pytorch=(
        "model.eval()", "before = copy.deepcopy(model.state_dict())",
        "model.train(was_training)", "model.load_state_dict(before)",
    ),
    tensorflow=(
        "right = []", "before, right = model.get_weights(), []", "training=False", "training=True",
        "    return", "    model.set_weights(before)\n    return",
    ),
)  # fmt: skip
mode = evaluation.replacing("model.train(was_training)", "")
mode("in training mode, and your function leaves layers in evaluation mode.", "pass", None)
mode("in training mode, and your function leaves", "model.training = was_training", None)
mode("in evaluation mode, and your function leaves layers in training mode", "model.train()", None)
evaluation.brings(
    "changes which layers are `trainable`: to predict, leave that.",
    tensorflow=("right = []", "model.trainable, right = False, []"),
)
SHARE = (
    "torch.cat(right).double().mean().item()",
    "float(tf.reduce_mean(tf.cast(tf.concat(right, axis=0), tf.float64)))",
)
share = evaluation.replacing(*SHARE)
MEANS = (
    "torch.stack([each.double().mean() for each in right]).mean().item()",
    "float(np.mean([np.mean(each) for each in right]))",
)
share("is the mean of the batches' shares", *MEANS)
share("is that of the last batch alone", "right[-1].double().mean()", "np.mean(right[-1])")
share("is that of the first batch alone", "right[0].double().mean()", "np.mean(right[0])")
for says, new in (
    ("is rounded: return it as it is", "round({}, 2)"),
    ("is the share of wrong answers", "1 - {}"),
    ("is a number of examples, not their share", "29 * {}"),
    ("is in percent", "100 * {}"),
    ("is a sum over batches: divide by all examples", "3 * {}"),
    ("has shape (3,), it must have (): one number", "[{}] * 3"),
    ("is a `NoneType`; it must be an array of shape ()", "{} and None"),
):
    share(f"The share {says}", *map(new.format, SHARE))
for says, *new in (
    ("label: print", *MEANS),
    ("label, in tables of n rows and n columns: print",
     "torch.cat([each.ravel() for each in right]).double().mean().item()",
     "np.mean(np.concatenate([np.ravel(each) for each in right]))"),
    ("label, and counts them all", "sum(each.sum() for each in right).item() / 29",
     "sum(np.sum(each) for each in right) / 29"),
):  # fmt: skip
    pytorch, tensorflow = (("y[:, 0]", "y", *pair) for pair in zip(SHARE, new, strict=True))
    says = f"compares every answer with every {says}"
    evaluation.brings(says, pytorch=pytorch, tensorflow=tensorflow)
evaluation.brings("Your function never calls `model`.", both="return 1 / 3")
evaluation.right(
    pytorch="""
        still = copy.deepcopy(model).eval()
        return torch.cat([still(X).argmax(dim=1) == y[:, 0] for X, y in batches]).float().mean()
        """,
    tensorflow="""
        accuracy = tf.keras.metrics.SparseCategoricalAccuracy()
        for X, y in batches:
            accuracy.update_state(y, model(X, training=False))
        return accuracy.result()
        """,
)
evaluation.right(
    pytorch="""
        modes = [module.training for module in model.modules()]
        model.eval()
        right = sum((model(X).argmax(dim=1, keepdim=True) == y).sum().item() for X, y in batches)
        for module, mode in zip(model.modules(), modes):
            module.training = mode
        return right / sum(len(y) for _, y in batches)
        """,
    tensorflow="""
        right = [np.argmax(model.predict_on_batch(X), axis=1) == y[:, 0] for X, y in batches]
        return np.concatenate(right).mean()
        """,
)
evaluation.right(
    pytorch={"changed": "norm.num_batches_tracked"}, tensorflow={"changed": "norm/moving_variance"}
)


live = Mistakes("live")  # of seat 5: the numbers that the debugger shows in the solutions
for name, answer, says in (
    ("seat", "5", "must be a whole number from 0; it is '5'."),
    ("seat", 9, "`serial` is no record of the archive of seat 9. Is that the seat whose archive"),
    ("serial", 554399, "is the number of row 0 of that batch; its readings are ones that `log1p`"),
    ("serial", 4, "is a row; what is asked for is `serials` of that row."),
    ("serial", 397821, "is the number of a record in another batch, which gave no error."),
    ("serial", 707381.5, "is no record of the archive of seat 5."),
    ("serial", "707381", "must be a number; it is '707381'."),
    ("column", 0, "is not 0: in that column the record is fine. Columns count from 0."),
):
    live.brings(says, both={name: answer})
live.right(both={"seat": 5.0, "column": 2.0})


translation = Mistakes("translation")
NONE = "is not finite, and the result is None. Look at each layer, and for NaN as well as for both"
finite = translation.replacing("not output.isfinite().all()", "not np.isfinite(output).all()")
found = translation.replacing("return bad[0] if bad else None", "return None")
name = translation.replacing("bad.append(name)", "return layer.name")
begin = translation.replacing("bad = []\n", "outputs =")
end = translation.replacing("handle.remove()", "return layer.name")
for replace, says, *new in (
    (finite, NONE, "output.isinf().any()", "np.isinf(output).any()"),
    (finite, NONE, "output.isnan().any()", "np.isnan(output).any()"),
    (finite, NONE, "(output == torch.inf).any()", "(output.numpy() == np.inf).any()"),
    (finite, NONE, "not all(own.isfinite().all() for own in module.parameters())",
     "not all(np.isfinite(own).all() for own in layer.get_weights())"),
    (finite, "is 'head.1', but the output of 'head.0' is bad before it",
     "not inputs[0].isfinite().all()", None),
    (finite, "whose output is finite; ", "name == 'head.0'", "layer.name == 'first'"),
    (found, "Every output is finite, and the result is 'out'", 'return bad[0] if bad else "out"',
     'return "out"'),
    (found, "Every output is finite, and the result is ''", 'return "".join(bad[:1])', 'return ""'),
    (found, NONE, "return bad[0] if bad and not model(X).isfinite().all() else None", None),
    (begin, NONE, None, "if np.isfinite(model(X)).all():\n        return None\n    outputs ="),
    (found, "'out', but the output of 'body' is bad before it", "return (bad or [None])[-1]", None),
    (name, "it must be a name, or None", "bad.append(module)", "return layer"),
    (name, "has no layer called '", "bad.append(str(module))", "return layer.name + '/kernel'"),
    (begin, "leaves layers in evaluation mode", "bad = []\n    model.eval()\n", None),
    (begin, "changes which layers are", None, "model.trainable = False\n    outputs ="),
    (begin, "hides it", None, "if X.shape[1] > 3:\n        return None\n    outputs ="),
    (end, "After your function returns its hooks are still there", "pass", None),
    (end, "Your function takes off hooks that others had put on",
     "[module._forward_hooks.clear() for module in model.modules()]", None),
    (end, "Your function changes numbers that the network keeps",
     "handle.remove()\n        [own.data.nan_to_num_() for own in model.parameters()]",
     "[own.assign(np.nan_to_num(own)) for own in model.weights]\n            return layer.name"),
):  # fmt: skip
    replace(says, *new)
translation.brings(
    "Where the network itself raises an error: after your function returns its hooks are",
    pytorch=("try:", "if model:", "finally:", "if model:"),
)
translation.brings(
    "Where the network itself raises an error: the network was in training mode",
    pytorch=(
        "bad = []\n",
        "bad = []\n    model.eval()\n",
        "return bad",
        "model.train()\n    return bad",
    ),
)
translation.brings(
    "Where the network itself raises an error your function hides it",
    pytorch=("finally:", "except RuntimeError:\n        return None\n    finally:"),
)
translation.brings(  # walks in the order of the names
    "is 'out', but the output of 'body' is bad before it",
    pytorch=("return bad[0] if bad", "return min(bad, key=[*dict(layers)].index) if bad"),
)
translation.brings(  # a hook that looks the name up when it is called
    "is 'body', but the output of 'head.0' is bad before it",
    pytorch="""
        bad, handles = [], []
        for name, module in model.named_modules():
            if not list(module.children()):
                hook = lambda _, __, output: output.isfinite().all() or bad.append(name)
                handles.append(module.register_forward_hook(hook))
        model(X)
        for handle in handles:
            handle.remove()
        return bad[0] if bad else None
        """,
)
translation.brings(
    "is 'out', but the output of 'second' is bad before it",
    tensorflow=("in zip(", "in [*zip(", "strict=True)", "strict=True)][::-1]"),
)
translation.brings(
    "is 'relu', but the output of 'first' is bad before it",
    tensorflow=("layer.output for", "layer.input for"),
)
translation.brings(
    "changes numbers that the network keeps", tensorflow=("training=False", "training=True")
)
translation.brings(
    "raises `TypeError: too many positional arguments` in line 4 of its cell, `X = layer(X)`.",
    tensorflow="""
        for layer in model.layers:
            X = layer(X)
            if not np.isfinite(X).all():
                return layer.name
        """,
)
BY_CALL = """
    bad, calls = [], {layer: layer.call for layer in model.layers[1:]}

    def watch(layer):
        def watched(*inputs, **options):
            output = calls[layer](*inputs, **options)
            if not np.isfinite(output).all():
                bad.append(layer.name)
            return output

        return watched

    try:
        for layer in calls:
            layer.call = watch(layer)
        model(X)
    finally:
        for layer, call in calls.items():
            layer.call = call
    return bad[0] if bad else None
    """
translation.brings(
    "After your function returns `first.call` is another",
    tensorflow=BY_CALL.replace("layer.call = call", "pass"),
)
translation.right(
    pytorch="""
        names = {module: name for name, module in model.named_modules()}

        def hook(module, inputs, output):
            if not list(module.children()) and not output.isfinite().all():
                raise StopIteration(module)

        handle = torch.nn.modules.module.register_module_forward_hook(hook)
        try:
            model(X)
        except StopIteration as stop:
            return names[stop.value]
        finally:
            handle.remove()
        return None
        """,
    tensorflow=BY_CALL,
)
translation.right(
    pytorch="""
        call, bad = torch.nn.Module.__call__, []
        names = {module: name for name, module in model.named_modules()}

        def watched(module, *inputs):
            output = call(module, *inputs)
            if not output.isfinite().all():
                bad.append(names[module])
            return output

        torch.nn.Module.__call__ = watched
        try:
            model(X)
        finally:
            torch.nn.Module.__call__ = call
        return bad[0] if bad else None
        """,
    tensorflow="""
        for layer in model.layers:
            probe = tf.keras.Model(model.inputs, layer.output)
            if not tf.reduce_all(tf.math.is_finite(probe(X))):
                return layer.name
        return None
        """,
)
