"""How long a point takes to the pages of TensorBoard and Visdom: `make measure LESSON=06`."""

import datetime
import tempfile
import time
from importlib import metadata

from paired import dashboards, events
from paired.authors.browser import MILLISECONDS, PictureError, chromium, offline_page, refuse

RECORD = "latency.json"
_PATIENCE_SECONDS = 40  # for TensorBoard's page, which can look every 30 s, if that is switched on


def measure() -> dict[str, dict]:
    """For each tool, seconds from the call to the page."""
    record = {}
    with chromium() as browser:
        for tool, measured in {"TensorBoard": _tensorboard, "Visdom": _visdom}.items():
            about = {"date": f"{datetime.date.today()}", "version": metadata.version(tool.lower())}
            record[tool] = about | {"Chromium": browser.version} | measured(browser)
    return record


def _tensorboard(browser) -> dict[str, object]:
    """By itself, and while its reload button is used."""
    events.keep_tensorflow_out()
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    with tempfile.TemporaryDirectory() as folder:
        writer = EventFileWriter(folder)

        def log(step: int) -> None:
            value = summary_pb2.Summary.Value(tag="loss", simple_value=step % 3)
            summary = summary_pb2.Summary(value=[value])
            writer.add_event(event_pb2.Event(step=step, wall_time=time.time(), summary=summary))
            writer.flush()

        for step in range(3):
            log(step)
        with dashboards.TensorBoard(folder) as server, offline_page(browser, 1100, 900) as page:
            page.goto(f"{server.url}#timeseries")
            card = page.locator("scalar-card")
            card.wait_for(timeout=MILLISECONDS)
            page.add_style_tag(content="mat-spinner { display: none !important }")
            page.wait_for_timeout(3000)

            def delay(step: int, seconds: float, reload: bool) -> float | None:
                before, began = card.screenshot(), time.monotonic()
                log(step)
                while time.monotonic() - began < seconds:
                    if reload:
                        page.locator(".reload-button").first.click()
                    page.wait_for_timeout(100)
                    if card.screenshot() != before:
                        return round(time.monotonic() - began, 1)
                return None

            alone = delay(3, _PATIENCE_SECONDS, reload=False)
            page.locator(".reload-button").first.click()
            page.wait_for_timeout(6000)
            pressed = []
            for step in range(4, 10):
                pressed.append(delay(step, MILLISECONDS / 1000, reload=True))
                page.wait_for_timeout(700 * (step - 3))  # at another point between two looks
            refuse(page)
    found = {"seconds by itself": alone and [alone], "waited": _PATIENCE_SECONDS}
    return found | {"seconds with its reload button": pressed}


# In the page: promises the time, in milliseconds, of the frame after a line's change.
_DRAWN = """() => {
    const drawn = () => document.querySelector('.scatterlayer path.js-line').getAttribute('d');
    const before = drawn();
    window.seen = new Promise(resolve => {
        const look = () => drawn() === before
            ? requestAnimationFrame(look)
            : requestAnimationFrame(() => resolve(Date.now()));
        look();
        setTimeout(() => resolve(0), 60000);
    });
}"""


def _visdom(browser) -> dict[str, object]:
    """From the call to the page."""
    with tempfile.TemporaryDirectory() as folder, dashboards.Visdom(folder) as server:
        vis = server.client("delay")
        vis.line([0.0, 1.0], [0, 1], win="loss")
        with offline_page(browser) as page:
            page.goto(f"{server.url}env/delay")
            line = page.locator(".scatterlayer path.js-line")
            line.wait_for(state="attached", timeout=MILLISECONDS)
            page.wait_for_timeout(2000)
            seconds = []
            for step in range(2, 12):
                page.evaluate(_DRAWN)
                began = time.time()
                # A zigzag: of points on one straight line the page draws the two ends.
                vis.line([float(step % 2)], [step], win="loss", update="append")
                if not (seen := page.evaluate("window.seen")):
                    raise PictureError("Visdom's page has not drawn a point within a minute.")
                seconds.append(round(seen / 1000 - began, 3))
                page.wait_for_timeout(300)
            refuse(page)
    return {"seconds by itself": seconds}
