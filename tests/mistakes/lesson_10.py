"""Lesson 10, migration: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

patience = Mistakes("patience")
LATE = "the original reduces it after"
for name, wrongs in {"patience": ("patience", "3"), "cooldown": ("cooldown", "0")}.items():
    for wrong in wrongs:
        patience.brings(LATE, pytorch=(f"{name} - 1", wrong), tensorflow=(f"{name} + 1", wrong))
patience.brings(LATE, pytorch=("abs", "rel"), tensorflow=("min_delta=threshold,", ""))
patience.brings(LATE, both=("factor=factor", "factor=0.5"))
PLATEAU = """
    plateau = ReduceLROnPlateau(optimizer, "min", factor, patience - 1, cooldown=cooldown - 1)
    plateau._is_better = lambda a, best: a {} best - min_delta
    return plateau
""".format
patience.brings(LATE, pytorch=PLATEAU("<="))
patience.brings("must return a scheduler; it returns None", pytorch="return None")
patience.brings("must return a callback; it returns None", tensorflow="return None")
patience.right(
    pytorch=PLATEAU("<"),
    tensorflow=("cooldown + 1", "cooldown + bool(cooldown)", '"val_loss",', 'mode="min",'),
)
patience.right(
    pytorch=("cooldown - 1", "max(0, cooldown - 1), eps=0", "factor=factor", '"min", factor'),
    tensorflow=("min_delta=threshold", 'min_delta=abs(threshold), mode="min"'),
)

layers = Mistakes("layers")
PADDED = "nn.ZeroPad2d((0, 1, 0, 1))", "keras.layers.ZeroPadding2D(1)"
# Each framework's own padding: the other half's original.
layers.brings(
    "pads on the other sides",
    pytorch=("3, stride=2", "3, stride=2, padding=1", PADDED[0], "nn.Identity()"),
    tensorflow=("strides=2", 'strides=2, padding="same"', f"{PADDED[1]},", ""),
)
layers.brings(
    "height and width exchanged",
    pytorch=("kernel.transpose(3, 2, 0, 1), bias", "kernel.T, bias"),
    tensorflow=("weight.transpose(2, 3, 1, 0), bias", "weight.T, bias"),
)
FLAT = "kernel.reshape(*shape, -1).transpose(3, 2, 0, 1)", "kernel.T"
FLAT_KERAS = "weight.reshape(-1, c, h, w).transpose(2, 3, 1, 0)", "weight.T"
layers.brings("in another order than", pytorch=FLAT, tensorflow=FLAT_KERAS)
ORDER = "np.r_[n : 2 * n, :n, 2 * n : 3 * n]"
layers.brings("two gates exchanged", both=(ORDER, "slice(None)"))
layers.brings(
    "adds both biases",
    pytorch=("*bias)", "bias.sum(0), 0 * bias[0])"),
    tensorflow=("np.stack(biases)", "np.stack([sum(biases), 0 * biases[0]])"),
)
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
        *(*FLAT, "nn.Sequential(nn.Flatten(), dense)"),
        "lambda x: dense(x.permute(0, 2, 3, 1).flatten(1))",
    ),
    tensorflow=(*FLAT_KERAS, "Flatten()", "Permute((3, 1, 2)), keras.layers.Flatten()"),
)

culprits = Mistakes("culprits")
culprits.brings("so look at the network", pytorch=("1e-3", "1e-5"), tensorflow=("1e-5", "1e-3"))
culprits.brings(
    "how the loss is made",
    pytorch=("loss / len(y)", "loss / class_weights[y].sum()"),
    tensorflow=("tf.reduce_mean(counts)", "1"),
)
VALUE = (
    "nn.utils.clip_grad_value_(model.parameters(), 0.05)",
    "[tf.clip_by_value(g, -0.05, 0.05) for g in gradients]",
)
culprits.brings(
    "what is done to the gradients",
    pytorch=("clip_grad_value_", "clip_grad_norm_"),
    tensorflow=(VALUE[1], "tf.clip_by_global_norm(gradients, 0.05)[0]"),
)
UPDATE, SCALED, STEPPED = "so look at the update", "p.grad *= rate", "(rate * velocities[i])"
update = culprits.replacing(SCALED, STEPPED)
update(UPDATE, "pass", "(velocities[i])")
update(UPDATE, "p.grad *= min(step, 4) / 8", "(min(step, 4) / 8 * velocities[i])")
culprits.brings(
    UPDATE,
    pytorch=(SCALED, "optimizer.param_groups[0]['lr'] = rate"),
    tensorflow=("[i] + gradient", "[i] + rate * gradient", "(rate * vel", "(vel"),
)
update(
    "pass through float32 on its way",
    "p.grad = (p.grad * rate).float().double()",
    "(rate * velocities[i].numpy().astype('f'))",
)
START = "watch(record, model, 0)"
culprits.brings("at step 0: only the first record has it", both=(START, "pass"))
culprits.brings("at step 9: only the second", both=(START, f"{START}; watch(record, model, 9)"))
culprits.brings("at step 1: shape", both=("step, logits, loss)", "step, logits[:3], loss)"))
culprits.brings(
    "disagrees before the first step",
    both=("make_model(weights", "make_model({k: 2 * w for k, w in weights.items()}"),
)
culprits.right(
    pytorch=(
        *('reduction="sum"', 'reduction="none"', "loss / len(y)", "loss.mean()"),
        *(VALUE[0], "[p.grad.clamp_(-0.05, 0.05) for p in model.parameters()]"),
    ),
    tensorflow=(VALUE[1], "[tf.maximum(tf.minimum(g, 0.05), -0.05) for g in gradients]"),
)
culprits.right(
    pytorch=(
        *("optimizer = torch.optim.SGD(model.parameters(), 1.0, momentum=0.5)", "velocity = {}"),
        *("optimizer.zero_grad()", "model.zero_grad()"),
        *(SCALED, "velocity[p] = 0.5 * velocity.get(p, 0) - rate * p.grad"),
        *("optimizer.step()", "for p, v in velocity.items():\n            p.data += v"),
    ),
    tensorflow=(
        *("counts /= tf.reduce_mean(counts)", ""),
        *("sample_weight=counts)", "sample_weight=counts) / tf.reduce_mean(counts)"),
    ),
)

watch = Mistakes("watch")
MEAN = 'record("stat/port/mean", {}, step=step)'.format
LOGITS = 'record("eval/port/logits", {}, step=step)'.format
mean = watch.replacing(MEAN("model.norm.running_mean"), MEAN("norm.moving_mean"))
WEIGHTS = "record_weights(record, model, step)"
logits = watch.replacing(LOGITS("model(X_test)"), LOGITS("logits"))
watch.brings("`stat/port/mean` at step 0: only", both="pass")
watch.brings(
    "`stat/port/mean` at step 3: only",
    both=(WEIGHTS, f"{WEIGHTS}\n    if step == 3:\n        return"),
)
logits(
    "for `eval/port/logits` at step 0 is right",
    LOGITS("model(torch.tensor(project.x_test))"),
    LOGITS("model(tf.constant(project.x_test))"),
)
logits(
    "and does not use them agrees",
    LOGITS("model.out(F.relu(nn.BatchNorm1d.forward(model.norm, model.hidden(X_test))))"),
    LOGITS("model.out(tf.nn.relu(BatchNormalization.call(norm, model.hidden(X_test))))"),
)
CHANGES = "leaves the port changed"
watch.brings(CHANGES, pytorch=("model.eval()", ""), tensorflow=("training=False", "training=True"))
watch.brings(CHANGES, pytorch=("model.train(mode)", ""))
watch.brings(CHANGES, pytorch=("model.train(mode)", "model.train()"))
mean(CHANGES, "model.norm.momentum = 0.01", "norm.momentum = 0.9")
mean(CHANGES, "model.requires_grad_(False)", "norm.trainable = False")
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
