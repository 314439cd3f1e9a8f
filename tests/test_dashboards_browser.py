"""What TensorBoard and Visdom draw, in a real browser that reaches nothing but this machine."""

import re
import time

from paired import dashboards, ports
from paired.dashboards import TensorBoard, Visdom

import numpy as np
import psutil
import pytest
from conftest import write_notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

RANDOM = np.random.default_rng(0)
TONE = np.sin(np.arange(8000) / 10, dtype=np.float32) / 2  # one second


# The places of a graph's circles that can be seen, once they have come to rest.
INSIDE = """async circles => {
    const centre = circle => {
        const box = circle.getBoundingClientRect()
        return [box.x + box.width / 2, box.y + box.height / 2].map(Math.round)
    }
    let before, now = circles.map(centre)
    do {
        before = now
        await new Promise(go => setTimeout(go, 300))
        now = circles.map(centre)
    } while (String(before) !== String(now))
    const pane = circles[0].closest(".Network_Div").getBoundingClientRect()
    const seen = ([x, y]) => x > pane.left && x < pane.right && y > pane.top && y < pane.bottom
    return [...new Set(now.filter(seen).map(String))]
}"""


class Panes:
    """The windows on Visdom's page."""

    def __init__(self, page) -> None:
        self.page = page

    def titled(self, title: str):
        """The window with this title."""
        bar = self.page.locator(".bar", has_text=re.compile(rf"{title}$"))
        return self.page.locator(".window", has=bar)

    def points(self, title: str) -> int:
        """How many points the line of a plot goes through; none may lie between its neighbours."""
        line = self.titled(title).locator(".scatterlayer path.js-line")
        return len(re.findall("[ML]", line.get_attribute("d")))

    def wait_for_points(self, title: str, number: int) -> None:
        until = time.monotonic() + 20
        while self.points(title) != number:
            assert time.monotonic() < until, f"{self.points(title)} points, not {number}"
            self.page.wait_for_timeout(50)


@pytest.fixture
def server(tmp_path):
    if sentence := dashboards.missing_page():
        pytest.skip(f"NO PAGE: the tests of what Visdom draws prove nothing now. {sentence}")
    with Visdom(tmp_path / "visdom") as server:
        yield server


def post(client) -> None:
    """One window of each kind."""
    for step in range(10):
        size = {"width": 330, "height": 300}
        client.line([step**2], [step], win="line", update="append", opts={"title": "line", **size})
    client.images(RANDOM.random((6, 1, 8, 8)), nrow=3, win="images", opts={"title": "images"})
    for step in range(3):
        image = np.full((1, 64, 128), step / 2)
        client.image(image, win="history", opts={"title": "history", "store_history": True})
    options = {"title": "histogram", "numbins": 20, "width": 330, "height": 300}
    client.histogram(RANDOM.normal(size=500), win="histogram", opts=options)
    client.text("<b>accuracy</b> 0.97", win="text", opts={"title": "text"})
    client.audio(TONE, win="audio", opts={"title": "audio", "sample_frequency": 8000})
    options = {"title": "graph", "showVertexLabels": True, "width": 300, "height": 300}
    client.graph([(0, 1), (1, 2)], nodeLabels=["in", "hidden", "out"], win="graph", opts=options)
    options = {"title": "heatmap", "width": 330, "height": 300}
    client.heatmap(np.arange(35).reshape(5, 7), win="heatmap", opts=options)
    options = {"title": r"$\alpha^2$", "width": 330, "height": 300}
    client.scatter(RANDOM.random((7, 2)), win="formula", opts=options)


def check_drawn(panes: Panes) -> None:
    panes.titled("line").locator(".js-line").wait_for(state="attached", timeout=30_000)
    panes.wait_for_points("line", 10)
    expect(panes.titled("histogram").locator(".barlayer .point path")).to_have_count(20)
    expect(panes.titled("heatmap").locator(".heatmaplayer image")).to_have_attribute(
        "href", re.compile("^data:image/png;base64,.{50}")
    )
    # Grids of pictures have a border of two pixels around each.
    loaded = "image => image.complete && [image.naturalWidth, image.naturalHeight]"
    assert panes.titled("images").locator("img").evaluate(loaded) == [36, 24]
    picture = panes.titled("history").locator("img")
    assert picture.evaluate(loaded) == [128, 64]
    expect(panes.titled("text").locator("b")).to_have_text("accuracy")
    audio = panes.titled("audio").locator("audio")
    audio.evaluate("audio => new Promise(go => audio.readyState ? go() : audio.onloadeddata = go)")
    assert audio.evaluate("audio => audio.duration") == pytest.approx(1, abs=0.05)
    graph = panes.titled("graph").locator(".Network_Div svg")
    expect(graph.locator("circle")).to_have_count(3)
    expect(graph.locator("line.link")).to_have_count(2)
    places = graph.locator("circle").evaluate_all(INSIDE)
    assert len(places) == 3
    assert graph.locator("g.node text").all_text_contents() == ["in", "hidden", "out"]
    # MathJax, with its own file of letters.
    formula = panes.page.locator(".gtitle-math-group use, .gtitle-math-group svg path")
    assert formula.count() > 0
    # The slider of the history: the first picture is black and the last one is white.
    slider = panes.titled("history").locator("input[type=range]")
    last = picture.get_attribute("src")
    box = slider.bounding_box()
    slider.click(position={"x": 3, "y": box["height"] / 2})
    expect(picture).not_to_have_attribute("src", last)
    slider.click(position={"x": box["width"] - 3, "y": box["height"] / 2})
    expect(picture).to_have_attribute("src", last)


def test_visdom_draws_every_kind_of_window_and_again_after_its_death(server, page, tmp_path):
    failed = []
    page.on("response", lambda answer: answer.status >= 400 and failed.append(answer.url))
    client = server.client()
    post(client)
    page.goto(server.url)
    panes = Panes(page)
    check_drawn(panes)
    page.screenshot(path=tmp_path / "visdom.png")

    # While a training runs.
    client.line([100], [10], win="line", update="append")
    panes.wait_for_points("line", 11)

    server._process.kill()
    server._process.wait()
    client.line([121], [11], win="line", update="append")
    server.start()
    page.reload()
    panes.titled("line").locator(".js-line").wait_for(state="attached", timeout=30_000)
    panes.wait_for_points("line", 12)
    expect(panes.titled("graph").locator("circle")).to_have_count(3)
    page.screenshot(path=tmp_path / "visdom-again.png")
    assert failed == []


def test_a_click_in_visdoms_page_changes_the_running_training(server, page, tmp_path):
    client = server.client("training")
    controls = [
        {"type": "button", "name": "training", "value": "Stop"},
        {"type": "number", "name": "learning rate", "value": "0.1"},
        {"type": "checkbox", "name": "noise", "value": False},
    ]
    client.properties(controls, win="controls", opts={"title": "controls"})
    training = {"rate": 0.1, "noise": False, "stop": False}

    def changed(event: dict) -> None:
        if event["event_type"] == "PropertyUpdate":
            name = ("stop", "rate", "noise")[event["propertyId"]]
            training[name] = event["value"]
            if name != "stop":
                controls[event["propertyId"]]["value"] = event["value"]
                client.properties(controls, win="controls", opts={"title": "controls"})

    client.register_event_handler(changed, "controls")
    page.goto(f"{server.url}env/training")
    pane = Panes(page).titled("controls")
    rate = pane.locator("input[type=text]")
    expect(rate).to_have_value("0.1")
    steps, until = 0, time.monotonic() + 60
    while training["stop"] != "clicked":
        assert time.monotonic() < until, training
        steps += 1
        client.line([steps**2], [steps], win="loss", update="append", opts={"title": "loss"})
        page.wait_for_timeout(50)
        if steps == 5:
            rate.fill("0.05")
            rate.press("Enter")
        if training["rate"] == "0.05" and not training["noise"]:
            pane.locator("input[type=checkbox]").click()
        if training["noise"]:
            pane.get_by_role("button", name="Stop").click()
    assert training == {"rate": "0.05", "noise": True, "stop": "clicked"}
    expect(rate).to_have_value("0.05")
    expect(pane.locator("input[type=checkbox]")).to_be_checked()
    Panes(page).wait_for_points("loss", steps)
    page.screenshot(path=tmp_path / "callback.png")


def test_changes_that_come_while_a_window_is_being_drawn_lose_no_point(server, page):
    client = server.client("training")
    page.clock.install()
    with page.expect_websocket() as socket:
        page.goto(f"{server.url}env/training")
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)
    # Visdom's page draws a new window after 100 ms and tries a change that came before that anew
    # after another 100 ms: here that of step 2, after the one of step 3.
    for step, milliseconds in enumerate([50, 50, 55, 1000], 1):
        with socket.value.expect_event("framereceived", lambda message: '"loss"' in message):
            client.line([step**2], [step], win="loss", update="append", opts={"title": "loss"})
        page.clock.run_for(milliseconds)
    Panes(page).wait_for_points("loss", 4)


def test_a_choice_works_beside_an_image_which_takes_all_keys(server, page):
    client = server.client("training")
    client.image(np.ones((1, 9, 9)), win="image", opts={"title": "image"})
    rate = {"type": "select", "name": "rate", "values": [1.0, 0.5], "value": 0}
    client.properties([rate], win="controls", opts={"title": "controls"})
    chosen = []

    def changed(event: dict) -> None:
        if event["event_type"] == "PropertyUpdate":
            chosen.append(event["value"])
            client.properties([rate | {"value": 1}], win="controls", opts={"title": "controls"})

    client.register_event_handler(changed, "controls")
    page.goto(f"{server.url}env/training")
    choice = Panes(page).titled("controls").locator("select")
    expect(choice).to_have_value("0")
    choice.select_option("0.5")
    expect(choice).to_have_value("1")
    assert chosen == ["1"]


def test_two_environments_are_compared_in_one_chart(server, page):
    for env in "ab":
        client = server.client(env)
        for step in range(5):
            named = {"name": "loss", "opts": {"title": "loss"}}
            client.line([step], [step], win="loss", update="append", **named)
    page.goto(f"{server.url}compare/a+b")
    chart = Panes(page).titled("loss").filter(has=page.locator(".legendtext")).first
    expect(chart.locator(".legendtext")).to_have_text(["0_loss", "1_loss"])
    expect(chart.locator(".scatterlayer path.js-line")).to_have_count(2)


def write_run(folder) -> None:
    """All five kinds of data, as PyTorch's writer puts them."""
    dashboards.set_up_magic()
    import torch
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder) as writer:
        for step in range(10):
            writer.add_scalar("loss", 1 / (step + 1), step)
            writer.add_histogram("weights", RANDOM.normal(step / 5, 1, 300), step)
        writer.add_image("digit", RANDOM.random((1, 8, 12)), 0)
        writer.add_audio("tone", TONE[None], 0, 8000)
        network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
        writer.add_graph(network, torch.zeros(1, 4))


def check_tensorboard(place, go) -> None:
    """Each dashboard shows what was written; `go` opens one, `place` is the page or a frame."""
    go("scalars")
    scalars = place.locator("vz-line-chart2")
    expect(scalars.locator("path.line").first).to_have_attribute(
        "d", re.compile(r"^M[^L]+(L[^L]+){9}"), timeout=30_000
    )
    go("images")
    picture = place.locator("tf-image-loader img, tf-image-dashboard img").first
    picture.wait_for(timeout=30_000)
    sizes = "image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])"
    assert picture.evaluate(sizes) == [12, 8]
    go("audio")
    audio = place.locator("tf-audio-loader audio")
    audio.wait_for(timeout=30_000)
    audio.evaluate("audio => new Promise(go => audio.readyState ? go() : audio.onloadeddata = go)")
    assert audio.evaluate("audio => audio.duration") == pytest.approx(1, abs=0.05)
    go("histograms")
    expect(place.locator("vz-histogram-timeseries g.histogram path.outline")).to_have_count(
        10, timeout=30_000
    )
    go("distributions")
    expect(place.locator("vz-distribution-chart path.area")).to_have_count(8, timeout=30_000)
    go("graphs")
    nodes = place.locator("g.scene g.nodes g.node")
    expect(nodes).to_have_count(3, timeout=30_000)
    names = nodes.evaluate_all("nodes => nodes.map(node => node.getAttribute('data-name'))")
    assert "Sequential" in names


def test_tensorboards_five_dashboards_show_their_data(tmp_path, page):
    write_run(tmp_path / "runs" / "one")
    with TensorBoard(tmp_path / "runs") as board:

        def go(dashboard: str) -> None:
            page.goto(f"{board.url}#{dashboard}")

        check_tensorboard(page, go)
        page.screenshot(path=tmp_path / "graphs.png")


MAGIC = """\
from paired import dashboards
dashboards.set_up_magic()
%load_ext tensorboard
%tensorboard --logdir .records/dashboards/pytorch --host 127.0.0.1 --port {port}"""


def test_tiles_and_magic_inside_jupyterlab(server, tmp_path, start_lab, page):
    root = tmp_path / "the {course}"
    runs = root / ".records" / "dashboards"
    write_run(runs / "pytorch" / "one")
    with Visdom(runs / "visdom") as lesson:
        client = lesson.client("digits")
        client.line(np.arange(5) ** 2, win="loss", opts={"title": "saved loss"})
        client.save(["digits"])
    port = next(filter(ports.is_free, range(6206, 6306)))
    write_notebook(root / "notebook.ipynb", MAGIC.format(port=port))
    lab = start_lab(root)
    page.goto(lab.url.replace("?", "/tree/notebook.ipynb?"))
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+Enter")
    shown = page.frame_locator(".jp-OutputArea iframe")
    shown.locator("line-chart").first.wait_for(timeout=60_000)
    page.screenshot(path=tmp_path / "magic.png")

    def open_tile(title: str):
        page.keyboard.press("Control+Shift+L")
        page.locator(".jp-LauncherCard:visible", has_text=title).click(timeout=30_000)
        return page.frame_locator(f"iframe[src*='/{title.lower()}/']")

    board = open_tile("TensorBoard")
    board.locator("line-chart").first.wait_for(timeout=60_000)
    expect(board.locator("body")).to_contain_text("pytorch/one")
    page.screenshot(path=tmp_path / "tile-tensorboard.png")

    visdom = open_tile("Visdom")
    line = visdom.locator(".scatterlayer path.js-line")
    line.wait_for(state="attached", timeout=60_000)
    assert len(re.findall("[ML]", line.get_attribute("d"))) == 5
    page.screenshot(path=tmp_path / "tile-visdom.png")

    family = [psutil.Process(lab.process.pid)]
    family += family[0].children(recursive=True)
    commands = [" ".join(process.cmdline()) for process in family]
    for name in ("visdom --folder", "--logdir"):
        assert any(name in command for command in commands)
    for process in family:
        for connection in process.net_connections():
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1"
    lab.stop()
    assert psutil.wait_procs(family, timeout=15)[1] == [], "nothing outlives JupyterLab"
