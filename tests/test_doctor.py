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
    assert "The course works on this machine." in doctor.report(LAPTOP, [])


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
        ("PyTorch can use no GPU: this machine has no NVIDIA driver", "TensorFlow can use no"),
        "Install NVIDIA's driver",
    ),
    "gpu environment without a driver": (
        {"device": "gpu", "frameworks": frameworks(CUDA_TORCH)},
        "warning",
        ("PyTorch can use no GPU", "TensorFlow can use no GPU"),
        "leave DEVICE=gpu out",
    ),
    "driver too old": (
        {"device": "gpu", "driver": "470.1", "frameworks": frameworks(CUDA_TORCH)},
        "warning",
        ("PyTorch is built for CUDA 13.0 and sees no GPU", "TensorFlow is built for CUDA 12.5.1"),
        "Update NVIDIA's driver",
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
