"""`make lab`: the course in JupyterLab, a pair side by side, on this machine only."""

import json
import os
import pathlib
import socket
import stat
import time

from paired import course, ports
from paired.machine import lab

import psutil
import pytest
from conftest import write_notebook

FRAMEWORKS = ("pytorch", "tensorflow")


@pytest.fixture
def root(tmp_path) -> pathlib.Path:
    """A course of one lesson."""
    for framework in FRAMEWORKS:
        for kind in ("notebooks", "exercises"):
            write_notebook(tmp_path / kind / f"04_network_{framework}.ipynb", "print(6 * 7)")
    (tmp_path / "README.md").write_text("# The course\n\nWelcome.\n")
    return tmp_path


def read_workspace(root: pathlib.Path) -> dict:
    [file] = (root / ".jupyter" / "workspaces").iterdir()
    return json.loads(file.read_text())


def test_lesson_is_a_pair_side_by_side_with_the_lesson_in_front(root):
    assert lab.write_workspace(root, course.lesson("4", root)) == "lesson-04"
    workspace = read_workspace(root)
    assert workspace["metadata"]["id"] == "lesson-04"
    dock = workspace["data"]["layout-restorer:data"]["main"]["dock"]
    assert dock["orientation"] == "horizontal"
    for half, framework in zip(dock["children"], FRAMEWORKS, strict=True):
        assert half["widgets"] == [f"notebook:notebooks/04_network_{framework}.ipynb"]
        assert half["currentIndex"] == 0


def test_files_that_are_not_there_are_left_out(root):
    (root / "exercises" / "04_network_pytorch.ipynb").unlink()
    (root / "notebooks" / "04_network_tensorflow.ipynb").unlink()
    (root / "exercises" / "04_network_tensorflow.ipynb").unlink()
    lab.write_workspace(root, course.lesson("4", root))
    dock = read_workspace(root)["data"]["layout-restorer:data"]["main"]["dock"]
    assert dock["type"] == "tab-area"
    assert dock["widgets"] == ["notebook:notebooks/04_network_pytorch.ipynb"]


def test_course_keeps_the_layout_of_last_time(root):
    assert lab.write_workspace(root, None) == "course"
    workspace = read_workspace(root)
    assert "markdownviewer-widget:README.md" in workspace["data"]
    [file] = (root / ".jupyter" / "workspaces").iterdir()
    workspace["data"]["mine"] = True
    file.write_text(json.dumps(workspace))
    lab.write_workspace(root, None)
    assert read_workspace(root)["data"]["mine"]


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.create_server((ports.ADDRESS, 0)) as server:
        yield server.getsockname()[1]


def test_first_port_taken_means_the_next(monkeypatch, taken):
    monkeypatch.setattr(lab, "FIRST_PORT", taken)
    assert lab.choose_port(None) > taken


@pytest.mark.parametrize("port", ["taken", 99999])
def test_wanted_port_that_cannot_be_had_is_a_sentence(root, taken, capsys, port, environment_kept):
    port = taken if port == "taken" else port
    assert lab.main(["--port", str(port)], root) == 1
    assert f"Port {port} is taken" in capsys.readouterr().err


def test_unknown_lesson_lists_those_that_there_are(root, capsys, environment_kept):
    assert lab.main(["--lesson", "77"], root) == 1
    assert "The lessons are: 04_network." in capsys.readouterr().err


def test_read_only_checkout_opens_as_a_copy_of_ones_own(
    root, tmp_path_factory, capsys, environment_kept, monkeypatch
):
    monkeypatch.setattr(lab.os, "access", lambda *_: False)
    monkeypatch.setattr(lab, "serve", lambda own, port, workspace: None)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    own = pathlib.Path.home() / "same-network-twice"
    before = sorted(root.rglob("*"))
    assert lab.main(["--lesson", "04"], root) == 0
    assert f"Yours is {own}: what you save" in capsys.readouterr().out
    assert os.environ["PAIRED_HOME"] == str(own)
    mine = own / "exercises" / "04_network_pytorch.ipynb"
    mine.write_text("solved")
    assert lab.main([], root) == 0
    assert mine.read_text() == "solved"
    assert sorted(root.rglob("*")) == before


@pytest.fixture
def environment_kept(monkeypatch):
    """`main` points Jupyter at the checkout through the environment; afterwards it is as it was."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


@pytest.mark.parametrize("mode", ["P_NOWAIT", "P_WAIT"])  # which returns when the page is there
def test_browser_gets_the_address_but_no_process_list_does(monkeypatch, tmp_path, mode):
    seen = tmp_path / "seen"
    script = tmp_path / "browser"
    script.write_text(
        f'#!/bin/sh\necho "$1" >{seen}\n'
        f"python3 -c 'import http.client as h, sys, urllib.parse as u; a = u.urlsplit(sys.argv[1]);"
        f' c = h.HTTPConnection(a.netloc); c.request("GET", a.path);'
        f' print(c.getresponse().getheader("Location"))\' "$1" >>{seen}\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(
        lab.webbrowser, "open", lambda url: os.spawnv(getattr(os, mode), script, ["b", url]) >= 0
    )
    monkeypatch.setenv("BROWSER", str(script))
    assert lab.browse("http://127.0.0.1:1/lab?token=secret")
    until = time.monotonic() + 10
    while len(seen.read_text().split()) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    given, location = seen.read_text().split()
    assert "secret" not in given
    assert location == "http://127.0.0.1:1/lab?token=secret"


def test_without_a_desktop_there_is_no_browser(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert not lab.browse("http://127.0.0.1:1/")


@pytest.mark.browser
def test_pair_opens_side_by_side_and_runs(root, start_lab, page, tmp_path):
    running = start_lab(root, "--lesson", "04")
    command_line = " ".join(psutil.Process(running.process.pid).cmdline())
    token = running.url.split("token=")[1]
    assert token not in command_line

    page.goto(running.url)
    boxes = []
    for framework in FRAMEWORKS:
        heading = page.get_by_role("heading", name=f"notebooks 04_network_{framework}")
        heading.wait_for(timeout=60_000)
        boxes.append(heading.bounding_box())
    left, right = boxes
    assert left["x"] < 800 <= right["x"], "PyTorch on the left, TensorFlow on the right"
    assert abs(left["y"] - right["y"]) < 5
    tabs = page.locator("#jp-main-dock-panel .lm-TabBar-tab[data-paired]")
    assert tabs.evaluate_all("all => all.map(tab => tab.dataset.paired)") == [
        "04 PyTorch", "04 TensorFlow",
    ]  # fmt: skip

    assert not page.locator("#jp-left-stack").is_visible(), "the pair has the window's width"

    page.wait_for_timeout(3000)  # the news and the build prompt would come after the notebooks
    assert page.locator(".jp-Dialog, .Toastify__toast").count() == 0
    # Both halves run, each in its kernel.
    for framework in FRAMEWORKS:
        panel = page.locator(".jp-NotebookPanel:visible").filter(
            has_text=f"notebooks 04_network_{framework}"
        )
        panel.locator(".jp-CodeCell .cm-content").click()
        page.keyboard.press("Shift+Enter")
        panel.get_by_text("42", exact=True).wait_for(timeout=60_000)
    page.screenshot(path=tmp_path / "pair.png")

    family = [psutil.Process(running.process.pid)]
    family += family[0].children(recursive=True)
    assert len(family) > 2, "the server and its kernels"
    for process in family:
        for connection in process.net_connections():
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1"

    assert "JupyterLab has stopped." in running.stop()
    assert psutil.wait_procs(family, timeout=10)[1] == [], "nothing outlives it"
    assert stat.S_IMODE((root / ".jupyter").stat().st_mode) == 0o700, "its log has the token"


@pytest.mark.browser
def test_course_opens_on_its_readme_and_a_second_start_finds_it(root, start_lab, page, tmp_path):
    first = start_lab(root)
    page.goto(first.url)
    page.get_by_role("heading", name="The course").wait_for(timeout=60_000)
    page.get_by_text("Welcome.").wait_for()
    page.locator("#jp-left-stack").get_by_text("notebooks").wait_for()
    page.screenshot(path=tmp_path / "course.png")
    page.wait_for_timeout(3000)
    assert page.locator(".jp-Dialog, .Toastify__toast").count() == 0

    second = start_lab(root, "--lesson", "04")
    assert "running here already" in second.words
    assert second.port == first.port
    assert second.process.wait(timeout=10) == 0
    page.goto(second.url)
    page.get_by_role("heading", name="notebooks 04_network_tensorflow").wait_for(timeout=60_000)

    elsewhere = start_lab(root, "--port", str(lab.choose_port(None)))
    assert elsewhere.port != first.port
