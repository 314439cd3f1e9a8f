"""Start a class: `make hub`, or `make hub HOST=0.0.0.0` for other machines than this one."""

import argparse
import http.client
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from paired import course, needs, ports
from paired.machine.hub.room import GIGABYTE, GROUP, VARIABLE, Room

FIRST_PORT = 8000
SEATS = 20
_PROCESSES = 300  # a server has about 10, a kernel about 15, threads counted
_LEAST_MEMORY = 1.5 * GIGABYTE
_DISK = 5
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
        raise HubError(
            f"The class cannot listen at {host}, port {port}: {problem}. Choose another port, "
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
        inside = ["git", "-c", f"safe.directory={root}", "-C", root]
        subprocess.run([*inside, "rev-parse", "HEAD"], check=True, capture_output=True)
        if subprocess.run(
            [*inside, "rev-parse", "--show-prefix"], capture_output=True
        ).stdout.strip():
            raise subprocess.CalledProcessError(1, "git")
        if not room.course.exists():
            make = ["git", "init", "--quiet", "--bare", "--initial-branch=main", room.course]
            subprocess.run(make, check=True, capture_output=True)
        push = [*inside, "push", "--quiet", "--force", room.course, "HEAD:refs/heads/main"]
        subprocess.run(push, check=True, capture_output=True)
        changed = [*inside, "status", "--porcelain", "--untracked-files=no"]
        if subprocess.run(changed, capture_output=True).stdout.strip():
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
    most = (
        memory * GIGABYTE
        if memory
        else max(_LEAST_MEMORY, 1.5 * psutil.virtual_memory().total / seats)
    )
    return Room(str(folder), sockets, int(most), _PROCESSES, users)


def board(host: str, port: int) -> str:
    """The address that students type."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - asked for by name
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # nothing is sent
                host = probe.getsockname()[0]
            except OSError:
                host = socket.gethostname()
    return f"http://{host}:{port}"


def say(room: Room, options: argparse.Namespace, word: str, students: frozenset[str]) -> None:
    """What the instructor has to know before the class comes."""
    who = f"one of the {len(students)} names of {options.students}" if students else "a name"
    print(
        f"\nOn the board:\n\n  {board(options.host, options.port)}     the word: {word}\n\n"
        f"Each student chooses {who} and a password, and types the word the first time.\n"
        f"A lesson: {board(options.host, options.port)}/hub/user-redirect/lab/workspaces/lesson-04"
    )
    if options.host in (ports.ADDRESS, "localhost", "::1"):
        print("Only this machine can reach it. For a room: make hub HOST=0.0.0.0")
    else:
        print(
            "Whoever reaches that address and knows the word can open an account and run programs\n"
            "on this machine. What is sent, passwords too, is not encrypted (http): for a network\n"
            "that you trust, and not for the internet."
        )
    if room.users:
        print(f"Each student is a user of this machine, of the group {GROUP}.")
    else:
        print(
            "You are not root, so all students' programs run as you, and can read and delete each\n"
            "other's files and yours: only for a class that you trust."
        )
    print(
        f"A student has {room.memory / GIGABYTE:.1f} GB of memory"
        + (f" and {room.processes} processes." if room.users else " in each process.")
        + f"\nWhat they write is in {room.folder}/students, and stays. Stop it with Ctrl-C.",
        flush=True,
    )


def answers(port: int, host: str) -> bool:
    """Whether the hub can be reached through its proxy."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/hub/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def serve(room: Room, options: argparse.Namespace, word: str, students: frozenset[str]) -> None:
    """Run the hub until Ctrl-C; what it says goes to a log."""
    from paired.machine.hub import config, proxy

    entrance = config.Entrance(
        options.host, options.port, word, students, options.seats, options.disk
    )
    try:
        configuration = config.configuration(room, entrance, proxy.command())
    except proxy.ProxyError as problem:
        raise HubError(str(problem)) from None
    from jupyterhub.app import JupyterHub

    log = pathlib.Path(room.folder, "hub", "hub.log")
    print("Starting the hub", flush=True)
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # Ignored in the background of a shell, and then in all that is started here and stopped by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(log.parent)  # where it would look for a configuration, and keep what it needs
    os.environ[VARIABLE] = room.variable

    def when_it_answers() -> None:
        host = ports.ADDRESS if options.host in ("0.0.0.0", "") else options.host  # noqa: S104
        while not answers(options.port, host):
            time.sleep(0.2)
        for kind in (*course.FRAMEWORKS, "server") if sys.platform == "linux" else ():
            while not pathlib.Path(room.sockets, kind).exists():
                time.sleep(0.2)
        say(room, options, word, students)

    threading.Thread(target=when_it_answers, daemon=True).start()
    JupyterHub.instance(config=configuration)
    try:
        JupyterHub.launch_instance([])
    except SystemExit as end:
        if end.code:
            tail = "\n  ".join(log.read_text().splitlines()[-5:])
            print(f"The hub has ended. Its last words, of {log}:\n  {tail}")
        raise


def main(arguments: list[str] | None = None, root: pathlib.Path = course.ROOT) -> int:
    """Start a class, or forget a password; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make hub")
    parser.add_argument("--host", default=ports.ADDRESS)
    parser.add_argument("--port", type=int, default=FIRST_PORT)
    parser.add_argument("--students", help="a file of names, one a line: only they may come in")
    parser.add_argument("--seats", type=int, help=f"how many students; {SEATS} unless given")
    parser.add_argument("--word", help="what a new account has to know")
    parser.add_argument("--memory", type=float, help="gigabytes for a student")
    parser.add_argument("--disk", type=int, default=_DISK, help="gigabytes, where there are quotas")
    parser.add_argument("--forget", help="a student who chooses a new password")
    options = parser.parse_args(arguments)
    sockets = tempfile.mkdtemp(prefix="hub-", dir="/tmp")
    pathlib.Path(sockets).chmod(0o711)
    try:
        needs.check("hub")
        students = names(options.students)
        options.seats = options.seats or len(students) or SEATS
        room = make_room(root / "class", sockets, options.seats, options.memory)
        if options.forget:
            from paired.machine.hub import accounts

            done = accounts.forget(room, options.forget)
            print(f"{options.forget} " + ("chooses a new one." if done else "has no password."))
            return 0
        check_address(options.host, options.port)
        if room.users:
            check_reach()
        os.umask(0o022)  # students read what is published
        said = publish(room, root)
        if said:
            print(said)
        serve(room, options, word_of(pathlib.Path(room.folder, "hub"), options.word), students)
    except (HubError, needs.MissingError) as problem:
        print(problem, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
