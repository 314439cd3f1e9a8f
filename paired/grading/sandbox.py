"""What the process of one submission may see and use.

bubblewrap makes the sandbox, around a program that waits; a process that was forked from a warm one
then enters it. Where bubblewrap does not work, the limits are all there is, and `trouble` says so.
"""

import contextlib
import ctypes
import functools
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import subprocess
import sys

from paired import course

import psutil

MEMORY, FILES = 4 * 2**30, 256 * 2**20  # bytes
PROCESSES = 64
_THREADS = 64 + 32 * (os.cpu_count() or 1)  # with processes, as the kernel counts them
_IS_ROOT = os.geteuid() == 0  # to whom the kernel's limits do not apply: answers get another user
_FIRST_USER = 1 << 30  # above all that there are; each sandbox has its own
_SPACES = {"ipc": "ipc", "net": "net", "uts": "uts", "pid": "pid", "mnt": None}
if not _IS_ROOT:
    _SPACES = {"user": "user", **_SPACES}  # the first lets into the others
_UNSHARED = [f"--unshare-{name}" for name in _SPACES.values() if name]
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/fonts",
           "/etc/ld.so.cache", "/etc/localtime", "/etc/passwd", "/etc/mime.types")  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_TEMPORARY = "/tmp"  # noqa: S108 - the sandbox's own
HOME = f"{_TEMPORARY}/home"


@functools.cache
def trouble() -> str:
    """Why no sandbox works here; empty where one does."""
    if sys.platform != "linux" or not shutil.which("bwrap"):
        return "bubblewrap is not here (Debian: sudo apt install bubblewrap)"
    if tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (5, 14):
        return "only from Linux 5.14 on can the processes of a sandbox be counted"
    if _IS_ROOT and not pathlib.Path(course.__file__).stat().st_mode & 4:
        return "the user root lends answers no rights, and others may not read this course"
    command = ["bwrap", *_UNSHARED, "--ro-bind", "/", "/", "true"]
    done = subprocess.run(command, capture_output=True, text=True)
    return f"bubblewrap does not work: {done.stderr.strip()[:200]}" if done.returncode else ""


class Sandbox:
    """A folder tree without solutions, tests and other submissions, no network, few processes."""

    def __init__(self, exercises: pathlib.Path, hidden: list[pathlib.Path]) -> None:
        """Make it.

        Args:
            exercises: what lies in exercises/, as the course gives it.
            hidden: files of `paired/` that are not there.
        """
        self._bwrap, self.entrance = None, 0
        if trouble():
            return
        root, venv = course.ROOT, pathlib.Path(sys.prefix)
        reads = [*_SYSTEM, sys.base_prefix, venv, *(root / n for n in ("paired", "notebooks"))]
        reads += [root / "env" / "extras", root / "pyproject.toml"]
        options = [*_UNSHARED, "--die-with-parent", "--new-session", "--proc", "/proc"]
        for folder in (_TEMPORARY, "/dev/shm"):  # noqa: S108
            options += ["--size", str(FILES), "--perms", "1777", "--tmpfs", folder]
        for parent in sorted({each for path in reads for each in pathlib.Path(path).parents}):
            options += ["--perms", "0755", "--dir", str(parent)]
        for path in reads:
            options += ["--ro-bind-try", str(path), str(path)]
        for path in _DEVICES:
            options += ["--dev-bind-try", path, path]
        for path in hidden:
            options += ["--ro-bind", "/dev/null", str(path)]
        options += ["--ro-bind", str(exercises), str(root / "exercises")]
        options += ["--perms", "0777", "--dir", HOME]
        ask, answer = os.pipe()
        command = ["bwrap", *options, "--info-fd", str(answer), "--chdir", _TEMPORARY]
        self._bwrap = subprocess.Popen(
            [*command, "sh", "-c", "echo ready; exec sleep 100000"],
            pass_fds=[answer],
            stdout=subprocess.PIPE,
        )
        os.close(answer)
        with open(ask) as information:
            self.entrance = json.load(information)["child-pid"]
        if self._bwrap.stdout.readline() != b"ready\n":
            raise OSError("bubblewrap has ended.")

    def excess(self, pid: int) -> str:
        """Which of the limits the processes below `pid`, and those they left behind, exceed."""
        there = {}
        for parent in filter(None, (pid, self._bwrap and self._bwrap.pid)):
            with contextlib.suppress(psutil.Error):
                there |= {each.pid: each for each in psutil.Process(parent).children(True)}
        if len(there) > PROCESSES:
            return f"starts more than {PROCESSES} processes"
        memory = 0
        for process in there.values():
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
        return f"takes more than {MEMORY >> 30} GB of memory" if memory > MEMORY else ""

    def end(self, pid: int) -> None:
        """End all that runs in it."""
        with contextlib.suppress(psutil.Error):
            for process in [*psutil.Process(pid).children(True), psutil.Process(pid)]:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        if self._bwrap:
            self._bwrap.kill()
            self._bwrap.stdout.close()
            self._bwrap.wait()


def enter(entrance: int) -> None:
    """In a process of one thread: go into the sandbox, and give up every right but to compute.

    What it forks next, and not the process itself, is shut off from the other processes.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def must(code: int) -> None:
        if code:
            raise OSError(ctypes.get_errno(), "The sandbox cannot be entered.")

    if entrance:
        folders = [os.open(f"/proc/{entrance}/ns/{name}", os.O_RDONLY) for name in _SPACES]
        for folder in folders:
            must(libc.setns(folder, 0))
            os.close(folder)
        os.chdir(_TEMPORARY)
        must(libc.prctl(47, 4, 0, 0, 0))  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
        if _IS_ROOT:
            os.setgroups([])
            os.setresgid(*[_FIRST_USER + entrance] * 3)
            os.setresuid(*[_FIRST_USER + entrance] * 3)
        header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        must(libc.capset(header, nothing))
        resource.setrlimit(resource.RLIMIT_NPROC, (_THREADS, _THREADS))
    if sys.platform == "linux":
        must(libc.prctl(38, 1, 0, 0, 0))  # PR_SET_NO_NEW_PRIVS
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILES, FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
