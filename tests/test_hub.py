"""A class on one machine: two students at a real JupyterHub, and what they can do to each other.

Started as root, the hub makes users of the system. The tests run it, then, where /etc is a copy.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from paired import course, needs, ports
from paired.machine import update
from paired.machine.hub import room as rooms
from paired.machine.hub import student

import psutil
import pytest
from conftest import commit_all, write_notebook

ROOT = os.getuid() == 0
WORD, PASSWORD = "abc234xy", "one of my own"
pytestmark = [
    pytest.mark.xdist_group("hub"),
    pytest.mark.skipif(sys.platform != "linux", reason="the hub was tried on Linux only"),
]
as_root = pytest.mark.skipif(not ROOT, reason="NOT PROVEN HERE: users of the system need root")

# What root runs the hub in: mounts of its own, where /etc is a copy, and where everybody can reach
# a Python in somebody's home. Nothing of it is left.
MOUNTS = """
set -e
mount --make-rprivate /
copy=$1; python=$2; shift 2
cp -a /etc "$copy/etc" && mount --bind "$copy/etc" /etc
if ! setpriv --reuid=65534 --clear-groups test -x "$python"; then
    mkdir "$copy/python" && mount --bind "$python" "$copy/python"
    home=/$(echo "$python" | cut -d / -f 2)
    mount -t tmpfs -o mode=755 tmpfs "$home" && mkdir -p "$python"
    mount --bind "$copy/python" "$python"
fi
exec "$@"
"""
START = "import pathlib, sys; from paired.machine.hub import __main__ as hub; "
START += "sys.exit(hub.main(sys.argv[2:], pathlib.Path(sys.argv[1])))"


class Student:
    """Somebody at the hub, by its pages and interfaces; root and the one user can use a kernel."""

    def __init__(self, address: str, folder: pathlib.Path, name: str) -> None:
        import requests

        self.address, self.folder, self.name = address, folder, name
        self.pages, self.clients = requests.Session(), []

    def enter(self, word: str = WORD, password: str = PASSWORD) -> str | None:
        """Log in; what the page says to one who may not."""
        self.pages.cookies.clear()
        form = self.pages.get(f"{self.address}/hub/login").text
        fields = {"_xsrf": re.search('name="_xsrf" value="([^"]*)', form)[1], "otp": word}
        fields |= {"username": self.name, "password": password}
        page = self.pages.post(f"{self.address}/hub/login?next=/hub/home", data=fields).text
        if refused := re.search('class="login_error">([^<]*)', page):
            return refused[1].strip()
        self.name = self.name.strip().lower()
        self.mark = re.search('xsrf_token: "([^"]*)"', page)[1]
        token = self.hub("POST", "/tokens", json={})["token"]
        self.pages.cookies.clear()
        self.pages.headers["Authorization"] = f"token {token}"
        return None

    def hub(self, method: str, what: str, **options) -> dict:
        url = f"{self.address}/hub/api/users/{self.name}{what}"
        answer = self.pages.request(method, url, params={"_xsrf": self.mark}, **options)
        assert answer.ok, answer.text + self.logs()
        return answer.json() if answer.content else {}

    def logs(self) -> str:
        """The last words of the hub, and of the student's server."""
        files = ("hub/hub.log", f"students/{self.name}/server.log")
        paths = [self.folder / "course" / "class" / name for name in files]
        return "\n".join(path.read_text()[-2000:] for path in paths if path.exists())

    def start(self) -> None:
        self.hub("POST", "/server")
        until = time.monotonic() + 120
        while not self.hub("GET", "")["server"]:
            assert time.monotonic() < until, self.logs()
            time.sleep(0.2)

    def open(self, path: str):
        """A client of a new kernel for a notebook."""
        from jupyter_client import BlockingKernelClient

        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        sessions = f"{self.address}/user/{self.name}/api/sessions"
        answer = self.pages.post(sessions, json=body)
        assert answer.status_code == 201, answer.text
        name = f"kernel-{answer.json()['kernel']['id']}.json"
        client = BlockingKernelClient(connection_file=f"{self.folder}/sockets/{self.name}/{name}")
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        self.clients.append(client)
        return client


def said(client, code: str, seconds: float = 60) -> str:
    """What a cell prints, and the name of its error."""
    parts = []

    def keep(message: dict) -> None:
        parts.extend(message["content"].get(key, "") for key in ("text", "ename"))

    client.execute_interactive(code, output_hook=keep, allow_stdin=False, timeout=seconds)
    return "".join(parts).strip()


@pytest.fixture(scope="module")
def folder():
    """A course of one lesson, where all users can go."""
    if said_so := needs.missing("hub"):
        pytest.skip(f"NOT PROVEN HERE: {said_so}")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="class-"))
    folder.chmod(0o755)
    for framework in course.FRAMEWORKS:
        write_notebook(folder / "course" / "notebooks" / f"01_tiny_{framework}.ipynb", "1")
    (folder / "course" / ".gitignore").write_text("class/\n.jupyter/\n")
    commit_all(folder / "course")
    yield folder
    shutil.rmtree(folder)


def variables(process: psutil.Process) -> str:
    """Which class a process was started for."""
    with contextlib.suppress(psutil.Error):
        return process.environ().get(rooms.VARIABLE, "")
    return ""


@pytest.fixture(scope="module")
def hub(folder):
    """The address of a hub."""
    port = ports.server_port()
    command = [sys.executable, "-c", START, folder / "course", "--port", str(port)]
    command += ["--word", WORD, "--memory", "1", "--seats", "4"]
    if ROOT:
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            pytest.skip("NOT PROVEN HERE: this root may not mount, so /etc would be changed")
        (folder / "mounts").mkdir()
        mounts = ["bash", "-c", MOUNTS, "mounts", folder / "mounts", sys.base_prefix]
        command = ["unshare", "-m", *mounts, *command]
    others = set(pathlib.Path("/tmp").glob("hub-*"))
    with (folder / "words").open("w") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while "Ctrl-C" not in (folder / "words").read_text():
            if process.poll() is not None:
                end = (folder / "words").read_text()
                assert "could not be fetched from npm" in end, end
                pytest.skip(f"NOT PROVEN HERE: {end}")
            assert time.monotonic() < until
            time.sleep(0.2)
        [sockets] = set(pathlib.Path("/tmp").glob("hub-*")) - others
        (folder / "sockets").symlink_to(sockets)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()
    until = time.monotonic() + 20
    while left := [p for p in psutil.process_iter() if str(folder) in variables(p)]:
        assert time.monotonic() < until, left
        time.sleep(0.2)
    assert not sockets.exists(), "something is left"


@pytest.fixture(scope="module")
def class_of_two(hub, folder):
    """Two students whose servers have been started."""
    students = [Student(hub, folder, name) for name in ("anna", "ben")]
    for each in students:
        assert each.enter() is None
        each.start()
    yield students
    for each in students:
        for client in each.clients:
            client.stop_channels()


@pytest.fixture(scope="module")
def anna(class_of_two):
    return class_of_two[0].open("notebooks/01_tiny_tensorflow.ipynb")


@pytest.fixture(scope="module")
def ben(class_of_two):
    return class_of_two[1].open("notebooks/01_tiny_pytorch.ipynb")


def test_who_may_come_in(hub, folder, class_of_two):
    words = (folder / "words").read_text()
    assert WORD in words
    assert "Only this machine can reach it." in words
    assert ("is a user of this machine" in words) == ROOT
    assert ("only for a class that you trust" in words) != ROOT
    carl = Student(hub, folder, "carl")
    assert (
        carl.enter("")
        == carl.enter("guessed")
        == ("A new name needs the word that stands on the board.")
    )
    assert "Password too short" in carl.enter(password="carl")
    assert "Choose a name of small letters" in Student(hub, folder, "../root").enter()
    assert "not the password" in Student(hub, folder, "anna").enter(password="another one")
    assert Student(hub, folder, "Anna ").enter(word="") is None, "the word is for new names only"


def test_a_kernel_is_forked_and_is_the_students(anna, ben, class_of_two, folder):
    code = "import os, sys; print('tensorflow' in sys.modules, 'torch' in sys.modules, os.getuid(),"
    code += " os.getcwd(), oct(os.umask(0o77)))"
    first, second = said(anna, code).split(), said(ben, code).split()
    assert first[:2] == ["True", "False"]
    assert second[:2] == ["False", "True"]
    assert (first[2] != second[2]) == ROOT
    assert first[3] == str(folder / "course" / "class" / "students" / "anna" / "course/notebooks")
    assert first[4] == "0o77"
    code = "from paired import parity; print(parity.record_path('01_tiny', 'pytorch'))"
    assert "/students/anna/course/.records/" in said(anna, code)
    draw = "import secrets, multiprocessing.process as m; print(m.current_process().authkey.hex())"
    assert said(anna, draw) != said(ben, draw)
    slow = """import socket
asker = socket.socket(socket.AF_UNIX)
asker.settimeout(1)
asker.connect(json.loads(os.environ["PAIRED_HUB"])["sockets"] + "/pytorch")
print("pid" in str(asker.recv(100)))
asker.recv(100)
"""
    assert said(ben, f"import json, os\n{slow}") == "True\nTimeoutError", "it waits for its request"
    endless = anna.execute("import time\ntime.sleep(60)", stop_on_error=False)
    url = f"{class_of_two[0].address}/user/anna/api/kernels"
    [kernel] = class_of_two[0].pages.get(url).json()
    time.sleep(0.5)
    class_of_two[0].pages.post(f"{url}/{kernel['id']}/interrupt")
    while (reply := anna.get_shell_msg(timeout=30))["parent_header"]["msg_id"] != endless:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"


@as_root
def test_a_student_reaches_nothing_of_another_and_nothing_of_the_hub(anna, ben, folder):
    pid = said(anna, "import os; open('/dev/shm/mine', 'w').close(); print(os.getpid())")
    hub = folder / "course" / "class" / "hub"
    tries = [
        f"os.kill({pid}, 9)", "os.kill(os.getppid(), 9)", "os.setuid(0)",
        f"open('/proc/{pid}/environ')", f"os.listdir('/proc/{pid}/fd')",
        "os.listdir('../../../anna')", f"os.listdir('{hub}')", f"open('{hub}/word')",
        f"open('{folder}/course/notebooks/new', 'w')", f"open('{folder}/course/.git/config', 'a')",
        "__import__('shutil').rmtree('../../../anna')",
    ]  # fmt: skip
    for each in tries:
        assert said(ben, f"import os\n{each}") in ("PermissionError", "FileNotFoundError"), each
    held = """import os, socket
for name in os.listdir("/proc/self/fd"):
    try:
        print(socket.socket(fileno=os.dup(int(name))).getsockname())
    except (OSError, ValueError):
        pass
"""
    assert not re.search("/hub-[^/]*/[^/]*'", said(ben, held)), "a socket that others ask at"
    code = "import glob; print(glob.glob('/dev/shm/*'), glob.glob('/tmp/hub-*/anna/*'))"
    assert said(ben, code) == "[] []"
    assert (
        said(ben, "!sudo -n true 2>&1; grep -h '^Cap[PE]\\|NoNew' /proc/self/status").count(
            "\t0000000000000000"
        )
        == 2
    )
    assert said(anna, "print('here')") == "here"


@as_root
def test_who_is_not_of_the_class_gets_no_kernel(anna, folder):
    address = folder / "sockets" / "tensorflow"
    code = "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
    code += """s.sendall(b'{"argv": ["ipykernel_launcher"], "cwd": "/", "env": {}}\\n')\n"""
    code += "print(s.recv(100))"
    for uid in (0, 65534):
        command = ["/usr/bin/env", "python3", "-c", code, str(address)]
        done = subprocess.run(command, user=uid, cwd="/", capture_output=True, text=True)
        assert "pid" not in done.stdout, "root and nobody are no students"
        assert done.stdout == "b''\n" or "BrokenPipe" in done.stderr or "reset" in done.stderr


# 400 processes that sleep; and five, none of which has too much memory, that have it together.
FORKS = """import os, signal, time
born = []
try:
    for _ in range(400):
        if (pid := os.fork()) == 0:
            time.sleep(20)
            os._exit(0)
        born.append(pid)
except OSError as problem:
    print(type(problem).__name__, len(born))
for pid in born:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""
HOG = """import os, time
for _ in range(5):
    if os.fork() == 0:
        x = b"x" * (350 * 2**20)
        time.sleep(5)
        os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@as_root
def test_forks_and_memory_have_an_end(anna, ben, class_of_two):
    run = "import subprocess, sys\nrun = lambda c: print(subprocess.run([sys.executable, '-c', c], "
    said(ben, run + "capture_output=True, text=True).stdout)")
    name, number = said(ben, f"run({FORKS!r})").split()
    assert name == "BlockingIOError"
    assert 100 < int(number) < 300
    assert said(ben, "x = bytearray(3 * 2**30)") == "MemoryError"
    assert said(ben, f"run({HOG!r})") == str(-signal.SIGKILL)
    assert said(anna, "print('unharmed')") == "unharmed"
    uid = int(said(ben, "import os; print(os.getuid())"))
    said(ben, "subprocess.Popen(['sleep', '600'], start_new_session=True);")
    class_of_two[1].hub("DELETE", "/server")
    until = time.monotonic() + 30
    while any(p.info["uids"].real == uid for p in psutil.process_iter(["uids"])):
        assert time.monotonic() < until, "something of a student outlives the server"
        time.sleep(0.2)


def test_a_copy_is_brought_up_to_date_and_loses_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    root, source, copy = tmp_path / "of", tmp_path / "of.git", tmp_path / "course"
    files = [f"notebooks/0{number}_tiny_pytorch.ipynb" for number in (1, 2)]
    for version in ("1", "2"):
        for file in files:
            write_notebook(root / file, version)
        commit_all(root)
        subprocess.run(["git", "clone", "-q", "--bare", root, source], check=False)
        subprocess.run(["git", "-C", root, "push", "-q", source, "HEAD"], check=True)
        student.bring(source, copy)
        assert update.git(copy, "rev-parse", "HEAD") == update.git(root, "rev-parse", "HEAD")
        write_notebook(copy / files[0], "my answer")
    kept = list(copy.glob("notebooks/*.mine-*"))
    assert len(kept) == 1
    assert "my answer" in kept[0].read_text()
    shutil.rmtree(copy / ".git")
    student.bring(source, copy)
    assert len(list(tmp_path.glob("course.mine-*/notebooks/*.mine-*"))) == 1
    assert (copy / files[0]).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "192.0.2.7"], "The class cannot listen at 192.0.2.7, port 8000"),
        (["--students", "nowhere"], "The list of students cannot be read"),
        (["--port", "99999"], "cannot listen at 127.0.0.1, port 99999"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(arguments, words, folder, tmp_path, capsys):
    from paired.machine.hub import __main__ as start

    assert start.main(arguments, tmp_path) == 1
    assert words in capsys.readouterr().err


def test_only_accounts_of_this_class_are_students():
    room = rooms.Room("/srv/class", "/tmp/x", 1, 1, users=True)
    with pytest.raises(PermissionError):
        room.account_of(0)
    with pytest.raises(KeyError):
        room.account("root")
