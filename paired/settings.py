"""The one place that sets threads, log levels and precision, for every process of the course.

Student kernels, nbval, the tools and the servers all import `paired` before they import a
framework, and `import paired` calls `apply`. A variable that is already set wins, so anybody can
try another value without editing a file: `OMP_NUM_THREADS=2 make test`. Those that would change
what a lesson shows are overruled, and the Makefile takes those away that act before any import.
"""

import logging
import os
import sys
import warnings

from paired import course

ENVIRONMENT = {
    # These networks are small: on a busy two-core machine PyTorch's default thread count was ten
    # times slower than one thread.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    # TensorFlow's C++ log below "error", and its one-line notice about oneDNN, off. oneDNN also
    # changes the order of float32 sums from one CPU to the next.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # Keras 3 runs on three backends; this course compares with TensorFlow.
    "KERAS_BACKEND": "tensorflow",
    # Otherwise the first TensorFlow kernel takes all of a GPU's memory, and the second gets none.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    # TF32 rounds float32 operands to 10 bits of mantissa: parity needs all 23.
    "NVIDIA_TF32_OVERRIDE": "0",
}


# What a person has set for other work would change the lessons, so here it holds no longer.
_OVERRULED = {
    "KERAS_BACKEND": ENVIRONMENT["KERAS_BACKEND"],
    # Jupyter asks for colours, and from 3.13 on Python puts them into tracebacks that cells read.
    "PYTHON_COLORS": "0",
    # Lesson 05 opens pdb: "0" would open nothing, and another debugger is another lesson.
    "PYTHONBREAKPOINT": "",
}


def apply() -> None:
    """Put every setting into this process's environment unless the caller has set it already."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.update(_OVERRULED)
    # Or an old keras.json of theirs: channels first, another float type.
    os.environ["KERAS_HOME"] = str(course.HOME / ".cache" / "keras")
    if "ipykernel" in sys.modules:  # a figure that Agg draws is never shown in a notebook
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    # torch.compile says so on this one Python, in red; nothing here is large enough to notice.
    warnings.filterwarnings("ignore", "Guards may run slower on Python 3.13.0")
    # Nor that CUDA's compiler is here and no GPU, which it says when it first compiles.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
