"""The network that leaves Python: the digits CNN of 13,706 parameters, in each framework."""

from paired import data

import numpy as np


def pytorch():
    """A module, trained for 200 steps: images of shape (n, 1, 8, 8) to 10 logits each."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)),
    )
    digits, optimizer = data.digits(), torch.optim.Adam(net.parameters(), lr=3e-3)
    x, y = torch.from_numpy(digits.x_train)[:, None], torch.from_numpy(digits.y_train)
    for rows in data.batches(len(x), 64, 200):
        optimizer.zero_grad()
        functional.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    return net.eval()


def weights(net) -> list[np.ndarray]:
    """What the module has learned, in the order and the layout of Keras."""
    found = [each.detach().numpy() for each in net.parameters()]
    found = [each.transpose(2, 3, 1, 0) if each.ndim == 4 else each.T for each in found]
    # A row of the first dense layer is a channel and a place; Keras has the channels last.
    found[4] = found[4].reshape(32, 2, 2, -1).transpose(1, 2, 0, 3).reshape(128, -1)
    return found


def tensorflow(learned: list[np.ndarray]):
    """The same network in Keras, with these weights: images of shape (n, 8, 8, 1)."""
    from paired.imports import quiet_import

    with quiet_import():
        import keras
    layers, same = keras.layers, {"padding": "same", "activation": "relu"}
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            *(layers.Conv2D(16, 3, **same), layers.MaxPooling2D()),
            *(layers.Conv2D(32, 3, **same), layers.MaxPooling2D()),
            *(layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10)),
        ]
    )
    net.set_weights(learned)
    return net
