"""Extras: what a few lessons need besides, each with a lock of its own in `extras/`.

Nobody gets one unasked: `make env EXTRAS=NAME` adds it to the environment, and so does `make lab`
of a lesson with cells tagged `needs-NAME`. On CI all are there. Once added, an extra stays: where
the environment is made again, it is added again. The syntax stays readable for Python 3.6.
"""

import hashlib
import os
import shutil

from steps import InstallError

GIGABYTES = 1


def names(root):
    """The names of the extras that there are."""
    return sorted(path.stem for path in (root / "env" / "extras").glob("*.lock"))


def stamp(folder, name):
    """The file that says what an extra in an environment was made from."""
    return folder / f"{name}.extra"


def wanted(root, folder, asked, lesson):
    """The extras that an environment is to have.

    Args:
        root: the checkout.
        folder: the environment; what it has already it keeps.
        asked: names, separated by commas.
        lesson: the number of a lesson, whose needs are met; or nothing.

    Raises:
        InstallError: there is no extra of a name that was asked for.
    """
    known, found = names(root), {name.strip() for name in asked.split(",") if name.strip()}
    for name in sorted(found - set(known)):
        there = ", ".join(known) or "none"
        raise InstallError(f"There is no extra {name!r}. There are: {there}.")
    if os.environ.get("CI") == "true":
        return known
    texts = []
    if lesson:
        notebooks = (root / "notebooks").glob(f"{lesson.zfill(2)[:2]}_*.ipynb")
        texts = [path.read_text(encoding="utf-8") for path in notebooks]
    return [
        name
        for name in known
        if name in found
        or stamp(folder, name).exists()
        or any(f'"needs-{name}"' in text for text in texts)
    ]


def fingerprint(root, name):
    """What an extra's stamp must hold. A new environment has none, so the lock is enough."""
    return hashlib.sha256((root / "env" / "extras" / (name + ".lock")).read_bytes()).hexdigest()


def ready(root, folder, name):
    """Whether an environment has an extra, made from its lock as it is."""
    try:
        return stamp(folder, name).read_text() == fingerprint(root, name)
    except OSError:
        return False


def add(builder, name, check_space):
    """Install an extra into an environment that is there. Where that fails, the rest stays."""
    check_space(shutil.disk_usage(str(builder.root)).free, GIGABYTES)
    print(f"Adding the extra {name} to {builder.folder.name} (once, a minute)")
    builder.lock = builder.root / "env" / "extras" / (name + ".lock")
    if not builder.install_with_uv(afresh=False):
        builder.install_with_pip()
    stamp(builder.folder, name).write_text(fingerprint(builder.root, name))
