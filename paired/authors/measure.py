"""What lessons show of times, measured on this machine: `make measure`.

A record says on what machine it was made, when and with which versions. Notebooks draw and print
records, never a time of their own, so that their outputs come out the same anywhere.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import runpy
import sys
from importlib import metadata

from paired import course, dashboards
from paired.authors import files
from paired.authors.browser import PictureError


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


def programs() -> dict[str, pathlib.Path]:
    """What measures for a lesson, by its number: `measure.py` in its folder.

    It defines `RECORD`, the name of a file beside it, and `measure()`, which returns its content.
    """
    found = (course.ROOT / "notebooks").glob("[0-9][0-9]_*/measure.py")
    return {path.parent.name[:2]: path for path in sorted(found)}


def main(arguments: list[str] | None = None) -> int:
    """Measure for one lesson, or for all; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make measure", description=__doc__)
    parser.add_argument("--lesson", default="", help="its number, such as 08; else all")
    lesson = parser.parse_args(arguments).lesson
    every = programs()
    known = ", ".join(every) or "none"
    wanted = [path for number, path in every.items() if number.startswith(lesson[:2])]
    try:
        if not wanted:
            raise PictureError(f"Lesson {lesson!r} shows no times; these do: {known}.")
        for path in wanted:
            program = runpy.run_path(str(path))
            record = path.with_name(program["RECORD"])
            files.replace(record, (json.dumps(program["measure"](), indent=1) + "\n").encode())
            print(files.relative(record), flush=True)
    except (PictureError, dashboards.DashboardError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
