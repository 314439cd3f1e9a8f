"""What a student may use, and how a process becomes a student's.

Where control groups of version 2 can be written, each student has one. Otherwise, and besides, a
process inherits limits of its own, and `python -m paired.machine.hub.limits` looks at what all
processes of a student have together: once that is too much, it ends the largest.
"""

import contextlib
import ctypes
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

from paired.machine.hub.room import GIGABYTE, Account, Room

_GROUPS = pathlib.Path("/sys/fs/cgroup")
_LOOK_SECONDS = 1
_LARGEST_FILE = 2 * GIGABYTE
_SHARED_MEMORY = 512 * 2**20
# When memory runs out, the system ends a student's process first, and never what all students need.
_NEEDED_BY_ALL, _FIRST_TO_GO = -900, 500
# Of prctl, unshare and mount.
_DIE_WITH_PARENT, _SET_DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38
_NEW_MOUNTS, _PRIVATE = 0x20000, 1 << 18
_NO_PROGRAMS = 2 | 4 | 8  # MS_NOSUID, MS_NODEV, MS_NOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


def group(student: str) -> pathlib.Path:
    """A student's control group; it need not exist."""
    return _GROUPS / "paired-class" / student


def make_group(room: Room, student: str) -> bool:
    """Make a student's control group; False where this machine has none that can be written."""
    folder = group(student)
    try:
        if not {"memory", "pids"} <= set((_GROUPS / "cgroup.controllers").read_text().split()):
            return False
        folder.mkdir(parents=True, exist_ok=True)
        for above in (_GROUPS, folder.parent):
            (above / "cgroup.subtree_control").write_text("+memory +pids")
            with contextlib.suppress(OSError):
                (above / "cgroup.subtree_control").write_text("+cpu")
        (folder / "memory.max").write_text(str(room.memory))
        with contextlib.suppress(OSError):
            (folder / "memory.swap.max").write_text("0")
        (folder / "pids.max").write_text(str(room.processes))
    except OSError:
        return False
    return True


def needed_by_all() -> None:
    """Let this process be the last that the system ends when memory runs out."""
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/oom_score_adj").write_text(str(_NEEDED_BY_ALL))


def become(account: Account, room: Room) -> None:
    """Make this process, just forked, a student's; nothing of the student's has run in it yet.

    Raises:
        OSError: it cannot become one; the process must then end.
    """
    if room.users:
        with contextlib.suppress(OSError):
            pathlib.Path("/proc/self/oom_score_adj").write_text(str(_FIRST_TO_GO))
        with contextlib.suppress(OSError):
            (group(account.student) / "cgroup.procs").write_text("0")
        # Files in shared memory are nobody's process: let there be few, and these in sight of none.
        if _libc.unshare(_NEW_MOUNTS) == 0:
            _libc.mount(b"none", b"/", None, _PRIVATE | 0x4000, None)  # recursively
            size = f"mode=1777,size={_SHARED_MEMORY}".encode()
            _libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", _NO_PROGRAMS, size)
        resource.setrlimit(resource.RLIMIT_NPROC, (room.processes, room.processes))
    for kind, most in (
        (resource.RLIMIT_DATA, room.memory),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    os.umask(0o077)
    if room.users:
        os.setgroups([account.gid])
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
        if 0 in (*os.getresuid(), *os.getresgid()):
            raise PermissionError("This process did not become the student's.")
        # What changes its user cannot be looked into, not even by itself.
        _libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def end_with(parent: int) -> None:
    """Let this process end when the one that has forked it does, however that ends."""
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def end_all(account: Account) -> None:
    """End every process of a student; the system knows them all, whatever became of their parents.

    A program with the student's rights does it, which can reach no other process.
    """
    program = "import os, signal; os.kill(-1, signal.SIGKILL)"
    command = [sys.executable, "-ISc", program]
    with contextlib.suppress(OSError):
        subprocess.run(command, user=account.uid, group=account.gid, extra_groups=[], cwd="/")


def _held(process) -> tuple[int, int]:
    """The memory of a process: what is its own, and with its part of what is shared.

    Both are 0 for a process that has gone.
    """
    import psutil

    with contextlib.suppress(psutil.Error):
        memory = process.memory_full_info()
        return memory.uss, memory.pss
    return 0, 0


def watch(room: Room) -> None:
    """While the hub runs, end the largest process of a student whose processes have too much.

    Of what kernels share only a part counts, so that a fork which changes nothing costs little.
    """
    import psutil

    needed_by_all()
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
        for processes in _students(room).values():
            # Quickly at first: more than the true sum, since it counts what is shared for each.
            if sum(process.info["memory_info"].rss for process in processes) <= room.memory:
                continue
            held = {process: _held(process) for process in processes}
            if sum(together for _, together in held.values()) > room.memory:
                with contextlib.suppress(psutil.Error):
                    max(held, key=held.get).kill()


def _students(room: Room) -> dict[Account, list]:
    """The processes of each student."""
    import psutil

    found: dict[int, list] = {}
    for process in psutil.process_iter(["uids", "memory_info"]):
        if process.info["uids"] and process.info["memory_info"]:
            found.setdefault(process.info["uids"].real, []).append(process)
    students = {}
    for uid, processes in found.items():
        with contextlib.suppress(KeyError, PermissionError):
            students[room.account_of(uid)] = processes
    return students


if __name__ == "__main__":
    room = Room.here()
    with contextlib.suppress(KeyboardInterrupt):  # by which the hub stops it
        watch(room)
    for account in _students(room):  # what their servers have left
        end_all(account)
