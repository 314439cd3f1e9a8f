"""Chromium, for the lessons' pictures and for the tests: it reaches this machine and no other."""

import contextlib
import shutil
import urllib.parse
from collections.abc import Iterator

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# In a container there is no sandbox; the others keep Chromium from calling home.
_SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


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
