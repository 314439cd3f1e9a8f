"""TensorBoard and Visdom from a notebook: ports, deaths, what is kept, and that nothing is left."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

from paired import course, dashboards, ports
from paired.dashboards import DashboardError, TensorBoard, Visdom

import numpy as np
import psutil
import pytest
import websocket
from conftest import kernel, said, started

KINDS = pytest.mark.parametrize("kind", [TensorBoard, Visdom])


def ask(server, path: str = "/", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def kill(server) -> None:
    """End a server as no program can prevent."""
    server._process.kill()
    server._process.wait()


def windows(client) -> dict:
    """All the windows of an environment, without the number that each update has of its own."""
    found = json.loads(client.get_window_data())
    for window in found.values():
        del window["contentID"]
    return found


@pytest.fixture
def server(tmp_path):
    with Visdom(tmp_path / "visdom") as server:
        yield server


# Ports


@KINDS
def test_a_server_answers_until_it_is_stopped(kind, tmp_path):
    began = time.monotonic()
    # Not the usual port, which another program may take as soon as it is free.
    with kind(tmp_path / "not there yet", port=ports.free_port()) as server:
        assert time.monotonic() - began < 20
        assert ask(server)[0] == 200
        assert server.url == f"http://127.0.0.1:{server.port}/"
        assert server.start() is server, "it runs already"
        family = [psutil.Process(server._process.pid)]
        family += family[0].children(recursive=True)
    assert not server.running
    server.stop()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert ports.is_free(server.port)
    with server.start():
        assert ask(server)[0] == 200


@KINDS
def test_a_port_with_the_same_kind_of_server_names_its_address(kind, tmp_path):
    with kind(tmp_path) as first:
        with pytest.raises(DashboardError, match=f"{kind.name} is running on port {first.port}.*"
                           f"at {first.url}. Use it there"):  # fmt: skip
            kind(tmp_path, port=first.port).start()
        assert ask(first)[0] == 200


def test_a_port_with_another_program_says_so(server, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DashboardError, match=f"Port {port} is taken by another program"):
            Visdom(tmp_path, port=port).start()
    with pytest.raises(DashboardError, match=f"Port {server.port} is taken by Visdom"):
        TensorBoard(tmp_path, port=server.port).start()


@KINDS
def test_without_a_port_the_first_free_one_is_taken(kind, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        first = other.getsockname()[1]
        monkeypatch.setattr(kind, "first_port", first)
        with kind(tmp_path) as server:
            assert first < server.port < first + 50
        monkeypatch.setattr("paired.dashboards.server.PORTS", 1)
        with pytest.raises(DashboardError, match="found no free port"):
            kind(tmp_path).start()


@pytest.mark.parametrize("port", [99999, -1, "8097"])
def test_no_port_at_all_is_a_sentence(port, tmp_path):
    with pytest.raises(DashboardError, match="it can be a number from 1024 to 65535"):
        Visdom(tmp_path, port=port).start()


# Deaths


def test_a_server_that_does_not_start_says_why(tmp_path):
    server = TensorBoard(tmp_path, reload_seconds="soon")
    with pytest.raises(
        DashboardError, match=r"TensorBoard did not start \(exit status 2\)"
    ) as error:
        server.start()
    assert "invalid float: 'soon'" in str(error.value)
    assert not server.running


@KINDS
def test_a_server_that_dies_says_how(kind, tmp_path, capsys):
    with kind(tmp_path) as server:
        kill(server)
        with pytest.raises(DashboardError, match=r"has ended \(SIGKILL\)"):
            server.check()
    assert f"{kind.name} has ended (SIGKILL)." in capsys.readouterr().out


def wait_for_words(server, words: str) -> None:
    """What a server prints reaches its log by way of a thread."""
    until = time.monotonic() + 10
    while words not in server.log:
        assert time.monotonic() < until, server.log
        time.sleep(0.05)


def test_last_words_are_kept(server):
    assert ask(server, "/once-more", Origin="https://example.org")[0] == 403
    wait_for_words(server, "once-more")
    server._process.terminate()
    server._process.wait()
    with pytest.raises(DashboardError, match="SIGTERM") as caught:
        server.check()
    assert "once-more" in str(caught.value)
    assert "once-more" in server.log


def story(first, second, interrupt) -> None:
    """What two clients post, with four moments at which a server may die."""
    for step in range(12):
        if step in (2, 4, 7, 9):
            interrupt(step)
        first.line([step**2], [step], win="loss", update="append", opts={"title": "loss"})
        first.image(np.full((1, 4, 4), step / 12), win="digits", opts={"store_history": True})
        second.text(f"step {step}", win="notes", append=step > 0)
        if step in (0, 5):
            first.text(f"only until step {step + 3}", win=f"note {step}")
        if step in (3, 8):
            first.close(f"note {step - 3}")
        if step == 6:
            first.save(["digits"])
    second.text("new", win="new", env="third")
    first.update_window_opts("loss", {"title": "the whole loss"})


def test_nothing_is_lost_when_the_server_dies(tmp_path, capsys, monkeypatch):
    # Another test may take the usual port while the server is dead.
    monkeypatch.setattr(Visdom, "first_port", ports.free_port())
    with Visdom(tmp_path / "undisturbed") as server:
        clients = server.client("digits"), server.client("notes")
        story(*clients, lambda step: None)
        wanted = [windows(client) for client in clients]

    dead = []

    def interrupt(step: int) -> None:
        if dead:
            server.start()
            dead.clear()
        else:
            kill(server)
            dead.append(step)

    with Visdom(tmp_path / "disturbed") as server:
        port = server.port
        clients = server.client("digits"), server.client("notes")
        story(*clients, interrupt)
        assert server.port == port, "an open page finds it again"
        assert [windows(client) for client in clients] == wanted
        kill(server)
        clients[0].save(["digits", "notes"])
        server.start()
        assert [windows(client) for client in clients] == wanted, "saved while it was dead"
        kill(server)
        server.start()
        assert [windows(client) for client in clients] == wanted, "posted twice"
    said = capsys.readouterr()
    assert said.out.count("What you send to it is kept") == 3, "once for each death that was met"
    assert said.err == ""
    with Visdom(tmp_path / "disturbed") as again:
        assert windows(again.client("digits")) == wanted[0], "saved"
    assert len(wanted[0]["loss"]["content"]["data"][0]["y"]) == 12
    assert len(wanted[0]["digits"]["content"]) == 12
    assert [name for name in wanted[0] if name.startswith("note")] == []


def test_a_question_to_a_dead_server_is_a_sentence(server, capsys):
    client = server.client()
    window = client.text("here")
    kill(server)
    for question in (client.get_window_data, lambda: client.win_hash(window)):
        with pytest.raises(DashboardError, match=r"Start it again with \.start"):
            question()
    assert client.win_exists(window)
    assert not client.win_exists("another")
    with pytest.raises(DashboardError, match="has ended"):
        server.client()
    server.start()
    assert client.win_exists(window)


def test_a_server_that_hangs_is_given_up_and_started_again(server, capsys, monkeypatch):
    monkeypatch.setattr("paired.dashboards.visdom.ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("paired.dashboards.server._STOP_SECONDS", 0.5)
    client = server.client()
    os.kill(server._process.pid, signal.SIGSTOP)
    client.text("kept", win="w")
    assert "Visdom does not answer. What you send to it is kept" in capsys.readouterr().out
    monkeypatch.setattr("paired.dashboards.visdom.ANSWER_SECONDS", 10)
    server.start()
    assert windows(client)["w"]["content"] == "kept"


# What is left


PROGRAM = """
import os, sys, time
from paired import dashboards
if {fork} and os.fork():
    os.wait()
    sys.exit()
servers = [dashboards.TensorBoard(sys.argv[1]).start(), dashboards.Visdom(sys.argv[1]).start()]
print(os.getpid(), *(server._process.pid for server in servers), flush=True)
{then}
"""


@contextlib.contextmanager
def run(tmp_path, fork: bool, then: str):
    """Start both servers in a program; yields it, its notebook's process, and their family."""
    command = [sys.executable, "-c", PROGRAM.format(fork=fork, then=then), tmp_path]
    with started(command, stdout=subprocess.PIPE) as program:
        notebook, *servers = map(psutil.Process, map(int, program.stdout.readline().split()))
        yield program, notebook, [*servers, *servers[0].children()]


@pytest.mark.parametrize("fork", [False, True])
def test_a_killed_kernel_leaves_no_server(tmp_path, fork):
    with run(tmp_path, fork, "time.sleep(60)") as (_, notebook, family):
        assert len(family) == 3, "TensorBoard reads its files in a process of its own"
        for process in family:
            listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
            assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
        notebook.kill()
        assert psutil.wait_procs(family, timeout=15)[1] == []


def test_a_kernel_that_ends_stops_its_servers(tmp_path):
    with run(tmp_path, False, "") as (_, _, family):
        assert psutil.wait_procs(family, timeout=15)[1] == []


def test_a_process_forked_from_the_notebook_stops_nothing(tmp_path):
    then = "if os.fork() == 0: servers[0].stop(); sys.exit()\nos.wait(); "
    then += "print(*(server.running for server in servers), flush=True)"
    with run(tmp_path, False, then) as (program, _, family):
        assert program.stdout.readline().split() == ["True", "True"]
        assert psutil.wait_procs(family, timeout=15)[1] == []


def test_tensorboards_magic_ends_with_its_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # without this environment's
    # The number of a server that was killed belongs to another program now, and so does its port.
    stale = tmp_path / ".tensorboard-info" / f"pid-{os.getpid()}.info"
    stale.parent.mkdir()
    with kernel() as running, socket.create_server((ports.ADDRESS, 0)) as other:
        stale.write_text(json.dumps({"port": other.getsockname()[1]}))
        assert said(running, "from paired import dashboards; dashboards.set_up_magic()") == ""
        assert not stale.exists()
        port = next(filter(ports.is_free, range(6106, 6206)))
        magic = f"%load_ext tensorboard\n%tensorboard --logdir . --host 127.0.0.1 --port {port}"
        assert "ERROR" not in said(running, magic)
        assert ports.occupant(port) == "TensorBoard"
        pid = int(said(running, "import os; print(os.getpid())"))
        family = psutil.Process(pid).children(recursive=True)
        assert len(family) == 2
        for process in family:
            listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
            assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
        running.interrupt()
        time.sleep(0.5)
        assert ports.occupant(port) == "TensorBoard", "the Stop button is for the cell"
        os.kill(pid, signal.SIGKILL)
        assert psutil.wait_procs(family, timeout=15)[1] == []
    assert list(stale.parent.iterdir()) == []


# Visdom's server and client


def test_visdom_is_silent_and_imports_no_framework(tmp_path):
    code = """
import sys
from paired import dashboards
with dashboards.Visdom(sys.argv[1]) as server:
    client = server.client()
    client.line([1, 2], win="line")
    assert {"torch", "tensorflow", "keras"}.isdisjoint(sys.modules)
    import torch
    server.client().line(torch.ones(3, requires_grad=True), win="line")
    assert "1.0, 1.0, 1.0" in client.get_window_data("line")
    server._process.kill()
    import time
    time.sleep(4)  # Visdom's own client would have complained by now
    """
    environment = os.environ | {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "127.0.0.1:9"}
    environment |= {"NO_PROXY": "", "no_proxy": "", "HOME": str(tmp_path)}
    process = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, tmp_path / "visdom"],
        capture_output=True, text=True, cwd=course.ROOT, env=environment,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert process.stdout == "Visdom has ended (SIGKILL). It said nothing.\n"
    assert process.stderr == ""
    assert not (tmp_path / ".visdom").exists()


def test_an_environment_survives_a_save_before_anybody_has_looked_at_it(tmp_path):
    with Visdom(tmp_path) as server:
        client = server.client("digits")
        client.text("saved", win="w")
        assert json.loads(client.save(["digits"])) == ["digits"]
        client.text("not saved", win="v")
    with Visdom(tmp_path) as server:
        client = server.client("digits")
        assert client.save(["digits"])
        assert list(windows(client)) == ["w"]
    assert list(json.loads((tmp_path / "digits.json").read_text())["jsons"]) == ["w"]


def test_what_the_server_cannot_do_is_a_sentence(server):
    client = server.client()
    client.line([1, 2], win="w")
    with pytest.raises(DashboardError, match="It says: TypeError: object of"):
        client._send({"data": None, "win": "w", "name": "a", "append": True}, endpoint="update")
    wait_for_words(server, "TypeError: object of")
    assert server.running
    assert windows(client)["w"]["content"]["data"][0]["y"] == [1, 2]


def test_press_calls_the_handlers_with_what_the_page_would_send(server, capsys):
    client = server.client("runs/first")
    pane = client.properties(
        [
            {"type": "button", "name": "stop", "value": "Stop"},
            {"type": "number", "name": "learning rate", "value": "0.1"},
        ],
        win="controls",
    )
    events = []
    client.register_event_handler(events.append, pane)
    dashboards.press(client, pane)
    dashboards.press(client, pane, propertyId=1, value="0.05")
    dashboards.press(client, pane, event_type="KeyPress", key="s", key_code=83)
    pressed, changed, key = events
    assert (pressed["event_type"], pressed["propertyId"]) == ("PropertyUpdate", 0)
    assert (pressed["value"], pressed["target"], pressed["eid"]) == ("clicked", pane, "runs_first")
    assert pressed["pane_data"]["content"][0]["name"] == "stop"
    assert (changed["propertyId"], changed["value"]) == (1, "0.05")
    assert (key["event_type"], key["key"]) == ("KeyPress", "s")
    with pytest.raises(
        DashboardError, match="has no window 'nothing' in the environment 'runs/first'"
    ):
        dashboards.press(client, "nothing")

    def broken(event: dict) -> None:
        raise ValueError("a mistake of the student")

    client.register_event_handler(broken, pane)
    dashboards.press(client, pane)
    assert "ValueError: a mistake of the student" in capsys.readouterr().err
    kill(server)
    client.text("met", win="w")
    server.start()
    dashboards.press(client, pane)
    assert len(events) == 5, "and after the server has died and been started again"


@pytest.mark.parametrize("path", ["socket", "vis_socket"])
def test_pages_from_elsewhere_are_turned_away(server, path):
    assert ask(server, Origin=server.url.rstrip("/"))[0] == 200
    assert ask(server, Origin="http://localhost:8888")[0] == 200
    assert ask(server, Origin="https://example.org")[0] == 403
    assert ask(server, Origin="null")[0] == 403
    assert ask(server, Host="example.org")[0] == 403, "a name that leads to this machine"
    address = f"ws://127.0.0.1:{server.port}/{path}"
    websocket.create_connection(address, timeout=10).close()
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(address, timeout=10, origin="https://example.org")


def test_without_the_files_of_the_page_it_says_so_and_everything_else_works(tmp_path, monkeypatch):
    monkeypatch.setattr("paired.dashboards.visdom.PAGE", tmp_path / "page")
    assert "run `make env`" in dashboards.missing_page()
    with Visdom(tmp_path / "visdom") as server:
        for path in ("/", "/env/main", "/compare/main+digits"):
            status, text = ask(server, path)
            assert status == 200
            assert "run `make env`" in text
        client = server.client()
        client.line([1, 2], win="w")
        assert windows(client)["w"]["content"]["data"][0]["y"] == [1, 2]
        for file in json.loads((course.ROOT / "env" / "visdom" / "files.json").read_text()):
            (tmp_path / "page" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "page" / file).touch()
        assert dashboards.missing_page() is None
        assert '<div id="app">' in ask(server)[1], "fetched meanwhile"


def test_every_file_that_the_page_asks_for_is_served(server):
    if dashboards.missing_page():
        pytest.skip("NO PAGE: the files of Visdom's page are not here; run make env with a network")
    status, text = ask(server)
    assert status == 200
    files = re.findall(r"(?:href|src)=['\"]?(/[^\s>'\"]+)", text)
    assert len(files) == 18
    for file in files:
        assert ask(server, file)[0] == 200, file
    for outside in ("/static/../VERSION", "/static/%2e%2e/VERSION", "/static//etc/passwd"):
        assert ask(server, outside)[0] in (403, 404) or "visdom" in ask(server, outside)[1]
    assert "/user/style.css" in text


def test_a_server_behind_a_tile_shows_what_was_saved_after_it_started(tmp_path):
    port = ports.free_port()
    options = ["--folder", tmp_path, "--port", str(port), "--base-url", "/lab/visdom"]
    command = [sys.executable, "-m", "paired.dashboards", "visdom", *options]
    with started(command, stdout=subprocess.PIPE) as tile:
        assert tile.stdout.readline() == "Visdom is listening\n"
        behind = Visdom(tmp_path)
        behind.port = port
        assert ask(behind, "/lab/visdom/")[0] == 200, "nothing is saved yet: the usual page"
        with Visdom(tmp_path) as server:
            client = server.client("digits")
            client.text("saved", win="w")
            client.save(["digits"])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/lab/visdom/")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Location")) == (302, "/lab/visdom/env/digits")
        status, text = ask(behind, "/lab/visdom/env/digits")
        assert (status, "'digits'" in text) == (200, True)
        assert ask(behind, "/lab/visdom/", Origin="https://example.org")[0] == 403
        connection.close()
        tile.send_signal(signal.SIGINT)
        assert tile.wait(10) == 0


def test_pytorch_writes_for_tensorboard_without_tensorflow(tmp_path):
    code = """
import sys
from paired import dashboards
dashboards.set_up_magic()
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter(sys.argv[1]) as writer:
    writer.add_scalar("loss", 0.5, 1)
assert "tensorflow" not in sys.modules
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]).Reload()
print(events.Scalars("loss")[0].value)
    """
    command = [sys.executable, "-c", code, tmp_path]
    process = subprocess.run(command, capture_output=True, text=True, cwd=course.ROOT)
    assert (process.stdout, process.stderr) == ("0.5\n", "")


def test_records_are_in_the_checkout():
    assert dashboards.RECORDS == course.ROOT / ".records" / "dashboards"
    assert (course.ROOT / "env" / "jupyter" / "tensorboard").stat().st_mode & 0o111 == 0o111
