"""Pictures of the pages that lessons show, taken in Chromium from real runs: `make pictures`.

A picture is an output like any other: nobody draws or edits one. Nothing outside this machine is
asked for; the browser refuses it, and the picture fails.
"""

import argparse
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable

from paired import course, dashboards
from paired.authors import files
from paired.authors.browser import (
    MILLISECONDS,
    PictureError,
    chromium,
    labs,
    offline_page,
    refuse,
)

FOLDER = course.ROOT / "notebooks"
COLOURS = 48  # of a picture: pages have few, and a small file is fetched sooner


def run_until(notebook: pathlib.Path, last: str, before: str = "") -> None:
    """Run a notebook's code cells in a kernel, up to and with the cell whose id is `last`.

    `before` is run in the same kernel just before that cell.

    Raises:
        PictureError: there is no such cell, or a cell has failed.
    """
    import jupyter_client.manager

    cells = [cell for cell in files.read(notebook).cells if cell.cell_type == "code"]
    ids = [cell.id for cell in cells]
    if last not in ids:
        raise PictureError(f"{files.relative(notebook)} has no code cell {last!r}.")
    options = {"cwd": notebook.parent, "stderr": subprocess.DEVNULL}
    with jupyter_client.manager.run_kernel(kernel_name="python3", **options) as kernel:
        for cell in cells[: ids.index(last) + 1]:
            for source in (before, cell.source) if cell.id == last else (cell.source,):
                answer = kernel.execute_interactive(
                    source, allow_stdin=False, timeout=120, output_hook=lambda _: None
                )["content"]
                if answer["status"] != "ok" and "raises-exception" not in files.tags(cell):
                    raise PictureError(
                        f"{files.relative(notebook)}, cell {cell.id!r}: {answer['ename']}, "
                        f"{answer['evalue']}. Mend the notebook, then take the picture."
                    )


def save(name: str, png: bytes, colours: int = COLOURS) -> None:
    """Write a screenshot to `notebooks/<name>.png`, in few colours, and say its size."""
    from PIL import Image

    path = FOLDER / f"{name}.png"
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    size = f"{picture.width} x {picture.height}, {path.stat().st_size / 1000:.0f} kB"
    print(f"{files.relative(path)}: {size}", flush=True)


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
            save("05_debugging/debugger_v2", page.screenshot())
            refuse(page)


def beside(columns: list[list[bytes]], gap: int = 16) -> bytes:
    """Several screenshots as one: columns from left to right, in each its PNGs from top to bottom.

    `gap` is the distance between them in pixels.
    """
    from PIL import Image

    images = [[Image.open(io.BytesIO(png)).convert("RGB") for png in column] for column in columns]
    widths = [max(image.width for image in column) for column in images]
    height = max(sum(image.height + gap for image in column) for column in images)
    whole = Image.new("RGB", (sum(widths) + gap * (len(widths) + 1), height + gap), "white")
    x = gap
    for column, width in zip(images, widths, strict=True):
        y = gap
        for image in column:
            whole.paste(image, (x, y))
            y += image.height + gap
        x += width + gap
    png = io.BytesIO()
    whole.save(png, "PNG")
    return png.getvalue()


def _around(page, locator, scale: float = 1, margin: int = 6) -> bytes:
    """What the page shows of an element and a little around it, in another size if wanted."""
    from PIL import Image

    box = locator.bounding_box()
    corner = {"x": box["x"] - margin, "y": box["y"] - margin}
    size = {"width": box["width"] + 2 * margin, "height": box["height"] + 2 * margin}
    png = io.BytesIO(page.screenshot(clip=corner | size))
    image, smaller = Image.open(png), io.BytesIO()
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    image.save(smaller, "PNG")
    return smaller.getvalue()


def _tensorboard_view(
    page, server: dashboards.TensorBoard, view: str, tag: str, card: str
) -> bytes:
    """One card of a view: the bold run's, where each run has its own."""
    page.goto("about:blank")
    page.goto(f"{server.url}#{view}")
    if view == "timeseries":
        page.locator(".settings-button").first.click(timeout=MILLISECONDS)  # closes the settings
        page.get_by_role("combobox", name="Filter tags (regex)").fill(tag)
        page.keyboard.press("Escape")  # closes the list of tags below it
    else:
        page.get_by_label("Filter tags (regular expressions supported)").fill(tag)
    found = page.locator(card).filter(has_text=tag)
    if view != "timeseries":
        found = found.filter(has_text="bold")
    found.first.wait_for(timeout=MILLISECONDS)
    page.wait_for_timeout(2000)  # it is drawn, and its animation is over
    return _around(page, found.first)


def _tensorboard_graph(page, server: dashboards.TensorBoard, network: str) -> bytes:
    """The graph, with the network opened."""
    page.goto("about:blank")
    page.goto(f"{server.url}#graphs")
    node = page.locator(f"#svg g.node[data-name='{network}']")
    node.first.dblclick(timeout=MILLISECONDS)
    page.wait_for_timeout(1500)
    page.locator("#svg").click(position={"x": 5, "y": 5})  # nothing is selected
    page.get_by_text("Fit to screen").click()
    page.wait_for_timeout(1500)
    return _around(page, node.first, scale=0.7)


def tensorboard_06(browser) -> None:
    """Lesson 06: cards of TensorBoard's views, of the runs that both halves log."""
    columns: list[list[bytes]] = [[], [], []]
    for framework, network in {"pytorch": "Sequential", "tensorflow": "net_1"}.items():
        run_until(FOLDER / f"06_visualising_{framework}.ipynb", "log-sound")
        logs = dashboards.RECORDS / framework / "tensorboard"
        with dashboards.TensorBoard(logs) as server, offline_page(browser, 1100, 900) as page:
            if framework == course.FRAMEWORKS[0]:
                columns[0] = [
                    _tensorboard_view(page, server, "timeseries", "loss/valid", "scalar-card"),
                    _tensorboard_view(page, server, "audio", "loss", "tf-audio-loader"),
                ]
                columns[1] = [
                    _tensorboard_view(page, server, "images", "filters", "tf-image-loader"),
                    _tensorboard_view(page, server, "histograms", "weight", "tf-histogram-loader"),
                    _tensorboard_view(
                        page, server, "distributions", "gradient", "tf-distribution-loader"
                    ),
                ]
            columns[2].append(_tensorboard_graph(page, server, network))
            refuse(page)
    save("06_visualising/tensorboard", beside(columns), colours=256)


def visdom_06(browser) -> None:
    """Lesson 06: Visdom's page with the panes of the calm run, and the input that steers."""
    run_until(FOLDER / "06_visualising_pytorch.ipynb", "restart")
    saved = dashboards.RECORDS / "visdom"
    with dashboards.Visdom(saved) as server, offline_page(browser, 1400, 700) as page:
        page.goto(f"{server.url}env/pytorch-calm")
        page.locator(".react-grid-item").nth(5).wait_for(timeout=MILLISECONDS)
        page.wait_for_timeout(3000)  # the graph's nodes have found their places
        save("06_visualising/visdom", page.screenshot(), colours=256)
        refuse(page)


def pair_04(browser) -> None:
    """README: a lesson as `make lab LESSON=04` opens it. The half that is scrolled leads."""
    with tempfile.TemporaryDirectory() as folder, labs() as start, offline_page(browser) as page:
        shutil.copytree(FOLDER, pathlib.Path(folder, "notebooks"))
        page.goto(start(pathlib.Path(folder), "--lesson", "04").url)
        for number in (0, 1):
            page.locator(".jp-Cell h1").nth(number).wait_for(timeout=MILLISECONDS)
        page.wait_for_timeout(5000)  # until figures and formulas have their heights
        page.mouse.move(400, 500)
        heading = page.get_by_role("heading", name="Define the network").first
        while heading.bounding_box()["y"] > 150:
            page.mouse.wheel(0, 100)
            page.wait_for_timeout(100)
        page.wait_for_timeout(1000)
        save("04_network/pair", page.screenshot())
        refuse(page)


PICTURES: dict[str, Callable] = {
    "04_network/pair": pair_04,
    "05_debugging/debugger_v2": debugger_v2,
    "06_visualising/tensorboard": tensorboard_06,
    "06_visualising/visdom": visdom_06,
}


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
            for take in wanted.values():
                take(browser)
    except (PictureError, dashboards.DashboardError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
