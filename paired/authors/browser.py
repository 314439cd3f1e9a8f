"""Chromium and JupyterLab, for the lessons' pictures and for the tests.

The browser reaches this machine and no other.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# In a container there is no sandbox; the others keep Chromium from calling home.
_SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
MILLISECONDS = 60_000  # that a page may take to show what it should
# `make lab` on another folder than the checkout.
_LAB = """
import pathlib, sys
from paired.machine import lab
sys.exit(lab.main(sys.argv[2:], pathlib.Path(sys.argv[1])))
"""


class PictureError(Exception):
    """Why a picture could not be taken, and what to do."""


def browser_path() -> str | None:
    """Where Chromium or Chrome is; None if there is neither."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


@contextlib.contextmanager
def chromium() -> Iterator:
    """A browser without a window, Playwright's `Browser`.

    Raises:
        PictureError: there is none on this machine.
    """
    if (path := browser_path()) is None:
        raise PictureError(
            "There is no Chromium or Chrome on the PATH. Install one (Debian: sudo apt install "
            "chromium), then run the command again."
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_SWITCHES)
        yield browser
        browser.close()


@contextlib.contextmanager
def offline_page(browser, width: int = 1600, height: int = 900) -> Iterator:
    """A fresh page that reaches nothing but this machine; sizes in pixels.

    Its attribute `outside` lists the addresses that it asked for and did not get.
    """
    context = browser.new_context(viewport={"width": width, "height": height})
    outside = []

    def guard(route) -> None:
        if urllib.parse.urlsplit(route.request.url).hostname in ("127.0.0.1", "localhost"):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.outside = outside
    yield page
    context.close()


def refuse(page) -> None:
    """Fail if the page wanted anything from the internet.

    Raises:
        PictureError: it did.
    """
    if page.outside:
        raise PictureError(f"The page asked for addresses outside this machine: {page.outside}.")


@dataclasses.dataclass
class Lab:
    """A running JupyterLab."""

    process: subprocess.Popen
    url: str
    words: str

    @property
    def port(self) -> int:
        """Where it listens."""
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


@contextlib.contextmanager
def labs() -> Iterator:
    """What starts JupyterLab on a folder as `make lab` does; stopped at the end of the block.

    What starts it raises PictureError where JupyterLab does not come up.
    """
    with contextlib.ExitStack() as stack:

        def start(root: pathlib.Path, *arguments: str, **variables: str) -> Lab:
            command = [sys.executable, "-c", _LAB, root, *arguments]
            hidden = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
            environment = {k: v for k, v in os.environ.items() if k not in hidden}
            # Its kernels' records are its own: the notebooks may be running elsewhere as well.
            environment |= {"PAIRED_HOME": str(root)} | variables
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
            raise PictureError(f"JupyterLab did not start:\n{lab.words}")

        yield start
