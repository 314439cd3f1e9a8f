"""What has to be there before a class can start; what is not, is said in a sentence."""

import functools
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys

from paired import course, ports
from paired.machine import update
from paired.machine.hub.room import GIGABYTE, Room

FIRST_PORT = 8000
_PROCESSES = 300  # a server has about 10, a kernel about 15, threads counted
_LEAST_MEMORY = 1.5 * GIGABYTE
# A letter and a digit that look alike are not in it: the word is read from a board.
_LETTERS = "abcdefghkmnpqrstuvwxyz23456789"


class HubError(Exception):
    """Why there is no class, and what to do, in a sentence."""


def names(file: str | None) -> frozenset[str]:
    """The students of a file, one name a line.

    Raises:
        HubError: it cannot be read, or has a line that is no name.
    """
    from paired.machine.hub import accounts

    if not file:
        return frozenset()
    try:
        lines = pathlib.Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise HubError(f"The list of students cannot be read: {problem}.") from None
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for name in found:
        if not accounts.NAME.fullmatch(name):
            raise HubError(f"{file} has the line {name!r}. A name is {accounts.NAME_RULE}.")
    if not found:
        raise HubError(f"{file} has no names. It needs one a line.")
    return frozenset(found)


def check_address(host: str, port: int) -> None:
    """Raise HubError unless this machine can listen there."""
    try:
        kind = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind[0]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(kind[4])
        if not ports.is_free(port):
            raise OSError("another program listens there")
    except (OSError, OverflowError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise HubError(
            f"The class cannot listen at {host}, port {port}: {why}. Choose another port, "
            f"make hub PORT={FIRST_PORT + 1}, or for HOST an address of this machine; 0.0.0.0: all."
        ) from None


def check_reach() -> None:
    """Raise HubError unless other users than root can run the course."""
    probe = [sys.executable, "-c", "import paired, ipykernel, jupyterhub"]
    nobody = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
    try:
        done = subprocess.run(probe, capture_output=True, text=True, **nobody)
        if done.returncode == 0:
            return
        said = (done.stderr.strip().splitlines() or [""])[-1]
    except OSError as problem:
        said = str(problem)
    places = [course.ROOT, pathlib.Path(sys.prefix), pathlib.Path(sys.base_prefix)]
    above = [folder for place in places for folder in (place, *place.parents)]
    closed = next((str(f) for f in above if not f.stat().st_mode & 0o001), None)
    where = f"{closed} is closed to them" if closed else f"their attempt says: {said}"
    raise HubError(
        "Students are users of this machine, and cannot run the course where it is: "
        f"{where}. Put the course into a folder that all can enter, such as /srv, with a Python "
        "that all can run: make hub PYTHON=/usr/bin/python3. Or start it as a user who is not "
        "root, for a class that you trust."
    )


def publish(room: Room, root: pathlib.Path) -> str | None:
    """Put what was last committed where students' copies come from; returns what to say of it."""
    try:
        git = functools.partial(update.git, root, "-c", f"safe.directory={root}")
        git("rev-parse", "HEAD")
        if git("rev-parse", "--show-prefix").strip():
            raise subprocess.CalledProcessError(1, "git")
        if not room.course.exists():
            git("init", "--quiet", "--bare", "--initial-branch=main", str(room.course))
        git("push", "--quiet", "--force", str(room.course), "HEAD:refs/heads/main")
        if git("status", "--porcelain", "--untracked-files=no").strip():
            return (
                "You have changes that are not committed: the class gets what was last committed."
            )
        return None
    except (OSError, subprocess.CalledProcessError):
        shutil.rmtree(room.course, ignore_errors=True)
        return "This is no clone made with git: students get its notebooks, and no updates of them."


def word_of(folder: pathlib.Path, wanted: str | None) -> str:
    """The word that stands on the board; the same each time, unless another is wanted."""
    file = folder / "word"
    if wanted:
        file.write_text(wanted.strip().lower())
    elif not file.exists():
        file.write_text("".join(secrets.choice(_LETTERS) for _ in range(8)))
    file.chmod(0o600)
    return file.read_text().strip()


def make_room(folder: pathlib.Path, sockets: str, seats: int, memory: float | None) -> Room:
    """The folders of a class, and what a student may use of this machine."""
    import psutil

    users = os.getuid() == 0
    for path, mode in ((folder, 0o711), (folder / "students", 0o711), (folder / "hub", 0o700)):
        path.mkdir(exist_ok=True)
        path.chmod(mode)
    total = psutil.virtual_memory().total
    # Not all need it at once, and one who does leaves half of it to the others.
    most = memory * GIGABYTE if memory else max(_LEAST_MEMORY, min(1.5 * total / seats, total / 2))
    return Room(str(folder), sockets, int(most), _PROCESSES, users)
