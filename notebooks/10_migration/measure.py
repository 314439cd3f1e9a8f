"""What each check of a port catches, and what luck does to a result: `make measure LESSON=10`."""

import importlib
import json
import math
import os
import pathlib
import subprocess
import sys

from paired import course, parity
from paired.authors.browser import PictureError
from paired.authors.measure import machine

import numpy as np

RECORD = "measured.json"
SEEDS = 20
FOLDER = pathlib.Path(__file__).parent


def planted(framework: str) -> dict[str, dict]:
    """What becomes of a half's port with each mistake, and which checks catch it."""
    import porting

    original = parity.load("10_original", course.twin(framework))
    start, found = porting.start(original), {}
    loss, accuracy = porting.result(original.tensors)
    for name, edits in {"": {framework: ()}, **porting.MISTAKES}.items():
        record = porting.run(framework, edits[framework], start)
        wrong = [row for row in porting.compare(original, record).rows if row.share > 1]
        new_loss, new_accuracy = porting.result(record.tensors)
        found[name] = {
            "first": f"{wrong[0].key.split('/', 2)[0]}/{wrong[0].key.split('/', 2)[2]}"
            f"@{wrong[0].step}" if wrong else "",
            "checks": list(dict.fromkeys(map(porting.check, wrong))),
            "loss, %": round((new_loss / loss - 1) * 100, 4),
            "accuracy, points": round((new_accuracy - accuracy) * 100, 2),
        }  # fmt: skip
        print(framework, name, found[name]["first"], file=sys.stderr, flush=True)
    assert found.pop("")["first"] == "", "without a mistake the port agrees"
    return found


def drawn(start: dict[str, np.ndarray], framework: str, seed: int) -> dict[str, np.ndarray]:
    """Other initial weights for a half's port, by the rule of its original."""
    rng, found = np.random.default_rng([seed, 1]), {}
    for name, weight in start.items():
        inputs = weight.shape[:-1] if framework == "pytorch" else weight.shape[1:]
        bound = max(4, math.prod(inputs)) ** -0.5
        fixed = ("gamma", "moving", "norm.weight", "scale.weight")
        other = rng.uniform(-bound, bound, weight.shape)
        found[name] = weight if any(part in name for part in fixed) else other
    return found


def seeds(framework: str) -> dict[str, list[float]]:
    """Validation losses of a half's port with other seeds: as it is, wrong, and by defaults."""
    import porting

    start = porting.start(parity.load("10_original", course.twin(framework)))
    names = {"port": (), "dropout not scaled": ("dropout not scaled",)}
    edits = {
        group: sum((porting.MISTAKES[name][framework] for name in wrong), ())
        for group, wrong in {**names, "framework's defaults": porting.NATIVE}.items()
    }
    own = edits["framework's defaults"] = (
        edits["framework's defaults"] + porting.OWN_WEIGHTS[framework]
    )
    for title, rate in (("defaults, half the rate", "64"), ("defaults, twice the rate", "16")):
        edits[title] = (*own, "DROPOUT = 1 / 32", f"DROPOUT = 1 / {rate}")
    found = {}
    for n, (group, changes) in enumerate(edits.items(), start=1):
        found[group] = []
        for seed in range(100 * n, 100 * n + SEEDS):
            record = porting.run(framework, changes, drawn(start, framework, seed), seed=seed)
            found[group].append(round(porting.result(record.tensors)[0], 5))
        print(framework, group, file=sys.stderr, flush=True)
    return found


def originals(framework: str) -> list[float]:
    """Validation losses of the original in this framework, of other seeds each time."""
    import porting

    original, found = importlib.import_module(f"original_{framework}"), []
    for seed in range(SEEDS):
        original.recorded(record := parity.Recorder("10_original", framework), seed)
        found.append(round(porting.result(record.tensors)[0], 5))
    return found


def apart(framework: str, *what: str) -> object:
    """What a function of this program, or another program, gives in a process of its own."""
    command = [course.python(framework), *what]
    done = subprocess.run(
        command, cwd=FOLDER, env=os.environ | {"PYTHONPATH": str(course.ROOT)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    if done.returncode:
        raise PictureError(f"This has failed: {' '.join(what)}.")
    return json.loads(done.stdout or "null")


def measure() -> dict[str, object]:
    """Thirty mistakes and six times twenty seeds for each half."""
    seconds, found = {}, {}

    def timed(name: str, *what: str) -> object:
        began, before = os.times(), seconds.get(name, 0)
        answer = apart(*what)
        now = os.times()
        spent = now.children_user + now.children_system
        seconds[name] = before + spent - began.children_user - began.children_system
        return answer

    for half in course.FRAMEWORKS:
        twin = course.twin(half)
        timed(f"{half}: original", twin, f"original_{twin}.py")
        mistakes = timed(f"{half}: mistakes", half, "measure.py", "planted", half)
        groups = {"original": timed(f"{half}: seeds", twin, "measure.py", "originals", twin)}
        groups |= timed(f"{half}: seeds", half, "measure.py", "seeds", half)
        found[half] = {"mistakes": mistakes, "seeds": groups}
    rounded = {name: round(value) for name, value in seconds.items()}
    return {"machine": machine(), "CPU seconds": rounded, **found}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](sys.argv[2])))
