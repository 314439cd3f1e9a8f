"""Each rule of the lint: what it refuses, and what it says."""

import copy
import json
import subprocess
import sys

from paired import course
from paired.authors import files, lint

import pytest

STREAM = {"output_type": "stream", "name": "stdout", "text": "0.5\n"}
FIGURE = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBO"}}


def markdown(cell_id, source, *tags):
    return {
        "cell_type": "markdown",
        "id": cell_id,
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
    }


def code(cell_id, source, *tags, outputs=()):
    cell = markdown(cell_id, source, *tags)
    return cell | {"cell_type": "code", "execution_count": 1, "outputs": list(outputs)}


@pytest.fixture
def pair(tmp_path):
    """A pair without fault, as two lists of cells to spoil, and what the lint then says of it."""

    class Pair:
        def __init__(self):
            self.root = tmp_path
            self.metadata = json.loads(json.dumps(files.METADATA))
            self.kind = "notebooks"
            self.halves = [
                [
                    markdown("title", "# A lesson\n\nSee [the figure](#what-it-shows)."),
                    code("setup", f"import paired\nimport {framework}"),
                    code("value", "print(0.5)", "parity", outputs=[STREAM]),
                    code("plot", "plot()", "shared", outputs=[FIGURE]),
                    markdown("plot-caption", "**Figure 1.** It rises.\n\n## What it shows"),
                ]
                for framework in ("torch", "tensorflow")
            ]
            self.first, self.second = self.halves

        def both(self, change):
            """Spoil both halves alike, so that only one rule is broken."""
            for cells in self.halves:
                change(cells)

        def said(self):
            for framework, cells in zip(course.FRAMEWORKS, self.halves, strict=True):
                if cells is None:
                    continue
                ran = (cell for cell in cells if cell["cell_type"] == "code")
                for count, cell in enumerate(ran, start=1):
                    if cell["execution_count"] == 1:
                        cell["execution_count"] = count
                path = self.root / self.kind / f"01_a_{framework}.ipynb"
                path.parent.mkdir(exist_ok=True)
                content = {"nbformat": 4, "nbformat_minor": 5, "metadata": self.metadata}
                path.write_text(json.dumps(content | {"cells": cells}))
            return [str(problem) for problem in lint.course_problems(self.root)]

    return Pair()


def test_a_good_pair_has_no_problems(pair):
    assert pair.said() == []


def test_every_rule_explains_itself():
    for rule in lint.NOTEBOOK_RULES + lint.PAIR_RULES:
        assert rule.__doc__.endswith("."), rule


FIRST, SECOND = "notebooks/01_a_pytorch.ipynb", "notebooks/01_a_tensorflow.ipynb"


def test_an_id_missing_in_one_half(pair):
    del pair.second[2]
    assert pair.said() == [
        f"{FIRST}: value: same_ids: 01_a_tensorflow.ipynb has no such cell: "
        "add it, or tag this `one-sided`."
    ]


def test_an_id_missing_in_the_other_half(pair):
    del pair.first[2]
    assert pair.said() == [
        f"{SECOND}: value: same_ids: 01_a_pytorch.ipynb has no such cell: "
        "add it, or tag this `one-sided`."
    ]


def test_a_one_sided_cell_is_declared(pair):
    pair.first.append(markdown("only-here", "Text.", "one-sided"))
    assert pair.said() == []


def test_a_shared_cell_that_differs(pair):
    pair.second[3]["source"] = "plot() "
    assert pair.said() == [
        f"{FIRST}: plot: shared: is shared and differs from 01_a_tensorflow.ipynb: run `make sync`."
    ]


def test_a_parity_cell_that_prints_something_else(pair):
    pair.second[2]["outputs"] = [STREAM | {"text": "0.6\n"}]
    (said,) = pair.said()
    assert said.startswith(f"{FIRST}: value: parity: is tagged `parity` and prints something else")


def test_cells_in_another_order(pair):
    pair.second.insert(1, pair.second.pop())
    pair.both(put("plot", outputs=[]))
    assert pair.said() == [
        f"{FIRST}: setup: same_order: 01_a_tensorflow.ipynb has `plot-caption` in its place: "
        "bring both in one order."
    ]


def test_a_missing_half(pair):
    pair.halves[1] = None
    assert pair.said() == [
        f"{FIRST}: notebook: twin: the other half, 01_a_tensorflow.ipynb, is missing: add it."
    ]


@pytest.mark.parametrize("text", ["{ no", "[]", '{"cells": [{}]}', "<<<<<<< HEAD"])
def test_a_file_that_is_no_notebook(pair, text):
    pair.said()
    path = pair.root / SECOND
    path.write_text(text)
    (said,) = map(str, lint.course_problems(pair.root))
    assert said.startswith(f"{SECOND}: notebook: json: is not valid JSON of a notebook")
    assert path.read_text() == text


def test_a_name_that_tells_no_half(pair):
    pair.said()
    (pair.root / FIRST).rename(pair.root / "notebooks" / "lesson.ipynb")
    said = list(map(str, lint.course_problems(pair.root)))
    assert said[1].startswith("notebooks/lesson.ipynb: notebook: name: the name must be like")


def put(cell_id, **changes):
    """A change of one cell, the same in both halves."""

    def change(cells):
        next(cell for cell in cells if cell["id"] == cell_id).update(changes)

    return change


def add(cell):
    return lambda cells: cells.append(cell)


def many(count, cell, source, first="Then"):
    cells = [markdown("more", first), *(cell(f"more-{n}", source) for n in "abcdefghijklmnopqrst")]
    return lambda pair: pair.extend(copy.deepcopy(cells[: count + 1]))


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
STDERR = STREAM | {"name": "stderr"}
HTML = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<img src='data:,'>"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add(markdown("a1b2c3d4", "x")), "a1b2c3d4: ids: the id must be lower-case words"),
        (add(markdown("Loss_curve", "x")), "Loss_curve: ids: the id must be lower-case words"),
        (add(markdown("title", "x")), "title: ids: two cells have this id"),
        (add(markdown("more", "x", "shard")), "more: tags: unknown tag `shard`; known are"),
        (add(markdown("more", "x", "needs-it")), "more: tags: unknown tag `needs-it`; known are"),
        (put("title", metadata={"editable": True}), "title: metadata: metadata has editable"),
        (add(code("long", "x = 1\n" * 21)), "long: size: has 21 lines, more than 20"),
        (add(markdown("wordy", "word " * 151)), "wordy: size: has 151 words, more than 150"),
        (many(20, markdown, "x " * 101), "notebook: budget: has 20"),
        (many(20, code, "x = 1\n" * 15), "notebook: budget: "),
        (
            many(9, code, "x = 1\n" * 11),
            "notebook: budget: half of its code cells have 11 lines or more",
        ),
        (
            many(9, markdown, "**Predict** it."),
            "notebook: budget: has 9 predictions, more than 8: cut.",
        ),
        (
            many(5, markdown, "### Further\n\n" + "x " * 101, "## Further"),
            "notebook: budget: the section Further has 517 words, more than 500: cut.",
        ),
        (put("title", source="No heading"), "notebook: title: exactly one `# title`"),
        (add(markdown("more", "# Again")), "notebook: title: exactly one `# title`"),
        (
            add(markdown("more", "## What Adam and the Loss do")),
            "more: sentence_case: `Loss` in the heading `What Adam and the Loss do`",
        ),
        (
            add(markdown("more", "![](attachment:x.png)")),
            "more: alt_text: an image has no alt text",
        ),
        (
            add(markdown("more", '<img src="data:," alt="">')),
            "more: alt_text: an image has no alt text",
        ),
        (add(code("more", "show()", outputs=[HTML])), "more: alt_text: an image has no alt text"),
        (
            put("plot-caption", source="It rises.\n\n## What it shows"),
            "plot: caption: no Markdown cell that begins with `**Figure` follows its figure",
        ),
        (add(code("more", "plot()", outputs=[FIGURE])), "more: caption: no Markdown cell"),
        (add(markdown("more", "[a](../b.md)")), "more: links: the link to `../b.md` leads to no"),
        (add(markdown("more", "[a](/etc/hosts)")), "more: links: the link to `/etc/hosts` leads"),
        (add(markdown("more", "[a](#nowhere)")), "more: links: there is no heading `#nowhere`"),
        (put("setup", source="x = 1"), "setup: paired_first: the first code cell must import"),
        (
            add(markdown("more", "![a](https://b.c/d)")),
            "more: offline: an image comes from the web",
        ),
        (add(code("more", "!pip install x")), "more: installs: installs something"),
        (add(code("more", "%pip install -q x")), "more: installs: installs something"),
        (add(code("more", "!python -m pip install x")), "more: installs: installs something"),
        (add(code("more", "open('/tmp/x')")), "more: elsewhere: has the absolute path `/tmp/`"),
        (add(code("more", "get('http://a.b')")), "more: elsewhere: has an address, `http://`"),
        (
            add(code("more", "# BEGIN SOLUTION\nx = 1\n# END SOLUTION")),
            "more: markers: has solution markers: they belong in solutions/",
        ),
        (add(code("more", "# END SOLUTION")), "more: markers: line 1, `# END SOLUTION`, is out of"),
        (add(code("more", "x") | {"execution_count": None}), "more: executed: was never run"),
        (
            add(code("more", "x") | {"execution_count": 9}),
            "more: executed: has the count 9, expected 4: run `make outputs`",
        ),
        (add(code("more", "")), "more: executed: is an empty code cell"),
        (add(code("more", "x", outputs=[STDERR])), "more: clean_outputs: writes to stderr"),
        (add(code("more", "x", outputs=[ERROR])), "more: clean_outputs: ends in ValueError"),
        (add(code("more", "x", "raises-exception")), "more: clean_outputs: is tagged `raises"),
        (
            add(code("more", "x", outputs=[STREAM | {"text": "<f at 0x7f00aa11bb22>"}])),
            "more: clean_outputs: shows a memory address",
        ),
        (
            add(code("more", "x", outputs=[STREAM | {"text": "/home/me/x"}])),
            "more: clean_outputs: shows a path of this machine (`/home/`)",
        ),
    ],
)
def test_what_a_notebook_must_not_have(pair, change, message):
    pair.both(change)
    said = pair.said()
    assert said
    assert all(line.startswith((f"{FIRST}: {message}", f"{SECOND}: {message}")) for line in said)


def test_text_of_the_wrong_framework(pair):
    pair.first.append(markdown("more", "Keras calls it a layer."))
    pair.second.append(markdown("more", "PyTorch calls it a module."))
    assert pair.said() == [
        f"{FIRST}: more: framework: says `Keras`: reword it, or tag the cell `compare`.",
        f"{SECOND}: more: framework: says `PyTorch`: reword it, or tag the cell `compare`.",
    ]
    for cells in pair.halves:
        cells[-1]["metadata"] = {"tags": ["compare"]}
    assert pair.said() == []


def test_code_of_the_wrong_framework_even_in_a_cell_that_compares(pair):
    pair.both(add(code("more", "from tensorflow import keras", "compare")))
    (said,) = pair.said()
    assert said.startswith(f"{FIRST}: more: framework: imports the wrong framework")


def test_a_framework_imported_before_the_settings(pair):
    pair.first[1]["source"] = "import torch\nimport paired"
    (said,) = pair.said()
    assert said.startswith(
        f"{FIRST}: setup: paired_first: the first code cell must import `paired`"
    )


def test_metadata_of_an_editor(pair):
    pair.metadata["widgets"] = {}
    assert [line.partition(": ")[2] for line in pair.said()] == [
        "notebook: metadata: metadata is not the course's: "
        "run `make outputs` (in exercises/: `make exercises`)."
    ] * 2


def test_an_answer_is_tagged_and_a_task_has_one(pair):
    pair.kind = "solutions"
    pair.both(add(code("more", "# BEGIN SOLUTION\nx = 1\n# END SOLUTION")))
    pair.both(add(code("other", "x = 1", "task")))
    said = [line.partition("ipynb: ")[2] for line in pair.said()]
    assert (
        said
        == [
            "more: markers: has an answer: tag the cell `task`.",
            "other: markers: is a task without `# BEGIN SOLUTION` and `# END SOLUTION`: "
            "mark its answer.",
        ]
        * 2
    )


def test_an_exercise_has_no_outputs(pair):
    pair.kind = "exercises"
    said = pair.said()
    assert (
        "exercises/01_a_pytorch.ipynb: value: untouched: has outputs: run `make exercises`." in said
    )


def test_the_lint_imports_no_framework_and_runs_no_kernel():
    program = (
        "import sys; from paired.authors import lint; list(lint.course_problems()); "
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=course.ROOT, capture_output=True, text=True, check=True)
    heavy = {"torch", "tensorflow", "nbclient", "jupyter_client"}
    assert not heavy.intersection(done.stdout.split())
