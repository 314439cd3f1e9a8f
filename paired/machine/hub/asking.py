"""The other end of a warm process: how a student's server gets a kernel, and the hub a server."""

import json
import os
import pathlib
import signal
import socket
import struct

from paired.authors import kernels

_ANSWER_SECONDS = 30


def peer(connection: socket.socket) -> int:
    """The user at the other end of a Unix socket; the system says so, not the other end."""
    kind = struct.Struct("3i")
    return kind.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, kind.size))[1]


class Forked(kernels.Process):
    """A forked process, whose end is heard by the connection that asked for it."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid, self.returncode, self._connection = pid, None, connection
        connection.setblocking(False)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            try:
                answer = self._connection.recv(1000)
            except BlockingIOError:
                return None
            except OSError:
                answer = b""
            # Nothing: the process that forked it has gone, and it with it.
            self.returncode = json.loads(answer)["code"] if answer else -signal.SIGKILL
            self._connection.close()
        return self.returncode


def ask(address: pathlib.Path, request: dict) -> Forked:
    """A process forked from the one that listens at an address.

    Raises:
        OSError: nobody listens there, or not one of this class, or it does not want to.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(str(address))
        if peer(connection) not in (0, os.getuid()):
            raise PermissionError("Another user's process listens there.")
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = connection.recv(1000)
        if not answer:
            raise ConnectionError("It does not want to.")
        return Forked(connection, json.loads(answer.splitlines()[0])["pid"])
    except BaseException:
        connection.close()
        raise
