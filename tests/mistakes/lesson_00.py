"""Lesson 00, quick start: wrong answers to its exercise, and other right ones."""

from mistakes import Mistakes

train_epoch = Mistakes("train_epoch")
MEAN = "return total / len(batches)"
APPLY = "optimizer.apply(gradients,"
ADD_UP = f"gradients = old = [a + b for a, b in zip(gradients, old)]\n        {APPLY}"
for says, pytorch, tensorflow in (
    ("No parameter of `net` has", ("optimizer.step()", ""), (APPLY, "list(")),
    ("have the learning rate of", ("lr=lr", "lr=0.25"), ("rate=lr", "rate=0.25")),
    ("one step of SGD with `lr`", ("lr=lr", "lr=lr, momentum=0.9"), ("rate=lr", "rate=lr / 18")),
    ("`.grad` keeps them until", ("optimizer.zero_grad()", ""), None),
    ("those that the tape", None, ("total =", "old = [0.0] * 4\n    total =", APPLY, ADD_UP)),
    ("look at the loss and the", ("cross_entropy(", "nll_loss("), ("(from_logits=True)", "()")),
    ("look at the loss and the", ("optim.SGD(", "optim.Adam("), ("SGD(", "Adam(")),
    ("number; it returns a `", ("loss.item()", "loss"), ("float(loss)", "loss")),
    ("loss of the last batch", (MEAN, "return loss.item()"), (MEAN, "return float(loss)")),
    ("No parameter of `net` has", None, (MEAN, f"net.trainable = False\n    {MEAN}")),
    ("does not require grad", (MEAN, f"net.requires_grad_(False)\n    {MEAN}"), None),
):
    train_epoch.brings(says, pytorch=pytorch, tensorflow=tensorflow)

for says, new in {
    "does `return` stand inside": f"    {MEAN}",
    "is the sum of the losses": "return total",
    "but wrong values": "return total / 4",  # as many batches as the first epoch has
    "a Python number; it returns None": "",
}.items():
    train_epoch.brings(says, both=(MEAN, new))
train_epoch.brings(
    "is the mean over all images",
    pytorch=("loss.item()", "loss.item() * len(y)", MEAN, "return total / 18"),
    tensorflow=("float(loss)", "float(loss) * len(y)", MEAN, "return total / 18"),
)

train_epoch.right(
    pytorch="""
        losses, parameters = [], list(net.parameters())
        for X, y in batches:
            losses.append(nn.CrossEntropyLoss()(net(X), y))
            gradients = torch.autograd.grad(losses[-1], parameters)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients):
                    parameter -= lr * gradient
        return (sum(losses) / len(losses)).item()
        """,
    tensorflow="""
        losses = []
        for X, y in batches:
            with tf.GradientTape() as tape:
                each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, net(X))
                losses.append(tf.reduce_mean(each))
            gradients = tape.gradient(losses[-1], net.trainable_variables)
            for variable, gradient in zip(net.trainable_variables, gradients):
                variable.assign_sub(lr * gradient)
        return float(np.mean(losses))
        """,
)
train_epoch.right(
    pytorch=("optimizer.zero_grad()", "net.zero_grad()", "loss.item()", "float(loss.detach())"),
    tensorflow="""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        net.compile(keras.optimizers.SGD(lr), loss)
        return sum(
            net.fit(X, y, batch_size=len(X), verbose=0).history["loss"][0] for X, y in batches
        ) / len(batches)
        """,
)
