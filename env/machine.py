"""What is on this machine, and whether the course can be installed there.

Used on the system's own Python; the syntax stays readable for Python 3.6.
"""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sysconfig

from steps import CEILING, FLOOR, PYTHONS, InstallError


def other_pythons():
    """The names of the Pythons on the PATH that the course runs on, newest first."""
    names = [f"python3.{minor}" for minor in range(CEILING[1] - 1, FLOOR[1] - 1, -1)]

    there = [name for name in names if shutil.which(name)]
    return [
        name for name in there if not subprocess.call([name, "-c", ""], stderr=subprocess.DEVNULL)
    ]


def check_python(version, bits, system, modules):
    """Raise InstallError unless this Python can make an environment that the course runs in.

    `modules` are the names of those of venv and ensurepip that are missing.
    """
    here = f"Python {version[0]}.{version[1]}"
    if system == "nt":
        raise InstallError(
            "The course runs on Linux and macOS. On Windows, open it in WSL "
            "(Windows Subsystem for Linux) and run the same command there."
        )
    if not FLOOR <= version[:2] < CEILING:
        found = other_pythons()
        advice = (
            f"Use the one that is here: make lab PYTHON={found[0]}."
            if found
            else "Install one from python.org or your system, then: make lab PYTHON=python3.12."
        )
        raise InstallError(f"This is {here}; the course needs {PYTHONS}. {advice}")
    if bits < 64:
        raise InstallError(
            f"This {here} is a {bits}-bit program; PyTorch and TensorFlow exist only for 64 bits. "
            "Install a 64-bit Python, then: make lab PYTHON=/path/to/python3."
        )
    if modules:
        raise InstallError(
            f"This {here} lacks its module {' and '.join(modules)}, which makes environments. "
            f"On Debian and Ubuntu: sudo apt install python{version[0]}.{version[1]}-venv."
        )


def has_nvidia_driver():
    """Whether this machine could use a CUDA build; the last file is WSL's."""
    files = ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1")
    return bool(shutil.which("nvidia-smi")) or any(map(os.path.exists, files))


def bundled_pip():
    """The wheel of pip that comes with this Python, or with the system's Pythons; or None."""
    here = os.path.dirname(importlib.util.find_spec("ensurepip").origin)
    for folder in (sysconfig.get_config_var("WHEEL_PKG_DIR"), os.path.join(here, "_bundled")):
        wheels = sorted(pathlib.Path(folder).glob("pip-*.whl")) if folder else []
        if wheels:
            return str(wheels[-1])
    return None
