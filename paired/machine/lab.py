"""Open the course in JupyterLab: `make lab`, or `make lab LESSON=04` for a pair side by side.

The server runs in this process, so it cannot outlive it, and all that Jupyter writes stays in the
checkout, in `.jupyter/`. TensorBoard and Visdom are tiles of its launcher: a click starts them, and
they end with it.
"""

import argparse
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import secrets
import signal
import sys
import threading
import time
import webbrowser

from paired import course, ports

FIRST_PORT, PORTS = 8888, 50
SETTINGS = course.ROOT / "env" / "jupyter"
JUPYTER_FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
}


def dock(*areas: list[str]) -> dict:
    """A JupyterLab workspace with these tab areas side by side, the first file of each in front."""
    widgets, children = {}, []
    for area in areas:
        keys = []
        for path in area:
            notebook = path.endswith(".ipynb")
            key = f"{'notebook' if notebook else 'markdownviewer-widget'}:{path}"
            factory = "Notebook" if notebook else "Markdown Preview"
            widgets[key] = {"data": {"path": path, "factory": factory}}
            keys.append(key)
        children.append({"type": "tab-area", "currentIndex": 0, "widgets": keys})
    main = children[0]
    if len(areas) > 1:
        sizes = [1 / len(areas)] * len(areas)
        main = {"type": "split-area", "orientation": "horizontal", "sizes": sizes}
        main["children"] = children
    restored = {"main": {"dock": main, "current": children[0]["widgets"][0]}}
    # The list of files is for the course as a whole; a pair needs the window's width.
    files = {"current": "filebrowser"} if len(areas) == 1 else {"collapsed": True}
    restored["left"] = {"visible": True, **files}
    restored["right"] = {"visible": True, "collapsed": True}
    return {"layout-restorer:data": restored, **widgets}


def write_workspace(root: pathlib.Path, lesson: course.Lesson | None) -> str:
    """Write the workspace of a lesson, or of the course if there is none yet; returns its name.

    A lesson's is always written anew, because the pair side by side is what was asked for.
    """
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    if lesson is None:
        name, areas = "course", [["README.md"]]
    else:
        name, areas = f"lesson-{lesson.number}", []
        for framework in course.FRAMEWORKS:
            file = lesson.path(framework, root=root)
            areas += [[file.relative_to(root).as_posix()]] if file.exists() else []
    manager = WorkspacesManager(str(root / ".jupyter" / "workspaces"))
    if lesson or not manager.load(name)["data"]:
        manager.save(name, json.dumps({"data": dock(*areas), "metadata": {"id": name}}))
    return name


def launcher_tiles(root: pathlib.Path) -> dict:
    """What jupyter-server-proxy starts, and shows, when somebody clicks on a tile of the launcher.

    TensorBoard shows the runs that the lessons have left, Visdom the environments that they saved.
    Both listen on this machine only, and are reached through JupyterLab, which asks for its token.
    """
    runs = str(root / ".records" / "dashboards").replace("{", "{{").replace("}", "}}")
    python = [sys.executable, "-m", "paired.dashboards"]
    options = {
        "TensorBoard": ["tensorboard", "--logdir", runs, "--host", ports.ADDRESS],
        "Visdom": ["visdom", "--folder", f"{runs}/visdom", "--base-url", "{base_url}visdom"],
    }
    return {
        title.lower(): {
            "command": [*python, *arguments, "--port", "{port}"],
            "absolute_url": title == "Visdom",  # TensorBoard's links are relative
            "timeout": 60,
            "new_browser_tab": False,
            "launcher_entry": {
                "title": title,
                "icon_path": str(SETTINGS / f"{title.lower()}.svg"),
            },
        }
        for title, arguments in options.items()
    }


def answers(server: dict) -> bool:
    """Whether the Jupyter server of a runtime file answers, and to its token."""
    connection = http.client.HTTPConnection(ports.ADDRESS, server["port"], timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        headers = {"Authorization": f"token {server['token']}"}
        connection.request("GET", "/api/status", headers=headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    return False


def running(root: pathlib.Path) -> list[dict]:
    """The servers of this checkout that are running."""
    from jupyter_server.serverapp import list_running_servers

    return [s for s in list_running_servers(str(root / ".jupyter" / "runtime")) if answers(s)]


def choose_port(wanted: int | None) -> int:
    """The wanted port, or else the first free one.

    Raises:
        LookupError: the wanted port, or every port from the first on, is taken.
    """
    candidates = [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + PORTS)
    for port in candidates:
        with contextlib.suppress(PermissionError, OverflowError):
            if ports.is_free(port):
                return port
    raise LookupError(
        f"Port {candidates[0]} is taken by another program, or is not yours to use. Choose "
        f"another, make lab PORT={FIRST_PORT + PORTS}, or leave PORT out for the first that is "
        "free."
    )


def browse(url: str) -> bool:
    """Open an address in the browser, if there is one to see; its token shows in no process list.

    The browser is given a one-time address that leads to the real one.
    """
    desktop = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    )
    if not desktop:
        return False
    secret = f"/{secrets.token_urlsafe()}"

    served: list[bool] = []

    class Redirect(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == secret:
                served.append(True)
            self.send_response(http.HTTPStatus.FOUND if self.path == secret else 404)
            self.send_header("Location", url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer((ports.ADDRESS, 0), Redirect) as server:
        address = f"http://{ports.ADDRESS}:{server.server_port}{secret}"
        opened: list[bool] = []
        # Some programs that BROWSER names do not return before they have fetched the page.
        opener = threading.Thread(
            target=lambda: opened.append(webbrowser.open(address)), daemon=True
        )
        opener.start()
        server.timeout, until = 0.2, time.monotonic() + 20
        while not served and time.monotonic() < until and opened != [False]:
            server.handle_request()
    return bool(served)


def announce(server: dict, workspace: str) -> None:
    """Say where the course is, and open it in the browser."""
    page = f"http://{ports.ADDRESS}:{server['port']}/lab/workspaces/{workspace}?token={server['token']}"
    print(f"The course is open at\n\n  {page}\n", flush=True)
    if not browse(page):
        print("There is no browser here: open that address in one on this machine.", flush=True)


def options(root: pathlib.Path) -> dict:
    """How JupyterLab shows the course, here and behind a hub."""
    return {
        "ServerApp.root_dir": root,
        "LabApp.extension_manager": "readonly",  # the other kind asks a package index
        "LabApp.app_settings_dir": SETTINGS,
        "LabApp.extra_labextensions_path": SETTINGS / "labextensions",
    }


def settings(root: pathlib.Path) -> dict:
    """Those that cannot be said on a command line."""
    return {
        "ServerProxy": {"servers": launcher_tiles(root)},
        # It starts npm to look for language servers, of which there are none here.
        "ServerApp": {"jpserver_extensions": {"jupyter_lsp": False}},
    }


def serve(root: pathlib.Path, port: int, workspace: str) -> None:
    """Run JupyterLab until Ctrl-C; what it says goes to a log, what `print` says to the screen."""
    log = root / ".jupyter" / "lab.log"
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

    from jupyterlab.labapp import LabApp
    from traitlets.config import Config

    here = {
        "ServerApp.ip": ports.ADDRESS,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.allow_root": True,  # in a container
        "ServerApp.open_browser": False,
    }
    try:
        arguments = [f"--{key}={value}" for key, value in (here | options(root)).items()]
        lab = LabApp.initialize_server(arguments, config=Config(settings(root)))
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.getsignal(signal.SIGTERM))  # stops the kernels first

        def when_it_answers() -> None:
            server = {"port": port, "token": lab.identity_provider.token}
            while not answers(server):
                time.sleep(0.1)
            announce(server, workspace)
            print(f"Stop it with Ctrl-C in this window. Jupyter's log is {log}.")

        threading.Thread(target=when_it_answers, daemon=True).start()
        lab.start()
        print("JupyterLab has stopped.")
    except SystemExit as stop:
        if stop.code:
            print(
                "JupyterLab cannot start. It says:", *log.read_text().splitlines()[-5:], sep="\n  "
            )
        raise


def copy_course(root: pathlib.Path, home: pathlib.Path) -> None:
    """Copy the course's notebooks and pages; what is there already stays as it is."""
    for source in [*root.glob("*.md"), *(root / kind for kind in course.KINDS)]:
        for file in source.rglob("*") if source.is_dir() else [source]:
            target = home / file.relative_to(root)
            if file.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())  # not its permissions


def own_copy(root: pathlib.Path) -> pathlib.Path:
    """A folder of the person's own with the notebooks, for a checkout that is read-only."""
    home = pathlib.Path.home() / "same-network-twice"
    copy_course(root, home)
    os.environ["PAIRED_HOME"] = str(home)
    print(
        f"This copy of the course cannot be written to. Yours is {home}: what you save and what "
        "the lessons record goes there, and stays when the course changes."
    )
    return home


def main(arguments: list[str] | None = None, root: pathlib.Path = course.ROOT) -> int:
    """Open the course; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make lab")
    parser.add_argument("--lesson", help="its number: both halves side by side")
    parser.add_argument("--port", type=int)
    options = parser.parse_args(arguments)
    if not os.access(root, os.W_OK):
        root = own_copy(root)
    (root / ".jupyter").mkdir(
        mode=0o700, exist_ok=True
    )  # the log and the runtime file say the token
    for name, folder in JUPYTER_FOLDERS.items():
        os.environ[name] = str(root / ".jupyter" / folder)
    try:
        lesson = course.lesson(options.lesson, root) if options.lesson else None
        workspace = write_workspace(root, lesson)
        for server in running(root):
            if options.port in (None, server["port"]):
                print("JupyterLab is running here already.")
                announce(server, workspace)
                return 0
        port = choose_port(options.port)
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 1
    taken = not options.port and port != FIRST_PORT
    print("Starting JupyterLab" + (f"; port {FIRST_PORT} is taken, this is {port}" * taken))
    serve(root, port, workspace)
    return 0


if __name__ == "__main__":
    sys.exit(main())
