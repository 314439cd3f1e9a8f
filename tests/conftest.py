"""What tests share: kernels, JupyterLab as `make lab` starts it, and a page of Chromium.

Every request of the page that would leave this machine is refused, and fails the test.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.parse

from paired import course
from paired.authors import browser as browsers
from paired.authors import validation

import nbformat
import pytest

# `make lab` on another folder than the checkout.
LAB = """
import pathlib, sys
from paired.machine import lab
sys.exit(lab.main(sys.argv[2:], pathlib.Path(sys.argv[1])))
"""


def pytest_configure() -> None:
    """Give the programs that tests start the same conditions wherever the tests run.

    None is told to write in colour, since tests read it. Each can be interrupted: the background of
    a shell, or nohup, has SIGINT ignored, and what is ignored stays so in programs it starts.
    """
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "PYTHON_COLORS"):
        os.environ.pop(name, None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def started(command: list, **options):
    """A program in the course's folder; what a test that fails leaves running is killed."""
    with subprocess.Popen(command, cwd=course.ROOT, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


@dataclasses.dataclass
class Lab:
    """A running JupyterLab."""

    process: subprocess.Popen
    url: str
    words: str

    @property
    def port(self) -> int:
        return urllib.parse.urlsplit(self.url).port

    def stop(self) -> str:
        """Press Ctrl-C, as it were; returns what else was printed."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=30)[0]

    def end(self) -> None:
        """Stop it if it runs; killed, it would leave a kernel behind that waits in a debugger."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.process.poll() is None:
                self.stop()
        self.process.kill()


def write_notebook(path: pathlib.Path, *sources: str) -> None:
    """A notebook of a heading, the file's name, and these code cells."""
    cells = [nbformat.v4.new_markdown_cell(f"# {path.parent.name} {path.stem}")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def commit_all(folder: pathlib.Path) -> None:
    """Commit all that is in a folder, made a repository if it is none."""
    identity = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "A version"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)


@contextlib.contextmanager
def kernel(address: pathlib.Path | None = None, cwd: pathlib.Path = course.ROOT):
    """A kernel: forked from the process that listens at the address, or started as usual."""
    running = validation.Kernel(address, str(cwd), 60)
    try:
        yield running
    finally:
        running.stop()


def said(running: validation.Kernel, code: str) -> str:
    """What a cell prints."""
    parts = []
    running.kc.execute_interactive(
        code, output_hook=lambda message: parts.append(message["content"].get("text", "")),
        timeout=60,
    )  # fmt: skip
    return "".join(parts).strip()


@contextlib.contextmanager
def labs():
    """What starts JupyterLab on a folder as `make lab` does; stopped at the end of the block."""
    with contextlib.ExitStack() as stack:

        def start(root: pathlib.Path, *arguments: str, **variables: str) -> Lab:
            command = [sys.executable, "-c", LAB, root, *arguments]
            hidden = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
            environment = {k: v for k, v in os.environ.items() if k not in hidden} | variables
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
            )
            stack.enter_context(process)
            lab = Lab(process, "", "")
            stack.callback(lab.end)
            while line := process.stdout.readline():
                lab.words += line
                if address := re.search(r"http://\S+", line):
                    lab.url = address[0]
                    return lab
            pytest.fail(f"JupyterLab did not start:\n{lab.words}")

        yield start


@pytest.fixture
def start_lab():
    with labs() as start:
        yield start


@pytest.fixture(scope="session")
def browser():
    """Chromium, without a window."""
    if browsers.browser_path() is None:
        pytest.skip(
            "NO BROWSER: the tests that drive JupyterLab in Chromium prove nothing now. Install "
            "Chromium or Chrome (Debian: sudo apt install chromium), then run make test again."
        )
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def page(browser):
    """A fresh page of 1600 x 900; `page.outside` lists the requests that were refused."""
    with browsers.offline_page(browser) as page:
        yield page
    assert page.outside == [], "the page asked for these addresses of the internet"
