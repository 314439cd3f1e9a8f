"""Lesson 07, devices and the install: wrong answers to its exercise, and other right ones.

Its tables have rows of what must be said, which is nothing of a right answer, and a change.
"""

from mistakes import HALVES, Mistakes

RIGHT = ""


def rows(task: Mistakes, *table: tuple[str, ...], halves: tuple[str, ...] = HALVES) -> None:
    """Add changes of any places, to both halves or to one."""
    for says, *change in table:
        for half in halves:
            task.brings(says, **{half: tuple(change)})


def place(task: Mistakes, pytorch: str, tensorflow: str, *table: tuple[str, str, str]) -> None:
    """Add changes of one place, by what stands there instead in each half; "" for no change."""
    brings = task.replacing(pytorch, tensorflow)
    for says, *instead in table:
        brings(says, *(new or None for new in instead))


predict = Mistakes("predict")
for given in (("gpu", "gpu", "gpu"), "cpu gpu gpu error", {"cpu"}, None):
    predict.brings("`with_gpu` must be a tuple of 4 words, each", both={"with_gpu": given})
predict.brings("has 'cuda' in it; each word must be", both={"with_gpu": ("cuda", None, 3, "")})
predict.right(pytorch={"with_gpu": ["cpu", "GPU", "gpu", "Error"]})

translation = Mistakes("translation")
built = "torch.backends.cuda.is_built()", "tf.test.is_built_with_cuda()"
seen = "torch.cuda.is_available()", 'bool(tf.config.list_physical_devices("GPU"))'
get = 'build.get("cuda_version")'
place(
    translation,
    "torch.version.cuda",
    'build["cuda_version"] if build["is_cuda_build"] else None',
    (RIGHT, f"torch.version.cuda if {built[0]} else None", get),
    (
        "`cuda` is None, not '1",
        f"torch.version.cuda if {seen[0]} else None",
        f"{get} if {seen[1]} else None",
    ),
    ("`cuda` is False, not None: it is the version that the build was made for", *built),
    ("`cuda` is 'None', not None", "str(torch.version.cuda)", f"str({get})"),
    (".1': it is the version", '(torch.version.cuda or "")[:4] or None', f"{get} and {get}[:4]"),
    ("`KeyError: 'cuda_version'` in line 4 of its cell, `cuda =", "", 'build["cuda_version"]'),
)
place(
    translation,
    "torch.cuda.device_count()",
    'len(tf.config.list_physical_devices("GPU"))',
    (RIGHT, "torch.accelerator.device_count()", 'len(tf.config.list_logical_devices("GPU"))'),
    ("`gpus` is False, not 0: count those", *seen),
    ("`gpus` is 1, not ", *map("int({})".format, seen)),
    ("`gpus` is 1, not 0: count those", *map("int({})".format, built)),
    ("built for a GPU need not see one.", "", "len(tf.config.list_physical_devices())"),
    ("`gpus` is 0, not 1", "", 'len(tf.config.list_physical_devices("gpu"))'),
)
place(
    translation,
    '"gpu" if x.device.type == "cuda" else "cpu"',
    "tf.DeviceSpec.from_string(x.device).device_type.lower()",
    (RIGHT, '"cpu" if x.get_device() < 0 else "gpu"', 'x.backing_device.split(":")[-2].lower()'),
    (RIGHT, '("cpu", "gpu")[x.is_cuda]', '"gpu" if "GPU" in x.device else "cpu"'),
    ("`on` is 'cuda', not 'gpu'", "x.device.type", ""),
    ("`on` is 'CPU', not 'cpu'", "", "tf.DeviceSpec.from_string(x.device).device_type"),
    ("'gpu', not 'cpu': look at the tensor", *map('"gpu" if {} else "cpu"'.format, seen)),
    (
        "`on` is 'cpu', not 'gpu': look at the tensor",
        '"gpu" if x.get_device() > 0 else "cpu"',
        '"gpu" if "gpu" in x.device else "cpu"',
    ),
    ("`on` is 'cpu', not 'gpu'", "", '"gpu" if x.device.endswith("GPU:0") else "cpu"'),
)
translation.brings("must return (cuda, gpus, on); it returns a `dict`.", both='return {"gpus": 0}')


def imports(task: Mistakes, function: str, *pairs: tuple[str, str]) -> None:
    """Add right answers that have a name of their own for what the framework calls `old`."""
    for half, (old, own) in zip(HALVES, pairs, strict=True):
        whole = f"{own} = {old}\n\n\n{function}"
        if half == "pytorch":
            whole = f"from torch.cuda import {own}\n\n\n{function}"
        task.right(**{half: (old, own, function, whole)})


names = ("torch.cuda.device_count", "device_count")
imports(translation, "def what_i_have(x):", names, ("tf.sysconfig.get_build_info", "info"))

explain_error = Mistakes("explain_error")
for given in (("name", "kind"), "name", {"name"}, 3):
    explain_error.brings("`causes` must be a tuple of 3 words, each", both={"causes": given})
explain_error.brings("`causes` has 'driver'", both={"causes": ("name", "driver", "silent")})
fallback = "returns the CPU: that is the silent fallback. Raise an error."
absent = "returns a device that is not there: ask how many there are."
refused = "raises a `RuntimeError`, though the device is there."
no_number = "'>=' not supported between instances of 'NoneType' and 'int'` in line"
rows(
    explain_error,
    (f':1")` {absent}', ">= there:", "> there or not there:"),
    (f':10")` {absent}', "or 0)", "or 0) % 10"),
    (f':2")` {refused}', "if (", "if str(", ">= there:", ">= str(there):"),
    (refused, ">= there:", "+ 1 >= there:"),
    (no_number, "index or 0)", "index)"),
    (absent, "raise RuntimeError(", "print("),
    ("returns `None`, which is no name of a device. Raise", "raise RuntimeError(", "return print("),
    ("raises, as it should; let the message contain `", "{wanted} was", "This was"),
    ("let the message say what is missing.", "RuntimeError(", "RuntimeError(wanted or "),
    (RIGHT, "RuntimeError(", 'RuntimeError("missing:" + wanted or '),
    ("raises `ValueError`; let it be a `RuntimeError`, with", "raise Runtime", "raise Value"),
)
place(
    explain_error,
    "torch.cuda.device_count()",
    "len(tf.config.list_physical_devices(device.device_type))",
    (
        RIGHT,
        "len([torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())])",
        "sum(device.device_type == d.device_type for d in tf.config.get_visible_devices())",
    ),
    (absent, "", "len(tf.config.list_physical_devices())"),
    (refused, "0", 'int(device.device_type == "CPU")'),
)
place(
    explain_error,
    "return device",
    "return wanted",
    ("`, which is another device.", "return device.type", 'return wanted.split(":")[0]'),
    ("returns the CPU: that is the silent fallback.", 'return "cpu"', 'return "/CPU:0"'),
    ("returns `None`, which is no name of a device.", "return None", ""),
    ("`, which is no name of a device.", "", 'return tf.config.list_physical_devices("CPU")[0]'),
)
rows(
    explain_error,
    (fallback, "raise RuntimeError(", 'return "cpu" or ('),
    (f'`pick_device("mtia")` {absent}', ".type, 0)", '.type, device.type != "xpu")'),
    (f'`pick_device("cpu:3")` {absent}', '"cpu": 1', '"cpu": 1 + torch.cuda.device_count()'),
    halves=("pytorch",),
)
unread = 'if "PU" not in wanted:\n        return {}\n    device = tf.'
listed = 'any(d.name.endswith(wanted.lstrip("/")) for d in tf.config.list_physical_devices())'
rows(
    explain_error,
    (fallback, "raise RuntimeError(", 'return "/CPU:0" or ('),
    ("returns `cuda:0`, which is no name", "device = tf.", unread.format("wanted")),
    ('"cuda:0")` returns the CPU', "device = tf.", unread.format('"/CPU:0"')),
    (f'`pick_device("/EPU:0")` {absent}', ">= there:", '>= there and "EPU" not in wanted:'),
    (f'"/GPU")` {refused}', "(device.device_index or 0) >= there", f"not {listed}"),
    halves=("tensorflow",),
)
explain_error.right(
    pytorch="""
names = ["cpu", "cuda"][: 1 + torch.cuda.is_available()]
numbered = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
if wanted in names + numbered + ["cpu:0"]:
    return wanted
raise RuntimeError(f"{wanted} missing")
""",
    tensorflow="""
for device in tf.config.list_logical_devices():
    if device.name in (f"/device:{wanted[1:]}", f"/device:{wanted[1:]}:0"):
        return device.name
raise RuntimeError(f"{wanted} missing")
""",
)
ask = "tf.config.list_physical_devices", "ask"
imports(explain_error, "def pick_device(wanted):", names, ask)
explain_error.brings(
    "makes a tensor: ask what there is.",
    pytorch="try:\n    torch.empty(0, device=wanted)\nfinally:\n    return wanted",
    tensorflow="with tf.device(wanted):\n    tf.zeros(0)\nreturn wanted",
)

bug_hunt = Mistakes("bug_hunt")
RAISE = ('raise RuntimeError(f"{device} was asked for, and the result lies on "'
         'f"{result.device}.")')  # fmt: skip
SILENT, CLAIM = (RAISE, "pass"), (RAISE, "return result, device")
CALL, PT, TF = "result = compute()", "with torch.device(device):", "with tf.device(device):"


def caught(handler: str, does: str) -> tuple[str, str]:
    return CALL, f"try:\n            {CALL}\n        {handler}:\n            {does}"


DEFAULT = "torch.set_default_device(", "before = torch.get_default_device()"
SOFT = "tf.config.set_soft_device_placement(", "before = tf.config.get_soft_device_placement()"
default = PT, f"{DEFAULT[1]}\n    {DEFAULT[0]}device)\n    if True:"
strict = TF, f"{SOFT[1]}\n    {SOFT[0]}False)\n    {TF}"
strict_and_back = strict + caught("finally", f"{SOFT[0]}before)")
there = "raises `RuntimeError`, though the device is there."
on_cpu = "returns a result that lies on the CPU: it must raise an error."
said_cpu = "the result lies on the device asked for. It lies on the CPU: ask the result."
pinned = "returns a result that lies on the CPU, because `compute` put it there: it must raise"
said_pinned = "It lies on the CPU, because `compute` put it there: ask the result."
elsewhere = "returns a result that lies elsewhere, because `compute` put it there: it must raise"
said_elsewhere = "It lies elsewhere, because `compute` put it there: ask the result."
another = "must name the device that the result lies on, and no other."
only_cpu = '    if "cpu" not in device.lower():\n        raise RuntimeError\n    with'
rows(
    bug_hunt,
    ("`run_on` must return (result, where it lies); it returns", "return result, ", "return "),
    ("The first thing to return is what", "return result, ", "return [result], "),
    (another, "return result, ", "return result, 7 or "),
    ("calls `compute` twice: that may take hours.", "return result, ", "return compute(), "),
    ("calls `compute` twice: that may take hours.", *caught("except RuntimeError", CALL)),
    ("An error of `compute` itself must", *caught("except Exception", "raise RuntimeError")),
    ("`; it must be a `RuntimeError`.", "raise RuntimeError(", "assert not str("),
    (elsewhere, "    if ", '    if "cpu" not in device.lower() and '),
    ("hides the error that `compute` raises.", *caught("except Exception", "return None, None")),
    (said_pinned, "    with", "    pick_device(device)\n    with", *CLAIM),
    (there, "    with", only_cpu),
)
tried = "    with tf.device(device):\n        float(tf.ones(()) + 1)\n    with"
bug_hunt.right(pytorch=("    with", "    torch.ones(1, device=device).add(1).item()\n    with"))
bug_hunt.right(tensorflow=("    with", tried))
left = "your function leaves the default device changed. Use `with"
same, named = "result.device != torch.device(device)", "result, str(result.device)"
kinds = same, "result.device.type != torch.device(device).type"
fallback = PT, 'with torch.device(device if torch.cuda.is_available() else "cpu"):'
refusal, back = "except (AssertionError, RuntimeError)", f"{DEFAULT[0]}before)\n            raise"
back += f"\n    {DEFAULT[0]}before)"
rows(
    bug_hunt,
    (RIGHT, *default, *caught("finally", f"{DEFAULT[0]}before)")),
    (RIGHT, named, "[result, torch.device(device)][:]", same, "str(result.device) != device"),
    (pinned, *SILENT),
    (said_pinned, *CLAIM),
    (on_cpu, *fallback, *SILENT),
    (said_cpu, *fallback, *CLAIM),
    (there, PT, "if True:"),
    (there, same, "result.device is not device"),
    ("computes elsewhere, though", PT, 'with torch.device(device[:4] + ":0"):', *kinds),
    (elsewhere, *kinds),
    (said_elsewhere, named, "result, device", same, "device not in str(result.device)"),
    (f"After it returns {left}", *default),
    (f"After it returns {left}", *default, *caught("finally", f"{DEFAULT[0]}None)")),
    (f"After an error {left}", *default, *caught(refusal, back)),
    (f"After an error {left}", *default, CALL, f"{CALL}\n    {DEFAULT[0]}before)"),
    (another, named, "result, result.device.type"),
    halves=("pytorch",),
)
left = "your function leaves soft placement changed. Take `tf.config"
as_asked = "return result, result.device", "return result, device"
same, named = 'not result.device.endswith(device.lstrip("/"))', "result, result.device"
kinds = same, '("GPU" in result.device) != ("GPU" in device)'
back = f"{SOFT[0]}before)\n            raise\n    {SOFT[0]}before)"
guard = "    if not tf.config.list_physical_devices(device[1:4]):\n        raise RuntimeError\n    "
rows(
    bug_hunt,
    (RIGHT, *strict_and_back),
    (RIGHT, same, "result.device[-5:] != device[-5:]", *as_asked),
    ("compute` itself", *caught("except tf.errors.OpError", "raise RuntimeError")),
    (on_cpu, *SILENT),
    (said_cpu, *CLAIM),
    (said_cpu, "    with", f"{guard}with", *CLAIM),
    (pinned, *strict_and_back, *SILENT),
    (said_pinned, *strict_and_back, *CLAIM),
    (there, TF, "if True:"),
    (there, same, "result.device != device"),
    ("computes elsewhere, though", TF, 'with tf.device(device.split(":")[0] + ":0"):', *kinds),
    (elsewhere, *kinds),
    (said_elsewhere, same, "device[1:] not in result.device", *as_asked),
    (f"After it returns {left}", *strict),
    (f"After it returns {left}", *strict, *caught("finally", f"{SOFT[0]}True)")),
    (f"After an error {left}", *strict, *caught("except RuntimeError", back)),
    (f"After an error {left}", *strict, CALL, f"{CALL}\n    {SOFT[0]}before)"),
    (another, named, "result, tf.DeviceSpec.from_string(result.device).device_type"),
    halves=("tensorflow",),
)

diagnose = Mistakes("diagnose")
HIDDEN, OLD = 'facts["hidden"] in ("", "-1")', "driver < MINIMUM_DRIVER[cuda]"
DRIVER, BUILD = 'if facts["driver"] is None:', 'if facts["cuda"] is None:'
FIRST = f'if {{}}:\n        return "{{}}"\n    {DRIVER}'
LIBRARIES = 'if "dlopen" in facts["words"]:\n        return "libraries"\n    '
LEFT_OUT = 'if "Ignoring visible gpu device" in facts["words"]:\n        return "left out"\n    '
FOUND = "any(found)"
is_hidden = 'it is not "cpu build": `CUDA_VISIBLE_DEVICES` names no GPU.'
not_hidden = 'it is not "hidden": the build was made for no version of CUDA.'
is_old = 'it is not "unknown": the driver is older than this version of CUDA asks for.'
not_old = 'it is not "old driver": nothing that the table names stands in the way.'
no_driver = 'it is not "cpu build": there is a GPU, and no driver for it.'
works, no_code = "it sees a GPU that it has code for.", "the build has code for none of the GPUs"
rows(
    diagnose,
    (RIGHT, HIDDEN, '{"": True, "-1": True}.get(facts["hidden"])'),
    ("it is 'No driver'.", '"no driver"', '"No driver"'),
    (not_hidden, HIDDEN, 'not facts["hidden"]'),
    (not_hidden, HIDDEN, 'facts["hidden"] == "" or "-1" in str(facts["hidden"])'),
    (not_hidden, HIDDEN, 'facts["hidden"] is not None and "0" not in facts["hidden"]'),
    (is_hidden, HIDDEN, 'facts["hidden"] == "-1"'),
    (is_hidden, HIDDEN, 'facts["hidden"] == ""'),
    (is_old, OLD, 'facts["driver"] < str(MINIMUM_DRIVER[cuda])'),
    (is_old, OLD, "driver < 525"),
    (not_old, '(".")[0]', '(".")[0][:3]'),
    (not_old, "driver <", "driver <="),
    (not_old, OLD, "driver < 580"),
    ('it is not "no driver": there is neither', '"no gpu"', '"no driver"'),
    ('it is not "no gpu"', DRIVER, FIRST.format('not facts["hardware"]', "no gpu")),
    (no_driver, DRIVER, "if False:"),
    (no_driver, DRIVER, FIRST.format('facts["cuda"] is None', "cpu build")),
    ('it is not "hidden": there', DRIVER, FIRST.format('facts["hidden"] == ""', "hidden")),
    (works, 'if facts["gpus"]:', 'if facts["gpus"] and facts["hidden"] is None:'),
)
unread = "'NoneType' object has no attribute 'split'` in line {} of its cell, `majors"
rows(
    diagnose,
    (unread.format(12), BUILD, "if False:"),
    (no_code, FOUND, "True"),
    (works, "code_for(gpu", "code_for(gpu + 10"),
    (works, FOUND, "all(found)"),
    (works, 'in facts["gpus"])', 'in facts["gpus"][-1:])'),
    (works, 'in facts["gpus"])', 'in facts["gpus"] if gpu < 110)'),
    halves=("pytorch",),
)
rows(
    diagnose,
    (unread.format(15), BUILD, "if False:"),
    ("it is False.", 'if facts["gpus"]:\n        return "works"\n', 'return bool(facts["gpus"])\n'),
    ('it is not "left out": its words', LIBRARIES, LIBRARIES.replace("]", "].splitlines()[0]")),
    ('it is not "left out": ', "Ignoring visible gpu device", "Ignoring"),
    ("its words say that it ignores a GPU.", LEFT_OUT, ""),
    ('it is not "libraries": the build', LIBRARIES, "", BUILD, f"{LIBRARIES}{BUILD}"),
    halves=("tensorflow",),
)
diagnose.right(
    both="""
cuda, driver = ((facts[name] or "0").partition(".")[0] for name in ("cuda", "driver"))
served = [gpu for gpu in facts["gpus"] if "codes" not in facts or code_for(gpu, facts["codes"])]
reasons = {
    "no code": facts["gpus"] and not served,
    "works": len(served) > 0,
    "no gpu": driver == "0" and not facts["hardware"],
    "no driver": driver == "0",
    "hidden": facts["hidden"] == "-1" or facts["hidden"] == "",
    "cpu build": cuda == "0",
    "libraries": "dlopen" in facts.get("words", ""),
    "left out": "Ignoring visible gpu" in facts.get("words", ""),
    "old driver": int(driver) < MINIMUM_DRIVER.get(int(cuda), 0),
    "unknown": True,
}
return [word for word, is_so in reasons.items() if is_so][0]
"""
)
