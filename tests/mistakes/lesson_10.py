"""Lesson 10, migration: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

VALUES = "has the right shape and dtype, but"

patience = Mistakes("patience")
LATE = "the original reduces it after"
waits = patience.replacing("patience - 1", "patience + 1")
cools = patience.replacing("cooldown - 1", "cooldown + 1")
for wait in ("patience", "patience - 2", "patience + 2", "3"):
    waits(LATE, wait, wait)
for cool in ("cooldown", "cooldown - 2", "cooldown + 2", "0"):
    cools(LATE, cool, cool)
patience.brings(LATE, pytorch=("abs", "rel"))
patience.brings(LATE, tensorflow=("min_delta=threshold,", ""))
patience.brings(LATE, both=("factor=factor", "factor=0.5"))
patience.brings("must return a scheduler; it returns None", pytorch="return None")
patience.brings("must return a callback; it returns None", tensorflow="return None")
patience.right(
    pytorch="""
        plateau = ReduceLROnPlateau(optimizer, "min", factor, patience - 1, cooldown=cooldown - 1)
        plateau._is_better = lambda a, best: a < best - min_delta
        return plateau
    """,
    tensorflow=("cooldown + 1", "cooldown + bool(cooldown)", '"val_loss",', 'mode="min",'),
)
patience.right(
    pytorch=("cooldown - 1", "max(0, cooldown - 1), eps=0", "factor=factor", '"min", factor'),
    tensorflow=("min_delta=threshold", 'min_delta=abs(threshold), mode="min"'),
)

layers = Mistakes("layers")
PADDED = "nn.ZeroPad2d((0, 1, 0, 1))", "keras.layers.ZeroPadding2D(1)"
pads = layers.replacing(*PADDED)
PAD = "keras.layers.ZeroPadding2D({})".format
pads("pads on the other sides", "nn.ZeroPad2d(1)", PAD("((0, 1), (0, 1))"))
pads(VALUES, "nn.ZeroPad2d((0, 1, 1, 0))", PAD("((1, 1), (0, 2))"))
pads("`conv` gives has shape", "nn.ZeroPad2d(2)", PAD(2))
KERNEL = "kernel.transpose(3, 2, 0, 1), bias", "weight.transpose(2, 3, 1, 0), bias"
turned = layers.replacing(*KERNEL)
turned("height and width exchanged", "kernel.T, bias", "weight.T, bias")
turned(VALUES, f"{KERNEL[0]} * 0", f"{KERNEL[1]} * 0")
FLAT = "weight = kernel.reshape(*shape, -1)", "kernel = weight.reshape(-1, c, h, w)"
FLAT = f"{FLAT[0]}.transpose(3, 2, 0, 1)", f"{FLAT[1]}.transpose(2, 3, 1, 0)"
KEPT = "weight = kernel.T", "kernel = weight.T"
flat = layers.replacing(*FLAT)
flat("in another order than", *KEPT)
flat(VALUES, "weight = kernel.reshape(*shape, -1).T", "kernel = weight.reshape(-1, c, h, w).T")
ORDER = "np.r_[n : 2 * n, :n, 2 * n : 3 * n]"
layers.brings("two gates exchanged", both=(ORDER, "slice(None)"))
layers.brings(VALUES, both=(ORDER, "np.r_[2 * n : 3 * n, n : 2 * n, :n]"))
biases = layers.replacing("*bias)", "np.stack(biases)")
biases("adds both biases", "bias.sum(0), 0 * bias[0])", "np.stack([sum(biases), 0 * biases[0]])")
biases(VALUES, "*bias[::-1])", "np.stack(biases[::-1])")
layers.brings("runs over the examples and not", pytorch=("batch_first=True", ""))
layers.cannot("tensorflow", "runs over the examples", why="a layer of Keras runs over time")
layers.brings("`gru` gives has shape", tensorflow=("return_sequences=True", ""))
layers.brings("must return a layer for `gru`; it returns None", both="return None")
layers.right(
    pytorch=(f"nn.Sequential({PADDED[0]}, conv)", "lambda x: conv(F.pad(x, (0, 1, 0, 1)))"),
    tensorflow=(
        f"keras.Sequential([{PADDED[1]}, conv])",
        "lambda x: conv(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))",
    ),
)
layers.right(
    pytorch=(
        *(FLAT[0], KEPT[0], "nn.Sequential(nn.Flatten(), dense)"),
        "lambda x: dense(x.permute(0, 2, 3, 1).flatten(1))",
    ),
    tensorflow=(FLAT[1], KEPT[1], "Flatten()", "Permute((3, 1, 2)), keras.layers.Flatten()"),
)

culprits = Mistakes("culprits")
norm = culprits.replacing("eps=1e-3", "epsilon=1e-5")
norm("so look at the network", "eps=1e-5", "epsilon=1e-3")
norm("so look at the network", "eps=1e-2", "epsilon=1e-2")
loss = culprits.replacing("loss / len(y)", "tf.reduce_mean(counts)")
loss("how the loss is made", "loss / class_weights[y].sum()", "1")
loss("how the loss is made", "loss", "tf.reduce_sum(counts)")
loss("how the loss is made", "loss / 10", "tf.reduce_mean(class_weights)")
CLIP = "nn.utils.clip_grad_{}_({}, 0.05)".format
VALUE = CLIP("value", "model.parameters()"), "[tf.clip_by_value(g, -0.05, 0.05) for g in gradients]"
clips = culprits.replacing(*VALUE)
GRADS = "what is done to the gradients"
clips(GRADS, CLIP("norm", "model.parameters()"), "tf.clip_by_global_norm(gradients, 0.05)[0]")
clips(GRADS, CLIP("norm", "model.out.weight"), "[tf.clip_by_norm(g, 0.05) for g in gradients]")
clips(GRADS, "pass", "list(gradients)")
UPDATE, SCALED, SGD = "so look at the update", "p.grad *= rate", "1.0, momentum=0.5"
culprits.brings(UPDATE, pytorch=(SCALED, "optimizer.param_groups[0]['lr'] = rate"))
culprits.brings(UPDATE, pytorch=(SCALED, "pass"))
culprits.brings(UPDATE, pytorch=(SGD, f"{SGD}, nesterov=True"))
VELOCITY = "0.5 * velocities[i] + gradient"
inside = VELOCITY.replace("gradient", "rate * gradient"), "(rate * vel", "(vel"
culprits.brings(UPDATE, tensorflow=(VELOCITY, *inside))
culprits.brings(UPDATE, tensorflow=(VELOCITY, "gradient"))
culprits.brings(UPDATE, tensorflow=("(rate * velocities[i])", "(velocities[i])"))
culprits.brings(
    "pass through float32 on its way",
    pytorch=(SCALED, "p.grad = (p.grad * rate).float().double()"),
    tensorflow=("(rate * velocities[i])", "(rate * velocities[i].numpy().astype('f'))"),
)
START, NOTE = "watch(record, model, 0)", "watch(record, model, step)"
culprits.brings("at step 0 is missing", both=(START, "pass"))
culprits.brings("at step 1 is missing", both=(NOTE, "pass"))
culprits.brings("that the original has not", both=(START, f"{START}; watch(record, model, 9)"))
form = culprits.replacing("step, logits, loss)", "step, logits, loss)")
FLOAT = "step, logits.float(), loss)", "step, tf.cast(logits, tf.float32), loss)"
form("has another form: dtype", *FLOAT)
form("has another form: shape", *["step, logits[:3], loss)"] * 2)
culprits.brings(
    "disagrees before the first step",
    both=("make_model(weights", "make_model({k: 2 * w for k, w in weights.items()}"),
)
culprits.right(
    pytorch=(
        *("optimizer = torch.optim.SGD(model.parameters(), 1.0, momentum=0.5)", "velocity = {}"),
        *("optimizer.zero_grad()", "model.zero_grad()"),
        *(SCALED, "velocity[p] = 0.5 * velocity.get(p, 0) - rate * p.grad"),
        *("optimizer.step()", "for p, v in velocity.items():\n            p.data += v"),
    ),
    tensorflow=(
        *("loss = loss_of(y, logits, sample_weight=counts)", "losses = loss_of(y, logits, counts)"),
        *("counts /= tf.reduce_mean(counts)", ""),
        "gradients = tape",
        "    loss = losses * len(y) / tf.reduce_sum(counts)\n        grad = tape",
        *("for g in gradients]", "for g in grad]"),
    ),
)
culprits.right(
    pytorch=(
        *("class_weights, reduction", "reduction"),
        *('"sum")', '"none")'),
        *("loss / len(y)", "(loss * class_weights[y]).mean()"),
        *(VALUE[0], "[p.grad.clamp_(-0.05, 0.05) for p in model.parameters()]"),
    ),
    tensorflow=(
        *("[0, 0, 0, 0, 0]", "list(map(tf.zeros_like, model.trainable_variables))"),
        *(VALUE[1], "[tf.maximum(tf.minimum(g, 0.05), -0.05) for g in gradients]"),
    ),
)

watch = Mistakes("watch")
MEAN, VARIANCE, LOGITS = (
    f'record("{row}", {{}}, step=step)'.format
    for row in ("stat/port/mean", "stat/port/variance", "eval/port/logits")
)
mean = watch.replacing(MEAN("model.norm.running_mean"), MEAN("norm.moving_mean"))
variance = watch.replacing(VARIANCE("model.norm.running_var"), VARIANCE("norm.moving_variance"))
logits = watch.replacing(LOGITS("model(X_test)"), LOGITS("logits"))
WEIGHTS = "record_weights(record, model, step)"
watch.brings("has other weights after step 2 is seen first in `eval", both=(WEIGHTS, ""))
watch.brings(
    "has other weights after step 2 agrees",
    both="def watch(X_test, record, model, step):\n    pass",
)
watch.brings("keeps another share of its running mean agrees", both="pass")
variance("divides by another number in its running variance is seen first in `eval", "", "")
logits("normalises with the batch's own statistics in evaluation agrees", "", "")
EARLY = "if step > 4:\n        return\n    {}".format
mean(
    "as they are after the first epoch agrees",
    EARLY(MEAN("model.norm.running_mean")),
    EARLY(MEAN("norm.moving_mean")),
)
mean("`stat/port/bias@0` is no row", *['record("stat/port/bias", X_test, step=step)'] * 2)
variance(
    "A port that is right disagrees by your record: stat/port/variance@0",
    VARIANCE("model.norm.running_var.sqrt() + 1"),
    VARIANCE("norm.moving_variance + 1"),
)
logits(
    "A port that is right disagrees by your record: eval/port/logits@0",
    LOGITS("model(X_test).softmax(1)"),
    LOGITS("tf.nn.softmax(logits)"),
)
CHANGES = "but your function changes the port"
watch.brings(CHANGES, pytorch=("model.eval()", ""))
watch.brings(CHANGES, pytorch=("model.train(mode)", ""))
watch.brings(CHANGES, pytorch=("model.train(mode)", "model.train()"))
watch.brings(CHANGES, tensorflow=("training=False", "training=True"))
watch.cannot("tensorflow", "its mode, its weights", why="a model has no mode of its own")
watch.right(
    pytorch=(
        *("mode = model.training", "from copy import deepcopy"),
        *("model.eval()", "model = deepcopy(model).eval()"),
        *("model.train(mode)", ""),
    ),
    tensorflow="""
        mean, variance = model.non_trainable_variables
        record("stat/port/mean", mean, step=step)
        record("stat/port/variance", variance.numpy(), step=step)
        record("eval/port/logits", model(X_test), step=step)
    """,
)
watch.right(
    pytorch=(LOGITS("model(X_test)"), "with torch.no_grad():\n        " + LOGITS("model(X_test)")),
    tensorflow=("model(X_test, training=False)", "model.predict_on_batch(X_test)"),
)
