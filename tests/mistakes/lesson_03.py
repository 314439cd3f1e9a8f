"""Lesson 03, back-propagation: wrong answers to its exercise, and other right ones."""

import re

from mistakes import Mistakes

explain_error = Mistakes("explain_error")
ASK, WATCH = "tape.gradient(loss, w)", "tape.watch(w)"
VARIABLE = ("tf.zeros(X.shape[1], dtype=X.dtype)", "tf.Variable(tf.zeros(X.shape[1], X.dtype))")
LATE = "0.1 * (w**2).sum() + ((X @ w - y) ** 2).mean()"
LATE_TF = "0.1 * tf.reduce_sum(w**2) + tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)"
for says, pytorch, tensorflow in (
    ("`w` goes up the slope", ("w -= lr", "w += lr"), ("w - lr", "w + lr")),
    ("`w` is still zero", ("w -= lr", "w.clone().sub_(lr)"), (WATCH, "pass", ASK, f"{ASK} or 0.0")),
    ("`w` follows the error alone", ("(w**2)", "(w.data**2)"), ("(loss, w)", "(fit, w)")),
    ("of earlier steps", ("w.grad = None", ""), (ASK, f"{ASK} + (gradient if losses else 0)")),
    ("losses is one step late", ("loss.item()", LATE), ("float(loss)", LATE_TF)),
    ("losses lacks the penalty", ("loss.item()", "loss - penalty"), ("float(loss)", "float(fit)")),
):
    explain_error.brings(says, pytorch=pytorch, tensorflow=tensorflow)
for says, change in {
    "losses has shape (), it must have (4,): one for each step": "return w, losses[-1]",
    "`w` has shape (1, 2), it must have (2,): one weight": "return w[None], losses",
    "`descend` must return (w, losses); it returns a `": "return w",
}.items():
    explain_error.brings(says, both=("return w, losses", change))
KEEP = ("lr):", "lr, kept={}):", "losses = []", "w, losses = kept.get(len(w), w), []")
KEEP += ("return w, losses", "kept[len(w)] = w\n    return w, losses")
for change in (("(steps)", "(4)"), KEEP):
    explain_error.brings("`w` has the right shape and dtype, but", both=change)
explain_error.brings("Your code raises ", both=("X.shape[1]", "3"))
explain_error.replacing("w -= lr", "w - lr")("dtype, but wrong", "w -= 0.125", "w - 0.125")

RETAIN, PENALTY = ("backward()", "backward(retain_graph=True)"), "penalty = 0.1 * (w**2).sum()"
ONCE = (PENALTY, "pass", "    for", f"    {PENALTY}\n    for")
NEW_LEAF = ("w -= lr * w.grad", "w = (w - lr * w.grad).detach().requires_grad_()")
for says, change in {
    "requires grad is being used in an in-place operation.` in line 16 of its cell, `w -= lr": (
        ("torch.no_grad()", "torch.enable_grad()")
    ),
    "Your code raises `RuntimeError: Trying to backward through the graph a second time": ONCE,
    "has been modified by an inplace operation": ONCE + RETAIN,
    "`w` follows the error alone": ONCE + RETAIN + NEW_LEAF,
    "losses lacks the penalty": (*ONCE, *RETAIN, "w -= lr", "w.data -= lr"),
}.items():
    explain_error.brings(says, pytorch=change)

NONE = "'float' and 'NoneType'` in line 15 of its cell, `w = w - lr * gradient`"
for says, change in {
    NONE: (WATCH, "pass"),
    f"for *: {NONE}": (*VARIABLE, WATCH, "pass"),  # the first step makes a tensor of the variable
    "set of gradients (or jacobians)` in line 14 of its cell": (
        (ASK, f"{ASK} + tape.gradient(fit, w)")
    ),
}.items():
    explain_error.brings(says, tensorflow=change)
KERAS = "tf.keras.optimizers.SGD(lr).apply([gradient], [w])"
explain_error.right(
    pytorch=("w -= lr * w.grad", "w.sub_(w.grad, alpha=lr)", "w.grad = None", "w.grad.zero_()"),
    tensorflow=(*VARIABLE, WATCH, "pass", "w = w - lr * gradient", "w.assign_sub(lr * gradient)"),
)
explain_error.right(
    pytorch=(*NEW_LEAF, "loss.item()", "loss"),
    tensorflow=(*VARIABLE, WATCH, "pass", "w = w - lr * gradient", KERAS),
)

derivation = Mistakes("derivation")
LARGEST, ONE_HOT = "(z / T).max(axis=1, keepdims=True)", "np.eye(len(b))[y]"
COOL, NO_DIVISOR = ("z / T - (z / T).max", "z - z.max"), ("d_logits / T\n", "d_logits\n")
LAST = "sum(axis=0), dT"
for says, change in {
    "`dx` is 6 times too large": (" / len(y)", ""),
    "`dx` has the wrong sign": (f"p - {ONE_HOT}", f"{ONE_HOT} - p"),
    "`dx` takes no notice of the labels": (f" - {ONE_HOT}", ""),
    "`dx` has the right shape and dtype, but": (f"p - {ONE_HOT}", f"p + {ONE_HOT}"),
    "`dx` is T times too large": NO_DIVISOR,
    "`dx` has the softmax of z in it": COOL,
    "`dx` takes no notice of T at all": COOL + NO_DIVISOR,
    "Where logits are in the thousands `dx` contains NaN": (f" - {LARGEST}", ""),
    "For `x` of shape (6, 5) and logits in the thousands `dx` has the right shape": (
        *(f" - {LARGEST}", "", "    d_logits", "    p = np.nan_to_num(p)\n    d_logits"),
    ),
    "`dx` has shape (5,), it must have (6, 5): that of `x`": ("return dz", "return dz.sum(axis=0)"),
    "`dT` has shape (6,), it must have (): one number": ("* z).sum()", "* z).sum(axis=1)"),
    "`dT` has the wrong sign": ("dT = -", "dT = "),
    "`dT` lacks a factor 1 / T": ("T**2", "T"),
    "`dT` has a factor 1 / T too many": ("T**2", "T**3"),
    "`db` has shape (1, 4), it must have (4,): that of `b`": (LAST, "sum(axis=0)[None], dT"),
    "`dT` is zero": (LAST, "sum(axis=0), 0.0"),
    "must return (dx, dW, db, dT); it returns 3 things": (LAST, "sum(axis=0)"),
    "changes `x` in place": ("z = x", "x -= x.mean(axis=0)\n    z = x"),
    "Your code raises `ValueError: operands could not be": (ONE_HOT, "np.eye(y.max() + 1)[y]"),
    "`dx` agrees to a few digits only: differences are": ("z = x @", "z = x.astype('f4') @"),
    "`dx` agrees to a few digits only": (
        "return [numerical_gradient(k, dict(x=x, y=y, W=W, b=b, T=T)) for k in 'xWbT']"
    ),
}.items():
    derivation.brings(says, both=change)
layout = derivation.replacing("dz.T @ x", "x.T @ dz")
layout(" that of `W`. ", "x.T @ dz", "dz.T @ x")
layout("", "np.einsum('no,ni->oi', dz, x)", "np.einsum('no,ni->io', dz, x)")
layout("`dW` is a tensor of a framework", "torch.tensor(dz.T @ x)", "tf.constant(x.T @ dz)")
derivation.right(
    both=(
        *(f"p - {ONE_HOT}", "np.where(np.arange(len(b)) == y[:, None], p - 1, p)"),
        *(f"np.exp(z / T - {LARGEST})", "np.exp(z / T - np.logaddexp.reduce(z / T, 1)[:, None])"),
        *("-(d_logits * z).sum() / T**2", "-np.vdot(dz, z) / T"),
    )
)

bug_hunt = Mistakes("bug_hunt")
RETURN, STORE = "), dW1, dW2", ("W1, W2):", "W1, W2, kept={}):")
NO_SCALE = ("hidden / scale", "hidden / float(scale)")
NO_PENALTY = ("+ penalty", "+ float(penalty)")
for says, change in {
    "`dW1` has no share of `scale`": NO_SCALE,
    "`dW1` has no share of the penalty": NO_PENALTY,
    "`dW1` lacks the share of `scale` and that of the penalty": NO_SCALE + NO_PENALTY,
    "The loss has no penalty in it": (" + penalty", ""),
    "The loss is that of a network that does not divide": ("hidden / scale", "hidden"),
    "`dW1` has the right shape and dtype, but": (RETURN, "), dW1 + W1 / 5, dW2 + W2 / 5"),
    "The loss has the right shape and dtype, but": (
        (*STORE, "return ", "loss = kept.setdefault(0, loss)\n    return ")
    ),
    "In the second call `dW2` is None": (RETURN, "), dW1, dW2 if len(y) == 7 else None"),
    "In the second call `dW1` has the gradient of the first call in it": (
        (*STORE, RETURN, "), kept.setdefault(6, dW1) + (dW1 if len(y) == 1 else 0), dW2")
    ),
}.items():
    bug_hunt.brings(says, both=change)
scales = bug_hunt.replacing("(hidden**2).mean().sqrt()", "tf.sqrt(tf.reduce_mean(hidden**2))")
NUMBER = "tf.constant(np.sqrt(np.mean(hidden**2)))"
scales("of `scale`", "(hidden.detach() ** 2).mean().sqrt()", f"tf.stop_gradient({NUMBER})")
scales("of `scale`", "torch.tensor((hidden**2).mean().sqrt())", f"tf.Variable({NUMBER})")
scales("", "hidden.norm() / hidden.numel() ** 0.5", "tf.norm(hidden) / np.size(hidden) ** 0.5")
bug_hunt.brings(
    "`dW1` is None",
    pytorch=("loss, (W1, W2)", "loss, (W1 + 0, W2 + 0), allow_unused=True"),
    tensorflow=("gradient(loss, (W1, W2))", "gradient(loss, (W1 + 0, W2 + 0))"),
)
bug_hunt.brings(
    "has the gradient of the first call in it",
    pytorch="loss.backward()\nreturn loss.item(), W1.grad.clone(), W2.grad.clone()",
)
AFRESH = "[W.grad.zero_() for W in (W1, W2) if W.grad is not None]\nloss.backward()\n"
bug_hunt.brings(
    "The gradients that the first call returned change in the second",
    pytorch=f"{AFRESH}return loss.item(), W1.grad, W2.grad",
    tensorflow=(
        *(*STORE, RETURN, "), kept[0], dW2"),
        *("    return", "    kept.setdefault(0, tf.Variable(dW1)).assign(dW1)\n    return"),
    ),
)
bug_hunt.right(
    pytorch=f"{AFRESH}return loss, W1.grad.clone(), W2.grad.clone()",
    tensorflow=("float(loss)", "loss", "tape.gradient", "tape.jacobian"),
)

translation = Mistakes("translation")
OUTER = "return outer.gradient(product, w)"
returns = translation.replacing("return result", OUTER)
returns("The result is the gradient:", "return gradient", "return gradient")
returns("is the gradient times `v`", "return gradient * v", "return gradient * v")
returns("gradient in it", "return gradient + result", f"{OUTER} + gradient")
returns("shape (3,), it must", "return result[0]", f"{OUTER}[0]")
returns("is a `tuple`; it must be", "return f(w), result", f"return f(w), {OUTER[7:]}")
returns("is None: ", "return w.grad", "return outer.gradient(v, w)")
returns("has the right shape and dtype, but wrong", "return result * v", f"{OUTER} * v")
translation.brings("a vector of ones", both=("gradient * v", "gradient"))
HALF = f"return tf.cast(tf.cast({OUTER[7:]}, 'float32'), 'float64')"
returns("agrees to a few digits only", "return result.float().double()", HALF)
for says, change in {
    "does not have a grad_fn` in line 6 of its cell, `(result,) = ": (", create_graph=True", ""),
    "has the gradient in it": """
        w = w.detach().requires_grad_()
        f(w).backward(create_graph=True)
        (w.grad * v).sum().backward()
        return w.grad
        """,
    "`w` is marked after the call": ("w.detach().requires", "w.requires"),
    "`v` is marked after the call": ("return result", "v.requires_grad_()\n    return result"),
    "`w` is marked after the call, or has a gradient": """
        w.requires_grad_()
        f(w).backward(create_graph=True)
        first, w.grad = w.grad, None
        (first * v).sum().backward()
        result = w.grad.clone()
        w.requires_grad_(False)
        return result
        """,
}.items():
    translation.brings(says, pytorch=change)
for says, change in {
    "is None: does the outer tape": ("outer.watch(w)", "pass"),
    "the outer tape see how the first gradient is computed": (
        ("gradient = inner", "with outer.stop_recording():\n            gradient = inner")
    ),
    "(or jacobians)` in line 11 of its cell, `return inner": ("outer.gradient", "inner.gradient"),
}.items():
    translation.brings(says, tensorflow=change)
translation.right(
    pytorch="return torch.autograd.functional.vhp(f, w, v)[1]",
    tensorflow=("outer.watch(w)", "w = tf.Variable(w)", "inner.watch(w)", "pass"),
)
translation.right(
    pytorch="return torch.func.jvp(torch.func.grad(f), (w,), (v,))[1]",
    tensorflow=(
        *("tf.reduce_sum(gradient * v)", "gradient"),
        *("(product, w)", "(gradient, w, output_gradients=v)"),
    ),
)

custom_gradient = Mistakes("custom_gradient")
SHORT = "gradient * ctx.max_norm / norm.clamp(min=ctx.max_norm)"
SHORT_TF = "gradient * max_norm / tf.maximum(norm, max_norm)"


def shortens(says: str, pytorch: str, tensorflow: str) -> None:
    """Another way of shortening; `g` is the gradient, `M` the norm."""
    pytorch, tensorflow = (re.sub(r"\bg\b", "gradient", new) for new in (pytorch, tensorflow))
    custom_gradient.replacing(SHORT, SHORT_TF)(
        says, pytorch.replace("M", "ctx.max_norm"), tensorflow.replace("M", "max_norm")
    )


shortens("arrives as it came", "g", "g")
shortens("cut off number by number", "g.clamp(-M, M)", "tf.clip_by_value(g, -M, M)")
shortens("all rows together", "g * min(1, M / g.norm())", "tf.clip_by_norm(g, M)")
shortens("by column", "g * (M / g.norm(dim=0)).clamp(max=1)", "tf.clip_by_norm(g, M, axes=0)")
shortens("NaN in a row where zero arrives", "g * M / norm", "g * M / norm")
shortens("in short rows", "g * M / norm.clamp(min=1e-9)", "tf.math.divide_no_nan(g * M, norm)")
shortens("to a few digits", "g.renorm(2, 0, M)", "g * tf.minimum(M / (norm + 1e-6), 1)")
shortens("but wrong", "g * M / norm.clamp(min=1)", "tf.where(norm > 1, g * M / norm, g)")
shortens("has the wrong sign", f"-{SHORT}", f"-{SHORT_TF}")
shortens("`x` has the right shape and dtype", "g * (norm <= M)", "tf.where(norm > M, 0.0, g)")
shortens("No gradient arrives at `x`: ", "None", "None")
shortens("", "torch.where(norm > M, g / norm * M, g)", "tf.clip_by_norm(g, M, axes=1)")
custom_gradient.brings("no notice of", both=("  norm = ", "  gradient = gradient**0; norm = "))

outputs = custom_gradient.replacing("return ClipGradient.apply(x, max_norm)", "return identity(x)")
outputs("arrives as it came", "return x", "return x")
outputs("No gradient arrives at `x`: ", "return x.detach()", "return tf.stop_gradient(x)")
outputs("No gradient ", "return x.detach().requires_grad_()", "return tf.Variable(x)")
outputs("a `ndarray`; it must be a tensor", "return x.detach().numpy()", "return x.numpy()")
outputs("output has dtype float32, it", "return x.float()", "return tf.cast(x, tf.float32)")
outputs("output has shape (4,), it must have (5, 4)", "return x[0]", "return x[0]")
outputs(
    "output is shortened itself",
    "return x * (max_norm / x.norm(dim=1, keepdim=True)).clamp(max=1)",
    "return tf.clip_by_norm(x, max_norm, axes=1)",
)
outputs(
    "output is cut off itself",
    "return x.clamp(-max_norm, max_norm)",
    "return tf.clip_by_value(x, -max_norm, max_norm)",
)
custom_gradient.brings(
    "has one `max_norm` for both uses",
    pytorch=(
        *("ctx.max_norm = ", "ClipGradient.of = "),
        *(SHORT, SHORT.replace("ctx.max_norm", "ClipGradient.of")),
    ),
    tensorflow=(
        *("return identity(x)", "clip_gradient.of = max_norm\n    return identity(x)"),
        *(SHORT_TF, SHORT_TF.replace("max_norm", "clip_gradient.of")),
    ),
)
HOOKED = """
    def clip_gradient(x, max_norm):
        output = x
        output.register_hook(lambda row: row * (max_norm / row.norm(dim=1)).clamp(max=1)[:, None])
        return output
    """
for says, change in {
    "changes the gradient of its output in place": (SHORT, SHORT.replace(" * ", ".mul_(") + ")"),
    "(expected 2, got 1)`.": ("ctx.max_norm), None", "ctx.max_norm)"),
    "is the sum of both uses, shortened": HOOKED,
    "": HOOKED.replace("output = x", "output = x.clone()"),
}.items():
    custom_gradient.brings(says, pytorch=change)
for says, change in {
    "(expected 2)` in line 14 of its cell, `return identity(x)`": ("(x), backward", "(x)"),
    "to return 2 gradients, but returned 1 instead.`.": (
        ("identity(x):", "identity(x, limit):", "return identity(x)", "return identity(x, x)")
    ),
    "": ("tf.identity(x)", "x + 0", SHORT_TF, "gradient / tf.maximum(norm / max_norm, 1)"),
}.items():
    custom_gradient.brings(says, tensorflow=change)
custom_gradient.cannot(
    "tensorflow", "is the sum of both uses", why="no function can change what arrives at `x`"
)
