"""The process that the kernels of a class are forked from, one for each framework.

`python -m paired.machine.hub.warm FRAMEWORK` imports it once, then forks a kernel for everybody of
the class who asks at its Unix socket. It may be root, so it trusts nothing that it is sent: who
asks is what the system says of the other end; the request is read by the child, once that has
become the student's. A connection lasts as long as the kernel: when the student's server has gone,
the kernel is ended, and when the kernel has ended, its exit code is sent.
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
import struct
import sys
import tempfile

from paired import course, settings
from paired.authors import kernels
from paired.machine.hub import limits
from paired.machine.hub.room import Account, Room

_LARGEST_REQUEST = 2**18
_MOST_CONNECTIONS = 12  # of a student, one for each kernel
_LOOK_SECONDS = 5


class _Asker:
    """One who has connected: first with a request that grows, then with a kernel that runs."""

    def __init__(self, connection: socket.socket, account: Account) -> None:
        self.connection, self.account = connection, account
        self.request, self.pid, self.ends = b"", 0, -1


def peer(connection: socket.socket) -> int:
    """The user at the other end of a Unix socket."""
    size = struct.calcsize("3i")
    return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[
        1
    ]


def _become_kernel(request: bytes, account: Account, room: Room, kept: set[int]) -> None:
    """In the forked process: become the student's, then the kernel. Does not return."""
    try:
        signal.set_wakeup_fd(-1)
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in kept:
                _close(int(name))
        limits.become(account, room)
        wanted = json.loads(request)
        os.environ.update(wanted["env"])
        # What the imports have found out about the one who imported.
        course.HOME = pathlib.Path(os.environ.get("PAIRED_HOME") or course.ROOT)
        settings.apply()
        tempfile.tempdir = None
        process = importlib.import_module("multiprocessing.process").current_process()
        process.authkey = os.urandom(32)
        kernels.become_kernel(wanted)
    finally:
        os._exit(1)


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the one by which the list was read is closed already
        os.close(descriptor)


class _Server:
    """Answers all who ask, none of whom can keep the others waiting."""

    def __init__(self, framework: str, room: Room) -> None:
        self.room, self.askers = room, set()
        self.kept = {int(name) for name in os.listdir("/proc/self/fd")}
        self.selector = selectors.DefaultSelector()
        self.socket = socket.socket(socket.AF_UNIX)
        address = pathlib.Path(room.sockets, framework)
        address.unlink(missing_ok=True)  # of one that was killed
        self.socket.bind(str(address))
        address.chmod(0o666)
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
            account = self.room.account_of(peer(connection))
            theirs = [asker for asker in self.askers if asker.account == account]
            if len(theirs) >= _MOST_CONNECTIONS * (1 if self.room.users else 100):
                raise PermissionError("That is enough.")
        except (KeyError, PermissionError):
            connection.close()
            return
        connection.setblocking(False)
        asker = _Asker(connection, account)
        self.askers.add(asker)
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.hear(asker))

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
        pid = os.fork()
        if pid == 0:
            _become_kernel(asker.request, asker.account, self.room, self.kept)
        asker.pid, asker.request = pid, b""
        asker.ends = os.pidfd_open(pid)
        self.selector.register(asker.ends, selectors.EVENT_READ, lambda: self.ended(asker))
        self.say(asker, {"pid": pid})

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


def main(framework: str) -> None:
    """Import a framework, then fork kernels."""
    room = Room.here()
    limits.needed_by_all()
    kernels.warm(framework)
    importlib.import_module("ipykernel.debugger")
    gc.collect()
    gc.freeze()  # or the first collection in each kernel would copy what they share
    with contextlib.suppress(KeyboardInterrupt):  # by which the hub stops it
        _Server(framework, room).serve()


if __name__ == "__main__":
    del sys.path[0]  # the folder that `-m` put there
    main(sys.argv[1])
