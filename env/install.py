"""Make the course's environment inside the checkout: `.venv`, from the lock beside this file.

Every target of the Makefile runs this first, on the system's own Python and its standard library;
where the environment is there already it ends within a tenth of a second. An environment without
a valid stamp (never finished, killed, made for other versions or at another place) is made again
from nothing. The syntax stays readable for Python 3.6, so that an old Python hears a sentence.

uv does it, in less than half of the time that pip takes; where uv cannot, pip does.
"""

import argparse
import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile

import bundle
import extras
import pip_settings
import visdom_page
from machine import bundled_pip, check_python, has_nvidia_driver
from steps import InstallError, Steps, explain

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENVIRONMENTS = {
    "cpu": {".venv": "cpu.lock"},
    # The CUDA packages of the two frameworks overwrite each other's files; see README.md here.
    "gpu": {
        ".venv-gpu-pytorch": "gpu-pytorch.lock",
        ".venv-gpu-tensorflow": "gpu-tensorflow.lock",
    },
}
GIGABYTES = {"cpu.lock": 5, "gpu-pytorch.lock": 10, "gpu-tensorflow.lock": 9}
CUDA_GIGABYTES = 10  # with the CUDA build of torch in the CPU environment
STAMP = "course.stamp"
CHECK = "check that the versions fit together"
UV = "uv==0.13.8"
# Where torch's CPU build for Linux is, which pip's usual index has not.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
ASK_SECONDS = 10  # that index may take for its answer


def check_space(free_bytes, gigabytes):
    """Raise InstallError if the disk has less room than the environment takes."""
    if free_bytes < gigabytes * 1e9:
        raise InstallError(
            f"The disk has {free_bytes / 1e9:.1f} GB free here and the installation needs about "
            f"{gigabytes} GB. Make room, then run the same command again."
        )


def fingerprint(lock, root=ROOT):
    """What an environment's stamp must hold: all that it was made from."""
    made_from = hashlib.sha256()
    for name in (lock, "constraints.txt", "install.py"):
        made_from.update((root / "env" / name).read_bytes())
    # Environments hold absolute paths: one that was moved or copied is made again.
    made_from.update(repr((sys.version_info[:2], str(root))).encode())
    return made_from.hexdigest()


def ready(folder, wanted):
    """Whether the environment is finished and made from what is wanted."""
    try:
        return (folder / STAMP).read_text() == wanted and (folder / "bin" / "python").exists()
    except OSError:
        return False


@contextlib.contextmanager
def only_one(root):
    """Hold the checkout's installation lock; yields its file descriptor.

    Each step inherits the descriptor: if this process is killed and a step lives on, the next one
    waits for it instead of working on the same files.
    """
    import fcntl  # not on Windows, which has been refused by now

    (root / ".cache").mkdir(exist_ok=True)
    with open(root / ".cache" / "install.lock", "w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another installation is running in this folder; waiting for it.", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield held.fileno()


class Builder(Steps):
    """Makes one environment, step by step, and says so."""

    def __init__(self, root, name, lock, torch_index=None, lock_descriptor=None):
        descriptors = () if lock_descriptor is None else (lock_descriptor,)
        super().__init__(root, root / name, descriptors)
        self.lock = root / "env" / lock
        self.index = ["--extra-index-url", torch_index] if torch_index else []
        self.bundle = None  # a folder that everything comes from
        self.searched = False  # for torch's CPU build
        self.variables = pip_settings.environment(root)

    def build(self):
        """Make the environment from nothing; its stamp is the last thing written."""
        start = time.monotonic()
        needed, cache = GIGABYTES[self.lock.name], self.root / ".cache" / "uv"
        # What uv has unpacked is linked into the environment, so that a file which somebody changes
        # in one is changed in both. To remove an environment repairs it, therefore.
        if not self.folder.exists() or shutil.disk_usage(str(self.root)).free < needed * 1e9:
            shutil.rmtree(str(cache), ignore_errors=True)
        check_space(shutil.disk_usage(str(self.root)).free, needed)
        name = self.folder.name
        print(
            f"Making the environment {name} with Python {platform.python_version()} (once, minutes)"
        )
        wanted = fingerprint(self.lock.name, self.root)
        if self.folder.is_symlink():  # to what may be used elsewhere: that is left alone
            self.folder.unlink()
        elif self.folder.exists():
            self.say(f"an unfinished or outdated {name} is there: starting from nothing")
            # Unstamped first: killed while deleting, it must not look finished.
            with contextlib.suppress(FileNotFoundError):
                (self.folder / STAMP).unlink()
            shutil.rmtree(str(self.folder))
        self.folder.mkdir()
        self.make_python()
        if not self.install_with_uv():
            self.install_with_pip()
        (self.site_packages() / "paired.pth").write_text(str(self.root) + "\n")
        if self.lock.name == "gpu-pytorch.lock":
            self.write_gpu_kernel()
        (self.folder / STAMP).write_text(wanted)
        print(f"{name} is ready, after {time.monotonic() - start:.0f} s.", flush=True)

    def make_python(self):
        """The environment with nothing but pip."""
        for name in ("bin", "lib"):
            shutil.rmtree(str(self.folder / name), ignore_errors=True)
        # Started with the old environment's own Python, the one that it was made with goes on.
        command = [getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(self.folder)]
        pip = bundled_pip()
        self.step("Python environment", [*command, "--without-pip"] if pip else command)
        if pip:  # what `venv` takes four seconds for, in no time
            zipfile.ZipFile(pip).extractall(str(self.site_packages()))
            program = self.folder / "bin" / "pip"
            program.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
            program.chmod(0o755)

    def site_packages(self):
        """Where packages lie."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def install_with_uv(self, afresh=True):
        """Install the lock; returns False where uv is not to be had or fails.

        Args:
            afresh: whether the environment is made again where uv fails, since it holds no more.

        Raises:
            InstallError: there is a trouble that pip would meet too.
        """
        settings = pip_settings.read(self.words(self.pip("config", "list")))
        usual = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
        settings.setdefault("index-url", self.words([self.python, "-c", usual]).strip())
        pip_settings.constrain(self.variables, self.root, settings)
        alone = sorted(pip_settings.PIP_ALONE & set(settings))
        if alone:
            self.say(
                f"pip is set to {', '.join(alone)}, which uv is not: so pip does it, and slowly"
            )
            return False
        options = ["install", "--no-compile", "--no-deps", "--only-binary", "uv"]
        try:
            self.step("uv, which installs the packages", self.pip(*options, UV))
        except InstallError as error:
            if error.cause in ("disk", "certificate", "network"):
                raise
            self.say("  uv is not to be had here; so pip does it, which takes a minute longer")
            return False
        self.find_torch()
        variables = dict(self.variables)
        options = pip_settings.tell_uv(settings, self.root, variables)
        options += ["--compile-bytecode", *self.index, "-r", str(self.lock)]
        uv, here = [str(self.folder / "bin" / "uv"), "pip"], ["--python", self.python]
        try:
            self.step(self.packages("uv"), [*uv, "install", *here, *options], variables=variables)
            self.step(CHECK, [*uv, "check", *here])
        except (InstallError, OSError) as error:  # OSError: this machine cannot run it
            if getattr(error, "cause", None) == "disk":
                raise
            self.say("  uv fails; so pip tries, which takes a minute longer")
            if afresh:
                self.make_python()
            return False
        return True

    def install_with_pip(self):
        """Install the lock."""
        self.find_torch()
        # pip compiles one file after the other; the step after it does so on every core.
        install = ["install", "--no-compile", *self.index, "-r", str(self.lock)]
        self.step(self.packages("pip"), self.pip(*install))
        # Status 1: some packages carry files in the syntax of other Pythons, as templates.
        compile_all = [self.python, "-m", "compileall", "-q", "-j", "0", "-x", "/pip/"]
        self.step("bytecode", [*compile_all, str(self.folder / "lib")], codes=(0, 1))
        self.step(CHECK, self.pip("check"))

    def packages(self, program):
        """What the longest step says of itself."""
        log = self.log.relative_to(self.root)
        lock = self.lock.relative_to(self.root)
        return f"packages of {lock} ({program}'s own words: {log})"

    def find_torch(self):
        """On Linux, find torch's CPU build; say so where the CUDA build has to be taken."""
        version = re.search(r"(?m)^torch==([\d.]+)", self.lock.read_text())
        if self.lock.name != "cpu.lock" or sys.platform != "linux" or not version or self.searched:
            return
        if self.bundle:
            return
        self.searched = True
        wanted = version.group(1)
        offered = self.torch_builds("--retries", "1", *self.index)
        if f"{wanted}+cpu" in offered or wanted not in offered:
            return
        if self.index:
            why = "TORCH_INDEX offers no CPU build of torch for this Python"
        elif has_nvidia_driver():
            why = f"this machine has an NVIDIA driver (TORCH_INDEX={CPU_INDEX} takes the CPU build)"
        else:
            self.say(f"no NVIDIA driver: looking for torch's CPU build ({ASK_SECONDS} s at most)")
            options = ["--retries", "0", "--timeout", str(ASK_SECONDS), "--index-url", CPU_INDEX]
            if f"{wanted}+cpu" in self.torch_builds(*options, limit=ASK_SECONDS):
                self.index = ["--extra-index-url", CPU_INDEX]
                self.say("  it has one, which saves about 3 GB")
                return
            why = "PyTorch's index of CPU builds does not answer, or has none for this Python"
        self.say(
            f"torch's CUDA build is taken, because {why}. It works without a GPU too, and brings "
            "about 3 GB more. To avoid that, stop here (Ctrl-C) and name an index which has the "
            "CPU build, with TORCH_INDEX=ADDRESS; env/README.md says more."
        )
        check_space(shutil.disk_usage(str(self.root)).free, CUDA_GIGABYTES)

    def torch_builds(self, *options, limit=None):
        """The versions of torch that pip finds for this Python; none if it takes too long."""
        words = self.words(self.pip("index", "versions", "torch", *options), limit)
        return re.findall(r"\d[\w.+]*", words)

    def words(self, command, limit=None):
        """What a command prints; nothing if it takes longer than `limit` seconds."""
        try:
            return subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.variables,
                cwd=str(self.root),
                pass_fds=self.descriptors,
                encoding="utf-8",
                timeout=limit,
            ).stdout
        except subprocess.TimeoutExpired:
            return ""

    def write_gpu_kernel(self):
        """Let JupyterLab's one kernel run each half of a pair in its framework's environment."""
        launcher = str(self.root / "env" / "jupyter" / "gpu_kernel.py")
        kernel = {
            "argv": [self.python, launcher, "-f", "{connection_file}"],
            "display_name": "Python 3 (GPU)",
            "language": "python",
            "metadata": {"debugger": True},
        }
        folder = self.folder / "share" / "jupyter" / "kernels" / "python3"
        (folder / "kernel.json").write_text(json.dumps(kernel, indent=1))


def main(arguments=None, root=ROOT):
    """Make whatever is missing; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make the course's environment.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--torch-index", help="where to find torch's CPU build")
    parser.add_argument("--extras", default="", help="names of env/extras/, separated by commas")
    parser.add_argument("--lesson", default="", help="a lesson, whose extras are added")
    parser.add_argument("--bundle", help="a folder made by `make bundle`, instead of a network")
    options = parser.parse_args(arguments)
    try:
        if options.device not in ENVIRONMENTS:
            raise InstallError(f"DEVICE is {options.device!r}; it can be cpu or gpu.")
        environments = ENVIRONMENTS[options.device]
        added = extras.wanted(root, root / ".venv", options.extras, options.lesson)
        if ".venv" not in environments:
            if options.extras:
                raise InstallError("Extras were tried on the CPU only: leave DEVICE=gpu out.")
            added = []
        missing = [
            name
            for name, lock in environments.items()
            if not ready(root / name, fingerprint(lock, root))
            or not visdom_page.ready(root / name, root)
            or not all(extras.ready(root, root / name, extra) for extra in added)
        ]
        if not missing:
            return 0
        modules = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
        bits = 64 if sys.maxsize > 2**32 else 32
        check_python(sys.version_info, bits, os.name, modules)
        if options.bundle:
            bundle.use(options.bundle, root, environments, added)
        with only_one(root) as descriptor:
            for name, lock in environments.items():
                builder = Builder(root, name, lock, options.torch_index, descriptor)
                builder.bundle = options.bundle
                # The installation that was waited for may have made it.
                if not ready(builder.folder, fingerprint(lock, root)):
                    builder.build()
                if not visdom_page.ready(builder.folder, root):
                    (bundle.copy_page if options.bundle else visdom_page.fetch)(builder)
                for extra in added:
                    if not extras.ready(root, builder.folder, extra):
                        extras.add(builder, extra, check_space)
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next `make` starts the installation again.", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            print(f"\n{explain('No space left on device')}", file=sys.stderr)
        elif error.errno in (errno.EACCES, errno.EROFS):
            print(
                f"\nThe folder of the course cannot be written to ({error}). Copy the course to a "
                "folder of your own and run the same command there.",
                file=sys.stderr,
            )
        else:
            raise
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
