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
import select
import signal
import socket
import sys
import tempfile
import traceback

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


def _descriptors() -> set[int]:
    """The open files of this process, but for the list of them."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            found.add(int(name))
    return found


def _become(connection: socket.socket, account: Account | None, room: Room, kept: set) -> None:
    """In the forked process: become the student's, then what was asked for. Does not return."""
    try:
        parent = os.getppid()
        for descriptor in _descriptors() - kept - {connection.fileno()}:
            os.close(descriptor)
        if account:
            limits.become(account, room)
        with connection, connection.makefile() as file:
            wanted = json.loads(file.readline(_LARGEST_REQUEST))
        if not account:
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
    except Exception:
        traceback.print_exc()  # in the hub's log
    finally:
        os._exit(1)


class _Child:
    """A forked process, and the connection of the one who asked for it."""

    def __init__(self, connection: socket.socket, account: Account | None, pid: int) -> None:
        self.connection, self.account, self.pid = connection, account, pid
        self.ends = os.pidfd_open(pid)

    def say(self, answer: dict) -> None:
        """Answer, unless the asker has gone."""
        with contextlib.suppress(OSError):
            # The child shares the connection: that it waits there must not be changed.
            self.connection.send(json.dumps(answer).encode() + b"\n", socket.MSG_DONTWAIT)


class _Server:
    """Forks for all who ask, none of whom can keep the others waiting."""

    def __init__(self, kind: str, room: Room) -> None:
        self.kind, self.room = kind, room
        self.children: dict[int, _Child] = {}  # by both of their descriptors
        self.kept = _descriptors()
        self.socket = socket.socket(socket.AF_UNIX)
        address = pathlib.Path(room.sockets, kind)
        address.unlink(missing_ok=True)  # of one that was killed
        self.socket.bind(str(address))
        address.chmod(0o600 if kind == SERVER else 0o666)
        self.socket.listen(128)
        self.poll = select.epoll()
        self.poll.register(self.socket, select.EPOLLIN)

    def serve(self) -> None:
        """Until the one who started it has gone."""
        parent = os.getppid()
        while os.getppid() == parent:
            for descriptor, _ in self.poll.poll(_LOOK_SECONDS):
                if descriptor == self.socket.fileno():
                    self.accept()
                elif child := self.children.get(descriptor):  # not gone since
                    self.end(child)

    def accept(self) -> None:
        """Fork for one who has connected: the child reads what is wanted.

        Of what a student sends, tokens too, nothing comes into this process, from which the others'
        are forked.
        """
        connection, _ = self.socket.accept()
        try:
            account = self.account(asking.peer(connection))
        except (KeyError, PermissionError):
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            _become(connection, account, self.room, self.kept)
        child = _Child(connection, account, pid)
        self.poll.register(connection, select.EPOLLRDHUP)  # the asker has gone
        self.poll.register(child.ends, select.EPOLLIN)
        self.children |= {connection.fileno(): child, child.ends: child}
        child.say({"pid": pid})

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
        theirs = sum(child.account == account for child in self.children.values()) // 2
        if self.room.users and theirs >= _MOST_KERNELS:
            raise PermissionError("That is enough.")
        return account

    def end(self, child: _Child) -> None:
        """End a process if it has not ended, and say how it did."""
        # It has not been waited for, so the number is still its own.
        if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            for end in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    end(child.pid, signal.SIGKILL)
        _, status = os.waitpid(child.pid, 0)
        child.say({"code": os.waitstatus_to_exitcode(status)})
        for descriptor in (child.connection.fileno(), child.ends):
            self.poll.unregister(descriptor)
            del self.children[descriptor]
        os.close(child.ends)
        child.connection.close()


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
