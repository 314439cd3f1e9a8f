"""Lesson 03, back-propagation: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

custom_gradient = Mistakes("custom_gradient")
PT, TF = (
    "gradient * ctx.max_norm / norm.clamp(min=ctx.max_norm)",
    "gradient * max_norm / tf.maximum(norm, max_norm)",
)


def shortens(says: str, pytorch: str, tensorflow: str) -> None:
    """Another way of shortening."""
    custom_gradient.brings(says, pytorch=(PT, pytorch), tensorflow=(TF, tensorflow))


shortens("arrives as it came: nothing", "gradient", "gradient")
shortens(
    "is cut off number by number",
    "gradient.clamp(-ctx.max_norm, ctx.max_norm)",
    "tf.clip_by_value(gradient, -max_norm, max_norm)",
)
shortens(
    "by the norm of all rows together",
    "gradient * min(1, ctx.max_norm / gradient.norm())",
    "tf.clip_by_norm(gradient, max_norm)",
)
shortens(
    "is shortened column by column",
    "gradient * (ctx.max_norm / gradient.norm(dim=0)).clamp(max=1)",
    "tf.clip_by_norm(gradient, max_norm, axes=0)",
)
custom_gradient.brings(
    "No gradient arrives at `x`",
    pytorch="def clip_gradient(x, max_norm):\n    return x.detach()",
    tensorflow="return tf.stop_gradient(x)",
)
custom_gradient.brings(
    "raises `ZeroDivisionError: division by zero` in line 15 of its cell, `1 / 0`",
    pytorch=("norm = gradient.norm(dim=1, keepdim=True)", "1 / 0"),
)
custom_gradient.right(pytorch=("x.view_as(x)", "x.clone()"), tensorflow=("tf.identity(x)", "x + 0"))
