"""Wrong answers to the exercise of lesson 02 in TensorFlow."""
# ruff: noqa: N803 - the exercise names a matrix X

import itertools

import numpy as np
import tensorflow as tf

from wrong_answers import WrongAnswers, lesson_02

wrong = WrongAnswers()
lesson_02.add_predictions(
    wrong,
    appends={
        1: "would be right if `n` were a tensor. For each new Python number there is a new graph.",
        3: "is one more than the numbers that `n` has been.",
        4: "is one for each pair of tensor and number. A tensor's values start no new graph.",
        5: "is the number of calls. A call for which there is a graph does not run the Python.",
    },
    graphs={
        2: "is `torch.compile`'s number, which makes a length a symbol. `tf.function` by itself "
        "does not: it keeps one graph for each shape.",
    },
    right=(2, 4, 3),
)


def _walk(concrete, parents=lambda op: [t.op for t in op.inputs], remember=True, roots=None):
    ops, seen, waiting = [], set(), roots or [concrete.outputs[0].op]
    while waiting:
        op = waiting.pop()
        if op.name in seen:
            continue
        if remember:
            seen.add(op.name)
        ops.append(op)
        waiting.extend(parents(op))
    return ops


def _variables(concrete, ops):
    handles = {inner.op.name: outer for outer, inner in concrete.graph.captures}
    reached = [handles[op.name] for op in ops if op.name in handles]
    return [v for handle in reached for v in concrete.variables if v.handle is handle]


@wrong.brings(
    "parameters_behind",
    "The list holds a parameter too many, one that is changed by the graph and never read for the "
    "output.",
)
def lists_all_variables(concrete):
    return list(concrete.variables)


@wrong.brings(
    "parameters_behind",
    "The list holds a parameter too many, one that is changed by the graph and never read for the "
    "output.",
)
def follows_control_inputs(concrete):
    def parents(op):
        return [t.op for t in op.inputs] + list(op.control_inputs)

    return sorted(_variables(concrete, _walk(concrete, parents)), key=lambda v: v.shape.rank)


@wrong.brings(
    "parameters_behind",
    "The list holds a parameter too many, one that only the second output depends on.",
)
def starts_from_every_output(concrete):
    return _variables(concrete, _walk(concrete, roots=[t.op for t in concrete.outputs]))


@wrong.brings(
    "parameters_behind",
    "The list holds 0 of 3 parameters: does the walk follow every input of a node?",
)
def follows_the_last_input_only(concrete):
    return _variables(concrete, _walk(concrete, lambda op: [t.op for t in op.inputs][-1:]))


@wrong.brings(
    "parameters_behind",
    "The list holds a parameter more than once: it is used more than once.",
)
def forgets_where_it_was(concrete):
    return _variables(concrete, _walk(concrete, remember=False))


@wrong.brings(
    "parameters_behind",
    "In a graph where 18 nodes use the one before twice, your walk takes every path, and there "
    "are 262144: keep what you have met.",
)
def walks_down_by_itself_every_time(concrete):
    found = []

    def visit(op):
        found.extend(v for v in _variables(concrete, [op]) if not any(v is each for each in found))
        for tensor in op.inputs:
            visit(tensor.op)

    visit(concrete.outputs[0].op)
    return found


@wrong.brings(
    "parameters_behind",
    "The list holds a part of the graph: the variables themselves are in `concrete.variables`.",
)
def lists_the_operations(concrete):
    return [op for op in _walk(concrete) if op.type == "ReadVariableOp"]


@wrong.brings(
    "parameters_behind",
    "The list holds a part of the graph: the variables themselves are in `concrete.variables`.",
)
def lists_the_handles(concrete):
    return [v.handle for v in _variables(concrete, _walk(concrete))]


@wrong.brings("parameters_behind", "The list holds a `str`.")
def lists_the_names(concrete):
    return [v.name for v in _variables(concrete, _walk(concrete))]


@wrong.brings("parameters_behind", "The result must be a list of parameters; it is a `int`.")
def counts_them(concrete):
    return len(_variables(concrete, _walk(concrete)))


@wrong.brings(
    "parameters_behind",
    "The list holds a `ndarray`.",
)
def lists_the_values(concrete):
    return [v.numpy() for v in _variables(concrete, _walk(concrete))]


@wrong.brings(
    "parameters_behind",
    "The list holds 0 of 3 parameters: does the walk follow every input of a node?",
)
def looks_at_the_last_operation_only(concrete):
    return _variables(concrete, [tensor.op for tensor in concrete.outputs[0].op.inputs])


def _clip(x, limit):
    if len(x.shape) > 2:
        raise ValueError
    return x * tf.minimum(1.0, limit / tf.norm(x))


lesson_02.add_explanations(wrong, _clip)


def _clips(message):
    return wrong.brings("explain_error", message, 5, "norm")


REFUSED = (
    "`tf.function` still refuses: `clip` still asks for a value that is not there while the graph "
    "is traced."
)


@_clips(REFUSED)
def leaves_it(x, limit):
    rank = len(x.shape)
    if rank > 2:
        raise ValueError("a vector or a matrix, please")
    norm = tf.norm(x)
    factor = min(1.0, limit / norm)
    return factor * x


@_clips(
    "While it is traced, your line `return x * np.minimum(np.float32(1.0), limit / norm)` raises "
    "`NotImplementedError: Cannot convert a symbolic tf.Tensor (truediv:0) to a numpy array. This "
    "error may indicate that you're trying to pass a Tensor to a NumPy call, which is not "
    "supported.`."
)
def uses_numpy(x, limit):
    if len(x.shape) > 2:
        raise ValueError
    norm = tf.norm(x)
    return x * np.minimum(np.float32(1.0), limit / norm)


@_clips(REFUSED)
def writes_the_comparison_with_and(x, limit):
    if len(x.shape) > 2:
        raise ValueError
    norm = tf.norm(x)
    return [v for v in (x * limit / norm, x) if v is x or norm > limit][0]  # noqa: RUF015


@_clips(REFUSED)
def uses_max(x, limit):
    if len(x.shape) > 2:
        raise ValueError
    return x * (limit / max(tf.norm(x), limit))


@_clips(REFUSED)
@tf.autograph.experimental.do_not_convert
def uses_if_without_autograph(x, limit):
    if len(x.shape) > 2:
        raise ValueError
    norm = tf.norm(x)
    return x * limit / norm if norm > limit else x


@_clips(
    "While it is traced, your line `norm = tf.norm(x).numpy()` raises `AttributeError: "
    "'SymbolicTensor' object has no attribute 'numpy'`."
)
def asks_for_the_number(x, limit):
    if len(x.shape) > 2:
        raise ValueError
    norm = tf.norm(x).numpy()
    return x * np.float32(min(1.0, limit / norm)) if norm else x


@_clips(
    "The graph of `clip` calls back into Python, which does not travel with a saved graph: use "
    "TensorFlow's own operations."
)
def escapes_into_python(x, limit):
    if len(x.shape) > 2:
        raise ValueError

    def plain(x):
        norm = np.linalg.norm(x)
        return (x * min(1.0, limit / norm) if norm else x).astype("float32")

    y = tf.numpy_function(plain, [x], tf.float32)
    y.set_shape(x.shape)
    return y


@_clips("`run_functions_eagerly` takes the graph away instead of mending it; it is off again now.")
def switches_graphs_off(x, limit):
    tf.config.run_functions_eagerly(run_eagerly=True)
    return _clip(x, limit)


@_clips("What the graph returns has the right shape and dtype, but wrong values.")
def chooses_by_whether_it_is_traced(x, limit):
    if len(x.shape) > 2:
        raise ValueError
    norm = tf.norm(x)
    if not tf.executing_eagerly() or norm > limit:
        x = x * limit / norm
    return x


@_clips("A short array, clipped, has norm 2: what is short already stays as it is.")
def scales_everything(x, limit):
    return x * limit / tf.norm(x)


@_clips("A long array, clipped, is not shortened.")
def takes_the_larger(x, limit):
    return x * tf.maximum(limit / tf.norm(x), 1.0)


@_clips("A long array, clipped, is clipped number by number; wanted is the same direction.")
def clips_the_numbers(x, limit):
    return tf.clip_by_value(x, -limit, limit)


@_clips("A long array, clipped, has the right shape and dtype, but wrong values.")
def clips_row_by_row(x, limit):
    return tf.clip_by_norm(x, limit, axes=[-1])


@_clips("A zero array, clipped, contains NaN or infinity.")
def mixes_by_arithmetic(x, limit):
    norm = tf.norm(x)
    long = tf.cast(norm > limit, tf.float32)
    return long * (x * limit / norm) + (1 - long) * x


@_clips("`clip` takes an array of rank 3 now. A shape is known: lines 1 to 3 can stay.")
def forgets_the_rank(x, limit):
    return x * tf.minimum(1.0, limit / tf.norm(x))


@_clips("A long array, clipped, has dtype float64, it must have float32.")
def computes_in_float64(x, limit):
    return x.numpy() * np.float64(min(1.0, limit / np.linalg.norm(x.numpy())))


ONCE = (
    "The count is 1 in each of 64 calls: Python adds while the function is traced, and the graph "
    "holds the sum."
)


@wrong.brings("bug_hunt", ONCE)
def finds_only_the_random_number():
    count = 0

    @tf.function
    def augment(image):
        nonlocal count
        count += 1
        if tf.random.uniform([]) < 0.5:
            image = image[:, ::-1]
        return image, count

    return augment


@wrong.brings("bug_hunt", ONCE)
def keeps_the_count_in_a_tensor():
    count = tf.constant(0)

    @tf.function
    def augment(image):
        if tf.random.uniform([]) < 0.5:
            image = image[:, ::-1]
        return image, count + 1

    return augment


def _augment(random, column=True):
    """Count in a variable, and mirror where `random()` is below one half."""

    def make():
        count = tf.Variable(0)

        @tf.function
        def augment(image):
            count.assign_add(1)
            mirrored = image[:, ::-1] if column else image[::-1]
            return tf.where(random() < 0.5, mirrored, image), count.read_value()

        return augment

    return make


FROZEN = "a random number that is drawn while the function is traced stays the same ever after."
wrong.add("bug_hunt", _augment(lambda: np.float32(0.3)),
          message=f"In 64 calls every image is mirrored: {FROZEN}")  # fmt: skip
wrong.add("bug_hunt", _augment(lambda: np.float32(0.6)),
          message=f"In 64 calls every image stays as it is: {FROZEN}")  # fmt: skip
wrong.add("bug_hunt", _augment(lambda: tf.random.stateless_uniform([], seed=(1, 2))),
          message=f"In 64 calls every image stays as it is: {FROZEN}")  # fmt: skip
wrong.add("bug_hunt", _augment(lambda: tf.random.uniform([]), column=False),
          message="An image is upside down: the columns are the second axis.")  # fmt: skip
wrong.add("bug_hunt", _augment(lambda: tf.numpy_function(np.random.random, [], tf.float64)),
          message="The graph of `augment` calls back into Python, which does not travel with a "
          "saved graph: use TensorFlow's own operations.")  # fmt: skip


@wrong.brings("bug_hunt", "`make_augment` returns a `function`, and must return a `tf.function`.")
def takes_the_decorator_off():
    count = 0

    def augment(image):
        nonlocal count
        count += 1
        return (image[:, ::-1] if np.random.random() < 0.5 else image), count

    return augment


@wrong.brings("bug_hunt", "`make_augment` returns a `function`, and must return a `tf.function`.")
def makes_a_graph_in_each_call():
    count = tf.Variable(0)

    def augment(image):
        return tf.function(lambda image: (image, count.assign_add(1)))(image)

    return augment


@wrong.brings(
    "bug_hunt",
    "`run_functions_eagerly` takes the graph away instead of mending it; it is off again now.",
)
def switches_the_graphs_off():
    tf.config.run_functions_eagerly(run_eagerly=True)
    count = 0

    @tf.function
    def augment(image):
        nonlocal count
        count += 1
        return tf.where(np.random.random() < 0.5, image[:, ::-1], image), tf.constant(count)

    return augment


@wrong.brings(
    "translation",
    "`run_functions_eagerly` takes the graph away instead of mending it; it is off again now.",
)
def runs_eagerly(start, lr):
    tf.config.run_functions_eagerly(run_eagerly=True)
    return _build()(start, lr)


@wrong.brings(
    "bug_hunt", "`make_augment` returns a `ConcreteFunction`, and must return a `tf.function`."
)
def returns_one_graph():
    count = tf.Variable(0)

    @tf.function
    def augment(image):
        return image, count.assign_add(1)

    return augment.get_concrete_function(tf.TensorSpec([3, 4], tf.float32))


@wrong.brings(
    "bug_hunt",
    "While it is traced, your line `count = tf.Variable(0)` raises `ValueError: tf.function only "
    "supports singleton tf.Variables created on the first call. Make sure the tf.Variable is only "
    "created once or created outside tf.function. See ...`.",
)
def makes_the_variable_inside():
    @tf.function
    def augment(image):
        count = tf.Variable(0)
        count.assign_add(1)
        return image, count.read_value()

    return augment


_COUNT = tf.Variable(0)


_COUNTS = [tf.Variable(0) for _ in range(2)]
_MADE = itertools.count()


@wrong.brings(
    "bug_hunt", "A second function from `make_augment` goes on with the first one's count."
)
def shares_one_count():
    count = _COUNTS[next(_MADE) // 2]  # a second check starts from 0 again

    @tf.function
    def augment(image):
        count.assign_add(1)
        if tf.random.uniform([]) < 0.5:
            image = image[:, ::-1]
        return image, count.read_value()

    return augment


@wrong.brings("bug_hunt", "An image of another shape is traced anew, and the count is lost then.")
def counts_for_each_shape():
    counts = [tf.Variable(0) for _ in range(9)]

    @tf.function
    def augment(image):
        if tf.random.uniform([]) < 0.5:
            image = image[:, ::-1]
        return image, counts[image.shape[0]].assign_add(1)

    return augment


def _regularly(often):
    def make():
        count = tf.Variable(0)

        @tf.function
        def augment(image):
            if count.assign_add(1) % often == 0:
                image = image[:, ::-1]
            return image, count.read_value()

        return augment

    return make


wrong.add("bug_hunt", _regularly(16), message="4 of 64 images are mirrored: it should be half.")
wrong.add("bug_hunt", _regularly(2),
          message="Mirrored images and plain ones take turns: draw a random number.")  # fmt: skip


@wrong.brings("bug_hunt", "The count after calls 1, 2 and 3 is 0, 1, 2.")
def counts_too_late():
    count = tf.Variable(0)

    @tf.function
    def augment(image):
        before = count.read_value()
        count.assign_add(1)
        if tf.random.uniform([]) < 0.5:
            image = image[:, ::-1]
        return image, before

    return augment


@wrong.brings("bug_hunt", "`augment` returns two tensors: the image and the count.")
def returns_the_image_alone():
    @tf.function
    def augment(image):
        return tf.where(tf.random.uniform([]) < 0.5, image[:, ::-1], image)

    return augment


def _build(
    signature=([None, 3], [None]), counts=True, moves=True, after=False, first=0.0, sign=1,
    evaluate_moves=False, evaluate_counts=False, decorate=True, w=None, steps=None,
):  # fmt: skip
    """A `build` with one mistake."""
    options = {}
    if signature:
        options["input_signature"] = [tf.TensorSpec(shape, tf.float64) for shape in signature]

    def graph(function):
        return tf.function(function, **options) if decorate else function

    def build(start, lr, w=w, steps=steps):
        w = tf.Variable(start) if w is None else w
        steps = tf.Variable(first, dtype=tf.float64) if steps is None else steps

        def loss_of(X, y):
            return tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)

        @graph
        def train(X, y):
            with tf.GradientTape() as tape:
                loss = loss_of(X, y)
            if moves:
                w.assign_sub(sign * lr / (1 + steps) * tape.gradient(loss, w))
            if counts:
                steps.assign_add(1)
            return loss_of(X, y) if after else loss

        def counting(X, y):
            steps.assign_add(1)
            return loss_of(X, y)

        evaluate = train if evaluate_moves else graph(counting if evaluate_counts else loss_of)
        return train, evaluate

    return build


def _builds(message, **mistake):
    wrong.add("translation", _build(**mistake), message=message)


_builds(
    "The list of losses fits a rate that stays at its first: `steps` has to count in the "
    "graph, as a `tf.Variable`.",
    counts=False,
)
_builds(
    "The list of losses fits weights that never move: what is to last from call to call must "
    "be a `tf.Variable`.",
    moves=False,
)
_builds(
    "The list of losses is that after each step, and the session gives the loss before it.",
    after=True,
)
_builds("The list of losses fits a rate that is a step too far: the first is `lr` itself.",
        first=1.0)  # fmt: skip
_builds("The list of losses fits steps up the slope.", sign=-1)
_builds(
    "What `evaluate` says changes from call to call: only `train` takes a step.",
    evaluate_moves=True,
)
_builds(
    "The list of losses of a second `build` fits an `evaluate` that counts a step: only `train` "
    "does.",
    evaluate_counts=True,
)
_builds("`train` is a `function`, and must be a `tf.function`.", decorate=False)
_builds(
    "`train` was traced 3 times, for batches of three sizes. The session had one graph: say what "
    "a placeholder said, with `None`, in `input_signature`.",
    signature=None,
)


_W = tf.Variable([0.0, 0.0, 0.0], dtype=tf.float64)


@wrong.brings("translation", "A second `build` changes the first: each has variables of its own.")
def sets_one_variable(start, lr):
    _W.assign(start)
    return _build(w=_W)(start, lr)


_STEPS = [tf.Variable(0.0, dtype=tf.float64) for _ in range(2)]
_BUILT = itertools.count()


@wrong.brings(
    "translation",
    "The list of losses of a second `build` has the right shape and dtype, but wrong values.",
)
def goes_on_counting(start, lr):
    return _build(steps=_STEPS[next(_BUILT) // 2])(start, lr)


@wrong.brings(
    "translation",
    "The list of losses fits a rate that stays at its first: `steps` has to count in the "
    "graph, as a `tf.Variable`.",
)
def counts_in_python(start, lr):
    w, steps = tf.Variable(start), 0
    signature = [tf.TensorSpec([None, 3], tf.float64), tf.TensorSpec([None], tf.float64)]

    @tf.function(input_signature=signature)
    def evaluate(X, y):
        return tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)

    @tf.function(input_signature=signature)
    def train(X, y):
        nonlocal steps
        with tf.GradientTape() as tape:
            loss = evaluate(X, y)
        w.assign_sub(lr / (1 + steps) * tape.gradient(loss, w))
        steps += 1
        return loss

    return train, evaluate


@wrong.brings(
    "translation",
    "The list of losses fits weights that never move: what is to last from call to call must "
    "be a `tf.Variable`.",
)
def keeps_the_weights_in_a_tensor(start, lr):
    w, steps = tf.constant(start), tf.Variable(0.0, dtype=tf.float64)
    signature = [tf.TensorSpec([None, 3], tf.float64), tf.TensorSpec([None], tf.float64)]

    @tf.function(input_signature=signature)
    def evaluate(X, y):
        return tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)

    @tf.function(input_signature=signature)
    def train(X, y):
        nonlocal w
        with tf.GradientTape() as tape:
            tape.watch(w)
            loss = tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)
        w = w - lr / (1 + steps) * tape.gradient(loss, w)
        steps.assign_add(1)
        return loss

    return train, evaluate


class _Trainer(tf.Module):
    def __init__(self, start, lr):
        self.w, self.steps, self.lr = tf.Variable(start), tf.Variable(0.0), lr

    @tf.function
    def train(self, X, y):
        return tf.reduce_mean((tf.linalg.matvec(X, self.w) - y) ** 2)


@wrong.brings(
    "translation",
    "While it is traced, your line `return tf.reduce_mean((tf.linalg.matvec(X, self.w) - y) ** 2)` "
    "raises `AttributeError: 'NoneType' object has no attribute 'w'`. A method does not keep its "
    "object alive: keep a reference to it.",
)
def loses_the_object(start, lr):
    trainer = _Trainer(start, lr)
    return trainer.train, trainer.train


@wrong.brings(
    "translation",
    "What `evaluate` says fits the weights from before the training: both functions need the same "
    "variable.",
)
def has_two_sets_of_weights(start, lr):
    return _build()(start, lr)[0], _build()(start, lr)[1]


@wrong.brings("translation", "`build` returns two functions: `train` and `evaluate`.")
def returns_train_alone(start, lr):
    return _build()(start, lr)[0]


@wrong.brings(
    "translation",
    "While it is traced, your line `w.assign_sub(lr / (1 + steps) * tape.gradient(loss, w))` "
    "raises `TypeError: Input 'y' of 'Mul' Op has type float64 that does not match type float32 of "
    "argument 'x'.`.",
)
def counts_in_float32(start, lr):
    w, steps = tf.Variable(start), tf.Variable(0.0)

    @tf.function
    def train(X, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((tf.linalg.matvec(X, w) - y) ** 2)
        w.assign_sub(lr / (1 + steps) * tape.gradient(loss, w))
        steps.assign_add(1)
        return loss

    return train, train


@wrong.brings("translation", "A loss has shape (4,); it must be one number.")
def forgets_the_mean(start, lr):
    w = tf.Variable(start)

    @tf.function
    def train(X, y):
        return (tf.linalg.matvec(X, w) - y) ** 2

    return train, train
