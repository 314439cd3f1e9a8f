"""Importing TensorFlow without its noise."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


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
