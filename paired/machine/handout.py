"""The course without its solutions, for students: `make handout`, or `HANDOUT=folder`.

Left out are solutions/ and tests/, whose wrong answers tell the right ones, and git's history. What
the checks need of a solution, the code that an exercise begins with, lies in `exercises/.given/`.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from paired import course

_LEFT_OUT = ("solutions/", "tests/", ".git", "exercises/")


def fill(folder: pathlib.Path, root: pathlib.Path = course.ROOT) -> None:
    """Write the handout into a new folder: the files that git knows, as they are now."""
    from paired.grading import submissions

    command = ["git", "-C", str(root), "ls-files", "-z"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if not name.startswith(_LEFT_OUT) and (root / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    given = submissions.given(folder / "exercises", root)
    (given / ".given").unlink()
    shutil.copytree(given, folder / "given")
    (folder / "given").rename(given / ".given")


def main() -> int:
    """Write a folder, or a zip file where the name ends so."""
    target = pathlib.Path(sys.argv[1]).absolute()
    if target.exists():
        print(f"{target} is there already: remove it, or name another.", file=sys.stderr)
        return 1
    if not any((course.ROOT / "solutions").glob("*.ipynb")):
        print("This copy of the course is a handout itself.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "course"
        folder.mkdir()
        try:
            fill(folder)
        except (OSError, subprocess.CalledProcessError) as problem:
            print(f"A handout is made in a clone, with git: {problem}", file=sys.stderr)
            return 1
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".zip":
            shutil.make_archive(str(target.with_suffix("")), "zip", temporary, "course")
        else:
            shutil.move(folder, target)
    print(f"{target}: the course without solutions and tests; `make lab` works in it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
