"""TensorBoard's event files, read in a form that is the same whichever framework wrote them."""

import base64
import importlib.machinery
import io
import pathlib
import re
import sys
import types
import wave
from typing import NamedTuple

import numpy as np

_PLUGINS = {
    "scalars": "scalar", "images": "image", "audio": "audio", "histograms": "histogram",
    "text": "text",
}  # fmt: skip
_NO_TENSORFLOW = "tensorboard.compat.notf"


class EventsError(Exception):
    """There are no event files where they are looked for."""


class Audio(NamedTuple):
    """A sound: `samples` of shape `(frames,)` in [-1, 1], and how many of them make a second."""

    samples: np.ndarray
    rate: int


def prepare() -> None:
    """Keep TensorFlow out of a kernel that has not imported it.

    Call it before `torch.utils.tensorboard` is imported. TensorBoard's Python library, which that
    uses, imports TensorFlow for its file functions wherever it is installed: seconds, hundreds of
    megabytes, and a red block of log lines. It has a stand-in of its own, and takes that when it
    finds a module of this name. Without effect once TensorFlow is imported.
    """
    if "tensorflow" not in sys.modules and _NO_TENSORFLOW not in sys.modules:
        module = types.ModuleType(_NO_TENSORFLOW)
        module.__spec__ = importlib.machinery.ModuleSpec(_NO_TENSORFLOW, None)
        sys.modules[_NO_TENSORFLOW] = module


def read(folder: str | pathlib.Path) -> dict[tuple[str, str], dict[int, np.ndarray | Audio]]:
    """Everything that was logged to one run.

    PyTorch's writer and TensorFlow's store the same things in different ways; TensorBoard's own
    reader turns the older of the two, PyTorch's, into the newer, and so does this function.

    Args:
        folder: the folder of one run, which holds its event files.

    Returns:
        For each `(kind, tag)`, in alphabetical order, what was logged at each step:

        - scalar: float32, `()`.
        - image: uint8, `(images, height, width, channels)`.
        - audio: an `Audio`, of the first clip.
        - histogram: float32, `(buckets, 3)`: left edge, right edge, count.
        - text: strings, `(texts,)`.
        - graph: strings, `(nodes, 2)`: the operation of each node, and its name. Step 0.

    Raises:
        EventsError: the folder holds no event file.
    """
    prepare()
    from tensorboard.backend.event_processing import plugin_event_accumulator
    from tensorboard.util import tensor_util

    folder = pathlib.Path(folder)
    if not any(folder.glob("*tfevents*")):
        raise EventsError(
            f"{folder.name} holds no event file: expected is the folder of one run, after its "
            "writer was closed or flushed. Run the cell that logs to it."
        )
    # 0: keep every point. By default a sample of 10 would be kept.
    accumulator = plugin_event_accumulator.EventAccumulator(
        str(folder), size_guidance={"tensors": 0}, tensor_size_guidance={}
    )
    accumulator.Reload()
    found = {}
    for tag in accumulator.Tags()["tensors"]:
        kind = _PLUGINS.get(accumulator.SummaryMetadata(tag).plugin_data.plugin_name)
        if kind is None:
            continue
        # PyTorch's add_text adds this to the tag that it was given.
        name = tag.removesuffix("/text_summary") if kind == "text" else tag
        found[kind, name] = {
            event.step: _decode(kind, tensor_util.make_ndarray(event.tensor_proto))
            for event in accumulator.Tensors(tag)
        }
    if accumulator.Tags()["graph"]:
        nodes = [(node.op, node.name) for node in accumulator.Graph().node]
        found["graph", "graph"] = {0: np.array(nodes)}
    return dict(sorted(found.items()))


def embedded(text: str) -> np.ndarray | Audio:
    """The picture or sound in a page's text, where it stands as `data:...;base64,...`.

    Visdom keeps a picture so, and a sound inside the HTML of a pane. A picture is uint8, of shape
    `(height, width, channels)`.

    Raises:
        EventsError: there is none.
    """
    found = re.search(r"data:(image|audio)/\w+;base64,([\w+/=]+)", text)
    if found is None:
        raise EventsError(
            f"There is no picture or sound in this text, which begins with {text[:40]!r}: expected "
            "is the `src` of an image's pane or the content of a sound's."
        )
    content = base64.b64decode(found[2])
    return _wav(content) if found[1] == "audio" else _picture(content)


def _decode(kind: str, value: np.ndarray) -> np.ndarray | Audio:
    """What TensorBoard stores for one step, as the array that was logged."""
    if kind in ("scalar", "histogram"):
        return value.astype(np.float32)
    if kind == "text":
        return np.array([text.decode() for text in value.reshape(-1)])
    if kind == "audio":
        return _wav(value.reshape(-1)[0])
    # Width and height come first, then one picture after the other.
    return np.stack([_picture(encoded) for encoded in value[2:]])


def _picture(encoded: bytes) -> np.ndarray:
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(encoded)))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]  # a grey PNG has no axis of channels


def _wav(encoded: bytes) -> Audio:
    with wave.open(io.BytesIO(encoded)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        first = frames.reshape(-1, file.getnchannels())[:, 0]
        return Audio(first / 2**15, file.getframerate())
