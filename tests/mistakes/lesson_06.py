"""Lesson 06, visualising: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

missing_view = Mistakes("missing_view")
EVERY = "if step % 5 == 0:"
VIEW = "parameter.grad, step", "gradient, step"
logs = missing_view.replacing(*VIEW)
logs("is not that of the gradient: look at its", "2 * parameter.grad, step", "2 * gradient, step")
logs("is that of the parameter itself, not of", "parameter, step", "variable, step")
logs("magnitudes: its sign is lost.", "parameter.grad.abs(), step", "abs(gradient), step")
logs("holds zeros: the gradient has been", "0 * parameter.grad, step", "0 * gradient, step")
logs(
    "counts 1 numbers; the parameter has 35.",
    "parameter.grad.norm(), step",
    "tf.norm(gradient), step",
)
logs("has histograms at the steps 0, 0, 0; of 13", "parameter.grad", "gradient, 0")
# Clipped first: once more does nothing.
CLIPPED = (
    (EVERY, f"nn.utils.clip_grad_norm_(model.parameters(), 0.5)\n            {EVERY}"),
    (EVERY, f"gradients, _ = tf.clip_by_global_norm(gradients, 0.5)\n            {EVERY}"),
)
missing_view.brings(
    "of step 0 is that of the clipped gradient. `clip_grad_norm_` changes", pytorch=CLIPPED[0]
)
missing_view.brings(
    "of step 0 is that of the clipped gradient. `tf.clip_by_global_norm`", tensorflow=CLIPPED[1]
)
missing_view.brings(
    "is that of the update: without the learning rate and its sign",
    pytorch=(*CLIPPED[0], VIEW[0], "-0.1 * parameter.grad, step"),
    tensorflow=(*CLIPPED[1], VIEW[1], "-0.1 * gradient, step"),
)
for says, when, at in (
    ("of step 0 is that of the next step's gradient.", "if step % 5 == 1:", " - 1"),
    ("of step 5 is that of the gradient of the", "if step == 0 or step % 5 == 4:", " + (step > 0)"),
    ("steps 0, 1, 2, 3, 4, 5, ...; of 13 steps, every fifth from 0", "if True:", ""),
    ("has histograms at the steps 4, 9; of 13 steps", "if step % 5 == 4:", ""),
    ("There is no histogram in the event files.", "if step == 50:", ""),
):
    changes = ((EVERY, when, old, old + at) for old in VIEW)
    missing_view.brings(says, **dict(zip(("pytorch", "tensorflow"), changes, strict=True)))
missing_view.brings(
    "no histogram in the event files. Of another kind there are `gradient/0.bias`, `gradient/0.w",
    pytorch=("add_histogram", "add_scalar", VIEW[0], "parameter.grad.norm(), step"),
)
missing_view.brings(
    "in the event files. Of another kind there are `gradient/patient/logits/bias`, `gradient/pa",
    tensorflow=("summary.histogram", "summary.scalar", VIEW[1], "tf.norm(gradient), step"),
)
missing_view.brings(
    "The histogram `gradient/all` is one too many",
    pytorch=(VIEW[0], f"{VIEW[0]})\n                    writer.add_histogram('gradient/all', {VIEW[0]}"),
    tensorflow=(VIEW[1], f"{VIEW[1]})\n                    tf.summary.histogram('gradient/all', {VIEW[1]}"),
)  # fmt: skip
missing_view.brings(
    "There is no histogram `gradient/0.bias`; those there are `0.bias`, `0.weight`, `2.b",
    pytorch=("gradient/{name}", "{name}"),
)
missing_view.brings(
    "/bias`; those there are `gradient/patient/logits/kernel`, `gradient/patient/relu/kernel`.",
    tensorflow=("zip(variables, gradients, strict=True)", "list(zip(variables, gradients))[::2]"),
)
OTHERWISE = "The network is trained otherwise than before"
missing_view.brings(OTHERWISE, pytorch=("lr=0.1", "lr=0.2"), tensorflow=("SGD(0.1)", "SGD(0.2)"))
missing_view.brings(OTHERWISE, both="pass")
loss = missing_view.replacing(
    'writer.add_scalar("loss", loss.item()', 'tf.summary.scalar("loss", loss'
)
loss(
    "not hold all 13 losses.",
    "step and writer.add_scalar('loss', 1",
    "step and tf.summary.scalar('loss', 1",
)
loss(
    "The scalar `loss` is no longer what it was",
    "writer.add_scalar('loss', 2 * loss",
    "tf.summary.scalar('loss', 2 * loss",
)
OPEN = "All that you log has arrived, this time; but a writer is still open, and may"
missing_view.brings(OPEN, pytorch=("with Summ", "SummaryWriter(folder)\n    with Summ"))
missing_view.cannot("tensorflow", OPEN, why="its writers write at once, and have no thread")
missing_view.right(
    pytorch=("step)\n            nn", "step, bins='auto')\n            nn"),
    tensorflow=(VIEW[1], "gradient, step, buckets=7"),
)
missing_view.right(
    pytorch=(
        f"            {EVERY}  # before they are clipped, in place\n", "",
        "                for name, parameter in model.named_parameters():\n"
        f'                    writer.add_histogram(f"gradient/{{name}}", {VIEW[0]})\n',
        "            given = {name: p.grad.clone() for name, p in model.named_parameters()}\n",
        "optimizer.step()", "optimizer.step()\n            for name in given:\n"
        f"                {EVERY}\n"
        "                    writer.add_histogram('gradient/' + name, given[name].numpy(), step)",
    ),
    tensorflow=(EVERY, "with tf.summary.record_if(step % 5 == 0):"),
)  # fmt: skip


bug_hunt = Mistakes("bug_hunt")
FOLDERS = "All losses are in one folder, and TensorBoard takes a folder for a run"
for says, *change in (
    (FOLDERS, "folder / name", "folder"),
    (FOLDERS, "folder / name", "folder / 'runs'"),
    ("no run `deep`: log to `folder / name`. Runs: `l", "folder / name", "folder / 'loss' / name"),
    ("The steps of the run `deep` are 1, 2, 3, 4, 5, 6, ...", "e(losses)", "e(losses, start=1)"),
    ("The run `deep` holds 5 losses of 33. Is the writer", "e(losses)", "e(losses[:5])"),
    ("The event files hold no scalar `loss`. Is the writer", '"loss", loss', '"losses", loss'),
    ("holds other losses than those it was given.", '"loss", loss', '"loss", round(loss, 2)'),
    ("`digits` is in the run `wide`; log `digits`", 'folder / "images"', "folder / 'wide'"),
    ("`digits` is in `folder` itself; log `digits`", 'folder / "images"', "folder"),
    ("`digit` is in the run `images`; log `digits`", '"digits"', '"digit"'),
    ("The brightest pixel is white, whatever it is", " / 16", " / images.max()"),
    ("other pixels than the images", " / 16", " / 20"),
    ("Every pixel above 0 is white: floats", " / 16", ""),
    ("The picture is almost black: whole", " / 16", ".astype(np.uint8)"),
):
    bug_hunt.brings(says, both=tuple(change))
PICTURES = "images[:, None] / 16", "images[..., None] / 16"
draws = bug_hunt.replacing(*PICTURES)
draws("White and black have changed places", *(f"1 - {each}" for each in PICTURES))
turned = "images.transpose(0, 2, 1)"
draws("Rows and columns have changed places.", *(turned + each[6:] for each in PICTURES))
draws("`digits` holds 1 of 8 x 40 pixels; it must hold 1 of 8 x 56", "images[:5, None] / 16", None)
draws("with 3 channels` in line 8 of its cell, `writer.add_images(", PICTURES[1], None)
draws("(7, 8, 8)` in line 12 of its cell, `tf.summary.image(", None, "images / 16")
bug_hunt.brings(
    "`digits` holds 3 of 8 x 8 pixels; it must hold 7 of 8 x 8: `tf.summary.image` keeps `max_out",
    tensorflow=("len(images)", "3"),
)
bug_hunt.brings(
    "All 33 losses of the run `deep` are at step 0. `add_scalar`", pytorch=("loss, step", "loss")
)
bug_hunt.brings(
    "All 33 losses of the run `deep` are at step 0. A step", tensorflow=("loss, step", "loss, 0")
)
bug_hunt.brings(
    "`digits` is at step 1; it", pytorch=("16, 0)", "16, 1)"), tensorflow=("step=0", "step=1")
)
draw = bug_hunt.replacing("writer.add_images(", "tf.summary.image(")
draw("The event files hold no image. Is", "0 and writer.add_images(", "0 and tf.summary.image(")
draw(
    "`digits` is logged 2 times; log the batch once",
    "for _ in range(2): writer.add_images(",
    "for _ in range(2): tf.summary.image(",
)
bug_hunt.brings(OPEN, pytorch=("for name, l", "SummaryWriter(folder)\n    for name, l"))
bug_hunt.right(
    pytorch=(PICTURES[0] + ", 0", f"{PICTURES[1]}, 0, dataformats='NHWC'"),
    tensorflow=(PICTURES[1], "(images[..., None] * 255 / 16).astype(np.uint8)"),
)
bug_hunt.right(
    pytorch=(PICTURES[0], "torch.from_numpy((images * 15.9375).round().astype(np.uint8))[:, None]"),
    tensorflow=(
        "with writer.as_default():\n            for step, loss in enumerate(losses):\n",
        "for step, loss in enumerate(losses):\n            with writer.as_default(step):\n",
        "loss, step", "loss",
    ),
)  # fmt: skip


panel = Mistakes("panel")
VALUE, ERROR = 'float("nan") if y is None else y', "float(np.float32(value))"
LARGEST, BACK = "largest = max(largest, error)", "list(points), ["
FINE = "Where values need float64: The largest error is "
for says, *change in (
    ("The event files hold no scalar.", '["data"]:', '["data"][:0]:'),
    ("The tags are `loss/test`, `loss/train`; the", 'line["name"], v', '"loss/" + line["name"], v'),
    ("`test` has 4 steps and 4 values of 5. A gap, `null`", "        if x", "        if y is None:\n"
     "                    continue\n                if x"),
    ("`test` is NaN elsewhere than the line has a gap", VALUE, "y or 0.0"),
    ("`train` is NaN elsewhere than the line has a gap", VALUE, "y or float('nan')"),
    ("`train` has other values than the line.", VALUE, 'float("nan") if y is None else round(y, 1)'),
    ("`train` is at steps counted from 0: take", 'zip(line["x"],', "zip(range(len(line['y'])),"),
    ("`train` is at other steps than its x.", "value, int(x)", "value, int(x) + 1"),
    ("The result is None; it must be one number", "return largest", "return None"),
    ("The result is [0.0]; it must be one number", "return largest", "return [largest]"),
    ("The largest error is NaN: leave gaps out", "return largest", "return float('nan')"),
    ("is not 0, although float32 holds these values", "return largest", "return largest + 1e-9"),
    (FINE + "0: compare with the float32 that", ERROR, "value"),
    (FINE + "0: compare with the float32 that", "abs(value - " + ERROR, "abs(np.float32(value) - y"
     " if y else 0"),
    (FINE + "a sum: the", LARGEST, "largest += 0 if y is None else error"),
    (FINE + "a mean: the", LARGEST, "largest += 0 if y is None else error / 8"),
    (FINE + "relative: the difference itself", LARGEST, "largest = max(largest, error / (y or 1))"),
    ("raise a `ValueError` there; yours raises `AssertionError`.", "if x", "assert x == int(x)\n"
     "                if x"),
    ("which is no step: an event's step is a whole number. Raise", "if x != int(x):", "if False:"),
    ("Back: the result is a `list`; it must be a dict", "return lines", "return [lines]"),
    ("Back: `test` must be a pair: its steps, and its values.", "return lines",
     "return dict.fromkeys(lines)"),
    ("Back: The tags are `('scalar', 'test')`, `('scalar', 'train')`; the", "[tag]", "[kind, tag]"),
    ("Back: `train` has 1 steps and 9 values of 9.", BACK, "list(points)[:1], ["),
    ("Back: `train` is at steps counted from 0", BACK, "list(range(len(points))), ["),
    ("Back: `test` is NaN elsewhere than", "[float(value)", "[np.nan_to_num(value)"),
    ("Back: `train` has other values than the line.", "[float(value)", "[round(float(value), 1)"),
):  # fmt: skip
    panel.brings(says, both=tuple(change))
panel.right(both=("if x != int(x):", "if not x.is_integer():", BACK, "np.array(list(points)), ["))
panel.right(
    both=("return largest", "held = [[np.nan if y is None else y for y in line['y']]\n"
          "            for line in json.loads(window)['content']['data']]\n"
          "    held = np.concatenate(held)\n"
          "    return np.nanmax(abs(held - held.astype(np.float32)))")
)  # fmt: skip


examine = Mistakes("examine")
CHART = "lesson_06.patients.Chart(patient, [step])"


def logged(illness: str, quantity: str, rarely: bool = True) -> tuple[str, ...]:
    """The change that logs another quantity; `chart` is the patient's, at this step."""
    old = f'signs["{illness}"], '
    new = f"{old}{quantity.replace('chart', CHART)} if True else "
    return (old, new, "step % 5", "step % 12") if rarely else (old, new)


for illness, says in {
    "learning rate too high": {
        "is the loss on the test images: begin with": "test_loss",
        "is the norm of the gradients, which other": "norm",
        "is an accuracy, which hides how far the": "chart.train.accuracy[0]",
        "is the accuracy on the test images: log a": "chart.test.accuracy[0]",
        "is not a loss of this patient: log the loss of the batch, or": "0.03",
    },
    "overfitting": {
        "is the loss of the batch, which says nothing of other images.": "loss",
        "is the loss on the training images, which says nothing": "chart.train.loss[0]",
        "is an accuracy: it stays where it is while": "chart.test.accuracy[0]",
        "is the accuracy on the training images, which": "chart.train.accuracy[0]",
        "is a sum over the test images: log their mean.": "360 * test_loss",
        "is not the loss on the test images, the mean cross-": "loss - test_loss",
    },
    "dead units": {
        "is the share of zeros: a healthy unit of ReLU is 0 for about half": "chart.test.zeros[0]",
        "is the share of zeros: a healthy unit of ReLU is 0 for": "chart.train.zeros[0]",
        "is the share of the units that are alive: log": "1 - chart.test.dead[0]",
        "is the number of the units that are alive: log": "32 * (1 - chart.test.dead[0])",
        "is 0 throughout: look at what comes out of ReLU": "0",
        "is not the share of ReLU's units that are 0 for every": "0.5 + chart.test.dead[0]",
    },
    "exploding gradients": {
        "is upside down: what explodes is the first": "1 / chart.growth()[0]",
        "is the square of the norm: take its root.": "norm**2",
        "is the sum of the norms of all: for the norm": "chart.norms.sum()",
        "is the gradient of the last layer alone, where": "chart.norms[0, -2]",
        "is the gradient of the last biases alone, where": "chart.norms[0, -1]",
        "is not the norm of the gradients, the root of the sum": "norm / 20",
    },
    "leak": {
        "is 0 for a patient with a leak: look for each": "0",
        "counts the images that are *not* among the": "360 - leaked",
        "compares pixels, not images.": "np.isin(patient.X_test, patient.X_train).sum()",
        "counts every test image. Compare images, not": "np.isin(patient.y_test, range(10)).sum()",
        "is not the number of test images that are among the training": "7",
    },
}.items():
    for sentence, quantity in says.items():
        change = logged(illness, quantity)
        # What NumPy makes is the same in both halves, and dearer in TensorFlow's.
        own = "chart" not in quantity and any(name in quantity for name in ("loss", "norm"))
        other = change if own else None
        examine.brings(f"the sign of {illness}, {sentence}", pytorch=change, tensorflow=other)
for half in ("pytorch", "tensorflow"):
    why = "0 for most patients; test_patients.py looks for the others"
    examine.cannot(half, "counts only the images at the same place", why=why)
RATE, FOLLOW = 'signs["learning rate too high"], loss, ', " follow the training from step 0 to its"
for says, change in {
    "`loss/train` has 8 points, from step 0 to 175:" + FOLLOW: ("step % 5", "step % 25"),
    "`loss/train` has 21 points, from step 0 to 100:" + FOLLOW: (EVERY, "if step % 5 == 0 and step < 101:"),
    "`loss/train` has more than one point at step 0.": (RATE, RATE + "0 * "),
    "`loss/train` has a point at step 205; there are 200": (RATE, RATE + "10 * (step > 190) + "),
    "no scalar `units/dead`, the sign of dead units; they hold `dead`, `gradient/norm`, `loss/test": (
        'signs["dead units"]', "'dead'"
    ),
    "Your function never trains: loop over `patient": ("patient.train()", "[]"),
}.items():  # fmt: skip
    examine.brings(says, both=change)
SIGNS = {
    "learning rate too high": "loss/train",
    "overfitting": "loss/test",
    "dead units": "units/dead",
    "exploding gradients": "gradient/norm",
    "leak": "test images/leaked",
}
for says, signs in {
    "`signs` is None; it must be a dict: the tag for each illness.": None,
    "`signs` is 'loss/train'; it must be a dict": "loss/train",
    '`signs["learning rate too high"]` must be the tag of a scalar; it is None.': {},
    '`signs["leak"]` must be the tag of a scalar; it is 3.': SIGNS | {"leak": 3},
    "Two illnesses have the same tag in `signs`": SIGNS | {"overfitting": "loss/train"},
    "`loss/test`, the sign of learning rate too high, is the loss on the test images": (
        SIGNS | {"learning rate too high": "loss/test", "overfitting": "loss/train"}
    ),
}.items():
    examine.brings(says, both={"signs": signs})
for exploding, dead in (
    ("chart.growth()[0]", "32 * chart.test.dead[0]"),
    ("chart.norms.max()", "chart.train.dead[0]"),
    ("chart.norms[0, 0]", "32 * chart.train.dead[0]"),
    ("np.log10(chart.norm()[0])", "chart.test.dead[0]"),
):
    examine.right(
        both=logged("exploding gradients", exploding)
        + logged("dead units", dead, rarely=False)
        + logged("overfitting", "test_loss - loss", rarely=False)
        + logged("leak", "leaked / 360", rarely=False)
    )


doctor = Mistakes("doctor")
WARD = dict(zip("ABCDEF", ("overfitting", "learning rate too high", "leak", "healthy",
                           "dead units", "exploding gradients"), strict=True))  # fmt: skip


def says(sentence: str, diagnoses=WARD, then: str = "") -> None:
    """Give other diagnoses, or another ward, folder or signs in the lines that come last."""
    doctor.brings(sentence, both=f"folder = folder / 'ward'\ndiagnoses = {diagnoses!r}\n{then}")


says("must be a dict with the keys `A`, `B`, `C`, `D`, `E`, `F`.", "healthy")
says("must be a dict with the keys `A`, `B`, `C`, `D`, `E`, `F`.", {"A": "healthy"})
says("`healthy` is given to 6 patients; each is given to one.", dict.fromkeys(WARD, "healthy"))
says("`B` is 'influenza'; choose among `dead units`, `expl", WARD | {"B": "influenza"})
says("`C` is None; choose among `dead units`, `expl", WARD | {"C": None})
says("`ward` is None; take that of `lesson_06.ward`.", then="ward = None")
says("`ward` is a `dict`; take that of `lesson_06.ward`.", then="ward = diagnoses")
EVIDENCE = "The evidence of patient A does not hold: "
says(EVIDENCE + "The event files hold no scalar `loss/train`, the sign of learning rate too high; "
     "they hold none. Is the writer", then="folder = folder / 'nobody'")  # fmt: skip
says("of this patient: log the loss of the batch, or of all training images. Solve `examine`, and "
     "examine all patients anew.", then="ward = ward | {'A': ward['B']}")  # fmt: skip
doctor.brings(
    "Patient A has not been examined: run the cell that does it.",
    pytorch="ward = lesson_06.ward('pytorch', 5)\ndiagnoses = " + repr(WARD),
    tensorflow="ward = lesson_06.ward('tensorflow', 5)\ndiagnoses = " + repr(WARD),
)
for mine, other, sentence in (
    ("A", "D", "it is not healthy: one of its signs is far from those of other patients."),
    ("A", "B", "its training loss, `loss/train`, falls: the learning rate suits it."),
    ("E", "B", "look at `units/dead` at step 0, where the learning rate was not used yet."),
    ("F", "B", "look at `gradient/norm` at step 0, where the learning rate was not used yet."),
    ("C", "A", "look at `loss/test` beside the training loss. Overfitting is a test loss that"),
    ("D", "E", "`units/dead` stays low: its units are alive."),
    ("B", "E", "at step 0 `units/dead` is low: something kills its units later."),
    ("F", "E", "at step 0 `units/dead` is low: something kills its units later."),
    ("E", "F", "at step 0 `gradient/norm` is of ordinary size. What grows later, the updates"),
    ("D", "C", "`test images/leaked` is 0: none of its test images is among its training"),
):
    swapped = WARD | {mine: WARD[other], other: WARD[mine]}
    # The first whose diagnosis is wrong is spoken of.
    order = "ward = dict(reversed(ward.items()))" if mine > other else ""
    says(f"Patient {mine}: {sentence}", swapped, order)
for half in ("pytorch", "tensorflow"):
    parts = ("TensorBoard shows no", "with the tag", "in the run")
    Mistakes.cannot(doctor, half, *parts, why="`shown` says it, to who runs the notebook")
