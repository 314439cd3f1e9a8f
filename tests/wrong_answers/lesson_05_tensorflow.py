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
            3: "counts one trace for both Python numbers: each is a constant of its own trace.",
        },
        "second": {
            4: "counts the traces; `tf.print` is part of the graph, which each call runs.",
            1: "counts the first call only; `tf.print` is part of the graph, which each call runs.",
            0: "is not 0: `tf.print` is part of the graph, which each call runs.",
        },
        "third": {
            0: "is not 0: without a graph each call runs Python's lines.",
            1: "is not 1: without a graph each call runs Python's lines.",
            4: "counts traces; without a graph there are none, and each call runs Python's lines.",
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


wrong.add("explain_error", "B", "squares", lambda X, centre: tf.reduce_mean(
    tf.norm(X - centre, axis=1)), message=STILL)  # fmt: skip


def _energy(X, W, gate=tf.nn.softplus, energy=None):
    gates = gate(X @ W)
    energy = energy or (lambda gates: -tf.reduce_logsumexp(-gates, axis=1))
    return tf.reduce_mean(energy(gates))


def good(X, W):
    return _energy(X, W)


for name, note in {
    "grown": "it has its scope in front of it.",
    "scores": "they are large, and finite.",
    "scores:0": "they are large, and finite.",
    "gate/plus": "one of its inputs is infinite already.",
    "gate/log": "its input is infinite already.",
    "odds": "it is zero, which is finite.",
    "energy": "it comes later.",
}.items():
    wrong.add("first_inf", name, good, message=f'`first_bad` is not "{name}": {note}')
for answer, given in (("Exp", "'Exp'"), ("", "''"), (None, "None"), (good, "a `function`")):
    message = f"`first_bad` is {given}: name a node of the graph, as tfdbg lists it, in quotes."
    wrong.add("first_inf", answer, good, message=message)


def steadies(message, **parts):
    """Add a wrong way of making `free_energy` steady."""
    wrong.add("first_inf", "gate/grown", lambda X, W: _energy(X, W, **parts), message=message)


AGAIN = " Debug your function: which is the first now?"


def naive_gate(scores):
    return tf.math.log(1 + tf.exp(scores))


def naive_energy(gates):
    return -tf.math.log(tf.reduce_sum(tf.exp(-gates), axis=1))


steadies("For large scores the result is inf." + AGAIN, gate=naive_gate)
steadies("For large scores the result is inf." + AGAIN, energy=naive_energy)
steadies(
    "For large scores the result is that of scores with a limit: large ones must count as they "
    "are.",
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
steadies("For small scores the result has the right shape and dtype, but wrong values.",
         energy=lambda gates: tf.reduce_logsumexp(gates, axis=1))  # fmt: skip
steadies("For small scores the result is that of the mean of the odds, not of their sum.",
         energy=lambda gates: -tf.math.log(tf.reduce_mean(tf.exp(-gates), axis=1)))  # fmt: skip
steadies(
    "For large scores the result has the right shape and dtype, but wrong values.",
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


@wrong.brings("translation", "After your function returns `first.call` is another. Leave its "
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

    def register(evaluate):
        wrong.add("evaluation", "norm/moving_mean", evaluate, message=message)
        return evaluate

    return register


lesson_05.add_changed(
    wrong,
    _evaluate,
    ("norm/gamma", "hidden/bias", "out/kernel"),
    ("norm", "moving_mean", "drop", "y"),
    "name the `path` of one of `net.weights`, in quotes",
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
