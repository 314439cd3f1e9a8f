"""A stand-in for TensorFlow Serving, made for this course: its protocol, and its versions.

    python server.py --port=8500 --rest_api_port=8501 --model_name=digits --model_base_path=DIR

It takes some of the flags of `tensorflow_model_server`, answers by the same gRPC services and at
the same REST paths, watches the same folders, and loads a new version before it unloads the old.
It listens on 127.0.0.1 only, has one model, and signatures have one input.
"""

import concurrent.futures
import functools
import http.server
import itertools
import json
import pathlib
import re
import sys
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
AS_REST = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
as_dict = functools.partial(json_format.MessageToDict, **AS_REST)


class Refused(Exception):  # noqa: N818
    """A request that gets no answer: gRPC's name of the reason, and a sentence."""


class Batcher:
    """Runs requests together that wait at the same time: as many rows, or as long, as is set."""

    def __init__(self, run, limits: dict[str, int]) -> None:
        self.run, self.rows, self.tasks = run, limits["max_batch_size"], []
        self.seconds = limits["batch_timeout_micros"] / 1e6
        self.most = self.rows * limits["max_enqueued_batches"]
        self.changed = threading.Condition()
        threading.Thread(target=self.work, daemon=True).start()

    def __call__(self, value: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs for these rows."""
        if len(value) > self.rows:
            raise Refused("INVALID_ARGUMENT", f"{len(value)} rows; max_batch_size is {self.rows}")
        future = concurrent.futures.Future()
        with self.changed:
            if self.waiting() + len(value) > self.most:
                raise Refused("UNAVAILABLE", "The batch scheduling queue is full")
            self.tasks.append((value, future))
            self.changed.notify()
        return future.result()

    def waiting(self) -> int:
        """How many rows wait."""
        return sum(len(value) for value, _ in self.tasks)

    def work(self) -> None:
        """Collect what fits into a batch, run it, and share the rows out, for ever."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.tasks)
                self.changed.wait_for(lambda: self.waiting() >= self.rows, self.seconds)
                ends = [*itertools.accumulate(len(value) for value, _ in self.tasks)]
                n = sum(end <= self.rows for end in ends)
                batch, self.tasks = self.tasks[:n], self.tasks[n:]
            try:
                outputs = self.run(np.concatenate([value for value, _ in batch]))
            except Exception as problem:  # the clients', not the end of all batches
                for _, future in batch:
                    future.set_exception(problem)
                continue
            for (value, future), end in zip(batch, ends, strict=False):
                of = slice(end - len(value), end)
                future.set_result({name: rows[of] for name, rows in outputs.items()})


class Version:
    """A version that is loaded: of each signature its definition, its input, and what runs it."""

    def __init__(self, folder: pathlib.Path, limits: dict[str, int]) -> None:
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        self.definitions = saved.meta_graphs[0].signature_def
        self.loaded = tf.saved_model.load(str(folder))  # without it the variables would go
        self.signatures = {}
        for key, function in self.loaded.signatures.items():
            [(name, spec)] = function.structured_input_signature[1].items()

            def run(value: np.ndarray, function=function, name=name) -> dict[str, np.ndarray]:
                found = function(**{name: tf.constant(value)})
                return {output: tensor.numpy() for output, tensor in found.items()}

            self.signatures[key] = name, spec, Batcher(run, limits) if limits else run

    def predict(self, key: str, inputs: dict) -> dict[str, np.ndarray]:
        """Check the input against the signature, since a wrong one can end the process; run it."""
        if key not in self.signatures:
            raise Refused("INVALID_ARGUMENT", f"Serving signature name: {key!r} not found")
        name, spec, run = self.signatures[key]
        try:
            [(given, value)] = inputs.items()
            value = np.asarray(value, spec.dtype.as_numpy_dtype)
            fits = given in (name, "") and spec.shape.is_compatible_with(value.shape)
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise Refused("INVALID_ARGUMENT", f"expected: {name}, {spec.dtype.name}, {spec.shape}")
        return run(value)


class Model:
    """The versions in a folder: which are wanted, which are loaded, which failed."""

    def __init__(self, name: str, base: str, limits: dict[str, int]) -> None:
        self.name, self.base, self.limits = name, pathlib.Path(base), limits
        self.policy = source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy()
        self.loaded, self.problems, self.lock = {}, {}, threading.Lock()

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
                        self.loaded = {**self.loaded, n: Version(there[n], self.limits)}
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
            state = "AVAILABLE" if n in self.loaded else "END"
            status = answer.model_version_status.add(version=n, state=state).status
            status.error_message = self.problems.get(n, "")
            status.error_code = 2 if n in self.problems else 0  # unknown, or none
        return answer

    def metadata(self, name: str, version: int | None) -> dict:
        """The signatures of a version."""
        number, found = self.find(name, version)
        about = {"signature_def": {k: as_dict(each) for k, each in found.definitions.items()}}
        spec = {"name": name, "version": str(number)}
        return {"model_spec": spec, "metadata": {"signature_def": about}}


def spoken(method):
    """Let gRPC say why a request is refused."""

    def answer(self, request, context):
        try:
            return method(self.model, request)
        except Refused as why:
            context.abort(grpc.StatusCode[why.args[0]], why.args[1])

    return answer


class Services(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Of TensorFlow Serving's gRPC services, what the lesson asks."""

    model: Model

    @spoken
    def Predict(model, request):  # noqa: D102, N802, N805
        spec, answer = request.model_spec, predict_pb2.PredictResponse()
        version = spec.version.value if spec.HasField("version") else None
        number, found = model.find(spec.name, version)
        inputs = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
        outputs = found.predict(spec.signature_name or "serving_default", inputs)
        for output, value in outputs.items():
            answer.outputs[output].CopyFrom(tf.make_tensor_proto(value))
        answer.model_spec.name, answer.model_spec.version.value = model.name, number
        return answer

    @spoken
    def GetModelStatus(model, request):  # noqa: D102, N802, N805
        return model.status(request.model_spec.name)

    @spoken
    def HandleReloadConfigRequest(model, request):  # noqa: D102, N802, N805
        [config] = request.config.model_config_list.config
        model.policy.CopyFrom(config.model_version_policy)
        model.poll()
        return model_management_pb2.ReloadConfigResponse()


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
        if path["what"]:
            return self.model.metadata(name, version)
        return as_dict(self.model.status(name))

    @staticmethod
    def predict(body: bytes, found: Version) -> dict:
        """Of `instances` the `predictions`, one for each."""
        try:
            request = json.loads(body)
            key, rows = request.get("signature_name", "serving_default"), request["instances"]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Refused("INVALID_ARGUMENT", "JSON with a list 'instances' is expected") from None
        outputs = {k: each.tolist() for k, each in found.predict(key, {"": rows}).items()}
        if len(outputs) > 1:
            each = zip(*outputs.values(), strict=True)
            outputs = {"": [dict(zip(outputs, row, strict=True)) for row in each]}
        return {"predictions": next(iter(outputs.values()))}

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    """Serve until the process is ended."""
    flags = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
    limits = {}
    if flags.get("enable_batching") == "true":
        text = pathlib.Path(flags["batching_parameters_file"]).read_text()
        limits = {k: int(v) for k, v in re.findall(r"(\w+)\s*\{\s*value:\s*(\d+)", text)}
    model = Services.model = Rest.model = Model(
        flags["model_name"], flags["model_base_path"], limits
    )
    model.poll()
    # TensorFlow Serving takes messages of up to 2 GiB, too.
    options = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(32), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Services(), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Services(), server)
    server.add_insecure_port(f"{HOST}:{flags['port']}")
    http.server.ThreadingHTTPServer.request_queue_size = 128  # clients that connect at once
    web = http.server.ThreadingHTTPServer((HOST, int(flags["rest_api_port"])), Rest)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    server.start()
    while True:
        time.sleep(float(flags.get("file_system_poll_wait_seconds", 1)))
        model.poll()


if __name__ == "__main__":
    main()
