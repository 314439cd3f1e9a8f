"""Wrong answers to the exercise of lesson 03 in PyTorch."""
# ruff: noqa: N803, N806 - the exercise names matrices W1 and X

import warnings

import torch
import torch.nn.functional as F

from wrong_answers import WrongAnswers, lesson_03

wrong = WrongAnswers()

UNUSED = "`v` enters `z` detached, and no graph leads to it"
UNWATCHED = "`c` was made without `requires_grad`"
lesson_03.add_predictions(wrong, 14.0, {"v_grad": UNUSED, "c_grad": UNWATCHED})
for number, sentence in {
    2: "is what the second walk brings alone: `backward` adds to what is in `.grad`.",
    16: "counts both factors of `z`: the detached one is a constant to autograd.",
    4: "is neither: `backward` adds to `.grad`, and a detached factor is a constant.",
    12: "is still the first: one factor of `z` is detached, the other is not.",
}.items():
    wrong.add("predict", 12, number, 0, None, None, message=f"`w_second` {sentence}")


def _descend(X, y, steps, lr, zero=True):
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = ((X @ w - y) ** 2).mean() + 0.1 * (w**2).sum()
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
        if zero:
            w.grad = None
        losses.append(loss.item())
    return w, losses


lesson_03.add_causes(
    wrong,
    "D",
    "B",
    {
        "A": "then the message would speak of a variable `modified by an inplace operation`.",
        "C": "then the message would be `element 0 of tensors does not require grad and does not "
        "have a grad_fn`.",
        "E": "then the message would be `grad can be implicitly created only for scalar outputs`.",
    },
    _descend,
)


def mends(message):
    """Decorate a wrong `descend`, whose causes are right."""
    return wrong.brings("explain_error", message, "D", "B")


@mends(
    "Your code raises `RuntimeError: a leaf Variable that requires grad is being used in an "
    "in-place operation.`."
)
def mends_only_the_second(X, y, steps, lr):
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    for _ in range(steps):
        loss = ((X @ w - y) ** 2).mean() + 0.1 * (w**2).sum()
        loss.backward()
        w -= lr * w.grad
    return w, []


def _keeps_the_first_penalty(X, y, steps, lr, retain, step):
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    penalty = 0.1 * (w**2).sum()
    losses = []
    for _ in range(steps):
        loss = ((X @ w - y) ** 2).mean() + penalty
        loss.backward(retain_graph=retain)
        w = step(w, lr)
        losses.append(loss.item())
    return w, losses


def _under_no_grad(w, lr):
    with torch.no_grad():
        w -= lr * w.grad
    w.grad = None
    return w


def _behind_its_back(w, lr):
    w.data -= lr * w.grad
    w.grad = None
    return w


def _a_new_leaf(w, lr):
    return (w - lr * w.grad).detach().requires_grad_()


FREED = (
    "Your code raises `RuntimeError: Trying to backward through the graph a second time (or "
    "directly access saved tensors after they have already been freed). Saved intermediate values "
    "of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the ...`."
)


@mends(FREED)
def mends_only_the_first(X, y, steps, lr):
    return _keeps_the_first_penalty(X, y, steps, lr, False, _under_no_grad)


@mends(
    "Your code raises `RuntimeError: one of the variables needed for gradient computation has been "
    "modified by an inplace operation: [torch.DoubleTensor [3]] is at version 1; expected version "
    "0 instead. Hint: enable anomaly detection to find the operation that failed to compute its "
    "gradient, with ...`."
)
def retains_the_graph_as_the_message_says(X, y, steps, lr):
    return _keeps_the_first_penalty(X, y, steps, lr, True, _under_no_grad)


@mends("`w` follows the error alone: the penalty does not pull at the weights of each step.")
def retains_the_graph_and_makes_new_leaves(X, y, steps, lr):
    return _keeps_the_first_penalty(X, y, steps, lr, True, _a_new_leaf)


@mends("The list of losses lacks the penalty of each step: is it computed in each, and added?")
def retains_the_graph_and_writes_to_data(X, y, steps, lr):
    return _keeps_the_first_penalty(X, y, steps, lr, True, _behind_its_back)


@mends("`w` follows the error alone: the penalty does not pull at the weights of each step.")
def detaches_the_penalty(X, y, steps, lr):
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = ((X @ w - y) ** 2).mean() + 0.1 * (w.detach() ** 2).sum()
        loss.backward()
        w, losses = _under_no_grad(w, lr), [*losses, loss.item()]
    return w, losses


@mends("`w` has the gradients of earlier steps in it.")
def forgets_to_empty_grad(X, y, steps, lr):
    return _descend(X, y, steps, lr, zero=False)


@mends("`w` goes up the slope: a step is against the gradient.")
def climbs(X, y, steps, lr):
    return _descend(X, y, steps, -lr)


@mends("`w` is still zero: does a gradient arrive, and is the step taken?")
def steps_on_a_copy(X, y, steps, lr):
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = ((X @ w - y) ** 2).mean() + 0.1 * (w**2).sum()
        loss.backward()
        w.clone().detach().sub_(lr * w.grad)
        losses.append(loss.item())
    return w, losses


@mends("The list of losses is one step late: take each before its step.")
def takes_the_loss_after_the_step(X, y, steps, lr):
    return _descend(X, y, steps, lr)[0], _descend(X, y, steps + 1, lr)[1][1:]


@mends("The list of losses has shape (), it must have (4,): one for each step.")
def returns_the_last_loss(X, y, steps, lr):
    w, losses = _descend(X, y, steps, lr)
    return w, losses[-1]


@mends("`descend` must return (w, losses); it returns a `Tensor`.")
def returns_only_the_weights(X, y, steps, lr):
    return _descend(X, y, steps, lr)[0]


lesson_03.add_derivations(
    wrong,
    inputs_first=False,
    transposed="`dW` has shape (5, 4), the weight has (4, 5): PyTorch keeps (outputs, inputs).",
    tensor=torch.as_tensor,
)


def _loss(X, y, W1, W2, scale=lambda hidden: (hidden**2).mean().sqrt(), pull=0.1):
    hidden = torch.tanh(X @ W1)
    penalty = pull * ((W1**2).sum() + (W2**2).sum())
    return F.cross_entropy(hidden / scale(hidden) @ W2, y) + penalty


def _number(hidden):
    return (hidden**2).mean().sqrt().item()


SCALE = (
    "`dW1` has no share of `scale`, which depends on W1 too. `.item()` and `.detach()` give a "
    "number without a graph."
)


@wrong.brings("bug_hunt", SCALE)
def finds_only_the_accumulation(X, y, W1, W2):
    loss = _loss(X, y, W1, W2, _number)
    return loss.item(), *torch.autograd.grad(loss, (W1, W2))


@wrong.brings("bug_hunt", SCALE)
def detaches_in_place_of_item(X, y, W1, W2):
    loss = _loss(X, y, W1, W2, lambda hidden: (hidden.detach() ** 2).mean().sqrt())
    return loss.item(), *torch.autograd.grad(loss, (W1, W2))


@wrong.brings("bug_hunt", SCALE)
def makes_a_tensor_of_the_number(X, y, W1, W2):
    def scale(hidden):
        return torch.tensor(_number(hidden), dtype=hidden.dtype, requires_grad=True)

    loss = _loss(X, y, W1, W2, scale)
    return loss.item(), *torch.autograd.grad(loss, (W1, W2))


@wrong.brings("bug_hunt", "In the second call `dW1` has the gradient of the first call in it.")
def finds_only_the_scale(X, y, W1, W2):
    loss = _loss(X, y, W1, W2)
    loss.backward()
    return loss.item(), W1.grad.clone(), W2.grad.clone()


@wrong.brings(
    "bug_hunt",
    "The gradients that the first call returned change in the second: `.grad` is one tensor, and "
    "PyTorch writes into it. Return copies, or ask `torch.autograd.grad`.",
)
def empties_grad_in_place(X, y, W1, W2):
    for W in (W1, W2):
        if W.grad is not None:
            W.grad.zero_()
    loss = _loss(X, y, W1, W2)
    loss.backward()
    return loss.item(), W1.grad, W2.grad


@wrong.brings("bug_hunt", "`dW1` has the right shape and dtype, but wrong values.")
def empties_grad_too_late(X, y, W1, W2):
    loss = _loss(X, y, W1, W2)
    loss.backward()
    result = loss.item(), W1.grad, W2.grad
    W1.grad.zero_()
    W2.grad.zero_()
    return result


@wrong.brings("bug_hunt", "The loss is that of a network that does not divide by `scale`.")
def leaves_the_scale_out(X, y, W1, W2):
    loss = _loss(X, y, W1, W2, lambda hidden: 1.0)
    return loss.item(), *torch.autograd.grad(loss, (W1, W2))


@wrong.brings("bug_hunt", "The loss has no penalty in it.")
def leaves_the_penalty_out(X, y, W1, W2):
    loss = _loss(X, y, W1, W2, pull=0)
    return loss.item(), *torch.autograd.grad(loss, (W1, W2))


@wrong.brings("bug_hunt", "`dW1` is None: no graph leads from the loss to it.")
def asks_copies_for_their_gradient(X, y, W1, W2):
    loss = _loss(X, y, W1.detach().requires_grad_(), W2.detach().requires_grad_())
    loss.backward()
    return loss.item(), W1.grad, W2.grad


@wrong.brings("bug_hunt", "`loss_and_gradients` must return (loss, dW1, dW2); it returns 2 things.")
def returns_the_gradients_as_one(X, y, W1, W2):
    loss = _loss(X, y, W1, W2)
    return loss.item(), torch.autograd.grad(loss, (W1, W2))


@wrong.brings(
    "translation",
    "Your code raises `RuntimeError: element 0 of tensors does not require grad and does not have "
    "a grad_fn`.",
)
def forgets_create_graph(f, w, v):
    w = w.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(f(w), w)
    return torch.autograd.grad((gradient * v).sum(), w)[0]


@wrong.brings(
    "translation",
    "The result has the gradient in it: `backward` adds the second walk to the first.",
)
def walks_twice_into_grad(f, w, v):
    w = w.detach().requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of a reference cycle
        f(w).backward(create_graph=True)
    (w.grad * v).sum().backward()
    return w.grad


@wrong.brings("translation", "The result is the gradient: differentiate its product with `v` once "
              "more.")  # fmt: skip
def differentiates_once(f, w, v):
    w = w.detach().requires_grad_()
    return torch.autograd.grad(f(w), w)[0]


@wrong.brings("translation", "The result is the gradient times `v`: sum it up, and differentiate "
              "that.")  # fmt: skip
def multiplies_by_the_gradient(f, w, v):
    w = w.detach().requires_grad_()
    return torch.autograd.grad(f(w), w)[0] * v


def _hessian_times(f, w, v, arriving=None):
    (gradient,) = torch.autograd.grad(f(w), w, create_graph=True)
    arriving = torch.ones_like(gradient) if arriving is None else arriving
    return torch.autograd.grad(gradient, w, arriving)[0]


ONES = (
    "The result is the Hessian times a vector of ones: multiply the gradient by `v` before you sum."
)


@wrong.brings("translation", ONES)
def leaves_out_v(f, w, v):
    return _hessian_times(f, w.detach().requires_grad_(), v)


@wrong.brings("translation", "The result has the right shape and dtype, but wrong values.")
def multiplies_by_v_at_the_end(f, w, v):
    return _hessian_times(f, w.detach().requires_grad_(), v) * v


@wrong.brings("translation", "Your function makes the given `w` require a gradient: make a new "
              "leaf of it.")  # fmt: skip
def makes_the_given_tensor_a_leaf(f, w, v):
    return _hessian_times(f, w.requires_grad_(), v, v)


@wrong.brings(
    "translation",
    "The result agrees to a few digits only: a difference of two gradients is an approximation. "
    "Differentiate twice.",
)
def takes_a_difference(f, w, v):
    def gradient(w):
        return torch.autograd.grad(f(w), w)[0]

    up, down = ((w + h * v).requires_grad_() for h in (1e-5, -1e-5))
    return (gradient(up) - gradient(down)) / 2e-5


@wrong.brings("translation", "The result has shape (), it must have (4, 3): that of `w`.")
def returns_the_product_with_v_twice(f, w, v):
    return (_hessian_times(f, w.detach().requires_grad_(), v, v) * v).sum()


@wrong.brings("translation", "The result has shape (1, 4, 3), it must have (4, 3): that of `w`.")
def returns_the_tuple(f, w, v):
    w = w.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(f(w), w, create_graph=True)
    return torch.autograd.grad((gradient * v).sum(), w)


def _norm(gradient, dim=1):
    return gradient.norm(dim=dim, keepdim=True)


def clips(message, forward=lambda x, max_norm: x.view_as(x)):
    """Decorate a wrong way of shortening, and pass it on as a custom gradient."""

    def register(shorten):
        class Layer(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, max_norm):
                ctx.max_norm = max_norm
                return forward(x, max_norm)

            @staticmethod
            def backward(ctx, gradient):
                return shorten(gradient, ctx.max_norm), None

        def clip_gradient(x, max_norm):
            return Layer.apply(x, max_norm)

        clip_gradient.__name__ = shorten.__name__
        wrong.add("custom_gradient", clip_gradient, message=message)
        return shorten

    return register


def _shorten(gradient, max_norm):
    return gradient * max_norm / _norm(gradient).clamp(min=max_norm)


@clips("The gradient of `x` arrives as it came: nothing shortens it.")
def passes_it_on(gradient, max_norm):
    return gradient


@clips(
    "The gradient of `x` is cut off number by number: shorten a row as a whole, so that it keeps "
    "its direction."
)
def clamps_the_numbers(gradient, max_norm):
    return gradient.clamp(-max_norm, max_norm)


@clips(
    "The gradient of `x` is shortened by the norm of all rows together: each example has its own."
)
def takes_the_norm_of_everything(gradient, max_norm):
    return gradient * (max_norm / gradient.norm()).clamp(max=1)


@clips("The gradient of `x` is shortened column by column: a row is an example.")
def takes_the_wrong_axis(gradient, max_norm):
    return gradient * max_norm / _norm(gradient, 0).clamp(min=max_norm)


@clips(
    "The gradient of `x` is NaN in a row where zero arrives: its norm is zero, and 0 / 0 is no "
    "number."
)
def stretches_and_divides_by_zero(gradient, max_norm):
    return gradient * max_norm / _norm(gradient)


@clips("The gradient of `x` has norm `max_norm` in short rows too: leave them as they are.")
def stretches_short_rows(gradient, max_norm):
    return gradient * max_norm / _norm(gradient).clamp(min=1e-12)


@clips(
    "The gradient of `x` agrees to a few digits only: what is added to the divisor, or rounded "
    "to float32, changes every row."
)
def adds_an_epsilon(gradient, max_norm):
    return gradient * (max_norm / (_norm(gradient) + 1e-6)).clamp(max=1)


@clips("The gradient of `x` takes no notice of the gradient that arrives.")
def forgets_what_arrives(gradient, max_norm):
    return _shorten(torch.ones_like(gradient), max_norm)


@clips("The gradient of `x` has each row divided by the square of its norm.")
def forgets_the_root(gradient, max_norm):
    squares = (gradient**2).sum(dim=1, keepdim=True)
    return torch.where(squares > max_norm, gradient * max_norm / squares, gradient)


@clips("The gradient of `x` has the wrong sign.")
def reverses_it(gradient, max_norm):
    return -_shorten(gradient, max_norm)


@clips("The gradient of `x` has the right shape and dtype, but wrong values.")
def drops_long_rows(gradient, max_norm):
    return torch.where(_norm(gradient) > max_norm, 0.0, gradient)


@clips("Your function changes the gradient of its output in place: others may need it too.")
def writes_into_what_arrives(gradient, max_norm):
    return gradient.mul_(max_norm / _norm(gradient).clamp(min=max_norm))


@clips(
    "The output is shortened itself: on the way there nothing changes.",
    forward=lambda x, max_norm: x * max_norm / _norm(x).clamp(min=max_norm),
)
def shortens_the_output_too(gradient, max_norm):
    return _shorten(gradient, max_norm)


@clips(
    "The output is cut off itself: on the way there nothing changes.",
    forward=lambda x, max_norm: x.clamp(-max_norm, max_norm),
)
def cuts_the_output_too(gradient, max_norm):
    return _shorten(gradient, max_norm)


class _KeptOnTheClass(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, max_norm):
        _KeptOnTheClass.max_norm = max_norm
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return _shorten(gradient, _KeptOnTheClass.max_norm), None


wrong.add(
    "custom_gradient",
    lambda x, max_norm: _KeptOnTheClass.apply(x, max_norm),
    message="After two uses, the gradient of `x` has one `max_norm` for both uses: keep it in "
    "`ctx`, not on the class.",
)


class _OneGradient(_KeptOnTheClass):
    @staticmethod
    def backward(ctx, gradient):
        return gradient


@wrong.brings(
    "custom_gradient",
    "Your code raises `RuntimeError: function _OneGradientBackward returned an incorrect number of "
    "gradients (expected 2, got 1)`.",
)
def returns_one_gradient_for_two_inputs(x, max_norm):
    return _OneGradient.apply(x, max_norm)


@wrong.brings(
    "custom_gradient",
    "After two uses, the gradient of `x` is the sum of both uses, shortened: each use shortens its "
    "own gradient, before they are added. What changes `x` itself sees the sum.",
)
def hooks_the_input(x, max_norm):
    x.register_hook(lambda gradient: _shorten(gradient, max_norm))
    return x


@wrong.brings("custom_gradient", "The gradient of `x` arrives as it came: nothing shortens it.")
def returns_the_input(x, max_norm):
    return x


@wrong.brings(
    "custom_gradient",
    "No gradient arrives at `x`: the output has no graph that leads to it.",
)
def detaches_the_output(x, max_norm):
    return x.detach()


@wrong.brings(
    "custom_gradient",
    "No gradient arrives at `x`: the output has no graph that leads to it.",
)
def makes_a_new_leaf(x, max_norm):
    return x.detach().clone().requires_grad_()


@wrong.brings("custom_gradient", "The output is a `ndarray`; it must be a tensor.")
def returns_an_array(x, max_norm):
    return x.detach().numpy()


@wrong.brings("custom_gradient", "The output has dtype float32, it must have float64.")
def returns_another_dtype(x, max_norm):
    return x.float()


@wrong.brings("custom_gradient", "The output has shape (20,), it must have (5, 4).")
def returns_another_shape(x, max_norm):
    return x.flatten()
