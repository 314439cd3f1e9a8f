"""What `make measure LESSON=08` races in PyTorch.

A name on standard input is one turn of one contestant; the answer is a line of JSON: its seconds of
CPU and of the clock on the wall, and how many samples it trained on. The first turn of a name is
its first call: it builds, and what compiles compiles.
"""

import json
import os
import pathlib
import sys
import time

from paired import data

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

SHAPES = {"mlp": (64,), "wide": (64,), "cnn": (1, 8, 8), "cnn28": (1, 28, 28)}
SHAPES |= {"lstm": (8, 8), "gru": (8, 8), "attention": (8, 8)}
SAMPLES = 640  # of a turn, at least one batch


class Recurrent(nn.Module):
    """A digit is a sequence of 8 rows; the last state decides."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.cell, self.out = (kind(8, 64, batch_first=True), nn.Linear(64, 10))

    def forward(self, x):
        """Logits of rows of shape `(n, 8, 8)`."""
        return self.out(self.cell(x)[0][:, -1])


class Attention(nn.Module):
    """The 8 rows look at each other."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Linear(8, 32), nn.Linear(32, 10)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x):
        """Logits of rows of shape `(n, 8, 8)`."""
        h = self.embed(x)
        h = h + self.attention(h, h, h, need_weights=False)[0]
        return self.out(h.mean(1))


def convolutional(side: int) -> nn.Sequential:
    """Two convolutions, for images of `side` by `side`."""
    first = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 10))


NETS = {
    "mlp": lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)),
    "wide": lambda: nn.Sequential(
        nn.Linear(64, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)
    ),
    "cnn": lambda: convolutional(8),
    "cnn28": lambda: convolutional(28),
    "lstm": lambda: Recurrent(nn.LSTM),
    "gru": lambda: Recurrent(nn.GRU),
    "attention": Attention,
}


def trainer(name: str, mode: str, precision: str = "float32"):
    """A network, and a function that trains it on one batch."""
    torch.manual_seed(0)
    net = NETS[name]()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=mode != "eager")
    if mode == "channels last":
        net.to(memory_format=torch.channels_last)
    forward = torch.compile(net) if mode == "compiled" else net

    def step(x, y):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = F.cross_entropy(forward(x), y)
        loss.backward()
        optimizer.step()

    return net, step


def race(name: str, mode: str, batch: int = 64, precision: str = "float32"):
    """A turn: `SAMPLES` samples in batches, of random numbers."""
    _, step = trainer(name, mode, precision)
    x, y = torch.rand(batch, *SHAPES[name]), torch.randint(10, (batch,))
    steps = max(SAMPLES // batch, 2)

    def turn() -> int:
        for _ in range(steps):
            step(x, y)
        return steps * batch

    return turn


def accuracy(batch: int):
    """A turn: the MLP from the beginning to 95 % of the test digits, its data in memory."""
    digits = data.digits()
    x, x_test = (torch.from_numpy(a.reshape(-1, 64)) for a in (digits.x_train, digits.x_test))
    y, y_test = (torch.from_numpy(digits.y_train), torch.from_numpy(digits.y_test))
    every = max(128 // batch, 1)  # steps between two looks at the accuracy

    def turn() -> int:
        net, step = trainer("mlp", "fused")
        for n, rows in enumerate(data.batches(len(x), batch, 100_000), start=1):
            step(x[rows], y[rows])
            if n % every == 0:
                with torch.no_grad():
                    if (net(x_test).argmax(1) == y_test).float().mean() >= 0.95:
                        return n * batch
        raise RuntimeError("95 % is not reached")

    return turn


def pipeline(way: str, folder: str):
    """A turn: an epoch of the MLP on PNG files, decoded each time or once."""
    paths = sorted(pathlib.Path(folder).glob("*.png"))

    def decode(path: pathlib.Path):
        pixels = np.asarray(Image.open(path), np.float32) / 255
        return torch.from_numpy(pixels.reshape(8, 8, 8, 8).mean((1, 3)).reshape(64))

    kept = torch.stack([decode(path) for path in paths])
    y = torch.tensor([int(path.stem[-1]) for path in paths])
    _, step = trainer("mlp", "fused")

    def turn() -> int:
        for rows in torch.arange(len(paths)).split(64):
            decoded = way == "decoded each epoch"
            x = torch.stack([decode(paths[row]) for row in rows]) if decoded else kept[rows]
            step(x, y[rows])
        return len(paths)

    return turn


KINDS = {"mode": race, "batch": race, "precision": race}
KINDS |= {"accuracy": accuracy, "pipeline": pipeline}


def main() -> None:
    """Answer until standard input ends."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    turns = {}
    for line in sys.stdin:
        kind, *given = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        if line not in turns:
            turns[line] = KINDS[kind](*given)
        samples = turns[line]()
        took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps({**took, "samples": samples}), flush=True)


if __name__ == "__main__":
    main()
