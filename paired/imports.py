"""Importing TensorFlow: without its noise, and so that triton may come after it."""

import contextlib
import importlib.machinery
import os
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence

_TRITON = "triton._C.libtriton"


class _OwnSymbols(importlib.machinery.ExtensionFileLoader):
    """Loads a library so that it uses its own functions before those of the same name elsewhere."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        flags = sys.getdlopenflags()
        sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
        try:
            return super().create_module(spec)
        finally:
            sys.setdlopenflags(flags)


class _TritonFinder:
    """Finds triton's library once TensorFlow is there."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _TRITON or "tensorflow" not in sys.modules:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = _OwnSymbols(name, spec.origin)
        return spec


def separate_triton() -> None:
    """Let triton be imported after TensorFlow, which is a segmentation fault otherwise.

    PyTorch's CUDA build brings triton, and imports it with the first optimiser. Both TensorFlow
    (2.21) and triton (3.7) hold a copy of LLVM, of different versions, with all its names to be
    seen from outside. TensorFlow's are visible to every library that is loaded after it, so that
    triton's LLVM calls TensorFlow's, and reads structures of another layout. With this it keeps to
    its own. It costs nothing before triton is imported.
    """
    if hasattr(os, "RTLD_DEEPBIND") and _TritonFinder not in sys.meta_path:  # Linux
        sys.meta_path.insert(0, _TritonFinder)


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Keep what a framework's C++ code says while it is imported off the screen.

    TensorFlow writes several lines straight to file descriptor 2 during its import and when it
    first looks for devices, whatever the log level. In a notebook that is a red block, and under
    nbval a failure. Inside the `with` block descriptor 2 leads to a temporary file; afterwards it
    is restored, so that later warnings show. If the block raises, everything that was held back is
    written to standard error first. `make doctor` reads the same lines on purpose.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back, contextlib.ExitStack() as stack:
        stderr = os.dup(2)
        stack.callback(os.close, stderr)
        os.dup2(held_back.fileno(), 2)
        try:
            yield
            if tensorflow := sys.modules.get("tensorflow"):
                tensorflow.config.list_physical_devices()
        except BaseException:
            held_back.seek(0)
            os.write(stderr, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
