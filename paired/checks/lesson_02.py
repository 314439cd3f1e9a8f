"""Lesson 02, graphs: static and dynamic: the checks of its exercise.

An answer is run on inputs drawn anew, and more than once: what a graph has frozen shows in the
second call. The last two tasks are others in each half, and stand in its class.
"""

import contextlib
import copy
import io
import itertools
import logging
import sys
import textwrap
from collections.abc import Callable, Iterator

from paired.checks import adapters
from paired.checks.answers import Choice, Halves, Number, task
from paired.checks.judging import (
    Wrong,
    call,
    close,
    compare,
    kind_of,
    parts,
    refuse,
    to_numpy,
)

import numpy as np

# A network of 18 doublings has 2**18 paths and a few dozen nodes.
DOUBLINGS, CALLS = 18, 20_000
LIMIT, LR, FEW_DIGITS = 2.0, 0.25, 1e-5


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch, and the tasks of this half alone."""

    exporter = "`torch.export`"
    leaf_note = "a leaf's tensor is `node.variable`."
    tracing = contextlib.nullcontext

    def graph(self, rng: np.random.Generator, doublings: int) -> tuple[object, list, dict]:
        """A loss, the parameters behind it, and what to say of parameters that are not."""
        shared, deep, bias = (self.variable(rng.normal(size=(3, 3))) for _ in range(3))
        x = self.tensor(rng.normal(size=(3, 3)))
        y = (bias + (x @ shared).tanh() @ shared @ deep).mean()
        for _ in range(doublings):
            y = y + y
        return y, [shared, deep, bias], {}

    def refusal(self) -> type[Exception]:
        """What is raised where Python asks for a number while a graph is made."""
        import torch

        return torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode

    def captured(self, clip: Callable, example: np.ndarray) -> Callable:
        """`clip` as a graph of `x`, captured on an example."""
        import torch

        class Module(torch.nn.Module):
            def forward(self, x):
                return clip(x, LIMIT)

        module = torch.export.export(Module(), (self.tensor(example),)).module()

        def run(array: np.ndarray):
            promised = (
                "The graph refuses some inputs: a promise to the exporter (`torch._check`) keeps "
                "one branch, and both are wanted."
            )
            with _saying(promised, RuntimeError):
                return module(self.tensor(array))

        return run

    def bug_hunt(self, probe) -> str:
        """Mend a hook that lasts too long, and changes what it has recorded."""
        import torch
        from torch import nn

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.hidden, self.last = (nn.Linear(4, n) for n in (4, 4, 2))

            def forward(self, x):
                return self.last(torch.tanh(self.hidden(torch.tanh(self.first(x)))))

        model, x = Model().double(), self.tensor(np.random.default_rng().normal(size=(3, 4)))
        model.last.eval()  # and the others train
        twin, ran = copy.deepcopy(model), []
        model.hidden.register_forward_hook(lambda *_: ran.append(1))  # somebody else's
        hooks, attributes = dict(model.hidden._forward_hooks), set(vars(model.hidden))

        def expected(scale: float) -> tuple:
            hidden = twin.hidden(torch.tanh(twin.first(x)))
            return hidden, twin.last(torch.tanh(scale * hidden))

        def altered() -> bool:
            same = model.hidden._forward_hooks == hooks and set(vars(model.hidden)) == attributes
            return not (same and close(to_numpy(model(x)), plain))

        plain = to_numpy(twin(x))
        for scale, before in ((3.0, 0.0), (2.0, 3.0)):
            ran.clear()
            with torch.enable_grad():  # what the answer sets ends here
                result = call(probe, model=model, layer=model.hidden, X=x, scale=scale)
            result = parts("probe", result, "what left the layer", "the output")
            hidden, output = map(to_numpy, expected(scale))
            mistakes = {
                "has been multiplied: a list holds the tensor itself, and `*=` changes it.": (
                    scale * hidden
                ),
                "has been multiplied by the scale of the call before: its hook is still there.": (
                    before * hidden
                ),
                "is what the layer makes of `X`; its input is what the layers before it make.": (
                    to_numpy(twin.hidden(x))
                ),
            }
            compare("What left the layer", result[0], hidden, mistakes=mistakes)
            mistakes = {
                "is that of the untouched model: what does the hook return?": plain,
                "is scaled at the end, and not after the layer.": scale * plain,
                "is scaled by the call before as well: its hook is still there.": (
                    to_numpy(expected(scale * before)[1])
                ),
            }
            compare("The output", result[1], output, mistakes=mistakes)
            if len(ran) > 1:
                raise Wrong(f"The layer ran {len(ran)} times: one run of the model shows it all.")
        pairs = zip(model.named_parameters(), twin.parameters(), strict=True)
        if changed := [name for (name, own), other in pairs if not torch.equal(own, other)]:
            raise Wrong(f"`probe` changes `{changed[0]}`: change what leaves the layer instead.")
        right = torch.autograd.grad(expected(scale)[1].sum(), twin.hidden.weight)
        weight = model.hidden.weight  # added, zero times: where no graph leads to it
        got = torch.autograd.grad(result[1].sum() + 0 * weight.sum(), weight)
        refuse({
            "The output is right and its gradient is not: the change has to be part of the graph, "
            "not made under `no_grad` or on `.data`.": not close(*map(to_numpy, got + right)),
            "`probe` calls `eval()` or `train()`, and the model stays in that mode.": (
                [m.training for m in model.modules()] != [m.training for m in twin.modules()]
            ),
            "`probe` removes hooks that are not its own: remove by the handle.": (
                not hooks.items() <= model.hidden._forward_hooks.items()
            ),
            "After `probe` the model is not as it was: is its hook, or an attribute, still there?":
                altered(),
        })  # fmt: skip
        for bad in (x[:, :3], None):
            with contextlib.suppress(RuntimeError, TypeError):  # the model's
                call(probe, model=model, layer=model.hidden, X=bad, scale=2.0)
                raise Wrong(
                    "`probe` hides an error of the model: let it pass, and remove the hook."
                )
            if altered():
                raise Wrong(
                    "When the model raises an error the hook stays: remove it in `finally`, or let "
                    "a `with` do it."
                )
        return "Two probes left the model and its gradient right, even when it raised an error."

    def translation(self, build) -> str:
        """Write a branch of TensorFlow's graphs as one of a graph of `torch.export`."""
        import torch

        refused = (
            "`torch.export` refuses the `if`: Python asks for a value that is not there yet. Give "
            "both branches to `torch.cond`."
        )
        rng, taken = np.random.default_rng(), []
        lengths = ((2, 1.4), (5, 1.2), (3, 1e4), (10_000, 1.6))  # with what is large, in limits
        for limit in rng.uniform((2.5, 0.2), (3.0, 0.3)):
            with _quiet(), _saying(refused, self.refusal()):
                program = call(build, limit=float(limit))
            if not isinstance(program, torch.export.ExportedProgram):
                raise Wrong(
                    "`build` returns what `torch.export.export` does, an `ExportedProgram`; this "
                    f"is {kind_of(program)}."
                )
            module = program.module()
            for (length, large), sign, high in itertools.product(lengths, (1, -1), (False, True)):
                x = rng.uniform(-0.5, 0.5, size=length)
                x[rng.integers(length)] = sign * (large if high else 0.8)
                x *= limit
                sizes = (
                    f"The graph refuses {length} numbers: without `dynamic_shapes`, or with bounds "
                    "in them, it is made for the sizes of the example."
                )
                with _saying(sizes, RuntimeError, AssertionError):
                    result = module(self.tensor(x))
                exp = np.exp(x - x.max())
                took = close(to_numpy(result), exp / exp.sum())  # the branch of large numbers
                if not took:
                    compare(f"The result for {length} numbers", result, x - x.mean())
                taken.append((sign, high, took))
        wrong = {sign for sign, high, took in taken if took != high}
        operations = [str(node.target) for node in program.graph.nodes]
        branches = any("cond" in each for each in operations)
        outside = {each.split(".")[1] for each in operations if "." in each}
        x = np.array([0.0, limit, -limit])  # its mean is 0
        refuse({
            "The branches are the wrong way round: `torch.cond` takes the true first.": (
                all(took != high for _, high, took in taken)
            ),
            "Every input takes the same branch: the condition was decided once, before the graph "
            "ran, and not by the numbers in `x`.": (
                not branches and len({took for _, _, took in taken}) == 1
            ),
            "Some inputs take the wrong branch: a large negative number counts too.": wrong == {-1},
            "Some inputs take the wrong branch: is the largest magnitude compared with `limit`?": (
                wrong
            ),
            "A number that equals `limit` takes the wrong branch: compare with `>`.": (
                not close(to_numpy(program.module()(self.tensor(x))), x)
            ),
            "The results are right, but the graph computes both branches every time, where the "
            "original runs one: compute in the functions that `torch.cond` gets.": (
                not branches or outside & {"softmax", "_softmax", "exp", "logsumexp", "mean"}
            ),
        })  # fmt: skip
        return "One graph for every length, with both branches in it: it chooses when it runs."


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    exporter = "`tf.function`"
    leaf_note = "the variables themselves are in `concrete.variables`."

    def graph(self, rng: np.random.Generator, doublings: int) -> tuple[object, list, dict]:
        """As `PyTorch.graph`: the result is the first output of a concrete function."""
        import tensorflow as tf

        variables = [self.variable(rng.normal(size=(3, 3))) for _ in range(5)]
        shared, deep, bias, other, counter = variables

        @tf.function
        def losses(x):
            counter.assign_add(x)
            y = tf.reduce_mean(bias + tf.tanh(x @ shared) @ shared @ deep)
            for _ in range(doublings):
                y = y + y
            return y, tf.reduce_sum(x @ other)

        concrete = losses.get_concrete_function(tf.TensorSpec([3, 3], tf.float64))
        return concrete, variables[:3], {
            "The list holds a parameter too many, one that is changed by the graph and never read "
            "for the output.": counter,
            "The list holds a parameter too many, one that only the second output depends on.": (
                other
            ),
        }  # fmt: skip

    def refusal(self) -> type[Exception]:
        import tensorflow as tf

        return tf.errors.OperatorNotAllowedInGraphError

    @contextlib.contextmanager
    def tracing(self) -> Iterator[None]:
        """Say which line fails while TensorFlow traces: a traceback has AutoGraph's own files."""
        try:
            yield
        except Exception as error:
            seen = getattr(error, "ag_error_metadata", None)
            own = [frame for frame in seen.translated_stack if frame.is_converted] if seen else []
            if not own:
                raise
            said, line = textwrap.shorten(seen.cause_message, 200, placeholder=" ..."), own[0].code
            where = f"in line {own[0].lineno} of its cell, `{line.strip()}`."
            if "'NoneType' object has no attribute" in said and "self." in line:
                where += " A method does not keep its object alive: keep a reference to it."
            raise Wrong(f"While it is traced, your code raises `{said}` {where}") from None

    def captured(self, clip: Callable, example: np.ndarray) -> Callable:
        """`clip` as a graph of `x`, traced for an array of this shape."""
        import tensorflow as tf

        function = tf.function(lambda x: clip(x, LIMIT))
        concrete = function.get_concrete_function(self.tensor(example))
        self._must_be_graph("clip", function)
        self._stays_in_the_graph("clip", concrete)
        return lambda array: concrete(self.tensor(array))

    def _stays_in_the_graph(self, name: str, concrete) -> None:
        definition = concrete.graph.as_graph_def()
        nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
        if any("PyFunc" in node.op for node in nodes):
            raise Wrong(
                f"The graph of `{name}` calls back into Python, which does not travel with a saved "
                "graph: use TensorFlow's own operations."
            )

    def _must_be_graph(self, name: str, function) -> None:
        import tensorflow as tf

        if tf.config.functions_run_eagerly() or "tf.config.functions_run_eagerly()" in self.left:
            raise Wrong("`run_functions_eagerly` takes the graph away instead of mending it.")
        if not isinstance(function, tf.types.experimental.PolymorphicFunction):
            raise Wrong(f"`{name}` is {kind_of(function)}, and must be a `tf.function`.")

    def bug_hunt(self, make_augment) -> str:
        """Mend a function whose trace has frozen what is to change from call to call."""
        import tensorflow as tf

        rng, calls = np.random.default_rng(), 256
        augment = call(make_augment)
        self._must_be_graph("augment", augment)
        counts, mirrored = [], []
        for _ in range(calls):
            image = rng.normal(size=(3, 4)).astype("float32")
            with self.tracing():
                result = call(augment, image=self.tensor(image))
            got, count = parts("augment", result, "image", "count")
            mirrored.append(close(to_numpy(got), image[:, ::-1]))
            if not mirrored[-1]:
                mistakes = {
                    "is upside down: the columns are the second axis.": image[::-1],
                    "is turned: the columns are the second axis.": image[::-1, ::-1],
                }
                compare("An image", got, image, mistakes=mistakes)
            counts.append(self._count(count))
        concrete = augment.get_concrete_function(tf.TensorSpec([3, 4], tf.float32))
        self._stays_in_the_graph("augment", concrete)
        words = "is mirrored" if mirrored[0] else "stays as it is"
        turns, traces = itertools.pairwise(mirrored), augment.experimental_get_tracing_count()
        refuse({
            f"The count is 1 in each of {calls} calls: Python adds while the function is traced, "
            "and the graph holds the sum.": counts == [1] * calls,
            f"The count after calls 1, 2 and 3 is {counts[0]}, {counts[1]}, {counts[2]}.": (
                counts != list(range(1, calls + 1))
            ),
            f"In {calls} calls every image {words}: a random number that is drawn while the "
            "function is traced stays the same ever after.": len(set(mirrored)) == 1,
            f"{sum(mirrored)} of {calls} images are mirrored: it should be half.": (
                abs(sum(mirrored) / calls - 0.5) > 5 / 32  # five standard deviations
            ),
            "Mirrored images and plain ones take turns: draw a random number.": (
                sum(a != b for a, b in turns) > calls * 7 / 8
            ),
            f"{calls} images of one shape brought {traces} traces; one should do.": traces != 1,
        })  # fmt: skip
        refuse({
            "An image of another shape is traced anew, and the count is lost then.": (
                self._count(augment(self.tensor(np.ones((5, 2), "float32")))[1]) != calls + 1
            ),
            "A second function from `make_augment` goes on with the first one's count.": (
                self._count(make_augment()(self.tensor(image))[1]) != 1
            ),
        })  # fmt: skip
        return f"One graph, {calls} calls: it counts them, and mirrors some images and not others."

    def _count(self, value) -> int:
        number = to_numpy(value)
        if number.shape != () or number.dtype.kind not in "iuf":
            raise Wrong(f"The count must be a number; its shape is {number.shape}.")
        return int(number)

    def translation(self, build) -> str:
        """Write a session's two runs as two functions that share their variables."""
        rng = np.random.default_rng()
        start, other = rng.normal(size=(2, 3))
        batches = [(rng.normal(size=(n, 3)), rng.normal(size=n)) for n in (4, 7, 5, 7)]
        train, evaluate = self._built(build, start, LR)

        def losses(w: np.ndarray = start, **mistake) -> np.ndarray:
            return _regress(w, batches, **mistake)[0]

        mistakes = {
            "fits weights that never move: what is to last from call to call must be a "
            "`tf.Variable`.": losses(scale=0),
            "fits a rate that stays at its first: `steps` has to count in the graph, as a "
            "`tf.Variable`.": losses(each=0),
            "fits a rate that is a step too far: the first is `lr` itself.": losses(first=2),
            "fits steps up the slope.": losses(scale=-1),
            "is that after each step, and the session gives the loss before it.": (
                losses(after=True)
            ),
        }
        right, w = _regress(start, batches)
        compare("The list of losses", self._losses(train, batches), right, mistakes=mistakes)
        wanted = losses(w, scale=0)
        mistakes = {
            "changes from call to call: only `train` takes a step.": losses(w, first=5),
            "fits the weights from before the training: both functions need the same variable.": (
                losses(scale=0)
            ),
        }
        compare("What `evaluate` says", self._losses(evaluate, batches), wanted, mistakes=mistakes)
        for name, function in {"train": train, "evaluate": evaluate}.items():
            if (count := function.experimental_get_tracing_count()) != 1:
                raise Wrong(
                    f"`{name}` was traced {count} times, for batches of three sizes. The session "
                    "had one graph: say what a placeholder said, with `None`, in `input_signature`."
                )
        step, look = self._built(build, other, LR / 2)
        both = [self._losses(function, [batch]) for batch in batches for function in (look, step)]
        mistakes = {
            "fits an `evaluate` that counts a step: only `train` does.": (
                losses(other, scale=0.5, first=2, each=2)
            ),
        }
        name = "The list of losses of a second `build`"
        compare(name, np.concatenate(both[1::2]), losses(other, scale=0.5), mistakes=mistakes)
        if not close(self._losses(evaluate, batches), wanted):
            raise Wrong("A second `build` changes the first: each has variables of its own.")
        return "Four steps and a second start agree with the session, in one graph for every size."

    def _built(self, build, start: np.ndarray, lr: float) -> tuple:
        functions = parts("build", call(build, start=start.copy(), lr=lr), "train", "evaluate")
        for name, function in zip(("train", "evaluate"), functions, strict=True):
            self._must_be_graph(name, function)
        return functions

    def _losses(self, function: Callable, batches: list) -> np.ndarray:
        with self.tracing(), _quiet():
            losses = [call(function, X=self.tensor(x), y=self.tensor(y)) for x, y in batches]
        for loss in losses:
            if to_numpy(loss).shape != ():
                raise Wrong(f"A loss has shape {to_numpy(loss).shape}; it must be one number.")
        return to_numpy(losses)


@task(
    num_appends=Number(
        Halves(5, 2),
        Halves(
            {
                2: "is how often `tf.function` would trace it. Nothing is traced here.",
                3: "is the number of calls with a new pair of arguments. Nothing is kept between "
                "calls.",
                1: "is one for the definition: Python runs the function's body in every call.",
            },
            {
                5: "is the number of calls. A call for which there is a graph does not run the "
                "Python.",
                4: "is one for each pair of tensor and number. A tensor's values start no new "
                "graph.",
                1: "would be right if `n` were a tensor. For each new Python number there is a new "
                "graph.",
                3: "is one more than the numbers that `n` has been.",
            },
        ),
    ),
    num_products=Number(
        4,
        {
            1: "is the number of lines that multiply. The loop is Python's: the graph has no loop.",
            3: "is one too few: the first round multiplies as well.",
            5: "counts the factors; each node multiplies two.",
            0: "fits a loop that is a node itself; this one is Python's, and leaves its rounds.",
        },
    ),
    num_graphs=Number(
        Halves(2, 3),
        {
            1: "would be right if sizes were never looked at.",
            4: "is one for each call: the first length comes back.",
            Halves(3, 2): Halves(
                "is one for each length. `torch.compile` learns from the second that it varies.",
                "is `torch.compile`'s number, which makes a length a symbol. `tf.function` by "
                "itself does not: it keeps one graph for each shape.",
            ),
        },
    ),
)
def predict(framework) -> str:
    """Calls of Python, nodes of a graph and graphs of a function, known before it runs."""
    return "All three are right. The next cell lets the framework say so itself."


def parameters_behind(framework, parameters_behind) -> str:
    """Walk a graph backwards from a result to the parameters."""
    rng, calls = np.random.default_rng(), itertools.count()

    def watch(*_) -> None:
        if next(calls) > CALLS:
            raise Wrong(
                f"In a graph where {DOUBLINGS} nodes use the one before twice, your walk takes "
                f"every path, and there are {2**DOUBLINGS}: keep what you have met."
            )

    for doublings in (0, DOUBLINGS):
        result, right, wrong = framework.graph(rng, doublings)
        before = sys.getprofile()
        sys.setprofile(watch)  # counts what Python calls, and what returns
        try:
            found = call(parameters_behind, result=result)
        finally:
            sys.setprofile(before)
        watch()  # in case the student's code has caught it
        if not isinstance(found, list | tuple | set):
            raise Wrong(f"The result must be a list of parameters; it is {kind_of(found)}.")
        ids, wanted = list(map(id, found)), set(map(id, right))
        refuse({sentence: id(other) in ids for sentence, other in wrong.items()})
        if strange := [kind_of(thing) for thing in found if id(thing) not in wanted]:
            note = f"which is no parameter: {framework.leaf_note}"
            raise Wrong(f"The list holds {strange[0]}, {note}")
        refuse({
            "The list holds a parameter more than once: it is used more than once.": (
                len(ids) > len(set(ids))
            ),
            f"The list holds {len(ids)} of {len(wanted)} parameters: does the walk follow every "
            "input of a node?": len(ids) < len(wanted),
        })  # fmt: skip
    return "The three parameters were found, each once, and nothing else."


@task(
    line=Number(
        5,
        {
            1: "is not 1: that asks for the number of axes, which is part of the shape.",
            2: "is not 2: that compares `rank`, which is part of the shape and known.",
            3: "is not 3: that is not reached, since `rank` is known, and it is 2 or less.",
            4: "is not 4: that computes with tensors, and a graph can hold that.",
            6: "is not 6: that is never reached, since the error comes before.",
        },
        "is {}, which is not a line of `clip`: give a number from 1 to 6.",
    ),
    unknown=Choice(
        "norm",
        {
            "rank": "that is part of the shape, and known.",
            "limit": "that is a number of Python's, and known.",
            "factor": "that is what the line would give; the error comes before.",
            "x": "that is not asked for on line 5: which variable made from it is?",
        },
    ),
)
def explain_error(framework, clip) -> str:
    """Say what a graph cannot hold, and mend it."""
    rng = np.random.default_rng()

    def expected(x: np.ndarray) -> np.ndarray:
        return np.float32(x * LIMIT / max(LIMIT, np.linalg.norm(x)))

    def scaled(shape: tuple[int, ...], norm: float) -> np.ndarray:
        x = rng.normal(size=shape)
        return np.float32(x * norm / np.linalg.norm(x))

    for shape, name in itertools.product(((5,), (3, 4)), ("long", "short", "zero")):
        x = scaled(shape, {"long": 3.5, "short": 0.7, "zero": 0}[name] * LIMIT)
        mistakes = {
            f"has norm {LIMIT:g}: what is short already stays as it is.": (
                np.float32(x * LIMIT / (np.linalg.norm(x) or 1))
            ),
            "is not shortened.": x,
            "is clipped number by number; wanted is the same direction.": np.clip(x, -LIMIT, LIMIT),
        }
        result = call(clip, x=framework.tensor(x), limit=LIMIT)
        name = f"A {name} array, clipped,"
        compare(name, result, expected(x), mistakes=mistakes, relative=FEW_DIGITS)
    with contextlib.suppress(ValueError):
        clip(framework.tensor(np.ones((2, 2, 2))), LIMIT)
        raise Wrong("`clip` takes an array of rank 3 now. A shape is known: lines 1 to 3 can stay.")
    # Captured on the one side, the graph must know the other side too.
    refused = (
        f"{framework.exporter} still refuses: `clip` still asks for a value that is not there "
        "while the graph is made."
    )
    for shape, first in (((5,), 3.5), ((3, 4), 0.7)):
        with _quiet(), framework.tracing(), _saying(refused, framework.refusal()):
            run = framework.captured(clip, scaled(shape, first * LIMIT))
        for norm in (0.7, 3.5, 0.2, 1.4, 0.0):
            x = scaled(shape, norm * LIMIT)
            compare("What the graph returns", run(x), expected(x), relative=FEW_DIGITS)
    return "One graph shortens what is long and leaves what is short: the choice is in the graph."


def _regress(
    start: np.ndarray, batches: list, *, scale=1, first=1, each=1, after: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Descend on the mean squared error; return the losses, before or after each step, and w."""
    losses, w = [], start
    for step, (x, y) in enumerate(batches):
        error = x @ w - y
        new = w - scale * LR / (first + each * step) * 2 * x.T @ error / len(y)
        losses.append(((x @ (new if after else w) - y) ** 2).mean())
        w = new
    return np.array(losses), w


@contextlib.contextmanager
def _saying(sentence: str, *errors: type[Exception]) -> Iterator[None]:
    """Raise `Wrong` with a sentence in place of these errors."""
    try:
        yield
    except errors:
        raise Wrong(sentence) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the frameworks log off the screen, and the graph that a refused export prints.

    TensorFlow warns of many traces over all checks of a code.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


TASKS = (
    predict,
    parameters_behind,
    explain_error,
    Halves(PyTorch.bug_hunt, TensorFlow.bug_hunt),
    Halves(PyTorch.translation, TensorFlow.translation),
)
