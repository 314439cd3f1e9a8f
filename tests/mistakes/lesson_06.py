"""Lesson 06, visualising: wrong answers to its exercise, and other right ones."""

from paired.checks.lesson_06_patients import ILLNESSES

from mistakes import HALVES, Mistakes

EVERY = "if step % 5 == 0:"

missing_view = Mistakes("missing_view")
VIEW = "parameter.grad, step", "gradient, step"
logs = missing_view.replacing(*VIEW)
logs("is not that of the gradient: look at its", "2 * parameter.grad, step", "2 * gradient, step")
logs("is that of the parameter itself, not of", "parameter, step", "variable, step")
logs("magnitudes: its sign is lost.", "parameter.grad.abs(), step", "abs(gradient), step")
logs("holds zeros: the gradient has been", "0 * parameter.grad, step", "0 * gradient, step")
logs("1 numbers; the parameter has 35.", "parameter.grad.norm(), step", "tf.norm(gradient), step")
logs("has histograms at the steps 0, 0, 0; of 13", "parameter.grad", "gradient, 0")
for says, when, at in (
    ("of step 0 is that of the next step's gradient.", "if step % 5 == 1:", " - 1"),
    ("of step 5 is that of the gradient of the", "if step == 0 or step % 5 == 4:", " + (step > 0)"),
    ("steps 0, 1, 2, 3, 4, 5, ...; of 13 steps, every fifth from 0", "if True:", ""),
    ("has histograms at the steps 4, 9; of 13 steps", "if step % 5 == 4:", ""),
    ("There is no histogram in the event files. Of another kind there are: none.", "if False:", ""),
):
    pytorch, tensorflow = ((EVERY, when, old, old + at) for old in VIEW)
    missing_view.brings(says, pytorch=pytorch, tensorflow=tensorflow)
# Clipped first: once more does nothing.
CLIPPED = (
    (EVERY, f"nn.utils.clip_grad_norm_(model.parameters(), 0.5)\n            {EVERY}"),
    (EVERY, f"gradients, _ = tf.clip_by_global_norm(gradients, 0.5)\n            {EVERY}"),
)
says = "of step 0 is that of the clipped gradient. `"
missing_view.brings(says + "clip_grad_norm_` changes the gradients", pytorch=CLIPPED[0])
missing_view.brings(says + "tf.clip_by_global_norm` returns", tensorflow=CLIPPED[1])
missing_view.brings(
    "is that of the update: without the learning rate and its sign",
    pytorch=(*CLIPPED[0], VIEW[0], "-0.1 * parameter.grad, step"),
    tensorflow=(*CLIPPED[1], VIEW[1], "-0.1 * gradient, step"),
)
missing_view.brings(
    "no histogram in the event files. Of another kind there are: `gradient/",
    pytorch=("add_histogram", "add_scalar", VIEW[0], "parameter.grad.norm(), step"),
    tensorflow=("summary.histogram", "summary.scalar", VIEW[1], "tf.norm(gradient), step"),
)
missing_view.brings(
    "The histogram `gradient/all` is one too many",
    pytorch=("loss.backward()", "loss.backward(); writer.add_histogram('gradient/all', loss, 0)"),
    tensorflow=(EVERY, f"tf.summary.histogram('gradient/all', loss, 0)\n            {EVERY}"),
)
missing_view.brings(
    "There is no histogram `gradient/0.bias`; those there are `0.bias`, `0.weight`, `2.b",
    pytorch=("gradient/{name}", "{name}"),
)
missing_view.brings(
    "/bias`; those there are `gradient/patient/logits/kernel`, `gradient/patient/relu/kernel`.",
    tensorflow=("zip(variables, gradients, strict=True)", "list(zip(variables, gradients))[::2]"),
)
says = "The network is trained otherwise than before"
missing_view.brings(says, pytorch=("lr=0.1", "lr=0.2"), tensorflow=("SGD(0.1)", "SGD(0.2)"))
missing_view.brings(says, both="pass")
for says, when, value in (
    ("not hold all 13 losses. Is the writer closed?", "step and ", "loss"),
    ("The scalar `loss` is no longer what it was", "", "2 * loss"),
):
    missing_view.brings(
        says,
        pytorch=('writer.add_scalar("loss", loss', f'{when}writer.add_scalar("loss", {value}'),
        tensorflow=('tf.summary.scalar("loss", loss', f'{when}tf.summary.scalar("loss", {value}'),
    )
OPEN = "All that you log has arrived, this time; but a writer is still open, and may"
missing_view.brings(OPEN, pytorch=("with Summ", "SummaryWriter(folder)\n    with Summ"))
missing_view.cannot("tensorflow", OPEN, why="its writers write at once, and have no thread")
missing_view.right(
    pytorch=("step)\n            nn", "step, bins='auto')\n            nn"),
    tensorflow=(VIEW[1], "gradient, step, buckets=7"),
)
missing_view.right(
    pytorch="""
        writer = SummaryWriter(folder)
        for step, (X, y) in enumerate(batches):
            loss = F.cross_entropy(model(X), y)
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            for (name, parameter), gradient in zip(model.named_parameters(), gradients):
                parameter.grad = gradient.clone()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            for (name, _), gradient in zip(model.named_parameters(), gradients):
                if not step % 5:
                    writer.add_histogram("gradient/" + name, gradient.numpy(), step)
            writer.add_scalar("loss", loss, step)
        writer.close()""",
    tensorflow=(EVERY, "with tf.summary.record_if(step % 5 == 0):"),
)


bug_hunt = Mistakes("bug_hunt")
FOLDERS = "All losses are in one folder, and TensorBoard takes a folder for a run"
for says, *change in (
    (FOLDERS, "folder / name", "folder"),
    (FOLDERS, "folder / name", "folder / 'runs'"),
    ("no run `deep`: log to `folder / name`. Runs: `l", "folder / name", "folder / 'loss' / name"),
    ("The steps of the run `deep` are 1, 2, 3, 4, 5, 6, ...", "e(losses)", "e(losses, start=1)"),
    ("The run `deep` holds 5 losses of 33. Is the writer", "e(losses)", "e(losses[:5])"),
    ("The losses in `all` are too many: each run has", "runs.items", "(runs | {'all': [1]}).items"),
    ("The event files hold no scalar `loss`. Is the writer", '"loss", loss', '"losses", loss'),
    ("holds other losses than those it was given.", '"loss", loss', '"loss", round(loss, 2)'),
    ("`digits` is in the run `wide`; log `digits`", 'folder / "images"', "folder / 'wide'"),
    ("`digits` is in `folder` itself; log `digits`", 'folder / "images"', "folder"),
    ("`digit` is in the run `images`; log `digits`", '"digits"', '"digit"'),
    ("The brightest pixel is white, whatever it is", " / 16", " / images.max()"),
    ("other pixels than the images", " / 16", " / 20"),
    ("Every pixel above 0 is white: floats", " / 16", ""),
    ("The picture is almost black: in whole", " / 16", ".astype(np.uint8)"),
):
    bug_hunt.brings(says, both=tuple(change))
PICTURES = "images[:, None] / 16", "images[..., None] / 16"
draws = bug_hunt.replacing(*PICTURES)
draws("White and black have changed places", *(f"1 - {each}" for each in PICTURES))
turned = (each.replace("images", "images.transpose(0, 2, 1)") for each in PICTURES)
draws("Rows and columns have changed places.", *turned)
draws("`digits` holds 1 of 8 x 40 pixels; it must hold 1 of 8 x 56", "images[:5, None] / 16", None)
draws("with 3 channels` in line 8 of its cell, `writer.add_images(", PICTURES[1], None)
draws("(7, 8, 8)` in line 12 of its cell, `tf.summary.image(", None, "images / 16")
for says, *changes in (
    ("`digits` is at step 1; it must", ("16, 0)", "16, 1)"), ("step=0", "step=1")),
    ("`digits` holds 3 of 8 x 8 pixels; it must hold 7 of 8 x 8", None, ("len(images)", "3")),
    ("All 33 losses of the run `deep` are at step 0. `add_", ("loss, step", "loss"), None),
    ("All 33 losses of the run `deep` are at step 0. A s", None, ("loss, step", "loss, 0")),
    (OPEN, ("for name, l", "SummaryWriter(folder)\n    for name, l"), None),
):
    bug_hunt.brings(says, pytorch=changes[0], tensorflow=changes[1])
DRAW = "writer.add_images(", "tf.summary.image("
draw = bug_hunt.replacing(*DRAW)
draw("The event files hold no image. Is the", *("0 and " + each for each in DRAW))
draw("`digits` is logged 2 times; log the", *("for _ in range(2): " + each for each in DRAW))
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
POINT, VALUE = "                if x != int(x):", 'float("nan") if y is None else y'
ERROR, LARGEST = "float(np.float32(value))", "largest = max(largest, error)"
FINE = "Where values need float64: The largest error is "
for says, *change in (
    ("The event files hold no scalar.", '["data"]:', '["data"][:0]:'),
    ("The tags are `loss/test`, `loss/train`; the", 'line["name"], v', '"loss/" + line["name"], v'),
    ("`test` has 4 steps and 4 values of 5. A gap, `null`", POINT,
     "                if y is None:\n                    continue\n" + POINT),
    ("`test` is NaN elsewhere than the line has a gap", VALUE, "y or 0.0"),
    ("`train` is NaN elsewhere than the line has a gap", VALUE, "y or float('nan')"),
    ("`train` has other values than the line.", VALUE, "float('nan') if y is None else y // 1"),
    ("`train` is at steps counted from 0: take", 'zip(line["x"],', "zip(range(len(line['y'])),"),
    ("`train` is at other steps than the line.", "value, int(x)", "value, int(x) + 1"),
    ("The result is None; it must be one number", "return largest", "return None"),
    ("The result is [0.0]; it must be one number", "return largest", "return [largest]"),
    ("The largest error is NaN: leave gaps out", "return largest", "return float('nan')"),
    ("is not 0, although float32 holds these values", "return largest", "return largest + 1e-9"),
    (FINE + "0: compare with the float32 that", ERROR, "value"),
    (FINE + "0: compare with", f"value - {ERROR}", "np.float32(value) - y if y else 0"),
    (FINE + "a sum: the", LARGEST, "largest += 0 if y is None else error"),
    (FINE + "a mean: the", LARGEST, "largest += 0 if y is None else error / 45"),
    (FINE + "relative: the difference itself", LARGEST, "largest = max(largest, error / (y or 1))"),
    (FINE + "that of the last line alone", '["data"]:', '["data"]:\n            largest = 0.0'),
    (FINE + "the largest of y - float32(y), which", "abs(value -", "(value -"),
    (FINE + "the largest of float32(y) - y, which", "abs(value -", "-(value -"),
    ("raise a `ValueError` there; yours raises `AssertionError`.", POINT,
     "                assert x == int(x)\n" + POINT),
    ("which is no step: an event's step is a whole number. Raise", "if x != int(x):", "if False:"),
    ("Back: the result is a `list`; it must be a dict", "return lines", "return [lines]"),
    ("Back: `train` must be a pair: its", "return lines", "return dict.fromkeys(lines)"),
    ("Back: The tags are `('scalar', 'test')`, `('scalar', 'train')`; the", "[tag]", "[kind, tag]"),
    ("Back: `train` has 1 steps and 9 values of 9.", "list(points)", "list(points)[:1]"),
    ("Back: `train` is at steps counted from 0", "list(points)", "list(range(len(points)))"),
    ("Back: `test` is NaN elsewhere than", "[float(value)", "[np.nan_to_num(value)"),
    ("Back: `train` has other values than the line.", "[float(value)", "[float(value) // 1"),
):  # fmt: skip
    panel.brings(says, both=tuple(change))
panel.right(
    both=("if x != int(x):", "if not x.is_integer():", "list(points)", "np.array([*points])")
)
panel.right(both=(
    "return largest", "lines = json.loads(window)['content']['data']\n"
    "    held = np.array(sum((line['y'] for line in lines), []), float)\n"
    "    return np.nanmax(abs(held - held.astype(np.float32)))",
))  # fmt: skip


examine = Mistakes("examine")
RATE, OVERFITTING, DEAD, EXPLODING, LEAK = ILLNESSES[1:]


def logged(illness: str, quantity: str) -> tuple[str, ...]:
    """The change that logs another quantity as the sign of an illness."""
    old = f'signs["{illness}"],'
    return old, f"{old} {quantity} if True else"


RARELY = "step % 5", "step % 12"
DEAD_ONES = "(np.asarray(units) == 0).all(axis=0)"
# tests/test_patients.py has every quantity that the check knows. Of these, which the frameworks
# make, TensorFlow's half has every second: it takes three times as long.
for number, (illness, says, quantity) in enumerate((
    (RATE, "is the loss on the test images: begin", "test_loss"),
    (RATE, "is the norm of the gradients, which", "norm"),
    (OVERFITTING, "is the loss of the batch, which says", "loss"),
    (OVERFITTING, "is a sum over the test images", "360 * test_loss"),
    (OVERFITTING, "is not the loss on the test images", "loss - test_loss"),
    (DEAD, "is the share of zeros: a healthy", "np.mean(np.asarray(units) == 0)"),
    (DEAD, "is the share of the units that are", f"1 - np.mean({DEAD_ONES})"),
    (DEAD, "is not the share of ReLU's units", f"0.5 + np.mean({DEAD_ONES})"),
    (EXPLODING, "is the square of the norm: take its", "norm**2"),
    (EXPLODING, "is not the norm of the gradients", "norm / 20"),
    (LEAK, "is 0 for a patient with a leak: look for each", "0"),
    (LEAK, "counts the images that are *not* among", "360 - leaked"),
)):  # fmt: skip
    change = logged(illness, quantity) + RARELY
    other = None if number % 2 else change
    examine.brings(f"the sign of {illness}, {says}", pytorch=change, tensorflow=other)
first, last = (f"np.linalg.norm(list(gradients.values())[{number}])" for number in (0, -2))
for exploding, dead, leaked in (
    (f"{first} / {last}", "np.sum", "leaked / 360"),
    (first, "np.mean", "leaked / len(patient.X_train)"),
):
    examine.right(
        both=logged(EXPLODING, exploding)
        + logged(DEAD, f"{dead}({DEAD_ONES})")
        + logged(OVERFITTING, "test_loss - loss")
        + logged(LEAK, leaked)
        + RARELY
    )
STEP = f'signs["{RATE}"], loss, '
FOLLOW = ": follow the training from step 0 to its"
for says, *change in (
    ("`loss/train` has 8 points, from step 0 to 175" + FOLLOW, "step % 5", "step % 25"),
    ("21 points, from step 0 to 100" + FOLLOW, EVERY, "if step % 5 == 0 and step < 101:"),
    ("`loss/train` has more than one point at step 0.", STEP, STEP + "0 * "),
    ("has a point at step 202; there are 200 steps", STEP, STEP + "10 * (step > 190) + "),
    ("no scalar `units/dead`, the sign of dead units; they hold `dead`, `gradient/norm`, `loss/te",
     f'signs["{DEAD}"]', "'dead'"),
    ("Your function never trains: loop over `patient", "patient.train()", "[]"),
):  # fmt: skip
    examine.brings(says, both=tuple(change) + (RARELY if change[0] == STEP else ()))
TAGS = dict(zip(ILLNESSES[1:], ("loss/train", "loss/test", "dead", "norm", "leaked"), strict=True))
for says, signs in (
    ("`signs` is None; it must be a dict: the tag for each illness.", None),
    ('`signs["learning rate too high"]` must be the tag of a scalar; it is None.', {}),
    ('`signs["leak"]` must be the tag of a scalar; it is 3.', TAGS | {LEAK: 3}),
    ("Two illnesses have the same tag in `signs`", TAGS | {OVERFITTING: "loss/train"}),
    ("`loss/test`, the sign of learning rate too high, is the loss on the test images",
     TAGS | {RATE: "loss/test", OVERFITTING: "loss/train"}),
):  # fmt: skip
    examine.brings(says, both={"signs": signs})


doctor = Mistakes("doctor")
WARD = dict(zip("ABCDEF", (OVERFITTING, RATE, LEAK, "healthy", DEAD, EXPLODING), strict=True))


def judged(sentence: str, diagnoses=WARD, then: str = "") -> None:
    """Add other diagnoses, or another ward or folder, which code makes that comes after them."""
    doctor.brings(sentence, both=f"folder = folder / 'ward'\ndiagnoses = {diagnoses!r}\n{then}")


judged("must be a dict with the keys `A`, `B`, `C`, `D`, `E`, `F`.", {"A": "healthy"})
judged("`healthy` is given to 6 patients; each is given to one.", dict.fromkeys(WARD, "healthy"))
judged("`B` is 'influenza'; choose among `dead units`, `expl", WARD | {"B": "influenza"})
judged("`ward` is None; take that of `lesson_06.ward`.", then="ward = None")
judged("of patient A does not hold: The event files hold no scalar `loss/train`, the sign of "
       "learning rate too high; they hold none.", then="folder = folder / 'nobody'")  # fmt: skip
judged("of this patient: log the loss of the batch, or of all training images. Solve `examine`, "
       "and examine all patients anew.", then="ward = ward | {'A': ward['B']}")  # fmt: skip
for half in HALVES:
    fresh = f"ward = lesson_06.ward({half!r}, 5)\ndiagnoses = {WARD}"
    doctor.brings("Patient A has not been examined: run the cell", **{half: fresh})
for mine, other, says in (
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
    judged(f"Patient {mine}: {says}", swapped, order)
for half in HALVES:
    why = "`shown` says it, to who runs the notebook"
    doctor.cannot(half, "TensorBoard shows no", "with the tag", why=why)
