"""What is installed, what each framework sees, and what to do about each problem: `make doctor`.

`gather` collects facts and judges nothing; `diagnose` judges facts and touches nothing, so every
case of a GPU can be tested without one; the rest prints.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys

from paired import course, dashboards, ports, settings

PACKAGES = ("jupyterlab", "jupyter-server-proxy", "ipykernel", "nbval", "keras", "tensorboard")
PACKAGES += ("visdom", "numpy")
PORTS = {8888: "JupyterLab", 6006: "TensorBoard", 8097: "Visdom"}
# The oldest driver for each major version of CUDA, as NVIDIA lists it.
MINIMUM_DRIVER = {12: 525, 13: 580}

# Each runs in a process of its own: an import may fail, crash, or write to stderr. A GPU that is
# counted may still be one that the build has no code for, so each has to add two numbers.
PROBES = {
    "pytorch": """
import json, torch
device = torch.accelerator.current_accelerator()
kind = device.type if device else "cpu"
count = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
gpus = [torch.cuda.get_device_name(i) if kind == "cuda" else kind for i in range(count)]
broken = None
try:
    for i in range(count):
        torch.ones(1, device=f"{kind}:{i}").add(1).item()
except Exception as error:
    broken = str(error)
hip = torch.version.hip
other = f"ROCm {hip}" if hip else {"mps": "Apple's Metal", "xpu": "Intel's XPU"}.get(kind)
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "gpus": gpus,
                  "other": other, "broken": broken}))
""",
    "tensorflow": """
import json, tensorflow as tf
cuda = tf.sysconfig.get_build_info().get("cuda_version") if tf.test.is_built_with_cuda() else None
there = tf.config.list_physical_devices("GPU")
gpus = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in there]
broken = None
try:
    tf.config.set_soft_device_placement(False)
    for i in range(len(there)):
        with tf.device(f"/GPU:{i}"):
            float(tf.ones(()) + 1)
except Exception as error:
    broken = str(error)
print(json.dumps({"version": tf.__version__, "cuda": cuda, "gpus": gpus, "broken": broken,
                  "other": "ROCm" if tf.test.is_built_with_rocm() else None}))
""",
}


@dataclasses.dataclass(frozen=True)
class Framework:
    """What one framework says of itself, in the environment that runs its notebooks."""

    version: str | None = None
    cuda: str | None = None  # the CUDA version it was built for; None: a CPU build
    gpus: tuple[str, ...] = ()
    error: str | None = None  # why it cannot be imported
    words: str = ""  # what it wrote to stderr while it was imported
    other: str | None = None  # what else it was built for: ROCm, Apple's Metal, Intel's XPU
    broken: str | None = None  # why it cannot compute on a GPU that it counts


@dataclasses.dataclass(frozen=True)
class Facts:
    """Everything that the diagnosis depends on."""

    python: str
    system: str
    device: str  # the environment: "cpu" or "gpu"
    frameworks: dict[str, Framework]
    packages: dict[str, str | None]
    visdom_page: bool  # whether the files of Visdom's page were fetched
    hardware: bool  # an NVIDIA GPU is in the machine, driver or not (seen on Linux only)
    driver: str | None  # the NVIDIA driver's version
    hidden: str | None  # CUDA_VISIBLE_DEVICES
    cores: int
    settings: dict[str, str]  # of `paired.settings`, those that somebody has set otherwise
    hiding: tuple[str, ...]  # files beside the notebooks that hide a module of the same name
    memory_free: float  # GB, like the next two
    memory: float
    disk_free: float
    ports_taken: tuple[int, ...]
    java: str | None
    browser: str | None


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing to know: a "problem" stops the course, a "warning" may, a "note" does not."""

    level: str
    what: str
    remedy: str


def _first_line(*command: str) -> str | None:
    """The first line that a program prints; None if it is not there or fails."""
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter((process.stdout + process.stderr).splitlines()), "")


def _driver() -> str | None:
    """The NVIDIA driver's version, whether or not its tools are on the PATH."""
    version = _first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    file = pathlib.Path("/proc/driver/nvidia/version")
    if not version and file.exists():
        version = file.read_text().splitlines()[0]
    return version or None


def _hardware() -> bool:
    """Whether the PCI bus has a display device (class 3) of NVIDIA's."""
    devices = pathlib.Path("/sys/bus/pci/devices").glob("*")
    return any(
        (device / "vendor").read_text().strip() == "0x10de"
        and (device / "class").read_text().startswith("0x03")
        for device in devices
    )


def probe(framework: str, python: str) -> Framework:
    """Import a framework in a process of its own and ask it."""
    try:
        process = subprocess.run(
            [python, "-c", PROBES[framework]],
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "0"},
        )
    except OSError as error:
        return Framework(error=f"{python} cannot be started: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Framework(error="its import did not end within 120 s")
    words = process.stderr.strip()
    if process.returncode < 0:
        return Framework(error=f"killed by {signal.Signals(-process.returncode).name}", words=words)
    if process.returncode:
        return Framework(error=words.splitlines()[-1] if words else "no reason given", words=words)
    said = json.loads(process.stdout.splitlines()[-1])
    names = ("version", "cuda", "gpus", "other", "broken")
    told = {name: said.get(name) for name in names}
    return Framework(**told | {"gpus": tuple(told["gpus"])}, words=words)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _settings() -> dict[str, str]:
    """The settings that this person's environment overrules."""
    wanted = settings.ENVIRONMENT.items()
    return {name: os.environ[name] for name, value in wanted if os.environ[name] != value}


def _hiding() -> tuple[str, ...]:
    """Files that a kernel imports in place of a module: its own folder comes first."""
    modules = sys.stdlib_module_names | set(importlib.metadata.packages_distributions())
    files = (file for kind in course.KINDS for file in (course.ROOT / kind).glob("*.py"))
    return tuple(str(file.relative_to(course.ROOT)) for file in files if file.stem in modules)


def gather() -> Facts:
    """Look at this machine."""
    import psutil

    device = "gpu" if "gpu" in pathlib.Path(sys.prefix).name else "cpu"
    memory = psutil.virtual_memory()
    browsers = map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "firefox"))
    return Facts(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        device=device,
        frameworks={name: probe(name, course.python(name)) for name in course.FRAMEWORKS},
        packages={name: _version(name) for name in PACKAGES},
        visdom_page=dashboards.missing_page() is None,
        hardware=_hardware(),
        driver=_driver(),
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES"),
        cores=os.cpu_count() or 1,
        settings=_settings(),
        hiding=_hiding(),
        memory_free=memory.available / 1e9,
        memory=memory.total / 1e9,
        disk_free=shutil.disk_usage(course.ROOT).free / 1e9,
        ports_taken=tuple(port for port in PORTS if not ports.is_free(port)),
        java=_first_line("java", "-version"),
        browser="the system's own"
        if sys.platform == "darwin"
        else next(filter(None, browsers), None),
    )


def _major(version: str | None) -> int | None:
    """The first number of a version, also within a line such as the driver's own; None if none."""
    found = re.search(r"\b(\d+)\.\d", version or "")
    return int(found[1]) if found else None


def _gpu_findings(facts: Facts, name: str, framework: Framework) -> Finding | None:
    """Why a framework that can be imported uses no GPU; None if it does, or there is none."""
    title = course.NAMES[name]
    level = "warning" if facts.device == "gpu" else "note"
    if framework.broken:
        reason = framework.broken.strip().partition("\n")[0].rstrip(".")
        what = f"{title} counts a GPU, and cannot compute on it: {reason}."
        remedy = "Does the build support this GPU? If not, hide it: export CUDA_VISIBLE_DEVICES="
        return Finding("problem", what, remedy)
    if framework.gpus or framework.other:
        return None
    if not (facts.hardware or facts.driver or facts.device == "gpu"):
        return None
    if not facts.driver:
        what = f"{title} can use no NVIDIA GPU: no driver of NVIDIA's was found."
        remedy = "Install NVIDIA's driver, or leave DEVICE=gpu out: the CPU is enough."
        return Finding(level, what, remedy)
    if facts.hidden is not None and facts.hidden.strip() in ("", "-1"):
        what = f"CUDA_VISIBLE_DEVICES={facts.hidden!r} hides the GPU from {title}."
        return Finding(level, what, "unset CUDA_VISIBLE_DEVICES")
    if framework.cuda is None:
        what = f"This machine has an NVIDIA driver, and {title} is built for the CPU only."
        return Finding(level, what, "To use the GPU: make lab DEVICE=gpu. The CPU is enough.")
    if name == "tensorflow" and "dlopen" in framework.words:
        what = "TensorFlow does not find the CUDA libraries and runs on the CPU."
        remedy = (
            "Make the environment again: rm -rf .venv-gpu-tensorflow, then make lab DEVICE=gpu."
            if facts.device == "gpu"
            else "To use the GPU: make lab DEVICE=gpu. The CPU is enough."
        )
        return Finding(level, what, remedy)
    if "minimum required Cuda capability" in framework.words:
        what = f"{title} leaves the GPU out: its build supports none of this age."
        return Finding(level, what, "The CPU is enough. An older TensorFlow may support the GPU.")
    has, needs = _major(facts.driver), MINIMUM_DRIVER.get(_major(framework.cuda))
    if has and needs and has < needs:
        what = f"{title} is built for CUDA {framework.cuda}, and sees no GPU: NVIDIA asks for "
        what += f"driver {needs} or newer, and here is {facts.driver}."
        return Finding(level, what, "Update NVIDIA's driver, then restart.")
    what = f"{title} is built for CUDA {framework.cuda} and sees no GPU, though there is a driver "
    what += f"({facts.driver}). Why, the doctor cannot tell."
    if facts.hidden is not None:
        what += f" CUDA_VISIBLE_DEVICES is {facts.hidden!r}."
    return Finding(level, what, "Does nvidia-smi list the GPU? In a container: was it given one?")


def diagnose(facts: Facts) -> list[Finding]:
    """What stands in the way, the worst first."""
    again = "Make the environment again: rm -rf .venv*, then make lab."
    findings = []
    for name, framework in facts.frameworks.items():
        if framework.error:
            remedy = again
            if "SIGILL" in framework.error:
                remedy = (
                    "Its processor may lack instructions that it needs (AVX): try another machine."
                )
            what = f"{course.NAMES[name]} cannot be imported: {framework.error}."
            findings.append(Finding("problem", what, remedy))
        elif finding := _gpu_findings(facts, name, framework):
            findings.append(finding)
    if missing := [name for name, version in facts.packages.items() if version is None]:
        findings.append(Finding("problem", f"Not installed: {', '.join(missing)}.", again))
    if not facts.visdom_page:
        what = "The files of Visdom's page are missing; all the rest of lesson 06 works."
        findings.append(Finding("warning", what, "Connect to the internet, then: make env."))
    if facts.memory_free < 2:
        what = f"Only {facts.memory_free:.1f} GB of memory are free; a pair takes about 1 GB."
        findings.append(Finding("warning", what, "Close other programs, or open one half only."))
    if facts.disk_free < 1:
        what = f"Only {facts.disk_free:.1f} GB of the disk are free: notebooks may not be saved."
        findings.append(Finding("warning", what, "Make room."))
    for name, value in facts.settings.items():
        what = f"{name} is {value!r} here, and {settings.ENVIRONMENT[name]!r} in the course: "
        what += "outputs may differ, or take longer."
        findings.append(Finding("warning", what, f"unset {name}"))
    for file in facts.hiding:
        what = f"{file} hides the module {pathlib.Path(file).stem} from the notebooks beside it."
        findings.append(Finding("problem", what, "Give the file another name."))
    for port in facts.ports_taken:
        what = f"Port {port} ({PORTS[port]}) is in use, perhaps by the course itself."
        remedy = f"{'make lab' if port == 8888 else 'Lesson 06'} takes the next one."
        findings.append(Finding("note", what, remedy))
    if not facts.java:
        what = "There is no Java. Only serving a model with TorchServe needs it."
        findings.append(Finding("note", what, "Install Java 17 for that."))
    if not facts.browser:
        what = "No browser was found here."
        findings.append(Finding("note", what, "Open the address that make lab prints in one."))
    return sorted(findings, key=lambda finding: ("problem", "warning", "note").index(finding.level))


def report(facts: Facts, findings: list[Finding]) -> str:
    """Facts and findings in plain words."""
    rows = {"System": f"{facts.system}, Python {facts.python}", "Environment": facts.device}
    for name, framework in facts.frameworks.items():
        cuda = framework.cuda and f"CUDA {framework.cuda}"
        build = f"built for {framework.other or cuda or 'the CPU'}"
        sees = f"sees {', '.join(framework.gpus) or 'no GPU'}"
        seen = f"{framework.version}, {build}, {sees}"
        rows[course.NAMES[name]] = "cannot be imported" if framework.error else seen
    rows["Packages"] = ", ".join(f"{name} {is_ or '-'}" for name, is_ in facts.packages.items())
    rows["Visdom page"] = "fetched" if facts.visdom_page else "missing"
    rows["GPU driver"] = facts.driver or "none found (NVIDIA's is looked for, no other)"
    rows["Processor"] = f"{facts.cores} cores"
    rows["Memory"] = f"{facts.memory_free:.1f} of {facts.memory:.1f} GB free"
    rows["Disk"] = f"{facts.disk_free:.0f} GB free"
    ports = (f"{port} {'in use' if port in facts.ports_taken else 'free'}" for port in PORTS)
    rows["Ports"] = ", ".join(ports)
    rows["Java"] = facts.java or "none"
    rows["Browser"] = pathlib.Path(facts.browser or "none found").name
    lines = [f"  {title:<12} {text}" for title, text in rows.items()]
    for finding in findings:
        lines += ["", f"{finding.level.upper()}: {finding.what}", f"  {finding.remedy}"]
    if not any(finding.level == "problem" for finding in findings):
        lines += ["", "Nothing was found that stops the course."]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the report; the exit status is 1 if something stops the course from working."""
    parser = argparse.ArgumentParser(prog="make doctor")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    facts = gather()
    findings = diagnose(facts)
    if options.json:
        whole = {
            "facts": dataclasses.asdict(facts),
            "findings": list(map(dataclasses.asdict, findings)),
        }
        print(json.dumps(whole, indent=2))
    else:
        print(report(facts, findings))
    return int(any(finding.level == "problem" for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
