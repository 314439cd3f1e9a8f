"""How long one image takes, in each form of one trained network: `make measure LESSON=12`.

Three processes take turns: each framework with its own network, and what runs their files.
"""

import contextlib
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from importlib import metadata

from paired import course, data, needs
from paired.authors.browser import PictureError
from paired.authors.measure import machine

import numpy as np

RECORD = "measured.json"
ROUNDS, CALLS = 15, 400
PACKAGES = ("ai-edge-litert", "executorch", "onnxruntime")  # whose versions are said, too


def pytorch() -> dict:
    """What PyTorch runs itself, by name; its files are written beside."""
    import torch

    import nets

    net, image = nets.pytorch(), torch.from_numpy(data.digits().x_test[:1])[:, None]
    np.savez("weights", *nets.weights(net))
    options = {"dynamo": True, "external_data": False, "verbose": False, "input_names": ["image"]}
    torch.onnx.export(net, (image,), "pytorch.onnx", **options)
    _quantised()
    _executorch(net, torch.from_numpy(data.digits().x_train[:100])[:, None])
    torch.set_grad_enabled(False)
    return {"PyTorch eager": lambda: net(image)}


def _quantised() -> None:
    """The ONNX file in 8 bits, its scales found while it runs, or with 100 images beforehand."""
    from onnxruntime import quantization

    class Samples(quantization.CalibrationDataReader):
        left = iter([{"image": data.digits().x_train[n : n + 1, None]} for n in range(100)])

        def get_next(self) -> dict | None:
            return next(self.left, None)

    quantization.quantize_dynamic("pytorch.onnx", "dynamic.onnx", reduce_range=True)
    quantization.quantize_static("pytorch.onnx", "int8.onnx", Samples(), reduce_range=True)


def _executorch(net, images) -> None:
    """The files of ExecuTorch: without a backend, with one, and in 8 bits."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as quantizer
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    given, backend = (images[:1],), [XnnpackPartitioner()]
    config = quantizer.get_symmetric_quantization_config()
    whole = quantizer.XNNPACKQuantizer().set_global(config)
    whole = prepare_pt2e(torch.export.export(net, given).module(), whole)
    for image in images:
        whole(image[None])
    kinds = {"portable": (net, []), "XNNPACK": (net, backend)}
    kinds["XNNPACK int8"] = (convert_pt2e(whole), backend)
    for name, (module, partitioner) in kinds.items():
        program = torch.export.export(module, given)
        lowered = to_edge_transform_and_lower(program, partitioner=partitioner)
        pathlib.Path(f"{name}.pte").write_bytes(lowered.to_executorch().buffer)


def tensorflow() -> dict:
    """The same for TensorFlow, which has PyTorch's weights."""
    import nets

    digits = data.digits()
    net = nets.tensorflow(list(np.load("weights.npz").values()))
    import tensorflow as tf

    image = tf.constant(digits.x_test[:1, ..., None])
    function = tf.function(net)
    function(image)
    net.export("keras.onnx", format="onnx", verbose=False)
    floats, dynamic = {}, {"optimizations": [tf.lite.Optimize.DEFAULT]}
    half = dynamic | {"target_spec": tf.lite.TargetSpec(supported_types=[tf.float16])}
    examples = [[each[None, ..., None]] for each in digits.x_train[:100]]
    whole = dynamic | {"representative_dataset": lambda: iter(examples)}
    kinds = {"float32": floats, "float16": half, "dynamic": dynamic, "int8": whole}
    for name, settings in kinds.items():
        converter = tf.lite.TFLiteConverter.from_keras_model(net)
        for setting, value in settings.items():
            setattr(converter, setting, value)
        pathlib.Path(f"{name}.tflite").write_bytes(converter.convert())
    return {"tf.function": lambda: function(image)}


def files() -> dict:
    """What runs the files, without the framework that wrote them."""
    import onnxruntime
    import torch
    from ai_edge_litert.interpreter import Interpreter
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    image = data.digits().x_test[:1]
    runs = {}
    for kind in ("float32", "float16", "dynamic", "int8"):
        lite = Interpreter(f"{kind}.tflite", num_threads=1)
        lite.allocate_tensors()
        ends = lite.get_input_details()[0]["index"], lite.get_output_details()[0]["index"]
        runs[f"LiteRT {kind}"] = functools.partial(_lite, lite, *ends, image[..., None])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    of = {"from PyTorch": "pytorch", "dynamic": "dynamic", "int8": "int8", "from Keras": "keras"}
    for name, file in of.items():
        session = onnxruntime.InferenceSession(f"{file}.onnx", options)
        given = {"image": image[..., None] if file == "keras" else image[:, None]}
        runs[f"ONNX {name}"] = functools.partial(session.run, None, given)
    portable_lib._unsafe_reset_threadpool(1)
    given = [torch.from_numpy(image)[:, None]]
    for name in ("portable", "XNNPACK", "XNNPACK int8"):
        method = Runtime.get().load_program(f"{name}.pte").load_method("forward")
        runs[f"ExecuTorch {name}"] = functools.partial(method.execute, given)
    return runs


def _lite(interpreter, first: int, last: int, image: np.ndarray) -> np.ndarray:
    """What a program does for an image: write the input, run, read the output."""
    interpreter.set_tensor(first, image)
    interpreter.invoke()
    return interpreter.get_tensor(last)


def turns() -> None:
    """In a process of its own: a line with the microseconds of each form, whenever one comes in."""
    runs = {"pytorch": pytorch, "tensorflow": tensorflow, "files": files}[sys.argv[1]]()
    print("ready", flush=True)
    for _ in sys.stdin:
        took = {}
        for name, run in runs.items():
            start = time.process_time()
            for _ in range(CALLS):
                run()
            took[name] = (time.process_time() - start) / CALLS * 1e6
        print(json.dumps(took), flush=True)


def measure() -> dict[str, object]:
    """All forms: CPU time of one image in microseconds, in the least disturbed of the rounds."""
    if said := needs.missing("executorch"):
        raise PictureError(said)
    variables = os.environ | {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    variables |= {"PYTHONPATH": str(course.ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    pipe, rounds = subprocess.PIPE, []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        processes = []
        for name in ("pytorch", "tensorflow", "files"):
            command = [sys.executable, "-W", "ignore", __file__, name]
            options = {"stdin": pipe, "stdout": pipe, "stderr": subprocess.DEVNULL, "text": True}
            process = subprocess.Popen(command, cwd=folder, env=variables, **options)
            processes.append(stack.enter_context(process))  # closes its standard input, and waits
            while (line := process.stdout.readline()) != "ready\n":
                if not line:
                    raise PictureError(f"The process of {name} has ended.")
        for _ in range(ROUNDS):
            took = {}
            for process in processes:
                process.stdin.write("\n")
                process.stdin.flush()
                took |= json.loads(process.stdout.readline())
            rounds.append(took)
    us = {name: min(took[name] for took in rounds) for name in rounds[0]}
    versions = {each.name: each.version for each in metadata.distributions()}
    versions = {name: versions[name] for name in PACKAGES if name in versions}
    load = {"load": [round(each, 1) for each in os.getloadavg()]}
    return {
        "machine": machine() | load,
        "versions": versions,
        "us": {name: float(f"{each:.3g}") for name, each in us.items()},
    }


if __name__ == "__main__":
    turns()
