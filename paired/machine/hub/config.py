"""JupyterHub's configuration, and how it starts a student's server."""

import asyncio
import collections
import dataclasses
import os
import pathlib
import subprocess
import sys
from typing import ClassVar

from paired import course, ports
from paired.machine.hub import accounts, asking, limits, warm
from paired.machine.hub.room import VARIABLE, Account, Room

from jupyterhub.spawner import LocalProcessSpawner
from traitlets.config import Config

_IDLE_SECONDS = 3600
_START_SECONDS = 120  # of a server, when the whole class comes at once
_SERVER_SETTINGS = pathlib.Path(__file__).parent / "server"


@dataclasses.dataclass(frozen=True)
class Entrance:
    """How one gets in."""

    host: str
    port: int
    word: str
    students: frozenset[str]
    seats: int


class Spawner(LocalProcessSpawner):
    """Starts a student's server with the student's rights and limits."""

    room: Room
    given: ClassVar = collections.deque(maxlen=1000)
    forked: asking.Forked | None = None

    @property
    def account(self) -> Account:
        """Whose server it is."""
        return self.room.account(self.user.name)

    def user_env(self, env: dict) -> dict:
        """What the server and its kernels find in their environment."""
        home, prefix = self.room.home(self.user.name), env["JUPYTERHUB_SERVICE_PREFIX"]
        own = f"{self.room.sockets}/{self.user.name}"
        return env | {
            "USER": self.user.name,
            "HOME": home,
            "SHELL": "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh",
            "PAIRED_HOME": f"{home}/course",
            "JUPYTER_RUNTIME_DIR": own,
            "TMPDIR": own,  # some programs expect what they made there to be theirs
            "JUPYTER_CONFIG_PATH": str(_SERVER_SETTINGS),
            # The address that TensorBoard's cell shows is this machine's; a browser is elsewhere.
            "TENSORBOARD_PROXY_URL": f"{prefix}proxy/%PORT%/",
            VARIABLE: self.room.variable,
        }

    def make_preexec_fn(self, name: str):
        """What the forked process does before it becomes the server."""
        account, room = self.room.account(name), self.room
        return lambda: (limits.become(account, room), os.chdir(account.home))

    async def start(self) -> tuple[str, int]:
        """Start the server, after whatever it needs has been made."""
        try:
            account = accounts.create(self.room, self.user.name)
        except (OSError, subprocess.CalledProcessError) as problem:
            problem.jupyterhub_message = f"Your account could not be made: {problem}"
            raise
        if self.room.users:
            limits.make_group(self.room, self.user.name)
            accounts.limit_disk(self.room, self.user.name)
        runtime = pathlib.Path(self.room.sockets, self.user.name)
        if not runtime.exists():
            runtime.mkdir(0o700)
            os.chown(runtime, account.uid, account.gid)
        # Free, and given to nobody whose server has not taken it yet.
        while (port := ports.server_port()) in self.given:
            pass
        self.port = port
        self.given.append(port)
        request = {"student": self.user.name, "argv": self.get_args(), "env": self.get_env()}
        try:
            address = pathlib.Path(self.room.sockets, warm.SERVER)
            self.forked = await asyncio.to_thread(asking.ask, address, request)
        except OSError as problem:
            self.log.warning(f"This server is started as usual: {problem}")
            return await super().start()
        self.pid = self.forked.pid
        return self.ip, self.port

    async def poll(self) -> int | None:
        """How the server has ended; None while it runs."""
        if not self.forked:
            return await super().poll()
        code = self.forked.poll()
        if code is not None:
            self.forked = None
            self.clear_state()
        return code

    async def stop(self, now: bool = False) -> None:
        """Stop the server, and all that it has left."""
        await super().stop(now=now)
        if self.room.users:
            limits.end_all(self.account)


def _service(room: Room, name: str, *command: str) -> dict:
    """A program beside the hub, which starts it again if it ends; it gets nothing of the hub's."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": f"{room.folder}/hub",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "MPLCONFIGDIR": f"{room.folder}/hub/matplotlib",
        VARIABLE: room.variable,
    }
    clean = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
    return {"name": name, "command": [*clean, sys.executable, "-m", *command], "cwd": "/"}


def configuration(room: Room, entrance: Entrance, proxy: list[str]) -> Config:
    """JupyterHub's configuration for a class."""
    c = Config()
    hub = pathlib.Path(room.folder, "hub")
    c.JupyterHub.bind_url = f"http://{entrance.host}:{entrance.port}"
    c.JupyterHub.hub_ip = ports.ADDRESS
    c.JupyterHub.hub_port = ports.server_port()
    c.JupyterHub.db_url = f"sqlite:///{hub}/hub.sqlite"
    c.JupyterHub.cookie_secret_file = str(hub / "cookie_secret")
    c.JupyterHub.concurrent_spawn_limit = entrance.seats
    c.JupyterHub.active_server_limit = 2 * entrance.seats
    c.JupyterHub.allow_named_servers = False
    c.ConfigurableHTTPProxy.command = proxy
    c.ConfigurableHTTPProxy.api_url = f"http://{ports.ADDRESS}:{ports.server_port()}"
    c.ConfigurableHTTPProxy.pid_file = str(hub / "proxy.pid")

    c.JupyterHub.authenticator_class = accounts.Authenticator
    c.Authenticator.dbm_path = accounts.passwords(room)
    c.Authenticator.allow_all = True  # who knows the word
    c.Authenticator.word = entrance.word
    c.Authenticator.students = set(entrance.students)
    c.Authenticator.min_password_length = 8

    Spawner.room = room
    c.JupyterHub.spawner_class = Spawner
    c.Spawner.cmd = [sys.executable, "-m", "paired.machine.hub.student"]
    c.Spawner.default_url = "/lab/workspaces/course"
    c.Spawner.ip = ports.ADDRESS
    c.Spawner.start_timeout = c.Spawner.http_timeout = _START_SECONDS

    culler = ["jupyterhub_idle_culler", f"--timeout={_IDLE_SECONDS}", "--cull-every=120"]
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles = [{"name": "culler", "scopes": scopes, "services": ["culler"]}]
    c.JupyterHub.services = [
        {"name": "culler", "command": [sys.executable, "-m", *culler]},
        *(_warm(room) if sys.platform == "linux" else []),
    ]
    if room.users:
        c.JupyterHub.services.append(_service(room, "limits", "paired.machine.hub.limits"))
    return c


def _warm(room: Room) -> list[dict]:
    kinds = (*course.FRAMEWORKS, warm.SERVER)
    return [_service(room, kind, "paired.machine.hub.warm", kind) for kind in kinds]
