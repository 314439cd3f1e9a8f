"""TorchServe's gRPC client, made from the protocol in TorchServe's own Java archive."""

import importlib
import pathlib
import sys
import types
import zipfile

import grpc_tools
import ts
from grpc_tools import protoc


def make(folder: pathlib.Path) -> tuple[types.ModuleType, types.ModuleType]:
    """Write the messages' module and the services' to a folder, and import them."""
    protocols = ("inference.proto", "google/rpc/status.proto")
    with zipfile.ZipFile(pathlib.Path(ts.__file__).parent / "frontend" / "model-server.jar") as jar:
        jar.extractall(folder, protocols)
    # Not `grpc.protos_and_services`, which refuses a `sys.path` with letters such as ü.
    known = pathlib.Path(grpc_tools.__file__).parent / "_proto"  # what these import
    to = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", f"-I{folder}", f"-I{known}", *to, *protocols]):
        raise RuntimeError("protoc made no client of TorchServe's protocol; its words are above.")
    sys.path.insert(0, str(folder))
    return importlib.import_module("inference_pb2"), importlib.import_module("inference_pb2_grpc")
