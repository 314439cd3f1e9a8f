"""The other side of TensorFlow's half, in a process of its own.

In the folder in which it is run, it takes the weights in carried.safetensors, in PyTorch's layout,
and writes the network that has them as twin.onnx. It opens net.keras with Keras on PyTorch, and
writes what that answers to bridge.npy.
"""

import collections
import os
import warnings

from paired import data
from paired.events import keep_tensorflow_out

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

os.environ["KERAS_BACKEND"] = "torch"  # paired chose TensorFlow
keep_tensorflow_out()
import keras  # noqa: E402

layers = {"conv": nn.Conv2d(1, 8, 3, padding=1), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2)}
layers |= {"flatten": nn.Flatten(), "output": nn.Linear(128, 10)}
net = nn.Sequential(collections.OrderedDict(layers)).eval()
net.load_state_dict(load_file("carried.safetensors"))
images = torch.from_numpy(data.digits().x_test)
with warnings.catch_warnings(action="ignore"):
    torch.onnx.export(
        net,
        (images[:2, None],),
        "twin.onnx",
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("n")},),
        external_data=False,
        verbose=False,
    )
bridge = keras.saving.load_model("net.keras")
print(isinstance(bridge, nn.Module), int(bridge.optimizer.iterations))
np.save("bridge.npy", bridge(images[..., None]).detach())
