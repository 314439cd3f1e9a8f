"""The processes that kernels and servers of a class are forked from.

`python -m paired.machine.hub.warm FRAMEWORK` imports it once, then forks a kernel for everybody of
the class who asks at its Unix socket; `... warm server` forks students' servers for the hub. It may
be root, so it trusts nothing that a student sends: who asks is what the system says of the other
end, and the request is read by the child, once that has become the student's.

A connection lasts as long as what was asked for: when the asker has gone, that is ended, and when
it has ended, its exit code is sent. So a kernel ends with its server, and a server with the hub.
"""

import contextlib
import gc
import importlib
import json
import os
import pathlib
import selectors
import signal
import socket
import sys
import tempfile

from paired import course, settings
from paired.authors import kernels
from paired.machine.hub import asking, limits
from paired.machine.hub.room import Account, Room

SERVER = "server"
# What a server imports: all but these few tenths of its start.
_SERVER_IMPORTS = (
    "paired.machine.hub.student", "paired.machine.hub.provisioner", "jupyterlab.labapp",
    "jupyterhub.singleuser.extension", "jupyter_server_proxy",
    "jupyter_server_terminals", "nbdime.webapp.nb_server_extension", "notebook_shim.nbserver",
    "jupyterlab_server.workspaces_handler", "jupyter_server.services.contents.largefilemanager",
)  # fmt: skip
_LARGEST_REQUEST = 2**18
_MOST_KERNELS = 12  # of a student, at a time
_LOOK_SECONDS = 5


class _Asker:
    """One who has connected: first with a request that grows, then with a process that runs."""

    def __init__(self, connection: socket.socket, account: Account | None) -> None:
        self.connection, self.account = connection, account  # None: the hub
        self.request, self.pid, self.ends = b"", 0, -1


def _become(request: bytes, account: Account | None, room: Room, kept: set[int]) -> None:
    """In the forked process: become the student's, then what was asked for. Does not return."""
    try:
        parent = os.getppid()
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in kept:
                with contextlib.suppress(OSError):  # that of the list itself
                    os.close(int(name))
        if account:
            limits.become(account, room)
            wanted = json.loads(request)
        else:
            wanted = json.loads(request)
            account = room.account(wanted["student"])
            limits.become(account, room)
            os.environ.clear()
            os.chdir(account.home)
        limits.end_with(parent)
        os.environ.update(wanted["env"])
        # What the imports have found out about the one who imported.
        course.HOME = pathlib.Path(os.environ.get("PAIRED_HOME") or course.ROOT)
        settings.apply()
        tempfile.tempdir = None
        process = importlib.import_module("multiprocessing.process").current_process()
        process.authkey = os.urandom(32)
        if "student" not in wanted:
            kernels.become_kernel(wanted)
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["jupyterhub-singleuser", *wanted["argv"]]
        importlib.import_module("paired.machine.hub.student").main()
    finally:
        os._exit(1)


class _Server:
    """Answers all who ask, none of whom can keep the others waiting."""

    def __init__(self, kind: str, room: Room) -> None:
        self.kind, self.room, self.askers = kind, room, set()
        self.kept = {int(name) for name in os.listdir("/proc/self/fd")}
        self.selector = selectors.DefaultSelector()
        self.socket = socket.socket(socket.AF_UNIX)
        address = pathlib.Path(room.sockets, kind)
        address.unlink(missing_ok=True)  # of one that was killed
        self.socket.bind(str(address))
        address.chmod(0o600 if kind == SERVER else 0o666)
        self.socket.listen(128)
        self.socket.setblocking(False)
        self.selector.register(self.socket, selectors.EVENT_READ, self.accept)

    def serve(self) -> None:
        """Until the one who started it has gone."""
        parent = os.getppid()
        while os.getppid() == parent:
            for key, _ in self.selector.select(_LOOK_SECONDS):
                if key.fileobj in self.selector.get_map():  # not gone since
                    key.data()

    def accept(self) -> None:
        connection, _ = self.socket.accept()
        try:
            account = self.account(asking.peer(connection))
        except (KeyError, PermissionError):
            connection.close()
            return
        connection.setblocking(False)
        asker = _Asker(connection, account)
        self.askers.add(asker)
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.hear(asker))

    def account(self, uid: int) -> Account | None:
        """Whose kernel one who asks gets; None for the hub, which says whose server it wants.

        Raises:
            KeyError, PermissionError: somebody else asks, or too often.
        """
        if self.kind == SERVER:
            if uid != os.getuid():
                raise PermissionError("Only the hub starts servers.")
            return None
        account = self.room.account_of(uid)
        theirs = sum(asker.account == account for asker in self.askers)
        if self.room.users and theirs >= _MOST_KERNELS:
            raise PermissionError("That is enough.")
        return account

    def hear(self, asker: _Asker) -> None:
        try:
            part = asker.connection.recv(_LARGEST_REQUEST)
        except OSError:
            part = b""
        if not part or asker.pid or len(asker.request) > _LARGEST_REQUEST:
            self.forget(asker)
            return
        asker.request += part
        if part.endswith(b"\n"):
            self.fork(asker)

    def fork(self, asker: _Asker) -> None:
        asker.pid = os.fork()
        if asker.pid == 0:
            _become(asker.request, asker.account, self.room, self.kept)
        asker.request = b""
        asker.ends = os.pidfd_open(asker.pid)
        self.selector.register(asker.ends, selectors.EVENT_READ, lambda: self.ended(asker))
        self.say(asker, {"pid": asker.pid})

    def ended(self, asker: _Asker) -> None:
        _, status = os.waitpid(asker.pid, 0)
        asker.pid = 0
        self.say(asker, {"code": os.waitstatus_to_exitcode(status)})
        self.forget(asker)

    def say(self, asker: _Asker, answer: dict) -> None:
        with contextlib.suppress(OSError):  # has gone, which is heard later
            asker.connection.send(json.dumps(answer).encode() + b"\n")

    def forget(self, asker: _Asker) -> None:
        if asker.pid:  # not waited for yet, so the number is still its own
            for end in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    end(asker.pid, signal.SIGKILL)
            os.waitpid(asker.pid, 0)
        if asker.ends >= 0:
            self.selector.unregister(asker.ends)
            os.close(asker.ends)
        self.selector.unregister(asker.connection)
        asker.connection.close()
        self.askers.discard(asker)


def main(kind: str) -> None:
    """Import what is needed, then fork."""
    room = Room.here()
    limits.needed_by_all()
    if kind == SERVER:
        kernels.import_all(_SERVER_IMPORTS)
    else:
        kernels.warm(kind)
        importlib.import_module("ipykernel.debugger")
    gc.collect()
    gc.freeze()  # or the first collection in each child would copy what they share
    with contextlib.suppress(KeyboardInterrupt):  # by which the hub stops it
        _Server(kind, room).serve()


if __name__ == "__main__":
    del sys.path[0]  # the folder that `-m` put there
    main(sys.argv[1])
