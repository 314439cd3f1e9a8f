"""Lesson 12's programs in C++ and R: they give what Python gives."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

from paired import course, data

import numpy as np
import pytest

HERE = course.ROOT / "notebooks" / "12_below"
PATHS = os.pathsep.join([str(course.ROOT), str(HERE)])
# The package is made without what only makes it faster.
PYTORCH = """
import nets, numpy, torch
net = nets.pytorch()
numpy.savez("weights", *nets.weights(net))
images = torch.from_numpy(numpy.loadtxt("images", "float32").reshape(-1, 1, 8, 8))
with torch.no_grad():
    numpy.save("pytorch", net(images))
    program = torch.export.export(net, (images,), dynamic_shapes=({0: torch.export.Dim("n")},))
    plain = {"cpp.vec_isa_ok": False, "aot_inductor.precompile_headers": False}
    plain["aot_inductor.compile_wrapper_opt_level"] = "O0"
    package = torch._inductor.aoti_compile_and_package
    package(program, package_path="net.pt2", inductor_configs=plain)
"""
TENSORFLOW = """
import nets, numpy
net = nets.tensorflow(list(numpy.load("weights.npz").values()))
images = numpy.loadtxt("images", "float32").reshape(-1, 8, 8, 1)
numpy.save("tensorflow", net(images))
net.export("net", verbose=False)
"""


def environment(folder: pathlib.Path) -> dict[str, str]:
    """What programs are given: one thread, no thread's words, caches that go with the folder."""
    own = {"PYTHONPATH": PATHS, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return os.environ | own | {"TORCHINDUCTOR_CACHE_DIR": str(folder / "cache")}


def build(framework: str, folder: pathlib.Path, standard: str, *libraries: str) -> list:
    """The command that compiles a framework's program: headers and libraries lie in its package."""
    name = {"pytorch": "torch"}.get(framework, framework)
    root = pathlib.Path(importlib.util.find_spec(name).origin).parent
    where = root / "lib" if name == "torch" else root
    # With its usual linker g++ reads all of TensorFlow's gigabyte: 12 s instead of 2.
    gold = ["-fuse-ld=gold"] if shutil.which("ld.gold") else []
    return [
        *("g++", standard, *gold, f"-I{root / 'include'}", HERE / f"run_{framework}.cpp"),
        *(f"-L{where}", f"-Wl,-rpath,{where}", *libraries, "-o", folder / f"run_{framework}"),
    ]


@pytest.mark.needs("g++")
@pytest.mark.skipif(
    sys.platform != "linux", reason="NOT PROVEN HERE: libraries are named so on Linux"
)
@pytest.mark.xdist_group("below")
def test_programs_in_cpp_give_what_python_gives(tmp_path):
    if re.search(r"[\s'\"]", sys.prefix):
        pytest.skip("NOT PROVEN HERE: PyTorch's compiler does not quote this checkout's path")
    images = data.digits().x_test[:20].reshape(20, 64)
    np.savetxt(tmp_path / "images", images)
    given = {"cwd": tmp_path, "env": environment(tmp_path)}
    torch_libraries = ("-ltorch", "-ltorch_cpu", "-lc10")
    commands = [build("pytorch", tmp_path, "-std=c++20", *torch_libraries)]
    libraries = ("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2")
    commands += [build("tensorflow", tmp_path, "-std=c++17", *libraries)]
    builds = [subprocess.Popen(command, **given) for command in commands]
    for code in PYTORCH, TENSORFLOW:
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, **given)
    assert [build.wait() for build in builds] == [0, 0]
    asked = {"pytorch": ["net.pt2"], "tensorflow": ["net", "serving_default_image"]}
    asked["tensorflow"] += ["StatefulPartitionedCall_1"]
    for framework, words in asked.items():
        with (tmp_path / "images").open() as file:
            command = [tmp_path / f"run_{framework}", *words]
            said = subprocess.check_output(command, stdin=file, text=True, **given)
        found = np.array([line.split() for line in said.splitlines()], float)
        known = np.load(tmp_path / f"{framework}.npy")
        np.testing.assert_array_equal(found[:, 0], known.argmax(1), err_msg=framework)
        np.testing.assert_allclose(found[:, 1:], known, atol=1e-4, err_msg=framework)
    np.testing.assert_allclose(*(np.load(tmp_path / f"{name}.npy") for name in asked), atol=1e-4)


@pytest.mark.needs("R")
def test_r_trains_the_same_network_in_both_frameworks(tmp_path):
    given = environment(tmp_path) | {"RETICULATE_PYTHON": sys.executable}
    command = ["Rscript", HERE / "digits.R"]
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True)
    if "no package called" in done.stderr:
        pytest.skip("NOT PROVEN HERE: R has no reticulate (Debian: r-cran-reticulate)")
    if "in python_config" in done.stderr and sys.version_info >= (3, 12):
        pytest.skip("NOT PROVEN HERE: an old reticulate, Debian 12's, needs Python 3.11 or older")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (HERE / "digits.R.txt").read_text(encoding="utf-8")
