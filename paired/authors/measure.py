"""What lessons show of times, measured on this machine: `make measure`.

A record says on what machine it was made, when and with which versions. Notebooks draw and print
records, never a time of their own, so that their outputs come out the same anywhere.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata

from paired import course, dashboards, data, events
from paired.authors import files
from paired.authors.browser import PictureError, chromium, offline_page, refuse

FOLDER = course.ROOT / "notebooks"
MILLISECONDS = 60_000  # that a page may take to show what it should
_PATIENCE_SECONDS = 40  # for TensorBoard's page, which can look every 30 s, if that is switched on
ROUNDS = 7
NOISE = 25  # turns for the picture of a busy machine


def machine() -> dict[str, object]:
    """What a time depends on: no name and no path of this machine."""
    about = pathlib.Path("/proc/cpuinfo")
    text = about.read_text() if about.exists() else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    kinds = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "instructions": [kind for kind in kinds if kind in fields.get("flags", "").split()],
        "cores": os.cpu_count(),
        "os": platform.system(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in ("torch", "tensorflow", "keras")},
        "date": f"{datetime.date.today()}",
    }


def write(path: pathlib.Path, record: dict) -> None:
    """Write a record, and say where."""
    files.replace(path, (json.dumps(record, indent=1) + "\n").encode())
    print(files.relative(path), flush=True)


# Lesson 06: from the program to the page


def delays_06() -> None:
    """How long a logged point takes to the pages of TensorBoard and Visdom."""
    record = {}
    with chromium() as browser:
        for tool, measured in {"TensorBoard": _tensorboard, "Visdom": _visdom}.items():
            about = {"date": f"{datetime.date.today()}", "version": metadata.version(tool.lower())}
            record[tool] = about | {"Chromium": browser.version} | measured(browser)
    write(FOLDER / "06_visualising" / "latency.json", record)


def _tensorboard(browser) -> dict[str, object]:
    """By itself, and while its reload button is used."""
    events.keep_tensorflow_out()
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    with tempfile.TemporaryDirectory() as folder:
        writer = EventFileWriter(folder)

        def log(step: int) -> None:
            value = summary_pb2.Summary.Value(tag="loss", simple_value=step % 3)
            summary = summary_pb2.Summary(value=[value])
            writer.add_event(event_pb2.Event(step=step, wall_time=time.time(), summary=summary))
            writer.flush()

        for step in range(3):
            log(step)
        with dashboards.TensorBoard(folder) as server, offline_page(browser, 1100, 900) as page:
            page.goto(f"{server.url}#timeseries")
            card = page.locator("scalar-card")
            card.wait_for(timeout=MILLISECONDS)
            page.add_style_tag(content="mat-spinner { display: none !important }")
            page.wait_for_timeout(3000)

            def delay(step: int, seconds: float, reload: bool) -> float | None:
                before, began = card.screenshot(), time.monotonic()
                log(step)
                while time.monotonic() - began < seconds:
                    if reload:
                        page.locator(".reload-button").first.click()
                    page.wait_for_timeout(100)
                    if card.screenshot() != before:
                        return round(time.monotonic() - began, 1)
                return None

            alone = delay(3, _PATIENCE_SECONDS, reload=False)
            page.locator(".reload-button").first.click()
            page.wait_for_timeout(6000)
            pressed = []
            for step in range(4, 10):
                pressed.append(delay(step, MILLISECONDS / 1000, reload=True))
                page.wait_for_timeout(700 * (step - 3))  # at another point between two looks
            refuse(page)
    found = {"seconds by itself": alone and [alone], "waited": _PATIENCE_SECONDS}
    return found | {"seconds with its reload button": pressed}


# In the page: promises the time, in milliseconds, of the frame after a line's change.
_DRAWN = """() => {
    const drawn = () => document.querySelector('.scatterlayer path.js-line').getAttribute('d');
    const before = drawn();
    window.seen = new Promise(resolve => {
        const look = () => drawn() === before
            ? requestAnimationFrame(look)
            : requestAnimationFrame(() => resolve(Date.now()));
        look();
        setTimeout(() => resolve(0), 60000);
    });
}"""


def _visdom(browser) -> dict[str, object]:
    """From the call to the page."""
    with tempfile.TemporaryDirectory() as folder, dashboards.Visdom(folder) as server:
        vis = server.client("delay")
        vis.line([0.0, 1.0], [0, 1], win="loss")
        with offline_page(browser) as page:
            page.goto(f"{server.url}env/delay")
            line = page.locator(".scatterlayer path.js-line")
            line.wait_for(state="attached", timeout=MILLISECONDS)
            page.wait_for_timeout(2000)
            seconds = []
            for step in range(2, 12):
                page.evaluate(_DRAWN)
                began = time.time()
                vis.line([float(step % 3)], [step], win="loss", update="append")
                if not (seen := page.evaluate("window.seen")):
                    raise PictureError("Visdom's page has not drawn a point within a minute.")
                seconds.append(round(seen / 1000 - began, 3))
                page.wait_for_timeout(300)
            refuse(page)
    return {"seconds by itself": seconds}


# Lesson 08: a race of both frameworks

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
        program = FOLDER / "08_speed" / f"race_{framework}.py"
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


def race_08() -> None:
    """All contestants of both frameworks, in rounds, a turn each."""
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
        record |= {"noise": _noise(racers), "races": found}
    write(FOLDER / "08_speed" / "measured.json", record)


MEASURES: dict[str, Callable[[], None]] = {"06": delays_06, "08": race_08}


def main(arguments: list[str] | None = None) -> int:
    """Measure for one lesson, or for all; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make measure", description=__doc__)
    parser.add_argument("--lesson", default="", help="its number, such as 08; else all")
    lesson = parser.parse_args(arguments).lesson
    wanted = {number: do for number, do in MEASURES.items() if number.startswith(lesson[:2])}
    try:
        if not wanted:
            raise PictureError(
                f"Lesson {lesson!r} shows no times; these do: {', '.join(MEASURES)}."
            )
        for measure in wanted.values():
            measure()
    except (PictureError, dashboards.DashboardError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
