"""Lesson 06 as a student runs it: both halves in JupyterLab, and what both tools then show."""

import re
import shutil
import time

from paired import course, dashboards

import nbformat
import psutil
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LESSON = "06_visualising"
NAMES = {"pytorch": "in PyTorch", "tensorflow": "in TensorFlow"}
SECONDS = 240  # for both halves, on a busy machine


@pytest.fixture
def root(tmp_path):
    """A course of this lesson, without outputs."""
    for path in course.lesson("06").paths():
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        copy = tmp_path / "notebooks" / path.name
        copy.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, copy)
    shutil.copytree(path.parent / LESSON, tmp_path / "notebooks" / LESSON)
    return tmp_path


def to_front(page, framework: str) -> None:
    """Click a half's tab, and wait until JupyterLab's menu and keys are meant for it."""
    tab = page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text=f"{LESSON}_{framework}")
    tab.click()
    expect(tab).to_have_class(re.compile(r"\bjp-mod-current\b"), timeout=60_000)


def run_all(page, framework: str) -> None:
    """Run every cell of a half with the menu, once its kernel waits."""
    heading = page.locator(f"h1:has-text('{NAMES[framework]}')")
    kernel = page.locator(".jp-NotebookPanel", has=heading).locator(
        ".jp-Notebook-ExecutionIndicator"
    )
    expect(kernel).to_have_attribute("data-status", "idle", timeout=60_000)
    to_front(page, framework)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(kernel).not_to_have_attribute("data-status", "idle", timeout=60_000)


def executed(page, root, framework: str) -> list:
    """The code cells of a half when all have been run, as JupyterLab saves them."""
    path = root / "notebooks" / f"{LESSON}_{framework}.ipynb"
    until = time.monotonic() + SECONDS
    while True:
        to_front(page, framework)
        page.keyboard.press("Control+S")
        page.wait_for_timeout(2000)
        cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        if all(cell.execution_count for cell in cells):
            return cells
        waiting = [cell.id for cell in cells if not cell.execution_count]
        assert time.monotonic() < until, f"{framework}: these cells were not run: {waiting}"


def servers(lab: psutil.Process, kind: str) -> list[str]:
    """The addresses at which the servers of one kind listen, of those that the kernels started."""
    return [
        f"http://127.0.0.1:{connection.laddr.port}/"
        for process in lab.children(recursive=True)
        if kind in process.cmdline()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]


def test_pair_runs_in_jupyterlab_and_both_tools_show_both_halves(root, start_lab, page, tmp_path):
    if sentence := dashboards.missing_page():
        pytest.skip(f"NO PAGE: the tests of what Visdom draws prove nothing now. {sentence}")
    lab = start_lab(root, "--lesson", "06")
    page.goto(lab.url)
    for name in NAMES.values():
        page.get_by_role("heading", name=re.compile(name), level=1).wait_for(timeout=60_000)
    # One after the other: on a busy machine the menu is still meant for the half that has begun.
    for framework in course.FRAMEWORKS:
        run_all(page, framework)
        for cell in executed(page, root, framework):
            for output in cell.outputs:
                assert output.output_type != "error", (cell.id, output)
                assert output.get("name") != "stderr", (cell.id, output)
    page.screenshot(path=tmp_path / "pair.png")

    family = psutil.Process(lab.process.pid)
    boards, visdoms = servers(family, "--logdir"), servers(family, "visdom")
    assert len(boards) == len(visdoms) == 2, "one of each for each half"
    for address in boards:
        views = {
            "scalars": "vz-line-chart2 path.line",
            "images": "tf-image-loader img",
            "audio": "tf-audio-loader audio",
            "histograms": "vz-histogram-timeseries g.histogram path.outline",
            "distributions": "vz-distribution-chart path.area",
            "graphs": "g.scene g.nodes g.node",
        }
        for view, drawn in views.items():
            page.goto(f"{address}#{view}")
            page.locator(drawn).first.wait_for(state="attached", timeout=60_000)
    drawn_once = set()
    for address in visdoms:
        page.goto(address)
        # In a fresh clone the first half's server was started before the other half saved anything.
        known = page.request.post(f"{address}env_state", data={}).json()
        for framework in (each for each in course.FRAMEWORKS if f"{each}-calm" in known):
            page.goto(f"{address}env/{framework}-calm")
            page.locator(".window").first.wait_for(timeout=30_000)
            if page.locator(".window", has_text="steered").count():
                drawn_once.add(framework)
                expect(page.locator(".scatterlayer path.js-line").first).to_be_attached()
                expect(page.locator(".heatmaplayer image").first).to_be_attached()
                expect(page.locator(".Network_Div circle")).to_have_count(5)
                page.screenshot(path=tmp_path / f"visdom-{framework}.png")
    assert drawn_once == set(course.FRAMEWORKS)

    everybody = [family, *family.children(recursive=True)]
    lab.stop()
    assert psutil.wait_procs(everybody, timeout=15)[1] == [], "nothing outlives JupyterLab"
