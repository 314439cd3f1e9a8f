"""Judge answered exercises: `make grade SUBMISSIONS=folder`, or one's own: `make grade`."""

import argparse
import csv
import itertools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from paired import checks, course
from paired.grading import sandbox, submissions

COLUMNS = ("student", "lesson", "framework", "task", "verdict", "from outside", "reason")
_SILENCE_SECONDS = 900


def grade(wanted: list[submissions.Submission], pristine: pathlib.Path) -> Iterator[tuple]:
    """Each submission with its rows (task, verdict, from outside, reason), as they come."""
    for framework in course.FRAMEWORKS:
        jobs = [each for each in wanted if each.framework == framework and each.path]
        if not jobs:
            continue
        workers = min(len(jobs), len(os.sched_getaffinity(0)))
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [framework, str(workers), str(pristine.parent / framework)]
        environment = os.environ | {"PAIRED_HOME": sandbox.HOME, "MPLBACKEND": "agg"}
        warm = subprocess.Popen(
            [course.python(framework), "-m", "paired.grading.worker", *arguments],
            stdin=theirs, env=environment,
        )  # fmt: skip
        theirs.close()
        with warm, mine:
            mine.settimeout(_SILENCE_SECONDS)
            left, flying = list(enumerate(jobs))[::-1], 0
            while left or flying:
                while left and flying <= workers:  # one waits, so that nobody does
                    number, job = left.pop()
                    about = job._asdict() | {"path": str(job.path), "number": number}
                    mine.sendall(json.dumps(about | {"exercises": str(pristine)}).encode())
                    flying += 1
                try:
                    done = json.loads(mine.recv(1 << 18))
                except (OSError, ValueError):
                    raise SystemExit("The grader's own process has ended.") from None
                flying -= 1
                yield jobs[done["number"]], done["rows"]
            mine.shutdown(socket.SHUT_WR)


def _missing(wanted: list[submissions.Submission]) -> Iterator[tuple]:
    for each in wanted:
        if not each.path:
            names = vars(checks.load(each.lesson, each.framework.partition("/")[0]))
            yield each, [(name, "Missing", False, "There is no file.") for name in names]


def summary(rows: list) -> str:
    """How many tasks are solved, and the names of the others, by verdict."""
    solved = sum(verdict == checks.SOLVED for _, verdict, *_ in rows)
    others: dict[str, list[str]] = {}
    for name, verdict, *_ in rows:
        if verdict != checks.SOLVED:
            others.setdefault(verdict.lower(), []).append(name)
    words = "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in others.items())
    return f"{solved} of {len(rows)}  {words}".rstrip()


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in set("=+-@\t\r") else text


def _judge_class(folder: pathlib.Path, pristine: pathlib.Path) -> int:
    """Print a line for each submission, and write a line for each task."""
    wanted = submissions.find(folder)
    if not wanted:
        print(f"There is no answered exercise in {folder}.", file=sys.stderr)
        return 1
    if why := sandbox.trouble():
        print(f"NO SANDBOX: {why}. Answers run with your rights: grade only what you trust.")
    start, totals = time.monotonic(), {}
    width = max(len(each.student) for each in wanted)
    table = folder / "grades.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for each, rows in itertools.chain(_missing(wanted), grade(wanted, pristine)):
            half = f"{each.lesson} {each.framework}"
            print(f"{each.student:{width}}  {half:26}  {summary(rows)}", flush=True)
            for name, verdict, outside, reason in rows:
                about = map(_harmless, (each.student, each.lesson, each.framework, name))
                outside = "yes" if outside else "no"
                writer.writerow([*about, verdict, outside, _harmless(reason)])
                count = totals.setdefault((each.lesson, name), [0, 0])
                count[0] += verdict == checks.SOLVED
                count[1] += 1
            file.flush()
    print()
    for (lesson, name), (solved, of) in sorted(totals.items()):
        print(f"{lesson:20} {name:20} solved by {solved} of {of}")
    print(f"{len(wanted)} submissions in {time.monotonic() - start:.0f} s; reasons: {table}")
    return 0


def _own_progress(pristine: pathlib.Path) -> int:
    """Print how far one is in each exercise of this checkout."""
    touched = []
    for each, is_touched in submissions.own(pristine):
        if is_touched:
            touched.append(each)
        else:
            print(f"{each.lesson:16} {each.framework:11} not attempted")
    for each, rows in grade(touched, pristine):
        print(f"{each.lesson:16} {each.framework:11} {summary(rows)}", flush=True)
    return 0


def main() -> int:
    """Judge what was asked for."""
    parser = argparse.ArgumentParser(description="Judge answered exercises.")
    parser.add_argument("submissions", nargs="?", type=pathlib.Path)
    options = parser.parse_args()
    if sys.platform != "linux":
        print("Grading runs on Linux: elsewhere a process with a framework cannot be forked.")
        return 1
    if options.submissions and not options.submissions.is_dir():
        print(f"There is no folder {options.submissions}.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        pristine = submissions.given(pathlib.Path(folder) / "exercises")
        if options.submissions:
            return _judge_class(options.submissions.resolve(), pristine)
        return _own_progress(pristine)


if __name__ == "__main__":
    sys.exit(main())
