"""How fast the lesson's servers answer, in rounds, a turn each: `make measure LESSON=11`."""

import contextlib
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from paired import ports
from paired.authors.browser import PictureError
from paired.authors.measure import machine

RECORD = "measured.json"
ROUNDS, SECONDS = 5, 2.0
CLIENTS = (1, 16)
HERE = pathlib.Path(__file__).parent
PATH = "/v1/models/digits:predict"
BODY = json.dumps({"instances": [[[0.5] * 8] * 8]})
# TorchServe's are set when a model is registered, TensorFlow Serving's in a file.
BATCHING = {
    "max_batch_size": 16,
    "batch_timeout_micros": 2000,
    "max_enqueued_batches": 64,
    "num_batch_threads": 1,
}
CONFIG = """
inference_address=http://127.0.0.1:{0}
management_address=http://127.0.0.1:{1}
metrics_address=http://127.0.0.1:{2}
grpc_inference_address=127.0.0.1
grpc_management_address=127.0.0.1
grpc_inference_port={3}
grpc_management_port={4}
disable_token_authorization=true
models={{"digits": {{"1.0": {{"marName": "digits.mar", "minWorkers": 1, "maxWorkers": 1, \
  "batchSize": {5}, "maxBatchDelay": 2}}}}}}
load_models=digits.mar
"""


def torchserve(folder: pathlib.Path, batch: int) -> tuple[int, list]:
    """A port, and the command of a server there."""
    given = [ports.server_port() for _ in range(5)]
    (folder / "config.properties").write_text(CONFIG.format(*given, batch))
    files = {"serialized-file": "v1.pt", "model-file": HERE / "net.py"}
    files |= {"handler": HERE / "handler.py", "model-name": "digits", "version": "1.0"}
    words = [f"--{name}={value}" for name, value in files.items()]
    archiver = [sys.executable, "-W", "ignore", "-m", "model_archiver.model_packaging"]
    subprocess.run([*archiver, *words, "--export-path=."], cwd=folder, check=True)
    options = ["--ncs", "--model-store", ".", "--ts-config", "config.properties"]
    return given[0], ["torchserve", "--start", "--foreground", *options]


def litserve(folder: pathlib.Path, batch: int) -> tuple[int, list]:
    """The same for LitServe."""
    port = ports.server_port()
    return port, [sys.executable, HERE / "lit.py", str(port), "v1.pt", str(batch)]


def standin(folder: pathlib.Path, batch: int) -> tuple[int, list]:
    """The same for what stands in for TensorFlow Serving."""
    lines = [f"{name} {{ value: {n} }}" for name, n in BATCHING.items()]
    (folder / "batching.txt").write_text("\n".join(lines))
    port = ports.server_port()
    flags = {"port": ports.server_port(), "rest_api_port": port, "model_name": "digits"}
    flags |= {"model_base_path": "digits", "batching_parameters_file": "batching.txt"}
    flags |= {"enable_batching": "true" if batch > 1 else "false"}
    options = [f"--{name}={value}" for name, value in flags.items()]
    return port, [sys.executable, HERE / "server.py", *options]


SERVERS = {
    "TorchServe": (torchserve, 1),
    "TorchServe, batches": (torchserve, 16),
    "LitServe": (litserve, 1),
    "LitServe, batches": (litserve, 16),
    "stand-in": (standin, 1),
    "stand-in, batches": (standin, 16),
}
# What is served; each framework in a process of its own.
MODELS = {
    "pytorch": "import torch, net; torch.save(net.Digits().state_dict(), 'v1.pt')",
    "tensorflow": """
from paired.imports import quiet_import
with quiet_import():
    import keras
layers = keras.layers
keras.Sequential([
    keras.Input((8, 8)), layers.Reshape((8, 8, 1)),
    layers.Conv2D(8, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
    layers.Flatten(), layers.Dense(10),
]).export("digits/1", verbose=False)
""",
}


@contextlib.contextmanager
def serving(make, batch: int) -> Iterator[int]:
    """A server that runs; yields its port when it answers."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        framework = "tensorflow" if make is standin else "pytorch"
        variables = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
        command = [sys.executable, "-c", MODELS[framework]]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, cwd=folder, env=variables, check=True, **quiet)
        port, command = make(folder, batch)
        keep = [sys.executable, HERE / "keep.py", *command]
        process = subprocess.Popen(keep, cwd=folder, env=variables, stdin=subprocess.PIPE, **quiet)
        stack.enter_context(process)  # closes its standard input, and waits
        for _ in range(1200):
            with contextlib.suppress(OSError, http.client.HTTPException):
                ask(port, 1)
                break
            time.sleep(0.1)
        else:
            raise PictureError(f"A server does not answer: {command}.")
        yield port


def ask(port: int, most: int, until: float = float("inf")) -> list[float]:
    """The seconds that each of one client's requests took.

    Raises:
        OSError, HTTPException: a request failed.
    """
    connection, took = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
    headers = {"Content-Type": "application/json"}
    while len(took) < most and time.monotonic() < until:
        start = time.monotonic()
        connection.request("POST", PATH, BODY, headers)
        reply = connection.getresponse()
        reply.read()
        took.append(time.monotonic() - start)
        if reply.status != 200:
            raise http.client.HTTPException(f"status {reply.status}")
    connection.close()
    return took


def turn(port: int, clients: int) -> dict[str, float]:
    """Some clients ask for two seconds: how long one waits, how many are answered."""
    start = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        jobs = [pool.submit(ask, port, 10**6, start + SECONDS) for _ in range(clients)]
        each = [seconds for job in jobs for seconds in job.result()]
    ms = statistics.median(each) * 1000
    return {"ms": ms, "a second": len(each) / (time.monotonic() - start)}


def measure() -> dict[str, object]:
    """All servers: the medians of their turns."""
    found = {name: {n: [] for n in CLIENTS} for name in SERVERS}
    with contextlib.ExitStack() as stack:
        given = {name: stack.enter_context(serving(*how)) for name, how in SERVERS.items()}
        for port in given.values():
            turn(port, max(CLIENTS))  # warm up
        names = list(given)
        for n in range(ROUNDS):
            print(f"round {n + 1} of {ROUNDS}", flush=True)
            for name in names[n % len(names) :] + names[: n % len(names)]:
                for clients in CLIENTS:
                    try:
                        found[name][clients].append(turn(given[name], clients))
                    except (OSError, http.client.HTTPException) as problem:
                        raise PictureError(f"{name}, {clients} clients: {problem}") from None
    load = {"load": [round(each, 1) for each in os.getloadavg()]}
    servers = {
        name: {
            str(clients): {
                key: float(f"{statistics.median(turn[key] for turn in turns):.3g}")
                for key in turns[0]
            }
            for clients, turns in by_clients.items()
        }
        for name, by_clients in found.items()
    }
    return {"machine": machine() | load, "rounds": ROUNDS, "servers": servers}
