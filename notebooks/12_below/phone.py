"""A network of PyTorch as a file for ExecuTorch.

Imports what it needs, then reads the name of a folder from its standard input. It reads
`network.pt2` and `images.npy` there, and writes `network.pte` and `scores.npy`.
"""

import pathlib

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime

folder = pathlib.Path(input())
program = torch.export.load(folder / "network.pt2")
# What XNNPACK can compute is handed to it.
edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
file = edge.to_executorch().buffer
(folder / "network.pte").write_bytes(file)

# The program was exported with one image, and takes one at a time.
method = Runtime.get().load_program(file).load_method("forward")
images = torch.from_numpy(np.load(folder / "images.npy"))
scores = [method.execute([image[None]])[0].numpy() for image in images]
np.save(folder / "scores.npy", np.concatenate(scores))
