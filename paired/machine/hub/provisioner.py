"""Kernels of a student's server: forked from a warm process of the class, or started as usual."""

import asyncio
import json
import os
import pathlib
import signal
import socket

from paired import course
from paired.authors import kernels
from paired.machine.hub import warm
from paired.machine.hub.room import Room

from jupyter_client.provisioning import LocalProvisioner

_ANSWER_SECONDS = 30


class _Forked(kernels.Process):
    """A forked kernel, whose end is heard by the connection that asked for it."""

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


def _ask(address: pathlib.Path, request: dict) -> _Forked:
    """A kernel from the process that listens at an address.

    Raises:
        OSError: nobody listens there, or not one of this class.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(str(address))
        if warm.peer(connection) not in (0, os.getuid()):
            raise PermissionError("Another user's process listens there.")
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = connection.recv(1000)
        if not answer:
            raise ConnectionError("It does not want to.")
        return _Forked(connection, json.loads(answer.splitlines()[0])["pid"])
    except BaseException:
        connection.close()
        raise


class Provisioner(LocalProvisioner):
    """Forks a kernel for a notebook of the course, or starts one as usual."""

    async def launch_kernel(self, cmd: list[str], **kwargs) -> dict:
        """Launch a kernel; which framework it has, the notebook's name says."""
        environment = kwargs["env"]
        name = pathlib.Path(environment.get("JPY_SESSION_NAME") or "").stem
        framework = next((f for f in course.FRAMEWORKS if name.endswith(f)), course.FRAMEWORKS[0])
        request = {"argv": cmd, "cwd": str(kwargs["cwd"]), "env": environment}
        try:
            address = pathlib.Path(Room.here().sockets, framework)
            self.process = await asyncio.to_thread(_ask, address, request)
        except (OSError, KeyError, ValueError) as problem:
            self.log.warning(f"This kernel is started as usual: {problem}")
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs["cwd"]
        return self.connection_info
