"""Bring a clone of the course up to date without ever losing a student's work: `make update`.

A file that both the student and the course changed is first copied beside itself, as
`NAME.mine-DATE-TIME.ipynb`; then the new one arrives. Everything else that the student changed or
added stays as it is. Nothing is merged, and nothing of git's needs to be known.
"""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import tomllib

from paired import course


class UpdateError(Exception):
    """Why the course cannot be updated, and what to do, in a sentence."""


def git(root: pathlib.Path, *arguments: str) -> bytes:
    """What a git command prints, in English; without the filters that somebody has set up.

    A filter such as nbstripout makes git see changes where there are none, and hides others.
    """
    command = ["git", "-C", root, *_without_filters(root), *arguments]
    environment = os.environ | {"LC_ALL": "C"}
    return subprocess.run(command, check=True, capture_output=True, env=environment).stdout


@functools.cache
def _without_filters(root: pathlib.Path) -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "-C", root, "config", "--name-only", "--get-regexp", r"^filter\..*"],
        capture_output=True,
        text=True,
    )
    names = {line.rpartition(".")[0] for line in listed.stdout.splitlines()}
    off = ("clean=", "smudge=", "process=", "required=false")
    return tuple(part for name in sorted(names) for end in off for part in ("-c", f"{name}.{end}"))


def _words(error: subprocess.CalledProcessError) -> str:
    return error.stderr.decode(errors="replace").strip()


def changed(root: pathlib.Path, *arguments: str) -> set[str]:
    """The files that a `git diff` names."""
    names = git(root, "diff", "--name-only", "--no-renames", "-z", *arguments)
    return {name.decode() for name in names.split(b"\0") if name}


def is_work(root: pathlib.Path, name: str) -> bool:
    """Whether a changed file holds something of the student's: new outputs alone do not count."""
    file = root / name
    if not file.exists():
        return False
    if file.suffix == ".ipynb":
        texts = file.read_bytes(), git(root, "show", f"HEAD:{name}")
        try:
            mine, theirs = (
                [(c["cell_type"], c["source"]) for c in json.loads(t)["cells"]] for t in texts
            )
        except (ValueError, KeyError, TypeError):  # no notebook any more: certainly changed
            return True
        return mine != theirs
    return True


def keep(file: pathlib.Path) -> pathlib.Path:
    """Copy a file beside itself under a name that is not taken; returns the copy."""
    name = f"{file.stem}.mine-{time.strftime('%Y%m%d-%H%M')}"
    copy = file.with_name(name + file.suffix)
    number = 2
    while copy.exists():
        copy = file.with_name(f"{name}-{number}{file.suffix}")
        number += 1
    return shutil.copy2(file, copy)


def _require_clone(root: pathlib.Path) -> None:
    """Raise UpdateError unless this is a clone that git can work on now."""
    try:
        inside = git(root, "rev-parse", "--show-prefix").strip() == b""
    except FileNotFoundError:
        raise UpdateError("git is not installed here. Install it, then try again.") from None
    except subprocess.CalledProcessError as error:
        if "safe.directory" in _words(error):  # another user's folder: git says what to do
            raise UpdateError(f"git refuses to work here. It says: {_words(error)}") from None
        inside = False
    if not inside:
        raise UpdateError(
            "This folder is no clone made with git (a downloaded archive, perhaps), so it cannot "
            "be updated. Clone the course into a new folder and copy your notebooks there."
        )
    lock = root / git(root, "rev-parse", "--git-path", "index.lock").decode().strip()
    if lock.exists():
        raise UpdateError(
            "Another git program is at work here, or one was killed. If none is, remove "
            f"{lock.relative_to(root) if lock.is_relative_to(root) else lock}, then try again. "
            "Nothing was changed."
        )
    if unmerged := sorted(changed(root, "--diff-filter=U")):
        raise UpdateError(
            f"A merge was left half done in {', '.join(unmerged)}: both versions stand in it, "
            "between <<<<<<< and >>>>>>>. Make it what you want, then: "
            f"git add {' '.join(unmerged)}. Then run make update again. Nothing was changed."
        )


def update(root: pathlib.Path) -> list[str]:
    """Update the clone; returns what there is to say about it.

    Raises:
        UpdateError: it cannot be updated; nothing was changed.
    """
    _require_clone(root)
    try:
        name = git(root, "rev-parse", "--abbrev-ref", "@{upstream}").decode().strip()
    except subprocess.CalledProcessError:
        raise UpdateError(
            "This branch follows no other, so there is nothing to update from. "
            "Go back to the course's own: git switch main."
        ) from None
    try:
        git(root, "fetch")
    except subprocess.CalledProcessError as error:
        raise UpdateError(
            "The course cannot be fetched: is there a network? Nothing was changed. "
            f"git says: {_words(error).splitlines()[-1]}"
        ) from None
    ahead, behind = map(
        int, git(root, "rev-list", "--left-right", "--count", "HEAD...@{u}").split()
    )
    if not behind:
        remote = git(root, "ls-remote", "--get-url").decode().strip()
        return [f"You have what {name} has, at {remote}."]
    if ahead:
        raise UpdateError(
            f"You have committed {ahead} change(s) of your own, so git has to merge them: "
            "git pull --rebase. Nothing was changed."
        )
    theirs, before = changed(root, "HEAD", "@{u}"), _version(root, "HEAD")
    added = changed(root, "--diff-filter=A", "HEAD", "@{u}")
    if in_the_way := sorted(name for name in added if (root / name).exists()):
        raise UpdateError(
            f"The new version brings {', '.join(in_the_way)}, and you have a file of that name. "
            "Rename yours, then run make update again. Nothing was changed."
        )
    both = sorted(changed(root, "HEAD") & theirs)
    kept = {name: keep(root / name) for name in both if is_work(root, name)}
    mine = {root / name: (root / name).read_bytes() for name in both if (root / name).exists()}
    try:
        if both:
            git(root, "checkout", "HEAD", "--", *both)
        git(root, "merge", "--ff-only", "@{u}")
    except subprocess.CalledProcessError as error:
        for file, content in mine.items():
            file.write_bytes(content)
        for copy in kept.values():
            copy.unlink()
        raise UpdateError(
            f"git could not update, and nothing was changed. It says: {_words(error)}"
        ) from None
    copies = [
        f"Your {copy.relative_to(root)} is what you had; "
        + (
            "the new one is beside it."
            if (root / name).exists()
            else f"{name} is gone, or has a new name."
        )
        for name, copy in kept.items()
    ]
    lines = [f"The course is up to date: {len(theirs)} file(s) changed."]
    if before != (after := _version(root, "HEAD")):
        lines.append(f"You had version {before}, this is {after}: CHANGELOG.md says what is new.")
    return [*lines, *copies]


def _version(root: pathlib.Path, commit: str) -> str:
    """The version of the course at a commit; empty where it has none."""
    try:
        text = git(root, "show", f"{commit}:pyproject.toml").decode()
        return tomllib.loads(text)["project"]["version"]
    except (subprocess.CalledProcessError, ValueError, KeyError):
        return ""


def main(root: pathlib.Path = course.ROOT) -> int:
    """Update the checkout; returns the exit status."""
    try:
        print(*update(root), sep="\n")
    except UpdateError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"git could not update: {_words(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
