"""Ports of this machine: which are free, and what listens on the others."""

import contextlib
import http.client
import re
import secrets
import socket

ADDRESS = "127.0.0.1"  # everything that the course starts listens here, and nowhere else
_CONNECT_SECONDS, _ANSWER_SECONDS = 10, 2


def is_free(port: int) -> bool:
    """Whether this process could listen on a port.

    Raises:
        PermissionError: it is for the system's own programs.
        OverflowError: there is no such port.
        TypeError: it is no whole number.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except PermissionError:
            raise
        except OSError:
            return False
    # macOS lets one bind beside a server that listens on every interface.
    return not _answers(port)


def free_port() -> int:
    """A port on which nobody listens now, of those that the system gives away."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


def server_port() -> int:
    """A free port for a server that takes seconds to start.

    The system gives none of these to clients: a connection of another program would keep the port
    of its own end, and the server would find it taken.
    """
    while not is_free(port := 20_000 + secrets.randbelow(12_000)):
        pass
    return port


def occupant(port: int) -> str | None:
    """What listens on a port: "TensorBoard", "Visdom", "another program", or None for nothing."""
    if not _answers(port):
        return None
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=_ANSWER_SECONDS)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/")
        title = re.search(rb"<title>(\w+)</title>", connection.getresponse().read(1_000_000))
        names = {b"tensorboard": "TensorBoard", b"visdom": "Visdom"}
        return names.get(title[1].lower() if title else b"", "another program")
    return "another program"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_CONNECT_SECONDS)
        return probe.connect_ex((ADDRESS, port)) == 0
