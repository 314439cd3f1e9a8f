"""A network of PyTorch as a file for ExecuTorch: `phone.py FOLDER`.

Reads `network.pt2` and `images.npy` in FOLDER, writes `network.pte` and `scores.npy`.
"""

import pathlib
import sys

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime

folder = pathlib.Path(sys.argv[1])
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
