"""Lesson 10: its page of differences holds, row by row, and its mistakes still fit its cells."""

import json
import re
import subprocess
import sys

from paired import checks, course
from paired.checks import markers
from paired.checks.answers import resolve

import pytest

FOLDER = course.ROOT / "notebooks" / "10_migration"
PAGE = FOLDER / "differences.md"
sys.path.insert(0, str(FOLDER))
import porting  # noqa: E402

PYTORCH = """
import torch
from torch import nn, optim
from torch.nn import functional as F
torch.set_default_dtype(torch.float64)

def steps(kind, **how):
    p = nn.Parameter(torch.tensor([1.0]))
    optimizer, found = kind([p], lr=0.125, **how), []
    for g in (0.5, 0.25, -0.125):
        p.grad = torch.tensor([g])
        optimizer.step()
        found.append(round(p.item(), 8))
    return found

def cosine(n):
    optimizer = optim.SGD([nn.Parameter(torch.ones(1))], 1.0)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)
    return [optimizer.step() or schedule.step() or schedule.get_last_lr()[0] for _ in range(n)][-1]

def lstm(w):
    layer = nn.LSTM(1, 2, batch_first=True)
    for p in layer.parameters():
        p.data = torch.arange(p.numel()).reshape(p.shape) / 8
    return layer(torch.ones(1, 3, 1))[0][0, -1].tolist()

def default(kind, name):
    return kind([nn.Parameter(torch.ones(1))]).defaults[name]
"""
KERAS = """
from paired.imports import quiet_import
with quiet_import():
    import keras, numpy as np, tensorflow as tf
from keras import layers, optimizers
keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")

def steps(kind, **how):
    v, optimizer, found = keras.Variable([1.0]), kind(learning_rate=0.125, **how), []
    for g in (0.5, 0.25, -0.125):
        optimizer.apply([tf.constant([g], tf.float64)], [v])
        found.append(round(float(v[0]), 8))
    return found

def told(callback, losses):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(optimizers.SGD(1.0))
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"loss": loss})
        yield bool(model.stop_training)

def cosine(n):
    return round(float(optimizers.schedules.CosineDecay(1.0, 4)(n)), 8)

def lstm(w):
    layer = layers.LSTM(2)
    layer.build((1, 3, 1))
    shapes = ((8, 1), (8, 2), (8,), (8,))
    w_in, w_state, *b = (np.arange(np.prod(s)).reshape(s) / 8 for s in shapes)
    layer.set_weights([w_in.T, w_state.T, b[0] + b[1]])
    return np.asarray(layer(np.ones((1, 3, 1))))[0].tolist()

def default(kind, name):
    return round(kind().get_config()[name], 8)
"""
ADAM = "betas=(0.5, 0.5), eps=0.125", "beta_1=0.5, beta_2=0.5, epsilon=0.125"
# What the page says is tested here: in PyTorch, in Keras, and whether both give the same.
FACTS = {
    "leaky-slope": ("F.leaky_relu(torch.tensor(-1.0)).item()",
                    "round(float(layers.LeakyReLU()(np.array([-1.0]))[0]), 6)", False),
    "leaky-function": ("F.leaky_relu(torch.tensor(-1.0)).item()",
                       "round(float(keras.ops.leaky_relu(np.array([-1.0]))[0]), 6)", False),
    "dropout-scale": ("F.dropout(torch.ones(99), 0.5).max().item()",
                      "float(np.max(layers.Dropout(0.5)(np.ones(99), training=True)))", True),
    "gelu": ("round(F.gelu(torch.tensor(1.0)).item(), 6)",
             "round(float(keras.ops.gelu(np.array(1.0), approximate=False)), 6)", True),
    "lstm": ("lstm(1)", "lstm(1)", True),
    "dense-bias": ("nn.Linear(9, 9).bias.abs().max().item() > 0",
                   "(d := layers.Dense(9)).build((1, 9)) or bool(np.any(d.bias))", False),
    "sgd": ("steps(optim.SGD)", "steps(optimizers.SGD)", True),
    "momentum": ("steps(optim.SGD, momentum=0.5)", "steps(optimizers.SGD, momentum=0.5)", True),
    "nesterov": ("steps(optim.SGD, momentum=0.5, nesterov=True)",
                 "steps(optimizers.SGD, momentum=0.5, nesterov=True)", True),
    "sgd-decay": ("steps(optim.SGD, momentum=0.5, weight_decay=0.5)",
                  "steps(optimizers.SGD, momentum=0.5, weight_decay=0.5)", False),
    "sgd-decay-plain": ("steps(optim.SGD, weight_decay=0.5)",
                        "steps(optimizers.SGD, weight_decay=0.5)", True),
    "rmsprop": ("steps(optim.RMSprop, alpha=0.5, eps=0.125)",
                "steps(optimizers.RMSprop, rho=0.5, epsilon=0.125)", False),
    "adagrad": ("steps(optim.Adagrad)", "steps(optimizers.Adagrad)", False),
    "adagrad-matched": ("steps(optim.Adagrad, eps=0.0)", "steps(optimizers.Adagrad, "
                        "initial_accumulator_value=0.0, epsilon=0.0)", True),
    "adagrad-epsilon": ("steps(optim.Adagrad, eps=0.125)", "steps(optimizers.Adagrad, "
                        "initial_accumulator_value=0.0, epsilon=0.125)", False),
    "adamw": (f"steps(optim.AdamW, {ADAM[0]}, weight_decay=0.5)".replace("0.125", "0.0"),
              f"steps(optimizers.AdamW, {ADAM[1]}, weight_decay=0.5)".replace("0.125", "0.0"),
              True),
    "adam-decay": (f"steps(optim.Adam, {ADAM[0]}, weight_decay=0.5)".replace("0.125", "0.0"),
                   f"steps(optimizers.Adam, {ADAM[1]}, weight_decay=0.5)".replace("0.125", "0.0"),
                   False),
    "adamw-default-decay": ("default(optim.AdamW, 'weight_decay')",
                            "default(optimizers.AdamW, 'weight_decay')", False),
    "rmsprop-default": ("default(optim.RMSprop, 'alpha')", "default(optimizers.RMSprop, 'rho')",
                        False),
    "cosine-end": ("round(cosine(8), 6)", "cosine(8)", False),
    "early-stopping": ("[False, False, False, True]", "list(told(keras.callbacks."
                       "EarlyStopping('loss', patience=2), [1.0, 0.9, 0.9, 0.9]))", True),
}  # fmt: skip


def cell_ids():
    """Of the lesson and of its exercise."""
    paths = course.lesson("10").paths()
    paths = [*paths, *(course.ROOT / "solutions" / path.name for path in paths)]
    return {name for path in paths for name, *_ in course.cells(path)}


def rows():
    """The rows of the page: their cells."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    parts = [[part.strip() for part in line.strip("|").split("|")] for line in lines if "|" in line]
    return [row for row in parts if row[0] not in ("what", "---")]


@pytest.fixture(scope="module")
def found():
    """What each framework gives for each fact, in one process a framework."""
    results = {}
    for half, program in zip(course.FRAMEWORKS, (PYTORCH, KERAS), strict=True):
        asked = {name: fact[course.FRAMEWORKS.index(half)] for name, fact in FACTS.items()}
        ask = f"import json\nprint(json.dumps({{n: eval(e) for n, e in {asked!r}.items()}}))"
        done = subprocess.run([course.python(half), "-c", f"import paired\n{program}\n{ask}"],
                              cwd=course.ROOT, capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
        results[half] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize("name", FACTS)
def test_what_the_page_says_of_both_frameworks_is_so(found, name):
    one, other = (results[name] for results in found.values())
    assert (one == pytest.approx(other, abs=1e-6)) == FACTS[name][2], (one, other)


def test_each_row_of_the_page_is_proven_by_a_cell_a_mistake_or_a_fact_and_each_fact_is_on_it():
    proofs = [re.findall(r"`([^`]+)`", row[-1]) for row in rows()]
    assert all(proofs)
    known = cell_ids() | set(porting.MISTAKES) | set(FACTS)
    assert not {proof for row in proofs for proof in row} - known
    assert set(FACTS) <= {proof for row in proofs for proof in row}


@pytest.mark.parametrize("half", course.FRAMEWORKS)
def test_each_mistake_still_fits_the_cells_and_the_record_is_of_these(half):
    text = porting.source(half)
    assert len(porting.MISTAKES) == 30
    for edits in porting.MISTAKES.values():
        assert porting.edited(text, edits[half]) != text
    porting.edited(text, porting.OWN_WEIGHTS[half])
    record = json.loads((FOLDER / "measured.json").read_text(encoding="utf-8"))[half]
    assert list(record["mistakes"]) == list(porting.MISTAKES)
    assert all(about["first"] for about in record["mistakes"].values())
    assert {len(losses) for losses in record["seeds"].values()} == {20}


def test_the_parts_that_both_programs_share_are_the_same():
    notebook = {name: code for name, _, code in course.cells(course.lesson("10").path("pytorch"))}
    for half in course.FRAMEWORKS:
        text = (FOLDER / f"original_{half}.py").read_text(encoding="utf-8")
        for line in notebook["port-draws"].splitlines()[2:]:
            assert line in text


# What the clipping of a half's unmended port becomes, so that it is its own framework's original.
CLIPS = {
    "pytorch": ("clip_grad_norm_", "clip_grad_value_"),
    "tensorflow": ("gradients, _ = tf.clip_by_global_norm(gradients, 0.05)",
                   "gradients = [tf.clip_by_value(g, -0.05, 0.05) for g in gradients]"),
}  # fmt: skip


@pytest.mark.parametrize("half", course.FRAMEWORKS)
def test_the_exercise_knows_what_the_other_framework_computes(half):
    """The numbers of task 1, and every row of the NumPy record, by that framework itself."""
    twin = course.twin(half)
    path = course.ROOT / "solutions" / f"10_migration_{half}.ipynb"
    cells = {name: code for name, _, code in course.cells(path)}
    cells["culprits"] = porting.edited(markers.stub(cells["culprits"]), CLIPS[half])
    cells["errors"] = porting.edited(cells["errors"], (f'project, "{half}"', f'project, "{twin}"'))
    names = (
        "setup predict-run load model make-model record errors culprits culprits-run watch fifth"
    )
    program = "\n".join(markers.solution(cells[name]) for name in names.split())
    command = [course.python(half), "-c", program]
    done = subprocess.run(command, cwd=course.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    numbers, *agree = done.stdout.splitlines()
    asked = checks.load("10_migration", twin).predict.kinds.values()
    assert numbers.split() == [str(resolve(number.right, twin)) for number in asked]
    assert agree == ["first disagreement: None"] * 2
