"""Resolve env/requirements.in and env/extras/ into locks: `make lock`, or `make lock UPGRADE=1`.

Without UPGRADE the versions already locked stay, so adding a package changes a line or two; with it
everything moves to the newest versions that fit together.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import venv

from install import UV

ENV = pathlib.Path(__file__).resolve().parent
FLOOR = "3.11"
HEADER = """\
# {title}
# Made by `make lock` from {source} for Python {floor} and newer. Do not edit.
"""
GPU_NOTE = "resolved, not run: made on a machine without a GPU"
# torch lists these for Linux; its CPU build needs none of them.
CUDA_PACKAGE = re.compile(r"(nvidia-|cuda-|triton\b)")


def resolve(
    uv: str, requirements: str, lock: pathlib.Path, upgrade: bool, *constraints: pathlib.Path
) -> list[str]:
    """The lines of a lock for `requirements`, on every system and every Python from `FLOOR` up."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = pathlib.Path(folder, "requirements.in")
        wanted.write_text(requirements)
        pins = pathlib.Path(folder, "lock")
        if lock.exists() and not upgrade:
            pins.write_text(lock.read_text())
        command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", FLOOR]
        for file in (ENV / "constraints.txt", *constraints):
            command += ["--constraint", file]
        command += ["--build-constraint", ENV / "constraints.txt"]
        command += ["--no-header", "--no-annotate", "--no-python-downloads"]
        # The certificates that the system trusts, as pip and a browser use them.
        environment = {**os.environ, "UV_SYSTEM_CERTS": "1"}
        subprocess.run([*command, "--output-file", pins, wanted], check=True, env=environment)
        return pins.read_text().splitlines()


def write(
    lock: pathlib.Path, title: str, lines: list[str], source: str = "requirements.in"
) -> None:
    """Write a lock: versions only, so that pip may take a build such as 2.13.0+cpu."""
    lock.write_text(
        HEADER.format(title=title, floor=FLOOR, source=source) + "\n".join(lines) + "\n"
    )
    print(f"{lock.relative_to(ENV.parent)}: {len(lines)} lines")


def lock_page() -> None:
    """Write visdom/package-lock.json, if package.json has changed.

    It holds the listed packages and not what these depend on: the page takes single files from
    them, which a browser runs, and none of their code is run here. Addresses are left out: npm
    asks the registry that it is set to, and compares what comes with the hash in the lock.
    """
    listed = json.loads((ENV / "visdom" / "package.json").read_text())
    lock = ENV / "visdom" / "package-lock.json"
    if json.loads(lock.read_text())["packages"][""]["dependencies"] == listed["dependencies"]:
        return
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ENV / "visdom" / "package.json", folder)
        command = ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved"]
        # Two of them are older than the React that Visdom's page has.
        command += ["--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True)
        content = json.loads(pathlib.Path(folder, lock.name).read_text())
    packages = content["packages"]
    kept = {"": packages[""]}
    for name in listed["dependencies"]:
        entry = packages[f"node_modules/{name}"]
        kept[f"node_modules/{name}"] = {k: entry[k] for k in ("version", "integrity", "license")}
    content["packages"] = kept
    lock.write_text(json.dumps(content, indent=2) + "\n")
    print(f"{lock.relative_to(ENV.parent)}: {len(kept) - 1} packages")


def main() -> None:
    """Write cpu.lock, the extras' locks, the GPU's two, and the lock of Visdom's page."""
    upgrade = "--upgrade" in sys.argv[1:]
    listed = (ENV / "requirements.in").read_text()
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        scripts = pathlib.Path(folder, "bin")
        subprocess.run([scripts / "python", "-m", "pip", "install", "--quiet", UV], check=True)

        lock = ENV / "cpu.lock"
        lines = resolve(str(scripts / "uv"), listed, lock, upgrade)
        lines = [line for line in lines if not CUDA_PACKAGE.match(line)]
        write(lock, "CPU: both frameworks, and everything else", lines)

        for extra in sorted((ENV / "extras").glob("*.in")):
            lock = extra.with_suffix(".lock")
            found = resolve(str(scripts / "uv"), extra.read_text(), lock, upgrade, ENV / "cpu.lock")
            # What every environment has is in its own lock.
            base = {line.split("==")[0] for line in lines}
            more = [line for line in found if line.split("==")[0] not in base]
            more = [line for line in more if not CUDA_PACKAGE.match(line)]
            write(lock, f"The extra {extra.stem}, beside cpu.lock", more, extra.name)

        lock = ENV / "gpu-pytorch.lock"
        lines = resolve(str(scripts / "uv"), listed, lock, upgrade)
        write(lock, f"GPU, PyTorch and the tools ({GPU_NOTE})", lines)

        lock = ENV / "gpu-tensorflow.lock"
        listed = re.sub(r"(?m)^torch==.*\n", "", listed)
        listed = re.sub(r"(?m)^tensorflow$", "tensorflow[and-cuda]", listed)
        lines = resolve(str(scripts / "uv"), listed, lock, upgrade)
        write(lock, f"GPU, TensorFlow ({GPU_NOTE})", lines)
    lock_page()


if __name__ == "__main__":
    main()
