"""A stand-in for TensorFlow Serving, made for this course: its protocol, and its versions.

    python server.py --port=8500 --rest_api_port=8501 --model_name=digits --model_base_path=DIR

It takes some of the flags of `tensorflow_model_server`, answers by the same gRPC services and at
the same REST paths, watches the same folders, and loads a new version before it unloads the old.
It listens on 127.0.0.1 only, has one model, and signatures have one input.
"""

import argparse
import concurrent.futures
import http.server
import json
import pathlib
import queue
import re
import threading
import time

from paired.imports import quiet_import

import grpc
import numpy as np
from google.protobuf import json_format

with quiet_import():
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_management_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
    from tensorflow_serving.config import file_system_storage_path_source_pb2 as source_pb2

HOST = "127.0.0.1"
STATUS = {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400, "UNAVAILABLE": 503}
PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d+))?(?P<what>:predict|/metadata)?"
)
State = get_model_status_pb2.ModelVersionStatus


class Refused(Exception):  # noqa: N818 - the request is wrong, or comes at the wrong time
    """A request without an answer: gRPC's name of the reason, and a sentence."""


class Batcher:
    """Runs requests together that wait at the same time: as many rows, or as long, as is set."""

    def __init__(
        self, run, max_batch_size=32, batch_timeout_micros=0, max_enqueued_batches=64, **_
    ) -> None:
        self.run, self.rows, self.wait = run, max_batch_size, batch_timeout_micros / 1e6
        self.most, self.waiting = max_batch_size * max_enqueued_batches, 0
        self.lock, self.tasks = threading.Lock(), queue.Queue()
        threading.Thread(target=self.work, daemon=True).start()

    def __call__(self, value: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs for these rows."""
        if len(value) > self.rows:
            raise Refused("INVALID_ARGUMENT", f"{len(value)} rows; max_batch_size is {self.rows}")
        with self.lock:
            if self.waiting + len(value) > self.most:
                raise Refused("UNAVAILABLE", "The batch scheduling queue is full")
            self.waiting += len(value)
        future = concurrent.futures.Future()
        self.tasks.put((value, future))
        return future.result()

    def collect(self, first: tuple) -> tuple[list, tuple | None]:
        """A batch that begins with this request, and the request that did not fit in."""
        batch, until = [first], time.monotonic() + self.wait
        while (rows := sum(len(value) for value, _ in batch)) < self.rows:
            try:
                task = self.tasks.get(timeout=max(until - time.monotonic(), 0.0))
            except queue.Empty:
                break
            if rows + len(task[0]) > self.rows:
                return batch, task
            batch.append(task)
        return batch, None

    def work(self) -> None:
        """Collect a batch, run it, and share the rows out, for ever."""
        left = None
        while True:
            batch, left = self.collect(left or self.tasks.get())
            with self.lock:
                self.waiting -= sum(len(value) for value, _ in batch)
            try:
                outputs = self.run(np.concatenate([value for value, _ in batch]))
            except Exception as problem:  # the clients', not the end of all batches
                for _, future in batch:
                    future.set_exception(problem)
                continue
            at = 0
            for value, future in batch:
                end = at + len(value)
                future.set_result({name: rows[at:end] for name, rows in outputs.items()})
                at = end


class Version:
    """A version that is loaded, and what runs its signatures."""

    def __init__(self, folder: pathlib.Path, batching: dict | None) -> None:
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        self.definitions = saved.meta_graphs[0].signature_def
        self.loaded = tf.saved_model.load(str(folder))  # without it the variables would go
        self.inputs, self.runs = {}, {}
        for key, function in self.loaded.signatures.items():
            [(name, spec)] = function.structured_input_signature[1].items()
            self.inputs[key] = name, spec

            def run(value: np.ndarray, function=function, name=name) -> dict[str, np.ndarray]:
                found = function(**{name: tf.constant(value)})
                return {output: tensor.numpy() for output, tensor in found.items()}

            self.runs[key] = run if batching is None else Batcher(run, **batching)

    def predict(self, key: str, inputs: dict) -> dict[str, np.ndarray]:
        """Check the input against the signature, since a wrong one can end the process; run it."""
        if key not in self.runs:
            raise Refused("INVALID_ARGUMENT", f"Serving signature name: {key!r} not found")
        name, spec = self.inputs[key]
        if set(inputs) != {name}:
            raise Refused("INVALID_ARGUMENT", f"inputs are {sorted(inputs)}, expected [{name!r}]")
        try:
            value = np.asarray(inputs[name], spec.dtype.as_numpy_dtype)
        except (TypeError, ValueError):
            raise Refused("INVALID_ARGUMENT", f"{name} is no array of numbers") from None
        if not spec.shape.is_compatible_with(value.shape):
            said = f"{name} has shape {value.shape}, expected {spec.shape}"
            raise Refused("INVALID_ARGUMENT", said)
        return self.runs[key](value)


class Model:
    """The versions in a folder: which are wanted, which are loaded, which failed."""

    def __init__(self, name: str, base: pathlib.Path, batching: dict | None) -> None:
        self.name, self.base, self.batching = name, base, batching
        self.policy = source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy()
        self.loaded, self.problems = {}, {}
        self.lock = threading.Lock()

    def poll(self) -> None:
        """Load what is wanted, and only then unload what is not: one step of a roll-out."""
        with self.lock:
            there = {int(path.name): path for path in self.base.iterdir() if path.name.isdigit()}
            wanted = sorted(there)[-max(self.policy.latest.num_versions, 1) :]
            if self.policy.HasField("specific"):
                wanted = [n for n in self.policy.specific.versions if n in there]
            for n in wanted:
                if n not in self.loaded | self.problems:  # what has failed is not tried again
                    try:
                        self.loaded = {**self.loaded, n: Version(there[n], self.batching)}
                    except Exception as problem:  # whatever is wrong with the files
                        self.problems[n] = f"{type(problem).__name__}: {problem}"[:200]
            if not self.loaded.keys().isdisjoint(wanted):
                self.loaded = {n: each for n, each in self.loaded.items() if n in wanted}
            self.problems = {n: why for n, why in self.problems.items() if n in there}

    def find(self, name: str, version: int | None) -> tuple[int, Version]:
        """The version that is asked for, else the newest that is loaded."""
        loaded = self.loaded
        version = max(loaded, default=-1) if version is None else version
        if name != self.name or version not in loaded:
            raise Refused("NOT_FOUND", f"Servable not found for request: {name}, {version}")
        return version, loaded[version]

    def status(self, name: str):
        """The state of each version."""
        if name != self.name:
            raise Refused("NOT_FOUND", f"Could not find any versions of model {name}")
        answer = get_model_status_pb2.GetModelStatusResponse()
        for n in sorted(self.loaded | self.problems, reverse=True):
            state = State.AVAILABLE if n in self.loaded else State.END
            status = answer.model_version_status.add(version=n, state=state).status
            status.error_message = self.problems.get(n, "")
            status.error_code = 2 if status.error_message else 0  # unknown, or none
        return answer

    def metadata(self, name: str, version: int | None):
        """The signatures of a version."""
        number, found = self.find(name, version)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.name, answer.model_spec.version.value = name, number
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for key, definition in found.definitions.items():
            signatures.signature_def[key].CopyFrom(definition)
        answer.metadata["signature_def"].Pack(signatures)
        return answer


def asked(spec) -> tuple[str, int | None]:
    """Name and version of a gRPC request."""
    return spec.name, spec.version.value if spec.HasField("version") else None


def spoken(method):
    """Let gRPC say why a request is refused."""

    def answer(self, request, context):
        try:
            return method(self.model, request)
        except Refused as why:
            context.abort(grpc.StatusCode[why.args[0]], why.args[1])

    return answer


def predict(model: Model, request):
    """TensorFlow Serving's Predict."""
    number, found = model.find(*asked(request.model_spec))
    inputs = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
    answer = predict_pb2.PredictResponse()
    key = request.model_spec.signature_name or "serving_default"
    for output, value in found.predict(key, inputs).items():
        answer.outputs[output].CopyFrom(tf.make_tensor_proto(value))
    answer.model_spec.name, answer.model_spec.version.value = model.name, number
    return answer


def reload(model: Model, request):
    """TensorFlow Serving's HandleReloadConfigRequest: of the new configuration, the policy."""
    [config] = request.config.model_config_list.config
    model.policy.CopyFrom(config.model_version_policy)
    model.poll()
    return model_management_pb2.ReloadConfigResponse()


class Services(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Two of TensorFlow Serving's gRPC services."""

    def __init__(self, model: Model) -> None:
        self.model = model

    Predict = spoken(predict)
    GetModelMetadata = spoken(lambda model, request: model.metadata(*asked(request.model_spec)))
    GetModelStatus = spoken(lambda model, request: model.status(request.model_spec.name))
    HandleReloadConfigRequest = spoken(reload)


class Rest(http.server.BaseHTTPRequestHandler):
    """The REST paths."""

    protocol_version, wbufsize = "HTTP/1.1", -1  # an answer is sent in one piece
    model: Model

    def do_POST(self) -> None:
        """Answer, or say why not."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, answer = 200, self.answer(body)
        except Refused as why:
            status, answer = STATUS[why.args[0]], {"error": why.args[1]}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST  # noqa: N815 - status and metadata

    def answer(self, body: bytes) -> dict:
        """What is sent."""
        if not (path := PATH.fullmatch(self.path)):
            raise Refused("NOT_FOUND", f"Malformed request: {self.path}")
        name, version = path["name"], path["version"] and int(path["version"])
        if path["what"] == ":predict":
            return self.predict(body, self.model.find(name, version)[1])
        about = self.model.metadata(name, version) if path["what"] else self.model.status(name)
        return json_format.MessageToDict(
            about, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )

    @staticmethod
    def predict(body: bytes, found: Version) -> dict:
        """Of `instances` the `predictions`, one for each."""
        try:
            request = json.loads(body)
            key, rows = request.get("signature_name", "serving_default"), request["instances"]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Refused("INVALID_ARGUMENT", "JSON with a list 'instances' is expected") from None
        name = found.inputs[key][0] if key in found.inputs else ""
        outputs = {k: array.tolist() for k, array in found.predict(key, {name: rows}).items()}
        if len(outputs) == 1:
            return {"predictions": next(iter(outputs.values()))}
        each = zip(*outputs.values(), strict=True)
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in each]}

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rest_api_port", type=int, required=True)
    parser.add_argument("--model_name", default="default")
    parser.add_argument("--model_base_path", type=pathlib.Path, required=True)
    parser.add_argument("--file_system_poll_wait_seconds", type=float, default=1)
    parser.add_argument("--enable_batching", nargs="?", const="true", default="false")
    parser.add_argument("--batching_parameters_file", type=pathlib.Path)
    options = parser.parse_args()
    batching = {} if options.enable_batching == "true" else None
    if batching is not None and options.batching_parameters_file:
        text = options.batching_parameters_file.read_text()
        batching = {k: int(v) for k, v in re.findall(r"(\w+)\s*\{\s*value:\s*(\d+)", text)}
    model = Model(options.model_name, options.model_base_path, batching)
    model.poll()
    pool = concurrent.futures.ThreadPoolExecutor(32)
    # TensorFlow Serving takes messages of up to 2 GiB, too.
    server = grpc.server(pool, options=[("grpc.max_receive_message_length", -1)])
    services = Services(model)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(services, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(services, server)
    if not server.add_insecure_port(f"{HOST}:{options.port}"):
        raise SystemExit(f"Port {options.port} is taken.")
    rest = type("Handler", (Rest,), {"model": model})
    http.server.ThreadingHTTPServer.request_queue_size = 128  # clients that connect at once
    web = http.server.ThreadingHTTPServer((HOST, options.rest_api_port), rest)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    server.start()
    while True:
        time.sleep(options.file_system_poll_wait_seconds)
        model.poll()


if __name__ == "__main__":
    main()
