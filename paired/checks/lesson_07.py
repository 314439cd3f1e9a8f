"""Lesson 07, devices and the install: the checks of its exercise.

Every machine is simulated: the functions with which a framework tells what it sees answer for a
machine drawn anew, so that a check says the same with a GPU and without one.
"""

import contextlib
import itertools
import math
import types
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar
from unittest import mock

from paired.checks import adapters
from paired.checks.answers import Answer, Halves, resolve, task
from paired.checks.judging import NotAttempted, Wrong, call, kind_of, parts

import numpy as np

MINIMUM_DRIVER = {12: 525, 13: 580}  # by the major version of CUDA, as NVIDIA lists it


class SimulatedTensor(types.SimpleNamespace):
    """Something that tells of the device it is on as a tensor does, and computes nothing."""

    def add(self, *_):
        return self

    sum = __add__ = __mul__ = __matmul__ = add

    def item(self) -> float:
        return 0.0

    __float__ = item


@contextlib.contextmanager
def standing_in(function: Callable, fakes: list[tuple]) -> Iterator[None]:
    """Let fakes (owner, name, fake) answer in a function, under names that it imported too."""
    names = getattr(function, "__globals__", {})
    with contextlib.ExitStack() as undo:
        for owner, name, fake in fakes:
            real = getattr(owner, name)
            undo.enter_context(mock.patch.object(owner, name, fake))
            for own in [key for key, value in names.items() if callable(real) and value is real]:
                names[own] = fake
                undo.callback(names.__setitem__, own, real)
        yield


def _serves(gpu: int, codes: list[str]) -> bool:
    """Whether a build with code such as sm_75 has any for a GPU such as 86."""
    kinds = ((kind == "sm", int(number)) for kind, number in (code.split("_") for code in codes))
    return any(n <= gpu and (not exact or n // 10 == gpu // 10) for exact, n in kinds)


class PyTorch(adapters.PyTorch):
    """Machines for PyTorch, its names of devices, its words."""

    cpu, some_gpu, other = "cpu", "cuda", "mtia"
    refusals = (RuntimeError, AssertionError)  # what it raises where a device is not there
    # What a mended function must leave as it was, and the values to leave it at.
    setting, values = "the default device", (None, "meta")
    setting_note = "Use `with torch.device(...)`, which ends by itself, also after an error."
    # What `diagnose` says before all else, and after the build: when, and why.
    first: ClassVar[Mapping] = {
        "no code": (
            lambda f: f["gpus"] and not any(_serves(gpu, f["codes"]) for gpu in f["gpus"]),
            "the build has code for none of the GPUs that it sees.",
        )
    }
    later: ClassVar[Mapping] = {}
    words = (None,)  # what it may write while it is imported

    def gpu(self, number: int) -> str:
        return f"cuda:{number}"

    def parse(self, device) -> tuple[str, int] | None:
        """The kind and the number of a device's name; None if it is no name."""
        import torch

        try:
            device = torch.device(device)
        except (TypeError, RuntimeError):
            return None
        return device.type, device.index or 0

    @contextlib.contextmanager
    def machine(self, function: Callable, gpus: int, cuda: str | None = "13.0") -> Iterator[list]:
        """Let PyTorch tell a function of another machine; gives what is made there."""
        import torch
        from torch.overrides import TorchFunctionMode
        from torch.utils import _device

        made, there = [], {"cpu": math.inf, "meta": math.inf, "cuda": gpus}

        class Machine(TorchFunctionMode):
            """Whatever makes a tensor, by whatever name, makes a simulated one."""

            def __torch_function__(self, func, kinds, arguments=(), options=None):
                options = options or {}
                if func not in _device._device_constructors():
                    return func(*arguments, **options)
                made.append(func)
                asked = options.get("device")
                asked = torch.device(_device.CURRENT_DEVICE or "cpu" if asked is None else asked)
                if (asked.index or 0) >= there.get(asked.type, 0):
                    raise AssertionError(f"no {asked}")
                indexed = asked if asked.type != "cuda" else f"cuda:{asked.index or 0}"
                return PyTorch().tensor_on(indexed)

        def properties(device=None) -> types.SimpleNamespace:
            whole = isinstance(device, int | None)
            kind, number = ("cuda", device or 0) if whole else self.parse(device)
            if kind != "cuda" or number >= gpus:
                raise AssertionError(f"no GPU {number}")
            return types.SimpleNamespace(name="NVIDIA H100")

        def current_accelerator(check_available: bool = False):
            return torch.device("cuda") if gpus or (cuda and not check_available) else None

        fakes = [
            (torch.version, "cuda", cuda),
            (torch.backends.cuda, "is_built", lambda: cuda is not None),
            (torch.cuda, "get_device_properties", properties),
            (torch.cuda, "get_device_name", lambda device=None: properties(device).name),
            (torch.accelerator, "current_accelerator", current_accelerator),
        ]
        for owner, count in ((torch.cuda, gpus), (torch.accelerator, gpus), (torch.xpu, 0)):
            fakes.append((owner, "is_available", lambda count=count: count > 0))
            fakes.append((owner, "device_count", lambda count=count: count))
        with standing_in(function, fakes), Machine():
            yield made

    def tensor_on(self, device):
        import torch

        device = torch.device(device)
        return SimulatedTensor(
            device=device,
            is_cuda=device.type == "cuda",
            is_cpu=device.type == "cpu",
            get_device=lambda: -1 if device.type == "cpu" else device.index,
            to=self.tensor_on,
        )

    def computation(self, pinned: str | None = None) -> Callable:
        """A computation on the default device, or where pinned."""
        import torch

        return lambda: torch.ones(2, 2, device=pinned)

    def accessors(self) -> tuple[Callable, Callable]:
        """What gets and what sets the setting."""
        import torch

        return torch.get_default_device, torch.set_default_device


class TensorFlow(adapters.TensorFlow):
    """The same of TensorFlow."""

    cpu, some_gpu, other = "/CPU:0", "/GPU", "/EPU:0"
    setting, values = "soft placement", (True, False)
    setting_note = (
        "Take `tf.config.get_soft_device_placement()` first, and set that again in a `finally:`."
    )
    out = "Ignoring visible gpu device 0."
    words = ("Ignoring a flag.", f"{out}\nCannot dlopen.", out)
    first: ClassVar[Mapping] = {}
    later: ClassVar[Mapping] = {
        "libraries": (
            lambda f: "dlopen" in f["words"],
            'its words have "dlopen" in them: it cannot load the libraries of CUDA.',
        ),
        "left out": (
            lambda f: "Ignoring visible gpu device" in f["words"],
            "its words say that it ignores a GPU.",
        ),
    }

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        import tensorflow as tf

        return RuntimeError, tf.errors.InvalidArgumentError

    def gpu(self, number: int) -> str:
        return f"/GPU:{number}"

    def parse(self, device) -> tuple[str, int] | None:
        import tensorflow as tf

        try:
            spec = tf.DeviceSpec.from_string(getattr(device, "name", device))
        except (AttributeError, TypeError, ValueError):
            return None
        return (spec.device_type.lower(), spec.device_index or 0) if spec.device_type else None

    @contextlib.contextmanager
    def machine(self, function: Callable, gpus: int, cuda: str | None = "13.0") -> Iterator[list]:
        """As `PyTorch.machine`."""
        import tensorflow as tf
        from tensorflow.python.eager import context

        made = []

        def make(*arguments, **options):
            made.append(arguments)
            asked = context.context().device_name or (self.gpu(0) if gpus else self.cpu)
            kind, number = self.parse(asked)
            if number < {"cpu": 1, "gpu": gpus}.get(kind, 0):
                return self.tensor_on(asked)
            if tf.config.get_soft_device_placement():
                return self.tensor_on(self.cpu)
            raise tf.errors.InvalidArgumentError(None, None, f"no {asked}")

        def listed(device: Callable, prefix: str) -> Callable:
            there = [("CPU", 0), *(("GPU", number) for number in range(gpus))]
            devices = [device(f"{prefix}:{kind}:{number}", kind) for kind, number in there]
            return lambda device_type=None: [
                device for device in devices if device_type in (None, device.device_type)
            ]

        own, physical = context.context(), listed(tf.config.PhysicalDevice, "/physical_device")
        build = {"is_cuda_build": cuda is not None, "is_rocm_build": False}
        build |= {"cuda_version": cuda, "cudnn_version": "9"} if cuda else {}
        makers = ("ones", "zeros", "constant", "fill", "eye", "range", "identity")
        fakes = [
            *((tf, name, make) for name in (*makers, "convert_to_tensor")),
            *((tf.random, name, make) for name in ("uniform", "normal")),
            (own, "list_physical_devices", physical),
            (own, "get_visible_devices", physical),
            (own, "list_logical_devices", listed(tf.config.LogicalDevice, "/device")),
            (tf.test, "is_built_with_cuda", lambda: cuda is not None),
            (tf.test, "is_built_with_gpu_support", lambda: cuda is not None),
            (tf.test, "gpu_device_name", lambda: "/device:GPU:0" if gpus else ""),
            (tf.test, "is_gpu_available", lambda *_, **__: gpus > 0),
            (tf.sysconfig, "get_build_info", lambda: build),
        ]
        with standing_in(function, fakes):
            yield made

    def tensor_on(self, device: str):
        kind, number = self.parse(device)
        name = f"/job:localhost/replica:0/task:0/device:{kind.upper()}:{number}"
        return SimulatedTensor(device=name, backing_device=name)

    def computation(self, pinned: str | None = None) -> Callable:
        """A computation on the device of the block, or where pinned."""
        import tensorflow as tf

        def compute():
            with tf.device(pinned) if pinned else contextlib.nullcontext():
                return tf.ones((2, 2))

        return compute

    def accessors(self) -> tuple[Callable, Callable]:
        import tensorflow as tf

        return tf.config.get_soft_device_placement, tf.config.set_soft_device_placement


class Words(Answer):
    """A tuple of words, of those known; case does not matter.

    Args:
        known: every word that may be in it.
        right: the words, or `Halves`.
        places: for each of them what it is about, and why another word is wrong there.
    """

    def __init__(self, known: tuple[str, ...], right, places: Mapping | Halves):
        super().__init__(right, places)
        self.known, self.listed = known, " or ".join(f'"{word}"' for word in known)

    def _expects(self, half: str) -> str:
        return f"a tuple of {len(resolve(self.right, half))} words, each {self.listed}"

    def _read(self, answer, half: str) -> tuple[str, ...]:
        if not isinstance(answer, tuple | list):
            raise TypeError
        return tuple(w.strip().lower() if isinstance(w, str) else kind_of(w) for w in answer)

    def _sentence(self, given, half: str) -> str:
        right = resolve(self.right, half)
        if len(given) != len(right):
            return f"must be {self._expects(half)}; it has {len(given)}."
        for word in given:
            if word not in self.known:
                return f"has {word!r:.30} in it; each word must be {self.listed}."
        place = next(k for k in range(len(right)) if given[k] != right[k])
        name, why = list(resolve(self.mistakes, half).items())[place]
        return f'for {name} is not "{given[place]}": {why}'

    def wrong(self, half: str) -> Iterator[tuple[object, str]]:
        right = resolve(self.right, half)
        for place, word in itertools.product(range(len(right)), self.known):
            if word != right[place]:
                given = (*right[:place], word, *right[place + 1 :])
                yield given, self._sentence(given, half)


def _programs(*why: str) -> dict[str, str]:
    return {f"program {number}": sentence for number, sentence in enumerate(why, start=1)}


_PLACES = ("cpu", "gpu", "error")
_RULES = Halves(
    _programs(
        "PyTorch makes a tensor on the CPU unless it is told otherwise.",
        "PyTorch does what you say, or raises an error.",
        "the `if` asks what there is, and takes the CPU where there is no GPU.",
        "PyTorch copies no matrix to another device unless you ask for it.",
    ),
    _programs(
        "TensorFlow takes the first GPU that it sees, and the CPU if it sees none.",
        "soft placement is on from the start: TensorFlow takes the CPU where there is no GPU.",
        "with soft placement off TensorFlow does what you say, or raises an error.",
        "TensorFlow copies what lies elsewhere, and soft placement is on again.",
    ),
)


@task(
    with_gpu=Words(_PLACES, Halves(("cpu", "gpu", "gpu", "error"), ("gpu",) * 4), _RULES),
    without_gpu=Words(
        _PLACES,
        Halves(("cpu", "error", "cpu", "error"), ("cpu", "cpu", "error", "cpu")),
        _RULES,
    ),
)
def predict(framework) -> str:
    """Where the results of four programs lie, on a machine with a GPU and on one without."""
    return "All eight are right. The next cell runs the programs on the machine that you have."


def translation(framework, what_i_have) -> str:
    """Say what is installed, what it sees, and where a tensor is."""
    rng = np.random.default_rng()
    cpu, many = framework.cpu, int(rng.integers(2, 9))
    cuda = f"{rng.integers(11, 14)}.{rng.integers(0, 9)}.1"
    machines = [(0, None, cpu), (0, cuda, cpu), (1, cuda, framework.gpu(0))]
    machines += [(many, cuda, framework.gpu(many - 1)), (many, cuda, cpu)]
    whys = {
        "cuda": "it is the version that the build was made for, whatever the machine has; a build "
        "for the CPU has none.",
        "gpus": "count those that it sees; whether there are any is not enough, and what was built "
        "for a GPU need not see one.",
        "on": "look at the tensor `x` itself, not at what the machine has.",
    }
    for gpus, built, place in machines:
        with framework.machine(what_i_have, gpus, built):
            got = call(what_i_have, x=framework.tensor_on(place))
        got = parts("what_i_have", got, *whys)
        right = (built, gpus, "cpu" if place == cpu else "gpu")
        for (name, why), said, is_ in zip(whys.items(), got, right, strict=True):
            if type(said) is not type(is_) or said != is_:
                build = f"a build for {f'CUDA {built}' if built else 'the CPU'}"
                where = f"{build} on {_on(gpus)}, `x` on {place}"
                raise Wrong(f"With {where}, `{name}` is {kind_of(said)}, not {is_!r}: {why}")
    return "Three facts are right on five machines: the build, what it sees, where a tensor is."


_UNREAD = "the message does not get as far as a device: it cannot read the string."
_CAUSES = Halves(
    {
        '"/GPU:0"': _UNREAD,
        '"xpu"': "the message speaks of how PyTorch was compiled, not of the machine.",
        '"cpu:3"': "no error came, and look at where the tensor is.",
    },
    {
        '"cuda:0"': _UNREAD,
        '"/TPU:0"': "compare the kind that was asked for with `Supported device types`.",
        '"/CPU:3"': "the kind is among `Supported device types`: look at the list of devices.",
    },
)


@task(
    causes=Words(
        ("name", "kind", "number", "silent"),
        Halves(("name", "kind", "silent"), ("name", "kind", "number")),
        _CAUSES,
    )
)
def explain_error(framework, pick_device) -> str:
    """Name why three requests fail; write a function that asks before, and never falls back."""
    some = int(np.random.default_rng().integers(5, 9))
    cpu, gpu, first = framework.cpu, framework.gpu, framework.some_gpu
    requests = [request.strip('"') for request in resolve(_CAUSES, framework.name)]
    there = ((cpu, 0), (gpu(0), 1), (first, 1), (gpu(some - 1), some), (gpu(2), 12), (gpu(10), 12))
    missing = ((gpu(0), 0), (first, 0), (gpu(1), 1), (gpu(some), some), (gpu(10), 9))
    requests += [cpu.removesuffix(":0") + ":1", framework.other]
    for wanted, gpus in (*there, (cpu, some)):
        _pick(framework, pick_device, wanted, gpus, there=True)
    for wanted, gpus in (*missing, *itertools.product(requests, (0, 12))):
        _pick(framework, pick_device, wanted, gpus, there=False)
    return "The causes are right. What is there is returned, and what is not is refused in words."


def _try(framework, gpus: int, function: Callable, **arguments) -> tuple:
    """What a function returns on a machine, the error that it raises, and what it makes."""
    with framework.machine(function, gpus) as made:
        try:
            return call(function, **arguments), None, made
        except (Wrong, NotAttempted, RecursionError):
            raise
        except Exception as error:
            return None, error, made


def _on(gpus: int) -> str:
    number = {0: "without a GPU", 1: "with one GPU"}.get(gpus, f"with {gpus} GPUs")
    return f"a machine {number}"


def _pick(framework, pick_device, wanted: str, gpus: int, *, there: bool) -> None:
    """Judge what `pick_device` does on one machine."""
    said = f'On {_on(gpus)} `pick_device("{wanted}")`'
    right = framework.parse(wanted)
    got, error, made = _try(framework, gpus, pick_device, wanted=wanted)
    if made:
        raise Wrong(f"{said} makes a tensor: ask what there is.")
    if error and there:
        if not isinstance(error, RuntimeError):
            raise error
        raise Wrong(f"{said} raises a `RuntimeError`, though the device is there.")
    if error:
        # A name that the framework cannot read may keep the framework's own error.
        if not isinstance(error, RuntimeError if right else (RuntimeError, ValueError)):
            wish = "let it be a `RuntimeError`, with a sentence of yours."
            raise Wrong(f"{said} raises `{type(error).__name__}`; {wish}")
        wish = f"{said} raises, as it should; let the message"
        name = wanted.lstrip("/")
        if name not in str(error):
            raise Wrong(f"{wish} contain `{wanted}`.")
        if not any(map(str.isalpha, str(error).replace(name, ""))):
            raise Wrong(f"{wish} say what is missing.")
        return
    place = framework.parse(got)
    if place is None:
        what = f"`{got!s:.60}`, which is no name of a device."
    elif place == right:
        what = "" if there else "a device that is not there: ask how many there are."
    elif place == framework.parse(framework.cpu):
        what = "the CPU: that is the silent fallback."
    else:
        what = f"`{got!s:.60}`, which is another device."
    if what:
        raise Wrong(f"{said} returns {what}{'' if there else ' Raise an error.'}")


def bug_hunt(framework, run_on) -> str:
    """Mend a function that computes elsewhere than it was told, and says it did not."""
    get, put = framework.accessors()
    found = get()
    try:
        for value in framework.values:
            put(value)
            _check_run_on(framework, run_on, get)
    finally:
        put(None if str(found) == "cpu" else found)
    return "What it returns lies where you asked, and where nothing could, it raises an error."


def _check_run_on(framework, run_on, get: Callable) -> None:
    setting = get()
    cpu, gpu, parse = framework.cpu, framework.gpu, framework.parse

    def ask(device: str, compute: Callable, gpus: int) -> tuple:
        """How a sentence about it begins, where its result lies and is said to, or its error."""
        results = []

        def once():
            if results:
                raise Wrong("Your function calls `compute` twice: that may take hours.")
            results.append(None)
            results[0] = compute()
            return results[0]

        said = f'On {_on(gpus)} `run_on("{device}", compute)`'
        answer, error, _ = _try(framework, gpus, run_on, device=device, compute=once)
        if get() != setting:
            after = "an error" if error else "it returns"
            left = f"your function leaves {framework.setting} changed"
            raise Wrong(f"After {after} {left}. {framework.setting_note}")
        if error:
            return said, None, None, error
        result, name = parts("run_on", answer, "result", "where it lies")
        if results == [None]:
            raise Wrong(f"{said} hides the error that `compute` raises.")
        if not results or result is not results[0]:
            raise Wrong("The first thing to return is what `compute` returned.")
        return said, parse(result.device), parse(name), None

    for device, gpus in ((cpu, 0), (cpu, 2), (gpu(0), 1), (gpu(1), 2)):
        said, lies, named, error = ask(device, framework.computation(), gpus)
        if error:
            if not isinstance(error, framework.refusals):
                raise error
            raise Wrong(f"{said} raises `{type(error).__name__}`, though the device is there.")
        if lies != parse(device):
            raise Wrong(f"{said} computes elsewhere, though the device is there.")
        if named != lies:
            raise Wrong(f"{said} must name the device that the result lies on, and no other.")
    refused = ((gpu(0), None, 0), (gpu(1), None, 1), (gpu(99), None, 0))
    elsewhere = ((gpu(1), cpu, 2), (gpu(1), gpu(10), 12), (cpu, gpu(0), 2))
    for device, pinned, gpus in (*refused, *elsewhere):
        said, lies, named, error = ask(device, framework.computation(pinned), gpus)
        if isinstance(error, RuntimeError if pinned else framework.refusals):
            continue
        if error:
            raise Wrong(f"{said} raises `{error!r:.90}`; it must be a `RuntimeError`.")
        place = "on the CPU" if lies == parse(cpu) else "elsewhere"
        place += ", because `compute` put it there" if pinned else ""
        if named == parse(device):
            claim = "says that the result lies on the device asked for"
            raise Wrong(f"{said} {claim}. It lies {place}: ask the result.")
        raise Wrong(f"{said} returns a result that lies {place}: it must raise an error.")

    def fails():
        raise own

    for own in (kind(None, None, "") for kind in (*framework.refusals, ZeroDivisionError)):
        if ask(gpu(0), fails, 1)[-1] is not own:
            raise Wrong("An error of `compute` itself must reach the caller as it is.")


def _major(version: str) -> int:
    return int(version.partition(".")[0])


# What `diagnose` may answer, in the order in which it is to look: when, and why.
_MACHINE = {
    "works": (lambda f: f["gpus"], "whatever else is so, it sees a GPU that it has code for."),
    "no gpu": (
        lambda f: f["driver"] is None and not f["hardware"],
        "there is neither a driver nor a GPU in the machine.",
    ),
    "no driver": (lambda f: f["driver"] is None, "there is a GPU, and no driver for it."),
    "hidden": (lambda f: f["hidden"] in ("", "-1"), "`CUDA_VISIBLE_DEVICES` names no GPU."),
    "cpu build": (lambda f: f["cuda"] is None, "the build was made for no version of CUDA."),
}
_DRIVER = {
    "old driver": (
        lambda f: _major(f["driver"]) < MINIMUM_DRIVER[_major(f["cuda"])],
        "the driver is older than this version of CUDA asks for.",
    ),
    "unknown": (lambda f: True, "nothing that the table names stands in the way."),
}


def diagnose(framework, diagnose) -> str:
    """Say why a framework uses no GPU."""
    reasons = framework.first | _MACHINE | framework.later | _DRIVER
    for facts in _machines(framework):
        right = next(word for word, (is_so, _) in reasons.items() if is_so(facts))
        said = call(diagnose, facts=dict(facts))
        if not isinstance(said, str) or said not in reasons:
            wanted = "It must return one of the words of the table"
            raise Wrong(f"{wanted}; with `{facts}` it is {kind_of(said)}.")
        if said != right:
            raise Wrong(f'With `{facts}` it is not "{said}": {reasons[right][1]}')
    return "Every kind of machine that the facts can describe gets its reason."


def _machines(framework) -> Iterator[dict]:
    """Facts of every kind of machine, from simple to odd."""
    rng = np.random.default_rng()
    builds, hiding = (None, *MINIMUM_DRIVER), (None, "0", "", "-1", "GPU-1932f937")
    codes = ["sm_75", "sm_80", "sm_86", "sm_100"]
    for cuda, hidden, words, hardware in itertools.product(
        builds, hiding, framework.words, (True, False)
    ):
        oldest = MINIMUM_DRIVER[cuda or 13]
        for driver in (None, oldest + 15, oldest, oldest - 1, 96, 1010):
            minor = f"{rng.integers(10, 200)}.{rng.integers(0, 10):02}"
            facts = {
                "gpus": [],
                "cuda": cuda and f"{cuda}.{rng.integers(0, 9)}",
                "hardware": hardware,
                "driver": driver and f"{driver}.{minor}",
                "hidden": hidden,
            }
            facts |= {"words": words} if words else {"codes": codes if cuda else []}
            yield facts
            if hidden not in ("", "-1") and cuda and driver:
                for gpus in ([86], [100, 80]):
                    yield facts | {"gpus": gpus}
                if not words:
                    for gpus in ([61], [90], [70, 61], [89, 61], [120, 80]):
                        yield facts | {"gpus": gpus}
                    yield facts | {"gpus": [120], "codes": [*codes, "compute_100"]}


TASKS = (predict, translation, explain_error, bug_hunt, diagnose)
