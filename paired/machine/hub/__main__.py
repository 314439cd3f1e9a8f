"""Start a class: `make hub`, or `make hub HOST=0.0.0.0` for other machines than this one."""

import argparse
import http.client
import os
import pathlib
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time

from paired import course, needs, ports
from paired.machine.hub import place
from paired.machine.hub.place import HubError
from paired.machine.hub.room import GIGABYTE, GROUP, VARIABLE, Room

SEATS = 20
_WARM_SECONDS = 100  # for the imports, on a busy machine


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

    entrance = config.Entrance(options.host, options.port, word, students, options.seats)
    try:
        configuration = config.configuration(room, entrance, proxy.command(options.port))
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
        until = time.monotonic() + _WARM_SECONDS
        host = ports.ADDRESS if options.host in ("0.0.0.0", "") else options.host  # noqa: S104
        while not answers(options.port, host):
            time.sleep(0.2)
        for kind in (*course.FRAMEWORKS, "server") if sys.platform == "linux" else ():
            while not pathlib.Path(room.sockets, kind).exists():
                if time.monotonic() > until:
                    print(f"What forks {kind} is not ready, so it starts slowly; see {log}")
                    break
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
    parser.add_argument("--port", type=int, default=place.FIRST_PORT)
    parser.add_argument("--students", help="a file of names, one a line: only they may come in")
    parser.add_argument("--seats", type=int, help=f"how many students; {SEATS} unless given")
    parser.add_argument("--word", help="what a new account has to know")
    parser.add_argument("--memory", type=float, help="gigabytes for a student")
    parser.add_argument("--forget", help="a student who chooses a new password")
    options = parser.parse_args(arguments)
    sockets = tempfile.mkdtemp(prefix="hub-", dir="/tmp")
    pathlib.Path(sockets).chmod(0o711)
    try:
        needs.check("hub")
        students = place.names(options.students)
        options.seats = options.seats or len(students) or SEATS
        room = place.make_room(root / "class", sockets, options.seats, options.memory)
        if options.forget:
            from paired.machine.hub import accounts

            done = accounts.forget(room, options.forget)
            print(f"{options.forget} " + ("chooses a new one." if done else "has no password."))
            return 0
        place.check_address(options.host, options.port)
        if room.users:
            place.check_reach()
        os.umask(0o022)  # students read what is published
        said = place.publish(room, root)
        if said:
            print(said)
        serve(
            room, options, place.word_of(pathlib.Path(room.folder, "hub"), options.word), students
        )
    except (HubError, needs.MissingError) as problem:
        print(problem, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
