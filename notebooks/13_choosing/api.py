"""What of a public API has a docstring, an example, and an example that runs.

Public is what each project says of itself. PyTorch (its wiki, "Public API definition and
documentation"): a module with no underscore in its path, and in it the functions and classes that
its `__all__` names, or else those without an underscore that are defined in or below it. TensorFlow
(its guide, "Version compatibility") and Keras: the functions and classes that can be reached from
`tf` or `keras` by names without an underscore. `tf.compat` (the API of version 1), `tf.raw_ops`
(generated) and `tf.keras` (Keras again) are not counted, nor are their names.

Counted are functions and classes of the project's own, by identity, as one `import` loads them; no
methods, no constants. A docstring is the object's own, more than the signature that Python makes up
for a dataclass. An example is a line with `>>>`, or a block that is marked as Python. It runs if
none of its statements raises, in a process of its own that starts no other, with 20 seconds of CPU,
no network and no GPU. It knows the object itself by its name, and what the documentation's examples
take for granted (`NAMES`); what it prints is not compared. The area "first" is what a first
tutorial uses (`FIRST`).
"""

import _posixsubprocess
import collections
import contextlib
import doctest
import importlib
import inspect
import json
import os
import re
import resource
import signal
import sys
import tempfile
import textwrap
import types
from collections.abc import Iterator

SECONDS, GIGABYTES = 20, 16
NAMES = {
    "torch": "import math, numpy as np, torch, torch.nn as nn, torch.nn.functional as F;"
    "import torch.optim as optim; from torch import Tensor",
    "tensorflow": "import numpy as np, tensorflow as tf, keras",
    "keras": "import numpy as np, tensorflow as tf, keras; from keras import layers, ops",
}
FIRST = {
    "torch": ("torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils.data"),
    "tensorflow": ("tensorflow", "tensorflow.data", "tensorflow.math", "tensorflow.nn"),
    "keras": ("keras", "keras.layers", "keras.losses", "keras.optimizers", "keras.ops"),
}
LEFT_OUT = ("tensorflow.compat", "tensorflow.raw_ops", "tensorflow.keras")
_BLOCK = re.compile(
    r"```(?:python|py)\n(.*?)```|(?:code-block:: python|Examples?::)\n\n((?: {2,}[^\n]*\n|\n)+)",
    re.DOTALL,
)


def names(package: str) -> Iterator[tuple[str, object]]:
    """Every public function and class of a package, once for each of its names."""
    waiting = [(package, importlib.import_module(package))]
    while waiting:
        path, module = waiting.pop()
        said = getattr(module, "__all__", None) if package == "torch" else None
        said = said if isinstance(said, list | tuple) else None
        for name in sorted({*dir(module), *(said or ())}):
            if name.startswith("_"):
                continue
            value = getattr(module, name, None)
            if isinstance(value, types.ModuleType):
                if _known_as(value) == f"{path}.{name}":
                    waiting.append((f"{path}.{name}", value))
            elif isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
                by_module = package != "torch" or str(value.__module__).startswith(path)
                if by_module if said is None else name in said:
                    yield f"{path}.{name}", value


def _known_as(module: types.ModuleType) -> str:
    """The path by which users reach a module; of `keras.src`, nothing."""
    about = vars(module)
    name = "tensorflow.keras" if "_tfll_submodule" in about else about["__name__"]
    name = name.replace("tensorflow._api.v2", "tensorflow").replace("keras.src", "")
    return name.replace("keras._tf_keras.keras", "tensorflow.keras")


def docstring(value: object) -> str:
    """An object's own docstring, or nothing."""
    text = getattr(value, "__doc__", None)
    made_up = isinstance(text, str) and text.startswith(f"{value.__name__}(")
    made_up = made_up and isinstance(value, type) and "\n" not in text
    return inspect.cleandoc(text) if isinstance(text, str) and not made_up else ""


def example(text: str) -> str:
    """The program that a docstring shows, or nothing."""
    if ">>>" in text:
        with contextlib.suppress(ValueError):
            return "".join(each.source for each in doctest.DocTestParser().get_examples(text))
        return "raise SyntaxError"  # an example that cannot be read
    return "\n".join(textwrap.dedent(one or other) for one, other in _BLOCK.findall(text + "\n"))


def trouble(package: str, program: str, **known: object) -> str:
    """What a program raises, in a process of its own: the kind of error, or nothing."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            try:
                _try(package, program, folder, writer, known)
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader, encoding="utf-8") as said:
            kind = said.read() or "out of time, or killed"
        os.waitpid(child, 0)
    return kind.removesuffix("none")


def _try(package: str, program: str, folder: str, writer: int, known: dict) -> None:
    os.setsid()
    os.chdir(folder)
    signal.alarm(4 * SECONDS)  # of waiting; on a busy machine, of the clock
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES * 2**30,) * 2)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.addaudithook(_alone)
    _posixsubprocess.fork_exec = None  # it tells no hook
    kind, scope = "none", {"__name__": "__main__", **known}
    try:
        exec(NAMES[package], scope)  # noqa: S102, documentation is what is tried here
        exec(compile(program, "<example>", "exec"), scope)  # noqa: S102
    except BaseException as error:
        kind = type(error).__name__
    os.write(writer, kind.encode())


def _alone(event: str, _: tuple) -> None:
    if event in {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}:
        raise PermissionError("an example starts no process")


def count(package: str) -> dict[str, list]:
    """What is counted of a package: rows for areas, for numbers of names, and for errors."""
    found: dict[int, tuple[object, list[str]]] = {}
    for path, value in names(package):
        if (getattr(value, "__module__", None) or package).split(".")[0] in (package, "keras"):
            found.setdefault(id(value), (value, []))[1].append(path)
    rows, many, errors = {}, collections.Counter(), collections.Counter()
    common: list[list[str]] = []
    for value, paths in found.values():
        own = [path for path in paths if not path.startswith(LEFT_OUT)]
        if not own:
            continue
        many[len(own)] += 1
        common.append(own)
        program = example(text := docstring(value))
        error = program and trouble(package, program, **{value.__name__: value})
        if error:
            errors[error] += 1
        facts = {"objects": 1, "documented": int(text != ""), "example": int(program != "")}
        facts["runs"] = facts["example"] - int(error != "")
        homes = {path.rpartition(".")[0] for path in own} & {*FIRST[package]}
        for area in ("all", *(("first", *sorted(homes)) if homes else ())):
            rows.setdefault(area, collections.Counter()).update(facts)
    most = sorted(common, key=lambda paths: -len(paths))[:3]
    return {
        "docs": [{"package": package, "area": area, **row} for area, row in sorted(rows.items())],
        "troubles": [
            {"package": package, "kind": kind, "examples": n} for kind, n in errors.most_common(6)
        ],
        "aliases": [
            {"package": package, "names": k, "objects": n} for k, n in sorted(many.items())
        ],
        "most": [{"package": package, "names": paths} for paths in most],
    }


if __name__ == "__main__":
    from paired import imports

    os.environ |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    with imports.quiet_import():
        importlib.import_module("tensorflow")
    print(json.dumps(count(sys.argv[1])))
