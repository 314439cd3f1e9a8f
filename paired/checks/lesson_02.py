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
from paired.checks.judging import Wrong, call, close, compare, kind_of, parts, refuse, to_numpy

import numpy as np

# A network of 18 doublings has 2**18 paths and a few dozen nodes.
DOUBLINGS, CALLS = 18, 200_000
LIMIT, FEW_DIGITS = 2.0, 1e-5


class PyTorch(adapters.PyTorch):
    """What the checks need besides of PyTorch, and the tasks of this half alone."""

    exporter, refusal = "`torch.export`", "GuardOnDataDependentSymNode"
    leaf_note = "no parameter of this graph: a leaf's tensor is `node.variable`."
    tracing = contextlib.nullcontext

    def graph(self, rng: np.random.Generator, doublings: int) -> tuple[object, list, dict]:
        """A loss, the parameters behind it, and what to say of parameters that are not."""
        import torch

        def passed(gradient):
            raise Wrong("Your function computes a gradient: the walk is only to look.")

        x, weight = rng.normal(size=(2, 3, 3))
        shared, deep, bias = (self.variable(weight) for _ in range(3))  # three that are equal
        y = torch.addmm(bias, (self.tensor(x) @ shared).tanh() @ shared, deep).mean()
        for _ in range(doublings):
            y = y + y
        y.register_hook(passed)
        return y, [shared, deep, bias], {}

    def captured(self, clip: Callable, example: np.ndarray) -> Callable:
        """`clip` as a graph of `x`, captured on an example."""
        import torch

        class Module(torch.nn.Module):
            def forward(self, x):
                return clip(x, LIMIT)

        return torch.export.export(Module(), (self.tensor(example),)).module()

    def bug_hunt(self, probe) -> str:
        """Mend a hook that lasts too long, and changes what it has recorded."""
        import torch
        from torch import nn

        class Squashed(nn.Linear):  # its way back needs what left it
            def forward(self, x):
                return torch.tanh(super().forward(x))

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                kinds = nn.Linear, Squashed, nn.Linear
                self.first, self.hidden, self.last = (kind(4, 4) for kind in kinds)

            def forward(self, x):
                hidden = self.hidden(torch.tanh(self.first(x)))
                if x.isinf().any():
                    raise ArithmeticError("infinity")
                return self.last(torch.tanh(hidden))

        model, x = Model().double(), self.tensor(np.random.default_rng().normal(size=(3, 4)))
        model.last.eval()  # and the others train
        twin, ran = copy.deepcopy(model), []
        model.hidden.register_forward_hook(lambda *_: ran.append(1))  # somebody else's
        plain, before = to_numpy(twin(x)), _state(model)

        def differs() -> str:
            now = _state(model)
            if names := [name for name in now | before if now.get(name) != before.get(name)]:
                return f"`{names[0]}` differs"
            return "" if close(to_numpy(model(x)), plain) else "its output differs"

        for scale in (3.0, 0.0):
            ran.clear()
            result = call(probe, model=model, layer=model.hidden, X=x, scale=scale)
            result = parts("probe", result, "what left the layer", "the output")
            hidden = twin.hidden(torch.tanh(twin.first(x)))
            output, weight = twin.last(torch.tanh(scale * hidden)), model.hidden.weight
            hidden, right = to_numpy(hidden), torch.autograd.grad(output.sum(), twin.hidden.weight)
            note = "has been multiplied: a list holds the tensor itself, and `*=` changes it."
            compare("What left the layer", result[0], hidden, mistakes={note: scale * hidden})
            mistakes = {
                "is that of the untouched model: what does the hook return?": plain,
                "is scaled at the end, and not after the layer.": scale * plain,
            }
            compare("The output", result[1], to_numpy(output), mistakes=mistakes)
            # The weight is added, zero times, for an output that no graph leads to.
            stuck = (
                "The output is right, but asking for its gradient raises an error: is a tensor "
                "changed in place that the way back needs?"
            )
            with _saying(stuck, "RuntimeError"):
                got = torch.autograd.grad(result[1].sum() + 0 * weight.sum(), weight)
            refuse({
                f"The layer ran {len(ran)} times: one run of the model shows it all.": len(ran) > 1,
                "The output is right, but not its gradient with respect to the layer's weight: the "
                "scale has to be part of the graph, and the graph that of this model.": (
                    not close(*map(to_numpy, got + right))
                ),
                f"After `probe` the model is not as it was: {differs()}.": differs(),
            })  # fmt: skip
        for bad in (x[:, :3], x * np.inf):
            with contextlib.suppress(RuntimeError, ArithmeticError):  # the model's
                call(probe, model=model, layer=model.hidden, X=bad, scale=2.0)
                raise Wrong("`probe` hides an error of the model: let it pass.")
            if name := differs():
                raise Wrong(
                    f"When the model raises an error it is not as it was: {name}. Tidy up in "
                    "`finally`, or let a `with` do it."
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
            with _quiet(), _saying(refused, self.refusal):
                program = call(build, limit=float(limit))
            if not isinstance(program, torch.export.ExportedProgram):
                raise Wrong(f"`build` returns {kind_of(program)}, not an `ExportedProgram`.")
            module = program.module()
            for (length, large), sign, high in itertools.product(lengths, (1, -1), (False, True)):
                x = rng.uniform(-0.5, 0.5, size=length)
                x[rng.integers(length)] = sign * (large if high else 0.8)
                x *= limit
                sizes = (
                    f"The graph refuses {length} numbers: without `dynamic_shapes`, or with bounds "
                    "in them, it is made for the sizes of the example."
                )
                with _saying(sizes, "RuntimeError", "AssertionError"):
                    result = module(self.tensor(x))
                exp = np.exp(x - x.max())
                took = close(to_numpy(result), exp / exp.sum())  # the branch of large numbers
                if not took:
                    compare(f"The result for {length} numbers", result, x - x.mean())
                taken.append((high, took))
            x = np.array([0.0, limit, -limit])  # its mean is 0
            equal = close(to_numpy(module(self.tensor(x))), x)
        top, *sides = [
            {node: f"{node.target}..".split(".")[1] for node in each.graph.nodes}
            for each in program.graph_module.modules()
            if hasattr(each, "graph")
        ]
        given = {top[each] for node in top if "cond" in str(node.target) for each in node.args[3]}
        either = {"softmax", "_softmax", "log_softmax", "exp", "logsumexp"}, {"mean"}
        refuse({
            "Every input takes the same branch, whatever the numbers in `x` are.": (
                len({took for _, took in taken}) == 1
            ),
            "Some inputs take the wrong branch: is the largest magnitude compared with `limit`?": (
                any(took != high for high, took in taken)
            ),
            "A number that equals `limit` takes the wrong branch: compare with `>`.": not equal,
            "The results are right, but the graph computes both branches every time, where the "
            "original runs one: compute each in a function of its own for `torch.cond`.": (
                given & {"sub", "div", "sum"}
                or any(own & {*top.values()} for own in either)
                or any(all(own & {*side.values()} for side in sides) for own in either)
            ),
        })  # fmt: skip
        return "One graph for every length, with both branches in it: it chooses when it runs."


def _state(model) -> dict:
    """What a module and its parts hold, by attribute, as numbers that can be compared."""
    state = {}
    for module in model.modules():
        for name, value in vars(module).items():
            held = value.items() if isinstance(value, dict) else [("", value)]
            state.setdefault(name, []).append([(key, id(each)) for key, each in held])
    return state


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    exporter, refusal = "`tf.function`", "OperatorNotAllowedInGraphError"
    leaf_note = "no parameter of this graph: the variables themselves are in `concrete.variables`."

    def graph(self, rng: np.random.Generator, doublings: int) -> tuple[object, list, dict]:
        """As `PyTorch.graph`: the result is the first output of a concrete function."""
        import tensorflow as tf

        variables = [self.variable(weight) for weight in [rng.normal(size=(3, 3))] * 5]
        shared, deep, bias, other, counter = variables

        @tf.function
        def losses(x):
            counter.assign_add(x)
            y = tf.reduce_mean(tf.add_n([bias, tf.tanh(x @ shared) @ shared, x @ deep]))
            for _ in range(doublings):
                y = y + y
            return y, tf.reduce_sum(x @ other)

        concrete = losses.get_concrete_function(tf.TensorSpec([3, 3], tf.float64))
        return concrete, variables[:3], {
            "The list holds a variable that the graph changes and never reads for the output.": (
                counter
            ),
            "The list holds a variable that only the second output depends on.": other,
        }  # fmt: skip

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
            said = textwrap.shorten(seen.cause_message, 200, placeholder=" ...")
            where = f"in line {own[0].lineno} of its cell, `{own[0].code.strip()}`."
            raise Wrong(f"While it is traced, your code raises `{said}` {where}") from None

    def captured(self, clip: Callable, example: np.ndarray) -> Callable:
        """`clip` as a graph of `x`, traced for an array of this shape."""
        import tensorflow as tf

        function = tf.function(lambda x: clip(x, LIMIT))
        return self._graph_alone("`clip`", function, self.tensor(example))

    def _graph_alone(self, name: str, function, example):
        """The concrete function for an example, which must not go back into Python."""
        concrete = function.get_concrete_function(example)
        graph = concrete.graph.as_graph_def()
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        if any("PyFunc" in node.op for node in nodes):
            own = "use TensorFlow's own operations."
            raise Wrong(f"The graph of {name} calls back into Python: {own}")
        return concrete

    def _traced(self, name: str, function):
        """The function, which must be a `tf.function`."""
        import tensorflow as tf

        if not isinstance(function, tf.types.experimental.PolymorphicFunction):
            raise Wrong(f"{name} is {kind_of(function)}, and must be a `tf.function`.")
        return function

    def bug_hunt(self, make_augment) -> str:
        """Mend a function whose trace has frozen what is to change from call to call."""
        rng, calls = np.random.default_rng(), 256
        augment = self._traced("`augment`", call(make_augment))
        counts, mirrored = [], []
        for _ in range(calls):
            image = rng.normal(size=(3, 4)).astype("float32")
            with self.tracing():
                result = call(augment, image=self.tensor(image))
            got, count = parts("augment", result, "image", "count")
            mirrored.append(close(to_numpy(got), image[:, ::-1]))
            if not mirrored[-1]:
                upside = {"is upside down: the columns are the second axis.": image[::-1]}
                compare("An image", got, image, mistakes=upside)
            counts.append(self._count(count))
        traces = augment.experimental_get_tracing_count()
        self._graph_alone("`augment`", augment, self.tensor(image))
        turns = sum(a != b for a, b in itertools.pairwise(mirrored)) > calls * 7 / 8
        refuse({
            f"The count is 1 in each of {calls} calls. What Python adds is added in the trace, "
            "and not again.": counts == [1] * calls,
            f"The count after calls 1, 2 and 3 is {counts[0]}, {counts[1]}, {counts[2]}.": (
                counts != list(range(1, calls + 1))
            ),
            f"In {calls} calls every image {'is mirrored' if mirrored[0] else 'stays as it is'}: "
            "what is drawn while the function is traced stays the same.": len(set(mirrored)) == 1,
            f"{sum(mirrored)} of {calls} images are mirrored: it should be half.": (
                abs(sum(mirrored) / calls - 0.5) > 5 / 32  # five standard deviations
            ),
            "Mirrored images and plain ones take turns: draw a random number.": turns,
            f"{calls} images of one shape brought {traces} traces; one should do.": traces != 1,
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
        """Write a session's run as a function with variables of its own."""
        rng = np.random.default_rng()
        batches = [rng.normal(3, 1, size) for size in (4, 1, 7, 4)]
        own = np.array([batch.mean() for batch in batches])
        ends = np.cumsum([batch.size for batch in batches])
        right = np.cumsum(np.concatenate(batches))[ends - 1] / ends
        add = self._traced("What `build` returns", call(build))
        for n, batch in enumerate(batches):
            with self.tracing(), _quiet():
                result = call(add, x=self.tensor(batch))
            mistakes = {
                "is that of this batch alone: what is to last from call to call must be a "
                "`tf.Variable`.": own[n],
                "is the mean of the batches' means: a large batch counts for more.": (
                    own[: n + 1].mean()
                ),
            }
            compare(f"The mean after batch {n + 1}", result, right[n], mistakes=mistakes)
        if (count := add.experimental_get_tracing_count()) != 1:
            raise Wrong(
                f"It was traced {count} times, for batches of three sizes. One trace does: the "
                "size is left open in `input_signature`, and the variables are there before it."
            )
        self._graph_alone("what `build` returns", add, self.tensor(batch))
        second, x = call(build), self.tensor(batches[1])
        means = [to_numpy(each(x)) for each in (second, add)]
        total = (right[-1] * ends[-1] + own[1]) / (ends[-1] + 1)
        if not close(np.array(means), np.array([own[1], total])):
            raise Wrong("A second `build` shares its numbers with the first: each has its own.")
        return "Five batches and a second build agree with the session, in one graph."


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
    return "All three are right. The next cells let the framework say so itself."


def parameters_behind(framework, parameters_behind) -> str:
    """Walk a graph backwards from a result to the parameters."""
    rng, calls = np.random.default_rng(), itertools.count()

    def watch(*_) -> None:
        if next(calls) > CALLS:
            raise Wrong(
                f"In a graph where {DOUBLINGS} nodes use the one before twice, your walk takes "
                f"every path, and there are {2**DOUBLINGS}: keep what you have met."
            )

    graphs = [framework.graph(rng, doublings) for doublings in (0, DOUBLINGS)]
    for result, right, wrong in 2 * graphs:  # the second walk begins with nothing, as the first
        before = sys.getprofile()
        sys.setprofile(watch)  # counts what Python calls, and what returns
        try:
            found = call(parameters_behind, result=result)
        finally:
            sys.setprofile(before)
        watch()  # in case the student's code has caught it
        if not isinstance(found, list):
            raise Wrong(f"The result must be a list of parameters; it is {kind_of(found)}.")
        ids, wanted = list(map(id, found)), set(map(id, right))
        refuse({sentence: id(other) in ids for sentence, other in wrong.items()})
        if strange := [kind_of(thing) for thing in found if id(thing) not in wanted]:
            raise Wrong(f"The list holds {strange[0]}, {framework.leaf_note}")
        refuse({
            "The list holds a parameter more than once: it is used more than once.": (
                len(ids) > len(set(ids))
            ),
            f"The list holds {len(ids)} of {len(wanted)} parameters: does each walk begin anew, "
            "follow all inputs, and keep what has the same numbers apart?": len(ids) < len(wanted),
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
        return np.float32(x * norm * LIMIT / np.linalg.norm(x))

    for shape, (name, norm) in itertools.product(
        ((5,), (3, 4)), (("long", 3.5), ("short", 0.7), ("zero", 0))
    ):
        x = scaled(shape, norm)
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
        with _quiet(), framework.tracing(), _saying(refused, framework.refusal):
            graph = framework.captured(clip, scaled(shape, first))
        for norm in (0.7, 3.5, 0.2, 1.4, 0.0):
            x = scaled(shape, norm)
            result = graph(framework.tensor(x))
            compare("What the graph returns", result, expected(x), relative=FEW_DIGITS)
    for norm in (0.7, 3.5):
        x, column = scaled((1, 5), norm), scaled((5, 1), 1)
        _, (got,) = framework.gradients(
            lambda x, column=column: (clip(x, LIMIT) @ framework.tensor(column))[0, 0], x
        )
        unit, row = x / np.linalg.norm(x), column.T * min(1, 1 / norm)
        slope = row - unit * (unit @ row.T) if norm > 1 else row
        mistakes = {"takes the norm for a constant; it depends on `x`, too.": row}
        compare("The gradient", got, slope, mistakes=mistakes, relative=FEW_DIGITS)
    return "One graph shortens what is long and leaves what is short: the choice is in the graph."


@contextlib.contextmanager
def _saying(sentence: str, *errors: str) -> Iterator[None]:
    """Raise `Wrong` with a sentence in place of errors of these names."""
    try:
        yield
    except Exception as error:
        raise (Wrong(sentence) if type(error).__name__ in errors else error) from None


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
