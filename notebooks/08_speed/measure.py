"""A race of both frameworks, in rounds, a turn each: `make measure LESSON=08`."""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from paired import course, data
from paired.authors.browser import PictureError
from paired.authors.measure import machine

RECORD = "measured.json"
ROUNDS = 7
NOISE = 25  # turns for the picture of a busy machine
NETS = ("mlp", "wide", "cnn", "cnn28", "lstm", "gru", "attention")
MODES = {
    "pytorch": ("eager", "fused", "compiled"),
    "tensorflow": ("tape", "fit", "function", "jit"),
}
PLAIN = {"pytorch": "fused", "tensorflow": "function"}  # what the other races use
# By name: the framework, how many threads, and whether TensorFlow uses oneDNN, as it does if nobody
# says otherwise (this course does).
RACERS = {
    "pytorch": ("pytorch", "1", "1"),
    "tensorflow": ("tensorflow", "1", "1"),
    "tensorflow, no oneDNN": ("tensorflow", "1", "0"),
    "pytorch, 2 threads": ("pytorch", "2", "1"),
    "tensorflow, 2 threads": ("tensorflow", "2", "1"),
}
THREADED = ("wide", "cnn28")
PRECISE = ("mlp", "wide", "cnn28", "attention")
BATCHES = (1, 4, 16, 64, 256, 1024)


def contestants(framework: str, pictures: str) -> list[tuple]:
    """What one framework races with one thread: kind, and what its program is given."""
    plain = PLAIN[framework]
    layout = [("mode", net, "channels last") for net in ("cnn", "cnn28")]
    return [
        *(("mode", net, mode) for net in NETS for mode in MODES[framework]),
        *(layout if framework == "pytorch" else []),
        *(("batch", net, plain, n) for net in ("mlp", "cnn") for n in BATCHES),
        *(
            ("precision", net, plain, 64, dtype)
            for net in PRECISE
            for dtype in ("float32", "bfloat16")
        ),
        *(("accuracy", n) for n in BATCHES),
        *(("pipeline", way, pictures) for way in ("decoded each epoch", "decoded once")),
    ]


def rotated(names: list, n: int) -> list:
    """The order of round `n`: another begins in each, in odd rounds backwards."""
    n_first = n * 7 % len(names)
    order = names[n_first:] + names[:n_first]
    return order[::-1] if n % 2 else order


class Racer:
    """A process that runs one framework's program and takes a turn when it is asked."""

    def __init__(self, framework: str, threads: str, onednn: str, cache: str) -> None:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
        # What torch.compile makes is made anew.
        other = {"TF_ENABLE_ONEDNN_OPTS": onednn, "TORCHINDUCTOR_CACHE_DIR": cache}
        environment = os.environ | dict.fromkeys(names, threads) | other
        program = pathlib.Path(__file__).with_name(f"race_{framework}.py")
        self._process = subprocess.Popen(
            [course.python(framework), str(program)],
            env=environment | {"PYTHONPATH": str(course.ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def turn(self, given: tuple) -> dict[str, float]:
        """One turn: seconds of CPU and on the wall, and how many samples."""
        line = ""
        with contextlib.suppress(OSError):  # it has ended
            self._process.stdin.write(json.dumps(given) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise PictureError(f"The program of this contestant has ended: {given}.")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()


def _write_pictures(folder: str, n: int = 256) -> None:
    """The first digits as PNG files of 64 by 64 pixels; a name ends with the digit."""
    import numpy as np
    from PIL import Image

    digits = data.digits()
    for i, (image, label) in enumerate(zip(digits.x_train[:n], digits.y_train, strict=False)):
        pixels = np.kron((image * 255).astype("uint8"), np.ones((8, 8), "uint8"))
        Image.fromarray(pixels).save(pathlib.Path(folder, f"{i:04}_{label}.png"))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _summary(first: dict, turns: list[dict], wall: bool) -> dict[str, float]:
    """The median of the CPU time of a sample, or the least time on the wall, in microseconds."""
    clock = "wall" if wall else "cpu"
    each = sorted(turn[clock] / turn["samples"] * 1e6 for turn in turns)
    quarter = statistics.quantiles(each, n=4)
    found = {"us": _rounded(min(each) if wall else statistics.median(each))}
    found["spread"] = _rounded((quarter[2] - quarter[0]) / quarter[1])
    found["first call, s"] = _rounded(first["wall"])
    return found | {"samples a turn": turns[0]["samples"]}


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """Two processes beside that never rest."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _noise(racers: dict[str, Racer]) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of the same ten steps, again and again: as it is, and with busy processes."""
    given, found = ("mode", "wide", "fused"), {}
    for state, beside in ("as it was", contextlib.nullcontext), ("busy", _busy):
        with beside():
            one = [racers["pytorch"].turn(given) for _ in range(NOISE)]
            two = [racers["pytorch, 2 threads"].turn(given) for _ in range(NOISE)]
        lists = {"CPU time": [turn["cpu"] for turn in one], "wall": [turn["wall"] for turn in one]}
        lists["wall, 2 threads"] = [turn["wall"] for turn in two]
        found[state] = {
            name: [_rounded(value * 1000) for value in each] for name, each in lists.items()
        }
    return found


def _best(race: dict[str, dict], net: str) -> tuple[str, float]:
    """The fastest mode of a network, and its microseconds."""
    own = {label: took["us"] for label, took in race.items() if label.startswith(f"mode {net} ")}
    label = min(own, key=own.get)
    return label.removeprefix(f"mode {net} "), own[label]


def _apart(race: dict[str, dict], net: str) -> float:
    """The slowest mode of a network over the fastest."""
    own = [took["us"] for label, took in race.items() if label.startswith(f"mode {net} ")]
    return max(own) / min(own)


def summary(races: dict[str, dict]) -> dict[str, dict]:
    """Who wins where, what switches move, and each lever's least and largest ratio of times."""
    winners, switches = {}, {}
    levers: dict[str, list[float]] = {}

    def lever(name: str, one: float, other: float) -> float:
        levers.setdefault(name, []).append(max(one, other) / min(one, other))
        return _rounded(one / other)

    def us(racer: str, *label: object) -> float:
        return races[racer][" ".join(map(str, label))]["us"]

    for net in NETS:
        best = {name: _best(races[name], net) for name in course.FRAMEWORKS}
        ratio = lever("framework, its best mode", best["tensorflow"][1], best["pytorch"][1])
        winners[net] = {name: mode for name, (mode, _) in best.items()} | {"ratio": ratio}
        about = races["pytorch"][f"mode {net} compiled"]
        for name, other in (("pytorch", "compiled"), ("tensorflow", "jit")):
            plain = us(name, "mode", net, PLAIN[name])
            lever("mode", _apart(races[name], net), 1)
            gain = lever("compiler, on or off", plain, us(name, "mode", net, other))
            switches.setdefault(net, {})[other] = gain
        plain = us("tensorflow", "mode", net, "function")
        onednn = us("tensorflow, no oneDNN", "mode", net, "function")
        switches[net]["oneDNN"] = lever("oneDNN in TensorFlow", onednn, plain)
        switches[net]["seconds to compile"] = round(about["first call, s"])
    for name, plain in PLAIN.items():
        for wall in (f"wall mode {net} {plain}" for net in THREADED):
            lever("threads, 1 or 2, on the wall", us(name, wall), us(f"{name}, 2 threads", wall))
        way = "pipeline decoded"
        lever("decode each epoch or once", us(name, way, "each epoch"), us(name, way, "once"))
        for net in ("mlp", "cnn"):
            ends = (us(name, "batch", net, plain, n) for n in (BATCHES[0], BATCHES[-1]))
            lever("batch size, 1 or 1024", *ends)
        for net in PRECISE:
            own = (us(name, "precision", net, plain, 64, t) for t in ("float32", "bfloat16"))
            lever("precision, float32 or bfloat16", *own)
    ends = {name: [_rounded(min(all_)), _rounded(max(all_))] for name, all_ in levers.items()}
    largest_first = dict(sorted(ends.items(), key=lambda item: -item[1][1]))
    return {"winners": winners, "switches": switches, "levers": largest_first}


def measure() -> dict[str, object]:
    """All contestants of both frameworks: every turn summed up, and what follows."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        racers, entries = {}, []
        _write_pictures(folder)
        cache = stack.enter_context(tempfile.TemporaryDirectory())
        for name, (framework, *how) in RACERS.items():
            racers[name] = Racer(framework, *how, cache)
            stack.callback(racers[name].close)
            nets = NETS if how[0] == "1" else THREADED
            plain = [("mode", net, PLAIN[framework]) for net in nets]
            own = contestants(framework, folder) if name == framework else plain
            entries += [(name, given) for given in own]
        first = {entry: racers[entry[0]].turn(entry[1]) for entry in entries}
        turns = {entry: [] for entry in entries}
        for n in range(ROUNDS):
            print(f"round {n + 1} of {ROUNDS}", flush=True)
            for entry in rotated(entries, n):
                turns[entry].append(racers[entry[0]].turn(entry[1]))
        found: dict[str, dict] = {name: {} for name in racers}
        for entry in entries:
            label = " ".join(str(part) for part in entry[1] if part != folder)
            name, took = entry[0], turns[entry]
            found[name][label] = _summary(first[entry], took, wall=False)
            found[name][f"wall {label}"] = _summary(first[entry], took, wall=True)
        load = {"load": [round(each, 1) for each in os.getloadavg()]}  # of 1, 5 and 15 minutes
        record = {"machine": machine() | load, "rounds": ROUNDS, "summary": summary(found)}
        return record | {"noise": _noise(racers), "races": found}
