"""`env/install.py`: one sentence for each trouble, and no trouble that outlives it."""

import ast
import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading

from paired import course

import extras
import install
import installing
import machine
import pip_settings
import pytest
import steps
import visdom_page
from installing import (
    SCRIPTS,
    UV,
    index,
    installed,
    page,
    run,
    small_course,
    start,
    write_wheel,
)


@pytest.fixture
def root(tmp_path) -> pathlib.Path:
    return small_course(tmp_path)


def test_installs_once_with_pips_settings_and_torchs_cpu_build(monkeypatch, capsys, root):
    """With an index, more wheels and a constraint in pip's own file, and torch's index beside."""
    (root / "env" / "cpu.lock").write_text("torch==2.13.0\ntiny\n")
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / install.STAMP).touch()
    (root / ".venv").symlink_to("elsewhere")
    write_wheel(root / "usual", "torch", "2.13.0")
    write_wheel(root / "cpu", "torch", "2.13.0+cpu")
    (root / "mine.txt").write_text("tiny!=2.0\n")
    wheels, mine = [(root / name).as_uri() for name in ("wheels", "mine.txt")]
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(root / "pip.conf"))
    monkeypatch.setenv("PATH", f"{root / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(install, "has_nvidia_driver", lambda: False)
    with index(root / "usual") as usual, index(root / "cpu") as cpu:
        settings = f"index-url = {usual}\n[install]\nfind-links = {wheels}\nconstraint = {mine}\n"
        (root / "pip.conf").write_text(f"[global]\n{settings}")
        monkeypatch.setattr(install, "CPU_INDEX", cpu)
        assert install.main([], root) == 0
    words = capsys.readouterr().out
    assert ".venv is ready" in words
    assert (root / "elsewhere" / install.STAMP).exists(), "another's environment is left alone"
    assert "it has one, which saves about 3 GB" in words
    assert ("pip does it" in words) == (not UV)
    assert list(root.glob(".venv/lib/*/site-packages/torch-2.13.0+cpu.dist-info"))
    assert installed(root, "tiny.version") == "1.0", "2.0 is refused by mine, 3.0 by the course"
    assert installed(root, "paired.__file__") == str(root / "paired" / "__init__.py")
    assert pathlib.Path(installed(root, "tiny.__cached__")).exists(), "bytecode is compiled"
    [pip] = root.glob(".venv/bin/pip")
    assert "pip" in subprocess.check_output([pip, "--version"], text=True), "students have it"
    assert page(root) == "draw()\n"
    assert {path.name for path in (root / ".cache").iterdir()} <= {"install.lock", "uv"}

    assert run(root) == "", "the second time there is nothing to do or to say"
    (root / "env" / "cpu.lock").write_text("tiny==2.0\n")
    assert not install.ready(root / ".venv", install.fingerprint("cpu.lock", root))


def test_killed_installation_is_waited_for_and_then_made_again(root):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        variables = {"PIP_RETRIES": "0", "PIP_INDEX_URL": address, "PIP_NO_INDEX": ""}
        first = start(root, **variables)
        silent.settimeout(60)  # where it ends before that, as on a full disk, the test fails
        connection = silent.accept()[0]  # pip has begun, and waits for an answer
        os.kill(first.pid, signal.SIGKILL)
        second = start(root)
        assert "Another installation is running" in second.stdout.readline()
        connection.close()
    words = second.communicate(timeout=120)[0]
    assert second.returncode == 0, words
    assert "an unfinished" in words
    assert installed(root, "tiny.version") == "1.0"
    first.communicate()


def test_without_uv_pip_does_it(root):
    (root / "env" / "cpu.lock").write_text("tiny\n")
    for wheel in (root / "wheels").glob("uv-*"):
        wheel.unlink()
    assert "uv is not to be had here; so pip does it" in run(root)
    assert installed(root, "tiny.version") == "2.0", "the course's constraints hold"
    assert pathlib.Path(installed(root, "tiny.__cached__")).exists(), "bytecode is compiled"


@pytest.fixture
def builder(root, monkeypatch) -> install.Builder:
    """One that has this environment's pip, and makes no other."""
    builder = install.Builder(root, ".venv", "cpu.lock")
    builder.folder.mkdir()
    builder.python = sys.executable
    monkeypatch.setattr(builder, "make_python", lambda: None)
    return builder


@pytest.mark.parametrize(
    ("fails", "cause", "pip_does_it"),
    [
        (1, "network", False),
        (1, "certificate", False),
        (1, "no build", True),
        (2, "disk", False),
        (2, "network", True),  # pip may have a proxy that uv cannot use
        (2, None, True),
    ],
)
def test_pip_tries_where_uv_fails(monkeypatch, capsys, builder, fails, cause, pip_does_it):
    steps_begun = []

    def step(what: str, command: list, variables: dict | None = None) -> None:
        steps_begun.append(what)
        if len(steps_begun) == fails:
            raise install.InstallError("what is wrong", cause)

    monkeypatch.setattr(builder, "step", step)
    monkeypatch.setattr(builder, "words", lambda command: "")
    if pip_does_it:
        assert builder.install_with_uv() is False
    else:
        with pytest.raises(install.InstallError, match="what is wrong"):
            builder.install_with_uv()
    assert ("takes a minute longer" in capsys.readouterr().out) == pip_does_it


def test_with_settings_that_uv_does_not_know_pip_does_it(monkeypatch, capsys, builder):
    monkeypatch.setattr(builder, "words", lambda command: "global.keyring-provider='import'")
    assert not builder.install_with_uv()
    assert "pip is set to keyring-provider, which uv is not" in capsys.readouterr().out


def test_failed_step_shows_its_last_words(builder):
    with pytest.raises(install.InstallError) as error:
        builder.step("packages", ["sh", "-c", "seq 20; exit 1"])
    assert "This step failed: packages. Its last words:\n    9\n" in str(error.value)
    assert "All of them are in .venv/install.log" in str(error.value)
    assert "\n8\n9\n" in builder.log.read_text()


def test_no_network(builder):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    options = ["--retries", "1", "--index-url", address]
    with pytest.raises(install.InstallError, match="There is no network"):
        builder.step("packages", builder.pip("install", "--isolated", *options, "nowhere"))


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("npm error code ENOTFOUND\nnpm error network request to x failed", "no network"),
        ("npm ERR! network request failed", "no network"),
        ("npm error   code: 'ECONNREFUSED',", "no network"),
        ("npm error code SELF_SIGNED_CERT_IN_CHAIN", "Set NODE_EXTRA_CA_CERTS"),
        ("npm error code EINTEGRITY", "it was refused"),
        ("npm error code ENOSPC", "The disk is full."),
        ("OSError: [Errno 28] No space left on device", "The disk is full."),
        ("NewConnectionError('[Errno -3] Temporary failure in name resolution')", "no network"),
        ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))", "Set PIP_CERT"),
        ("ERROR: No matching distribution found for torch==2.13.0", "torch==2.13.0 has no build"),
    ],
)
def test_pips_words_become_a_sentence(log, sentence):
    assert sentence in str(steps.explain(log))


def test_unknown_words_are_left_to_the_reader():
    assert steps.explain("ERROR: something else") is None


@pytest.mark.parametrize(
    ("version", "bits", "system", "missing", "sentence"),
    [
        (
            (3, 10, 1),
            64,
            "posix",
            [],
            "This is Python 3.10; the course needs Python 3.11 to 3.13. Use",
        ),
        ((3, 14, 0), 64, "posix", [], "make lab PYTHON=python3.12."),
        ((3, 11, 7), 32, "posix", [], "32-bit"),
        ((3, 11, 7), 64, "nt", [], "open it in WSL"),
        ((3, 11, 7), 64, "posix", ["ensurepip"], "sudo apt install python3.11-venv"),
    ],
)
def test_wrong_python_is_a_sentence(monkeypatch, version, bits, system, missing, sentence):
    monkeypatch.setattr(machine, "other_pythons", lambda: ["python3.12"])
    with pytest.raises(install.InstallError, match=sentence.replace(".", r"\.")):
        install.check_python(version, bits, system, missing)


def test_right_pythons_are_welcome():
    for minor in (11, 12, 13):
        install.check_python((3, minor, 0), 64, "posix", [])


@pytest.mark.parametrize("script", [extras, install, pip_settings, steps, visdom_page])
def test_old_pythons_can_read_the_scripts(script):
    ast.parse(pathlib.Path(script.__file__).read_text(), feature_version=(3, 6))


def fail_with(monkeypatch, root, error) -> None:
    def build(self):
        raise error

    monkeypatch.setattr(install.Builder, "build", build)
    assert install.main([], root) == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full."),
        (OSError(errno.EROFS, "Read-only file system"), "cannot be written to"),
        (KeyboardInterrupt(), "Stopped."),
    ],
)
def test_trouble_outside_pip_is_a_sentence_too(monkeypatch, capsys, root, error, sentence):
    fail_with(monkeypatch, root, error)
    assert sentence in capsys.readouterr().err


def test_too_little_space_is_said_before_anything_is_written(monkeypatch, capsys, root):
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1e9))
    assert install.main([], root) == 1
    assert "1.0 GB free here and the installation needs about 5 GB" in capsys.readouterr().err
    assert not (root / ".venv").exists()


def test_unknown_device(capsys, root):
    assert install.main(["--device", "tpu"], root) == 1
    assert "it can be cpu or gpu" in capsys.readouterr().err


ANSWERS = {"404": b"HTTP/1.0 404 Not Found\r\n\r\n", "silence": None, "refusal": None}


@pytest.mark.parametrize(
    ("situation", "why"),
    [
        ("404", "does not answer, or has none for this Python"),
        ("silence", "does not answer"),
        ("refusal", "does not answer"),
        ("driver", "this machine has an NVIDIA driver"),
        ("TORCH_INDEX", "TORCH_INDEX offers no CPU build"),
        ("CPU build", None),
    ],
)
def test_cuda_build_of_torch_is_announced(monkeypatch, capsys, builder, situation, why):
    builder.lock.write_text("torch==2.13.0\n")
    monkeypatch.setattr(install, "CUDA_GIGABYTES", 0)
    monkeypatch.setattr(install, "ASK_SECONDS", 1 if situation == "silence" else 9)
    monkeypatch.setattr(install, "has_nvidia_driver", lambda: situation == "driver")
    given = ["--extra-index-url", "http://nowhere.invalid/"] if situation == "TORCH_INDEX" else []
    builder.index = given
    ask, asked = builder.words, []

    def words(command: list, limit: float | None = None) -> str:
        """What pip's own sources say without asking them; the CPU index is asked."""
        asked.append(command)
        found = "2.13.0+cpu, 2.13.0" if situation == "CPU build" else "2.13.0"
        return ask(command, limit) if limit else f"Available versions: 2.14.0, {found}"

    monkeypatch.setattr(builder, "words", words)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(install, "CPU_INDEX", f"http://127.0.0.1:{server.getsockname()[1]}/")
        monkeypatch.setattr(builder, "variables", {"PIP_CONFIG_FILE": os.devnull})
        if situation == "refusal":
            server.close()
        if situation == "404":
            answer = threading.Thread(target=lambda: server.accept()[0].sendall(ANSWERS["404"]))
            answer.start()
        builder.find_torch()
    said = capsys.readouterr().out
    assert ("torch's CUDA build is taken, because" in said) == (why is not None)
    assert (why or "") in said
    assert ("TORCH_INDEX=" in said) == (why is not None)
    assert len(asked) == (2 if situation in ANSWERS else 1)
    assert builder.index == given


# Extras


def test_an_extra_comes_when_it_is_asked_for_and_stays(root):
    run(root)
    assert installing.extras(root) == []
    assert "Adding the extra more to .venv" in run(root, "--extras", "more")
    assert installing.extras(root) == ["more"]
    assert run(root, "--extras", "more") == run(root) == "", (
        "the second time there is nothing to do"
    )
    (root / "env" / "cpu.lock").write_text("tiny==2.0\n")
    words = run(root)
    assert "Making the environment" in words
    assert "Adding the extra more" in words, "an environment that is made again has it again"
    assert installing.extras(root) == ["more"]


def test_an_extra_comes_with_a_lesson_that_needs_it_and_on_ci(root):
    (root / "notebooks").mkdir()
    (root / "notebooks" / "01_a_pytorch.ipynb").write_text('"tags": []')
    (root / "notebooks" / "02_b_pytorch.ipynb").write_text('"tags": ["needs-most", "needs-g++"]')
    run(root, "--lesson", "1")
    assert installing.extras(root) == []
    run(root, "--lesson", "2")
    assert installing.extras(root) == ["most"]
    run(root, CI="true")
    assert installing.extras(root) == ["more", "most"]


def test_where_an_extra_cannot_be_had_the_rest_stays(root):
    words = run(root, "--extras", "more, least", status=1)
    assert "There is no extra 'least'. There are: more, most." in words
    assert not (root / ".venv").exists(), "said before anything is installed"
    (root / "env" / "extras" / "more.lock").write_text("more==9.0\n")
    assert "more==9.0 has no build" in run(root, "--extras", "more", status=1)
    assert installed(root, "tiny.version") == "1.0"
    assert run(root) == "", "what was made is ready"
    assert install.main(["--device", "gpu", "--extras", "more"], root) == 1


def test_pips_settings_are_told_to_uv(tmp_path):
    words = """\
global.index-url='https://mirror.example/simple'
global.trusted-host='mirror.example'
global.find-links='\\n/opt/wheels\\nfile:///the%20wheels https://mirror.example/more'
install.constraint='/etc/limits.txt'
global.constraint='/etc/no.txt'
download.no-index='true'
:env:.default-timeout='180'
:env:.proxy='http://proxy.example:3128'
:env:.cert='/etc/proxy.pem'
"""
    variables = {"https_proxy": "http://other.example"}
    options = pip_settings.tell_uv(pip_settings.read(words), tmp_path, variables)
    ours = str(tmp_path / "env" / "constraints.txt")
    assert options == [
        *("--constraints", ours, "--build-constraints", ours),
        *("--find-links", "/opt/wheels", "--find-links", "/the wheels"),
        *("--find-links", "https://mirror.example/more", "--constraints", "/etc/limits.txt"),
    ]
    assert variables["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert variables["UV_INSECURE_HOST"] == "mirror.example"
    assert variables["UV_HTTP_TIMEOUT"] == "180"
    assert variables["SSL_CERT_FILE"] == "/etc/proxy.pem"
    assert variables["https_proxy"] == variables["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert "UV_NO_INDEX" not in variables, "that was for another command of pip"


def test_gpu_kernel_runs_in_the_environment_of_the_notebooks_framework(root):
    shutil.copy(SCRIPTS / "jupyter" / "gpu_kernel.py", root / "env" / "jupyter")
    for framework in course.FRAMEWORKS:
        python = root / f".venv-gpu-{framework}" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho {framework} "$@"\n')
        python.chmod(0o755)
    builder = install.Builder(root, ".venv-gpu-pytorch", "gpu-pytorch.lock")
    (builder.folder / "share" / "jupyter" / "kernels" / "python3").mkdir(parents=True)
    builder.write_gpu_kernel()
    [spec] = builder.folder.rglob("kernel.json")
    launcher = json.loads(spec.read_text())["argv"][1:]
    for framework in course.FRAMEWORKS:
        notebook = f"notebooks/04_network_{framework}.ipynb"
        process = subprocess.run(
            [sys.executable, *launcher],
            env=os.environ | {"JPY_SESSION_NAME": notebook},
            capture_output=True,
            text=True,
            check=True,
        )
        assert process.stdout == f"{framework} -m ipykernel_launcher -f {{connection_file}}\n"


@pytest.mark.parametrize("lock", ["cpu.lock", "gpu-pytorch.lock", "gpu-tensorflow.lock"])
def test_locks_pin_every_direct_dependency_by_version_alone(lock):
    lines = (SCRIPTS / lock).read_text().splitlines()
    pins = {line.split("==")[0] for line in lines if not line.startswith("#")}
    assert all("==" in line and "+" not in line for line in lines if not line.startswith("#"))
    listed = (SCRIPTS / "requirements.in").read_text()
    wanted = {line.split()[0] for line in listed.splitlines() if line and line[0] != "#"}
    wanted = {name.split("=")[0].split("<")[0] for name in wanted}
    missing = {"torch"} if lock == "gpu-tensorflow.lock" else set()
    assert wanted - pins == missing
    assert any(pin.startswith("nvidia-") for pin in pins) == (lock != "cpu.lock")
