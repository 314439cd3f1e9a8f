"""Mistakes planted in lesson 04's own code: the comparison has to name the first wrong tensor.

Each is a change of text in the PyTorch notebook, whose cells are then run here and compared with
the record that the TensorFlow notebook left; `make test` makes that first.
"""

import contextlib
import io

from paired import course, parity
from paired.authors import files

import matplotlib
import matplotlib.pyplot as plt
import pytest

pytestmark = pytest.mark.xdist_group("planted-mistakes")  # PyTorch is imported once

LESSON = "04_network"
START = ("setup", "digits", "mlp", "mlp-parameters", "weights", "load-weights", "loss")
START += ("loss-by-hand", "by-hand", "train-step", "float64", "record-data", "record-step")
START += ("train-recorded",)
RUNS = {
    "mlp-sgd": ("recorded-sgd",),
    "mlp-adam": ("recorded-sgd", "adam", "recorded-adam"),
    "cnn": ("cnn", "cnn-stages", "cnn-weights", "load-cnn", "cnn-layouts", "recorded-cnn"),
}
AFTER_CNN = ("record-stats", "logits-of", "modes")
# All but two of the mistakes show by this step, the first of the second epoch.
FEW_STEPS = 23

STEP = "    optimizer.step()\n    return logits, loss"
SGD = "sgd = torch.optim.SGD(mlp64.parameters(), learning_rate, momentum"
LOSS = "loss = F.cross_entropy(logits, y"

# name: (run, text in the notebook, what takes its place, first wrong tensor, its step)
MISTAKES = {
    "pixels not scaled": (
        "mlp-sgd", 'data.digits("float64")', 'data.Digits(*(a * 16 if a.ndim == 3 else a for a in '
        'data.digits("float64")))', "x/data/train", 0,
    ),
    "labels shuffled apart": (
        "mlp-sgd", 'record("y/data/train"', 'digits = digits._replace(y_train='
        'np.roll(digits.y_train, 1))\nrecord("y/data/train"', "y/data/train", 0,
    ),
    "trained in float32": (
        "mlp-sgd", "RECORDED = (", 'digits, mlp64 = data.digits("float32"), mlp64.float()\n'
        "RECORDED = (", "w/mlp-sgd/hidden.weight", 0,
    ),
    "weights not loaded": (
        "mlp-sgd", "mlp64 = load_mlp(MLP().to(device))", "mlp64 = MLP().to(device)",
        "w/mlp-sgd/hidden.weight", 0,
    ),
    "kernel's height and width swapped": (
        "cnn", "for name, w in cnn_weights.items()}",
        "for name, w in cnn_weights.items()}\n"
        'state["conv1.weight"] = state["conv1.weight"].mT', "w/cnn/conv1.weight", 0,
    ),
    "wrong flatten order": (
        "cnn", '["output.weight"].reshape(10, 128)',
        '["output.weight"].permute(0, 2, 3, 1).reshape(10, 128)', "w/cnn/output.weight", 0,
    ),
    "batches from another seed": (
        "mlp-sgd", "enumerate(data.batches(len(X), 64, steps)",
        "enumerate(data.batches(len(X), 64, steps, seed=1)", "batch/mlp-sgd/indices", 1,
    ),
    "not shuffled anew each epoch": (
        "mlp-sgd", "enumerate(data.batches(len(X), 64, steps)",
        "enumerate(list(data.batches(len(X), 64, 22)) * 5", "batch/mlp-sgd/indices", 23,
    ),
    "another activation": (
        "mlp-sgd", "h = F.relu(", "h = F.gelu(", "logits/mlp-sgd/logits", 1,
    ),
    "epsilon of batch normalisation": (
        "cnn", "eps=1e-5", "eps=1e-3", "logits/cnn/logits", 1,
    ),
    "average pooling": (
        "cnn", '"pool2": nn.MaxPool2d(2)', '"pool2": nn.AvgPool2d(2)', "logits/cnn/logits", 1,
    ),
    "evaluation mode while training": (
        "cnn", "    model.train()\n    for step,", "    model.eval()\n    for step,",
        "logits/cnn/logits", 1,
    ),
    "softmax applied twice": (
        "mlp-sgd", LOSS, LOSS.replace("(logits,", "(logits.softmax(1),"), "loss/mlp-sgd/loss", 1,
    ),
    "sum instead of mean": (
        "mlp-sgd", LOSS, LOSS + ', reduction="sum"', "loss/mlp-sgd/loss", 1,
    ),
    "label smoothing": (
        "mlp-sgd", LOSS, LOSS + ", label_smoothing=0.1", "loss/mlp-sgd/loss", 1,
    ),
    "gradients clipped": (
        "mlp-sgd", STEP, "    nn.utils.clip_grad_norm_(model.parameters(), 0.1)\n" + STEP,
        "grad/mlp-sgd/hidden.weight", 1,
    ),
    "zero_grad forgotten": (
        "mlp-sgd", "    optimizer.zero_grad()\n    logits", "    logits",
        "grad/mlp-sgd/hidden.weight", 2,
    ),
    "learning rate": (
        "mlp-sgd", SGD, SGD.replace("learning_rate", "0.06"), "w/mlp-sgd/hidden.weight", 1,
    ),
    "weight decay": (
        "mlp-sgd", SGD, SGD + ", weight_decay=1e-4", "w/mlp-sgd/hidden.weight", 1,
    ),
    "Nesterov's momentum": (
        "mlp-sgd", SGD, SGD + ", nesterov=True", "w/mlp-sgd/hidden.weight", 1,
    ),
    "momentum that dampens": (
        "mlp-sgd", SGD, SGD + ", dampening=momentum", "w/mlp-sgd/hidden.weight", 2,
    ),
    "epsilon of Adam": (
        "mlp-adam", "hook = adam.register_step_pre_hook(match_keras)", "",
        "w/mlp-adam/hidden.weight", 1,
    ),
    "beta of Adam": (
        "mlp-adam", "betas = (7 / 8, ", "betas = (0.9, ", "w/mlp-adam/hidden.weight", 2,
    ),
    "momentum of batch normalisation": (
        "cnn", "eps=1e-5, momentum=1 / 8", "eps=1e-5, momentum=7 / 8", "stat/cnn/running-mean", 300,
    ),
    "eval() forgotten": (
        "cnn", '("evaluation", cnn.eval())', '("evaluation", cnn.train())',
        "eval/cnn/logits", 300,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def cells():
    """The code of the PyTorch notebook, by cell id."""
    path = course.lesson("04").path("pytorch")
    return {cell["id"]: "".join(cell["source"]) for cell in files.read(path)["cells"]}


@pytest.fixture(scope="module")
def twin():
    """What the TensorFlow notebook recorded."""
    return parity.load(LESSON, "tensorflow")


@pytest.fixture(autouse=True)
def restored():
    """Leave no figure, and PyTorch's default precision as it was."""
    import torch

    matplotlib.use("agg")
    yield
    plt.close("all")
    torch.set_default_dtype(torch.float32)


class _EnoughError(Exception):
    """Ends the cells early."""


def first_disagreement(cells, twin, run, steps, text=None, replacement=None):
    """Run the cells up to one of the runs, and compare that run and the data with the twin's."""
    ids = START + RUNS[run] + (AFTER_CNN if steps > FEW_STEPS else ())
    source = "\n\n".join(cells[name] for name in ids)
    if text is not None:
        last = source.rindex(text)  # the float64 part comes last
        source = source[:last] + replacement + source[last + len(text) :]

    class Recorder(parity.Recorder):
        def __call__(self, key, value, *, step, layout=None):
            if step > steps and key.split("/")[1] == run:
                raise _EnoughError
            super().__call__(key, value, step=step, layout=layout)

    namespace = {"Recorder": Recorder}
    source = source.replace("record = parity.Recorder(", "record = Recorder(")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(_EnoughError):
        exec(compile(source, "notebook", "exec"), namespace)

    def of_run(tensors):
        return {
            (key, step): value
            for (key, step), value in tensors.items()
            if key.split("/")[1] in ("data", run) and step <= steps
        }

    mine = parity.Record(of_run(namespace["record"].tensors), gpu=False, notebook="")
    other = parity.Record(of_run(twin.tensors), gpu=twin.gpu, notebook="")
    return parity.compare(mine, other).first_disagreement


@pytest.mark.parametrize(
    ("run", "steps"), [("mlp-sgd", 23), ("mlp-adam", 23), ("cnn", 23), ("cnn", 300)]
)
def test_without_a_mistake_nothing_disagrees(cells, twin, run, steps):
    assert first_disagreement(cells, twin, run, steps) is None


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_by_the_first_tensor_it_touches(cells, twin, name):
    run, text, replacement, key, step = MISTAKES[name]
    row = first_disagreement(cells, twin, run, max(step, FEW_STEPS), text, replacement)
    assert row is not None
    assert (row.key, row.step) == (key, step), str(row)
