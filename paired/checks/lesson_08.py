"""Lesson 08, speed: the checks of its exercise.

What a brake costs is counted and never timed: files decoded, operations, traces, numbers read,
calls of a model. What an answer computes is compared with NumPy.
"""

import contextlib
import io
import itertools
import math
import weakref
from collections.abc import Callable

from paired.checks import adapters
from paired.checks.adapters import must_be_tensor
from paired.checks.answers import Halves, Number, task
from paired.checks.judging import Wrong, call, compare, kind_of, refuse, to_numpy

import numpy as np

DECAY, EPOCHS, SIZE, MOST = 0.01, 3, 32, 50
# What reads a number from a tensor of PyTorch, and waits for it.
_READS = {"item", "tolist", "numpy", "cpu", "equal", "allclose", "is_nonzero"}
_READS |= {f"__{kind}__" for kind in ("float", "int", "bool", "index", "complex")}
_READS |= {f"__{kind}__" for kind in ("array", "dlpack", "repr", "format")}


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch."""

    depths = 2, 6  # the layers of the networks that `step` trains

    def stored(self, read: Callable, shift: Callable) -> tuple[Callable, Callable]:
        """A `decode` of a path and an `augment` of an image, by functions of arrays."""

        def augment(image):
            new = self.tensor(shift(image.numpy()))
            image.copy_(-new)  # spoils what it is given: what counts is what it returns
            return new

        return lambda path: self.tensor(read(path)), augment

    def model(self, weights: list) -> tuple[object, Callable, list]:
        """An MLP, what gives its weights, (inputs, outputs), and a list of what it does."""
        import torch
        from torch import nn

        layers = [(nn.Linear(*each.shape), nn.Tanh()) for each in weights[::2]]
        model = nn.Sequential(*itertools.chain(*layers))[:-1]
        with torch.no_grad():
            for parameter, array in zip(model.parameters(), weights, strict=True):
                parameter.copy_(self.tensor(array.T))
        return model, lambda: [to_numpy(each).T for each in model.parameters()], []

    def counting(self, model, seen: list) -> contextlib.AbstractContextManager:
        """Note each operation of a block; of a backward pass, what changes a parameter."""
        import torch
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        class Operations(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                if torch._C._current_graph_task_id() >= 0:
                    own = {parameter.data_ptr() for parameter in model.parameters()}
                    given = {leaf.data_ptr() for leaf in tree_leaves(args) if torch.is_tensor(leaf)}
                    noted = function._schema.is_mutable and own & given
                else:
                    noted = not any(n in str(function) for n in ("detach", "local_scalar"))
                seen.extend([function] if noted else [])
                return function(*args, **(kwargs or {}))

        return Operations()

    def judge_counts(self, counts: list, models: list, x, steps: int) -> None:
        """Raise `Wrong` unless an update has as many operations for many parameters as for few."""
        for seen, model in zip(counts, models, strict=True):
            forward = []
            with self.counting(model, forward):
                model(x)
            del seen[: len(forward) * steps]
        few, many = (len(seen) // steps for seen in counts)
        if many > few:
            a, b = (2 * depth for depth in self.depths)
            raise Wrong(
                "The network is the same. But besides a forward and a backward pass, a step runs "
                f"{few} operations for {a} parameters, and {many} for {b}."
            )

    def loss(self) -> tuple[Callable, weakref.WeakSet]:
        """What makes a loss of a number, and the graphs of such losses that still live."""
        import torch

        alive, weight = weakref.WeakSet(), torch.ones((), requires_grad=True)

        class Loss(torch.autograd.Function):
            @staticmethod
            def forward(ctx, weight, value):
                alive.add(ctx)
                return weight * value

            @staticmethod
            def backward(ctx, gradient):
                return gradient, None

        def loss(value):
            result = Loss.apply(weight, self.tensor(value))
            result.backward()  # as each step: it raises where an answer has switched graphs off
            return result

        return loss, alive

    def read_early(self, train_epoch: Callable, values: np.ndarray, *given) -> bool:
        """Whether a number is read before the last step."""
        from torch.overrides import TorchFunctionMode

        reads, (step, steps) = set(), losses(self, values)

        class Reads(TorchFunctionMode):
            def __torch_function__(self, function, types, args=(), kwargs=None):
                if getattr(function, "__name__", "") in _READS:
                    reads.add(len(steps))
                return function(*args, **(kwargs or {}))

        with Reads():
            train_epoch(step, *given)
        return bool(reads & set(range(1, len(values))))

    def probe(self) -> tuple[object, Callable]:
        """A model whose input is its output; sizes, training, graphs of its calls; can it train."""
        import torch

        class Probe(torch.nn.Module):
            def forward(self, x):
                logits = (1 - 2 * self.training) * x * self.weight
                seen.append((len(x), self.training, logits.requires_grad))
                return logits

        seen, probe = [], Probe()
        probe.weight = torch.nn.Parameter(torch.ones(10))
        model = torch.nn.Sequential(probe)
        return model, lambda: (seen, probe.training and probe.weight.requires_grad)


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    depths = 2, 2  # two models: a step is for the one that it was made for

    def stored(self, read: Callable, shift: Callable) -> tuple[Callable, Callable]:
        import tensorflow as tf

        def path_read(path) -> np.ndarray:
            return read(tf.compat.as_str(np.asarray(path).item()))

        @tf.autograph.experimental.do_not_convert
        def decode(path):
            image = tf.numpy_function(path_read, [path], tf.float32)
            return tf.ensure_shape(image, [64])

        @tf.autograph.experimental.do_not_convert
        def augment(image):
            return tf.ensure_shape(tf.numpy_function(shift, [image], tf.float32), image.shape)

        return decode, augment

    def model(self, weights: list) -> tuple[object, Callable, list]:
        import keras
        import tensorflow as tf

        class Noting(keras.Sequential):
            def call(self, *args, **kwargs):
                runs.append(tf.inside_function())
                return super().call(*args, **kwargs)

        runs, (hidden, last) = [], (weights[1].size, weights[3].size)
        layers = keras.layers.Dense(hidden, "tanh"), keras.layers.Dense(last)
        model = Noting([keras.Input([len(weights[0])]), *layers])
        model.set_weights(weights)
        runs.clear()
        return model, model.get_weights, runs

    def counting(self, model, seen: list) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()  # the model notes by itself

    def judge_counts(self, counts: list, models: list, x, steps: int) -> None:
        for runs in counts:
            refuse({
                f"The network is the same, but `step` runs eagerly: {steps} steps ran the model's "
                f"Python code {len(runs)} times.": not all(runs),
                f"The network is the same, but {steps} steps brought {len(runs)} traces; one is to "
                "serve every rate and every size of batch.": len(runs) > 1,
            })  # fmt: skip

    def loss(self) -> tuple[Callable, tuple]:
        return self.tensor, ()  # no loss has a graph

    def read_early(self, train_epoch: Callable, values: np.ndarray, *given) -> bool:
        # In a graph a tensor has no number that Python could read: it raises, or prints a name.
        import tensorflow as tf

        one, _ = losses(self, values)

        def step(*_, **__):
            shown.append("Tensor(" in printed.getvalue())
            return one()

        shown, dry = [False], tf.function(lambda: train_epoch(step, *given), autograph=False)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                dry.get_concrete_function()
            except Exception as error:
                early = len(shown) <= len(values)
                shown[-1] |= early and (len(shown) > 1 or "ymbolic" in str(error))
        return shown[-1]

    def probe(self) -> tuple[object, Callable]:
        import keras
        import tensorflow as tf

        class Probe(keras.layers.Layer):
            supports_jit = False  # it calls Python

            def call(self, x, training=False):
                note = lambda size: seen.append((int(size), bool(training), False))  # noqa: E731
                tf.numpy_function(note, [tf.shape(x)[0]], [])
                return (1 - 2 * bool(training)) * x

        seen = []
        model = keras.Sequential([keras.Input([10]), Probe()])
        return model, lambda: (seen, model.trainable)


# Task 1


def predicts(**second: Number) -> Callable:
    """The first task, with the answer that differs between the halves."""
    decodes = Number(200, {
        100: "is once for each file: does anything keep what was decoded?",
        8: "is the number of batches: each holds many files.",
        240: "counts test images: those are in no files.",
    })  # fmt: skip
    runs = Number(48, {
        8: "counts only the steps: `accuracy` runs the network too.",
        40: "counts only `accuracy`: each step runs the network too.",
        10: "would be one run for all test images: look at the loop in `accuracy`.",
        28: "has one evaluation: there is one in each epoch.",
    })  # fmt: skip

    @task(decodes=decodes, **second, runs=runs)
    def predict(framework) -> str:
        return "All three are right. The profiler counts them in the next cells."

    return predict


predict = Halves(
    pytorch=predicts(updates=Number(32, {
        8: "is one for each step: each parameter has a `sub_` of its own.",
        4: "is one step alone.",
        16: "counts two parameters: a bias is one too.",
        64: "is one `sub_` too many for each parameter: `mul_` is another operation.",
    })),
    tensorflow=predicts(graphs=Number(4, {
        8: "is one for each step: three batches of an epoch have one shape and one rate.",
        2: "is one for each rate, or one for each size of batch: both are part of a trace.",
        1: "would be one for any rate and any size: what is `step` given?",
    })),
)  # fmt: skip


# Task 2


def decode_once(framework, make_loader) -> str:
    """Decode each file once, and augment it anew in each epoch."""
    rng = np.random.default_rng()
    n = int(rng.integers(130, 159))  # more than `functools.lru_cache` keeps
    files, labels = 1000 * rng.permutation(np.arange(1, 200))[:n], rng.integers(10, size=n)
    decoded, given, drawn, calls = [], [], [], itertools.count(1)

    def read(path: str) -> np.ndarray:
        decoded.append(path)
        return np.full(64, int(path.split("/")[0]), np.float32)

    def shift(image: np.ndarray) -> np.ndarray:  # call number k adds k
        given.append((image.shape, image.flat[0] in files))
        return image + np.float32(next(calls))

    paths, sizes = [f"{each}/digit.png" for each in files], [SIZE] * (n // SIZE) + [n % SIZE]
    # First a loader of the same files with another `decode`: what that keeps must not come again.
    for functions in (lambda path: np.zeros(64, "f"), lambda image: image), (read, shift):
        decode, augment = framework.stored(*functions)
        loader = call(make_loader, paths=paths, labels=labels, decode=decode, augment=augment)
        if not hasattr(loader, "__iter__"):
            raise Wrong(f"`make_loader` must return a loader; it returns {kind_of(loader)}.")
        if functions[0] is not read:
            list(itertools.islice(loader, 9))
    for epoch in range(1, EPOCHS + 1):
        batches = list(itertools.islice(loader, 9))
        pairs = (isinstance(each, tuple | list) and len(each) == 2 for each in batches)
        if not (all(pairs) and all(map(framework.is_tensor, itertools.chain(*batches)))):
            raise Wrong("A batch must be a pair of tensors: images and labels.")
        found = [to_numpy(y).size for _, y in batches]
        refuse({
            "`decode` or `augment` is not called in this process: do without workers here, and "
            "without what another loader kept.": not decoded or getattr(loader, "num_workers", 0),
            f"`augment` is to get one image, (64,); it gets {given and given[0][0]}.": any(
                shape != (64,) for shape, _ in given
            ),
            f"Epoch {epoch} has batches of {found} images; they must be {sizes}.": found != sizes,
            "`augment` gets an image that is not as `decode` gave it: it was augmented before, "
            "perhaps in place, or kept in another form.": not all(known for _, known in given),
        })  # fmt: skip
        x, y = (np.concatenate([to_numpy(each[i]) for each in batches]) for i in (0, 1))
        drawn.append(x % 1000)
        images = np.repeat(files[:, None], 64, axis=1).astype("f")
        compare(f"X of epoch {epoch}", np.sort(x - drawn[-1], axis=0), np.sort(images, axis=0))
        compare(f"y of epoch {epoch}", np.sort(y), np.sort(labels))
        if not ((x - drawn[-1] == images).all() and (y == labels).all()):
            raise Wrong("The images have to come in the order of `paths`, with their labels.")
    refuse({
        "Images come as they were decoded, without `augment`.": not np.all(drawn),
        "An augmented image comes in more than one epoch: keep what `decode` gives, and augment "
        "that in every epoch.": np.unique(drawn).size < n * EPOCHS,
        f"All is right, but in {EPOCHS} epochs {n} files are decoded {len(decoded)} times.": (
            len(decoded) > n
        ),
    })  # fmt: skip
    return f"{EPOCHS} epochs decode each file once, and augment each image {EPOCHS} times."


# Task 3


def trained(weights: list, batches: list, rates, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """The losses, and the weights in one row, of SGD on an MLP with tanh, in NumPy."""
    losses = []
    for (x, y), rate in zip(batches, rates, strict=True):
        inputs, layers, after = [x], list(zip(weights[::2], weights[1::2], strict=True)), []
        for weight, bias in layers:
            inputs.append(np.tanh(logits := inputs[-1] @ weight + bias))
        share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        losses.append(-np.log(share[np.arange(len(y)), y]).mean())
        delta = (share - np.eye(share.shape[1])[y]) / len(y)
        for (weight, bias), before in zip(layers[::-1], inputs[-2::-1], strict=True):
            pairs = (weight, before.T @ delta), (bias, delta.sum(axis=0))
            after = [old - rate * (new + decay * old) for old, new in pairs] + after
            delta = delta @ weight.T * (1 - before**2)
        weights = after
    return np.array(losses), np.concatenate([weight.ravel() for weight in weights])


def step(framework, make_step) -> str:
    """Train as before, with fewer operations or fewer traces."""
    rng, counts, models = np.random.default_rng(), [], []
    rates = rng.permutation(np.linspace(0.1, 0.4, 6)) + rng.uniform(0, 0.01)
    for depth in framework.depths:
        sizes = [64, *rng.integers(6, 12, size=depth - 1), 10]
        shapes = [each for pair in itertools.pairwise(sizes) for each in (pair, pair[1:])]
        weights = [rng.normal(scale=0.5, size=shape).astype("f") for shape in shapes]
        arrays = [(rng.random((n, 64), "f"), rng.integers(10, size=n)) for n in (50, 3, 3, 5, 3, 1)]
        model, weights_now, seen = framework.model(weights)
        one = call(make_step, model=model)
        if not callable(one):
            raise Wrong(f"`make_step` must return a function; it returns {kind_of(one)}.")
        pairs = zip(arrays, rates, strict=True)
        batches = [(*map(framework.tensor, each), float(rate)) for each, rate in pairs]
        with framework.counting(model, seen):
            losses = [one(*each) for each in batches]
        counts.append(seen)
        models.append(model)
        right, after = trained(weights, arrays, rates, DECAY)
        mistakes = {
            "is that of a training that keeps the first rate: each call gives its own.":
                trained(weights, arrays, rates[:1].repeat(6), DECAY)[1],
            "is that of a training without weight decay.": trained(weights, arrays, rates, 0)[1],
        }  # fmt: skip
        now = np.concatenate([each.ravel() for each in weights_now()])
        compare("The row of all weights", now, after.astype("f"), relative=1e-4, mistakes=mistakes)
        for loss, number in zip(losses, right, strict=True):
            must_be_tensor(framework, "What `step` returns", loss)
            compare("The loss that `step` returns", loss, number.astype("f"), relative=1e-4)
    framework.judge_counts(counts, models, batches[0][0], len(rates))
    return "The network is the same, and each step does less."


# Task 4


def losses(framework, values: np.ndarray) -> tuple[Callable, list]:
    """A step that gives these losses, and how many graphs of earlier ones lived at each call."""
    (loss, alive), counts = framework.loss(), []

    def step(*_, **__):
        counts.append(len(alive))
        return loss(values[(len(counts) - 1) % len(values)])

    return step, counts


def epoch(framework, train_epoch) -> str:
    """Read nothing from the losses of an epoch before its last step."""
    rng = np.random.default_rng()
    sizes = [8] * int(rng.integers(9, 14)) + [int(rng.integers(1, 4))]
    values = rng.uniform(0.5, 3, size=len(sizes)).astype("f")
    values[-1] += 20
    arrays = [(rng.normal(size=(n, 4)), rng.integers(10, size=n)) for n in sizes]
    batches, rate = [tuple(map(framework.tensor, each)) for each in arrays], float(rng.random())
    (inner, counts), seen = losses(framework, values), []

    def step(X, y, lr):  # noqa: N803 - the names that the exercise has
        seen.append((id(X), id(y), float(lr)))
        return inner()

    result = call(train_epoch, step=step, batches=batches, lr=rate)
    if not isinstance(result, float):
        raise Wrong(f"`train_epoch` must return a Python float; it returns {kind_of(result)}.")
    if seen != [(id(x), id(y), rate) for x, y in batches]:
        raise Wrong("`step` must be called with X, y and `lr`, for each batch once, in order.")
    compare(
        "The mean loss", result, np.average(values, weights=sizes), relative=1e-5,
        mistakes={
            "is the mean of the batches' losses: a smaller batch counts less.": values.mean(),
            "is a sum: divide it by the number of images.": values @ np.float32(sizes),
            "is the loss of the last batch.": values[-1],
        },
    )  # fmt: skip
    refuse({
        f"The mean is right, but a number is read before the last of the {len(sizes)} steps: "
        "Python waits there for it.": framework.read_early(train_epoch, values, batches, rate),
        f"The mean is right, but at the last step the graphs of {counts[-1]} earlier losses are "
        "still in memory: keep a loss without its graph.": counts[-1] > 2,
    })  # fmt: skip
    return "The mean is right, and nothing is read before the last step."


# Task 5


def evaluation(framework, accuracy) -> str:
    """Evaluate many images at a time."""
    rng = np.random.default_rng()
    for n in (2 * MOST - 1, MOST):  # batches of one less would be one more, in either
        x = rng.permuted(np.tile(np.arange(10, dtype="f"), (n, 1)), axis=1)  # no ties
        miss = np.arange(n) % 5 == 0
        miss[MOST:] = False  # so that the mean of two batches is another
        y = x.argsort(axis=1)[np.arange(n), -1 - miss]
        model, seen = framework.probe()
        result = call(accuracy, model=model, X=framework.tensor(x), y=framework.tensor(y))
        if not isinstance(result, float):
            raise Wrong(f"`accuracy` must return a Python float; it returns {kind_of(result)}.")
        runs, after = seen()
        sizes, training, graphs = np.array(runs, int).reshape(-1, 3).T
        refuse({
            "The model is run in training mode.": training.any(),
            f"The model has seen {sizes.sum()} images; there are {n}.": sizes.sum() < n,
        })  # fmt: skip
        compare(
            "The accuracy", result, 1 - miss.mean(), relative=1e-6,
            mistakes={
                "is the mean of the batches' shares: a smaller batch counts less.":
                    1 - miss[:MOST].mean() / 2,
                "is how many are right, not their share.": n - miss.sum(),
                "is the share of errors.": miss.mean(),
            },
        )  # fmt: skip
        least = math.ceil(n / MOST)
        refuse({
            "After `accuracy` the model cannot be trained as before: set back what you have "
            "changed of it.": not after,
            f"The accuracy is right, but a run gets {sizes.max()} images: at most {MOST}, so that "
            "there is memory for any number of them.": sizes.max() > MOST,
            f"The accuracy is right, but {n} images take {len(sizes)} runs of the model; {least} "
            f"of at most {MOST} would do.": len(sizes) > least,
            "The accuracy is right, and the runs are few. But they record a graph for a backward "
            "pass that never comes.": graphs.any(),
        })  # fmt: skip
    return f"The accuracy is right, with at most {MOST} images in a run, and no run too many."


TASKS = (predict, decode_once, step, epoch, evaluation)
