"""Lesson 00, the install: the checks of its exercise.

Every machine is pretended: the functions with which a framework tells what it sees answer for a
machine drawn anew, so that a check says the same with a GPU and without one.
"""

import contextlib
import itertools
import types
from collections.abc import Callable, Iterator, Mapping
from unittest import mock

from paired.checks import NotAttempted, Wrong, call

import numpy as np

MINIMUM_DRIVER = {12: 525, 13: 580}  # by the major version of CUDA, as NVIDIA lists it

_COUNT = (
    "To know that there is a GPU is not enough for number 1: how many are there? Numbers begin "
    "with 0."
)
_VERSIONS = (
    "`Requirement(line)` has a `name`, a `specifier`, and a `marker`, which is `None` where the "
    "line has no `;`. Keep the lines that are about `package` and that apply: "
    "`marker.evaluate()`.",
    "`canonicalize_name` gives one spelling of a name. `specifier.contains(version)` says whether "
    "a line accepts a version, and `Version(version)` can be compared, and has `is_prerelease`.",
    "Keep the versions that are no pre-release and that `all(...)` of the lines accept. Then "
    "`max(fit, key=Version, default=None)`.",
)


def _diagnose_hints(last: str) -> tuple[str, ...]:
    return (
        "Write one `if` for each row of the table, in its order, and `return` in each.",
        "`CUDA_VISIBLE_DEVICES` may be unset, `None`, which hides nothing, or set to nothing, "
        '`""`, which hides all: both are false in an `if`. The major version of a driver is '
        '`int(driver.split(".")[0])`.',
        'Hidden: `facts["hidden"] in ("", "-1")`. Old: that number is below '
        '`MINIMUM_DRIVER[int(cuda.split(".")[0])]`. ' + last,
    )


class _PyTorch:
    """What the checks need of PyTorch: its names of devices, machines for it, its words."""

    cpu, nowhere, elsewhere = "cpu", "cuda:99", "meta"
    makers = ("empty", "zeros", "ones")  # functions that make tensors, on pretended devices, too
    refusals = (RuntimeError, AssertionError)  # what it raises where a device is not there
    libraries = False
    places = ("cpu", "gpu", "gpu", "error"), ("cpu", "error", "cpu", "error")
    rules = (
        "PyTorch makes a tensor on the CPU unless it is told otherwise.",
        "PyTorch does what you say, or raises an error.",
        "the `if` asks what there is, and takes the CPU where there is no GPU.",
        "PyTorch copies nothing between devices that you did not ask it to copy.",
    )
    causes = ("name", "kind", "silent")
    requests = ("/GPU:0", "xpu", "cpu:3")
    why = (
        "the message does not get as far as a device: it cannot read the string.",
        "the message speaks of how PyTorch was compiled, not of the machine.",
        "no error came, and look at where the tensor is.",
    )

    def gpu(self, number: int) -> str:
        return f"cuda:{number}"

    def some_gpu(self) -> str:
        return "cuda"

    def parse(self, device) -> tuple[str, int] | None:
        """The kind and the number of a device's name; None if it is no name."""
        import torch

        try:
            device = torch.device(device)
        except (TypeError, RuntimeError):
            return None
        return device.type, device.index or 0

    @contextlib.contextmanager
    def machine(self, gpus: int, cuda: str | None = "13.0") -> Iterator[None]:
        """Let PyTorch tell of another machine."""
        import torch

        def named(device=None) -> str:
            number = device or 0 if isinstance(device, int | None) else self.parse(device)[1]
            if number >= gpus:
                raise AssertionError("Invalid device id")
            return "NVIDIA H100"

        def making(function: Callable) -> Callable:
            def make(*size, device=None, **options):
                asked = torch.get_default_device() if device is None else device
                kind, number = self.parse(asked) or (None, 0)
                if kind == "cuda" and number >= gpus:
                    raise AssertionError("Torch not compiled with CUDA enabled")
                if gpus and kind in ("cpu", "cuda"):
                    return self.tensor_on(f"cuda:{number}" if kind == "cuda" else "cpu")
                return function(*size, device=device, **options)

            return make

        answers = {
            (torch.version, "cuda"): cuda,
            (torch.backends.cuda, "is_built"): lambda: cuda is not None,
            (torch.cuda, "is_available"): lambda: gpus > 0,
            (torch.xpu, "is_available"): lambda: False,
            (torch.xpu, "device_count"): lambda: 0,
            (torch.cuda, "device_count"): lambda: gpus,
            (torch.cuda, "get_device_name"): named,
            (torch.cuda, "get_device_properties"): lambda device=None: types.SimpleNamespace(
                name=named(device)
            ),
            (torch.accelerator, "is_available"): lambda: gpus > 0,
            (torch.accelerator, "device_count"): lambda: gpus,
            (torch.accelerator, "current_accelerator"): lambda check_available=False: (
                torch.device("cuda") if gpus or (cuda and not check_available) else None
            ),
        }
        with torch.device("cpu"):
            torch.empty(0)  # PyTorch lists once what such a block changes: let it list its own
        answers |= {(torch, name): making(getattr(torch, name)) for name in self.makers}
        with _patched(answers):
            yield

    def tensor_on(self, device: str):
        """Something that tells of the device it is on as a tensor does."""
        import torch

        device = torch.device(device)
        numbers = {"cpu": -1}
        return types.SimpleNamespace(
            device=device,
            is_cuda=device.type == "cuda",
            is_cpu=device.type == "cpu",
            get_device=lambda: numbers.get(device.type, device.index),
            to=self.tensor_on,
        )

    def computation(self, pinned: str | None = None) -> Callable:
        """A computation on the default device, or where pinned."""
        import torch

        return lambda: torch.ones(2, 2, device=pinned)

    # What a mended function must leave as it was; the values to leave it at.
    setting, values = "the default device", ("cpu",)
    setting_note = "Use `with torch.device(...)`, which ends by itself, also after an error."

    def get(self) -> str:
        import torch

        return str(torch.get_default_device())

    def set(self, value: str) -> None:
        import torch

        torch.set_default_device(None if value == "cpu" else value)


class _TensorFlow:
    """The same of TensorFlow."""

    cpu, nowhere, elsewhere = "/CPU:0", "/GPU:99", None
    makers = ("constant", "zeros", "ones")
    libraries = True
    places = ("gpu", "gpu", "gpu", "gpu"), ("cpu", "cpu", "error", "cpu")
    rules = (
        "TensorFlow takes the first GPU that it sees, and the CPU if it sees none.",
        "soft placement is on from the start: TensorFlow takes the CPU where there is no GPU.",
        "with soft placement off TensorFlow does what you say, or raises an error.",
        "TensorFlow copies what lies elsewhere, and soft placement is on again.",
    )
    causes = ("name", "kind", "number")
    requests = ("cuda:0", "/TPU:0", "/CPU:3")
    why = (
        "the message does not get as far as a device: it cannot read the string.",
        "compare the kind that was asked for with `Supported device types`.",
        "the kind is among `Supported device types`: look at the list of devices.",
    )

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        import tensorflow as tf

        return RuntimeError, ValueError, tf.errors.OpError

    def gpu(self, number: int) -> str:
        return f"/GPU:{number}"

    def some_gpu(self) -> str:
        return "/GPU"

    def parse(self, device) -> tuple[str, int] | None:
        """The kind and the number of a device's name; None if it is no name."""
        import tensorflow as tf

        try:
            spec = tf.DeviceSpec.from_string(getattr(device, "name", device))
        except (AttributeError, TypeError, ValueError):
            return None
        return (spec.device_type.lower(), spec.device_index or 0) if spec.device_type else None

    @contextlib.contextmanager
    def machine(self, gpus: int, cuda: str | None = "12.5.1") -> Iterator[None]:
        """Let TensorFlow tell of another machine."""
        import tensorflow as tf
        from tensorflow.python.eager import context

        def making(function: Callable) -> Callable:
            def make(*arguments, **options):
                asked = context.context().device_name or (self.gpu(0) if gpus else self.cpu)
                kind, number = self.parse(asked)
                there = number < {"cpu": 1, "gpu": gpus}.get(kind, 0)
                if there and gpus:
                    return self.tensor_on(asked)
                if not (there or tf.config.get_soft_device_placement()):
                    message = f"Could not satisfy device specification '{asked}'."
                    raise tf.errors.InvalidArgumentError(None, None, message)
                with tf.device(self.cpu):
                    return function(*arguments, **options)

            return make

        def listed(make: Callable, name: str) -> Callable:
            there = {
                kind: [make(name.format(kind, number), kind) for number in range(count)]
                for kind, count in (("CPU", 1), ("GPU", gpus))
            }
            return lambda device_type=None: (
                there.get(device_type, []) if device_type else [*there["CPU"], *there["GPU"]]
            )

        physical = listed(tf.config.PhysicalDevice, "/physical_device:{}:{}")
        logical = listed(tf.config.LogicalDevice, "/device:{}:{}")
        build = {"is_cuda_build": cuda is not None, "is_rocm_build": False}
        answers = {
            (tf.config, "list_physical_devices"): physical,
            (tf.config, "list_logical_devices"): logical,
            (tf.config, "get_visible_devices"): physical,
            (tf.config.experimental, "list_physical_devices"): physical,
            (tf.config.experimental, "list_logical_devices"): logical,
            (tf.test, "is_built_with_cuda"): lambda: cuda is not None,
            (tf.test, "is_built_with_gpu_support"): lambda: cuda is not None,
            (tf.test, "gpu_device_name"): lambda: "/device:GPU:0" if gpus else "",
            (tf.test, "is_gpu_available"): lambda *_, **__: gpus > 0,
            (tf.sysconfig, "get_build_info"): lambda: (
                build | ({"cuda_version": cuda, "cudnn_version": "9"} if cuda else {})
            ),
        }
        answers |= {(tf, name): making(getattr(tf, name)) for name in self.makers}
        with _patched(answers):
            yield

    def tensor_on(self, device: str):
        """Something that tells of the device it is on as a tensor does."""
        kind, number = self.parse(device)
        name = f"/job:localhost/replica:0/task:0/device:{kind.upper()}:{number}"
        return types.SimpleNamespace(device=name, backing_device=name)

    def computation(self, pinned: str | None = None) -> Callable:
        """A computation on the device of the block, or where pinned."""
        import tensorflow as tf

        def compute():
            with tf.device(pinned) if pinned else contextlib.nullcontext():
                return tf.ones((2, 2))

        return compute

    setting, values = "soft placement", (True, False)
    setting_note = (
        "Take `tf.config.get_soft_device_placement()` first, and set that again in a `finally:`."
    )

    def get(self) -> bool:
        import tensorflow as tf

        return tf.config.get_soft_device_placement()

    def set(self, value: bool) -> None:
        import tensorflow as tf

        tf.config.set_soft_device_placement(value)


@contextlib.contextmanager
def _patched(answers: Mapping[tuple, object]) -> Iterator[None]:
    """Let modules have other attributes for a while."""
    with contextlib.ExitStack() as stack:
        for (module, name), answer in answers.items():
            stack.enter_context(mock.patch.object(module, name, answer))
        yield


def _words(name: str, answer, count: int, known: tuple[str, ...]) -> tuple[str, ...]:
    """An answer that must be some words of those known."""
    listed = " or ".join(f'"{word}"' for word in known)
    if not isinstance(answer, tuple | list) or len(answer) != count:
        raise Wrong(f"`{name}` must be a tuple of {count} words, each {listed}.")
    for word in answer:
        if not isinstance(word, str) or word not in known:
            raise Wrong(f"`{name}` has {word!r:.30} in it; each word must be {listed}.")
    return tuple(answer)


def predict(framework, with_gpu, without_gpu) -> str:
    """Where the results of four programs lie, on a machine with a GPU and on one without."""
    answers = {
        name: _words(name, answer, 4, ("cpu", "gpu", "error"))
        for name, answer in (("with_gpu", with_gpu), ("without_gpu", without_gpu))
    }
    for (name, answer), right in zip(answers.items(), framework.places, strict=True):
        programs = zip(answer, right, framework.rules, strict=True)
        for number, (said, is_, why) in enumerate(programs, start=1):
            if said != is_:
                raise Wrong(f'`{name}`, program {number}, is not "{said}": {why}')
    return "All eight are right. The next cell runs the programs on the machine that you have."


def translation(framework, what_i_have) -> str:
    """Say what is installed, what it sees, and where a tensor is."""
    rng = np.random.default_rng()
    many = int(rng.integers(2, 9))
    cuda = f"{rng.integers(11, 14)}.{rng.integers(0, 9)}"
    machines = (  # GPUs, CUDA of the build, place of the tensor, in words
        (0, None, framework.cpu, "a build for the CPU"),
        (0, cuda, framework.cpu, "a build for CUDA on a machine without a GPU"),
        (1, cuda, framework.gpu(0), "a build for CUDA on a machine with one GPU"),
        (many, cuda, framework.gpu(many - 1), "a machine with several GPUs, `x` on the last"),
        (many, cuda, framework.cpu, "a machine with several GPUs, `x` on the CPU"),
    )
    for gpus, built, place, words in machines:
        with framework.machine(gpus, built):
            got = call(what_i_have, x=framework.tensor_on(place))
        if not isinstance(got, tuple | list) or len(got) != 3:
            kind = type(got).__name__
            raise Wrong(f"The function must return three things, `cuda, gpus, on`; it is `{kind}`.")
        right = (built, gpus, "cpu" if place == framework.cpu else "gpu")
        for name, said, is_ in zip(("cuda", "gpus", "on"), got, right, strict=True):
            _compare_fact(name, said, is_, words)
    return "Three facts are right on five machines: the build, what it sees, where a tensor is."


_FORMS = types.MappingProxyType(
    {
        "cuda": "a version as text, or `None` in a build for the CPU",
        "gpus": "a whole number, of how many GPUs it sees",
        "on": '"cpu" or "gpu", in small letters',
    }
)


def _compare_fact(name: str, said, is_, machine: str) -> None:
    kinds = {"cuda": str | None, "gpus": int, "on": str}
    well_formed = isinstance(said, kinds[name]) and not isinstance(said, bool)
    if not well_formed or (name == "on" and said not in ("cpu", "gpu")):
        raise Wrong(f"`{name}` must be {_FORMS[name]}; with {machine} it is {said!r:.60}.")
    if said == is_:
        return
    if name == "cuda":
        sentence = (
            "what a build was made for does not depend on the machine that it runs on."
            if said is None
            else "a build for the CPU has no such version."
            if is_ is None
            else "it is not the version that the build was made for."
        )
    elif name == "gpus":
        sentence = (
            "what was built for a GPU need not see one."
            if said > is_ == 0
            else "count them; whether there are any is not enough."
            if said == 1
            else "that is not how many it sees."
        )
    else:
        sentence = "look at the tensor `x` itself, not at what the machine has."
    raise Wrong(f"`{name}` is wrong with {machine}: {sentence}")


def explain_error(framework, causes, pick_device) -> str:
    """Name why three requests fail; write a function that asks before, and never falls back."""
    words = _words("causes", causes, 3, ("name", "kind", "number", "silent"))
    requests = zip(framework.requests, words, framework.causes, framework.why, strict=True)
    for request, said, is_, why in requests:
        if said != is_:
            raise Wrong(f'The cause of "{request}" is not "{said}": {why}')
    many = int(np.random.default_rng().integers(5, 9))
    gpu, some_gpu = framework.gpu, framework.some_gpu()
    for wanted, gpus, machine in (
        (framework.cpu, 0, "without a GPU"),
        (gpu(0), 1, "with one GPU"),
        (some_gpu, 1, "with one GPU"),
        (gpu(many - 1), many, "with several GPUs, for the last of them"),
        (gpu(10), 12, "with 12 GPUs"),
        (framework.cpu, many, "with several GPUs"),
    ):
        _picks(framework, pick_device, wanted, gpus, machine)
    for wanted, gpus, machine in (
        (gpu(0), 0, "without a GPU"),
        (some_gpu, 0, "without a GPU"),
        (gpu(1), 1, "with one GPU"),
        (gpu(many), many, "with several GPUs, for one more than it has"),
        (gpu(13), 12, "with 12 GPUs"),
        *((request, 0, "without a GPU") for request in framework.requests),
    ):
        _refuses_to_pick(framework, pick_device, wanted, gpus, machine)
    return "The causes are right. What is there is returned, and what is not is refused in words."


def _picks(framework, pick_device, wanted: str, gpus: int, machine: str) -> None:
    said = f"On a machine {machine} `pick_device({_shown(wanted)})`"
    try:
        with framework.machine(gpus):
            got = call(pick_device, wanted=wanted)
    except RecursionError:
        raise
    except RuntimeError:
        raise Wrong(f"{said} raises a `RuntimeError`, though the device is there.") from None
    place, right = framework.parse(got), framework.parse(wanted)
    if place is None:
        raise Wrong(f"{said} returns a `{type(got).__name__}` that is no name of a device.")
    if place[0] != right[0]:
        raise Wrong(f"{said} returns another kind of device, though the one asked for is there.")
    if place != right:
        raise Wrong(f"{said} returns a device of another number.")


def _refuses_to_pick(framework, pick_device, wanted: str, gpus: int, machine: str) -> None:
    said = f"On a machine {machine} `pick_device({_shown(wanted)})`"
    # A name that the framework cannot read may keep the framework's own error.
    refusals = RuntimeError if framework.parse(wanted) else (RuntimeError, ValueError)
    try:
        with framework.machine(gpus):
            got = call(pick_device, wanted=wanted)
    except RecursionError:
        raise
    except refusals as error:
        if wanted.lstrip("/") not in str(error):
            raise Wrong(
                f"{said} raises, as it should; let the message name the device that was asked for."
            ) from None
        if len(str(error).split()) < 4:
            raise Wrong(f"{said} raises, as it should; let the message say why.") from None
        return
    except (Wrong, NotAttempted):
        raise
    except Exception as error:
        raise Wrong(
            f"{said} raises `{type(error).__name__}`; let it be a `RuntimeError`, with a sentence "
            "of yours."
        ) from None
    place = framework.parse(got)
    if place == framework.parse(framework.cpu):
        raise Wrong(f"{said} returns the CPU: that is the silent fallback. Raise an error.")
    if place and place == framework.parse(wanted):
        raise Wrong(f"{said} returns a device that is not there: ask how many there are.")
    if place is None:
        kind = type(got).__name__
        raise Wrong(f"{said} returns a `{kind}` that is no device: raise an error.")
    raise Wrong(f"{said} returns another device than the one asked for: raise an error.")


def _shown(name: str) -> str:
    """A device's name as code, without a number that is drawn."""
    number = name.rpartition(":")[2]
    fixed = not number.isdigit() or int(number) in (0, 1, 3, 10, 13)
    return f'"{name}"' if fixed else f'"{name[: -len(number)]}n"'


def versions(framework, newest_fit) -> str:
    """Pick the newest version of a package that every requirement accepts."""
    rng = np.random.default_rng()
    name = "".join(map(chr, rng.integers(97, 123, size=8)))
    major, low, high = (int(rng.integers(*bounds)) for bounds in ((1, 9), (3, 10), (10, 20)))
    old, new, next_ = f"{major}.{low}", f"{major}.{high}", f"{major + 1}.0"
    three = [new, next_, old]
    order = "versions are no text and no decimals: 9 comes before 13."
    marker = "what follows `;` says when the line applies."
    early = "a pre-release is not for everyday use."
    spelling = 'capitals, "-", "_" and "." do not matter in the name of a package.'
    cases = (  # requirements, versions, the newest that fits, why
        ([name], three, next_, "nothing speaks against the newest, wherever it stands."),
        ([f"{name}>={old}"], [old, new], new, order),
        ([f"{name}<{next_},>={old}"], three, new, f"{next_} is too new."),
        ([f"{name}<={new}"], three, new, "`<=` accepts the bound itself."),
        ([f"{name}!={next_}"], three, new, "`!=` excludes a version."),
        ([f"{name}>={old}", f"{name}<{new}"], three, old, "every line must accept it."),
        ([f"{name}<{new}", f"{name}>={old}"], three, old, "every line must accept it."),
        ([f"{name}>={new}", f"{name}<{new}"], three, None, "no version is accepted by both."),
        ([f"{name}>{next_}"], three, None, "it accepts none."),
        ([f"numpy<{new}", f"{name}<{next_}"], three, new, "numpy is another package."),
        ([f"{name}-extra<{new}"], three, next_, "that is another package."),
        ([f"{name.upper()}<{next_}"], three, new, spelling),
        ([f'{name}<{new}; python_version < "3"'], three, next_, marker),
        ([f'{name}<{new}; extra == "and-cuda"'], three, next_, marker),
        ([f'{name}<{next_}; python_version >= "3"'], three, new, marker),
        ([f"{name}>={old}"], [f"{next_}rc1", new], new, early),
        ([name], [old, f"{next_}.dev1"], old, early),
        ([f"{name}=={new}"], [old, f"{new}+cpu"], f"{new}+cpu", "`+cpu` only names the build."),
    )
    for lines, there, right, why in cases:
        if _newest(newest_fit, name, lines, there) != right:
            shown = ", ".join(f"`{line}`" for line in lines)
            text = f"{shown} and the versions {', '.join(there)} it is {right}: {why}"
            drawn = {name: "package", name.upper(): "PACKAGE"}
            drawn |= {new: "2.13", old: "2.9", next_: "3.0"}
            for each, fixed in drawn.items():
                text = text.replace(each, fixed)
            raise Wrong(f"With {text}")
    for _ in range(30):
        there = [f"{a}.{b}" for a in range(1, 4) for b in range(7, 12)]
        there = list(rng.permutation(there)[:8])
        lines = [f"{name}{sign}{version}" for sign, version in zip(
            rng.permutation([">=", "<=", "!=", "<", ">"])[:2], rng.choice(there, 2), strict=True
        )]  # fmt: skip
        if _newest(newest_fit, name, lines, there) != _newest_fit(lines, there):
            raise Wrong("With two bounds drawn at random it is not the newest that fits.")
    times = len(cases) + 30
    return f"Names, bounds, markers, builds and pre-releases: {times} times the newest that fits."


def _newest(newest_fit, name: str, lines: list[str], there: list[str]) -> str | None:
    there = [str(version) for version in there]
    got = call(newest_fit, package=name, requirements=list(lines), versions=list(there))
    if got is not None and (not isinstance(got, str) or got not in there):
        kind = type(got).__name__
        raise Wrong(
            f"It must return one of `versions`, as it stands there, or `None`; it is `{kind}`."
        )
    return got


def _newest_fit(lines: list[str], there: list[str]) -> str | None:
    """The reference, for requirements that all hold."""
    from packaging.requirements import Requirement
    from packaging.version import Version

    fit = [v for v in there if all(v in Requirement(line).specifier for line in lines)]
    return max(fit, key=Version, default=None)


def bug_hunt(framework, run_on) -> str:
    """Mend a function that computes elsewhere than it was told, and says it did not."""
    found = framework.get()
    try:
        for value in framework.values:
            framework.set(value)
            _check_run_on(framework, run_on, value)
    finally:
        framework.set(found)
    return "What it returns lies where you asked, and where nothing could, it raises an error."


def _check_run_on(framework, run_on, setting) -> None:
    cpu, gpu = framework.cpu, framework.gpu
    compute = framework.computation()

    def ask(device: str, compute: Callable, gpus: int, machine: str):
        """The answer, or the error in its place, and how to begin a sentence about it."""
        calls, gave = [], []

        def counted():
            calls.append(None)
            if len(calls) > 1:
                raise Wrong("Your function calls `compute` twice: that may take hours.")
            gave.append(compute())
            return gave[0]

        answer = refusal = None
        try:
            with framework.machine(gpus):
                answer = call(run_on, device=device, compute=counted)
        except RecursionError:
            raise
        except (ZeroDivisionError, *framework.refusals) as error:
            refusal = error
        if framework.get() != setting:
            after = "an error" if refusal else "it returns"
            raise Wrong(
                f"After {after} your function leaves {framework.setting} changed. "
                f"{framework.setting_note}"
            )
        said = f"On a machine {machine} `run_on({_shown(device)}, compute)`"
        if refusal is None:
            if not isinstance(answer, tuple | list) or len(answer) != 2:
                raise Wrong("The function must return two things: the result, and where it lies.")
            if not calls:
                raise Wrong(f"{said} returns something without a call of `compute`.")
            if not gave:
                raise Wrong(f"{said} hides the error that `compute` raises.")
            if answer[0] is not gave[0]:
                raise Wrong("The first thing to return is what `compute` returned.")
        return answer, refusal, said

    def lands(device: str, compute: Callable, gpus: int, machine: str) -> None:
        answer, refusal, said = ask(device, compute, gpus, machine)
        if refusal:
            raise Wrong(f"{said} raises `{type(refusal).__name__}`, though the device is there.")
        if framework.parse(answer[1]) is None:
            raise Wrong(f"{said} must say where the result lies, by the name of a device.")
        if framework.parse(answer[0].device) != framework.parse(device):
            raise Wrong(f"{said} computes elsewhere, though the device is there.")
        if framework.parse(answer[1]) != framework.parse(device):
            raise Wrong(f"{said} names another device than the one that the result lies on.")

    def refuses(device: str, compute: Callable, gpus: int, machine: str, extra: str = "") -> None:
        answer, refusal, said = ask(device, compute, gpus, machine)
        if refusal:
            return
        lies = framework.parse(answer[0].device) == framework.parse(framework.cpu)
        there = "on the CPU" if lies else "elsewhere"
        if framework.parse(answer[1]) == framework.parse(device):
            raise Wrong(
                f"{said} says that the result lies on the device asked for. It lies "
                f"{there}{extra}: ask the result."
            )
        raise Wrong(f"{said} returns a result that lies {there}{extra}: it must raise an error.")

    lands(cpu, compute, 0, "without a GPU")
    lands(cpu, compute, 2, "with two GPUs")
    lands(gpu(0), compute, 1, "with one GPU")
    lands(gpu(1), compute, 2, "with two GPUs")
    if framework.elsewhere:
        always = f'of any kind, where "{framework.elsewhere}" is always there,'
        lands(framework.elsewhere, compute, 0, always)
    refuses(gpu(0), compute, 0, "without a GPU")
    refuses(gpu(1), compute, 1, "with one GPU")
    refuses(framework.nowhere, compute, 0, "without a GPU")
    own = ", because `compute` put it there"
    refuses(gpu(1), framework.computation(cpu), 2, "with two GPUs", own)
    refuses(gpu(1), framework.computation(gpu(10)), 12, "with 12 GPUs", own)

    def fails():
        raise ZeroDivisionError

    if not isinstance(ask(cpu, fails, 0, "without a GPU")[1], ZeroDivisionError):
        raise Wrong("An error of `compute` itself must reach the caller as it is.")


# What `diagnose` may answer, in the order in which it is to look, and why.
_REASONS = types.MappingProxyType(
    {
        "works": "whatever else is so, it sees a GPU.",
        "no gpu": "there is neither a driver nor a GPU in the machine.",
        "no driver": "there is a GPU, and no driver for it.",
        "hidden": "`CUDA_VISIBLE_DEVICES` names no GPU.",
        "cpu build": "the build was made for no version of CUDA.",
        "libraries": 'its words have "dlopen" in them: it cannot load the libraries of CUDA.',
        "old driver": "the driver is older than this version of CUDA asks for.",
        "unknown": "nothing that the table names stands in the way.",
    }
)


def diagnose(framework, diagnose) -> str:
    """Say why a framework sees no GPU."""
    for facts, words in _machines(framework):
        right = _diagnosis(facts)
        said = call(diagnose, facts=dict(facts))
        if not isinstance(said, str) or said not in _REASONS:
            kind = "another text" if isinstance(said, str) else f"a `{type(said).__name__}`"
            raise Wrong(f"It must return one of the words of the table; with {words} it is {kind}.")
        if said != right:
            raise Wrong(f'With {words} it is not "{said}": {_REASONS[right]}')
    return "Every kind of machine that the facts can describe gets its reason."


def _machines(framework) -> Iterator[tuple[dict, str]]:
    """Facts of every kind of machine, from simple to odd, and the same in words."""
    rng = np.random.default_rng()

    def driver(main: int) -> str:
        return f"{main}.{rng.integers(10, 200)}.{rng.integers(0, 10):02}"

    builds = {"a build for the CPU": None} | {
        f"a build for CUDA {main}": f"{main}.{rng.integers(0, 9)}" for main in MINIMUM_DRIVER
    }
    hiding = {
        "": None, ", CUDA_VISIBLE_DEVICES='0'": "0", ", CUDA_VISIBLE_DEVICES=''": "",
        ", CUDA_VISIBLE_DEVICES='-1'": "-1", ", CUDA_VISIBLE_DEVICES='0,1'": "0,1",
    }  # fmt: skip
    says = {"": "This build is optimized for this processor."}
    if framework.libraries:
        says[', "dlopen" in its words'] = "Cannot dlopen some GPU libraries."
    everything = itertools.product(builds, hiding, says, (True, False))
    for build, hidden, word, hardware in everything:
        oldest = MINIMUM_DRIVER[int((builds[build] or "13").split(".")[0])]
        drivers = {
            "no driver": None, "a driver that is new enough": driver(oldest + 15),
            "a driver of the oldest version that will do": driver(oldest),
            "a driver one version too old": driver(oldest - 1),
            "a driver of version 96": driver(96), "a driver of version 1010": driver(1010),
        }  # fmt: skip
        for has, version in drivers.items():
            facts = {
                "gpus": [], "cuda": builds[build], "hardware": hardware, "driver": version,
                "hidden": hiding[hidden], "words": says[word],
            }  # fmt: skip
            there = "" if hardware else ", no GPU in the machine"
            words = f"{build}, {has}{hidden}{there}{word}"
            yield facts, words
            if _diagnosis(facts) in ("old driver", "libraries", "unknown"):
                yield facts | {"gpus": ["NVIDIA H100"]}, f"a GPU seen, {words}"


def _diagnosis(facts: Mapping) -> str:
    """The reference."""
    if facts["gpus"]:
        return "works"
    if facts["driver"] is None:
        return "no driver" if facts["hardware"] else "no gpu"
    if facts["hidden"] in ("", "-1"):
        return "hidden"
    if facts["cuda"] is None:
        return "cpu build"
    if "dlopen" in facts["words"]:
        return "libraries"
    cuda, driver = (int(facts[part].partition(".")[0]) for part in ("cuda", "driver"))
    return "old driver" if driver < MINIMUM_DRIVER[cuda] else "unknown"


ADAPTERS = {"pytorch": _PyTorch, "tensorflow": _TensorFlow}
TASKS = (predict, translation, explain_error, versions, bug_hunt, diagnose)
