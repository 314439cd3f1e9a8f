"""The network that is served. TorchServe wants one class in this file, and no more."""

from torch import Tensor, nn
from torch.nn import functional


class Digits(nn.Module):
    """The scores of the 10 digits, for images of shape (n, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.output = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Of shape (n, 10)."""
        maps = functional.relu(self.conv(images[:, None]))
        return self.output(functional.max_pool2d(maps, 2).flatten(1))
