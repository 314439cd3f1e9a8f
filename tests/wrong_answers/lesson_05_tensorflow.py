"""Wrong answers to the TensorFlow half of lesson 05's exercise."""
# ruff: noqa: N803, N806 - the exercise names matrices X and W

import functools
import pdb

import numpy as np
import tensorflow as tf

from wrong_answers import WrongAnswers, lesson_05

wrong = WrongAnswers()

lesson_05.add_predictions(
    wrong,
    (4, 5, 5),
    {
        "first": {
            5: "counts the calls; Python's lines run only while a function is traced.",
            1: "is not 1: another shape, and each other Python number, is traced anew.",
            2: "counts one trace for both Python numbers: each is a constant of its own trace.",
            3: "counts one trace for both Python numbers: each is a constant of its own trace.",
        },
        "second": {
            4: "counts the traces; `tf.print` is part of the graph, which each call runs.",
            1: "counts the first call only; `tf.print` is part of the graph, which each call runs.",
            0: "is not 0: `tf.print` is part of the graph, which each call runs.",
            9: "counts traces and runs: while a function is traced, `tf.print` prints nothing.",
        },
        "third": {
            0: "is not 0: without a graph each call runs Python's lines.",
            1: "is not 1: without a graph each call runs Python's lines.",
            4: "counts traces; without a graph there are none, and each call runs Python's lines.",
            9: "counts traces too; without a graph there are none.",
            10: "counts traces too; without a graph there are none.",
        },
    },
)


def _distance(X, centre, root):
    return tf.reduce_mean(root(tf.reduce_sum((X - centre) ** 2, axis=1)))


def _mended(squares):
    zero = squares == 0
    safe = tf.where(zero, tf.ones_like(squares), squares)
    return tf.where(zero, tf.zeros_like(squares), tf.sqrt(safe))


def mended(X, centre):
    return _distance(X, centre, _mended)


lesson_05.add_causes(
    wrong,
    {
        "difference": "its gradient comes later on the way back: the message names the first op "
        "that is bad, and its inputs.",
        "distance": "its gradient is 1 / n, a number.",
        "X": "its gradient comes later on the way back.",
    },
    mended,
)


def mends(message):
    """Decorate a wrong way of taking the root."""

    def register(root):
        wrong.add("explain_error", "B", "squares", lambda X, centre: _distance(X, centre, root),
                  message=message)  # fmt: skip
        return root

    return register


FEW = (
    " agrees to a few digits only: a small number that is added, or a limit, changes the results. "
    "They must be exact."
)
STILL = (
    "Where a row is the centre, the gradient at `X` is still not finite. Choosing between results "
    "may not help: the gradient of what is not chosen is computed too, and infinity times 0 is NaN."
)


@mends(STILL)
def chooses_afterwards(squares):
    return tf.where(squares > 0, squares**0.5, tf.zeros_like(squares))


@mends(STILL)
def takes_a_power(squares):
    return squares**0.5


@mends(STILL)
def multiplies_by_a_mask(squares):
    return tf.cast(squares > 0, squares.dtype) * squares**0.5


@mends("Where a row is the centre, the value" + FEW)
def adds_an_epsilon(squares):
    return tf.sqrt(squares + 1e-8)


@mends("Where a row is the centre, the value" + FEW)
def sets_a_limit(squares):
    return tf.sqrt(tf.maximum(squares, 1e-10))


@mends(
    "Where a row is the centre, the value leaves out rows that are the centre: their distance is "
    "0, and they count."
)
def leaves_rows_out(squares):
    return tf.sqrt(tf.boolean_mask(squares, squares > 0))


@mends("No gradient arrives at `X`: something is cut off from it.")
def cuts_the_graph(squares):
    return tf.sqrt(tf.stop_gradient(squares))


@mends("No gradient arrives at `X`: something is cut off from it.")
def asks_numpy(squares):
    return tf.constant(np.sqrt(squares))


@mends(
    "Where a row is very near the centre, the gradient at `X` has zero in rows that are not at the "
    "centre: only a distance of 0 is special."
)
def takes_near_rows_for_zero(squares):
    zero = squares < 1e-12
    safe = tf.where(zero, tf.ones_like(squares), squares)
    return tf.where(zero, tf.sqrt(tf.stop_gradient(squares)), tf.sqrt(safe))


@mends("Where a row is the centre, the value is that of the squares: the root is missing.")
def leaves_the_root_out(squares):
    return squares


@mends("Where a row is the centre, the value is the sum: take the mean.")
def adds_them_up(squares):
    return len(squares) * _mended(squares)


@mends("Your function opens a debugger: take the breakpoint out before you check it.")
def keeps_a_breakpoint(squares):
    pdb.Pdb().set_trace()
    return _mended(squares)


def explains(message):
    """Decorate a wrong `mean_distance`."""
    return wrong.brings("explain_error", message, "B", "squares")


VALUE = "Where a row is the centre, the value "


@explains(STILL)
def takes_the_norm(X, centre):
    return tf.reduce_mean(tf.norm(X - centre, axis=1))


@explains(f"{VALUE}has shape (7,), it must have (): one number, the mean of all rows.")
def forgets_the_mean(X, centre):
    return _mended(tf.reduce_sum((X - centre) ** 2, axis=1))


@explains(f"{VALUE}is the root of a mean: each row has its own root.")
def takes_the_mean_first(X, centre):
    return tf.sqrt(tf.reduce_mean(tf.reduce_sum((X - centre) ** 2, axis=1)))


@explains(f"{VALUE}is the root of a sum over all rows: each row has its own.")
def takes_the_norm_of_the_matrix(X, centre):
    return tf.norm(X - centre)


@explains(f"{VALUE}is that of columns: add up along the features of a row.")
def goes_along_columns(X, centre):
    return tf.reduce_mean(tf.norm(X - centre, axis=0))


@explains(f"{VALUE}adds up differences: square them, and take the root of the sum.")
def adds_absolute_differences(X, centre):
    return tf.reduce_mean(tf.reduce_sum(tf.abs(X - centre), axis=1))


@explains("No gradient arrives at `X`: something is cut off from it.")
def returns_a_float(X, centre):
    return float(mended(X, centre))


@explains(f"{VALUE}has dtype float32, it must have float64.")
def loses_precision(X, centre):
    return mended(tf.cast(X, tf.float32), tf.cast(centre, tf.float32))


def _energy(X, W, gate=tf.nn.softplus, energy=None):
    gates = gate(X @ W)
    energy = energy or (lambda gates: -tf.reduce_logsumexp(-gates, axis=1))
    return tf.reduce_mean(energy(gates))


def good(X, W):
    return _energy(X, W)


for name, note in {
    "grown": "it has its scope in front of it.",
    "X": "it is finite.",
    "W": "its numbers are large, and finite.",
    "scores": "they are large, and finite.",
    "gate/plus": "one of its inputs is infinite already.",
    "gate/log": "its input is infinite already.",
    "odds": "it is zero, which is finite.",
    "energy": "it comes later.",
    "Sum": "it is zero, which is finite.",
    "Neg": "it comes later.",
    "Mean": "it comes later.",
}.items():
    wrong.add("first_inf", name, good, message=f"`first_bad` is not '{name}': {note}")
for answer, given in (("Exp", "'Exp'"), ("", "''"), (None, "None"), (good, "a `function`")):
    message = (
        "`first_bad` must be the name of a node of the graph, as tfdbg lists it, in quotes; it is "
        f"{given}."
    )
    wrong.add("first_inf", answer, good, message=message)


def steadies(message, **parts):
    """Add a wrong way of making `free_energy` steady."""
    wrong.add("first_inf", "gate/grown", lambda X, W: _energy(X, W, **parts), message=message)


AGAIN = " Debug your function: which is the first now?"
LIMIT = (
    "For large scores the result is far too small: a limit, or a small number that is added, holds "
    "it back. Large scores must count as they are."
)


def naive_gate(scores):
    return tf.math.log(1 + tf.exp(scores))


def naive_energy(gates):
    return -tf.math.log(tf.reduce_sum(tf.exp(-gates), axis=1))


steadies("For large scores the result is inf." + AGAIN, gate=naive_gate)
steadies("For large scores the result is inf." + AGAIN, energy=naive_energy)
steadies(
    LIMIT,
    gate=lambda scores: naive_gate(tf.minimum(scores, 700)),
)
steadies("For scores far below zero the result is inf.",
         gate=lambda scores: scores + tf.math.log(1 + tf.exp(-scores)))  # fmt: skip
steadies("For small scores the result has ReLU in place of the gate: near zero they differ.",
         gate=tf.nn.relu)  # fmt: skip
steadies("For small scores the result has the scores in place of the gate: below zero they differ.",
         gate=lambda scores: scores)  # fmt: skip
steadies("For small scores the result has the wrong sign.",
         energy=lambda gates: tf.reduce_logsumexp(-gates, axis=1))  # fmt: skip
steadies("For small scores the result has the least gate in place of the sum of the odds.",
         energy=lambda gates: tf.reduce_min(gates, axis=1))  # fmt: skip
steadies("For small scores the result has exp(gate), and no minus before the logarithm.",
         energy=lambda gates: tf.reduce_logsumexp(gates, axis=1))  # fmt: skip
steadies("For small scores the result has exp(gate) in place of exp(-gate).",
         energy=lambda gates: -tf.reduce_logsumexp(gates, axis=1))  # fmt: skip
steadies("For small scores the result has the sum of the gates in place of the sum of the odds.",
         energy=lambda gates: tf.reduce_sum(gates, axis=1))  # fmt: skip
steadies("For small scores the result adds the odds of different examples: add up along the units.",
         energy=lambda gates: -tf.reduce_logsumexp(-gates, axis=0))  # fmt: skip
steadies("For small scores the result adds all odds at once: each example has its own sum.",
         energy=lambda gates: -tf.reduce_logsumexp(-gates))  # fmt: skip
steadies(LIMIT, gate=lambda scores: naive_gate(tf.clip_by_value(scores, -80, 80)))
steadies(LIMIT, energy=lambda gates: naive_energy(tf.minimum(gates, 80)))
wrong.add(
    "first_inf", "gate/grown", lambda X, W: -tf.reduce_logsumexp(-tf.nn.softplus(X @ W), axis=1),
    message="For small scores the result has shape (6,), it must have (): one number, the mean of "
    "all examples.",
)  # fmt: skip
steadies("For small scores the result is that of the mean of the odds, not of their sum.",
         energy=lambda gates: -tf.math.log(tf.reduce_mean(tf.exp(-gates), axis=1)))  # fmt: skip
steadies(
    LIMIT,
    energy=lambda gates: -tf.math.log(tf.reduce_sum(tf.exp(-gates), axis=1) + 1e-300),
)


def returns_a_number(X, W):
    return 3.0


wrong.add("first_inf", "gate/grown", returns_a_number,
          message="`free_energy` must return a node of the graph; this is a `float`.")  # fmt: skip


@wrong.brings("translation", "The result is a `Dense`; it must be a name, or None.")
def returns_the_layer(model, X):
    return model.layers[1]


def _walk(model, X, *, finite=np.isfinite, pick=0, training=False):
    probe = tf.keras.Model(model.inputs, [layer.output for layer in model.layers])
    outputs = zip(model.layers, probe(X, training=training), strict=True)
    bad = [layer.name for layer, output in outputs if not finite(output.numpy()).all()]
    return bad[pick] if bad else None


NONE = (
    "is not finite, and the result is None. Look at each layer, and for NaN as well as for both "
    "infinities."
)


@wrong.brings("translation", f"The output of `second` {NONE}")
def looks_for_infinity_only(model, X):
    return _walk(model, X, finite=lambda output: ~np.isinf(output))


@wrong.brings("translation", f"The output of `first` {NONE}")
def looks_for_nan_only(model, X):
    return _walk(model, X, finite=lambda output: ~np.isnan(output))


@wrong.brings("translation", f"The output of `first` {NONE}")
def looks_at_the_end_only(model, X):
    return _walk(model, X) if not np.isfinite(model(X)).all() else None


@wrong.brings("translation", f"The output of `first` {NONE}")
def looks_for_positive_infinity(model, X):
    return _walk(model, X, finite=lambda output: output < np.inf)


@wrong.brings("translation", "The result is 'out', but the output of 'second' is bad before it.")
def takes_the_last(model, X):
    return _walk(model, X, pick=-1)


@wrong.brings("translation", "Your function changes numbers that the network keeps: let it only "
              "predict.")  # fmt: skip
def trains(model, X):
    return _walk(model, X, training=True)


@wrong.brings(
    "translation",
    "Your code raises `TypeError: too many positional arguments`.",
)
def walks_along_a_chain(model, X):
    for layer in model.layers:
        X = layer(X)
        if not np.isfinite(X).all():
            return layer.name
    return None


@wrong.brings("translation", f"The output of `second` {NONE}")
def looks_at_the_weights(model, X):
    for layer in model.layers:
        if not all(np.isfinite(weight).all() for weight in layer.get_weights()):
            return layer.name
    return None


@wrong.brings(
    "translation", "The result is 'first', whose output is finite; 'second' is the first."
)
def always_names_the_first(model, X):
    return "first"


@wrong.brings("translation", "The network has no layer called 'second/bias'; its names are "
              "`first`, `relu`, `drop`, `second`, `norm`, `add`, `out`.")  # fmt: skip
def names_a_weight(model, X):
    return {"second": "second/bias"}.get(name := _walk(model, X), name)


@wrong.brings("translation", "Every output is finite, and the result is 'out': return None.")
def names_the_last_where_nothing_is_bad(model, X):
    return _walk(model, X) or "out"


@wrong.brings("translation", "Every output is finite, and the result is '': return None.")
def returns_an_empty_name(model, X):
    return _walk(model, X) or ""


@wrong.brings("translation", "The result is 1; it must be a name, or None.")
def returns_its_number(model, X):
    return [layer.name for layer in model.layers].index(_walk(model, X))


@wrong.brings("translation", "Your function changes which layers are `trainable`: to predict, "
              "leave that.")  # fmt: skip
def freezes_the_layers(model, X):
    model.trainable = False
    return _walk(model, X)


@wrong.brings("translation", "The result is 'relu', but the output of 'first' is bad before it.")
def looks_at_inputs(model, X):
    probe = tf.keras.Model(model.inputs, [layer.input for layer in model.layers])
    for layer, inputs in zip(model.layers, probe(X, training=False), strict=True):
        if not all(np.isfinite(each).all() for each in np.atleast_1d(inputs)):
            return layer.name
    return None


@wrong.brings("translation", "Where the network itself raises an error your function hides it.")
def hides_errors(model, X):
    try:
        return _walk(model, X)
    except ValueError:
        return None


@wrong.brings("translation", "Your function changes numbers that the network keeps: let it only "
              "predict.")  # fmt: skip
def mends_the_network(model, X):
    name = _walk(model, X)
    for weight in model.weights:
        weight.assign(np.nan_to_num(weight.numpy()))
    return name


@wrong.brings("translation", "After your function returns `first.call` is another. Leave the "
              "layers as they are.")  # fmt: skip
def leaves_its_hooks(model, X):
    bad = []

    def watch(layer, call):
        def watched(*inputs, **options):
            output = call(*inputs, **options)
            if not np.isfinite(output).all():
                bad.append(layer.name)
            return output

        return watched

    for layer in model.layers[1:]:
        layer.call = watch(layer, layer.call)
    model(X)
    return bad[0] if bad else None


def _evaluate(model, batches, *, training=False, right=None, mean=None):
    right = right or (lambda scores, y: tf.argmax(scores, axis=1) == y[:, 0])
    answers = [right(model(X, training=training), y) for X, y in batches]
    return float((mean or (lambda answers: _share(tf.concat(answers, axis=0))))(answers))


def _share(answers):
    return tf.reduce_mean(tf.cast(answers, tf.float64))


def changes(message, **parts):
    """Add a wrong way of evaluating."""
    own = functools.partial(_evaluate, **parts)
    wrong.add("evaluation", "norm/moving_mean", own, message=message)


def evaluates(message):
    """Decorate a wrong `evaluate`."""
    return wrong.brings("evaluation", message, "norm/moving_mean")


lesson_05.add_changed(
    wrong,
    _evaluate,
    ("norm/gamma", "hidden/bias", "out/kernel"),
    ("norm", "moving_mean", "drop", "y"),
    "the `path` of one of `net.weights`",
)
MODE = (
    "Your function runs the network in training mode: dropout is on, and normalisation uses the "
    "batch, and collects from it. Which argument says so?"
)
changes(MODE, training=True)


@evaluates(MODE)
def puts_the_numbers_back(model, batches):
    before = model.get_weights()
    share = _evaluate(model, batches, training=True)
    model.set_weights(before)
    return share


@evaluates(MODE)
def freezes_and_trains(model, batches):
    model.trainable = False
    return _evaluate(model, batches, training=True)


@evaluates("Your function changes which layers are `trainable`: to predict, leave that.")
def freezes_the_network(model, batches):
    model.trainable = False
    return _evaluate(model, batches)


@evaluates("The share has shape (3,), it must have (): one number.")
def returns_a_list_of_shares(model, batches):
    return [_evaluate(model, [batch]) for batch in batches]


BROADCAST = "The share compares every answer with every label: print the shapes of both."
TABLES = BROADCAST.replace("label:", "label, in tables of n rows and n columns:")
changes(TABLES, right=lambda scores, y: tf.reshape(tf.argmax(scores, axis=1) == y, [-1]))
changes(
    BROADCAST,
    right=lambda scores, y: tf.argmax(scores, axis=1) == y,
    mean=lambda tables: tf.reduce_mean([_share(table) for table in tables]),
)
changes(
    "The share is the mean of the batches' shares: the last one is smaller, and counts less.",
    mean=lambda answers: tf.reduce_mean([_share(each) for each in answers]),
)
changes(
    BROADCAST.replace("label:", "label, and counts them all:"),
    right=lambda scores, y: tf.reduce_sum(
        tf.cast(tf.argmax(scores, axis=1) == y, tf.float64), axis=1
    ),
)
changes("The share is rounded: return it as it is.",
        mean=lambda answers: round(float(_share(tf.concat(answers, axis=0))), 2))  # fmt: skip
changes("The share is that of the last batch alone.", mean=lambda answers: _share(answers[-1]))
changes("The share is that of the first batch alone.", mean=lambda answers: _share(answers[0]))
changes("The share is the share of wrong answers.",
        right=lambda scores, y: tf.argmax(scores, axis=1) != y[:, 0])  # fmt: skip
changes("The share is a number of examples, not their share.",
        mean=lambda a: tf.reduce_sum(tf.cast(tf.concat(a, axis=0), tf.float64)))  # fmt: skip
changes("The share is in percent: return a share, from 0 to 1.",
        mean=lambda answers: 100 * _share(tf.concat(answers, axis=0)))  # fmt: skip


@evaluates("The share is a `NoneType`; it must be an array of shape ().")
def returns_nothing(model, batches):
    _evaluate(model, batches)


@evaluates("Your function never calls `model`.")
def guesses(model, batches):
    return 1 / 3


lesson_05.add_readings(wrong, "tensorflow")

# Other right answers


def chooses_twice(X, centre):
    squares = tf.reduce_sum((X - centre) ** 2, axis=1)
    root = tf.sqrt(tf.where(squares == 0, 1.0, squares))
    return tf.reduce_mean(tf.where(squares == 0, 0.0, root))


def divides_without_nan(X, centre):
    squares = tf.reduce_sum((X - centre) ** 2, axis=1)
    return tf.reduce_mean(tf.math.divide_no_nan(squares, tf.sqrt(squares)))


def steady_by_hand(X, W):
    scores = X @ W
    gate = tf.maximum(scores, 0) + tf.math.log1p(tf.exp(-tf.abs(scores)))
    least = tf.reduce_min(gate, axis=1, keepdims=True)
    sums = tf.reduce_sum(tf.exp(least - gate), axis=1)
    return tf.reduce_mean(least[:, 0] - tf.math.log(sums))


def counts_in_float32(model, batches):
    answers = [tf.argmax(model(X), axis=1) == y[:, 0] for X, y in batches]
    return tf.reduce_mean(tf.cast(tf.concat(answers, axis=0), tf.float32))


def asks_a_metric(model, batches):
    accuracy = tf.keras.metrics.SparseCategoricalAccuracy()
    for X, y in batches:
        accuracy.update_state(y, model(X, training=False))
    return accuracy.result()


def asks_numpy_for_the_share(model, batches):
    answers = [np.argmax(model.predict_on_batch(X), axis=1) == y[:, 0] for X, y in batches]
    return np.concatenate(answers).mean()


def one_probe_a_layer(model, X):
    for layer in model.layers:
        probe = tf.keras.Model(model.inputs, layer.output)
        if not tf.reduce_all(tf.math.is_finite(probe(X))):
            return layer.name
    return None


def puts_each_call_back(model, X):
    bad, calls = [], {layer: layer.call for layer in model.layers}

    def watch(layer):
        def watched(*inputs, **options):
            output = calls[layer](*inputs, **options)
            if not np.isfinite(output).all():
                bad.append(layer.name)
            return output

        return watched

    try:
        for layer in model.layers:
            layer.call = watch(layer)
        model(X)
    finally:
        for layer, call in calls.items():
            layer.call = call
    return bad[0] if bad else None


wrong.also_right("predict", 0, 2.0, 4, 5, 5)
for function in (chooses_twice, divides_without_nan):
    wrong.also_right("explain_error", " b", "squares ", function)
for function in (
    steady_by_hand,
    lambda X, W: _energy(X, W, gate=lambda scores: -tf.math.log_sigmoid(-scores)),
):
    wrong.also_right("first_inf", "gate/grown:0", function)
for function in (counts_in_float32, asks_a_metric, asks_numpy_for_the_share):
    wrong.also_right("evaluation", "net/norm/moving_variance", function)
for function in (one_probe_a_layer, puts_each_call_back):
    wrong.also_right("translation", function)
