"""What tests share: kernels, JupyterLab as `make lab` starts it, and a page of Chromium.

Every request of the page that would leave this machine is refused, and fails the test.
"""

import contextlib
import os
import pathlib
import signal
import subprocess

from paired import course, needs
from paired.authors import browser as browsers
from paired.authors import validation

import nbformat
import pytest


def pytest_configure() -> None:
    """Give the programs that tests start the same conditions wherever the tests run.

    None is told to write in colour, since tests read it. Each can be interrupted: the background of
    a shell, or nohup, has SIGINT ignored, and what is ignored stays so in programs it starts.
    """
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "PYTHON_COLORS"):
        os.environ.pop(name, None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs what is not here."""
    for mark in item.iter_markers("needs"):
        if said := needs.missing(*mark.args):
            pytest.skip(f"NOT PROVEN HERE: {said}")


@contextlib.contextmanager
def started(command: list, **options):
    """A program in the course's folder; what a test that fails leaves running is killed."""
    with subprocess.Popen(command, cwd=course.ROOT, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


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


@pytest.fixture
def start_lab():
    with browsers.labs() as start:
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
