"""Start a notebook's kernel in the GPU environment of its framework.

The two frameworks' CUDA packages cannot share an environment, and a pair opens side by side in one
JupyterLab. Jupyter tells the kernel which notebook it is for; its name says the framework.
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def python(notebook: str) -> pathlib.Path:
    """The Python that runs this notebook's kernel: PyTorch's unless its name says TensorFlow."""
    framework = "tensorflow" if notebook.endswith("_tensorflow.ipynb") else "pytorch"
    return ROOT / f".venv-gpu-{framework}" / "bin" / "python"


if __name__ == "__main__":
    chosen = python(os.environ.get("JPY_SESSION_NAME", ""))
    os.execv(chosen, [str(chosen), "-m", "ipykernel_launcher", *sys.argv[1:]])  # noqa: S606
