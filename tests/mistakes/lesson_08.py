"""Lesson 08, speed: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

once = Mistakes("decode_once")
KNOWN, READ = "functools.cache(decode)", "augment(known(path).clone())"
CACHE, IMAGES = ".cache()", "(augment(image), y))"
read = once.replacing(READ, IMAGES)
batch = once.replacing("batch_size=32", "images.batch(32)")
cache = once.replacing(KNOWN, CACHE)
cache("files are decoded ", "functools.lru_cache(decode)", ".prefetch(8)")
cache("files are decoded ", "lambda path: functools.cache(decode)(path)", "")
KEPT = "globals().setdefault('kept', functools.cache(decode))", ".cache(f'{folder}/kept')"
cache("without what another loader kept", *KEPT)
once.brings(
    "comes in more than one epoch",
    pytorch=(KNOWN, "functools.cache(lambda path: augment(decode(path)))", READ, "known(path)"),
    tensorflow=(CACHE, "", IMAGES, f"{IMAGES}.cache()"),
)
read("without `augment`", "known(path)", "(image, y))")
read("is not as `decode` gave it", "augment(known(path))", "(augment(augment(image)), y))")
DROPPED = "[image := known(path).clone(), augment(image)][0]"
read("has the right shape and dtype, but wrong", DROPPED, "(augment(image) + 2000, y))")
batch("has batches of [", "batch_size=16", "images.batch(32, drop_remainder=True)")
batch("has batches of [", "batch_size=32, drop_last=True", "images.batch(32).repeat()")
batch("in the order of `paths`", "batch_size=32, shuffle=True", "images.shuffle(99).batch(32)")
batch("is not called in this process", "batch_size=32, num_workers=1", None)
INT32 = "(paths, np.int32(labels)"
types = once.replacing("Images(paths, labels", "((paths, labels")
types("y of epoch 1 has dtype int32", f"Images{INT32}", f"({INT32}")
once.brings("must return a loader; it returns 32", both="return 32")
once.brings("A batch must be a pair of tensors", both="return [(labels, labels)]")
loader = once.replacing("return DataLoader", "return images")
loader("Epoch 2 has batches of []", "yield from DataLoader", "yield from images")
once.brings(
    "it gets (32, 64)",
    pytorch="""
        images = torch.stack([decode(path) for path in paths]).split(32)
        y = torch.from_numpy(labels).split(32)
        return [(augment(part), truth) for part, truth in zip(images, y)]
    """,
    tensorflow=(CACHE, ".cache().batch(32)", "images.batch(32)", "images"),
)
once.right(
    pytorch="""
        images = [decode(path) for path in paths]
        at = Images(range(len(paths)), labels, lambda i: augment(images[i].clone()))
        return DataLoader(at, batch_size=32)
    """,
    tensorflow="""
        images = tf.stack([decode(tf.constant(path)) for path in paths])
        images = tf.data.Dataset.from_tensor_slices((images, labels))
        return images.map(lambda image, y: (augment(image), y)).batch(32)
    """,
)
once.right(
    pytorch=(KNOWN, "functools.lru_cache(maxsize=None)(decode)"),
    tensorflow=("y: (decode(path), y))", "y: (decode(path), y), num_parallel_calls=2).prefetch(9)"),
)

step = Mistakes("step")
SET = 'optimizer.param_groups[0]["lr"] = lr', "optimizer.learning_rate = lr"
SIGNED = "@tf.function(input_signature=[*batch, tf.TensorSpec([])])"
ONE = (SIGNED, "@tf.function(input_signature=batch)", "step(X, y, lr)", "one(X, y)", SET[1], "")
AROUND = "def step(X, y, lr, first=[]):\n        {}\n        return one(X, y)\n\n    return step"
KEEPS = AROUND.format("first.append(lr)\n        optimizer.learning_rate = first[0]")
ASSIGNS = AROUND.format("optimizer.learning_rate.assign(lr)")
step.brings(
    "that keeps the first rate",
    pytorch=(SET[0], f"if step.__dict__.setdefault('lr', lr) == lr:\n            {SET[0]}"),
    tensorflow=(*ONE, "return step", KEEPS),
)
decay = step.replacing("weight_decay=0.01", "weight_decay=0.01")
decay("without weight decay", "weight_decay=0", "weight_decay=None")
decay("has the right shape and dtype, but wrong", "momentum=0.9", "momentum=0.9")
for old, new, other in (
    ("optimizer.zero_grad()", "", None),
    ("(X), y)", "(X[:32]), y[:32])", ("(y, model(X)", "(y[:32], model(X[:32])")),
    ("return step", ONLY := "return globals().setdefault('only', step)", ("return step", ONLY)),
):
    step.brings("has the right shape and dtype, but", pytorch=(old, new), tensorflow=other)
returned = step.replacing("return loss", "return loss")
returned("What `step` returns is ", "return", "return X, lr")
returned("The loss that `step` returns has the right", "return 2 * loss", "return 2 * loss")
step.brings("`make_step` must return a function; it returns 3", both=("return step", "return 3"))
EACH, FUSED = "besides a forward and a backward pass, a step runs", "weight_decay=0.01, fused=True"
LOOP = "with torch.no_grad():\n            for p in model.parameters():\n                "
DATA = "for p in model.parameters():\n            p.data = p.data - lr * (p.grad + 0.01 * p.data)"
SPLIT = f"{LOOP}p.mul_(1 - 0.01 * lr)\n        optimizer.step()"
HOOK = "p.register_post_accumulate_grad_hook(lambda p: p.data.mul_(1 - step.lr / 100) is p or None)"
HOOKED = f"for p in model.parameters():\n        {HOOK}\n\n    def step"
for change in (
    (FUSED, "weight_decay=0.01"),
    ("optimizer.step()", DATA),
    (FUSED, "fused=True", "optimizer.step()", SPLIT),
    (FUSED, "fused=True", "def step", HOOKED, "loss =", "step.lr = lr\n        loss ="),
):
    step.brings(EACH, pytorch=change)
step.brings("`step` runs eagerly: 6 steps", tensorflow=(SIGNED, ""))
step.brings("brought 6 traces", tensorflow=(SIGNED, "@tf.function(reduce_retracing=True)"))
TENSOR = "return lambda X, y, lr: step(X, y, tf.constant(lr))"
step.brings("brought 4 traces", tensorflow=(SIGNED, "@tf.function", "return step", TENSOR))
step.right(
    pytorch=(FUSED, "weight_decay=0.01, foreach=True", "grad()", "grad(set_to_none=False)"),
    tensorflow=(*ONE, "return step", ASSIGNS),
)
LESS = "torch._foreach_mul_(parameters, 1 - 0.01 * lr)"
ADDS = "torch._foreach_add_(parameters, [p.grad for p in parameters], alpha=-lr)"
NO_GRAPH = f"with torch.no_grad():\n            {LESS}\n            {ADDS}"
APPLY = "optimizer.apply(gradients, model.trainable_variables)"
step.right(
    pytorch=(SET[0], "parameters = list(model.parameters())", "optimizer.step()", NO_GRAPH),
    tensorflow=(
        SET[1], "pairs = zip(gradients, model.trainable_variables)",
        APPLY, "[v.assign_sub(lr * (g + 0.01 * v)) for g, v in pairs]",
    ),
)  # fmt: skip

epoch = Mistakes("epoch")
ADDED, END = ("loss.detach() * len(X)", "loss * len(X)"), "(total / count).item()"
adds = epoch.replacing(*ADDED)
NONE = "at the last step the graphs of", "earlier losses are still in memory"
EARLY = "a number is read before the last of the"
EQUAL = "loss.detach() * (not torch.equal(loss, y))"
for reading in ("loss.item()", "float(loss)", "loss.detach().numpy()", "loss.tolist()", EQUAL):
    epoch.brings(EARLY, pytorch=(ADDED[0], f"{reading} * len(X)", END, "float(total / count)"))
for reading in ("float(loss)", "loss.numpy()", "np.asarray(loss)", "loss * bool(loss > 0)"):
    epoch.brings(EARLY, tensorflow=(ADDED[1], f"{reading} * len(X)"))
adds(EARLY, *(f"{each}\n        print(loss)" for each in ADDED))
epoch.brings(EARLY, both=("batches:", "batches:\n        assert X[0, 0] < 99"))
NO_GRAD = "@torch.no_grad()\ndef train_epoch"
epoch.brings("does not require grad", pytorch=("def train_epoch", NO_GRAD))
LISTED = """
    losses = [step(X, y, lr=lr){} for X, y in batches]
    sizes = [len(X) for X, _ in batches]
    return float(np.average({}, weights=sizes))
"""
READ = "[loss.item() for loss in losses]"
epoch.brings(NONE[1], pytorch=(ADDED[0], "loss * len(X)"))
epoch.brings(NONE[1], pytorch=LISTED.format("", READ))
MEAN = "count += len(X)", "count += 1"
epoch.brings(
    "is the mean of the batches' losses",
    pytorch=(ADDED[0], "loss.detach()", *MEAN),
    tensorflow=(ADDED[1], "loss", *MEAN),
)
ends = epoch.replacing(END, "float(total / count)")
ends("is a sum", "total.item()", "float(total)")
ends("is the loss of the last batch", "loss.item()", "float(loss)")
ends("has the right shape and dtype, but wrong", "(total / 8).item()", "float(total / 8)")
ends("must return a Python float; it returns a `", "total / count", "total / count")
for change in (("y, lr)", "y, 0.1)"), ("batches:", "batches[::-1]:"), ("batches:", "batches * 2:")):
    epoch.brings("with X, y and `lr`, for each batch once, in order", both=change)
epoch.cannot("tensorflow", *NONE, why="without a tape there is no graph")
epoch.right(pytorch=LISTED.format(".detach()", READ), tensorflow=LISTED.format("", "losses"))
epoch.right(
    pytorch=(ADDED[0], "loss.data * X.shape[0]", END, "float(total) / count"),
    tensorflow="""
        mean = keras.metrics.Mean()
        for X, y in batches:
            mean.update_state(step(X, y, lr), sample_weight=len(X))
        print(mean.result())
        return float(mean.result())
    """,
)

evaluation = Mistakes("evaluation")
MODE, PARTS = "torch.inference_mode()", "X.split(50), y.split(50)"
LOGITS = "model.predict(X, batch_size=50, verbose=0)"
logits = evaluation.replacing("model(part)", LOGITS)
shares = evaluation.replacing("return right / len(X)", "float(right.mean())")
shares("is how many are right", "return float(right)", "float(right.sum())")
shares("is the share of errors", "return 1 - right / len(X)", "float(1 - right.mean())")
shares("must return a Python float", "return torch.tensor(right / len(X))", "right.mean(dtype='f')")
logits("is run in training mode", "model.train()(part)", "model(X, training=True).numpy()")
evaluation.brings("is run in training mode", pytorch=("model.eval()", ""))
evaluation.brings("The model has seen 0 images", both="return 0.5")
evaluation.brings(
    "is the mean of the batches' shares",
    pytorch=("truth).sum())", "truth).double().mean() * 1e9)", "right / len(X)", "right / 2e9"),
    tensorflow=("right.mean()", "(right[:50].mean() + right[50:].mean()) / 2"),
)
few = evaluation.replacing(PARTS, LOGITS)
few("there is memory for any number", "[X], [y]", "model(X).numpy()")
few("at most 50 would do", "X.split(32), y.split(32)", LOGITS.replace("batch_size=50, ", ""))
MANY = "X.chunk(len(X) // 50 + 1), y.chunk(len(X) // 50 + 1)"
few("at most 50 would do", MANY, LOGITS.replace("50", "49"))
evaluation.brings("record a graph", pytorch=(MODE, "torch.enable_grad()"))
AFTER = "cannot be trained as before"
FROZEN = f"[setattr(model, 'trainable', False), {LOGITS}][1]"
logits(AFTER, "model.requires_grad_(False)(part)", FROZEN)
evaluation.brings(AFTER, pytorch=("model.train()", "model.training = True"))
evaluation.cannot("tensorflow", "record a graph", why="a model records nothing without a tape")
PADDED = LOGITS.replace("(X", "(tf.pad(X, [[0, -len(X) % 50], [0, 0]])") + "[: len(X)]"
evaluation.right(
    pytorch=(MODE, "torch.no_grad()", PARTS, MANY.replace("len(X) // 50 + 1", "-(-len(X) // 50)")),
    tensorflow=(LOGITS, PADDED),
)
evaluation.right(
    pytorch=(f"zip({PARTS}, strict=True)", "DataLoader([*zip(X, y)], 50)"),
    tensorflow="""
        model.compile(loss=loss_of, metrics=["accuracy"])
        return model.evaluate(X, y, batch_size=50, verbose=0)[1]
    """,
)
