"""A server as a process of its own, which answers on this machine and ends with its notebook."""

import abc
import atexit
import collections
import contextlib
import http
import http.client
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

from paired import course, ports

PORTS = 50  # how many are tried, from the usual one on
ANSWER_SECONDS = 10
POLL_SECONDS = 0.1
_START_SECONDS = 60  # on a machine that a whole class shares
_STOP_SECONDS = 3
_READY = "is listening"


class DashboardError(RuntimeError):
    """A server cannot be had, or has ended; the message says why, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the sentence, without the calls that led to it."""
        return [f"DashboardError: {self}"]


class Server(abc.ABC):
    """What TensorBoard and Visdom have in common."""

    name = ""
    first_port = 0

    def __init__(self, folder: str | os.PathLike, port: int | None = None) -> None:
        self.folder = pathlib.Path(folder).resolve()
        self.port = port
        self._wanted = port
        self._process: subprocess.Popen | None = None
        self._lines: collections.deque[str] = collections.deque(maxlen=200)
        self._owner = 0

    @abc.abstractmethod
    def _arguments(self, port: int) -> list[str]:
        """What the process is started with, after `python -m paired.dashboards`."""

    # For everybody

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        return f"http://{ports.ADDRESS}:{self.port}/"

    @property
    def running(self) -> bool:
        """Whether the process of the server is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The number of the server's process; None if it does not run."""
        return self._process.pid if self.running else None

    @property
    def log(self) -> str:
        """The last lines that the server has printed."""
        return "\n".join(self._lines)

    def check(self) -> None:
        """Return if the server runs.

        Raises:
            DashboardError: it does not; the message has its last words.
        """
        if not self.running:
            raise DashboardError(f"{self._why()} Start it again with .start().")

    def start(self) -> "Server":
        """Start the server, and return when it answers; one that runs is left alone.

        After `stop`, and after the server has died, this starts it again, on the same port.

        Raises:
            DashboardError: the port is taken, or the server does not start.
        """
        if self.running:
            return self
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._wanted is not None:
            self._refuse_taken(self._wanted)
            candidates = [self._wanted]
        else:
            candidates = [self.port] if self.port else []
            candidates += range(self.first_port, self.first_port + PORTS)
        for port in candidates:
            # Between this look and the server's own somebody else may take it: then the next one.
            if ports.is_free(port) and self._launch(port):
                return self
            if self._wanted is not None:
                self._refuse_taken(port)
        raise DashboardError(
            f"{self.name} found no free port from {self.first_port} to "
            f"{self.first_port + PORTS - 1}. Stop servers that you do not need, or name a port."
        )

    def stop(self) -> None:
        """Stop the server if it runs."""
        # A child that was forked from the notebook has this object too, but not the server.
        if self._process is None or self._owner != os.getpid():
            return
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._reader.join(_STOP_SECONDS)
        process.stdout.close()

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, kind: object, *_: object) -> None:
        if self._process is not None and not self.running and kind is None:
            print(self._why())
        self.stop()

    def __repr__(self) -> str:
        return f"{self.name} at {self.url}" if self.running else f"{self.name}, not running"

    # Inside

    def _refuse_taken(self, port: int) -> None:
        try:
            if ports.is_free(port):
                return
        except PermissionError:
            raise DashboardError(
                f"Port {port} is for the system's own programs. Choose one above 1023, or leave "
                "`port` out for the first that is free."
            ) from None
        except (OverflowError, TypeError):
            raise DashboardError(
                f"port is {port!r}; it can be a number from 1024 to 65535."
            ) from None
        occupant = ports.occupant(port)
        if occupant == self.name:
            raise DashboardError(
                f"{self.name} is running on port {port} already, at "
                f"http://{ports.ADDRESS}:{port}/. Use it there, stop it where you started it, or "
                "leave `port` out: then this one takes the first port that is free."
            )
        raise DashboardError(
            f"Port {port} is taken by {occupant or 'another program'}. Choose another, or leave "
            "`port` out for the first that is free."
        )

    def _why(self, what: str = "has ended") -> str:
        """Say that the server does not run, and how it ended."""
        if self._process is None:
            return f"{self.name} is not running."
        code: int | str = self._process.wait()
        self._reader.join(_STOP_SECONDS)
        if isinstance(code, int) and code < 0:
            code = signal.Signals(-code).name
        else:
            code = f"exit status {code}"
        words = "".join(f"\n  {line}" for line in list(self._lines)[-5:])
        said = f" Its last words:{words}\n" if words else " It said nothing."
        return f"{self.name} {what} ({code}).{said}"

    def _launch(self, port: int) -> bool:
        """Start the process; False if the port was taken meanwhile.

        Raises:
            DashboardError: it ended, or did not answer.
        """
        self._lines.clear()
        self._owner = os.getpid()
        command = [sys.executable, "-m", "paired.dashboards", "--parent", str(self._owner)]
        self._process = subprocess.Popen(
            [*command, *self._arguments(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=course.ROOT,
            start_new_session=True,  # or the button that interrupts a cell would interrupt it too
            encoding="utf-8",
            errors="replace",
        )
        atexit.register(self.stop)
        said: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout, said), daemon=True
        )
        self._reader.start()
        try:
            # An answer alone could be that of another server, which took the port meanwhile.
            if said.get(timeout=_START_SECONDS) and self._answers(port):
                self.port = port
                return True
            self._process.wait(_STOP_SECONDS)
        except (queue.Empty, subprocess.TimeoutExpired):
            self.stop()
            raise DashboardError(f"{self.name} did not answer within {_START_SECONDS} s.") from None
        self._reader.join(_STOP_SECONDS)
        if "in use" in self.log or not ports.is_free(port):
            self.stop()
            return False
        why = self._why("did not start")
        self.stop()
        raise DashboardError(why)

    def _read(self, stream: Iterable[str], said: queue.SimpleQueue) -> None:
        """Keep what the process prints; say True when it is ready, False when it has ended."""
        with contextlib.suppress(ValueError):  # it was closed
            for line in stream:
                if line.startswith(f"{self.name} {_READY}"):
                    said.put(True)
                else:
                    self._lines.append(line.rstrip("\n"))
        said.put(False)

    def _answers(self, port: int) -> bool:
        until = time.monotonic() + _START_SECONDS
        while self.running and time.monotonic() < until:
            connection = http.client.HTTPConnection(ports.ADDRESS, port, timeout=ANSWER_SECONDS)
            try:
                connection.request("GET", "/")
                return connection.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                time.sleep(POLL_SECONDS)
            finally:
                connection.close()
        return False


# In the server's own process


def end_with(parent: int) -> None:
    """End this process soon after its parent."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)  # TensorBoard clears up
        time.sleep(_STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def say_ready(name: str) -> None:
    """Tell the notebook that the server listens."""
    print(f"{name} {_READY}", flush=True)
