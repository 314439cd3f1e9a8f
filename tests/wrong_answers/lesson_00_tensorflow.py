"""Wrong answers to the exercise of lesson 00 in TensorFlow."""

import tensorflow as tf

from wrong_answers import WrongAnswers, lesson_00

wrong = WrongAnswers()

CPU, GPU, ERROR = "cpu", "gpu", "error"
lesson_00.add_predictions(
    wrong,
    ((GPU, GPU, GPU, GPU), (CPU, CPU, ERROR, CPU)),
    {
        ("with_gpu", (CPU, GPU, GPU, GPU)): (
            '1, is not "cpu": TensorFlow takes the first GPU that it sees, and the CPU '
            "if it sees none."
        ),
        ("with_gpu", (GPU, CPU, GPU, GPU)): (
            '2, is not "cpu": soft placement is on from the start: TensorFlow takes the '
            "CPU where there is no GPU."
        ),
        ("with_gpu", (GPU, GPU, ERROR, GPU)): (
            '3, is not "error": with soft placement off TensorFlow does what you say, '
            "or raises an error."
        ),
        ("with_gpu", (GPU, GPU, GPU, ERROR)): (
            '4, is not "error": TensorFlow copies what lies elsewhere, and soft '
            "placement is on again."
        ),
        ("with_gpu", (GPU, GPU, GPU, CPU)): (
            '4, is not "cpu": TensorFlow copies what lies elsewhere, and soft placement '
            "is on again."
        ),
        ("without_gpu", (CPU, ERROR, ERROR, CPU)): (
            '2, is not "error": soft placement is on from the start: TensorFlow takes '
            "the CPU where there is no GPU."
        ),
        ("without_gpu", (CPU, CPU, CPU, CPU)): (
            '3, is not "cpu": with soft placement off TensorFlow does what you say, or '
            "raises an error."
        ),
        ("without_gpu", (CPU, CPU, ERROR, ERROR)): (
            '4, is not "error": TensorFlow copies what lies elsewhere, and soft '
            "placement is on again."
        ),
        ("without_gpu", (ERROR, CPU, ERROR, CPU)): (
            '1, is not "error": TensorFlow takes the first GPU that it sees, and the '
            "CPU if it sees none."
        ),
    },
)


def _cuda() -> str | None:
    return tf.sysconfig.get_build_info().get("cuda_version")


def _gpus() -> int:
    return len(tf.config.list_physical_devices("GPU"))


def _where(x) -> str:
    return "gpu" if "GPU" in x.device else "cpu"


@wrong.brings(
    "translation",
    "`cuda` is wrong with a build for CUDA on a machine without a GPU: what a build was "
    "made for does not depend on the machine that it runs on.",
)
def takes_the_build_for_the_machine(x):
    return _cuda() if _gpus() else None, _gpus(), _where(x)


@wrong.brings(
    "translation",
    "`cuda` must be a version as text, or `None` in a build for the CPU; with a build "
    "for the CPU it is False.",
)
def says_whether_it_is_built(x):
    return tf.test.is_built_with_cuda(), _gpus(), _where(x)


@wrong.brings(
    "translation",
    "Your code raises `KeyError: 'cuda_version'`.",
)
def expects_a_version_in_every_build(x):
    return tf.sysconfig.get_build_info()["cuda_version"], _gpus(), _where(x)


@wrong.brings(
    "translation",
    "`cuda` is wrong with a build for the CPU: a build for the CPU has no such version.",
)
def makes_text_of_none(x):
    return str(_cuda()), _gpus(), _where(x)


@wrong.brings(
    "translation",
    "`cuda` is wrong with a build for CUDA on a machine without a GPU: it is not the "
    "version that the build was made for.",
)
def takes_the_version_of_cudnn(x):
    return tf.sysconfig.get_build_info().get("cudnn_version"), _gpus(), _where(x)


@wrong.brings(
    "translation",
    "`gpus` is wrong with a build for the CPU: what was built for a GPU need not see one.",
)
def counts_every_device(x):
    return _cuda(), len(tf.config.list_physical_devices()), _where(x)


@wrong.brings(
    "translation",
    "`gpus` must be a whole number, of how many GPUs it sees; with a build for the CPU it is [].",
)
def returns_the_list(x):
    return _cuda(), tf.config.list_physical_devices("GPU"), _where(x)


@wrong.brings(
    "translation",
    "`gpus` is wrong with a build for CUDA on a machine with one GPU: that is not how "
    "many it sees.",
)
def asks_for_small_letters(x):
    return _cuda(), len(tf.config.list_physical_devices("gpu")), _where(x)


@wrong.brings(
    "translation",
    "`gpus` must be a whole number, of how many GPUs it sees; with a build for the CPU "
    "it is False.",
)
def says_whether_there_is_one(x):
    return _cuda(), bool(_gpus()), _where(x)


@wrong.brings(
    "translation",
    "`gpus` is wrong with a machine with several GPUs, `x` on the last: count them; "
    "whether there are any is not enough.",
)
def counts_to_one(x):
    return _cuda(), int(bool(_gpus())), _where(x)


@wrong.brings(
    "translation",
    "`gpus` is wrong with a build for CUDA on a machine without a GPU: what was built "
    "for a GPU need not see one.",
)
def takes_built_for_seen(x):
    return _cuda(), int(tf.test.is_built_with_cuda()), _where(x)


@wrong.brings(
    "translation",
    '`on` must be "cpu" or "gpu", in small letters; with a build for the CPU it is \'CPU\'.',
)
def leaves_capitals(x):
    return _cuda(), _gpus(), tf.DeviceSpec.from_string(x.device).device_type


@wrong.brings(
    "translation",
    "`on` is wrong with a build for CUDA on a machine with one GPU: look at the tensor "
    "`x` itself, not at what the machine has.",
)
def looks_for_small_letters(x):
    return _cuda(), _gpus(), "gpu" if "gpu" in x.device else "cpu"


@wrong.brings(
    "translation",
    "`on` is wrong with a machine with several GPUs, `x` on the CPU: look at the tensor "
    "`x` itself, not at what the machine has.",
)
def says_where_a_tensor_could_lie(x):
    return _cuda(), _gpus(), "gpu" if _gpus() else "cpu"


@wrong.brings(
    "translation",
    "`on` is wrong with a machine with several GPUs, `x` on the last: look at the "
    "tensor `x` itself, not at what the machine has.",
)
def knows_the_first_gpu_only(x):
    return _cuda(), _gpus(), "gpu" if x.device.endswith("GPU:0") else "cpu"


@wrong.brings(
    "translation",
    '`on` must be "cpu" or "gpu", in small letters; with a build for the CPU it is '
    "'/job:localhost/replica:0/task:0/device:CPU:0'.",
)
def returns_the_whole_name(x):
    return _cuda(), _gpus(), x.device


@wrong.brings(
    "translation",
    "The function must return three things, `cuda, gpus, on`; it is `dict`.",
)
def returns_a_dictionary(x):
    return {"cuda": _cuda(), "gpus": _gpus(), "on": _where(x)}


def pick_device(wanted):
    device = tf.DeviceSpec.from_string(wanted)
    there = len(tf.config.list_physical_devices(device.device_type))
    if (device.device_index or 0) >= there:
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow sees {there} of this kind.")
    return wanted


lesson_00.add_causes(
    wrong,
    pick_device,
    ("name", "kind", "number"),
    {
        ("kind", "kind", "number"): (
            '"cuda:0" is not "kind": the message does not get as far as a device: it '
            "cannot read the string."
        ),
        ("name", "number", "number"): (
            '"/TPU:0" is not "number": compare the kind that was asked for with '
            "`Supported device types`."
        ),
        ("name", "name", "number"): (
            '"/TPU:0" is not "name": compare the kind that was asked for with '
            "`Supported device types`."
        ),
        ("name", "kind", "kind"): (
            '"/CPU:3" is not "kind": the kind is among `Supported device types`: look '
            "at the list of devices."
        ),
        ("name", "kind", "silent"): (
            '"/CPU:3" is not "silent": the kind is among `Supported device types`: look '
            "at the list of devices."
        ),
    },
)


def _brings(message):
    """Decorate a wrong `pick_device`; the causes are right."""
    return wrong.brings("explain_error", message, ("name", "kind", "number"))


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` returns the CPU: that is the '
    "silent fallback. Raise an error.",
)
def falls_back(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError:
        return "/CPU:0"


@_brings(
    'On a machine with several GPUs, for the last of them `pick_device("/GPU:n")` '
    "returns a device of another number.",
)
def takes_a_gpu_if_there_is_one(wanted):
    return "/GPU:0" if tf.config.list_physical_devices("GPU") else "/CPU:0"


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` returns the CPU: that is the '
    "silent fallback. Raise an error.",
)
def falls_back_where_there_is_no_gpu_at_all(wanted):
    if "GPU" in wanted and not tf.config.list_physical_devices("GPU"):
        return "/CPU:0"
    return pick_device(wanted)


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` returns a device that is not '
    "there: ask how many there are.",
)
def asks_nothing(wanted):
    return wanted


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` returns a device that is not '
    "there: ask how many there are.",
)
def trusts_the_block(wanted):
    with tf.device(wanted):
        return wanted


@_brings(
    'On a machine with one GPU `pick_device("/GPU:1")` returns a device that is not '
    "there: ask how many there are.",
)
def asks_only_whether_there_is_one(wanted):
    if "GPU" in wanted and not tf.config.list_physical_devices("GPU"):
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow sees no GPU.")
    return wanted


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` returns a device that is not '
    "there: ask how many there are.",
)
def counts_the_cpu_too(wanted):
    number = tf.DeviceSpec.from_string(wanted).device_index or 0
    if number >= len(tf.config.list_physical_devices()):
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow sees fewer.")
    return wanted


@_brings(
    'On a machine with one GPU `pick_device("/GPU")` raises a `RuntimeError`, though '
    "the device is there.",
)
def looks_for_the_name_in_the_list(wanted):
    names = [device.name for device in tf.config.list_physical_devices()]
    if not any(name.endswith(wanted.lstrip("/")) for name in names):
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow does not see it.")
    return wanted


@_brings(
    'On a machine with 12 GPUs `pick_device("/GPU:13")` returns a device that is not '
    "there: ask how many there are.",
)
def looks_for_a_part_of_a_name(wanted):
    names = [device.name for device in tf.config.list_logical_devices()]
    if not any(wanted.lstrip("/")[:5] in name for name in names):
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow does not see it.")
    return wanted


@_brings(
    'On a machine with one GPU `pick_device("/GPU:1")` returns a device that is not '
    "there: ask how many there are.",
)
def counts_from_one(wanted):
    device = tf.DeviceSpec.from_string(wanted)
    there = len(tf.config.list_physical_devices(device.device_type))
    if not there or (device.device_index or 0) > there:
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow sees {there} of this kind.")
    return wanted


@_brings(
    'On a machine with one GPU `pick_device("/GPU:0")` raises a `RuntimeError`, though '
    "the device is there.",
)
def is_too_strict_by_one(wanted):
    device = tf.DeviceSpec.from_string(wanted)
    if device.device_type == "GPU" and (device.device_index or 0) + 1 >= len(
        tf.config.list_physical_devices("GPU")
    ):
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow sees fewer.")
    return wanted


@_brings(
    "Your code raises `TypeError: '>=' not supported between instances of 'NoneType' and 'int'`.",
)
def forgets_names_without_a_number(wanted):
    device = tf.DeviceSpec.from_string(wanted)
    if device.device_index >= len(tf.config.list_physical_devices(device.device_type)):
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow sees fewer.")
    return wanted


@_brings(
    'On a machine with several GPUs, for the last of them `pick_device("/GPU:n")` '
    "returns a device of another number.",
)
def takes_the_first(wanted):
    return pick_device(wanted).partition(":")[0] + ":0"


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` returns a device that is not '
    "there: ask how many there are.",
)
def asks_for_a_build(wanted):
    if "GPU" in wanted and not tf.test.is_built_with_cuda():
        raise RuntimeError(f"{wanted} was asked for, and this build is for the CPU.")
    return wanted


@_brings(
    'On a machine with one GPU `pick_device("/GPU:0")` raises a `RuntimeError`, though '
    "the device is there.",
)
def refuses_every_gpu(wanted):
    if "GPU" in wanted:
        raise RuntimeError(f"{wanted} was asked for, and TensorFlow does not see it.")
    return wanted


@_brings(
    'On a machine without a GPU `pick_device("/CPU:0")` returns a `PhysicalDevice` that '
    "is no name of a device.",
)
def returns_a_physical_device(wanted):
    device = tf.DeviceSpec.from_string(pick_device(wanted))
    return tf.config.list_physical_devices(device.device_type)[device.device_index or 0]


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` returns a `NoneType` that is no '
    "device: raise an error.",
)
def returns_none(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError:
        return None


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` raises, as it should; let the '
    "message name the device that was asked for.",
)
def names_no_device(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError:
        raise RuntimeError("TensorFlow sees no such device on this machine.") from None


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` raises, as it should; let the '
    "message say why.",
)
def says_nothing_but_the_name(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError:
        raise RuntimeError(wanted) from None


@_brings(
    'On a machine without a GPU `pick_device("/GPU:0")` raises `ValueError`; let it be '
    "a `RuntimeError`, with a sentence of yours.",
)
def raises_another_error(wanted):
    try:
        return pick_device(wanted)
    except RuntimeError as error:
        raise ValueError(str(error)) from None


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` returns a `str` that is no '
    "device: raise an error.",
)
def knows_gpus_only(wanted):
    return pick_device(wanted) if "GPU" in wanted else wanted


@_brings(
    'On a machine without a GPU `pick_device("cuda:0")` returns the CPU: that is the '
    "silent fallback. Raise an error.",
)
def takes_what_it_cannot_read_for_the_cpu(wanted):
    try:
        return pick_device(wanted)
    except ValueError:
        return "/CPU:0"


lesson_00.add_versions(wrong)


def _compare(device, result) -> None:
    if not result.device.endswith(device.lstrip("/")):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")


@wrong.brings(
    "bug_hunt",
    'On a machine without a GPU `run_on("/GPU:0", compute)` returns a result that lies '
    "on the CPU: it must raise an error.",
)
def finds_only_the_name(device, compute):
    with tf.device(device):
        result = compute()
    return result, result.device


@wrong.brings(
    "bug_hunt",
    'On a machine with one GPU `run_on("/GPU:1", compute)` says that the result lies on '
    "the device asked for. It lies on the CPU: ask the result.",
)
def asks_only_whether_there_is_a_gpu(device, compute):
    if "GPU" in device and not tf.config.list_physical_devices("GPU"):
        raise RuntimeError(f"{device} is not there.")
    with tf.device(device):
        result = compute()
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("/GPU:1", compute)` says that the result lies '
    "on the device asked for. It lies on the CPU, because `compute` put it there: ask "
    "the result.",
)
def asks_before_and_not_after(device, compute):
    pick_device(device)
    with tf.device(device):
        result = compute()
    return result, device


def _strict(device, compute):
    tf.config.set_soft_device_placement(False)
    with tf.device(device):
        return compute()


@wrong.brings(
    "bug_hunt",
    "After it returns your function leaves soft placement changed. Take "
    "`tf.config.get_soft_device_placement()` first, and set that again in a `finally:`.",
)
def leaves_soft_placement_off(device, compute):
    result = _strict(device, compute)
    return result, result.device


@wrong.brings(
    "bug_hunt",
    "After an error your function leaves soft placement changed. Take "
    "`tf.config.get_soft_device_placement()` first, and set that again in a `finally:`.",
)
def leaves_soft_placement_off_after_an_error(device, compute):
    before = tf.config.get_soft_device_placement()
    result = _strict(device, compute)
    tf.config.set_soft_device_placement(before)
    _compare(device, result)
    return result, device


@wrong.brings(
    "bug_hunt",
    "After it returns your function leaves soft placement changed. Take "
    "`tf.config.get_soft_device_placement()` first, and set that again in a `finally:`.",
)
def leaves_soft_placement_on(device, compute):
    try:
        result = _strict(device, compute)
    finally:
        tf.config.set_soft_device_placement(True)
    _compare(device, result)
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("/GPU:1", compute)` returns a result that lies '
    "on the CPU, because `compute` put it there: it must raise an error.",
)
def trusts_a_strict_block(device, compute):
    before = tf.config.get_soft_device_placement()
    try:
        result = _strict(device, compute)
    finally:
        tf.config.set_soft_device_placement(before)
    return result, result.device


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("/GPU:1", compute)` says that the result lies '
    "on the device asked for. It lies on the CPU, because `compute` put it there: ask "
    "the result.",
)
def trusts_a_strict_block_and_its_name(device, compute):
    before = tf.config.get_soft_device_placement()
    try:
        result = _strict(device, compute)
    finally:
        tf.config.set_soft_device_placement(before)
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("/CPU:0", compute)` raises `RuntimeError`, '
    "though the device is there.",
)
def forgets_the_block(device, compute):
    result = compute()
    _compare(device, result)
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine without a GPU `run_on("/CPU:0", compute)` raises `RuntimeError`, '
    "though the device is there.",
)
def compares_whole_names(device, compute):
    with tf.device(device):
        result = compute()
    if result.device != device:
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine with 12 GPUs `run_on("/GPU:1", compute)` returns a result that lies '
    "elsewhere, because `compute` put it there: it must raise an error.",
)
def compares_kinds_only(device, compute):
    with tf.device(device):
        result = compute()
    if ("GPU" in result.device) != ("GPU" in device):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, result.device


@wrong.brings(
    "bug_hunt",
    'On a machine with 12 GPUs `run_on("/GPU:1", compute)` says that the result lies on '
    "the device asked for. It lies elsewhere, because `compute` put it there: ask the "
    "result.",
)
def looks_for_a_part_of_the_name(device, compute):
    with tf.device(device):
        result = compute()
    if device.lstrip("/") not in result.device:
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("/GPU:1", compute)` computes elsewhere, though '
    "the device is there.",
)
def takes_the_first_gpu(device, compute):
    with tf.device("/GPU:0" if "GPU" in device else device):
        result = compute()
    if ("GPU" in result.device) != ("GPU" in device):
        raise RuntimeError(f"{device} was asked for, and the result lies on {result.device}.")
    return result, result.device


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("/CPU:0", compute)` computes elsewhere, though '
    "the device is there.",
)
def refuses_every_gpu_here(device, compute):
    if "GPU" in device:
        raise RuntimeError(f"{device} is not there.")
    result = compute()
    return result, device


@wrong.brings(
    "bug_hunt",
    "Your function calls `compute` twice: that may take hours.",
)
def tries_first(device, compute):
    with tf.device(device):
        _compare(device, compute())
        return compute(), device


@wrong.brings(
    "bug_hunt",
    "The function must return two things: the result, and where it lies.",
)
def returns_the_result_alone(device, compute):
    with tf.device(device):
        return compute()


@wrong.brings(
    "bug_hunt",
    'On a machine with two GPUs `run_on("/GPU:1", compute)` names another device than '
    "the one that the result lies on.",
)
def says_the_kind_only(device, compute):
    with tf.device(device):
        result = compute()
    _compare(device, result)
    return result, tf.DeviceSpec.from_string(result.device).device_type


@wrong.brings(
    "bug_hunt",
    "An error of `compute` itself must reach the caller as it is.",
)
def blames_the_device_for_every_error(device, compute):
    try:
        with tf.device(device):
            result = compute()
    except Exception:
        raise RuntimeError(f"{device} is not there.") from None
    _compare(device, result)
    return result, device


@wrong.brings(
    "bug_hunt",
    'On a machine without a GPU `run_on("/GPU:0", compute)` returns a result that lies '
    "on the CPU: it must raise an error.",
)
def prints_a_warning(device, compute):
    with tf.device(device):
        result = compute()
    if not result.device.endswith(device.lstrip("/")):
        print("careful:", result.device)
    return result, result.device


lesson_00.add_diagnoses(wrong, libraries=True)


@wrong.brings(
    "diagnose",
    'With a build for CUDA 12, a driver that is new enough, "dlopen" in its words it is '
    'not "unknown": its words have "dlopen" in them: it cannot load the libraries of '
    "CUDA.",
)
def forgets_the_libraries(facts):
    return _diagnosis(facts, libraries=False)


@wrong.brings(
    "diagnose",
    'With a build for the CPU, a driver that is new enough, "dlopen" in its words it is '
    'not "libraries": the build was made for no version of CUDA.',
)
def asks_for_the_libraries_before_the_build(facts):
    if not facts["gpus"] and facts["driver"] and "dlopen" in facts["words"]:
        return "hidden" if facts["hidden"] in ("", "-1") else "libraries"
    return _diagnosis(facts)


@wrong.brings(
    "diagnose",
    'With a build for CUDA 12, a driver one version too old, "dlopen" in its words it '
    'is not "old driver": its words have "dlopen" in them: it cannot load the libraries '
    "of CUDA.",
)
def asks_for_the_libraries_after_the_driver(facts):
    said = _diagnosis(facts, libraries=False)
    return "libraries" if said == "unknown" and "dlopen" in facts["words"] else said


def _diagnosis(facts, libraries=True) -> str:
    if facts["gpus"]:
        return "works"
    if facts["driver"] is None:
        return "no driver" if facts["hardware"] else "no gpu"
    if facts["hidden"] in ("", "-1"):
        return "hidden"
    if facts["cuda"] is None:
        return "cpu build"
    if libraries and "dlopen" in facts["words"]:
        return "libraries"
    cuda, driver = (int(facts[part].split(".")[0]) for part in ("cuda", "driver"))
    return "old driver" if driver < lesson_00.MINIMUM_DRIVER[cuda] else "unknown"
