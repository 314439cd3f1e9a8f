"""A beginner's ten mistakes in PyTorch; `mistakes.py` says how each is judged."""

import paired  # noqa: F401, sets the threads

import torch
from torch import nn

from mistakes import IMAGES, X, Y, show, slip

X, Y, IMAGES = torch.tensor(X), torch.tensor(Y), torch.tensor(IMAGES)  # channels last
loss_fn = nn.CrossEntropyLoss()


class Net(nn.Module):
    """A perceptron, as the tutorials write it."""

    def __init__(self, inputs=64, hidden=32):
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.out = nn.Linear(hidden, 10)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return self.out(x)


class ConvNet(nn.Module):
    """A convolution, flattened into a dense layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.out = nn.Linear(8 * 6 * 6, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        x = torch.flatten(x, 1)
        return self.out(x)


def accuracy(model):
    """The share of right answers."""
    return (model(X).argmax(1) == Y).float().mean().item()


def new(softmax=False):
    """A fresh network, always the same one, and its optimiser."""
    torch.manual_seed(0)
    model = nn.Sequential(Net(), nn.Softmax(1)) if softmax else Net()
    return model, torch.optim.SGD(model.parameters(), 0.1)


def train(model, optimizer, clear=True):
    """Train for ten epochs; returns the accuracy."""
    for _ in range(10):
        for x, y in zip(X.split(32), Y.split(32), strict=True):
            loss = loss_fn(model(x), y)
            if clear:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return accuracy(model)


@slip(
    "A dense layer is made for 60 inputs and gets 64.",
    asked="liyuantsao/BFSR/issues/7",
    what="(512x64 and 60x32)",
    where="self.hidden(x)",
)
def features():
    model = Net(inputs=60)
    loss_fn(model(X), Y)


@slip(
    "Images with channels last go into a convolution that wants channels first.",
    asked="midasklr/facelandmarks/issues/4",
    what="to have 3 channels, but got 8 channels",
    where="self.conv(x)",
)
def channels():
    model = ConvNet()
    model(IMAGES[:32])


@slip(
    "One image, without a batch, goes into a network.",
    asked="mrdbourke/pytorch-deep-learning/issues/71",
)
def batch():
    model = ConvNet()
    image = IMAGES[0].permute(2, 0, 1)
    model(image)


@slip(
    "The labels are floats.",
    asked="pytorch/pytorch/issues/118280",
    what="expected target dtype to be Long or Byte, but got Float",
    where="target",
)
def labels():
    model = Net()
    loss_fn(model(X), Y.float())


@slip(
    "The network ends with a softmax, and the loss expects logits.",
    asked="huggingface/transformers/issues/7827",
)
def logits():
    right, wrong = train(*new()), train(*new(softmax=True))
    return f"accuracy {wrong:.2f} instead of {right:.2f} after ten epochs"


@slip(
    "`zero_grad` is forgotten.",
    asked="pytorch/pytorch/issues/47175",
)
def gradients():
    right, wrong = train(*new()), train(*new(), clear=False)
    return f"accuracy {wrong:.2f} instead of {right:.2f} after ten epochs"


@slip(
    "The loss of a step is kept as a NumPy number.",
    asked="pytorch/pytorch/issues/44023",
    what="Can't call numpy() on Tensor that requires grad",
    where="loss.numpy()",
    do="Use tensor.detach().numpy() instead",
)
def numpy():
    model, losses = Net(), []
    loss = loss_fn(model(X), Y)
    losses.append(loss.numpy())


@slip(
    "One number of a weight is set by its index.",
    asked="Atcold/NYU-DLSP20/issues/765",
    what="a leaf Variable that requires grad is being used in an in-place operation",
    where="w[0] = 1.0",
)
def assign():
    w = torch.zeros(3, requires_grad=True)
    w[0] = 1.0


@slip(
    "The network is made anew, the optimiser is not.",
    asked="pytorch/pytorch/issues/54765",
)
def optimiser():
    model, optimizer = new()
    right = train(model, optimizer)
    model, _ = new()
    wrong = train(model, optimizer)
    return f"accuracy {wrong:.2f} instead of {right:.2f} after ten epochs"


@slip(
    "Weights of one network are loaded into a wider one.",
    asked="mbrossar/ai-imu-dr/issues/75",
    what="from checkpoint, the shape in current model is",
    where="hidden.weight",
)
def weights():
    torch.save(Net(hidden=32).state_dict(), "net.pt")
    model = Net(hidden=64)
    model.load_state_dict(torch.load("net.pt"))


show()
