"""Lesson 06, visualising: wrong answers to its exercise, and other right ones."""

from paired.checks.lesson_06_patients import ILLNESSES

from mistakes import HALVES, Mistakes

EVERY = "if step % 5 == 0:"

missing_view = Mistakes("missing_view")
VIEW = "parameter.grad, step", "gradient, step"
logs = missing_view.replacing(*VIEW)
logs("is not that of the gradient: look at its", "2 * parameter.grad, step", "2 * gradient, step")
logs("is that of the parameter itself, not of", "parameter, step", "w, step")
logs("magnitudes: its sign is lost.", "parameter.grad.abs(), step", "abs(gradient), step")
logs("holds zeros: the gradient has been", "0 * parameter.grad, step", "0 * gradient, step")
logs("1 numbers; the parameter has 35.", "parameter.grad.norm(), step", "tf.norm(gradient), step")
logs("has histograms at the steps 0, 0, 0, 0, 0; of 23", "parameter.grad", "gradient, 0")
for says, when, at in (
    ("of step 0 is that of the next step's gradient.", "if step % 5 == 1:", " - 1"),
    ("of step 5 is that of another step's", "if step == 0 or step % 5 == 4:", " + (step > 0)"),
    ("steps 0, 1, 2, 3, 4, 5, ...; of 23 steps, every fifth from 0", "if True:", ""),
    ("has histograms at the steps 4, 9, 14, 19; of 23", "if step % 5 == 4:", ""),
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
    "is that of the update: a gradient has no learning rate",
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
    ("not hold all 23 losses.", "step and ", "loss"),
    ("The scalar `loss` is no longer what it was", "", "2 * loss"),
):
    missing_view.brings(
        says,
        pytorch=('writer.add_scalar("loss", loss', f'{when}writer.add_scalar("loss", {value}'),
        tensorflow=('tf.summary.scalar("loss", loss', f'{when}tf.summary.scalar("loss", {value}'),
    )
OPEN = " A writer is still open. What is not flushed"
THIS_TIME = "All that you log has arrived, this time."
missing_view.brings(
    f"not hold all 23 losses.{OPEN}",
    pytorch=("with Summ", "SummaryWriter(folder)\n    with Summ", '"loss", loss', '"lost", loss'),
)
why = "its writers write when they go, and nobody knows which are there"
missing_view.cannot("tensorflow", THIS_TIME, OPEN[1:], why=why)
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
    ("The steps of the run `deep` are 1, 2, 3, 4, 5, 6,", "e(losses)", "e(losses, start=1)"),
    ("The run `deep` holds 5 losses of ", "e(losses)", "e(losses[:5])"),
    ("The losses in `all` are too many: each run has", "runs.items", "(runs | {'all': [1]}).items"),
    ("The event files hold no scalar `loss`.", '"loss", loss', '"losses", loss'),
    ("holds other losses than those it was given.", '"loss", loss', '"loss", round(loss, 2)'),
    ("`digits` is in the run `wide`; log `digits`", 'folder / "images"', "folder / 'wide'"),
    ("`digits` is in `folder` itself; log `digits`", 'folder / "images"', "folder"),
    ("`digit` is in the run `images`; log `digits`", '"digits"', '"digit"'),
    ("The brightest pixel is white, whatever it is", " / 16", " / images.max()"),
    ("other pixels than the images", " / 16", " / 20"),
    ("Every pixel above 0 is white: floats", " / 16", ""),
    ("The picture is almost black: in whole", " / 16", ".astype(np.uint8)"),
    ("What is white in the images is black", " / 16", ".astype(np.uint8) * np.uint8(16)"),
):
    bug_hunt.brings(says, both=tuple(change))
PICTURES = "images[:, None] / 16", "images[..., None] / 16"
draws = bug_hunt.replacing(*PICTURES)
draws("White and black have changed places", *(f"1 - {each}" for each in PICTURES))
turned = (each.replace("images", "images.transpose(0, 2, 1)") for each in PICTURES)
draws("Rows and columns have changed places.", *turned)
draws(" pixels; it must hold 1 of 8 x ", "images[1:, None] / 16", None)
draws("with 3 channels` in line 13 of its cell, `writer.add_images(", PICTURES[1], None)
draws(", 8, 8)` in line 16 of its cell, `tf.summary.image(", None, "images / 16")
for says, *changes in (
    ("`digits` is at step 1; it must", ("16, 0)", "16, 1)"), ("step=0", "step=1")),
    ("`digits` holds 3 of 8 x 8 pixels; it must hold ", None, ("len(images)", "3")),
    (" losses of the run `deep` are at step 0. `add_", ("loss, step", "loss"), None),
    (" losses of the run `deep` are at step 0. A s", None, ("loss, step", "loss, 0")),
    (THIS_TIME + OPEN, ("for name, l", "SummaryWriter(folder)\n    for name, l"), None),
):
    bug_hunt.brings(says, pytorch=changes[0], tensorflow=changes[1])
DRAW = "writer.add_images(", "tf.summary.image("
draw = bug_hunt.replacing(*DRAW)
draw("The event files hold no image.", *("0 and " + each for each in DRAW))
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


examine = Mistakes("examine")
RATE, OVERFITTING, DEAD, EXPLODING, LEAK = ILLNESSES[1:]


def logged(illness: str, quantity: str) -> tuple[str, ...]:
    """The change that logs another quantity as the sign of an illness."""
    old = f'"{illness}",'
    return old, f"{old} {quantity} if True else"


first, last = (f"np.linalg.norm(list(gradients.values())[{number}])" for number in (0, -2))
norms = "np.array([np.linalg.norm(g) for g in gradients.values()])"
SEEN = (
    "lesson_06.patients.cross_entropy(np.asarray(inside(patient.model, patient.X_train)[1]), "
    "np.asarray(patient.y_train))"
)
for says, illness, quantity in (
    ("is the norm of the gradients, which", RATE, "norm"),
    ("does not grow with a loss of this patient.", RATE, "1 / loss"),
    ("is the loss of the batch, which says", OVERFITTING, "loss"),
    ("is the loss on the training images, which", OVERFITTING, SEEN),
    ("does not grow with the loss on the test", OVERFITTING, "loss - test_loss"),
    ("is the share of zeros: a healthy", DEAD, "np.mean(np.asarray(units) == 0)"),
    ("is the same throughout: look at what comes", DEAD, "0"),
    ("does not grow with the number of ReLU's", DEAD, "-np.mean(np.asarray(dead))"),
    ("is the gradient of the last layer alone", EXPLODING, last),
    ("does not grow with the gradients.", EXPLODING, "1 / norm"),
):
    examine.brings(f"`{illness}` {says}", both=logged(illness, quantity))
for says, quantity in (
    ("is 0 for a patient with a leak: look for each test", "sum(np.array_equal(*p) for p in zip("
     "patient.X_train.numpy(), patient.X_test.numpy()))"),
    ("is 0 for a patient with a leak: look for each test", "sum(found) // 5"),
    ("is 360 for a patient without a leak. Compare whole", "360"),
    ("for a patient without a leak. Compare whole", "1 + found.count(False)"),
    ("for a patient without a leak. Compare whole",
     "np.isin(patient.X_test.numpy(), patient.X_train.numpy()).sum()"),
):  # fmt: skip
    examine.brings(says, both=logged(LEAK, quantity))
share = "np.mean(np.asarray(dead))"
for exploding, dead, leak, overfitting in (
    (f"{first} / {last}", f"9 * {share}", "sum(found) / 360", "test_loss - loss"),
    (f"np.log({norms}.sum())", f"{share} ** 0.5", "int(any(found))", "test_loss ** 2"),
    (f"{norms}.max()", f"{share} + 1", "sum(found)", "360 * test_loss"),
    ("norm ** 2", share, "sum(found) / len(patient.X_train)", "test_loss"),
):
    signs = {EXPLODING: exploding, DEAD: dead, LEAK: leak, OVERFITTING: overfitting}
    change = (logged(*each) for each in signs.items())
    examine.right(both=sum(change, ()))
examine.right(both=(EVERY, "if True:"))
POINTS = "`learning rate too high` has points at the steps "
for says, *change in (
    (POINTS + "0, 25; of 41 steps every fifth, from 0", "step % 5", "step % 25"),
    (POINTS + "4, 9, 14, 19, 24, 29, ...; of 41", EVERY, "if step % 5 == 4:"),
    (POINTS + "0, 5, 10, 15, 20, 25, ...; of 6", EVERY, "if step % 5 == 0 and step < 55:"),
    ("no scalar `dead units`; they hold `dead`, `expl", '"dead units"', "'dead'"),
    ("Your function never trains: loop over `patient", "patient.train()", "[]"),
):
    examine.brings(says, both=tuple(change))
deeper = examine.replacing("Writer(folder)", "str(folder)")
deeper("in `folder` itself hold no scalar `l", "Writer(folder / 'x')", "str(folder / 'x')")
LEAKS = 'writer.add_scalar("leak"', 'tf.summary.scalar("leak"'
twice = examine.replacing(*LEAKS)
twice("`leak` is logged more than once.", *(f"for _ in range(2): {each}" for each in LEAKS))


doctor = Mistakes("doctor")
WARD = dict(zip("ABCDEF", (OVERFITTING, RATE, LEAK, "healthy", DEAD, EXPLODING), strict=True))


def judged(sentence: str, diagnoses=WARD, then: str = "") -> None:
    """Add other diagnoses, or another ward, which code makes that comes after them."""
    doctor.brings(sentence, both=f"diagnoses = {diagnoses!r}\n{then}")


judged("must be a dict with the keys `A`, `B`, `C`, `D`, `E`, `F`.", {"A": "healthy"})
judged("`healthy` is given to 6 patients; each is given to one.", dict.fromkeys(WARD, "healthy"))
judged("`B` is 'influenza'; choose among `dead units`, `expl", WARD | {"B": "influenza"})
judged("`ward` is None; take that of `lesson_06.ward`.", then="ward = None")
for half in HALVES:
    fresh = f"ward = lesson_06.ward({half!r}, 5)\ndiagnoses = {WARD}"
    doctor.brings("Patient A has not been examined: run the cell", **{half: fresh})
for mine, other, says in (
    ("A", "D", "it is not healthy: one of its signs is far from those of other patients."),
    ("A", "B", "its training loss falls: the learning rate suits it."),
    ("F", "B", "look at step 0, where the learning rate was not used yet."),
    ("E", "B", "look at step 0, where the learning rate was not used yet."),
    ("C", "A", "look at its test loss beside the training loss. Overfitting is a test loss that"),
    ("D", "E", "most of its units are alive."),
    ("F", "E", "at step 0 its units are alive: something kills them later."),
    ("B", "E", "at step 0 its units are alive: something kills them later."),
    ("E", "F", "at step 0 its gradients are of ordinary size. What grows later, the updates"),
    ("D", "C", "none of its test images is among its training images."),
):
    swapped = WARD | {mine: WARD[other], other: WARD[mine]}
    # The first whose diagnosis is wrong is spoken of.
    order = "ward = dict(reversed(ward.items()))" if mine > other else ""
    judged(f"Patient {mine}: {says}", swapped, order)
for half in HALVES:
    why = "`shown` says it, to who runs the notebook"
    doctor.cannot(half, "TensorBoard shows no", "with the tag", why=why)
