"""A small course to install: its lock names a package of one line, which lies in a folder.

Real installations take minutes.
"""

import base64
import contextlib
import functools
import hashlib
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import zipfile

from paired import course

import install
import visdom_page

SCRIPTS = course.ROOT / "env"

# What installs the course has it; where pip had to install it, there is none.
UV = shutil.which("uv", path=pathlib.Path(sys.prefix, "bin")) or shutil.which("uv")


def write_wheel(folder: pathlib.Path, name: str, version: str, program: str = "") -> None:
    """A package of one module that says its version, and of a program of its name, if given."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if program:
        files[f"{name}-{version}.data/scripts/{name}"] = program
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16  # or a program could not be run
            wheel.writestr(entry, text)


def small_course(folder: pathlib.Path) -> pathlib.Path:
    """A checkout, at a path that is not plain, whose lock names one small package."""
    root = folder / "a student's café"
    (root / "env" / "jupyter").mkdir(parents=True)
    (root / "paired").mkdir()
    (root / "paired" / "__init__.py").touch()
    for script in SCRIPTS.glob("*.py"):
        shutil.copy(script, root / "env")
    shutil.copy(SCRIPTS / "jupyter" / "overrides.json", root / "env" / "jupyter")
    (root / "env" / "constraints.txt").write_text("tiny<3\n")
    (root / "env" / "cpu.lock").write_text("tiny==1.0\n")
    (root / "env" / "extras").mkdir()
    for name in ("more", "most"):
        (root / "env" / "extras" / f"{name}.lock").write_text(f"{name}==1.0\n")
        write_wheel(root / "wheels", name, "1.0")
    page = root / "env" / "visdom"
    page.mkdir()
    (page / "package.json").write_text("{}")
    (page / "package-lock.json").write_text("{}")
    (page / "files.json").write_text('{"js/drawn.js": "tiny-page/dist/tiny.js"}')
    write_program(root / "bin" / "npm", NPM)
    for version in ("1.0", "2.0", "3.0"):
        write_wheel(root / "wheels", "tiny", version)
    if UV:
        write_wheel(root / "wheels", *install.UV.split("=="), f'#!/bin/sh\nexec "{UV}" "$@"\n')
    return root


# Fetches a package of one file, and says what it was asked to do.
NPM = """\
PATH=/usr/bin:/bin
echo "$0 $*" >>"{calls}"
mkdir -p node_modules/tiny-page/dist
echo "draw()" >node_modules/tiny-page/dist/tiny.js
"""


def write_program(path: pathlib.Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + script.format(calls=path.parent.parent / "npm-calls"))
    path.chmod(0o755)


def start(root: pathlib.Path, *arguments: str, **variables: str) -> subprocess.Popen:
    """Start an installation that finds packages in `wheels/`, and npm in `bin/`, only."""
    variables = {"PATH": f"{root / 'bin'}:/usr/bin:/bin"} | variables
    pip = {k: v for k, v in os.environ.items() if not k.startswith("PIP_") and k != "CI"}
    # pip takes an address where a path would be split at its space.
    pip |= {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": (root / "wheels").as_uri()}
    pip |= {"PIP_NO_INDEX": "1", "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.Popen(
        [sys.executable, root / "env" / "install.py", *arguments],
        env={name: value for name, value in pip.items() if value},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(root: pathlib.Path, *arguments: str, status: int = 0, **variables: str) -> str:
    process = start(root, *arguments, **variables)
    words = process.communicate(timeout=120)[0]
    assert process.returncode == status, words
    assert "Traceback" not in words
    return words


def extras(root: pathlib.Path) -> list[str]:
    """Which of the two extras' packages are there."""
    modules = [root.glob(f".venv/lib/*/site-packages/{name}.py") for name in ("more", "most")]
    return [path.stem for paths in modules for path in paths]


def installed(root: pathlib.Path, expression: str) -> str:
    python = root / ".venv" / "bin" / "python"
    command = [python, "-Ic", f"import tiny, paired, sys; print({expression})"]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    return process.stdout.strip()


@contextlib.contextmanager
def index(folder: pathlib.Path):
    """A package index on loopback that lists the wheels in a folder; yields its address."""

    class Index(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            wheels = folder.glob(f"{self.path.strip('/')}-*.whl")
            page = "".join(f'<a href="/{wheel.name}">{wheel.name}</a>\n' for wheel in wheels)
            if not page:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())
            return None

        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Index, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def page(root: pathlib.Path) -> str | None:
    """What is in the file of the fetched page."""
    file = root / ".venv" / "share" / visdom_page.PAGE / "js" / "drawn.js"
    return file.read_text() if file.exists() else None


def calls(root: pathlib.Path) -> list[str]:
    file = root / "npm-calls"
    return file.read_text().splitlines() if file.exists() else []
