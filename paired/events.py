"""TensorBoard's event files, read in a form that is the same whichever framework wrote them."""

import importlib.machinery
import io
import pathlib
import sys
import types
import wave
from typing import NamedTuple

import numpy as np

# What TensorBoard's plugins call the kinds that `read` returns.
_KINDS = {
    "scalars": "scalar", "images": "image", "audio": "audio", "histograms": "histogram",
    "text": "text", "graphs": "graph",
}  # fmt: skip
_NO_TENSORFLOW = "tensorboard.compat.notf"


class EventsError(Exception):
    """There are no event files where they are looked for."""


class Audio(NamedTuple):
    """A sound: `samples` of shape `(frames,)` in [-1, 1], and how many of them make a second."""

    samples: np.ndarray
    rate: int


class Point(NamedTuple):
    """One entry of an event file.

    Attributes:
        run: the folder of its file, relative to the folder that was read; "." for that itself.
        kind: one of those of `read`; for any other what TensorBoard's plugin calls it.
        tag: the name that it was logged with.
        step: the step that it was logged at.
        value: as `read` returns it; of another kind, as TensorBoard stores it.
    """

    run: str
    kind: str
    tag: str
    step: int
    value: np.ndarray | Audio


def keep_tensorflow_out() -> None:
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


def points(folder: str | pathlib.Path) -> list[Point]:
    """Everything in the event files of a folder, and of those in it, in the order of writing.

    PyTorch's writer and TensorFlow's store the same things in different ways; TensorBoard's own
    loader turns the older of the two, PyTorch's, into the newer.
    """
    keep_tensorflow_out()
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    folder, found = pathlib.Path(folder), []
    for path in sorted(folder.rglob("*tfevents*")):
        run, kinds = path.parent.relative_to(folder).as_posix(), {}
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                # Only the first entry of a tag says of what kind it is.
                plugin = kinds.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
                kind, tag = _KINDS.get(plugin, plugin), value.tag
                if kind == "text":  # PyTorch's add_text adds this to the tag that it was given
                    tag = tag.removesuffix("/text_summary")
                elif kind == "graph":  # which both writers call what nobody asks for
                    tag = "graph"
                array = _decode(kind, tensor_util.make_ndarray(value.tensor))
                found.append(Point(run, kind, tag, event.step, array))
    return found


def read(folder: str | pathlib.Path) -> dict[tuple[str, str], dict[int, np.ndarray | Audio]]:
    """Everything that was logged to one run, in the same form whichever framework's writer did it.

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
    folder = pathlib.Path(folder)
    if not any(folder.glob("*tfevents*")):
        raise EventsError(
            f"{folder.name} holds no event file: expected is the folder of one run, after its "
            "writer was closed or flushed. Run the cell that logs to it."
        )
    found: dict = {}
    for point in points(folder):
        if point.run == "." and point.kind in _KINDS.values():
            found.setdefault((point.kind, point.tag), {})[point.step] = point.value
    return dict(sorted(found.items()))


def _decode(kind: str, value: np.ndarray) -> np.ndarray | Audio:
    """What TensorBoard stores for one step, as the array that was logged."""
    if kind in ("scalar", "histogram"):
        return value.astype(np.float32)
    if kind == "text":
        return np.array([text.decode() for text in value.reshape(-1)])
    if kind == "audio":
        return _wav(value.reshape(-1)[0])
    if kind == "graph":
        from tensorboard.compat.proto import graph_pb2

        nodes = graph_pb2.GraphDef.FromString(value.item()).node
        return np.array([(node.op, node.name) for node in nodes])
    if kind != "image":
        return value
    # Width and height come first, then one picture after the other; of no picture nothing more.
    width, height, *pictures = value
    if not pictures:
        return np.zeros((0, int(height), int(width), 1), np.uint8)
    return np.stack([_picture(encoded) for encoded in pictures])


def _picture(encoded: bytes) -> np.ndarray:
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(encoded)))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]  # a grey PNG has no axis of channels


def _wav(encoded: bytes) -> Audio:
    with wave.open(io.BytesIO(encoded)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        first = frames.reshape(-1, file.getnchannels())[:, 0]
        return Audio(first / 2**15, file.getframerate())
