"""Pictures of the pages that lessons show, taken in Chromium from real runs: `make pictures`.

A picture is an output like any other: nobody draws or edits one. Nothing outside this machine is
asked for; the browser refuses it, and the picture fails.
"""

import argparse
import contextlib
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator

from paired import course, dashboards, notebooks

FOLDER = course.ROOT / "notebooks"
COLOURS = 48  # of a picture: pages have few, and a small file is fetched sooner
MILLISECONDS = 60_000  # that a page may take to show what it should
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


def run_until(notebook: pathlib.Path, last: str, before: str = "") -> None:
    """Run a notebook's code cells in a kernel, up to and with the cell whose id is `last`.

    `before` is run in the same kernel just before that cell.

    Raises:
        PictureError: there is no such cell, or a cell has failed.
    """
    import jupyter_client.manager

    cells = [cell for cell in notebooks.read(notebook).cells if cell.cell_type == "code"]
    ids = [cell.id for cell in cells]
    if last not in ids:
        raise PictureError(f"{notebooks.relative(notebook)} has no code cell {last!r}.")
    options = {"cwd": notebook.parent, "stderr": subprocess.DEVNULL}
    with jupyter_client.manager.run_kernel(kernel_name="python3", **options) as kernel:
        for cell in cells[: ids.index(last) + 1]:
            for source in (before, cell.source) if cell.id == last else (cell.source,):
                answer = kernel.execute_interactive(
                    source, allow_stdin=False, timeout=120, output_hook=lambda _: None
                )["content"]
                if answer["status"] != "ok" and "raises-exception" not in notebooks.tags(cell):
                    raise PictureError(
                        f"{notebooks.relative(notebook)}, cell {cell.id!r}: {answer['ename']}, "
                        f"{answer['evalue']}. Mend the notebook, then take the picture."
                    )


def save(name: str, png: bytes) -> None:
    """Write a screenshot to `notebooks/<name>.png`, in few colours, and say its size."""
    from PIL import Image

    path = FOLDER / f"{name}.png"
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    size = f"{picture.width} x {picture.height}, {path.stat().st_size / 1000:.0f} kB"
    print(f"{notebooks.relative(path)}: {size}", flush=True)


def debugger_v2(browser) -> None:
    """Lesson 05: TensorBoard shows the dump of the cell `outside`."""
    with tempfile.TemporaryDirectory() as folder:
        keep = (
            "import contextlib, tempfile\n"
            f"tempfile.TemporaryDirectory = lambda: contextlib.nullcontext({folder!r})"
        )
        run_until(FOLDER / "05_debugging_tensorflow.ipynb", "outside", keep)
        with (
            dashboards.TensorBoard(folder) as server,
            offline_page(browser, 1280, 720) as page,
        ):
            page.goto(f"{server.url}#debugger-v2")
            tensor = page.locator(".tensor-container").get_by_role("button", name="log_p:0")
            tensor.first.click(timeout=MILLISECONDS)
            alerts = page.locator(".alerts-container", has_text="NaN/∞ ∞: 6")
            alerts.wait_for(timeout=MILLISECONDS)  # five operations, and the whole function
            frame = page.locator(".stack-frame-container", has_text="log_of_softmax")
            frame.scroll_into_view_if_needed(timeout=MILLISECONDS)
            # The name of the machine is nobody's business.
            page.add_style_tag(content=".stack-trace-host-name { visibility: hidden }")
            page.wait_for_timeout(1000)  # what was clicked fades
            save("05_debugger_v2", page.screenshot())
            refuse(page)


def refuse(page) -> None:
    """Fail if the page wanted anything from the internet.

    Raises:
        PictureError: it did.
    """
    if page.outside:
        raise PictureError(f"The page asked for addresses outside this machine: {page.outside}.")


PICTURES: dict[str, Callable] = {"05_debugger_v2": debugger_v2}


def main(arguments: list[str] | None = None) -> int:
    """Take the pictures of one lesson, or all; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make pictures", description=__doc__)
    parser.add_argument("--lesson", default="", help="its number, such as 05; else all")
    lesson = parser.parse_args(arguments).lesson
    wanted = {name: take for name, take in PICTURES.items() if name.startswith(lesson)}
    try:
        if not wanted:
            raise PictureError(
                f"Lesson {lesson!r} has no pictures; these are made here: {', '.join(PICTURES)}."
            )
        with chromium() as browser:
            for take in dict.fromkeys(wanted.values()):
                take(browser)
    except (PictureError, dashboards.DashboardError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
