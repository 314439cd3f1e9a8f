"""The project as it is in PyTorch: a small network reads digits, row by row.

It is what the TensorFlow half ports. Run, it trains, and leaves its record for the port.
"""

import math
import tempfile

from paired import data, parity

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from probe_pytorch import Probe

EPOCHS, BATCH, PATIENCE, MARGIN = 12, 64, 1, 0.02
RATE, DECAY, CLIP, DROPOUT = 1 / 32, 1 / 256, 1.0, 0.25


# The project


def draws(seed, epoch, n, units=16):
    """What is random in an epoch: the order, shifts, brightness and what dropout keeps."""
    rng = np.random.default_rng([seed, epoch])
    order, shifts = rng.permutation(n), rng.integers(-1, 2, (n, 2))
    light, kept = rng.uniform(0.75, 1.25, n), rng.random((n, units))
    return order, shifts, light, kept >= DROPOUT


class Examples(Dataset):
    """The examples of one epoch, augmented."""

    def __init__(self, x, y, seed, epoch):
        order, *self.random = draws(seed, epoch, len(x))
        self.x, self.y = x[order], y[order]

    def __len__(self):
        return len(self.y)

    def __getitem__(self, n):
        shift, light, kept = (values[n] for values in self.random)
        return (self.x[n].roll(tuple(shift), (0, 1)) * light).clip(0, 1), self.y[n], kept


class Gate(nn.Module):
    """Lets through what it finds worth it."""

    def __init__(self, width):
        super().__init__()
        self.gate = nn.Linear(width, width)

    def forward(self, h):
        return h * self.gate(h).sigmoid()


class Net(nn.Module):
    """Images and what dropout keeps, to logits."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8, momentum=1 / 8)
        self.gate = Gate(32)
        self.gru = nn.GRU(32, 16, batch_first=True)
        self.scale = nn.LayerNorm(16)
        self.out = nn.Linear(16, 10)

    def forward(self, x, kept=None):
        h = F.leaky_relu(self.norm(self.conv(x[:, None])), 1 / 8)
        h = self.gate(h.transpose(1, 2).flatten(2))  # a row: its pixels, channel by channel
        h = self.scale(self.gru(h)[0][:, -1])
        return self.out(h * kept / (1 - DROPOUT) if self.training else h)


def focal_loss(logits, y):
    """Cross-entropy with smoothed labels that weighs what is hard more."""
    log_p = logits.log_softmax(1)
    target = F.one_hot(y, 10) * (1 - 5 / 64) + 1 / 128
    return -(target * (1 - log_p.exp()) ** 2 * log_p).sum(1).mean()


def balanced_accuracy(logits, y):
    """The share of each digit that is recognised, averaged over the digits."""
    right = (logits.argmax(1) == y).double()
    return torch.stack([right[y == n].mean() for n in range(10)]).mean()


def rate(step, per_epoch=18):
    """A factor: an epoch of warm-up, then half a cosine down to a quarter."""
    if step < per_epoch:
        return (step + 1) / per_epoch
    done = (step - per_epoch) / ((EPOCHS - 1) * per_epoch)
    return (5 + 3 * math.cos(math.pi * done)) / 8


def evaluate(net, x, y):
    """The logits, the loss and the project's own metric."""
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(part) for part in x.split(BATCH)])
    return logits, focal_loss(logits, y).item(), balanced_accuracy(logits, y).item()


def start(net, seed):
    """The initial weights, biases too; scales and statistics stay as they are."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in net.named_parameters():
        bound = max(4, math.prod(weight.shape[1:])) ** -0.5
        if name not in ("norm.weight", "scale.weight"):
            nn.init.uniform_(weight, -bound, bound, generator=generator)


def split():
    """1,152 digits to train on, 285 to validate."""
    digits = data.digits("float64")
    x, y = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train)
    return x[:1152], y[:1152], x[1152:], y[1152:]


def train(net, seed, after_step, after_epoch):
    """Train as long as the validation loss falls, then go back to the best."""
    x, y, x_val, y_val = split()
    how = {"betas": (7 / 8, 1023 / 1024), "weight_decay": DECAY}
    adam = torch.optim.AdamW(net.parameters(), RATE, **how)
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, rate)
    best, waited, step = math.inf, 0, 0
    with tempfile.TemporaryFile() as file:
        for epoch in range(EPOCHS):
            for images, labels, kept in DataLoader(
                Examples(x, y, seed, epoch), BATCH, drop_last=True
            ):
                net.train()
                logits = net(images, kept)
                loss = focal_loss(logits, labels)
                adam.zero_grad()
                loss.backward()
                gradients = [p.grad.clone() for p in net.parameters()]
                nn.utils.clip_grad_norm_(net.parameters(), CLIP)
                adam.step()
                schedule.step()
                step += 1
                after_step(net, step, images, logits, loss, gradients)
            _, loss, balanced = evaluate(net, x_val, y_val)
            after_epoch(step, loss, balanced)
            waited += 1
            if loss < best - MARGIN:
                best, waited = loss, 0
                file.seek(0)
                torch.save(net.state_dict(), file)
            if waited > PATIENCE:
                break
        file.seek(0)
        net.load_state_dict(torch.load(file))
    return step


# The record for the port


def recorded(record, seed=2):
    """Train and record, the initial weights as they are too; the best model."""
    net = Net().double()
    start(net, seed)
    for name, value in net.named_parameters():
        record(f"w/start/{name}", value, step=0)
    probe = Probe(record, "to-keras", lambda: evaluate(net, *split()[2:])[0])
    probe.before(net)
    step = train(net, seed, probe.after_step, probe.after_epoch)
    probe.evaluate(step, "best")
    return net


if __name__ == "__main__":
    record = parity.Recorder("10_original", "pytorch")
    recorded(record)
    record.save()
