"""Lesson 05, debugging: wrong answers to its exercise, and other right ones."""

import re

from mistakes import HALVES, Mistakes


def both(tensorflow: str) -> tuple[str, str]:
    """Code of the two halves that is the same but for names: PyTorch's, TensorFlow's."""
    pytorch = tensorflow.replace("tf.reduce_min", "tf.amin")
    return re.sub(r"tf\.(reduce_|math\.|nn\.)?", "torch.", pytorch), tensorflow


predict = Mistakes("predict")
predict.brings("`stops_unequal` is not -2.", both={"stops_unequal": -2})
predict.right(both={"stops_unequal": 2.0})


first_inf = Mistakes("first_inf")
first_inf.brings("the name of a tensor in `free_energy`, in", both={"first_bad": "exp"})
gate = first_inf.replacing(
    "torch.logaddexp(scores, torch.zeros_like(scores))", "tf.nn.softplus(scores)"
)
energy = first_inf.replacing(
    "-torch.logsumexp(-gate, dim=1)", "-tf.reduce_logsumexp(-gate, axis=1)"
)
mean = first_inf.replacing("energy.mean()", "tf.reduce_mean(energy)")
AGAIN = "For large scores the result is inf. Debug your function: which tensor is the first now?"
HELD = "For large scores the result is far too small: a limit, or a small number that is added"
GRADIENT = "For large scores the gradient at `X` is not finite, though the value is."
NAIVE = "tf.reduce_sum(tf.exp(-gate), 1)"
for replace, says, code in (
    (gate, AGAIN, "tf.math.log(1 + tf.exp(scores))"),
    (gate, HELD, "tf.math.log(1 + tf.exp(700 - tf.nn.relu(700 - scores)))"),
    (gate, "far below zero the result is inf.", "scores + tf.math.log(1 + tf.exp(-scores))"),
    (gate, "has ReLU in place of the gate", "tf.nn.relu(scores)"),
    (gate, "has the scores in place of the gate", "scores"),
    (gate, GRADIENT, "tf.where(scores > 30, scores, tf.math.log1p(tf.exp(scores)))"),
    (gate, "For scores above 20 the result takes a score above 20 for its gate, as PyTorch's",
     "tf.where(scores > 20, scores, "
     "tf.nn.relu(scores) + tf.math.log1p(tf.exp(-tf.abs(scores))))"),
    (energy, AGAIN, f"-tf.math.log({NAIVE})"),
    (energy, HELD, f"-tf.math.log({NAIVE} + 1e-300)"),
    (energy, HELD, "-tf.math.log(tf.reduce_sum(tf.exp(-(80 - tf.nn.relu(80 - gate))), 1))"),
    (energy, "agrees to a few digits only: a small", "-tf.reduce_logsumexp(-gate - 1e-6, 1)"),
    (energy, "the result has the wrong sign", "tf.reduce_logsumexp(-gate, 1)"),
    (energy, "has the least gate in place of", "tf.reduce_min(gate, 1)"),
    (mean, "has shape (6,), it must have (): one number, the mean of all examples", "energy"),
):  # fmt: skip
    replace(says, *both(code))
gate("as PyTorch's `softplus` does by default", "torch.nn.functional.softplus(scores)", None)
mean("; it must be a tensor.", "energy.mean().item()", "float(tf.reduce_mean(energy))")
mean("No gradient arrives at `X`", "energy.mean().detach()",
     "tf.stop_gradient(tf.reduce_mean(energy))")  # fmt: skip
mean("the gradient at `X` has the right shape", "0.5 * (energy + energy.detach()).mean()",
     "0.5 * tf.reduce_mean(energy + tf.stop_gradient(energy))")  # fmt: skip
first_inf.brings("opens a debugger", both=("energy =", "energy = pdb.set_trace() or"))
gate("", "torch.nn.functional.softplus(scores, threshold=800)", "-tf.math.log_sigmoid(-scores)")
by_hand = """
    gate = tf.nn.relu(scores) + tf.math.log1p(tf.exp(-tf.abs(scores)))
    least = tf.reduce_min(gate, 1)
    odds = tf.exp(least[:, None] - gate)
    energy = least - tf.math.log(tf.reduce_sum(odds, 1))
    """
once = "1 + tf.reduce_sum(tf.where(odds < 1, odds, tf.zeros_like(odds)), 1)"
twice = """
    safe = tf.where(scores > 30, tf.zeros_like(scores), scores)
    gate = tf.where(scores > 30, scores, tf.math.log1p(tf.exp(safe)))
    energy = -tf.reduce_logsumexp(-gate, 1)
    """
for says, code in (
    ("", by_hand),
    ("", twice),
    ("For equal scores the result", by_hand.replace("tf.reduce_sum(odds, 1)", once)),
):
    first_inf.brings(says, **dict(zip(HALVES, both(code), strict=True)))
first_inf.right(both={"first_bad": "grown "})


evaluation = Mistakes("evaluation")
evaluation.brings("a name in `net.state_dict()`, in quotes; it is 3.", pytorch={"changed": 3})
evaluation.brings("the `path` of one of `net.weights`, in", tensorflow={"changed": "moving_mean"})
TRAINS = "in training mode: dropout is on, and normalisation uses the batch, and collects from it."
for says, pytorch, tensorflow in (
    (TRAINS, ("model.eval()", "pass"), ("training=False", "training=True")),
    (TRAINS, ("model.eval()", "before = copy.deepcopy(model.state_dict())",
              "model.train(was_training)", "model.load_state_dict(before)"),
     ("right = []", "before, right = model.get_weights(), []", "training=False", "training=True",
      "    return", "    model.set_weights(before)\n    return")),
    ("returns `trainable` of `dense", None, ("right = []", "model.trainable, right = False, []")),
):  # fmt: skip
    evaluation.brings(says, pytorch=pytorch, tensorflow=tensorflow)
mode = evaluation.replacing("model.train(was_training)", "")
mode("returns `training` of `model` is not as it was: put it back.", "pass", None)
mode("returns `training` of `model.0` is", "model.training = was_training", None)
SHARE = (
    "torch.cat(right).double().mean().item()",
    "float(tf.reduce_mean(tf.cast(tf.concat(right, axis=0), tf.float64)))",
)
share = evaluation.replacing(*SHARE)
MEANS = "sum(each.numpy().mean() for each in right) / 3"
for says, new in (
    ("is the mean of the batches' shares", MEANS),
    ("is rounded: return it as it is", "round({}, 2)"),
    ("has shape (3,), it must have (): one number", "[{}] * 3"),
    ("is a `NoneType`; it must be an array of shape ()", "{} and None"),
):
    share(f"The share {says}", *map(new.format, SHARE))
COUNT = "sum(each.numpy().sum() for each in right)"
for says, new in (
    ("label: print", MEANS),
    ("label, in tables of n rows and n columns: print", COUNT + " / (12**2 + 12**2 + 5**2)"),
    ("label, and counts them all", COUNT + " / (12 + 12 + 5)"),
):
    pytorch, tensorflow = (("y[:, 0]", "y", old, new) for old in SHARE)
    says = f"compares every answer with every {says}"
    evaluation.brings(says, pytorch=pytorch, tensorflow=tensorflow)
evaluation.brings("Your function never calls `model`.", both="return 1 / 3")
share("must be a Python `float`", "torch.cat(right).double().mean()",
      "tf.reduce_mean(tf.cast(tf.concat(right, axis=0), tf.float64))")  # fmt: skip
share("", "sum(each.sum().item() for each in right) / sum(map(len, right))",
      "np.concatenate(right).mean()")  # fmt: skip
evaluation.right(
    pytorch="""
        still = copy.deepcopy(model).eval()
        right = torch.cat([still(X).argmax(dim=1) == y[:, 0] for X, y in batches])
        return right.float().mean().item()
        """,
    tensorflow="""
        accuracy = tf.keras.metrics.SparseCategoricalAccuracy()
        for X, y in batches:
            accuracy.update_state(y, model.predict(X, verbose=0))
        return float(accuracy.result())
        """,
)
evaluation.right(pytorch={"changed": "norm.num_batches_tracked"})
evaluation.right(tensorflow={"changed": "norm/moving_variance"})


live = Mistakes("live")  # of seat 5: the numbers that the debugger shows in the solutions
for name, answer, says in (
    ("seat", "5", "must be a whole number from 0; it is '5'."),
    ("seat", 9, "`serial` is no record of seat 9's archive. Is that the seat whose archive"),
    ("serial", 554399, "is the number of row 0 of that batch; its readings are ones that `log1p`"),
    ("serial", 4, "is a row; what is asked for is `serials` of that row."),
    ("serial", 397821, "is the number of a record in another batch, which gave no error."),
    ("column", 0, "is not 0: in that column the record is fine. Columns count from 0."),
):
    live.brings(says, both={name: answer})
live.right(both={"seat": 5.0, "column": 2.0})


translation = Mistakes("translation")
NONE = "is not finite, and the result is None. Look at each layer, and for NaN as well as for both"
CHANGES = "Your function changes numbers that the network keeps: let it only predict."
finite = translation.replacing("not output.isfinite().all()", "not np.isfinite(output).all()")
found = translation.replacing("return bad[0] if bad else None", "return None")
name = translation.replacing("bad.append(name)", "return layer.name")
begin = translation.replacing("model.eval()(X)", "outputs =")
mode = translation.replacing("model.train(training)", "outputs =")
end = translation.replacing("handle.remove()", "return layer.name")
for replace, says, *new in (
    (finite, NONE, "output.isinf().any()", "np.isinf(output).any()"),
    (finite, NONE, "output.isnan().any()", "np.isnan(output).any()"),
    (finite, NONE, "not all(own.isfinite().all() for own in module.parameters())",
     "not all(np.isfinite(own).all() for own in layer.get_weights())"),
    (finite, "'head.1', but the output of 'head.0' is bad", "not inputs[0].isfinite().all()", None),
    (finite, "whose output is finite; ", "not output.sum().isfinite()",
     "not np.isfinite(np.sum(output))"),
    (finite, "is bad before it", "not output[0].isfinite().all()",
     "not np.isfinite(output[0]).all()"),
    (finite, "is bad before it", "[*module.parameters()] and not output.isfinite().all()",
     "layer.weights and not np.isfinite(output).all()"),
    (found, "finite, and the result is 'out'", 'return (bad or ["out"])[0]', 'return "out"'),
    (found, NONE, "return bad[0] if bad and not model(X).isfinite().all() else None", None),
    (begin, NONE, None, "if np.isfinite(model(X)).all():\n        return None\n    outputs ="),
    (found, "'out', but the output of 'body' is bad before it", "return (bad or [None])[-1]", None),
    (name, "it must be a name, or None", "bad.append(module)", "return layer"),
    (name, "has no layer called '", "bad.append(str(module))", "return layer.name + '/kernel'"),
    (begin, CHANGES, "model(X)", None),
    (begin, NONE, "kept = {name: own.clone() for name, own in model.state_dict().items()}\n"
     "            model(X)\n            model.load_state_dict(kept)", None),
    (mode, "returns `training` of `model` is not as it was", "pass", None),
    (begin, "changes which numbers require a gradient",
     "model.requires_grad_(False)\n            model.eval()(X)", None),
    (begin, "returns `trainable` of `", None, "model.trainable = False\n    outputs ="),
    (begin, "returns `rate` of `drop`", None, "model.get_layer('drop').rate = 0.0\n    outputs ="),
    (begin, "hides it", None, "if X.shape[1] > 3:\n        return None\n    outputs ="),
    (end, "After your function returns its hooks are still there", "pass", None),
    (end, "takes off hooks that others had", "[m._forward_hooks.clear() for m in model.modules()]",
     None),
):  # fmt: skip
    replace(says, *new)
BY_CALL = """
    bad, calls = [], {layer: layer.call for layer in model.layers[1:]}

    def watch(layer):
        def watched(*inputs, **options):
            output = calls[layer](*inputs, **options)
            bad.extend([layer.name] * (not np.isfinite(output).all()))
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
for half, says, change in (
    ("pytorch", "error: after your function returns its hooks are still there",
     ("try:", "if model:", "finally:", "if model:")),
    ("pytorch", "error: after your function returns `training` of `model` is",
     ("model.train(training)", "pass", "return bad", "model.train(training)\n    return bad")),
    ("pytorch", "Every layer's output is finite, and the result is ''",
     ("if not list(module.children()):", "if True:")),
    ("pytorch", "Where the network itself raises an error your function hides it",
     ("finally:", "except RuntimeError:\n        return None\n    finally:")),
    ("pytorch", "is 'out', but the output of 'body' is bad before it",  # in the order of the names
     ("return bad[0] if bad", "return min(bad, key=[*dict(model.named_modules())].index) if bad")),
    ("pytorch", "is 'norm', but the output of 'head.0' is bad before it",  # looks names up late
     ("output, name=name", "output")),
    ("tensorflow", "is 'out', but the output of 'second' is bad before it",
     ("in zip(", "in [*zip(", "strict=True)", "strict=True)][::-1]")),
    ("tensorflow", "is 'relu', but the output of 'first' is bad before it",
     ("layer.output for", "layer.input for")),
    ("tensorflow", CHANGES, ("training=False", "training=True")),
    ("tensorflow", "raises `TypeError: too many positional arguments` in line 5 of its cell, `for ",
     ("zip(model.layers, probe(X, training=False), strict=True)",
      "((layer, X := layer(X)) for layer in model.layers)")),
    ("tensorflow", "After your function returns `call` of `first` is",
     BY_CALL.replace("layer.call = call", "pass")),
    ("tensorflow", "raises an error: after your function returns `call` of `first` is",
     BY_CALL.replace("try:", "if calls:").replace("finally:", "if calls:")),
):  # fmt: skip
    translation.brings(says, **{half: change})
translation.right(
    pytorch="""
        names, bad = {module: name for name, module in model.named_modules()}, []
        training = model.training

        def hook(module, inputs, output):
            if not list(module.children()) and not output.isfinite().all():
                bad.append(names[module])

        with torch.nn.modules.module.register_module_forward_hook(hook):
            try:
                model.eval()(X)
            finally:
                model.train(training)
        return bad[0] if bad else None
        """,
    tensorflow=BY_CALL,
)
translation.right(
    pytorch="""
        twin, bad = copy.deepcopy(model).eval(), []
        for name, module in twin.named_modules():
            if not list(module.children()):
                hook = lambda _, __, y, name=name: bad.extend([name] * bool((y - y).isnan().any()))
                module.register_forward_hook(hook)
        twin(X)
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
