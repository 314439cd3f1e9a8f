"""All packages in a folder: `make bundle`, and without a network `make lab BUNDLE=folder`.

Used on the system's own Python, too; the syntax stays readable for Python 3.6.
"""

import json
import os
import pathlib
import platform
import shutil
import sys

import extras
import pip_settings
import visdom_page
from steps import InstallError

ABOUT, WHEELS = "bundle.json", "wheels"


def about(root, locks):
    """What a bundle is for, and the text of each lock that it serves."""
    python = "Python {}.{}".format(*sys.version_info)
    machine = f"{python} on {platform.system()} {platform.machine()}"
    texts = {name: (root / "env" / name).read_text() for name in locks}
    return {"machine": machine, "locks": texts}


def _extra(name):
    return f"extras/{name}.lock"


def use(folder, root, environments, added):
    """Let pip, and uv with it, find packages in the bundle and nowhere else.

    Raises:
        InstallError: it is none, or made for something else.
    """
    folder = pathlib.Path(folder).absolute()
    wanted = about(root, [*environments.values(), *map(_extra, added)])
    try:
        there = json.loads((folder / ABOUT).read_text())
        machine, locks = there["machine"], there["locks"]
    except (OSError, ValueError, LookupError):
        raise InstallError(f"{folder} is no bundle that `make bundle` has finished.") from None
    if machine != wanted["machine"]:
        raise InstallError("The bundle is for {}; this is {}.".format(machine, wanted["machine"]))
    for name, text in wanted["locks"].items():
        if name not in locks:
            raise InstallError(f"The bundle has no packages of env/{name}.")
        if locks[name] != text:
            raise InstallError(f"The bundle was made from another env/{name}: make it again.")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        del os.environ[name]
    os.environ.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=(folder / WHEELS).as_uri())
    os.environ["PIP_CONFIG_FILE"] = os.devnull


def copy_page(builder):
    """Put the files of Visdom's page into an environment, from the bundle."""
    page = pathlib.Path(builder.bundle) / visdom_page.PAGE
    if page.is_dir():
        target = builder.folder / "share" / visdom_page.PAGE
        shutil.rmtree(str(target), ignore_errors=True)
        shutil.copytree(str(page), str(target))
    else:
        print("The bundle has no files of Visdom's page; everything else is ready.")


def write(folder, asked, torch_index=None):
    """Write a bundle of the environment and these extras, and of those that are added here."""
    from install import ROOT, UV, Builder

    folder, name, lock = pathlib.Path(folder).absolute(), ".venv", "cpu.lock"
    builder = Builder(ROOT, name, lock, torch_index)
    added = extras.wanted(ROOT, builder.folder, asked, "")
    shutil.rmtree(str(folder / WHEELS), ignore_errors=True)
    (folder / WHEELS).mkdir(parents=True)
    (folder / ABOUT).write_text("{}")  # unfinished
    settings = pip_settings.read(builder.words(builder.pip("config", "list")))
    pip_settings.constrain(builder.variables, ROOT, settings)
    builder.find_torch()
    locks = [lock, *map(_extra, added)]
    files = [part for each in locks for part in ("-r", str(ROOT / "env" / each))]
    # `wheel`, since one package is built from its source.
    options = ["wheel", "--no-deps", "--wheel-dir", str(folder / WHEELS), *builder.index]
    builder.step("packages of " + ", ".join(locks), builder.pip(*options, *files, UV))
    page = builder.folder / "share" / visdom_page.PAGE
    if page.is_dir():
        shutil.rmtree(str(folder / visdom_page.PAGE), ignore_errors=True)
        shutil.copytree(str(page), str(folder / visdom_page.PAGE))
    (folder / ABOUT).write_text(json.dumps(about(ROOT, locks), indent=1))
    wheels = list((folder / WHEELS).iterdir())
    size = sum(wheel.stat().st_size for wheel in wheels) / 1e9
    machine = about(ROOT, [])["machine"]
    print(f"{folder}: {len(wheels)} packages, {size:.1f} GB, for {machine}. Beside a copy of the")
    print("course, without a network: make lab BUNDLE=" + str(folder))


if __name__ == "__main__":
    try:
        write(sys.argv[1], sys.argv[2], *sys.argv[3:])
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        sys.exit(1)
