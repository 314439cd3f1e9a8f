"""Lesson 11's servers: they listen here only, end with their notebook, and speak the protocol."""

import contextlib
import os
import pathlib
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time

from paired import course, ports

import psutil
import pytest
from install import CPU_INDEX

# What is served is made once: these tests stay on one worker.
pytestmark = pytest.mark.xdist_group("serving")

HERE = course.ROOT / "notebooks" / "11_serving"
LOCAL = {"127.0.0.1", "::ffff:127.0.0.1"}
# Two processes that are not ended by SIGTERM, one the child of the other; the first listens.
STUBBORN = """
import os, signal, socket, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork() or time.sleep(600)
own = socket.create_server(("127.0.0.1", {port}))
time.sleep(600)
"""
# A notebook's kernel, as far as its server is concerned; it says the number of keep.py.
KERNEL = """
import subprocess, sys, time
pipe = subprocess.PIPE
kept = subprocess.Popen({command!r}, cwd={folder!r}, stdin=pipe, stdout=2, stderr=2)
print(kept.pid, flush=True)
time.sleep(600)
"""


def until(true, seconds: float = 60) -> bool:
    """Whether something becomes true in time."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.1)
    return bool(found)


def listening(pid: int) -> set[str]:
    """The addresses on which a process and those that it has started listen."""
    found = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            connections = each.net_connections("inet")
            found |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    return found


@contextlib.contextmanager
def kept(command: list, folder: pathlib.Path):
    """A process like a kernel, and keep.py, which it has started: (process, number)."""
    command = [str(word) for word in (sys.executable, HERE / "keep.py", *command)]
    code = KERNEL.format(command=command, folder=str(folder))
    with (folder / "log").open("w") as log, subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=log, text=True,
        env={**os.environ, "PYTHONPATH": str(course.ROOT)},
    ) as kernel:  # fmt: skip
        try:
            yield kernel, int(kernel.stdout.readline())
        finally:
            kernel.kill()


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    """The program that measures, which knows how to start each server; and what is served."""
    folder = tmp_path_factory.mktemp("served")
    program = runpy.run_path(str(HERE / "measure.py"))
    path = os.pathsep.join([str(course.ROOT), str(HERE)])
    for code in program["MODELS"].values():
        command = [sys.executable, "-c", code]
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=True)
    return program, folder


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_server_when_its_kernel_is_killed(tmp_path, how):
    port = ports.server_port()
    with kept([sys.executable, "-c", STUBBORN.format(port=port)], tmp_path) as (kernel, pid):
        assert until(lambda: not ports.is_free(port))
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        assert len(family) == 3
        kernel.send_signal(how)
        assert until(lambda: not any(each.is_running() for each in family), 20)
    assert ports.is_free(port)


@pytest.mark.needs("serving")
@pytest.mark.parametrize("server", ["TorchServe", "LitServe", "stand-in"])
def test_a_server_listens_here_only_and_ends_with_its_kernel(measure, tmp_path, server):
    program, served = measure
    shutil.copytree(served, tmp_path, dirs_exist_ok=True)
    make, batch = program["SERVERS"][server]
    port, command = make(tmp_path, batch)

    def answers() -> bool:
        with contextlib.suppress(OSError, program["http"].client.HTTPException):
            return bool(program["ask"](port, 1))
        return False

    with kept(command, tmp_path) as (kernel, pid):
        assert until(answers), (tmp_path / "log").read_text()[-2000:]
        assert listening(pid)
        assert listening(pid) <= LOCAL
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        kernel.kill()
        assert until(lambda: not any(each.is_running() for each in family), 20)
    assert ports.is_free(port)


# TensorFlow Serving's protocol: of the stand-in, and of the server itself where it is


@pytest.fixture(params=["stand-in", "tensorflow_model_server"])
def serving(request, measure, tmp_path):
    """A channel to a server, and the folder of its versions.

    The server itself listens on all interfaces, unless it is given a socket of the file system.
    """
    served = measure[1]
    base = tmp_path / "digits"
    shutil.copytree(served / "digits", base)
    flags = [
        "--model_name=digits",
        f"--model_base_path={base}",
        "--file_system_poll_wait_seconds=1",
    ]
    if request.param == "stand-in":
        grpc_port = ports.server_port()
        command, target = [sys.executable, HERE / "server.py"], f"127.0.0.1:{grpc_port}"
        flags += [f"--port={grpc_port}", f"--rest_api_port={ports.server_port()}"]
    elif shutil.which(request.param):
        command, target = [request.param], f"unix:{tmp_path / 'socket'}"
        flags += ["--port=0", "--rest_api_port=0", f"--grpc_socket_path={tmp_path / 'socket'}"]
    else:
        pytest.skip("NOT PROVEN HERE: tensorflow_model_server is not on the PATH")
    grpc = pytest.importorskip("grpc")
    with kept([*command, *flags], tmp_path), grpc.insecure_channel(target) as channel:
        grpc.channel_ready_future(channel).result(60)
        yield channel, base, request.param


@pytest.mark.needs("serving")
def test_a_client_of_tensorflow_serving_is_answered(serving):
    import grpc
    from tensorflow_serving.apis import (
        get_model_status_pb2,
        model_management_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    channel, base, server = serving
    predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    models = model_service_pb2_grpc.ModelServiceStub(channel)

    def predict(*shape: int, version: int | None = None):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "digits"
        if version:
            request.model_spec.version.value = version
        tensor = request.inputs["keras_tensor"]
        tensor.dtype = 1  # float32
        for size in shape:
            tensor.tensor_shape.dim.add(size=size)
        tensor.float_val.extend([0.5] * (shape[0] * 64))
        return predictions.Predict(request, timeout=60)

    def states() -> dict[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "digits"
        found = models.GetModelStatus(request, timeout=60).model_version_status
        return {each.version: each.State.Name(each.state) for each in found}

    def keep(*versions: int) -> None:
        request = model_management_pb2.ReloadConfigRequest()
        config = request.config.model_config_list.config.add(name="digits", base_path=str(base))
        config.model_platform = "tensorflow"
        config.model_version_policy.specific.versions.extend(versions)
        models.HandleReloadConfigRequest(request, timeout=60)

    assert until(lambda: states().get(1) == "AVAILABLE")
    assert predict(2, 8, 8).model_spec.version.value == 1
    [size, ten] = predict(3, 8, 8).outputs["output_0"].tensor_shape.dim
    assert (size.size, ten.size) == (3, 10)

    shutil.copytree(base / "1", base / "new")
    (base / "new").rename(base / "2")
    assert until(lambda: predict(1, 8, 8).model_spec.version.value == 2)
    assert until(lambda: 1 not in states() or states()[1] == "END")
    keep(1, 2)
    assert until(lambda: states().get(1) == "AVAILABLE")
    assert predict(1, 8, 8, version=1).model_spec.version.value == 1
    keep(1)
    assert until(lambda: predict(1, 8, 8).model_spec.version.value == 1)
    (base / "3").mkdir()
    (base / "3" / "saved_model.pb").write_bytes(b"no graph")
    keep(1, 3)
    assert until(lambda: states().get(3) == "END")
    assert predict(1, 8, 8).model_spec.version.value == 1
    with pytest.raises(grpc.RpcError) as error:
        predict(1, 8, 8, version=7)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    if server == "stand-in":  # the server itself leaves the shape to the graph
        with pytest.raises(grpc.RpcError, match="expected"):
            predict(1, 64)
        assert predict(1, 8, 8).model_spec.version.value == 1


def test_a_servers_port_is_none_that_the_system_gives_to_clients():
    ephemeral = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(ephemeral.read_text().split()[0]) if ephemeral.exists() else 49152
    found = {ports.server_port() for _ in range(20)}
    assert len(found) > 10
    assert max(found) < lowest
    assert all(ports.is_free(port) for port in found)


def test_what_the_dockerfiles_copy_is_there_and_versions_are_named():
    lock = "".join(path.read_text() for path in (course.ROOT / "env").rglob("*.lock"))
    for file in (course.ROOT / "env" / "serving").glob("*.Dockerfile"):
        text = file.read_text()
        for names in re.findall(r"(?m)^COPY (.*) \S+$", text):
            for name in names.split():
                assert name in ("weights.pt", "digits") or (course.ROOT / name).exists()
        assert re.search(r"(?m)^FROM \S+:\d", text)
        for pinned in re.findall(r"\S+==\S+", text):
            assert f"{pinned}\n" in lock


@pytest.mark.parametrize("half", course.FRAMEWORKS)
def test_an_image_is_built_where_docker_has_what_it_begins_with(half, tmp_path):
    """PyTorch's asks a package index, too; no image is left."""
    file = course.ROOT / "env" / "serving" / f"{half}.Dockerfile"
    [base] = re.findall(r"(?m)^FROM (\S+)", file.read_text())
    inspect = ["docker", "image", "inspect", base]
    if not shutil.which("docker") or subprocess.run(inspect, capture_output=True).returncode:
        pytest.skip(f"NOT PROVEN HERE: there is no Docker with the image {base}")
    (tmp_path / "digits" / "1").mkdir(parents=True)
    (tmp_path / "weights.pt").touch()
    shutil.copytree(HERE, tmp_path / "notebooks" / HERE.name)
    build = ["docker", "build", "--quiet", "--build-arg", f"TORCH_INDEX={CPU_INDEX}"]
    done = subprocess.run([*build, "--file", file, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    subprocess.run(["docker", "image", "rm", done.stdout.split()[-1]], check=True)
