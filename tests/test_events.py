"""Event files read back: what each framework's writer has logged, in one form for both.

TensorFlow must not come into PyTorch's kernel by way of TensorBoard, so each writer has a process
of its own.
"""

import json
import subprocess
import sys

from paired import course, events, figures

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("events")  # each framework is imported once

RATE = 8000
PYTORCH = """
import json, sys
from paired import events
import numpy as np
import torch
events.keep_tensorflow_out()
from torch.utils.tensorboard import SummaryWriter
folder, picture, values, samples = sys.argv[1], *map(np.array, json.load(sys.stdin))
writer = SummaryWriter(folder)
for step in range(30):
    writer.add_scalar("loss/train", 1 / (step + 1), step)
writer.add_image("picture", picture.astype("uint8"), 3, dataformats="HWC")
writer.add_image("grey", picture[..., :1].astype("uint8"), 3, dataformats="HWC")
writer.add_histogram("values", torch.tensor(values), 3, bins=30)
writer.add_audio("sound", torch.tensor(samples), 3, sample_rate=8000)
writer.add_text("settings", "rate **0.5**", 0)
network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
writer.add_graph(network, torch.zeros(1, 3))
writer.close()
print("tensorflow" in sys.modules)
"""
TENSORFLOW = """
import json, sys
from paired import events, imports
import numpy as np
with imports.quiet_import():
    import keras, tensorflow as tf
folder, picture, values, samples = sys.argv[1], *map(np.array, json.load(sys.stdin))
writer = tf.summary.create_file_writer(folder)
with writer.as_default():
    for step in range(30):
        tf.summary.scalar("loss/train", 1 / (step + 1), step)
    tf.summary.image("picture", picture.astype("uint8")[None], 3)
    tf.summary.image("grey", picture[None, ..., :1].astype("uint8"), 3)
    tf.summary.histogram("values", values, 3, buckets=30)
    tf.summary.audio("sound", samples.astype("float32")[None, :, None], 8000, 3)
    tf.summary.text("settings", "rate **0.5**", 0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu")])
    tf.summary.graph(tf.function(network).get_concrete_function(tf.zeros((1, 3))).graph)
writer.close()
events.keep_tensorflow_out()
assert events.read(folder), "read by the process that has TensorFlow"
print("tensorboard.compat.notf" in sys.modules)
"""

GENERATOR = np.random.default_rng(0)
PICTURE = GENERATOR.integers(0, 256, (5, 7, 3), np.uint8)
VALUES = GENERATOR.normal(size=1000)
SAMPLES = 0.5 * np.sin(np.arange(RATE) / 5)


@pytest.fixture(scope="module", params=["pytorch", "tensorflow"])
def run(request, tmp_path_factory):
    """The folder of a run that the framework's own writer has logged."""
    folder = tmp_path_factory.mktemp(request.param)
    logged = json.dumps([PICTURE.tolist(), VALUES.tolist(), SAMPLES.tolist()])
    program = {"pytorch": PYTORCH, "tensorflow": TENSORFLOW}[request.param]
    command = [course.python(request.param), "-c", program, str(folder)]
    done = subprocess.run(
        command, input=logged, capture_output=True, text=True, cwd=course.ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "False\n", "TensorFlow in PyTorch's process, or kept out of its own"
    return folder


def test_read_finds_everything_that_was_logged(run):
    found = events.read(run)
    assert {key: len(points) for key, points in found.items()} == {
        ("audio", "sound"): 1,
        ("graph", "graph"): 1,
        ("histogram", "values"): 1,
        ("image", "grey"): 1,
        ("image", "picture"): 1,
        ("scalar", "loss/train"): 30,  # more than TensorBoard itself keeps of a tensor
        ("text", "settings"): 1,
    }


def test_scalars_have_32_bits(run):
    points = events.read(run)["scalar", "loss/train"]
    assert list(points) == list(range(30))
    assert all(value.dtype == np.float32 for value in points.values())
    np.testing.assert_array_equal(list(points.values()), np.float32(1 / np.arange(1, 31)))


def test_picture_comes_back_pixel_by_pixel(run):
    picture = events.read(run)["image", "picture"][3]
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, PICTURE[None])


def test_a_grey_picture_has_an_axis_of_channels_too(run):
    grey = events.read(run)["image", "grey"][3]
    assert grey.shape[:3] == (1, *PICTURE.shape[:2])
    # TensorFlow keeps its one channel, PyTorch's writer makes three of it.
    assert all(np.array_equal(channel, PICTURE[..., 0]) for channel in grey[0].transpose(2, 0, 1))
    assert grey.shape[3] in (1, 3)


def test_histogram_counts_what_numpy_counts(run):
    left, right, counts = events.read(run)["histogram", "values"][3].T
    expected, edges = np.histogram(VALUES, bins=30)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(left, np.float32(edges[:-1]))
    np.testing.assert_array_equal(right, np.float32(edges[1:]))


def test_sound_comes_back_within_one_step_of_16_bits(run):
    sound = events.read(run)["audio", "sound"][3]
    assert sound.rate == RATE
    assert np.abs(sound.samples - SAMPLES).max() <= 1.5 / 2**15


def test_text_has_the_tag_that_it_was_given(run):
    assert events.read(run)["text", "settings"][0].tolist() == ["rate **0.5**"]


def test_graph_has_operations_and_names(run):
    nodes = events.read(run)["graph", "graph"][0]
    assert {"aten::relu", "Relu"} & set(nodes[:, 0])
    assert all(nodes[:, 1])


def test_points_of_a_folder_are_those_of_the_runs_in_it(run):
    logged = events.read(run)
    for point in events.points(run.parent):
        if point.run == run.name and (point.kind, point.tag) in logged:
            np.testing.assert_equal(logged[point.kind, point.tag].pop(point.step), point.value)
    assert not any(logged.values()), "each was among them"
    assert events.points(run / "nothing") == []


def test_folder_without_event_files_says_what_is_expected(tmp_path):
    with pytest.raises(events.EventsError, match="holds no event file: expected is the folder of"):
        events.read(tmp_path)


def test_prepare_leaves_a_process_with_tensorflow_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    monkeypatch.delitem(sys.modules, "tensorboard.compat.notf", raising=False)
    events.keep_tensorflow_out()
    assert "tensorboard.compat.notf" not in sys.modules


def test_tiles_are_magnified_from_white_to_black():
    row = figures.tiles(np.array([[[0.0, 1.0]], [[2.0, -1.0]]]), low=0, high=1, zoom=2)
    assert row.shape == (2, 10, 3)
    assert row[0, :, 0].tolist() == [255, 255, 0, 0, 255, 255, 0, 0, 255, 255]
