"""Kernels that are forked from a process which has imported a framework already.

A fresh kernel spends two to four seconds on imports, and `make test` starts one for every notebook.
Here one process for each framework imports it once, and then forks a kernel whenever it is asked
to: a process of its own, with a memory of its own, in which nothing has run yet. The tests use it,
and `make hub`, by `paired.machine.hub.warm`; only on Linux, since elsewhere a fork after such
imports is not safe.

`python -m paired.authors.kernels FRAMEWORK SOCKET` is that process. It has one thread, answers one
request a connection to its Unix socket, and ends when its standard input does.
"""

import builtins
import contextlib
import importlib
import json
import logging
import os
import pathlib
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator

import paired  # noqa: F401 - the settings go before any framework

from jupyter_client.provisioning import LocalProvisioner

# What nearly every notebook imports besides its framework, and what a kernel itself is made of. Not
# matplotlib's inline backend: it gives the shell its hooks while it is imported, if there is one.
_COMMON = (
    "ipykernel.kernelapp", "matplotlib.pyplot", "matplotlib.backends.backend_agg", "scipy.special",
    "sklearn.datasets", "paired.checks", "paired.data", "paired.figures",
)  # fmt: skip
_IMPORTS = {"pytorch": ("torch", "torch._dynamo"), "tensorflow": ("tensorflow", "keras")}
# To import everything, on a machine that a whole class shares.
_ANSWER_SECONDS = 60
_POLL_SECONDS = 0.05


class ForkError(Exception):
    """There is no process to fork from, or it does not answer."""


# The process that forks


def become_kernel(request: dict) -> None:
    """In the forked process: be the kernel that was asked for. Does not return."""
    code = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.chdir(request["cwd"])
        os.environ.update(request["env"])
        importlib.import_module("numpy").random.seed()  # or every kernel has the parent's numbers
        # When it was imported, matplotlib read the settings of another folder.
        matplotlib = importlib.import_module("matplotlib")
        backend = os.environ.get("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        matplotlib.rcParams.update({**matplotlib.rc_params(), "backend": backend})
        # Loggers that imports have made write to the parent's streams: let them write to a cell's.
        streams = {sys.stdout: "stdout", sys.stderr: "stderr"}
        handlers = [reference() for reference in logging._handlerList]
        sys.argv = request["argv"][request["argv"].index("ipykernel_launcher") :]
        launcher = importlib.import_module("ipykernel.kernelapp").IPKernelApp
        kernel = launcher.instance(parent_handle=os.getppid())  # with which it ends
        kernel.initialize()
        for handler in handlers:
            if name := streams.get(getattr(handler, "stream", None)):
                handler.setStream(getattr(sys, name))
        kernel.start()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        os._exit(code)


def _answer(request: dict, *inherited: socket.socket) -> dict:
    """Fork a kernel (`argv`, `cwd`, `env`), or say whether one has ended (`pid`), or answer."""
    if not request:
        return {}
    if "argv" in request:
        pid = os.fork()
        if pid == 0:
            for each in inherited:
                each.close()
            become_kernel(request)
        return {"pid": pid}
    pid, status = os.waitpid(request["pid"], os.WNOHANG)
    return {"code": os.waitstatus_to_exitcode(status) if pid else None}


def warm(framework: str) -> None:
    """Import a framework, so that a fork has it.

    Raises:
        ForkError: the imports left more than one thread; a fork would copy only one of them.
    """
    # By these two TensorFlow decides, while it is imported, whether its warnings and what
    # `tf.print` says go into the output of a cell or of the process.
    sys.ps1 = "In : "
    builtins.get_ipython = importlib.import_module("IPython").get_ipython
    variables = dict(os.environ)
    import_all((*_COMMON, *_IMPORTS[framework]))
    # A kernel gets the variables of the one who asks for it, and those that imports have set.
    for name, value in variables.items():
        if os.environ.get(name) == value:
            del os.environ[name]


def import_all(names: Collection[str]) -> None:
    """Import modules, so that a fork has them.

    Raises:
        ForkError: the imports left more than one thread; a fork would copy only one of them.
    """
    for name in names:
        importlib.import_module(name)
    if len(os.listdir("/proc/self/task")) > 1:
        raise ForkError("The imports left threads behind.")


def serve(framework: str, address: str) -> None:
    """Import a framework, then answer requests until standard input ends."""
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as selector:
        server.bind(address)
        server.listen()
        warm(framework)
        selector.register(server, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is server for key, _ in selector.select()):
            connection, _ = server.accept()
            with connection, connection.makefile("rw") as file:
                answer = _answer(json.loads(file.readline()), server, connection)
                file.write(json.dumps(answer) + "\n")


# Those who want a kernel


@contextlib.contextmanager
def forking(names: Collection[str]) -> Iterator[pathlib.Path | None]:
    """For these frameworks start processes to fork from; yields the folder of their sockets.

    They import while the caller goes on. Where this is no Linux there are none, and no folder.
    """
    if sys.platform != "linux" or not names:
        yield None
        return
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in names:
            process = subprocess.Popen(
                [sys.executable, "-m", "paired.authors.kernels", name, str(folder / name)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.enter_context(process)  # closes its standard input, and waits
        yield folder


def _ask(address: pathlib.Path, **request) -> dict:
    """The answer to one request.

    Raises:
        ForkError: nobody answers.
    """
    until = time.monotonic() + _ANSWER_SECONDS
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        while True:
            try:
                connection.connect(str(address))
                break
            except FileNotFoundError:  # it has just been started
                if time.monotonic() > until or not address.parent.exists():
                    raise ForkError(f"There is no socket {address.name}.") from None
                time.sleep(_POLL_SECONDS)
            except OSError as problem:
                raise ForkError(str(problem)) from None
        try:
            with connection.makefile("rw") as file:
                file.write(json.dumps(request) + "\n")
                file.flush()
                return json.loads(file.readline())
        except (OSError, ValueError) as problem:
            raise ForkError(str(problem)) from None


def ready(address: pathlib.Path) -> bool:
    """Wait for a process to fork from to have done its imports; False if it will not answer."""
    try:
        return _ask(address) == {}
    except ForkError:
        return False


class Process:
    """A forked kernel, with those methods of `subprocess.Popen` that are used of it."""

    stdin = stdout = stderr = None

    def __init__(self, address: pathlib.Path, pid: int) -> None:
        self.pid, self.returncode, self._address = pid, None, address

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            try:
                self.returncode = _ask(self._address, pid=self.pid)["code"]
            except ForkError:  # its parent has gone, and it with it
                self.returncode = -signal.SIGKILL
        return self.returncode

    def wait(self) -> int:
        """Wait for its end."""
        while self.poll() is None:
            time.sleep(_POLL_SECONDS)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class ForkProvisioner(LocalProvisioner):
    """Forks a kernel where `address` is the socket of a process that does, else starts it anew."""

    address: pathlib.Path | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs) -> dict:
        """Launch a kernel."""
        if not self.address:
            return await super().launch_kernel(cmd, **kwargs)
        try:
            request = {"argv": cmd, "cwd": kwargs["cwd"], "env": kwargs["env"]}
            self.process = Process(self.address, _ask(self.address, **request)["pid"])
        except ForkError:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs["cwd"]
        return self.connection_info


if __name__ == "__main__":
    del sys.path[0]  # the folder that `-m` put there
    serve(*sys.argv[1:])
