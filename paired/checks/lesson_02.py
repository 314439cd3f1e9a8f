"""Lesson 02, graphs: static and dynamic: the checks of its exercise.

An answer is run on inputs drawn anew, and more than once: what a graph has frozen shows in the
second call. What belongs to one framework's graphs is a method of its adapter.
"""

import contextlib
import io
import itertools
import logging
import math
import sys
import textwrap
from collections.abc import Iterator

from paired.checks import NotAttempted, Wrong, call, close, compare, to_numpy

import numpy as np

# A network of 18 doublings has 2**18 paths and a few dozen nodes.
DOUBLINGS, CALLS = 18, 20_000
LIMIT, LR = 2.0, 0.25

_PRODUCTS = "Which line computes with tensors, and how often does Python reach it when `n` is 4?"
_LINE = (
    "Two lines choose by a condition, 2 and 5. For each: is the answer known before there are any "
    "numbers in `x`?"
)


class _PyTorch:
    """What the checks need of PyTorch."""

    graphs, appends = 2, 5
    other_graphs = "is one for each length. `torch.compile` learns from the second that it varies."
    appends_note = {  # noqa: RUF012 - a constant
        2: "is how often `tf.function` would trace it. Nothing is traced here.",
        3: "is the number of calls with a new pair of arguments. Nothing is kept between calls.",
        1: "is one for the definition: Python runs the function's body in every call.",
    }

    # Task 2

    def graph(self, rng: np.random.Generator, doublings: int):
        """A loss, the parameters behind it, and some that are not."""
        import torch

        def parameter(*shape: int):
            return torch.nn.Parameter(torch.from_numpy(rng.normal(size=shape)))

        shared, deep, unused = (parameter(3, 3) for _ in range(3))
        bias, detached, frozen = (parameter(3) for _ in range(3))
        frozen.requires_grad_(requires_grad=False)
        x = torch.from_numpy(rng.normal(size=(2, 3)))
        hidden = torch.tanh(x @ shared + frozen) @ shared
        y = ((hidden * detached.detach()) @ deep + bias).mean()
        for _ in range(doublings):
            y = y + y
        _ = unused.sum() * y
        return y, [shared, deep, bias], {
            "a frozen one": frozen,
            "one that is only used through `detach()`": detached,
            "one that the loss does not depend on": unused,
        }  # fmt: skip

    def no_parameter(self, thing) -> str:
        import torch

        if isinstance(thing, torch.Tensor):
            return ""
        if hasattr(thing, "next_functions"):
            kind = type(thing).__name__
            return f"a node of the graph, `{kind}`: a leaf's tensor is `node.variable`."
        return f"a `{type(thing).__name__}`."

    # Task 3

    def eager(self, array: np.ndarray):
        import torch

        return torch.from_numpy(array.copy())

    def captured(self, function, example: np.ndarray):
        """The function of (x, limit) as a graph, captured on an example."""
        import torch

        class Module(torch.nn.Module):
            def forward(self, x):
                return function(x, LIMIT)

        with _quiet():
            try:
                program = torch.export.export(Module(), (self.eager(example),))
            except torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode:
                raise Wrong(
                    "`torch.export` still refuses: `clip` still asks for a value that is not there "
                    "while the graph is captured."
                ) from None
        module = program.module()

        def run(array: np.ndarray):
            try:
                return module(self.eager(array))
            except RuntimeError:
                raise Wrong(
                    "The graph refuses some inputs: a promise to the exporter (`torch._check`) "
                    "keeps one branch, and both are wanted."
                ) from None

        return run

    # Task 4

    def bug_hunt(self, probe) -> str:
        import torch
        from torch import nn

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.hidden, self.last = (nn.Linear(4, n) for n in (4, 4, 2))

            def forward(self, x):
                return self.last(torch.tanh(self.hidden(torch.tanh(self.first(x)))))

        model, x = Model().double(), self.eager(np.random.default_rng().normal(size=(3, 4)))
        weights = {name: to_numpy(p).copy() for name, p in model.named_parameters()}
        linear, ran = nn.functional.linear, []
        model.hidden.register_forward_hook(lambda *_: ran.append(1))  # somebody else's

        def expected(scale: float) -> tuple:  # without any hook
            inside = torch.tanh(linear(x, model.first.weight, model.first.bias))
            hidden = linear(inside, model.hidden.weight, model.hidden.bias)
            return hidden, linear(torch.tanh(scale * hidden), model.last.weight, model.last.bias)

        plain = to_numpy(expected(1.0)[1])
        for scale, before in ((3.0, 0.0), (2.0, 3.0)):
            hidden, output = expected(scale)
            ran.clear()
            result = call(probe, model=model, layer=model.hidden, X=x, scale=scale)
            if not isinstance(result, tuple | list) or len(result) != 2:
                raise Wrong("`probe` returns two tensors: what left the layer, and the output.")
            mistakes = {
                "has been multiplied: a list holds the tensor itself, and `*=` changes it.": (
                    scale * hidden
                ),
                "has been multiplied by the scale of the call before: its hook is still there.": (
                    before * hidden
                ),
                "is what the layer makes of `X`; its input is what the layers before it make.": (
                    linear(x, model.hidden.weight, model.hidden.bias)
                ),
            }
            mistakes = {sentence: to_numpy(tensor) for sentence, tensor in mistakes.items()}
            compare("What left the layer", result[0], to_numpy(hidden), mistakes=mistakes)
            mistakes = {
                "is that of the untouched model: what does the hook return?": plain,
                "is scaled at the end, and not after the layer.": scale * plain,
                "is scaled by the call before as well: its hook is still there.": (
                    to_numpy(expected(scale * before)[1])
                ),
            }
            compare("The output", result[1], to_numpy(output), mistakes=mistakes)
            if len(ran) > 1:
                raise Wrong(f"The layer ran {len(ran)} times: one run of the model shows it all.")
        for name, parameter in model.named_parameters():
            if not np.array_equal(to_numpy(parameter), weights[name]):
                raise Wrong(f"`probe` changes `{name}`: change what leaves the layer instead.")
        gradients = [
            torch.autograd.grad(y.sum(), model.hidden.weight, allow_unused=True)[0]
            if y.requires_grad
            else None
            for y in (result[1], output)
        ]
        if gradients[0] is None or not close(*map(to_numpy, gradients)):
            raise Wrong(
                "The output is right and its gradient is not: the change has to be part of the "
                "graph, not made under `no_grad` or on `.data`."
            )

        def changed() -> bool:
            return not close(to_numpy(model(x)), plain) or len(model.hidden._forward_hooks) > 1

        if not all(module.training for module in model.modules()):
            raise Wrong("`probe` calls `eval()`, and the model stays in that mode.")
        if changed():
            raise Wrong("After `probe` the model is not as it was: is its hook still there?")
        ran.clear()
        model(x)
        if not ran:
            raise Wrong("`probe` removes hooks that are not its own: remove by the handle.")
        try:
            call(probe, model=model, layer=model.hidden, X=x[:, :3], scale=2.0)
        except RuntimeError:
            if changed():
                raise Wrong(
                    "When the model raises an error the hook stays: remove it in `finally`, or let "
                    "a `with` do it."
                ) from None
        else:
            raise Wrong("`probe` hides an error of the model: let it pass, and remove the hook.")
        return (
            "Two probes left the layer's output, the weights, the gradient and the hooks of others "
            "as they were, even when the model raised an error."
        )

    # Task 5

    def translation(self, build) -> str:
        import torch

        taken = []
        for limit in np.random.default_rng().uniform((2.5, 0.2), (3.0, 0.3)):
            with _quiet():
                try:
                    program = call(build, limit=float(limit))
                except torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode:
                    raise Wrong(
                        "`torch.export` refuses the `if`: Python asks for a value that is not "
                        "there yet. Give both branches to `torch.cond`."
                    ) from None
            if not isinstance(program, torch.export.ExportedProgram):
                raise Wrong(
                    "`build` returns what `torch.export.export` does, an `ExportedProgram`; this "
                    f"is a `{type(program).__name__}`."
                )
            taken += self._branches(program, float(limit))
        wrong = [sign for sign, high, took in taken if took != high]
        if len(wrong) == len(taken):
            raise Wrong("The branches are the wrong way round: `torch.cond` takes the true first.")
        if len({took for _, _, took in taken}) == 1:
            raise Wrong(
                "Every input takes the same branch: the condition was decided once, before the "
                "graph ran, and not by the numbers in `x`."
            )
        if wrong:
            negative = set(wrong) == {-1}
            note = (
                "a large negative number counts too."
                if negative
                else "is the largest magnitude compared with `limit`?"
            )
            raise Wrong(f"Some inputs take the wrong branch: {note}")
        x = np.array([0.0, limit, -limit])
        if not close(to_numpy(program.module()(self.eager(x))), x):  # its mean is 0
            raise Wrong("A number that equals `limit` takes the wrong branch: compare with `>`.")
        if not any("cond" in str(node.target) for node in program.graph.nodes):
            raise Wrong(
                "The results are right, but the graph has no `cond` in it: it computes both "
                "branches every time, where the original runs one."
            )
        return "One graph for every length, with both branches in it: it chooses when it runs."

    def _branches(self, program, limit: float) -> Iterator[tuple[int, bool, bool]]:
        """Which branch inputs take: (sign of the largest number, whether it is above, whether so).

        Yields:
            The third is true for the branch of large numbers.
        """
        rng, module = np.random.default_rng(), program.module()
        for length, sign, high in itertools.product((2, 5, 3, 40), (1, -1), (False, True)):
            x = rng.uniform(-0.5, 0.5, size=length)
            x[rng.integers(length)] = sign * (rng.uniform(1.2, 1.6) if high else 0.8)
            x *= limit
            exp = np.exp(x - x.max())
            try:
                result = module(self.eager(x))
            except (RuntimeError, AssertionError):
                raise Wrong(
                    f"The graph refuses {length} numbers: without `dynamic_shapes`, or with bounds "
                    "in them, it is made for the sizes of the example."
                ) from None
            took = close(to_numpy(result), exp / exp.sum())
            if not took:
                compare(f"The result for {length} numbers", result, x - x.mean())
            yield sign, high, took


class _TensorFlow:
    """The same of TensorFlow."""

    graphs, appends = 3, 2
    other_graphs = (
        "is `torch.compile`'s number, which makes a length a symbol. `tf.function` by itself does "
        "not: it keeps one graph for each shape."
    )
    appends_note = {  # noqa: RUF012 - a constant
        5: "is the number of calls. A call for which there is a graph does not run the Python.",
        4: "is one for each pair of tensor and number. A tensor's values start no new graph.",
        1: "would be right if `n` were a tensor. For each new Python number there is a new graph.",
        3: "is one more than the numbers that `n` has been.",
    }

    # Task 2

    def graph(self, rng: np.random.Generator, doublings: int):
        """A concrete function, the variables behind its first output, and some that are not."""
        import tensorflow as tf

        def variable(*shape: int):
            return tf.Variable(rng.normal(size=shape))

        shared, deep, other, unused = (variable(3, 3) for _ in range(4))
        bias, counter = variable(3), variable()

        @tf.function
        def losses(x):
            counter.assign_add(1.0)
            hidden = tf.tanh(x @ shared) @ shared
            y = tf.reduce_mean(hidden @ deep + bias)
            for _ in range(doublings):
                y = y + y
            return y, tf.reduce_sum(x @ other)

        concrete = losses.get_concrete_function(tf.TensorSpec([2, 3], tf.float64))
        return concrete, [shared, deep, bias], {
            "one that is changed by the graph and never read for the output": counter,
            "one that only the second output depends on": other,
            "one that the graph does not hold": unused,
        }  # fmt: skip

    def no_parameter(self, thing) -> str:
        import tensorflow as tf

        if isinstance(thing, tf.Variable):
            return ""
        if isinstance(thing, tf.Tensor | tf.Operation):
            return "a part of the graph: the variables themselves are in `concrete.variables`."
        return f"a `{type(thing).__name__}`."

    # Task 3

    def eager(self, array: np.ndarray):
        import tensorflow as tf

        return tf.constant(array)

    def captured(self, function, example: np.ndarray):
        """The function of (x, limit) as a graph, traced for an array of this shape."""
        import tensorflow as tf

        def of_x(x):
            return function(x, LIMIT)

        try:
            with _tracing(tf.errors.OperatorNotAllowedInGraphError):
                concrete = tf.function(of_x).get_concrete_function(self.eager(example))
        except tf.errors.OperatorNotAllowedInGraphError:
            raise Wrong(
                "`tf.function` still refuses: `clip` still asks for a value that is not there "
                "while the graph is traced."
            ) from None
        self._stays_in_the_graph("clip", concrete)
        return lambda array: concrete(self.eager(array))

    def _stays_in_the_graph(self, name: str, concrete) -> None:
        self._has_graphs()
        definition = concrete.graph.as_graph_def()
        nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
        if any("PyFunc" in node.op for node in nodes):
            raise Wrong(
                f"The graph of `{name}` calls back into Python, which does not travel with a saved "
                "graph: use TensorFlow's own operations."
            )

    def _has_graphs(self) -> None:
        import tensorflow as tf

        if tf.config.functions_run_eagerly():
            tf.config.run_functions_eagerly(run_eagerly=False)
            raise Wrong(
                "`run_functions_eagerly` takes the graph away instead of mending it; it is off "
                "again now."
            )

    # Task 4

    def bug_hunt(self, make_augment) -> str:
        import tensorflow as tf

        rng, calls = np.random.default_rng(), 64
        augment = call(make_augment)
        self._has_graphs()
        if not isinstance(augment, tf.types.experimental.PolymorphicFunction):
            kind = type(augment).__name__
            raise Wrong(f"`make_augment` returns a `{kind}`, and must return a `tf.function`.")
        counts, mirrored = [], []
        for _ in range(calls):
            image = rng.normal(size=(3, 4)).astype("float32")
            with _tracing():
                result = call(augment, image=self.eager(image))
            if not isinstance(result, tuple | list) or len(result) != 2:
                raise Wrong("`augment` returns two tensors: the image and the count.")
            mirrored.append(close(to_numpy(result[0]), image[:, ::-1]))
            if not mirrored[-1]:
                mistakes = {
                    "is upside down: the columns are the second axis.": image[::-1],
                    "is turned: the columns are the second axis.": image[::-1, ::-1],
                }
                compare("An image", result[0], image, mistakes=mistakes)
            counts.append(self._count(result[1]))
        concrete = augment.get_concrete_function(tf.TensorSpec([3, 4], tf.float32))
        self._stays_in_the_graph("augment", concrete)
        if counts == [1] * calls:
            raise Wrong(
                f"The count is 1 in each of {calls} calls: Python adds while the function is "
                "traced, and the graph holds the sum."
            )
        if counts != list(range(1, calls + 1)):
            raise Wrong(
                f"The count after calls 1, 2 and 3 is {counts[0]}, {counts[1]}, {counts[2]}."
            )
        if len(set(mirrored)) == 1:
            words = "is mirrored" if mirrored[0] else "stays as it is"
            raise Wrong(
                f"In {calls} calls every image {words}: a random number that is drawn while the "
                "function is traced stays the same ever after."
            )
        if not calls / 8 < sum(mirrored) < calls * 7 / 8:
            raise Wrong(f"{sum(mirrored)} of {calls} images are mirrored: it should be half.")
        if sum(a != b for a, b in itertools.pairwise(mirrored)) > calls * 7 / 8:
            raise Wrong("Mirrored images and plain ones take turns: draw a random number.")
        if (traces := augment.experimental_get_tracing_count()) != 1:
            raise Wrong(f"{calls} images of one shape brought {traces} traces; one should do.")
        if self._count(augment(self.eager(np.ones((5, 2), "float32")))[1]) != calls + 1:
            raise Wrong("An image of another shape is traced anew, and the count is lost then.")
        if self._count(make_augment()(self.eager(image))[1]) != 1:
            raise Wrong("A second function from `make_augment` goes on with the first one's count.")
        return (
            f"One graph, {calls} calls: it counts them, and mirrors some of the images and not the "
            "others."
        )

    def _count(self, value) -> int:
        number = to_numpy(value)
        if number.shape != () or number.dtype.kind not in "iuf":
            raise Wrong(f"The count must be a number; its shape is {number.shape}.")
        return int(number)

    # Task 5

    def translation(self, build) -> str:
        rng = np.random.default_rng()
        start, other = rng.normal(size=(2, 3))
        batches = [(rng.normal(size=(n, 3)), rng.normal(size=n)) for n in (4, 7, 5, 7)]
        train, evaluate = self._built(build, start)
        losses = self._losses(train, batches)
        mistakes = {
            "fits weights that never move: what is to last from call to call must be a "
            "`tf.Variable`.": _regress(start, batches, rate=lambda step: 0)[0],
            "fits a rate that stays at its first: `steps` has to count in the graph, as a "
            "`tf.Variable`.": _regress(start, batches, rate=lambda step: LR)[0],
            "fits a rate that is a step too far: the first is `lr` itself.": (
                _regress(start, batches, rate=lambda step: LR / (2 + step))[0]
            ),
            "fits steps up the slope.": _regress(start, batches, rate=lambda s: -LR / (1 + s))[0],
            "is that after each step, and the session gives the loss before it.": (
                _regress(start, batches, after=True)[0]
            ),
        }
        right, w = _regress(start, batches)
        compare("The list of losses", losses, right, mistakes=mistakes)
        wanted = _regress(w, batches, rate=lambda step: 0)[0]
        mistakes = {
            "changes from call to call: only `train` takes a step.": (
                _regress(w, batches, rate=lambda step: LR / (5 + step))[0]
            ),
            "fits the weights from before the training: both functions need the same variable.": (
                _regress(start, batches, rate=lambda step: 0)[0]
            ),
        }
        compare("What `evaluate` says", self._losses(evaluate, batches), wanted, mistakes=mistakes)
        for name, function in {"train": train, "evaluate": evaluate}.items():
            count = getattr(function, "experimental_get_tracing_count", lambda: 1)()
            if count != 1:
                raise Wrong(
                    f"`{name}` was traced {count} times, for batches of three sizes. The session "
                    "had one graph: say what a placeholder said, with `None`, in `input_signature`."
                )
        step, look = self._built(build, other)
        losses = []
        for batch in batches:  # `evaluate` in between must change nothing
            self._losses(look, [batch])
            losses.extend(self._losses(step, [batch]))
        right = _regress(other, batches)[0]
        mistakes = {
            "fits an `evaluate` that counts a step: only `train` does.": (
                _regress(other, batches, rate=lambda step: LR / (2 + 2 * step))[0]
            ),
        }
        name = "The list of losses of a second `build`"
        compare(name, np.array(losses), right, mistakes=mistakes)
        if not close(self._losses(evaluate, batches), wanted):
            raise Wrong("A second `build` changes the first: each has variables of its own.")
        return "Four steps and a second start agree with the session, in one graph for every size."

    def _built(self, build, start: np.ndarray) -> tuple:
        import tensorflow as tf

        functions = call(build, start=start.copy(), lr=LR)
        self._has_graphs()
        if not isinstance(functions, tuple | list) or len(functions) != 2:
            raise Wrong("`build` returns two functions: `train` and `evaluate`.")
        graphs = tf.types.experimental.PolymorphicFunction, tf.types.experimental.ConcreteFunction
        for name, function in zip(("train", "evaluate"), functions, strict=True):
            if not isinstance(function, graphs):
                kind = type(function).__name__
                raise Wrong(f"`{name}` is a `{kind}`, and must be a `tf.function`.")
        return tuple(functions)

    def _losses(self, function, batches: list) -> np.ndarray:
        with _tracing(), _unlogged():
            losses = [call(function, X=self.eager(x), y=self.eager(y)) for x, y in batches]
        for loss in losses:
            if to_numpy(loss).shape != ():
                raise Wrong(f"A loss has shape {to_numpy(loss).shape}; it must be one number.")
        return to_numpy(losses)


def predict(framework, num_appends, num_products, num_graphs) -> str:
    """Calls of Python, nodes of a graph and graphs of a function, known before it runs."""
    _counted("num_appends", num_appends, framework.appends, framework.appends_note)
    mistakes = {
        1: "is the number of lines that multiply. The loop is Python's: the graph has no loop.",
        3: "is one too few: the first round multiplies as well.",
        5: "counts the factors; each node multiplies two.",
        0: "fits a loop that is a node itself; this one is Python's, and leaves its rounds.",
    }
    _counted("num_products", num_products, 4, mistakes)
    mistakes = {
        1: "would be right if sizes were never looked at.",
        4: "is one for each call: the first length comes back.",
        5 - framework.graphs: framework.other_graphs,
    }
    _counted("num_graphs", num_graphs, framework.graphs, mistakes)
    return "All three are right. The next cell lets the framework say so itself."


def _counted(name: str, answer, right: int, mistakes: dict[int, str]) -> None:
    """Raise `Wrong` unless the answer is the right whole number."""
    try:
        number = math.nan if isinstance(answer, str) else float(answer)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(f"`{name}` must be a number; it is {answer!r}.")
    if number != right:
        raise Wrong(f"`{name}` {mistakes.get(number, f'is not {answer}.')}")


def parameters_behind(framework, parameters_behind) -> str:
    """Walk a graph backwards from a result to the parameters."""
    rng = np.random.default_rng()
    result, right, wrong = framework.graph(rng, 0)
    _found(framework, call(parameters_behind, result=result), right, wrong)
    result, right, wrong = framework.graph(rng, DOUBLINGS)
    too_many = (
        f"In a graph where {DOUBLINGS} nodes use the one before twice, your walk takes every path, "
        f"and there are {2**DOUBLINGS}: keep what you have met."
    )
    with _calls_at_most(CALLS, too_many):
        found = call(parameters_behind, result=result)
    _found(framework, found, right, wrong)
    return "The three parameters were found, each once, and nothing else."


def _found(framework, found, right: list, wrong: dict) -> None:
    if not isinstance(found, list | tuple | set):
        kind = type(found).__name__
        raise Wrong(f"The result must be a list of parameters; it is a `{kind}`.")
    found = list(found)
    for thing in found:
        if note := framework.no_parameter(thing):
            raise Wrong(f"The list holds {note}")
    for name, other in wrong.items():
        if any(thing is other for thing in found):
            raise Wrong(f"The list holds a parameter too many, {name}.")
    for thing in found:
        if not any(thing is each for each in right):
            raise Wrong("The list holds a tensor that is no parameter.")
        if sum(thing is each for each in found) > 1:
            raise Wrong("The list holds a parameter more than once: it is used more than once.")
    if len(found) < len(right):
        raise Wrong(
            f"The list holds {len(found)} of {len(right)} parameters: does the walk follow every "
            "input of a node?"
        )


def explain_error(framework, line, unknown, clip) -> str:
    """Say what a graph cannot hold, and mend it."""
    rng = np.random.default_rng()
    _explained(line, unknown)

    def expected(x: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(x)
        return x * min(1.0, LIMIT / norm) if norm else x

    def scaled(shape: tuple[int, ...], norm: float) -> np.ndarray:
        x = rng.normal(size=shape)
        return x * norm / np.linalg.norm(x)

    for shape in ((5,), (3, 4)):
        long, short = scaled(shape, 3.5 * LIMIT), scaled(shape, 0.7 * LIMIT)
        for name, x in {"long": long, "short": short, "zero": np.zeros(shape)}.items():
            mistakes = {
                f"has norm {LIMIT:g}: what is short already stays as it is.": (
                    x * LIMIT / (np.linalg.norm(x) or 1)
                ),
                "is not shortened.": x,
                "is clipped number by number; wanted is the same direction.": (
                    np.clip(x, -LIMIT, LIMIT)
                ),
            }
            result = call(clip, x=framework.eager(x.astype("float32")), limit=LIMIT)
            _compare(f"A {name} array, clipped,", result, expected(x), mistakes)
    try:
        clip(framework.eager(np.ones((2, 2, 2))), LIMIT)
    except ValueError:
        pass
    else:
        raise Wrong("`clip` takes an array of rank 3 now. A shape is known: lines 1 to 3 can stay.")
    # Captured on the one side, the graph must know the other side too.
    for shape, first in (((5,), 3.5), ((3, 4), 0.7)):
        run = framework.captured(clip, scaled(shape, first * LIMIT).astype("float32"))
        for norm in (0.7, 3.5, 0.2, 1.4, 0.0):
            x = scaled(shape, norm * LIMIT)
            _compare("What the graph returns", run(x.astype("float32")), expected(x))
    return (
        "One graph shortens what is long and leaves what is short: the choice is in the graph, and "
        "Python asks for no value any more."
    )


def _compare(name: str, value, expected: np.ndarray, mistakes: dict | None = None) -> None:
    """As `compare`, to five digits in float32."""
    mistakes = mistakes or {}
    got = to_numpy(value)
    for known in (expected, *mistakes.values()):
        same = got.dtype == np.float32 and got.shape == known.shape
        if same and np.allclose(got, known, rtol=0, atol=1e-5):
            value = known.astype("float32")
            break
    mistakes = {sentence: array.astype("float32") for sentence, array in mistakes.items()}
    compare(name, value, expected.astype("float32"), mistakes=mistakes)


def _explained(line, unknown) -> None:
    known = {
        1: "asks for the number of axes, which is part of the shape.",
        2: "compares `rank`, which is part of the shape and known.",
        3: "is not reached: `rank` is known, and it is 2 or less.",
        4: "computes with tensors, and a graph can hold that.",
        6: "is never reached: the error comes before.",
    }
    try:
        number = math.nan if isinstance(line, str | bool) else float(line)
    except (TypeError, ValueError):
        number = math.nan
    if number != 5:
        sentence = known.get(number, "is not a line of `clip`: give a number from 1 to 6.")
        raise Wrong(f"Line {line!r} {sentence}")
    names = {
        "rank": "is part of the shape, and known.",
        "limit": "is a number of Python's, and known.",
        "factor": "is what the line would give; the error comes before.",
        "x": "is not asked for on line 5: which variable made from it is?",
    }
    name = unknown.strip().strip("`") if isinstance(unknown, str) else None
    if name != "norm":
        sentence = names.get(name, "is not the name, as text, of a variable of `clip`.")
        raise Wrong(f"{unknown!r} {sentence}")


def bug_hunt(framework, answer) -> str:
    """Mend what lasts too long or not long enough: a hook, or the state of a graph."""
    return framework.bug_hunt(answer)


def translation(framework, build) -> str:
    """Write another time's or another framework's graph in today's idiom."""
    return framework.translation(build)


def _regress(start, batches, rate=lambda step: LR / (1 + step), after=False):
    """Descend on the mean squared error; return the losses, before or after each step, and w."""
    losses, w = [], start
    for step, (x, y) in enumerate(batches):
        error = x @ w - y
        losses.append((error**2).mean())
        w = w - rate(step) * 2 * x.T @ error / len(y)
        if after:
            losses[-1] = ((x @ w - y) ** 2).mean()
    return np.array(losses), w


@contextlib.contextmanager
def _calls_at_most(limit: int, message: str) -> Iterator[None]:
    """Raise `Wrong` once Python has called and returned more often than this in the block."""
    count = 0

    def watch(frame, event, argument):
        nonlocal count
        count += 1
        if count > limit:
            raise Wrong(message)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)
    if count > limit:
        raise Wrong(message)


@contextlib.contextmanager
def _tracing(*passing: type[Exception]) -> Iterator[None]:
    """Say which line fails while TensorFlow traces: the traceback has lines of its own making.

    AutoGraph's message is "in user code:", then frames of two lines, then the error; a frame of
    converted code ends in a star.
    """
    try:
        yield
    except (Wrong, NotAttempted, *passing):
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        frames = [i for i, line in enumerate(lines) if line.startswith("File ")]
        own = [i for i in frames if lines[i].endswith("*")]
        if not own or not lines[0].startswith("in user code"):
            raise
        said = textwrap.shorten(" ".join(lines[frames[-1] + 2 :]), 200, placeholder=" ...")
        line = lines[own[-1] + 1]
        lost = "'NoneType' object has no attribute" in said and "self." in line
        note = " A method does not keep its object alive: keep a reference to it." if lost else ""
        raise Wrong(f"While it is traced, your line `{line}` raises `{said}`.{note}") from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyTorch's log of a refused export, and the graph that it prints, off the screen."""
    with _unlogged(), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Keep logged warnings off the screen: TensorFlow counts traces over all checks of a code."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


ADAPTERS = {"pytorch": _PyTorch, "tensorflow": _TensorFlow}
TASKS = (predict, parameters_behind, explain_error, bug_hunt, translation)
