"""Wrong answers to the exercise of lesson 03 in TensorFlow."""
# ruff: noqa: N803, N806 - the exercise names matrices W1 and X

import numpy as np
import tensorflow as tf

from wrong_answers import WrongAnswers, lesson_03

wrong = WrongAnswers()

UNUSED = "`v` enters `z` through `stop_gradient`, and nothing leads back to it"
UNWATCHED = "`c` is a constant, which a tape does not watch unless it is told"
lesson_03.add_predictions(wrong, 2.0, {"v_grad": UNUSED, "c_grad": UNWATCHED})
for number, sentence in {
    14: "adds the first answer: a tape returns a gradient, and adds it to nothing.",
    16: "adds the first answer, and counts both factors of `z`.",
    4: "counts both factors of `z`: the stopped one is a constant to the tape.",
    12: "is still the first: this call asks for the gradient of `z`.",
}.items():
    wrong.add("predict", 12, number, 0, None, None, message=f"`w_second` {sentence}")


def _descend(X, y, steps, lr, watch=True, ask=lambda tape, fit, loss, w: tape.gradient(loss, w)):
    w, losses = tf.zeros(X.shape[1], X.dtype), []
    for _ in range(steps):
        with tf.GradientTape(persistent=True) as tape:
            if watch:
                tape.watch(w)
            fit = tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)
            loss = fit + 0.1 * tf.reduce_sum(w**2)
        w = w - lr * ask(tape, fit, loss, w)
        losses.append(float(loss))
    return w, losses


lesson_03.add_causes(
    wrong,
    "C",
    "A",
    {
        "B": "both parts of the loss are computed inside of the tape's block.",
        "D": "that gives None and a warning, and `w` has the dtype of `X`.",
        "E": "a tape takes that, and differentiates the sum of the numbers.",
    },
    _descend,
)


def mends(message):
    """Decorate a wrong `descend`, whose causes are right."""
    return wrong.brings("explain_error", message, "C", "A")


ONCE = (
    "Your code raises `RuntimeError: A non-persistent GradientTape can only be used to compute one "
    "set of gradients (or jacobians)`."
)
ZERO = "`w` is still zero: does a gradient arrive, and is the step taken?"


def _none(operator, left, right="NoneType"):
    return (
        f"Your code raises `TypeError: unsupported operand type(s) for {operator}: '{left}' and "
        f"'{right}'`."
    )


@mends(ONCE)
def mends_only_the_second(X, y, steps, lr):
    w = tf.zeros(X.shape[1], X.dtype)
    with tf.GradientTape() as tape:
        tape.watch(w)
        fit = tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)
        penalty = 0.1 * tf.reduce_sum(w**2)
    return w - lr * (tape.gradient(fit, w) + tape.gradient(penalty, w)), [float(fit + penalty)]


@mends(_none("+", "NoneType"))
def makes_the_tape_persistent(X, y, steps, lr):
    w = tf.zeros(X.shape[1], X.dtype)
    with tf.GradientTape(persistent=True) as tape:
        fit = tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)
        penalty = 0.1 * tf.reduce_sum(w**2)
    return w - lr * (tape.gradient(fit, w) + tape.gradient(penalty, w)), [float(fit + penalty)]


@mends(_none("*", "float"))
def asks_once_and_does_not_watch(X, y, steps, lr):
    return _descend(X, y, steps, lr, watch=False)


@mends(_none("*", "float"))
def adds_the_penalty_after_the_block(X, y, steps, lr):
    w = tf.Variable(tf.zeros(X.shape[1], X.dtype))
    with tf.GradientTape() as tape:
        fit = tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)
        penalty = 0.1 * tf.reduce_sum(w**2)
    loss = fit + penalty
    return w - lr * tape.gradient(loss, w), []


@mends(_none("*", "float"))
def loses_the_variable_in_the_first_step(X, y, steps, lr):
    w, losses = tf.Variable(tf.zeros(X.shape[1], X.dtype)), []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2) + 0.1 * tf.reduce_sum(w**2)
        w = w - lr * tape.gradient(loss, w)
        losses.append(float(loss))
    return w, losses


@mends(ZERO)
def puts_zero_in_place_of_none(X, y, steps, lr):
    def ask(tape, fit, loss, w):
        return tape.gradient(loss, w, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return _descend(X, y, steps, lr, watch=False, ask=ask)


@mends(ZERO)
def skips_the_step_where_none_comes(X, y, steps, lr):
    def ask(tape, fit, loss, w):
        gradient = tape.gradient(loss, w)
        return 0.0 if gradient is None else gradient

    return _descend(X, y, steps, lr, watch=False, ask=ask)


@mends("`w` follows the error alone: the penalty does not pull at the weights of each step.")
def asks_for_the_error_alone(X, y, steps, lr):
    return _descend(X, y, steps, lr, ask=lambda tape, fit, loss, w: tape.gradient(fit, w))


@mends("`w` goes up the slope: a step is against the gradient.")
def climbs(X, y, steps, lr):
    return _descend(X, y, steps, -lr)


@mends("The list of losses lacks the penalty of each step: is it computed in each, and added?")
def reports_the_error_alone(X, y, steps, lr):
    errors = []

    def ask(tape, fit, loss, w):
        errors.append(float(fit))
        return tape.gradient(loss, w)

    return _descend(X, y, steps, lr, ask=ask)[0], errors


@mends("The list of losses is one step late: take each before its step.")
def takes_the_loss_after_the_step(X, y, steps, lr):
    return _descend(X, y, steps, lr)[0], _descend(X, y, steps + 1, lr)[1][1:]


@mends("`w` has dtype float32, it must have float64.")
def computes_in_float32(X, y, steps, lr):
    w, losses = _descend(tf.cast(X, tf.float32), tf.cast(y, tf.float32), steps, lr)
    return w, losses


@mends("The list of losses has shape (), it must have (4,): one for each step.")
def returns_the_last_loss(X, y, steps, lr):
    w, losses = _descend(X, y, steps, lr)
    return w, losses[-1]


@mends("`descend` must return (w, losses); it returns a `EagerTensor`.")
def returns_only_the_weights(X, y, steps, lr):
    return _descend(X, y, steps, lr)[0]


lesson_03.add_derivations(
    wrong,
    inputs_first=True,
    transposed="`dW` has shape (4, 5), the weight has (5, 4): Keras keeps (inputs, outputs).",
    tensor=tf.constant,
)


def _gradients(X, y, W1, W2, scale=None, pull=0.1, penalty_outside=False):
    def penalty():
        return pull * (tf.reduce_sum(W1**2) + tf.reduce_sum(W2**2))

    before = penalty()
    with tf.GradientTape() as tape:
        hidden = tf.tanh(X @ W1)
        by = scale(hidden) if scale else tf.sqrt(tf.reduce_mean(hidden**2))
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, hidden / by @ W2)
        loss = tf.reduce_mean(loss) + (before if penalty_outside else penalty())
    return float(loss), *tape.gradient(loss, (W1, W2))


SCALE = (
    "`dW1` has no share of `scale`, which depends on W1 too. NumPy and `float` return a number, "
    "which the tape knows nothing of."
)


@wrong.brings("bug_hunt", SCALE)
def finds_only_the_penalty(X, y, W1, W2):
    return _gradients(X, y, W1, W2, lambda hidden: np.sqrt(np.mean(hidden**2)))


@wrong.brings("bug_hunt", SCALE)
def makes_a_tensor_of_the_number(X, y, W1, W2):
    return _gradients(X, y, W1, W2, lambda hidden: tf.constant(np.sqrt(np.mean(hidden**2))))


@wrong.brings("bug_hunt", SCALE)
def makes_a_variable_of_the_number(X, y, W1, W2):
    return _gradients(X, y, W1, W2, lambda hidden: tf.Variable(np.sqrt(np.mean(hidden**2))))


@wrong.brings("bug_hunt", SCALE)
def stops_the_gradient(X, y, W1, W2):
    def scale(hidden):
        return tf.stop_gradient(tf.sqrt(tf.reduce_mean(hidden**2)))

    return _gradients(X, y, W1, W2, scale)


@wrong.brings("bug_hunt", "`dW1` has no share of the penalty.")
def finds_only_the_scale(X, y, W1, W2):
    return _gradients(X, y, W1, W2, penalty_outside=True)


@wrong.brings("bug_hunt", "`dW1` lacks the share of `scale` and that of the penalty.")
def finds_neither_but_edits(X, y, W1, W2):
    return _gradients(
        X, y, W1, W2, lambda hidden: float(np.sqrt(np.mean(hidden**2))), penalty_outside=True
    )


@wrong.brings("bug_hunt", "The loss has no penalty in it.")
def leaves_the_penalty_out(X, y, W1, W2):
    return _gradients(X, y, W1, W2, pull=0.0)


@wrong.brings("bug_hunt", "The loss is that of a network that does not divide by `scale`.")
def leaves_the_scale_out(X, y, W1, W2):
    return _gradients(X, y, W1, W2, lambda hidden: 1.0)


@wrong.brings(
    "bug_hunt", "`dW1` is None: the tape has seen nothing that leads from it to the loss."
)
def computes_hidden_before_the_block(X, y, W1, W2):
    hidden = tf.tanh(X @ W1)
    scale = tf.sqrt(tf.reduce_mean(hidden**2))
    with tf.GradientTape() as tape:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, hidden / scale @ W2)
        penalty = 0.1 * (tf.reduce_sum(tf.constant(W1) ** 2) + tf.reduce_sum(W2**2))
        loss = tf.reduce_mean(each) + penalty
    return float(loss), *tape.gradient(loss, (W1, W2))


@wrong.brings("bug_hunt", "`dW1` has the right shape and dtype, but wrong values.")
def counts_the_penalty_twice(X, y, W1, W2):
    loss, dW1, dW2 = _gradients(X, y, W1, W2)
    return loss, dW1 + 0.2 * W1, dW2 + 0.2 * W2


@wrong.brings("bug_hunt", "In the second call `dW1` has the gradient of the first call in it.")
def adds_up(X, y, W1, W2, before={}):  # noqa: B006 - the mistake
    loss, *gradients = _gradients(X, y, W1, W2)
    if before.get("of") is not W1:
        before |= {"of": W1, "sum": [0.0, 0.0]}
    before["sum"] = [old + new for old, new in zip(before["sum"], gradients, strict=True)]
    return loss, *before["sum"]


@wrong.brings(
    "bug_hunt",
    "The gradients that the first call returned change in the second: return new ones.",
)
def writes_into_the_same_variables(X, y, W1, W2, store={}):  # noqa: B006 - the mistake
    loss, *gradients = _gradients(X, y, W1, W2)
    for key, gradient in enumerate(gradients):
        store.setdefault(key, tf.Variable(gradient)).assign(gradient)
    return loss, store[0], store[1]


@wrong.brings("bug_hunt", "The loss has dtype float32, it must have float64.")
def casts_everything_to_float32(X, y, W1, W2):
    loss, *gradients = _gradients(X, y, W1, W2)
    return np.float32(loss), *(tf.cast(gradient, tf.float32) for gradient in gradients)


@wrong.brings("bug_hunt", "`loss_and_gradients` must return (loss, dW1, dW2); it returns 2 things.")
def returns_the_gradients_as_one(X, y, W1, W2):
    loss, *gradients = _gradients(X, y, W1, W2)
    return loss, gradients


def _twice(f, w, v, product=lambda gradient, v: tf.reduce_sum(gradient * v), watch=True):
    with tf.GradientTape() as outer:
        if watch:
            outer.watch(w)
        with tf.GradientTape() as inner:
            inner.watch(w)
            loss = f(w)
        gradient = inner.gradient(loss, w)
        result = product(gradient, v)
    return outer.gradient(result, w)


NONE = "The result is None: does the outer tape see how the first gradient is computed?"


@wrong.brings("translation", NONE)
def forgets_to_watch_outside(f, w, v):
    return _twice(f, w, v, watch=False)


@wrong.brings("translation", NONE)
def asks_the_inner_tape_too_late(f, w, v):
    with tf.GradientTape() as outer:
        outer.watch(w)
        with tf.GradientTape() as inner:
            inner.watch(w)
            loss = f(w)
    gradient = inner.gradient(loss, w)
    return outer.gradient(tf.reduce_sum(gradient * v), w)


@wrong.brings("translation", NONE)
def uses_one_tape_after_the_other(f, w, v):
    with tf.GradientTape() as tape:
        tape.watch(w)
        loss = f(w)
    gradient = tape.gradient(loss, w)
    with tf.GradientTape() as tape:
        tape.watch(w)
        product = tf.reduce_sum(gradient * v)
    return tape.gradient(product, w)


@wrong.brings(
    "translation",
    "Your code raises `RuntimeError: A non-persistent GradientTape can only be used to compute one "
    "set of gradients (or jacobians)`.",
)
def asks_one_tape_twice(f, w, v):
    with tf.GradientTape() as tape:
        tape.watch(w)
        loss = f(w)
    gradient = tape.gradient(loss, w)
    return tape.gradient(tf.reduce_sum(gradient * v), w)


@wrong.brings("translation", "The result is the gradient: differentiate its product with `v` once "
              "more.")  # fmt: skip
def differentiates_once(f, w, v):
    return _twice(lambda w: w, w, v, product=lambda gradient, v: f(w))


@wrong.brings("translation", "The result is the gradient times `v`: sum it up, and differentiate "
              "that.")  # fmt: skip
def multiplies_by_the_gradient(f, w, v):
    return differentiates_once(f, w, v) * v


@wrong.brings(
    "translation",
    "The result is the Hessian times a vector of ones: multiply the gradient by `v` before you "
    "sum.",
)
def leaves_out_v(f, w, v):
    return _twice(f, w, v, product=lambda gradient, v: gradient)


@wrong.brings(
    "translation",
    "The result has the gradient in it: return what the outer tape says, alone.",
)
def adds_the_gradient(f, w, v):
    return differentiates_once(f, w, v) + _twice(f, w, v)


@wrong.brings("translation", "The result has the right shape and dtype, but wrong values.")
def multiplies_by_v_at_the_end(f, w, v):
    return leaves_out_v(f, w, v) * v


@wrong.brings("translation", "The result uses the Hessian's diagonal alone.")
def takes_the_diagonal(f, w, v):
    with tf.GradientTape() as outer:
        outer.watch(w)
        with tf.GradientTape() as inner:
            inner.watch(w)
            loss = f(w)
        gradient = inner.gradient(loss, w)
    hessian = tf.reshape(outer.jacobian(gradient, w), (12, 12))
    return tf.reshape(tf.linalg.diag_part(hessian), v.shape) * v


@wrong.brings(
    "translation",
    "The result agrees to a few digits only: a difference of two gradients is an approximation. "
    "Differentiate twice.",
)
def takes_a_difference(f, w, v):
    up, down = (differentiates_once(f, w + h * v, v) for h in (1e-5, -1e-5))
    return (up - down) / 2e-5


@wrong.brings("translation", "The result has shape (), it must have (4, 3): that of `w`.")
def returns_the_product_with_v_twice(f, w, v):
    return tf.reduce_sum(_twice(f, w, v) * v)


def _norm(gradient, axis=1):
    return tf.norm(gradient, axis=axis, keepdims=True)


def clips(message, forward=lambda x, max_norm: tf.identity(x)):
    """Decorate a wrong way of shortening, and pass it on as a custom gradient."""

    def register(shorten):
        def clip_gradient(x, max_norm):
            @tf.custom_gradient
            def layer(x):
                return forward(x, max_norm), lambda gradient: shorten(gradient, max_norm)

            return layer(x)

        clip_gradient.__name__ = shorten.__name__
        wrong.add("custom_gradient", clip_gradient, message=message)
        return shorten

    return register


def _shorten(gradient, max_norm):
    return gradient * max_norm / tf.maximum(_norm(gradient), max_norm)


@clips("The gradient of `x` arrives as it came: nothing shortens it.")
def passes_it_on(gradient, max_norm):
    return gradient


@clips(
    "The gradient of `x` is cut off number by number: shorten a row as a whole, so that it keeps "
    "its direction."
)
def clips_by_value(gradient, max_norm):
    return tf.clip_by_value(gradient, -max_norm, max_norm)


@clips(
    "The gradient of `x` is shortened by the norm of all rows together: each example has its own."
)
def clips_by_the_norm_of_everything(gradient, max_norm):
    return tf.clip_by_norm(gradient, max_norm)


@clips("The gradient of `x` is shortened column by column: a row is an example.")
def takes_the_wrong_axis(gradient, max_norm):
    return tf.clip_by_norm(gradient, max_norm, axes=0)


@clips(
    "The gradient of `x` is NaN in a row where zero arrives: its norm is zero, and 0 / 0 is no "
    "number."
)
def stretches_and_divides_by_zero(gradient, max_norm):
    return gradient * max_norm / _norm(gradient)


@clips("The gradient of `x` has norm `max_norm` in short rows too: leave them as they are.")
def stretches_short_rows(gradient, max_norm):
    return tf.math.divide_no_nan(gradient * max_norm, _norm(gradient))


@clips(
    "The gradient of `x` agrees to a few digits only: what is added to the divisor, or rounded "
    "to float32, changes every row."
)
def adds_an_epsilon(gradient, max_norm):
    return gradient * tf.minimum(max_norm / (_norm(gradient) + 1e-6), 1.0)


@clips(
    "The gradient of `x` agrees to a few digits only: what is added to the divisor, or rounded "
    "to float32, changes every row."
)
def casts_a_number_by_way_of_float32(gradient, max_norm):
    factor = tf.math.divide_no_nan(tf.cast(max_norm, gradient.dtype), _norm(gradient))
    return gradient * tf.where(_norm(gradient) > max_norm, factor, 1.0)


@clips("The gradient of `x` takes no notice of the gradient that arrives.")
def forgets_what_arrives(gradient, max_norm):
    return _shorten(tf.ones_like(gradient), max_norm)


@clips("The gradient of `x` has each row divided by the square of its norm.")
def forgets_the_root(gradient, max_norm):
    squares = tf.reduce_sum(gradient**2, axis=1, keepdims=True)
    return tf.where(squares > max_norm, gradient * max_norm / squares, gradient)


@clips("The gradient of `x` has the wrong sign.")
def reverses_it(gradient, max_norm):
    return -_shorten(gradient, max_norm)


@clips("The gradient of `x` has the right shape and dtype, but wrong values.")
def drops_long_rows(gradient, max_norm):
    return tf.where(_norm(gradient) > max_norm, tf.zeros_like(gradient), gradient)


@clips("The gradient of `x` has shape (5,), it must have (5, 4): that of `x`.")
def returns_the_norms(gradient, max_norm):
    return tf.minimum(tf.norm(gradient, axis=1), max_norm)


@clips("No gradient arrives at `x`: nothing that a tape sees leads from it to the output.")
def returns_nothing(gradient, max_norm):
    _shorten(gradient, max_norm)


@clips(
    "The output is shortened itself: on the way there nothing changes.",
    forward=lambda x, max_norm: tf.clip_by_norm(x, max_norm, axes=1),
)
def shortens_the_output_too(gradient, max_norm):
    return _shorten(gradient, max_norm)


@clips(
    "The output is cut off itself: on the way there nothing changes.",
    forward=lambda x, max_norm: tf.clip_by_value(x, -max_norm, max_norm),
)
def cuts_the_output_too(gradient, max_norm):
    return _shorten(gradient, max_norm)


_LATEST = {}


@tf.custom_gradient
def _with_a_global(x):
    return tf.identity(x), lambda gradient: _shorten(gradient, _LATEST["max_norm"])


@wrong.brings(
    "custom_gradient",
    "After two uses, the gradient of `x` has one `max_norm` for both uses: each use needs its own.",
)
def keeps_max_norm_in_a_global(x, max_norm):
    _LATEST["max_norm"] = max_norm
    return _with_a_global(x)


@tf.custom_gradient
def _one_gradient_for_two(x, max_norm):
    return tf.identity(x), lambda gradient: _shorten(gradient, max_norm)


@wrong.brings(
    "custom_gradient",
    "Your code raises `ValueError: custom_gradient function expected to return 2 gradients, but "
    "returned 1 instead.`.",
)
def returns_one_gradient_for_two_inputs(x, max_norm):
    return _one_gradient_for_two(x, tf.constant(max_norm, x.dtype))


@wrong.brings("custom_gradient", "The gradient of `x` arrives as it came: nothing shortens it.")
def returns_the_input(x, max_norm):
    return x


@wrong.brings(
    "custom_gradient",
    "No gradient arrives at `x`: nothing that a tape sees leads from it to the output.",
)
def stops_the_gradient_of_the_output(x, max_norm):
    return tf.stop_gradient(x)


@wrong.brings("custom_gradient", "The output is a `ndarray`; it must be a tensor.")
def returns_an_array(x, max_norm):
    return x.numpy()


@wrong.brings("custom_gradient", "The output has dtype float32, it must have float64.")
def returns_another_dtype(x, max_norm):
    return tf.cast(x, tf.float32)


@wrong.brings("custom_gradient", "The output has shape (20,), it must have (5, 4).")
def returns_another_shape(x, max_norm):
    return tf.reshape(x, -1)


@wrong.brings(
    "custom_gradient",
    "Your code raises `ValueError: too many values to unpack (expected 2)`.",
)
def forgets_the_backward_function(x, max_norm):
    return tf.custom_gradient(lambda x: tf.identity(x))(x)
