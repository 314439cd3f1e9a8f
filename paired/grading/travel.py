"""Values that go from a process that is not trusted into one that is: plain ones, nothing else.

`pack` gives what JSON can carry, and `unpack` makes new values of it; it runs no code of theirs.
"""

import base64
import sys
from collections.abc import Iterator

import numpy as np

_PLAIN = (type(None), bool, int, float, str)


class CannotTravelError(Exception):
    """The value is no number, text, array, tensor, or collection of such."""


def _kind(value) -> str:
    """Which of the frameworks' things a value is; empty if none."""
    torch, tf = sys.modules.get("torch"), sys.modules.get("tensorflow")
    if torch and isinstance(value, torch.Tensor):
        return "tensor" if value.grad_fn is None else ""
    if torch and isinstance(value, torch.nn.Module):
        return "module"
    if tf and isinstance(value, tf.Variable):
        return "variable"
    if tf and isinstance(value, tf.Tensor) and hasattr(value, "numpy"):
        return "constant"
    return "model" if tf and isinstance(value, tf.keras.Model) else ""


def things(value) -> Iterator:
    """Everything in the arguments of a call that can be changed in place, or returned itself."""
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from things(item)
    elif isinstance(value, np.ndarray) or _kind(value):
        yield value


def pack(value, given=()):
    """A value as JSON can carry it; one of the things `given` as its number.

    Raises:
        CannotTravelError: it is something else than plain values.
    """
    for number, thing in enumerate(given):
        if value is thing:
            return {"given": number}
    if value is ...:
        return {"ellipsis": True}
    if type(value) in _PLAIN:
        return {"plain": value}
    if type(value) in (list, tuple):
        return {type(value).__name__: [pack(item, given) for item in value]}
    if type(value) is dict:
        return {"dict": [[pack(key), pack(item, given)] for key, item in value.items()]}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiub":
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": [value.dtype.str, value.shape, data, isinstance(value, np.generic)]}
    kind = _kind(value)
    if kind == "tensor":
        return {"tensor": pack(value.detach().cpu().numpy()), "leaf": value.requires_grad}
    if kind in ("constant", "variable"):
        return {kind: pack(value.numpy())}
    raise CannotTravelError(type(value).__name__)


def unpack(packed, given=()):
    """The value again. Anything that is not as `pack` writes it raises some error."""
    (kind, content), *more = packed.items()
    match kind:
        case "given":
            return given[content]
        case "ellipsis":
            return ...
        case "plain" if type(content) in _PLAIN:
            return content
        case "list" | "tuple":
            items = [unpack(item, given) for item in content]
            return tuple(items) if kind == "tuple" else items
        case "dict":
            return {unpack(key): unpack(item, given) for key, item in content}
        case "array":
            dtype, shape, data, is_scalar = content
            if np.dtype(dtype).kind not in "fiub":
                raise CannotTravelError(dtype)
            array = np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()
            return array[()] if is_scalar else array
        case "tensor":
            tensor = sys.modules["torch"].from_numpy(np.asarray(unpack(content)))
            return tensor.requires_grad_() if more[0][1] else tensor
        case "constant":
            return sys.modules["tensorflow"].constant(unpack(content))
        case "variable":
            return sys.modules["tensorflow"].Variable(unpack(content))
    raise CannotTravelError(kind)


def state(thing):
    """What a thing holds, to be written into its twin in the other process."""
    match _kind(thing):
        case "tensor":
            return pack([thing.detach(), thing.grad])
        case "module":
            values = {name: value.detach() for name, value in thing.state_dict().items()}
            return pack([values, [module.training for module in thing.modules()]])
        case "model":
            return pack(thing.get_weights())
    return pack(thing)


def restore(thing, packed) -> None:
    """Write into a thing what its twin holds."""
    value = unpack(packed)
    match _kind(thing):
        case "tensor":
            thing.data.copy_(value[0])
            thing.grad = value[1]
        case "module":
            thing.load_state_dict(value[0])
            for module, training in zip(thing.modules(), value[1], strict=True):
                module.training = training
        case "model":
            thing.set_weights(value)
        case "variable":
            thing.assign(value)
        case "":
            thing[...] = value
