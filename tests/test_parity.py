"""Promise 1: every pair is the same network.

Reads the records that the notebooks left when they were validated; `make test` does that first.
"""

import io
import re
from contextlib import redirect_stdout

from paired import course, needs, parity
from paired.authors import files

import pytest

LESSONS = list(course.lessons())
LARGEST_SHARE = 1 / 3  # of its tolerance: no row may come closer to it than this


def records(lesson):
    """The records of both halves, made by the notebooks as they are now."""
    pair = []
    for framework in course.FRAMEWORKS:
        record = parity.load(lesson.name, framework)
        assert record.notebook == parity.notebook_digest(lesson.name, framework), (
            f"The record of {lesson.name}_{framework} is older than the notebook: run `make test`."
        )
        pair.append(record)
    return pair


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_both_halves_compute_the_same(lesson):
    comparison = parity.compare(*records(lesson))
    assert comparison.rows
    assert not comparison.first_disagreement, f"\n{comparison.table()}"
    assert comparison.worst.share < LARGEST_SHARE, f"too close to its limit: {comparison.worst}"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_stored_comparison_is_what_the_records_give(lesson):
    records(lesson)
    for framework in course.FRAMEWORKS:
        with redirect_stdout(io.StringIO()) as now:
            parity.report(lesson.name, framework)
        cells = files.read(lesson.path(framework))["cells"]
        if missing := next(filter(None, (needs.of(files.tags(cell)) for cell in cells)), None):
            pytest.skip(missing)  # what was skipped left no tensors
        stored = [
            "".join(output["text"])
            for cell in cells
            if "twin" in files.tags(cell)
            for output in cell["outputs"]
        ]
        # The digits of an error of 1e-16 are another CPU's business; everything else is compared.
        blank = re.compile(r"\d\.\d(e[-+]\d\d|%)|\d+\.\d%")
        assert [blank.sub("#", text) for text in stored] == [blank.sub("#", now.getvalue())]
