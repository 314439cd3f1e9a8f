"""Lesson 03, back-propagation: the checks of its exercise.

The references are not derived by hand: a gradient comes from complex steps (`_gradient`), and a
known mistake is, where it can be, the gradient of another function. Inputs are drawn anew for every
check. Matrices of weights are (outputs, inputs) here, unless an adapter has turned them.
"""

from collections.abc import Callable, Sequence

from paired.checks import adapters
from paired.checks.adapters import must_be_tensor
from paired.checks.answers import Choice, Halves, Number, task
from paired.checks.judging import Wrong, call, close, compare, parts, to_numpy

import numpy as np

PENALTY = 0.1
NEARLY = "differences are an approximation, and so is float32: derive it, in float64."


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch, and its words."""

    none_note = "is None: no graph leads from the loss to it."
    scale_note = "`.item()` and `.detach()` cut the graph."
    second_note = "is it a gradient that you return, and does what you differentiate depend on `w`?"
    kept_note = "PyTorch writes into `.grad`: return copies of it, or ask `torch.autograd.grad`."

    def as_it_was(self, name: str, tensor) -> None:
        """Raise `Wrong` if a tensor that was given is marked now, or holds a gradient."""
        if tensor.requires_grad or tensor.grad is not None:
            raise Wrong(f"`{name}` is marked after the call, or has a gradient: make a new leaf.")

    def walk(self, function: Callable, x: np.ndarray, arriving: Sequence[np.ndarray]):
        """What comes back to x where these gradients arrive at a function's outputs; or None.

        Raises:
            Wrong: one of the gradients that arrive is changed.
        """
        import torch

        leaf, given = self.variable(x), [self.tensor(gradient) for gradient in arriving]
        outputs = function(leaf)
        if not all(output.requires_grad for output in outputs):
            return None
        (at_x,) = torch.autograd.grad(outputs, leaf, given, allow_unused=True)
        if not all(map(close, map(to_numpy, given), arriving)):
            raise Wrong(
                "Your function changes the gradient of its output in place: others may need it too."
            )
        return at_x


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    none_note = "is None: the tape has seen nothing that leads from it to the loss."
    scale_note = "NumPy and `float` return what the tape knows nothing of."
    second_note = "does the outer tape see how the first gradient is computed?"
    kept_note = "return new ones."

    def as_it_was(self, name: str, tensor) -> None:
        """A constant cannot be marked."""

    def walk(self, function: Callable, x: np.ndarray, arriving: Sequence[np.ndarray]):
        import tensorflow as tf

        leaf = self.tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(leaf)
            outputs = function(leaf)
        return tape.gradient(outputs, leaf, [self.tensor(gradient) for gradient in arriving])


def _no_gradient(pytorch: str, tensorflow: str) -> Number:
    zero, other = (
        Halves(f"{start} {pytorch}", f"{start} {tensorflow}")
        for start in ("is not zero, which would mean a path with a flat spot:", "is not {}:")
    )
    return Number(None, {0.0: zero}, other, none=True)


@task(
    w_first=Number(
        12.0,
        {
            4.0: "leaves out the factor `c`.",
            6.0: "is not the derivative of c * w**2, which is 2 * c * w.",
            14.0: "has `z` in it, which comes later.",
        },
        none=True,
    ),
    w_second=Number(
        Halves(14.0, 2.0),
        Halves(
            {
                2.0: "is what the second walk brings alone: `backward` adds to what is in `.grad`.",
                16.0: "counts both factors of `z`: the detached one is a constant to autograd.",
                4.0: "is neither: `backward` adds to `.grad`, and a detached factor is a constant.",
                12.0: "is still the first: one factor of `z` is detached, the other is not.",
            },
            {
                14.0: "adds the first answer: a tape returns a gradient, and adds it to nothing.",
                16.0: "adds the first answer, and counts both factors of `z`.",
                4.0: "counts both factors of `z`: the stopped one is a constant to the tape.",
                12.0: "is still the first: this call asks for the gradient of `z`.",
            },
        ),
        none=True,
    ),
    u_grad=Number(
        0.0,
        {
            None: "is not None: a path leads from `u` to `y`, and the derivative along it is a "
            "number.",
            1.0: "is the slope of relu above zero; u - 9 is below.",
            5.0: "is the value of `u`, not a derivative.",
        },
        none=True,
    ),
    v_grad=_no_gradient(
        pytorch="`v` enters `z` detached, and no graph leads to it.",
        tensorflow="`v` enters `z` through `stop_gradient`, and nothing leads back to it.",
    ),
    c_grad=_no_gradient(
        pytorch="`c` was made without `requires_grad`.",
        tensorflow="`c` is a constant, which a tape does not watch unless it is told.",
    ),
)
def predict(framework) -> str:
    """Gradients of a detached product, of a flat spot, and where there is none."""
    return "All five are right. The next cell lets the framework say so itself."


_NO_CAUSES = Halves(
    {
        "A": "then the message would speak of a variable `modified by an inplace operation`.",
        "C": "then the message would be `element 0 of tensors does not require grad and does not "
        "have a grad_fn`.",
        "E": "then the message would be `grad can be implicitly created only for scalar outputs`.",
    },
    {
        "B": "both parts of the loss are computed inside of the tape's block.",
        "D": "that gives None and a warning, and `w` has the dtype of `X`.",
        "E": "a tape takes that, and differentiates the sum of the numbers.",
    },
)


def _cause(right: Halves, other: Halves) -> Choice:
    tables = (
        no_causes | {letter: "it is the cause of the other error."}
        for no_causes, letter in zip(_NO_CAUSES, other, strict=True)
    )
    return Choice(right, Halves(*tables))


_FIRST, _SECOND = Halves("D", "C"), Halves("B", "A")


@task(first_cause=_cause(_FIRST, _SECOND), second_cause=_cause(_SECOND, _FIRST))
def explain_error(framework, descend) -> str:
    """Name the causes of two errors, and mend the loop that raises them."""
    rng = np.random.default_rng()
    for steps, n, columns in ((4, 9, 2), (6, 5, 4), (5, 7, 4)):  # twice 4: begun anew?
        x, y = rng.normal(size=(n, columns)), rng.normal(size=n)
        lr = int(rng.integers(6, 24)) / 256  # exact in float32, which Keras's optimisers use
        data = {"X": framework.tensor(x), "y": framework.tensor(y)}
        result = call(descend, **data, steps=steps, lr=lr)
        w, losses = parts("descend", result, "w", "losses")
        right_w, errors, penalties = _descend(x, y, steps, lr)
        mistakes = {
            "follows the error alone: the penalty does not pull at the weights of each step.": (
                _descend(x, y, steps, lr, penalty=0)[0]
            ),
            "has the gradients of earlier steps in it.": (
                _descend(x, y, steps, lr, accumulate=True)[0]
            ),
            "is still zero: does a gradient arrive, and is the step taken?": np.zeros(columns),
            "goes up the slope: a step is against the gradient.": _descend(x, y, steps, -lr)[0],
        }
        note = "one weight for each column of `X`."
        compare("`w`", w, right_w, shape_note=note, mistakes=mistakes)
        late = sum(_descend(x, y, steps + 1, lr)[1:])[1:]
        mistakes = {
            "lacks the penalty of each step: is it computed in each, and added?": errors,
            "is one step late: take each before its step.": late,
        }
        name, note = "The list of losses", "one for each step."
        compare(name, losses, errors + penalties, shape_note=note, mistakes=mistakes)
    return "Both causes are right, and all steps agree with gradient descent, to twelve digits."


def _descend(x, y, steps: int, lr: float, *, penalty: float = PENALTY, accumulate: bool = False):
    """Ridge regression by gradient descent from zero: weights, and the parts of each loss."""
    w, gradient, errors, penalties = np.zeros(x.shape[1]), 0.0, [], []
    for _ in range(steps):
        error = x @ w - y
        errors.append((error**2).mean())
        penalties.append(penalty * (w**2).sum())
        gradient = accumulate * gradient + 2 * x.T @ error / len(y) + 2 * penalty * w
        w = w - lr * gradient
    return w, np.array(errors), np.array(penalties)


def derivation(framework, head_backward) -> str:
    """The backward pass of a classifier's last layer, with a temperature that is learned."""
    n, num_inputs, num_classes = 6, 5, 4
    rng = np.random.default_rng()
    x, y = rng.normal(size=(n, num_inputs)), rng.integers(num_classes - 1, size=n)  # one is absent
    weight, b = rng.normal(size=(num_classes, num_inputs)), rng.normal(size=num_classes)
    temperature = rng.uniform(1.5, 3)

    def gradients(loss: Callable, x: np.ndarray, temperature: float) -> list[np.ndarray]:
        """Those of a function of z and T, with respect to x, W, b and T."""
        found = _gradient(lambda x, w, b, t: loss(x @ w.T + b, t), x, weight, b, temperature)
        return [found[0], framework.layout(found[1]), *found[2:]]

    def answer(x: np.ndarray, y: np.ndarray, temperature: float) -> tuple:
        given = {"x": x, "y": y, "W": framework.layout(weight), "b": b, "T": np.array(temperature)}
        return parts("head_backward", call(head_backward, **given), *notes)

    notes = {
        "dx": "that of `x`.",
        "dW": f"that of `W`. {framework.layout_note}",
        "db": "that of `b`.",
        "dT": "one number.",
    }
    right = gradients(lambda z, t: _cross_entropy(z / t, y), x, temperature)
    once = gradients(lambda z, t: _cross_entropy(z, y), x, temperature)  # its dT is zero
    elsewhere = gradients(lambda z, t: _log_sum_exp(z / t).mean(), x, temperature)
    values = answer(x, y, temperature)
    for k, ((name, shape_note), value) in enumerate(zip(notes.items(), values, strict=True)):
        if hasattr(value, "numpy"):
            raise Wrong(f"`{name}` is a tensor of a framework: derive it, and compute it in NumPy.")
        mistakes = {
            f"is {n} times too large: the loss is the mean over the examples.": n * right[k],
            "has the wrong sign.": -right[k],
            "takes no notice of the labels: subtract 1 from the right class's probability.": (
                elsewhere[k]
            ),
        }
        by_t = "the derivative of z / T with respect to T is -z / T**2."
        if name == "dT":
            mistakes |= {
                f"lacks a factor 1 / T: {by_t}": temperature * right[k],
                f"has a factor 1 / T too many: {by_t}": right[k] / temperature,
                "is zero: the loss depends on T too.": np.zeros(()),
            }
        else:
            mistakes |= {
                "is T times too large: z is divided by T on the way there, and so is what comes "
                "back.": temperature * right[k],
                "has the softmax of z in it: the probabilities are those of z / T.": (
                    once[k] / temperature
                ),
                "takes no notice of T at all.": once[k],
            }
        compare(
            f"`{name}`", value, right[k],
            shape_note=shape_note, nearly_note=NEARLY, mistakes=mistakes,
        )  # fmt: skip
    # Logits in the thousands in all rows but the last; then one row alone. T may be below 1.
    hard, temperature = x * np.where(np.arange(n) < n - 1, 5000, 1)[:, None], temperature / 4
    for x in (hard, hard[:1]):
        y = (x @ weight.T + b).argmin(axis=1)
        right = gradients(lambda z, t, y=y: _cross_entropy(z / t, y), x, temperature)
        for name, value, reference in zip(notes, answer(x, y, temperature), right, strict=True):
            if not np.isfinite(to_numpy(value)).all():
                raise Wrong(
                    f"Where logits are in the thousands `{name}` contains NaN or infinity: does "
                    "`np.exp` overflow? Subtract the largest logit of each row first."
                )
            given = f"For `x` of shape {x.shape} and logits in the thousands"
            compare(f"{given} `{name}`", value, reference)
    return "All four agree with a reference that needs no chain rule, to twelve digits."


def bug_hunt(framework, loss_and_gradients) -> str:
    """Mend a function whose gradients are wrong without a word."""
    rng = np.random.default_rng()
    w1, w2 = rng.normal(size=(4, 6)), rng.normal(size=(6, 5))
    weights = {"W1": framework.variable(w1), "W2": framework.variable(w2)}
    batches = [(rng.normal(size=(n, 4)), rng.integers(5, size=n)) for n in (7, 1)]

    def call_with(x: np.ndarray, y: np.ndarray) -> list:
        data = {"X": framework.tensor(x), "y": framework.tensor(y)}
        result = call(loss_and_gradients, **data, **weights)
        loss, *gradients = parts("loss_and_gradients", result, "loss", "dW1", "dW2")
        mistakes = {
            "has no penalty in it.": _normalised_loss(x, y, w1, w2, penalty=0),
            "is that of a network that does not divide by `scale`.": (
                _normalised_loss(x, y, w1, w2, scale=1)
            ),
        }
        compare("The loss", loss, _normalised_loss(x, y, w1, w2), mistakes=mistakes)
        return gradients

    def reference(x: np.ndarray, y: np.ndarray, **options) -> list[np.ndarray]:
        return _gradient(lambda w1, w2: _normalised_loss(x, y, w1, w2, **options), w1, w2)

    def compare_gradients(when: str, got: list, right: list, mistakes: dict[str, list]) -> None:
        for k, name in enumerate((f"{when}`dW1`", f"{when}`dW2`")):
            if got[k] is None:
                raise Wrong(f"{name} {framework.none_note}")
            own = {sentence: arrays[k] for sentence, arrays in mistakes.items()}
            compare(name, got[k], right[k], mistakes=own)

    (x, y), later = batches
    first = call_with(x, y)
    scale, right = _scale(np.tanh(x @ w1)), reference(x, y)
    mistakes = {
        f"has no share of `scale`, which depends on W1 too. {framework.scale_note}": (
            reference(x, y, scale=scale)
        ),
        "has no share of the penalty.": reference(x, y, penalty=0),
        "lacks the share of `scale` and that of the penalty.": (
            reference(x, y, scale=scale, penalty=0)
        ),
    }
    compare_gradients("", first, right, mistakes)
    kept, new = [to_numpy(part) for part in first], reference(*later)
    both = [one + other for one, other in zip(right, new, strict=True)]
    mistakes = {"has the gradient of the first call in it.": both}
    compare_gradients("In the second call ", call_with(*later), new, mistakes)
    if not all(map(close, map(to_numpy, first), kept)):
        changed = "The gradients that the first call returned change in the second"
        raise Wrong(f"{changed}: {framework.kept_note}")
    return "The gradients of two calls agree with a reference without a graph, to twelve digits."


def translation(framework, hessian_times) -> str:
    """The Hessian times a vector, by differentiating twice."""
    rng = np.random.default_rng()
    a, w, v = rng.normal(size=(6, 4)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    given = framework.tensor(w)
    matrix, row, column = map(framework.tensor, (a, np.ones((1, 6)), np.ones((3, 1))))

    def quartic(w):
        """The sum of (A w)^4, by products that either framework takes."""
        return (row @ (matrix @ w) ** 4 @ column)[0, 0]

    def times(v: np.ndarray) -> np.ndarray:
        """Its Hessian times v."""
        return 12 * a.T @ ((a @ w) ** 2 * (a @ v))

    direction = framework.tensor(v)
    result = call(hessian_times, f=quartic, w=given, v=direction)
    if result is None:
        raise Wrong(f"The result is None: {framework.second_note}")
    must_be_tensor(framework, "The result", result)
    gradient, right = 4 * a.T @ (a @ w) ** 3, times(v)
    mistakes = {
        "is the gradient: differentiate its product with `v` once more.": gradient,
        "is the gradient times `v`: sum it up, and differentiate that.": gradient * v,
        "is the Hessian times a vector of ones: multiply the gradient by `v` before you sum.": (
            times(np.ones_like(v))
        ),
        "has the gradient in it: return the second derivative alone.": gradient + right,
    }
    compare(
        "The result", result, right,
        shape_note="that of `w`.", nearly_note=NEARLY, mistakes=mistakes,
    )  # fmt: skip
    framework.as_it_was("w", given)
    framework.as_it_was("v", direction)
    return "The product agrees with the Hessian of a sum of fourth powers, to twelve digits."


def custom_gradient(framework, clip_gradient) -> str:
    """A layer that changes nothing on the way there, and shortens gradients on the way back."""
    rng = np.random.default_rng()
    x, max_norm = rng.normal(size=(5, 4)), int(rng.integers(52, 86)) / 256  # 1/5 to 1/3

    def rows(*lengths: float) -> np.ndarray:
        """Rows of these lengths, in units of `max_norm`."""
        directions = rng.normal(size=(5, 4))
        directions /= _norms(directions)
        return directions * max_norm * np.array(lengths)[:, None]

    def at_input(arriving: list[np.ndarray], *max_norms: float):
        """What comes back to `x`, where it goes through the layer with each `max_norm`."""

        def outputs(leaf) -> list:
            found = []
            for max_norm in max_norms:
                found.append(call(clip_gradient, x=leaf, max_norm=max_norm))
                must_be_tensor(framework, "The output", found[-1])
                mistakes = {
                    "is shortened itself: on the way there nothing changes.": _clip(x, max_norm),
                    "is cut off itself: on the way there nothing changes.": (
                        np.clip(x, -max_norm, max_norm)
                    ),
                }
                compare("The output", found[-1], x, mistakes=mistakes)
            return found

        at_x = framework.walk(outputs, x, arriving)
        if at_x is None:
            raise Wrong(
                "No gradient arrives at `x`: is the output computed from it, and does the way back "
                "return a gradient?"
            )
        return at_x

    given, again = rows(0.3, 3, 0, 0.9, 5), rows(2, 0.4, 4, 3, 0.1)
    at_x, right = at_input([given], max_norm), _clip(given, max_norm)
    if to_numpy(at_x).shape == right.shape and np.isnan(to_numpy(at_x)[2]).any():
        raise Wrong("The gradient of `x` is NaN in a row where zero arrives: its norm is zero.")
    norms = np.maximum(_norms(given), 1e-300)
    mistakes = {
        "arrives as it came: nothing shortens it.": given,
        "is cut off number by number: shorten a row as a whole, so that it keeps its direction.": (
            np.clip(given, -max_norm, max_norm)
        ),
        "is shortened by the norm of all rows together: each example has its own.": (
            _clip(given.reshape(1, -1), max_norm).reshape(5, 4)
        ),
        "is shortened column by column: a row is an example.": _clip(given.T, max_norm).T,
        "has norm `max_norm` in short rows too: leave them as they are.": given * max_norm / norms,
        "takes no notice of the gradient that arrives.": _clip(np.ones_like(given), max_norm),
        "has the wrong sign.": -right,
    }
    note = "what is added to the divisor, or rounded to float32, changes every row."
    compare(
        "The gradient of `x`", at_x, right, shape_note="that of `x`.", nearly_note=note,
        mistakes=mistakes,
    )  # fmt: skip
    mistakes = {
        "has one `max_norm` for both uses: each needs its own.": (
            _clip(given, 2 * max_norm) + _clip(again, 2 * max_norm)
        ),
        "is the sum of both uses, shortened: each use shortens its own gradient, before they are "
        "added. What changes `x` itself sees the sum.": _clip(given + again, max_norm),
    }
    right = _clip(given, max_norm) + _clip(again, 2 * max_norm)
    at_x = at_input([given, again], max_norm, 2 * max_norm)
    compare("After two uses, the gradient of `x`", at_x, right, mistakes=mistakes)
    return "Short, long and zero rows come back as they should, from one use and from two."


def _norms(rows: np.ndarray) -> np.ndarray:
    return np.sqrt((rows**2).sum(axis=1, keepdims=True))


def _clip(rows: np.ndarray, max_norm: float) -> np.ndarray:
    return rows * max_norm / np.maximum(_norms(rows), max_norm)


def _gradient(loss: Callable, *inputs) -> list[np.ndarray]:
    """The gradient of a loss with respect to each of its inputs, exact to rounding.

    By complex steps: f(x + ih) = f(x) + ih f'(x) - ..., so the imaginary part over h is the
    derivative, and h may be as small as one likes, since nothing is subtracted (Squire and Trapp,
    1998). `loss` must be analytic: no absolute value, no maximum but of real parts.
    """
    step, gradients = 1e-30, []
    for k, array in enumerate(inputs):
        gradient = np.zeros(np.shape(array))
        for index in np.ndindex(gradient.shape):
            moved = np.array(array, dtype=complex)
            moved[index] += 1j * step
            value = loss(*inputs[:k], moved, *inputs[k + 1 :])
            gradient[index] = np.imag(value) / step
        gradients.append(gradient)
    return gradients


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
    largest = logits.real.max(axis=1, keepdims=True)
    return np.log(np.exp(logits - largest).sum(axis=1)) + largest[:, 0]


def _cross_entropy(logits: np.ndarray, y: np.ndarray):
    return (_log_sum_exp(logits) - logits[np.arange(len(y)), y]).mean()


def _scale(hidden: np.ndarray):
    return np.sqrt((hidden**2).mean())


def _normalised_loss(x, y, w1, w2, *, scale=None, penalty: float = PENALTY):
    """The loss of a network that divides its hidden units by their root mean square."""
    hidden = np.tanh(x @ w1)
    logits = hidden / (_scale(hidden) if scale is None else scale) @ w2
    return _cross_entropy(logits, y) + penalty * ((w1**2).sum() + (w2**2).sum())


TASKS = (predict, explain_error, derivation, bug_hunt, translation, custom_gradient)
