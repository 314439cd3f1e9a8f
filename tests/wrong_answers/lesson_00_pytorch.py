"""Wrong answers to the exercise of lesson 00 in PyTorch."""

import torch

from wrong_answers import WrongAnswers, lesson_00

wrong = WrongAnswers()

CPU, GPU, ERROR = "cpu", "gpu", "error"
lesson_00.add_predictions(
    wrong,
    ((CPU, GPU, GPU, ERROR), (CPU, ERROR, CPU, ERROR)),
    {
        ("with_gpu", (GPU, GPU, GPU, ERROR)): (
            '1, is not "gpu": PyTorch makes a tensor on the CPU unless it is told otherwise.'
        ),
        ("with_gpu", (CPU, CPU, GPU, ERROR)): (
            '2, is not "cpu": PyTorch does what you say, or raises an error.'
        ),
        ("with_gpu", (CPU, GPU, CPU, ERROR)): (
            '3, is not "cpu": the `if` asks what there is, and takes the CPU where there is no GPU.'
        ),
        ("with_gpu", (CPU, GPU, GPU, GPU)): (
            '4, is not "gpu": PyTorch copies nothing between devices that you did not '
            "ask it to copy."
        ),
        ("with_gpu", (CPU, GPU, GPU, CPU)): (
            '4, is not "cpu": PyTorch copies nothing between devices that you did not '
            "ask it to copy."
        ),
        ("without_gpu", (CPU, CPU, CPU, ERROR)): (
            '2, is not "cpu": PyTorch does what you say, or raises an error.'
        ),
        ("without_gpu", (CPU, ERROR, ERROR, ERROR)): (
            '3, is not "error": the `if` asks what there is, and takes the CPU where '
            "there is no GPU."
        ),
        ("without_gpu", (CPU, ERROR, CPU, CPU)): (
            '4, is not "cpu": PyTorch copies nothing between devices that you did not '
            "ask it to copy."
        ),
        ("without_gpu", (ERROR, ERROR, CPU, ERROR)): (
            '1, is not "error": PyTorch makes a tensor on the CPU unless it is told otherwise.'
        ),
    },
)


def _where(x) -> str:
    return "gpu" if x.is_cuda else "cpu"


@wrong.brings(
    "translation",
    "`cuda` is wrong with a build for CUDA on a machine without a GPU: what a build was "
    "made for does not depend on the machine that it runs on.",
)
def takes_the_build_for_the_machine(x):
    cuda = torch.version.cuda if torch.cuda.is_available() else None
    return cuda, torch.cuda.device_count(), _where(x)


@wrong.brings(
    "translation",
    "`cuda` must be a version as text, or `None` in a build for the CPU; with a build "
    "for the CPU it is False.",
)
def says_whether_it_is_built(x):
    return torch.backends.cuda.is_built(), torch.cuda.device_count(), _where(x)


@wrong.brings(
    "translation",
    "`cuda` is wrong with a build for the CPU: a build for the CPU has no such version.",
)
def makes_text_of_none(x):
    return str(torch.version.cuda), torch.cuda.device_count(), _where(x)


@wrong.brings(
    "translation",
    "`cuda` is wrong with a build for the CPU: a build for the CPU has no such version.",
)
def takes_the_version_of_torch(x):
    return torch.__version__, torch.cuda.device_count(), _where(x)


@wrong.brings(
    "translation",
    "`gpus` must be a whole number, of how many GPUs it sees; with a build for the CPU "
    "it is False.",
)
def says_whether_there_is_one(x):
    return torch.version.cuda, torch.cuda.is_available(), _where(x)


@wrong.brings(
    "translation",
    "`gpus` is wrong with a machine with several GPUs, `x` on the last: count them; "
    "whether there are any is not enough.",
)
def counts_to_one(x):
    return torch.version.cuda, int(torch.cuda.is_available()), _where(x)


@wrong.brings(
    "translation",
    "`gpus` is wrong with a build for CUDA on a machine without a GPU: what was built "
    "for a GPU need not see one.",
)
def takes_built_for_seen(x):
    return torch.version.cuda, int(torch.backends.cuda.is_built()), _where(x)


@wrong.brings(
    "translation",
    '`on` must be "cpu" or "gpu", in small letters; with a build for CUDA on a machine '
    "with one GPU it is 'cuda'.",
)
def uses_the_name_of_the_other_kind(x):
    return torch.version.cuda, torch.cuda.device_count(), x.device.type


@wrong.brings(
    "translation",
    "`on` is wrong with a machine with several GPUs, `x` on the CPU: look at the tensor "
    "`x` itself, not at what the machine has.",
)
def says_where_a_tensor_could_lie(x):
    on = "gpu" if torch.cuda.is_available() else "cpu"
    return torch.version.cuda, torch.cuda.device_count(), on


@wrong.brings(
    "translation",
    "`on` is wrong with a build for CUDA on a machine with one GPU: look at the tensor "
    "`x` itself, not at what the machine has.",
)
def takes_number_0_for_no_gpu(x):
    on = "gpu" if x.get_device() > 0 else "cpu"
    return torch.version.cuda, torch.cuda.device_count(), on


@wrong.brings(
    "translation",
    "The function must return three things, `cuda, gpus, on`; it is `dict`.",
)
def returns_a_dictionary(x):
    return {"cuda": torch.version.cuda, "gpus": torch.cuda.device_count(), "on": _where(x)}


def pick_device(wanted):
    device = torch.device(wanted)
    there = {"cpu": 1, "cuda": torch.cuda.device_count()}.get(device.type, 0)
    if (device.index or 0) >= there:
        raise RuntimeError(f"{wanted} was asked for, and PyTorch sees {there} of this kind.")
    return device


lesson_00.add_causes(
    wrong,
    pick_device,
    ("name", "kind", "silent"),
    {
        ("kind", "kind", "silent"): (
            '"/GPU:0" is not "kind": the message does not get as far as a device: it '
            "cannot read the string."
        ),
        ("name", "name", "silent"): (
            '"xpu" is not "name": the message speaks of how PyTorch was compiled, not '
            "of the machine."
        ),
        ("name", "number", "silent"): (
            '"xpu" is not "number": the message speaks of how PyTorch was compiled, not '
            "of the machine."
        ),
        ("name", "kind", "number"): (
            '"cpu:3" is not "number": no error came, and look at where the tensor is.'
        ),
    },
)


def _brings(message):
    """Decorate a wrong `pick_device`; the causes are right."""
    return wrong.brings("explain_error", message, ("name", "kind", "silent"))


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` returns the CPU: that is the '
    "silent fallback. Raise an error.",
)
def falls_back(wanted):
    device = torch.device(wanted)
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    return device if (device.index or 0) < there else torch.device("cpu")


@_brings(
    'On a machine with several GPUs, for the last of them `pick_device("cuda:n")` '
    "returns a device of another number.",
)
def takes_the_idiom(wanted):
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` returns the CPU: that is the '
    "silent fallback. Raise an error.",
)
def falls_back_where_there_is_no_gpu_at_all(wanted):
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        return torch.device("cpu")
    return pick_device(wanted)


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` returns a device that is not '
    "there: ask how many there are.",
)
def makes_a_device_and_no_question(wanted):
    return torch.device(wanted)


@_brings(
    'On a machine with one GPU `pick_device("cuda:1")` returns a device that is not '
    "there: ask how many there are.",
)
def asks_only_whether_there_is_one(wanted):
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise RuntimeError(f"{wanted} was asked for, and PyTorch sees no GPU.")
    return torch.device(wanted)


@_brings(
    'On a machine with one GPU `pick_device("cuda:1")` returns a device that is not '
    "there: ask how many there are.",
)
def counts_from_one(wanted):
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) > torch.cuda.device_count():
        raise RuntimeError(f"{wanted} was asked for, and there are fewer.")
    if not torch.cuda.is_available() and device.type == "cuda":
        raise RuntimeError(f"{wanted} was asked for, and there are none.")
    return device


@_brings(
    'On a machine with one GPU `pick_device("cuda:0")` raises a `RuntimeError`, though '
    "the device is there.",
)
def is_too_strict_by_one(wanted):
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) + 1 >= torch.cuda.device_count():
        raise RuntimeError(f"{wanted} was asked for, and there are fewer.")
    return device


@_brings(
    'On a machine with 12 GPUs `pick_device("cuda:13")` returns a device that is not '
    "there: ask how many there are.",
)
def reads_the_last_digit(wanted):
    number = int(wanted[-1]) if wanted[-1].isdigit() else 0
    if wanted.startswith("cuda") and number >= torch.cuda.device_count():
        raise RuntimeError(f"{wanted} was asked for, and PyTorch sees fewer.")
    return torch.device(wanted)


@_brings(
    "Your code raises `TypeError: '>=' not supported between instances of 'NoneType' and 'int'`.",
)
def forgets_names_without_a_number(wanted):
    device = torch.device(wanted)
    if device.index >= torch.cuda.device_count():
        raise RuntimeError(f"{wanted} was asked for, and PyTorch sees fewer.")
    return device


@_brings(
    'On a machine with several GPUs, for the last of them `pick_device("cuda:n")` '
    "returns a device of another number.",
)
def takes_the_first(wanted):
    device = pick_device(wanted)
    return torch.device(device.type, 0) if device.type == "cuda" else device


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` returns a device that is not '
    "there: ask how many there are.",
)
def asks_for_a_build(wanted):
    if wanted.startswith("cuda") and not torch.backends.cuda.is_built():
        raise RuntimeError(f"{wanted} was asked for, and this build is for the CPU.")
    return torch.device(wanted)


@_brings(
    'On a machine with one GPU `pick_device("cuda:0")` raises a `RuntimeError`, though '
    "the device is there.",
)
def refuses_every_gpu(wanted):
    if wanted != "cpu":
        raise RuntimeError(f"{wanted} was asked for, and PyTorch does not see it.")
    return torch.device(wanted)


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` returns a `NoneType` that is no '
    "device: raise an error.",
)
def returns_none(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError:
        return None


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` returns a `str` that is no '
    "device: raise an error.",
)
def returns_the_sentence(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError as error:
        return str(error)


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` raises, as it should; let the '
    "message name the device that was asked for.",
)
def names_no_device(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError:
        raise RuntimeError("PyTorch sees no such device on this machine.") from None


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` raises, as it should; let the '
    "message say why.",
)
def says_nothing_but_the_name(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError:
        raise RuntimeError(wanted) from None


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` raises `ValueError`; let it be '
    "a `RuntimeError`, with a sentence of yours.",
)
def raises_another_error(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError as error:
        raise ValueError(str(error)) from None


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` raises `AssertionError`; let it '
    "be a `RuntimeError`, with a sentence of yours.",
)
def asserts(wanted):
    device = torch.device(wanted)
    assert device.type == "cpu" or (device.index or 0) < torch.cuda.device_count()
    return device


@_brings(
    'On a machine without a GPU `pick_device("xpu")` returns a device that is not '
    "there: ask how many there are.",
)
def forgets_other_kinds(wanted):
    device = torch.device(wanted)
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= there:
        raise RuntimeError(f"{wanted} was asked for, and PyTorch sees {there} of this kind.")
    return device


@_brings(
    'On a machine without a GPU `pick_device("cpu:3")` returns a device that is not '
    "there: ask how many there are.",
)
def forgets_the_number_of_a_cpu(wanted):
    device = torch.device(wanted)
    return device if device.type == "cpu" else pick_device(wanted)


lesson_00.add_versions(wrong)


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("cuda:1", compute)` says that the result lies '
    "on the device asked for. It lies on the CPU, because `compute` put it there: ask "
    "the result.",
)
def finds_only_the_try(device, compute):
    with torch.device(device):
        result = compute()
    return result, device


@wrong.brings(
    "bug_hunt",
    "Your function calls `compute` twice: that may take hours.",
)
def finds_only_the_name(device, compute):
    try:
        with torch.device(device):
            result = compute()
    except (AssertionError, RuntimeError):
        with torch.device("cpu"):
            result = compute()
    return result, str(result.device)


@wrong.brings(
    "bug_hunt",
    'On a machine of any kind, where "meta" is always there, `run_on("meta", compute)` '
    "computes elsewhere, though the device is there.",
)
def falls_back_without_computing_twice(device, compute):
    with torch.device(device if torch.cuda.is_available() else "cpu"):
        result = compute()
    return result, str(result.device)


@wrong.brings(
    "bug_hunt",
    'On a machine of any kind, where "meta" is always there, `run_on("meta", compute)` '
    "computes elsewhere, though the device is there.",
)
def falls_back_and_says_what_was_asked_for(device, compute):
    with torch.device(device if torch.cuda.is_available() else "cpu"):
        result = compute()
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("cuda:1", compute)` returns a result that lies '
    "on the CPU, because `compute` put it there: it must raise an error.",
)
def trusts_the_block(device, compute):
    with torch.device(device):
        result = compute()
    return result, str(result.device)


@wrong.brings(
    "bug_hunt",
    'On a machine with one GPU `run_on("cuda:0", compute)` raises `RuntimeError`, '
    "though the device is there.",
)
def forgets_the_block(device, compute):
    result = compute()
    if result.device != torch.device(device):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, device


@wrong.brings(
    "bug_hunt",
    "After it returns your function leaves the default device changed. Use `with "
    "torch.device(...)`, which ends by itself, also after an error.",
)
def leaves_the_default_device(device, compute):
    torch.set_default_device(device)
    result = compute()
    if result.device != torch.device(device):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, device


@wrong.brings(
    "bug_hunt",
    "After an error your function leaves the default device changed. Use `with "
    "torch.device(...)`, which ends by itself, also after an error.",
)
def leaves_the_default_device_after_an_error(device, compute):
    torch.set_default_device(device)
    result = compute()
    torch.set_default_device(None)
    if result.device != torch.device(device):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine with 12 GPUs `run_on("cuda:1", compute)` returns a result that lies '
    "elsewhere, because `compute` put it there: it must raise an error.",
)
def compares_kinds_only(device, compute):
    with torch.device(device):
        result = compute()
    if result.device.type != torch.device(device).type:
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, str(result.device)


@wrong.brings(
    "bug_hunt",
    'On a machine with 12 GPUs `run_on("cuda:1", compute)` says that the result lies on '
    "the device asked for. It lies elsewhere, because `compute` put it there: ask the "
    "result.",
)
def looks_for_a_part_of_the_name(device, compute):
    with torch.device(device):
        result = compute()
    if device not in str(result.device):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine without a GPU `run_on("cpu", compute)` raises `RuntimeError`, though '
    "the device is there.",
)
def compares_with_text(device, compute):
    with torch.device(device):
        result = compute()
    if result.device is not device:
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine with one GPU `run_on("cuda:0", compute)` raises `RuntimeError`, '
    "though the device is there.",
)
def refuses_every_gpu_here(device, compute):
    if device != "cpu":
        raise RuntimeError(f"{device} is not there.")
    result = compute()
    return result, device


@wrong.brings(
    "bug_hunt",
    "The first thing to return is what `compute` returned.",
)
def moves_the_result(device, compute):
    result = compute().to(device)
    return result, str(result.device)


@wrong.brings(
    "bug_hunt",
    "The function must return two things: the result, and where it lies.",
)
def returns_the_result_alone(device, compute):
    with torch.device(device):
        return compute()


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("cuda:1", compute)` names another device than '
    "the one that the result lies on.",
)
def says_the_kind_only(device, compute):
    with torch.device(device):
        result = compute()
    if result.device != torch.device(device):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, result.device.type


@wrong.brings(
    "bug_hunt",
    "An error of `compute` itself must reach the caller as it is.",
)
def blames_the_device_for_every_error(device, compute):
    try:
        with torch.device(device):
            result = compute()
    except Exception:
        raise RuntimeError(f"{device} is not there.") from None
    if result.device != torch.device(device):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine without a GPU `run_on("cuda:0", compute)` hides the error that `compute` raises.',
)
def returns_none_where_it_cannot(device, compute):
    try:
        with torch.device(device):
            result = compute()
    except (AssertionError, RuntimeError):
        return None, None
    return result, str(result.device)


lesson_00.add_diagnoses(wrong, libraries=False)
