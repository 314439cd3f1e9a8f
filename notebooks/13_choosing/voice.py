"""The other side of TensorFlow's half, in a process of its own, since the original needs PyTorch.

In the folder in which it is run, it asks the network of the package silero-vad about sound.npy, and
writes that network's weights, in PyTorch's layout, and its answers to voice.safetensors.
"""

from importlib import resources

import numpy as np
import torch
from safetensors.torch import save_file

original = torch.jit.load(resources.files("silero_vad") / "data" / "silero_vad.jit")
weights = dict(original.named_children())["_model"].state_dict()  # for 16,000 samples a second
chunks = torch.from_numpy(np.load("sound.npy")).float()
answers = torch.cat([original(chunk[None], 16000).detach() for chunk in chunks])
save_file({**weights, "answers": answers}, "voice.safetensors")
