"""TensorBoard and Visdom as a notebook needs them: on this machine only, and gone with the kernel.

    with dashboards.TensorBoard(logdir) as board:   # its address is board.url
        ...
    with dashboards.Visdom(folder) as server:
        vis = server.client(env="digits")           # a visdom.Visdom
        vis.line([0.5], [1], win="loss", update="append")

Each server is a process of its own that listens on 127.0.0.1. It ends with `stop`, with the `with`
block, and with the process that started it, however that one ends. TensorBoard runs without
TensorFlow and Visdom without PyTorch: they only draw, and start in less than a second.

`python -m paired.dashboards visdom ...` and `... tensorboard ...` are those processes.
"""

import abc
import argparse
import asyncio
import atexit
import collections
import contextlib
import functools
import html
import http
import http.client
import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from paired import course, events

ADDRESS = "127.0.0.1"
PORTS = 50  # how many are tried, from the usual one on
PAGE = pathlib.Path(sys.prefix, "share", "visdom-page")
# Where the lessons leave their runs, and what the tiles of JupyterLab show.
RECORDS = course.ROOT / ".records" / "dashboards"
_PAGE_FILES = course.ROOT / "env" / "visdom" / "files.json"
_MAGIC = course.ROOT / "env" / "jupyter" / "tensorboard"
_START_SECONDS = 60  # on a machine that a whole class shares
_ANSWER_SECONDS = 10
_STOP_SECONDS = 3
_POLL_SECONDS = 0.1
_READY = "is listening"
# What changes what Visdom's server shows, and so is done again after it was started again.
_KEPT = ("events", "update", "close", "delete_env", "fork_env", "save", "win_data")


class DashboardError(RuntimeError):
    """A server cannot be had, or has ended; the message says why, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the sentence, without the calls that led to it."""
        return [f"DashboardError: {self}"]


def missing_page(page: pathlib.Path | None = None) -> str | None:
    """None if the files of Visdom's page are there, else a sentence that says what to do."""
    files = json.loads(_PAGE_FILES.read_text(encoding="utf-8"))
    if all(((page or PAGE) / file).exists() for file in files):
        return None
    return (
        "Visdom's page cannot be drawn: its files could not be fetched when the environment was "
        "made. Connect to the internet, run `make env` in the course's folder, then load the page "
        "again. What you send to Visdom is received and kept all the same."
    )


# A server, seen from the notebook


def _occupant(port: int) -> str | None:
    """What listens on a port: "TensorBoard", "Visdom", "another program", or None for nothing."""
    with socket.socket() as probe:
        probe.settimeout(_ANSWER_SECONDS)
        if probe.connect_ex((ADDRESS, port)):
            return None
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=2)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/")
        title = re.search(rb"<title>(\w+)</title>", connection.getresponse().read(1_000_000))
        names = {b"tensorboard": "TensorBoard", b"visdom": "Visdom"}
        return names.get(title[1].lower() if title else b"", "another program")
    return "another program"


def _free(port: int) -> bool:
    """Whether this process could listen on a port.

    Raises:
        DashboardError: it is no port, or not for this user.
    """
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((ADDRESS, port))
    except PermissionError:
        raise DashboardError(
            f"Port {port} is for the system's own programs. Choose one above 1023, or leave `port` "
            "out for the first that is free."
        ) from None
    except (OverflowError, TypeError):
        raise DashboardError(f"port is {port!r}; it can be a number from 1024 to 65535.") from None
    except OSError:
        return False
    with socket.socket() as probe:  # macOS lets one bind beside a server on every interface
        return bool(probe.connect_ex((ADDRESS, port)))


class _Server(abc.ABC):
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
        return f"http://{ADDRESS}:{self.port}/"

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

    def start(self) -> "_Server":
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
            ports: Iterable[int] = [self._wanted]
        else:
            ports = range(self.first_port, self.first_port + PORTS)
            ports = [self.port, *ports] if self.port else ports
        for port in ports:
            # Between this look and the server's own somebody else may take it: then the next one.
            if _free(port) and self._launch(port):
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

    def __enter__(self) -> "_Server":
        return self.start()

    def __exit__(self, kind: object, *_: object) -> None:
        if self._process is not None and not self.running and kind is None:
            print(self._why())
        self.stop()

    def __repr__(self) -> str:
        return f"{self.name} at {self.url}" if self.running else f"{self.name}, not running"

    # Inside

    def _refuse_taken(self, port: int) -> None:
        if _free(port):
            return
        occupant = _occupant(port)
        if occupant == self.name:
            raise DashboardError(
                f"{self.name} is running on port {port} already, at http://{ADDRESS}:{port}/. Use "
                "it there, stop it where you started it, or leave `port` out: then this one takes "
                "the first port that is free."
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
        if "in use" in self.log or not _free(port):
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
            connection = http.client.HTTPConnection(ADDRESS, port, timeout=_ANSWER_SECONDS)
            try:
                connection.request("GET", "/")
                return connection.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                time.sleep(_POLL_SECONDS)
            finally:
                connection.close()
        return False


class TensorBoard(_Server):
    """TensorBoard on a folder of event files.

    Args:
        logdir: the folder; it is made if it is not there.
        port: None for the first free one from 6006 on.
        reload_seconds: how often it looks for new data.
    """

    name = "TensorBoard"
    first_port = 6006

    def __init__(
        self, logdir: str | os.PathLike, port: int | None = None, reload_seconds: float = 5
    ) -> None:
        super().__init__(logdir, port)
        self.reload_seconds = reload_seconds

    def _arguments(self, port: int) -> list[str]:
        options = {"logdir": self.folder, "host": ADDRESS, "port": port}
        options["reload_interval"] = self.reload_seconds
        return ["tensorboard", *(str(a) for k, v in options.items() for a in (f"--{k}", v))]


class Visdom(_Server):
    """Visdom's server; what its clients `save` is kept in the folder, one file an environment.

    The server keeps everything else in memory. If it dies while a client posts, the client says so
    once and goes on, and `start` shows everything again that was posted since the last `save`,
    also what was posted meanwhile.

    Args:
        folder: where environments are saved; it is made if it is not there.
        port: None for the first free one from 8097 on.
    """

    name = "Visdom"
    first_port = 8097

    def __init__(self, folder: str | os.PathLike, port: int | None = None) -> None:
        super().__init__(folder, port)
        self._clients: weakref.WeakSet = weakref.WeakSet()
        self._lock = threading.RLock()
        self._up = threading.Event()
        self._lost = False
        self._posts: str | None = None

    def _arguments(self, port: int) -> list[str]:
        options = ["--folder", str(self.folder), "--port", str(port), "--page", str(PAGE)]
        return ["visdom", *options]

    def start(self) -> "Visdom":
        """Start the server, as `_Server.start` does, and post again what it has forgotten."""
        with self._lock:
            if self.running and not self._lost:
                return self
            self.stop()  # one that does not answer, too
            super().start()
            self._lost = False
            self._up.set()
            for client in self._clients:
                client.port, client.offline = self.port, False
            self._replay()
        until = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < until and not all(c.socket_alive for c in self._clients):
            time.sleep(_POLL_SECONDS / 10)
        return self

    def stop(self) -> None:
        """Stop the server if it runs; what was not saved is gone, unless it is started again."""
        self._up.clear()
        super().stop()

    def client(self, env: str = "main") -> Any:
        """A `visdom.Visdom` that is connected to this server.

        Args:
            env: the environment (a page's set of windows) that it posts to.

        Raises:
            DashboardError: the server does not run.
        """
        self.check()
        with self._lock:
            if self._posts is None:
                handle, self._posts = tempfile.mkstemp(prefix="visdom-", suffix=".log")
                os.close(handle)
                weakref.finalize(self, _remove, self._posts, os.getpid())
        client = _client_class()(self, env)
        self._clients.add(client)
        return client

    def _lose(self) -> None:
        """Say once that the server does not answer; from now on its clients only keep posts."""
        if self._lost:
            return
        self._lost = True
        self._up.clear()
        for client in self._clients:
            client.offline = True
        why = "Visdom does not answer." if self.running else self._why()
        print(f"{why} What you send to it is kept; after .start() it shows everything.")

    def _replay(self) -> None:
        clients = list(self._clients)
        if not clients or self._posts is None:
            return
        clients[0].replay_log(self._posts)
        self._prune()

    def _prune(self) -> None:
        """Forget posts of environments that have been saved after them."""
        with open(self._posts) as file:
            entries = [json.loads(line) for line in file]
        left: list = []
        for endpoint, message in entries:
            if endpoint == "save":
                saved = {env.replace("/", "_") for env in message["data"]}
                left = [e for e in left if str(e[1]["eid"]).replace("/", "_") not in saved]
            else:
                left.append((endpoint, message))
        with open(self._posts, "w") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in left)


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:
        with contextlib.suppress(OSError):
            os.remove(path)


@contextlib.contextmanager
def _without_torch():
    """Visdom imports PyTorch if it finds it: two seconds and 200 MB that nobody here needs."""
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None
    try:
        yield
    finally:
        del sys.modules["torch"]


@functools.cache
def _client_class() -> type:
    """The class of Visdom's clients; made late, so that nothing is imported before it is needed."""
    with _without_torch():
        import visdom
    import requests
    import websocket

    class Client(visdom.Visdom):
        """A `visdom.Visdom` without noise, that outlives its server."""

        def __init__(self, owner: Visdom, env: str) -> None:
            torch = sys.modules.get("torch")
            if torch and not visdom.torch_types:  # imported after Visdom
                visdom.torch = torch
                visdom.torch_types += [torch.Tensor, torch.nn.Parameter]
            self._owner, self._windows = owner, set()
            self._handled, self._presses = threading.Condition(), set()
            super().__init__(
                f"http://{ADDRESS}",
                port=owner.port,
                env=env,
                raise_exceptions=True,
                log_to_filename=owner._posts,
            )

        @property
        def session(self) -> requests.Session:
            if self._session is None:
                self._session = requests.Session()
                self._session.trust_env = False  # a proxy does not reach this machine
            return self._session

        def _handle_post(self, url: str, data: Any = None) -> str:
            answer = self.session.post(url, data=data or {}, timeout=_ANSWER_SECONDS)
            if not answer.ok:
                reason = answer.text.strip().rpartition("\n")[2] or f"status {answer.status_code}"
                raise DashboardError(f"Visdom's server could not do this. It says: {reason}")
            return answer.text

        def _log(self, msg: dict, endpoint: str) -> None:
            # Visdom's own keeps posts and updates, and not that a window was closed.
            if endpoint in _KEPT and _changes(endpoint, msg):
                with open(self.log_to_filename, "a") as file:
                    file.write(json.dumps([endpoint, msg]) + "\n")
                if endpoint in ("events", "update"):
                    self._windows.add((msg["eid"], msg.get("win")))

        def _send(
            self,
            msg: dict,
            endpoint: str = "events",
            quiet: bool = False,
            from_log: bool = False,
            create: bool = True,
        ) -> Any:
            owner = self._owner
            with owner._lock:
                if not self.offline:
                    try:
                        answer = super()._send(msg, endpoint, quiet, from_log, create)
                    except ConnectionError:
                        owner._lose()
                    else:
                        if endpoint == "save" and not from_log:
                            owner._prune()
                        return answer
                    if _changes(endpoint, msg):
                        return msg.get("win") or True
                elif _changes(endpoint, msg):
                    return super()._send(msg, endpoint, quiet, from_log, create)
                why = "Visdom does not answer." if owner.running else owner._why()
                raise DashboardError(f"{why} Start it again with .start().")

        def win_exists(self, win: str, env: str | None = None) -> bool | None:
            """Whether there is such a window."""
            if self.offline:
                return (env or self.env, win) in self._windows
            try:
                return super().win_exists(win, env)
            except DashboardError:
                if not self.offline:
                    raise
                return self.win_exists(win, env)

        def setup_socket(self, polling: bool = False) -> None:
            # Visdom's own thread tries again every three seconds, and writes in red about it.
            threading.Thread(target=self._listen, name="Visdom", daemon=True).start()

        def _listen(self) -> None:
            while self._owner._up.wait():
                with contextlib.suppress(OSError, websocket.WebSocketException):
                    connection = websocket.create_connection(
                        f"ws://{ADDRESS}:{self.port}/vis_socket",
                        timeout=_ANSWER_SECONDS,
                        http_no_proxy=[ADDRESS],
                    )
                    with contextlib.closing(connection):
                        connection.settimeout(None)
                        while message := connection.recv():
                            self._handle(json.loads(message))
                self.socket_alive = False
                time.sleep(_POLL_SECONDS)

        def _handle(self, message: dict) -> None:
            if message.get("command") == "alive":
                self.socket_alive = self.socket_connection_achieved = True
            for handler in list(self.event_handlers.get(message.get("target"), [])):
                try:
                    handler(message)
                except Exception:
                    traceback.print_exc()
            if press := message.get("press"):
                with self._handled:
                    self._presses.add(press)
                    self._handled.notify_all()

    return Client


def _changes(endpoint: str, message: dict) -> bool:
    """Whether a message to Visdom's server changes what it shows, or only asks for it."""
    return endpoint in _KEPT and (endpoint != "win_data" or "data" in message)


def press(client: Any, window: str, event_type: str = "PropertyUpdate", **event: Any) -> None:
    """Send Visdom's server what its page sends when somebody presses a button in a window.

    The server passes it on to the client, as it does with the page's, and the handlers that the
    client has registered for the window are called, in the client's own thread; this returns when
    they have returned. In a notebook that nobody watches it stands for a reader's click.

    Args:
        client: from `Visdom.client`.
        window: the window's name.
        event_type: "PropertyUpdate" for a pane that `client.properties` made; "Click", "KeyPress".
        event: what else the page says; for a property `propertyId`, its number in the pane (0), and
            `value` ("clicked", which is what a button sends; the new value for the other types).

    Raises:
        DashboardError: there is no such window, or the event did not come back.
    """
    import websocket

    if not client.win_exists(window):
        raise DashboardError(f"Visdom has no window {window!r} in the environment {client.env!r}.")
    if event_type == "PropertyUpdate":
        event = {"propertyId": 0, "value": "clicked", **event}
    number = f"{os.getpid()}-{time.monotonic_ns()}"
    data = {"target": window, "eid": client.env, "event_type": event_type, "press": number, **event}
    connection = websocket.create_connection(
        f"ws://{ADDRESS}:{client.port}/socket", timeout=_ANSWER_SECONDS, http_no_proxy=[ADDRESS]
    )
    with contextlib.closing(connection):
        connection.send(json.dumps({"cmd": "forward_to_vis", "data": data}))
        with client._handled:
            if not client._handled.wait_for(lambda: number in client._presses, _ANSWER_SECONDS):
                raise DashboardError(f"The event did not come back within {_ANSWER_SECONDS} s.")
            client._presses.discard(number)


# `%tensorboard`


def prepare() -> None:
    """Let `%tensorboard` start a server that ends with the kernel, and PyTorch write without noise.

    TensorBoard's magic runs the program that TENSORBOARD_BINARY names, or the first `tensorboard`
    on the PATH, which need not be this environment's, and nothing ends it. It also takes a server
    that was killed for one that runs; what such servers have left behind is removed here.

    PyTorch's `SummaryWriter` then writes without TensorFlow, as after `events.prepare`.
    """
    events.prepare()
    os.environ["TENSORBOARD_BINARY"] = str(_MAGIC)
    os.environ["PAIRED_PYTHON"] = sys.executable
    for file in pathlib.Path(tempfile.gettempdir(), ".tensorboard-info").glob("pid-*.info"):
        with contextlib.suppress(OSError, ValueError):
            try:
                os.kill(int(file.stem.removeprefix("pid-")), 0)
            except ProcessLookupError:
                file.unlink()


# The processes


def _end_with(parent: int) -> None:
    """End this process soon after its parent."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)  # TensorBoard clears up
        time.sleep(_STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _serve_tensorboard(arguments: list[str]) -> None:
    """Be TensorBoard, without TensorFlow."""
    events.prepare()
    from tensorboard import main, program

    class Server(program.TensorBoard):
        def _register_info(self, server: Any) -> None:
            super()._register_info(server)
            print(f"TensorBoard {_READY}", flush=True)

    program.TensorBoard = Server
    sys.argv = ["tensorboard", *arguments]
    main.run_main()


def _here(request: Any, proxied: bool) -> bool:
    """Whether a request comes from a page of this machine, or from no page at all.

    Visdom itself answers every page of the internet that is open in the same browser. Behind
    JupyterLab, which asks for its token, the page has the address of JupyterLab.
    """
    own = {ADDRESS, "localhost"}
    if proxied:
        own.add(request.host_name)
    origin = request.headers.get("Origin")
    return request.host_name in own and (
        origin is None or urllib.parse.urlsplit(origin).hostname in own
    )


async def _serve_visdom(folder: str, port: int, base_url: str, page: pathlib.Path) -> None:
    """Be Visdom's server: as it is, but for where its files are and whom it answers."""
    with _without_torch():
        from visdom.server import app
    from tornado import web
    from visdom.server.handlers import base_handlers, socket_handlers, web_handlers

    visdoms = app.tornado_settings["static_path"]

    class Files(web.StaticFileHandler):
        """The files of two folders: those that were fetched, and those that Visdom brings."""

        @classmethod
        def get_absolute_path(cls, root: str, path: str) -> str:
            fetched, own = map(
                functools.partial(super().get_absolute_path, path=path), (root, visdoms)
            )
            return fetched if os.path.exists(fetched) else own

        def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
            own = absolute_path.startswith(visdoms + os.sep)
            return super().validate_absolute_path(visdoms if own else root, absolute_path)

        @classmethod
        def make_static_url(cls, settings: dict, path: str, include_version: bool = True) -> str:
            # The index page asks for static_url("../user/style.css"), which is no static file:
            # since tornado 6.6 that is an error 403.
            if path.startswith("../"):
                return urllib.parse.urljoin(settings["static_url_prefix"], path)
            return super().make_static_url(settings, path, include_version)

    class Page(web.RequestHandler):
        """Instead of a blank page, what is missing."""

        def get(self, *_: str) -> None:
            sentence = html.escape(missing_page(page) or "Load this page again.")
            self.write(f"<!doctype html><title>visdom</title><p>{sentence}</p>")

    def prepare(self: Any) -> None:
        if not _here(self.request, bool(base_url)):
            raise web.HTTPError(http.HTTPStatus.FORBIDDEN)

    base_handlers.BaseHandler.prepare = prepare
    # Visdom's own wants a page error.html, which is not there, and then answers without a word.
    base_handlers.BaseHandler.write_error = web.RequestHandler.write_error
    for handler in (socket_handlers.SocketHandler, socket_handlers.VisSocketHandler):
        handler.check_origin = lambda self, _: _here(self.request, bool(base_url))
    seen: dict[pathlib.Path, float] = {}

    def look_again(state: dict) -> None:
        """The server behind a tile shows what others have saved meanwhile."""
        for file in pathlib.Path(folder).glob("*.json"):
            with contextlib.suppress(OSError, ValueError):  # it is being written
                if base_url and seen.get(file) != (changed := file.stat().st_mtime):
                    state[file.stem] = json.loads(file.read_text(encoding="utf-8"))
                    seen[file] = changed

    def draw(handler: Any, *arguments: str, get: Callable) -> None:
        if missing_page(page):
            Page.get(handler)
            return
        look_again(handler.state)
        full = {env for env, content in handler.state.items() if content["jsons"]}
        drawn = [file for file in seen if file.stem in full]
        if drawn and "main" not in full and not arguments[0].strip("/"):
            newest = max(drawn, key=seen.get)  # "main", which is the usual page, is empty
            handler.redirect(f"{base_url}/env/{urllib.parse.quote(newest.stem)}")
        else:
            get(handler, *arguments)

    for name in ("IndexHandler", "EnvHandler", "CompareHandler"):
        handler = getattr(web_handlers, name)
        handler.get = functools.partialmethod(draw, get=handler.get)

    def whole(pane: dict, change: dict) -> tuple[dict, dict]:
        """Visdom's `update_packet`, whose second answer would be a patch of the pane.

        Of the two the shorter is sent, the pane at a tie. The page can apply patches out of order
        and then loses some for good.
        """
        pane = web_handlers.UpdateHandler.update(pane, change)
        pane["contentID"] = web_handlers.get_rand_id()
        return pane, pane

    web_handlers.UpdateHandler.update_packet = staticmethod(whole)
    # The page of two environments compared would look for their names in ~/.visdom.
    web_handlers.gather_envs = functools.partial(web_handlers.gather_envs, env_path=folder)
    app.tornado_settings["static_path"] = str(page)
    app.tornado_settings["static_handler_class"] = Files
    app.tornado_settings["autoreload"] = False  # it would start again when a module is edited
    # Environments are loaded now: saved before it was looked at, one that is loaded late is lost.
    application = app.Application(
        port=port, base_url=base_url, env_path=folder, eager_data_loading=True
    )
    application.listen(port, ADDRESS, max_buffer_size=1024**3)
    print(f"Visdom {_READY}", flush=True)
    await asyncio.Event().wait()


def main(arguments: list[str] | None = None) -> None:
    """Be one of the two servers until the parent process ends."""
    parser = argparse.ArgumentParser(prog="python -m paired.dashboards")
    parser.add_argument("--parent", type=int, default=os.getppid())
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("tensorboard", add_help=False, prefix_chars="\0")
    visdom = kinds.add_parser("visdom")
    visdom.add_argument("--folder", required=True)
    visdom.add_argument("--port", type=int, required=True)
    visdom.add_argument("--base-url", default="")
    visdom.add_argument("--page", type=pathlib.Path, default=PAGE)
    options, rest = parser.parse_known_args(arguments)
    _end_with(options.parent)
    with contextlib.suppress(KeyboardInterrupt):
        if options.kind == "tensorboard":
            _serve_tensorboard(rest)
        else:
            given = options.folder, options.port, options.base_url, options.page
            asyncio.run(_serve_visdom(*given))


if __name__ == "__main__":
    main()
