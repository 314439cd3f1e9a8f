"""A beginner's mistakes, and what is documented, in each framework: `make measure LESSON=13`.

`mistakes.py` says how a message is judged, `api.py` what is public, an example, and one that runs.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from paired import course
from paired.authors.browser import PictureError
from paired.authors.measure import machine

RECORD = "measured.json"
FOLDER = pathlib.Path(__file__).resolve().parent


def apart(framework: str, *program: str) -> object:
    """What a program of this folder prints, in a process of its own that may leave files."""
    command = [course.python(framework), "-W", "ignore", str(FOLDER / program[0]), *program[1:]]
    with tempfile.TemporaryDirectory() as folder:
        there = os.environ | {"PYTHONPATH": str(course.ROOT)}
        done = subprocess.run(command, cwd=folder, env=there, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise PictureError(f"This has failed: {' '.join(program)}.")
    return json.loads(done.stdout)


def mistakes() -> list[dict]:
    """Twenty rows, the two frameworks of each mistake one after the other."""
    halves = [
        [{"framework": half, **row} for row in apart(half, f"mistakes_{half}.py")]
        for half in course.FRAMEWORKS
    ]
    return [row for both in zip(*halves, strict=True) for row in both]


def measure() -> dict[str, object]:
    """Ten mistakes in each framework, and the public names of three packages."""
    found = {"machine": machine(), "errors": mistakes()}
    for package in ("torch", "tensorflow", "keras"):
        half = "pytorch" if package == "torch" else "tensorflow"
        for name, rows in apart(half, "api.py", package).items():
            found.setdefault(name, []).extend(rows)
        print(package, file=sys.stderr, flush=True)
    return found
