"""Visdom's server for a notebook, and clients without noise that outlive it."""

import contextlib
import functools
import json
import os
import pathlib
import sys
import tempfile
import threading
import time
import traceback
import weakref
from typing import Any

from paired import course
from paired.dashboards.server import ANSWER_SECONDS, POLL_SECONDS, DashboardError, Server
from paired.ports import ADDRESS

PAGE = pathlib.Path(sys.prefix, "share", "visdom-page")
_PAGE_FILES = course.ROOT / "env" / "visdom" / "files.json"
# What changes what Visdom's server shows, and so is done again after it was started again.
_KEPT = ("events", "update", "close", "delete_env", "fork_env", "save", "win_data")


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


class Visdom(Server):
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
        """Start the server, as `Server.start` does, and post again what it has forgotten."""
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
        until = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < until and not all(c.socket_alive for c in self._clients):
            time.sleep(POLL_SECONDS / 10)
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
def without_torch():
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
    with without_torch():
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
            answer = self.session.post(url, data=data or {}, timeout=ANSWER_SECONDS)
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
                        timeout=ANSWER_SECONDS,
                        http_no_proxy=[ADDRESS],
                    )
                    with contextlib.closing(connection):
                        connection.settimeout(None)
                        while message := connection.recv():
                            self._handle(json.loads(message))
                self.socket_alive = False
                time.sleep(POLL_SECONDS)

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
    env = client.env.replace("/", "_")  # as the server keeps it
    data = {"target": window, "eid": env, "event_type": event_type, "press": number, **event}
    connection = websocket.create_connection(
        f"ws://{ADDRESS}:{client.port}/socket",
        timeout=ANSWER_SECONDS,
        http_no_proxy=[ADDRESS],
    )
    with contextlib.closing(connection):
        connection.send(json.dumps({"cmd": "forward_to_vis", "data": data}))
        with client._handled:
            if not client._handled.wait_for(lambda: number in client._presses, ANSWER_SECONDS):
                raise DashboardError(f"The event did not come back within {ANSWER_SECONDS} s.")
            client._presses.discard(number)
