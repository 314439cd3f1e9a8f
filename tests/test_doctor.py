"""`make doctor`: the right diagnosis for machines that this one is not."""

import dataclasses
import json
import sys

from paired import course
from paired.machine import doctor
from paired.machine.doctor import Facts, Framework

import pytest

CPU_TORCH = Framework("2.13.0+cpu")
CUDA_TORCH = Framework("2.13.0", cuda="13.0")
TENSORFLOW = Framework("2.21.0", cuda="12.5.1", words="Could not find cuda drivers")
NO_LIBRARIES = dataclasses.replace(TENSORFLOW, words="Cannot dlopen some GPU libraries.")
LEFT_OUT = dataclasses.replace(TENSORFLOW, words="The minimum required Cuda capability is 6.0.")
GPU = ("NVIDIA RTX",)
LAPTOP = Facts(
    python="3.11.7",
    system="Linux 6, x86_64",
    device="cpu",
    frameworks={"pytorch": CPU_TORCH, "tensorflow": TENSORFLOW},
    packages=dict.fromkeys(doctor.PACKAGES, "1.0"),
    visdom_page=True,
    hardware=False,
    driver=None,
    hidden=None,
    cores=8,
    settings={},
    hiding=(),
    memory_free=8.0,
    memory=16.0,
    disk_free=100.0,
    ports_taken=(),
    java="openjdk 17",
    browser="/usr/bin/firefox",
)


def machine(**differences) -> Facts:
    """A laptop without a GPU and without troubles, but for these differences."""
    return dataclasses.replace(LAPTOP, **differences)


def frameworks(pytorch=CPU_TORCH, tensorflow=TENSORFLOW) -> dict[str, Framework]:
    return {"pytorch": pytorch, "tensorflow": tensorflow}


def test_nothing_is_wrong_with_a_laptop():
    assert doctor.diagnose(LAPTOP) == []
    assert "Nothing was found that stops the course." in doctor.report(LAPTOP, [])


SEES = frameworks(
    dataclasses.replace(CUDA_TORCH, gpus=GPU), dataclasses.replace(TENSORFLOW, gpus=GPU)
)
GPU_CASES = {
    "cpu build on a gpu machine": (
        {"driver": "580.1", "frameworks": frameworks(CPU_TORCH, NO_LIBRARIES)},
        "note",
        ("PyTorch is built for the CPU only", "does not find the CUDA libraries"),
        "To use the GPU: make lab DEVICE=gpu",
    ),
    "gpu without a driver": (
        {"hardware": True},
        "note",
        ("PyTorch can use no NVIDIA GPU: no driver of NVIDIA's was found", "TensorFlow can use no"),
        "Install NVIDIA's driver",
    ),
    "gpu environment without a driver": (
        {"device": "gpu", "frameworks": frameworks(CUDA_TORCH)},
        "warning",
        ("PyTorch can use no NVIDIA GPU", "TensorFlow can use no NVIDIA GPU"),
        "leave DEVICE=gpu out",
    ),
    "driver too old": (
        {"device": "gpu", "driver": "470.1", "frameworks": frameworks(CUDA_TORCH)},
        "warning",
        ("asks for driver 580 or newer, and here is 470.1", "asks for driver 525 or newer"),
        "Update NVIDIA's driver",
    ),
    "a cause that nobody sees": (
        {
            "driver": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Mon Sep  1",
            "hidden": "7",
            "frameworks": frameworks(CUDA_TORCH),
        },
        "note",
        ("Why, the doctor cannot tell. CUDA_VISIBLE_DEVICES is '7'.", "TensorFlow is built for"),
        "Does nvidia-smi list the GPU?",
    ),
    "too old for the build": (
        {
            "driver": "580.1",
            "frameworks": frameworks(
                dataclasses.replace(CUDA_TORCH, gpus=GPU, broken="no kernel image.\nFor debugging"),
                dataclasses.replace(SEES["tensorflow"], broken="no kernel image"),
            ),
        },
        "problem",
        ("PyTorch counts a GPU, and cannot compute on it: no kernel image.", "TensorFlow counts"),
        "hide it: export CUDA_VISIBLE_DEVICES=",
    ),
    "left out by tensorflow": (
        {"driver": "580.1", "frameworks": frameworks(SEES["pytorch"], LEFT_OUT)},
        "note",
        ("TensorFlow leaves the GPU out",),
        "The CPU is enough.",
    ),
    "hidden": (
        {"device": "gpu", "driver": "580.1", "hidden": "", "frameworks": frameworks(CUDA_TORCH)},
        "warning",
        ("CUDA_VISIBLE_DEVICES='' hides the GPU from PyTorch", "hides the GPU from TensorFlow"),
        "unset CUDA_VISIBLE_DEVICES",
    ),
    "libraries missing": (
        {
            "device": "gpu",
            "driver": "580.1",
            "frameworks": frameworks(SEES["pytorch"], NO_LIBRARIES),
        },
        "warning",
        ("TensorFlow does not find the CUDA libraries",),
        "rm -rf .venv-gpu-tensorflow",
    ),
}


@pytest.mark.parametrize("case", GPU_CASES)
def test_gpu_that_is_not_used_is_explained(case):
    differences, level, whats, remedy = GPU_CASES[case]
    findings = doctor.diagnose(machine(**differences))
    assert [finding.level for finding in findings] == [level] * len(whats)
    for finding, what in zip(findings, whats, strict=True):
        assert what in finding.what
        assert remedy in finding.remedy


def test_gpu_that_is_used_needs_no_word():
    facts = machine(device="gpu", driver="580.1", hidden="0", frameworks=SEES)
    assert doctor.diagnose(facts) == []
    assert "sees NVIDIA RTX" in doctor.report(facts, [])


def test_other_gpus_are_named_and_not_mistaken_for_a_missing_one():
    metal = Framework("2.13.0", other="Apple's Metal", gpus=("mps",))
    facts = machine(hardware=True, frameworks={"pytorch": metal})
    assert doctor.diagnose(facts) == []
    assert "built for Apple's Metal, sees mps" in doctor.report(facts, [])


# As much of a framework as the doctor asks; its GPU is one that the build has no code for.
OLD_GPU = {
    "pytorch": """
import types
__version__, version = "2.13.0", types.SimpleNamespace(cuda="13.0", hip=None)
accelerator = types.SimpleNamespace(
    current_accelerator=lambda: types.SimpleNamespace(type="cuda"),
    is_available=lambda: True,
    device_count=lambda: 1,
)
cuda = types.SimpleNamespace(get_device_name=lambda number: "NVIDIA RTX")


def ones(size, device):
    raise RuntimeError("CUDA error: no kernel image")
""",
    "tensorflow": """
import contextlib, types
__version__ = "2.13.0"
gpu = types.SimpleNamespace(name="/physical_device:GPU:0")
details = lambda gpu: {"device_name": "NVIDIA RTX"}
config = types.SimpleNamespace(
    experimental=types.SimpleNamespace(get_device_details=details),
    list_physical_devices=lambda kind: [gpu],
    set_soft_device_placement=lambda enabled: None,
)
sysconfig = types.SimpleNamespace(get_build_info=lambda: {"cuda_version": "13.0"})
test = types.SimpleNamespace(is_built_with_cuda=lambda: True, is_built_with_rocm=lambda: False)
device = contextlib.nullcontext


def ones(shape):
    raise RuntimeError("CUDA error: no kernel image")
""",
}


@pytest.mark.parametrize("name", course.FRAMEWORKS)
def test_a_gpu_is_asked_to_add(monkeypatch, tmp_path, name):
    module = {"pytorch": "torch", "tensorflow": "tensorflow"}[name]
    (tmp_path / f"{module}.py").write_text(OLD_GPU[name])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    broken = "CUDA error: no kernel image"
    expected = Framework("2.13.0", cuda="13.0", gpus=GPU, broken=broken)
    assert doctor.probe(name, sys.executable) == expected


@pytest.mark.parametrize(
    ("differences", "level", "what"),
    [
        ({"memory_free": 0.5}, "warning", "Only 0.5 GB of memory"),
        ({"disk_free": 0.2}, "warning", "Only 0.2 GB of the disk"),
        ({"settings": {"OMP_NUM_THREADS": "8"}}, "warning", "OMP_NUM_THREADS is '8' here, and '1'"),
        (
            {"hiding": ("exercises/torch.py",)},
            "problem",
            "exercises/torch.py hides the module torch",
        ),
        ({"visdom_page": False}, "warning", "The files of Visdom's page are missing"),
        ({"ports_taken": (6006,)}, "note", "Port 6006 (TensorBoard) is in use"),
        ({"java": None}, "note", "There is no Java"),
        ({"browser": None}, "note", "No browser"),
        ({"packages": LAPTOP.packages | {"nbval": None}}, "problem", "Not installed: nbval"),
        ({"frameworks": frameworks(Framework(error="no file"))}, "problem", "PyTorch cannot"),
        (
            {"frameworks": frameworks(CPU_TORCH, Framework(error="killed by SIGILL"))},
            "problem",
            "TensorFlow cannot be imported: killed by SIGILL",
        ),
    ],
)
def test_each_trouble_has_a_remedy(differences, level, what):
    [finding] = doctor.diagnose(machine(**differences))
    assert finding.level == level
    assert what in finding.what
    assert finding.remedy


def test_worst_comes_first():
    facts = machine(java=None, disk_free=0.1, frameworks=frameworks(Framework(error="x")))
    levels = [finding.level for finding in doctor.diagnose(facts)]
    assert levels == ["problem", "warning", "note"]


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("raise ImportError('no file')", "ImportError: no file"),
        ("import os; os.kill(os.getpid(), 4)", "killed by SIGILL"),
    ],
)
def test_broken_framework_is_reported_and_not_raised(monkeypatch, program, error):
    monkeypatch.setitem(doctor.PROBES, "pytorch", program)
    assert doctor.probe("pytorch", sys.executable).error == error


def test_environment_that_is_gone_is_reported(tmp_path):
    assert "No such file" in doctor.probe("pytorch", str(tmp_path / "python")).error


def test_what_a_person_has_set_or_saved_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(course, "ROOT", tmp_path)
    (tmp_path / "exercises").mkdir()
    for name in ("numpy.py", "random.py", "mine.py"):
        (tmp_path / "exercises" / name).touch()
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    assert doctor._settings() == {"TF_ENABLE_ONEDNN_OPTS": "1"}
    assert sorted(doctor._hiding()) == ["exercises/numpy.py", "exercises/random.py"]


def test_this_machine_can_be_looked_at(monkeypatch, capsys):
    said = '{"version": "1", "cuda": null, "gpus": []}'
    for framework in course.FRAMEWORKS:  # the real imports take seconds
        monkeypatch.setitem(doctor.PROBES, framework, f"print('noise'); print('{said}')")
    status = doctor.main(["--json"])
    whole = json.loads(capsys.readouterr().out)
    assert set(whole["facts"]) == {field.name for field in dataclasses.fields(Facts)}
    problems = [finding for finding in whole["findings"] if finding["level"] == "problem"]
    assert status == bool(problems)
    doctor.main([])
    assert "TensorFlow   1, built for the CPU, sees no GPU" in capsys.readouterr().out
