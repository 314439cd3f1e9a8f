"""Lesson 04, the same network: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

predict = Mistakes("predict")
predict.brings("is not (32, 16, 4, 4): go from layer", both={"feature_shape": (32, 16, 4, 4)})
predict.brings("is not 2.31", both={"loss": 2.31})

transport = Mistakes("transport")
convolution = transport.replacing(".transpose(3, 2, 0, 1)", ".transpose(2, 3, 1, 0)")
convolution("` has height and width swapped", ".T", ".T")
convolution("` was reshaped", ".reshape(5, 2, 3, 3)", ".reshape(3, 3, 2, 5)")
convolution("", ".T.swapaxes(2, 3)", ".T.swapaxes(0, 1)")
dense = transport.replacing('["dense.kernel"].T', '["dense.weight"].T')
dense("` was reshaped", '["dense.kernel"].reshape(10, 5)', '["dense.weight"].reshape(5, 10)')
dense("in line 9 of its cell, `model.load_state_dict(", '["dense.kernel"]', None)
dense('in line 6 of its cell, `model.get_layer("dense")', None, '["dense.weight"]')
bias = transport.replacing('weights["conv.bias"]', 'weights["conv.bias"]')
bias("bias` still has its initial", "model.conv.bias.data.numpy()", 'model.get_layer("conv").bias')
transport.brings("that it is given; it returns None", both=("return model", "return"))
transport.brings(
    "is a `NoneType`; it must be",
    pytorch=("return model", "model.dense = nn.Identity()\n    return model"),
    tensorflow=("return model", "model.pop()\n    return model"),
)
transport.brings(
    "` still has its initial values in the model",
    pytorch=("model.load", "__import__('copy').deepcopy(model).load"),
    tensorflow=(
        "(model, weights):",
        "(given, weights):\n    model = keras.models.clone_model(given)",
        "return model",
        "return given",
    ),
)
for says, change in {
    "`conv.weight` has dtype float32, it": ("arrays.items()}", "arrays.items()}, assign=True"),
    "it must have (10, 5): `nn.Linear` keeps (outputs, inputs)": (
        ("    return", "    model.dense.weight.data = model.dense.weight.data.T\n    return")
    ),
}.items():
    transport.brings(says, pytorch=change)
transport.right(
    pytorch="""
        with torch.no_grad():
            for parameter, array in zip(model.parameters(), weights.values()):
                axes = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}[array.ndim]
                parameter.copy_(torch.from_numpy(array).permute(axes))
        return model
        """,
    tensorflow="""
        for variable, array in zip(model.weights, weights.values()):
            variable.assign(np.moveaxis(array, (0, 1), (-1, -2)) if array.ndim > 1 else array)
        return model
        """,
)

flatten_order = Mistakes("flatten_order")
orders = flatten_order.replacing("(3, 2, 0, 1)", "(2, 3, 1, 0)")
orders("has height and width swapped", "(3, 2, 1, 0)", "(3, 2, 1, 0)")
for says, pytorch, tensorflow in (
    ("is transposed, but its inputs are still in", "kernel.T", "weight.T"),
    ("but wrong values", "kernel.reshape(7, -1)", "weight.reshape(-1, 7)"),
    (
        "is reordered in the wrong direction",
        "kernel.reshape(channels, height, width, -1).transpose(3, 1, 2, 0).reshape(7, -1)",
        "weight.reshape(-1, height, width, channels).transpose(3, 1, 2, 0).reshape(-1, 7)",
    ),
    (
        ", it must have (",
        "kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(-1, 7)",
        "weight.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(7, -1)",
    ),
    (
        "",
        "kernel.T.reshape(-1, height * width, channels).swapaxes(1, 2).reshape(kernel.shape[::-1])",
        "tf.concat([weight.T[p :: height * width] for p in range(height * width)], axis=0)",
    ),
):
    flatten_order.brings(says, pytorch=f"return {pytorch}", tensorflow=f"return {tensorflow}")
flatten_order.right(
    pytorch="""
        maps = torch.from_numpy(kernel).unflatten(0, (height, width, channels))
        return torch.einsum("hwco->ochw", maps).flatten(1)
        """,
    tensorflow="""
        maps = tf.reshape(weight, (-1, channels, height, width))
        return tf.reshape(tf.einsum("ochw->hwco", maps), (weight.shape[1], -1))
        """,
)

bug_hunt = Mistakes("bug_hunt")
SUM_UP = "gradients = old = list(map(tf.add, gradients, old))"
APPLY = "optimizer.apply_gradients(zip"
for says, pytorch, tensorflow in (
    ("moves nothing", ("optimizer.step()", ""), (APPLY, "list(zip")),
    ("of the output layer's biases", ("F.cross_entropy", "F.nll_loss"), ("from_logits=True", "")),
    ("a softmax", ("(logits", "(logits.softmax(1)"), (" logits,", " tf.nn.softmax(logits),")),
    ("too long", ("y[batch])", "y[batch], reduction='sum')"), ("tf.reduce_mean(each)", "each")),
    ("free of the other", ("lr=lr", "lr=lr, momentum=0.5"), ("SGD(lr", "SGD(lr, momentum=0.5")),
    ("The first step is not one of", ("SGD(", "Adam("), ("SGD(", "Adam(")),
    (
        "The second step still has the gradient",
        ("optimizer.zero_grad()", ""),
        ("losses = []", "losses, old = [], [0] * 4", APPLY, f"{SUM_UP}\n        {APPLY}"),
    ),
):
    bug_hunt.brings(says, pytorch=pytorch, tensorflow=tensorflow)
bug_hunt.brings("has shape (), it must have (4,)", both=("return losses", "return losses[-1]"))
bug_hunt.brings("free of the other", both=("in batches:", "in [b for b in batches if len(b) > 1]:"))
bug_hunt.right(
    pytorch=("F.cross_entropy(logits", "F.nll_loss(F.log_softmax(logits, dim=1)"),
    tensorflow=(" logits, from_logits=True", " tf.nn.softmax(logits)"),
)
bug_hunt.right(
    pytorch="""
        parameters = list(model.parameters())
        loss = nn.CrossEntropyLoss()(model(X[batch]), y[batch])
        with torch.no_grad():
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
                parameter -= lr * gradient
        """,
    tensorflow="""
        def train(model, X, y, batches, lr):
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.SGD(lr), loss)
            return [model.train_on_batch(X[batch], y[batch]) for batch in batches]
        """,
)

translation = Mistakes("translation")
AHEAD, AHEAD_TF = "momentum * velocity - lr * parameter.grad", "momentum * velocity + gradient"
for says, pytorch, tensorflow in (
    ("No step carries velocity", ("mul_(momentum)", "mul_(0)"), ("momentum * velocity", "0")),
    ("differ at a constant rate", ("sub_(lr", "add_(lr"), ("assign_sub(", "assign_add(")),
    ("Nesterov's", ("add_(velocity)", f"add_({AHEAD})"), ("lr * velocity", f"lr * ({AHEAD_TF})")),
    (
        "The gradients of earlier steps",
        ("model.zero_grad()", ""),
        (
            "    for lr",
            "    old = [0] * 4\n    for lr",
            "updates =",
            f"{SUM_UP}\n        updates =",
        ),
    ),
):
    translation.brings(says, pytorch=pytorch, tensorflow=tensorflow)
translation.brings("Every step uses the first", both=("in lrs:", "in lrs[:1] * len(lrs):"))
translation.brings("differ once the learning", both=("in lrs:", "in [lrs[0], *lrs[:-1]]:"))
KEEP = ("momentum):", "momentum, old=[]):", "for lr", "velocities = old or velocities\n    for lr")
KEEP += ("return model", "old[:] = velocities\n    return model")
translation.brings("The first call is right, the second is not", both=KEEP)
returns = translation.replacing("return model", "return model")
returns("another one", "return nn.Sequential(*model)", "return keras.Sequential(model.layers)")
translation.brings(
    "This is the rule of the framework that you write in",
    pytorch=("sub_(lr * parameter.grad)", "add_(parameter.grad)", "(velocity)", "(-lr * velocity)"),
    tensorflow="""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(lrs[0], momentum), loss)
        schedule = keras.callbacks.LearningRateScheduler(lambda epoch: lrs[epoch])
        model.fit(X, y, batch_size=len(X), epochs=len(lrs), callbacks=[schedule], verbose=0)
        return model
        """,
)
translation.right(
    pytorch="""
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=momentum)
        for lr in lrs:
            optimizer.zero_grad()
            (lr * F.cross_entropy(model(X), y)).backward()
            optimizer.step()
        return model
        """,
    tensorflow="""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = keras.optimizers.SGD(1.0, momentum)
        for before, lr in zip([lrs[0], *lrs], lrs):
            for velocity in optimizer.variables[2:]:
                velocity.assign(velocity * lr / before)
            with tf.GradientTape() as tape:
                total = lr * loss(y, model(X))
            optimizer.apply(tape.gradient(total, model.trainable_weights), model.trainable_weights)
        return model
        """,
)
translation.right(
    pytorch=(
        *("sub_(lr * parameter.grad)", "add_(parameter.grad, alpha=-lr)"),
        *("model.zero_grad()", "[setattr(p, 'grad', None) for p in model.parameters()]"),
    ),
    tensorflow=(
        *("tf.Variable(tf.zeros_like(w))", "np.zeros(w.shape)"),
        *("velocity.assign(momentum * velocity + gradient)", f"velocity[...] = {AHEAD_TF}"),
    ),
)
