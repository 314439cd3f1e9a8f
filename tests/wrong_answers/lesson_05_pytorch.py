"""Wrong answers to the PyTorch half of lesson 05's exercise."""
# ruff: noqa: N803 - the exercise names matrices X and W

import copy
import functools
import pdb

import torch
from torch.nn.functional import relu, softplus

from wrong_answers import WrongAnswers, lesson_05

wrong = WrongAnswers()

lesson_05.add_predictions(
    wrong,
    (5, 1, 1),
    {
        "first": {
            4: "leaves one out: hooks run under `no_grad` too.",
            6: "counts `layer.forward(x)`, which goes around the hooks: `layer(x)` runs them.",
            3: "counts the rows of `x`: a hook sees the whole batch at once.",
        },
        "second": {
            0: "is not 0: the loss leads back through the layer.",
            2: "counts the ways from the loss to the layer: their gradients are added first.",
            4: "counts the calls of the layer; the loss leads back through the last of them only.",
            5: "counts the calls of the layer; the loss leads back through the last of them only.",
            6: "counts the calls of the layer; the loss leads back through the last of them only.",
        },
        "third": {
            0: "is not 0: a gradient arrives at `y`.",
            2: "counts the ways from the loss to `y`: their gradients are added first.",
            3: "counts the rows of `y`: a hook sees the whole gradient at once.",
            4: "counts the tensors that were called `y`: the hook is on the last of them.",
        },
    },
)


def _distance(X, centre, root):
    return root(((X - centre) ** 2).sum(dim=1)).mean()


def _mended(squares):
    zero = squares == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, squares).sqrt())


def mended(X, centre):
    return _distance(X, centre, _mended)


lesson_05.add_causes(
    wrong,
    {
        "difference": "its gradient is NaN, which the message complains of; the gradient one step "
        "before, on the way back, is not finite either.",
        "distance": "its gradient is 1 / n, a number.",
        "X": "its gradient is not finite either, but others are so before, on the way back.",
    },
    mended,
)


def mends(message):
    """Decorate a wrong way of taking the root."""

    def register(root):
        wrong.add("explain_error", "B", "squares", lambda X, centre: _distance(X, centre, root),
                  message=message)  # fmt: skip
        return root

    return register


FEW = (
    " agrees to a few digits only: a small number that is added, or a limit, changes the results. "
    "They must be exact."
)
STILL = (
    "Where a row is the centre, the gradient at `X` is still not finite. Choosing between results "
    "does not help: the gradient of what is not chosen is computed "
    "too, and infinity times 0 is NaN."
)


@mends(STILL)
def chooses_afterwards(squares):
    return torch.where(squares > 0, squares.sqrt(), 0.0)


@mends(STILL)
def replaces_nan_in_the_value(squares):
    return squares.sqrt().nan_to_num()


@mends(STILL)
def leaves_it_as_it_is(squares):
    return squares**0.5


@mends("Where a row is the centre, the value" + FEW)
def adds_an_epsilon(squares):
    return (squares + 1e-8).sqrt()


@mends("Where a row is the centre, the value" + FEW)
def sets_a_limit(squares):
    return squares.clamp(min=1e-10).sqrt()


@mends(
    "Where a row is the centre, the value leaves out rows that are the centre: their distance is "
    "0, and they count."
)
def leaves_rows_out(squares):
    return squares[squares > 0].sqrt()


@mends("No gradient arrives at `X`: something is cut off from it.")
def cuts_the_graph(squares):
    return squares.detach().sqrt()


@mends(
    "Where a row is very near the centre, the gradient at `X` has zero in rows that are not at the "
    "centre: only a distance of 0 is special."
)
def takes_near_rows_for_zero(squares):
    zero = squares < 1e-12
    return torch.where(zero, squares.detach().sqrt(), torch.where(zero, 1.0, squares).sqrt())


@mends("Where a row is the centre, the value is that of the squares: the root is missing.")
def leaves_the_root_out(squares):
    return squares


@mends("Where a row is the centre, the value is the sum: take the mean.")
def adds_them_up(squares):
    return len(squares) * _mended(squares)


@mends("Your function opens a debugger: take the breakpoint out before you check it.")
def keeps_a_breakpoint(squares):
    pdb.Pdb().set_trace()
    return _mended(squares)


def explains(message):
    """Decorate a wrong `mean_distance`."""
    return wrong.brings("explain_error", message, "B", "squares")


VALUE = "Where a row is the centre, the value "


@explains(f"{VALUE}has shape (7,), it must have (): one number, the mean of all rows.")
def forgets_the_mean(X, centre):
    return torch.linalg.vector_norm(X - centre, dim=1)


@explains(f"{VALUE}is the root of a mean: each row has its own root.")
def takes_the_mean_first(X, centre):
    return ((X - centre) ** 2).sum(dim=1).mean().sqrt()


@explains(f"{VALUE}is the root of a sum over all rows: each row has its own.")
def takes_the_norm_of_the_matrix(X, centre):
    return (X - centre).norm()


@explains(f"{VALUE}is that of columns: add up along the features of a row.")
def goes_along_columns(X, centre):
    return torch.linalg.vector_norm(X - centre, dim=0).mean()


@explains(f"{VALUE}adds up differences: square them, and take the root of the sum.")
def adds_absolute_differences(X, centre):
    return (X - centre).abs().sum(dim=1).mean()


@explains(VALUE.removesuffix(" ") + FEW)
def takes_a_distance_with_an_epsilon(X, centre):
    return torch.nn.functional.pairwise_distance(X, centre).mean()


@explains("No gradient arrives at `X`: something is cut off from it.")
def returns_a_float(X, centre):
    return mended(X.detach(), centre.detach()).item()


@explains(f"{VALUE}has dtype float32, it must have float64.")
def loses_precision(X, centre):
    return torch.linalg.vector_norm((X - centre).float(), dim=1).mean()


def hooks_the_rows_only(X, centre):
    if X.requires_grad:
        X.register_hook(torch.nan_to_num)
    return _distance(X, centre, torch.sqrt)


wrong.add(
    "explain_error", "B", "squares", hooks_the_rows_only, message=STILL.replace("`X`", "`centre`")
)


def _energy(X, W, gate=lambda s: softplus(s, threshold=800), energy=None):
    gates = gate(X @ W)
    energy = energy or (lambda gates: -torch.logsumexp(-gates, dim=1))
    return energy(gates).mean()


def good(X, W):
    return _energy(X, W)


for name, note in {
    "X": "it is finite.",
    "W": "its numbers are large, and finite.",
    "scores": "they are large, and finite.",
    "gate": "it is computed from one that is infinite already.",
    "odds": "it is zero, which is finite.",
    "energy": "it comes later.",
}.items():
    wrong.add("first_inf", name, good, message=f"`first_bad` is not '{name}': {note}")
for answer, given in (("exp", "'exp'"), ("", "''"), (None, "None"), (good, "a `function`")):
    message = (
        f"`first_bad` must be the name of a tensor in `free_energy`, in quotes; it is {given}."
    )
    wrong.add("first_inf", answer, good, message=message)


def steadies(message, **parts):
    """Add a wrong way of making `free_energy` steady."""
    wrong.add("first_inf", "grown", lambda X, W: _energy(X, W, **parts), message=message)


AGAIN = " Debug your function: which is the first now?"
LIMIT = (
    "For large scores the result is far too small: a limit, or a small number that is added, holds "
    "it back. Large scores must count as they are."
)


def naive_gate(scores):
    return torch.log(1 + torch.exp(scores))


def naive_energy(gates):
    return -torch.log(torch.exp(-gates).sum(dim=1))


steadies("For large scores the result is inf." + AGAIN, gate=naive_gate)
steadies("For large scores the result is inf." + AGAIN, energy=naive_energy)
steadies(
    LIMIT,
    gate=lambda scores: naive_gate(scores.clamp(max=700)),
)
steadies("For small scores the result has ReLU in place of the gate: near zero they differ.",
         gate=relu)  # fmt: skip
steadies("For small scores the result has the scores in place of the gate: below zero they differ.",
         gate=lambda scores: scores)  # fmt: skip
steadies("For small scores the result has the wrong sign.",
         energy=lambda gates: torch.logsumexp(-gates, dim=1))  # fmt: skip
steadies("For small scores the result has the least gate in place of the sum of the odds.",
         energy=lambda gates: gates.min(dim=1).values)  # fmt: skip
steadies("For small scores the result has exp(gate), and no minus before the logarithm.",
         energy=lambda gates: torch.logsumexp(gates, dim=1))  # fmt: skip
steadies("For small scores the result has exp(gate) in place of exp(-gate).",
         energy=lambda gates: -torch.logsumexp(gates, dim=1))  # fmt: skip
steadies("For small scores the result has the sum of the gates in place of the sum of the odds.",
         energy=lambda gates: gates.sum(dim=1))  # fmt: skip
steadies("For small scores the result adds the odds of different examples: add up along the units.",
         energy=lambda gates: -torch.logsumexp(-gates, dim=0))  # fmt: skip
steadies("For small scores the result adds all odds at once: each example has its own sum.",
         energy=lambda gates: -torch.logsumexp(-gates, dim=(0, 1)))  # fmt: skip
steadies(LIMIT, gate=lambda scores: naive_gate(scores.clamp(max=80)))
steadies(LIMIT, gate=lambda scores: torch.log(1 + torch.exp(scores).nan_to_num()))
steadies(LIMIT, energy=lambda gates: -torch.log(torch.exp(-gates).sum(dim=1).clamp(min=1e-38)))
wrong.add(
    "first_inf", "grown", lambda X, W: -torch.logsumexp(-softplus(X @ W, threshold=800), dim=1),
    message="For small scores the result has shape (6,), it must have (): one number, the mean of "
    "all examples.",
)  # fmt: skip
steadies("For small scores the result is that of the mean of the odds, not of their sum.",
         energy=lambda gates: -torch.log(torch.exp(-gates).mean(dim=1)))  # fmt: skip
steadies(
    "For large scores the result is inf." + AGAIN,
    energy=lambda gates: naive_energy(gates).nan_to_num(),
)
steadies(
    LIMIT,
    energy=lambda gates: -torch.log(torch.exp(-gates).sum(dim=1) + 1e-300),
)
steadies(
    "For scores far below zero the result is inf.",
    gate=lambda scores: scores + torch.log(1 + torch.exp(-scores)),
)


@wrong.brings("translation", "The result is a `Linear`; it must be a name, or None.")
def returns_the_module(model, X):
    return next(m for m in model.modules() if not list(m.children()))


def _watch(model, X, *, finite=torch.isfinite, layers=None, pick=0, remove=True, run=None):
    bad = []

    def hook(name):
        return lambda module, inputs, output: bad.append(name) if not finite(output).all() else None

    named = [(n, m) for n, m in model.named_modules() if not list(m.children())]
    handles = [m.register_forward_hook(hook(n)) for n, m in (layers or (lambda: named))()]
    with torch.no_grad():
        (run or model)(X)
    for handle in handles if remove else []:
        handle.remove()
    return bad[pick] if bad else None


NONE = (
    "is not finite, and the result is None. Look at each layer, and for NaN as well as for both "
    "infinities."
)


@wrong.brings("translation", f"The output of `body` {NONE}")
def looks_for_infinity_only(model, X):
    return _watch(model, X, finite=lambda output: ~output.isinf())


@wrong.brings("translation", f"The output of `head.0` {NONE}")
def looks_for_nan_only(model, X):
    return _watch(model, X, finite=lambda output: ~output.isnan())


@wrong.brings("translation", f"The output of `head.0` {NONE}")
def looks_at_the_end_only(model, X):
    return _watch(model, X) if not model(X).isfinite().all() else None


@wrong.brings("translation", "The result is 'out', but the output of 'body' is bad before it.")
def takes_the_last(model, X):
    return _watch(model, X, pick=-1)


@wrong.brings("translation", "After your function returns its hooks are still there. Take the "
              "handle of each hook, and remove it.")  # fmt: skip
def leaves_its_hooks(model, X):
    return _watch(model, X, remove=False)


@wrong.brings("translation", "Where the network itself raises an error: after your function "
              "returns its hooks are still there. Take the handle of each hook, and remove "
              "it.")  # fmt: skip
def removes_hooks_only_when_all_goes_well(model, X):
    return _watch(model, X)


@wrong.brings("translation", "The network was in training mode, and your function leaves layers "
              "in evaluation mode.")  # fmt: skip
def leaves_evaluation_mode(model, X):
    return _watch(model.eval(), X)


@wrong.brings("translation", "The network has no layer called ''; its names are `head.0`, "
              "`head.1`, `body`, `out`.")  # fmt: skip
def watches_every_module(model, X):
    return _watch(model, X, layers=model.named_modules, pick=-1)


@wrong.brings("translation", "The network has no layer called 'head'; its names are `head.0`, "
              "`head.1`, `body`, `out`.")  # fmt: skip
def watches_the_children(model, X):
    return _watch(model.head, X, layers=model.named_children) or "head"


@wrong.brings("translation", "The result is 'out', but the output of 'body' is bad before it.")
def walks_in_the_order_of_the_names(model, X):
    bad = set()
    handles = [
        module.register_forward_hook(
            lambda _, __, output, name=name: None if output.isfinite().all() else bad.add(name)
        )
        for name, module in model.named_modules()
        if not list(module.children())
    ]
    model(X)
    for handle in handles:
        handle.remove()
    return next((name for name, _ in model.named_modules() if name in bad), None)


@wrong.brings("translation", f"The output of `body` {NONE}")
def looks_at_the_weights(model, X):
    for name, module in model.named_modules():
        own = module.parameters(recurse=False)
        if not all(parameter.isfinite().all() for parameter in own):
            return name
    return None


@wrong.brings("translation", "The result is 'head.0', whose output is finite; 'body' is the first.")
def always_names_the_first(model, X):
    return "head.0"


@wrong.brings("translation", "Every output is finite, and the result is 'out': return None.")
def names_the_last_where_nothing_is_bad(model, X):
    return _watch(model, X) or "out"


@wrong.brings("translation", "Where the network itself raises an error your function hides it.")
def hides_errors(model, X):
    try:
        return _watch(model, X)
    except RuntimeError:
        return None


@wrong.brings("translation", "Your function takes off hooks that others had put on: remove only "
              "its own.")  # fmt: skip
def clears_all_hooks(model, X):
    name = _watch(model, X, remove=False)
    for module in model.modules():
        module._forward_hooks.clear()
    return name


@wrong.brings("translation", "Where the network itself raises an error: the network was in "
              "training mode, and your function leaves layers in evaluation mode.")  # fmt: skip
def restores_the_mode_only_when_all_goes_well(model, X):
    name = first_bad_layer(model.eval(), X)
    model.train()
    return name


@wrong.brings("translation", "The result is 'body', but the output of 'head.0' is bad before it.")
def binds_the_name_too_late(model, X):
    bad, handles = [], []
    for name, module in model.named_modules():
        if not list(module.children()):
            handles.append(
                module.register_forward_hook(
                    lambda _, __, output: None if output.isfinite().all() else bad.append(name)  # noqa: B023
                )
            )
    model(X)
    for handle in handles:
        handle.remove()
    return bad[0] if bad else None


@wrong.brings("translation", "The network has no layer called 'Linear'; its names are `head.0`, "
              "`head.1`, `body`, `out`.")  # fmt: skip
def names_the_class(model, X):
    return type(model.get_submodule(_watch(model, X) or "")).__name__


@wrong.brings("translation", "The result is 'head.1', but the output of 'head.0' is bad before it.")
def looks_at_inputs(model, X):
    bad = []
    handles = [
        module.register_forward_pre_hook(
            lambda _, inputs, name=name: None if inputs[0].isfinite().all() else bad.append(name)
        )
        for name, module in model.named_modules()
        if not list(module.children())
    ]
    model(X)
    for handle in handles:
        handle.remove()
    return bad[0] if bad else None


@wrong.brings("translation", f"The output of `head.0` {NONE}")
def watches_the_children_only(model, X):
    return _watch(model, X, layers=model.named_children)


@wrong.brings("translation", "Every output is finite, and the result is '': return None.")
def returns_an_empty_name(model, X):
    return _watch(model, X) or ""


@wrong.brings("translation", "Your function changes numbers that the network keeps: let it only "
              "predict.")  # fmt: skip
def mends_the_network(model, X):
    name = _watch(model, X)
    for parameter in model.parameters():
        parameter.data.nan_to_num_()
    return name


def first_bad_layer(model, X):
    """As it should be: also where the network raises an error."""
    bad, handles = [], []
    for name, module in model.named_modules():
        if not list(module.children()):
            hook = functools.partial(_note, bad, name)
            handles.append(module.register_forward_hook(hook))
    try:
        model(X)
    finally:
        for handle in handles:
            handle.remove()
    return bad[0] if bad else None


def _note(bad, name, module, inputs, output):
    if not output.isfinite().all():
        bad.append(name)


def _evaluate(model, batches, *, mode=False, restore=None, right=None, mean=None):
    was = model.training
    model.train(mode)
    right = right or (lambda scores, y: scores.argmax(dim=1) == y[:, 0])
    answers = [right(model(X), y) for X, y in batches]
    model.train(was if restore is None else restore)
    return (mean or (lambda answers: torch.cat(answers).double().mean()))(answers).item()


def changes(message, **parts):
    """Add a wrong way of evaluating."""
    own = functools.partial(_evaluate, **parts)
    wrong.add("evaluation", "norm.running_mean", own, message=message)


def evaluates(message):
    """Decorate a wrong `evaluate`."""
    return wrong.brings("evaluation", message, "norm.running_mean")


lesson_05.add_changed(
    wrong,
    _evaluate,
    ("norm.weight", "hidden.bias", "out.weight"),
    ("norm", "running_mean", "drop", "y"),
    "a name in `net.state_dict()`",
)
changes(
    "Your function runs the network in training mode: dropout is on, and normalisation uses the "
    "batch, and collects from it. Which method changes the mode?",
    mode=True,
)
changes("The network was in training mode, and your function leaves layers in evaluation mode.",
        restore=False)  # fmt: skip
changes("The network was in evaluation mode, and your function leaves layers in training mode.",
        restore=True)  # fmt: skip


@evaluates("Your function runs the network in training mode: dropout is on, and "
              "normalisation uses the batch, and collects from it. Which method changes the "
              "mode?")  # fmt: skip
def forgets_the_mode(model, batches):
    return _evaluate(model, batches, mode=model.training)


BROADCAST = "The share compares every answer with every label: print the shapes of both."
TABLES = BROADCAST.replace("label:", "label, in tables of n rows and n columns:")
changes(TABLES, right=lambda scores, y: (scores.argmax(dim=1) == y).ravel())
changes(
    BROADCAST,
    right=lambda scores, y: scores.argmax(dim=1) == y,
    mean=lambda tables: torch.stack([table.double().mean() for table in tables]).mean(),
)
changes(
    "The share is the mean of the batches' shares: the last one is smaller, and counts less.",
    mean=lambda answers: torch.stack([each.double().mean() for each in answers]).mean(),
)
changes(
    BROADCAST.replace("label:", "label, and counts them all:"),
    right=lambda scores, y: (scores.argmax(dim=1) == y).sum(dim=1),
)
changes("The share is rounded: return it as it is.",
        mean=lambda answers: torch.cat(answers).double().mean().round(decimals=2))  # fmt: skip
changes("The share is that of the last batch alone.", mean=lambda a: a[-1].double().mean())
changes("The share is that of the first batch alone.", mean=lambda a: a[0].double().mean())
changes("The share is the share of wrong answers.",
        right=lambda scores, y: scores.argmax(dim=1) != y[:, 0])  # fmt: skip
changes("The share is a number of examples, not their share.", mean=lambda a: torch.cat(a).sum())
changes("The share is in percent: return a share, from 0 to 1.",
        mean=lambda answers: 100 * torch.cat(answers).float().mean())  # fmt: skip


@evaluates("The network was in training mode, and your function leaves layers in evaluation mode.")
def sets_the_attribute_back(model, batches):
    was = model.training
    share = _evaluate(model, batches, restore=False)
    model.training = was
    return share


@evaluates("Your function runs the network in training mode: dropout is on, and normalisation uses "
           "the batch, and collects from it. Which method changes the mode?")  # fmt: skip
def puts_the_numbers_back(model, batches):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    share = _evaluate(model, batches, mode=True)
    model.load_state_dict(before)
    return share


@evaluates("The share has shape (3,), it must have (): one number.")
def returns_a_list_of_shares(model, batches):
    return [_evaluate(model, [batch]) for batch in batches]


@evaluates("The share is a `NoneType`; it must be an array of shape ().")
def returns_nothing(model, batches):
    _evaluate(model, batches)


@evaluates("Your function never calls `model`.")
def guesses(model, batches):
    return 1 / 3


lesson_05.add_readings(wrong, "pytorch")

# Other right answers


def root_of_what_is_not_zero(X, centre):
    squares = ((X - centre) ** 2).sum(dim=1)
    distance = torch.zeros_like(squares)
    distance[squares > 0] = squares[squares > 0].sqrt()
    return distance.mean()


def steady_by_hand(X, W):
    scores = X @ W
    gate = scores.clamp(min=0) + torch.log1p(torch.exp(-scores.abs()))
    least = gate.min(dim=1, keepdim=True).values
    return (least[:, 0] - torch.log(torch.exp(least - gate).sum(dim=1))).mean().item()


def steady_in_parts(X, W):
    scores = X @ W
    gate = torch.where(scores > 30, scores, torch.log1p(torch.exp(scores)))
    return -torch.logsumexp(-gate, dim=1).mean()


def counts_in_float32(model, batches):
    answers = torch.cat(
        [copy.deepcopy(model).eval()(X).argmax(dim=1) == y[:, 0] for X, y in batches]
    )
    return answers.float().mean()


def counts_in_integers(model, batches):
    modes = [module.training for module in model.modules()]
    model.eval()
    right = sum((model(X).argmax(dim=1, keepdim=True) == y).sum().item() for X, y in batches)
    for module, mode in zip(model.modules(), modes, strict=True):
        module.training = mode
    return right / sum(len(y) for _, y in batches)


def stops_at_the_first(model, X):
    def hook(module, inputs, output):
        if not list(module.children()) and not output.isfinite().all():
            raise StopIteration(module)

    names = {module: name for name, module in model.named_modules()}
    handle = torch.nn.modules.module.register_module_forward_hook(hook)
    try:
        model(X)
    except StopIteration as stop:
        return names[stop.value]
    finally:
        handle.remove()
    return None


wrong.also_right("predict", 0, 2.0, 5, 1, 1)
for function in (
    lambda X, centre: torch.linalg.vector_norm(X - centre, dim=1).mean(),
    lambda X, centre: torch.cdist(X, centre[None]).mean(),
    root_of_what_is_not_zero,
):
    wrong.also_right("explain_error", " b", "squares ", function)
for function in (steady_by_hand, steady_in_parts, good):
    wrong.also_right("first_inf", "grown ", function)
for function in (counts_in_float32, counts_in_integers):
    wrong.also_right("evaluation", "norm.num_batches_tracked", function)
for function in (stops_at_the_first, first_bad_layer):
    wrong.also_right("translation", function)
