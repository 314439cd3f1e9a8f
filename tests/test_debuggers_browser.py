"""Debuggers typed into by hand, in JupyterLab; its visual debugger; Debugger V2 in TensorBoard."""

import contextlib
import re
import subprocess
import sys

from paired import dashboards

import pytest
from conftest import write_notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SETUP = """\
import pdb
from paired import debuggers, imports
debuggers.set_up()
with imports.quiet_import():
    import tensorflow as tf
from tensorflow.python import debug as tf_debug

def halve(x):
    y = x / 2
    pdb.set_trace()
    return y

def divide(x):
    y = x - 1
    return 1 / y
print("ready")"""
TFDBG = """\
with tf.Graph().as_default():
    x = tf.compat.v1.placeholder(tf.float32, [2], name="x")
    y = tf.math.log(x, name="y")
    session = tf_debug.LocalCLIDebugWrapperSession(tf.compat.v1.Session(), ui_type="readline")
    session.add_tensor_filter("has_inf_or_nan", tf_debug.has_inf_or_nan)
    print("fetched", session.run(y, {x: [1, -1]}))"""
VISUAL = """\
def double(number):
    twice = 2 * number
    return twice
print("doubled", double(21))"""


class Cells:
    """The code cells of the notebook on the page."""

    def __init__(self, page) -> None:
        self.page = page
        self.all = page.locator(".jp-NotebookPanel:visible .jp-CodeCell")

    def says(self, number: int, pattern: str) -> None:
        """Wait until a cell's output has this."""
        output = self.all.nth(number).locator(".jp-Cell-outputArea")
        expect(output).to_contain_text(re.compile(pattern), timeout=60_000)

    def run(self, number: int) -> None:
        self.all.nth(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def ends(self, number: int) -> None:
        """Wait until a cell has been run to its end."""
        prompt = self.all.nth(number).locator(".jp-InputArea-prompt")
        expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=60_000)

    def asks(self, number: int):
        """Wait for the box into which one types; the one before it may still be closing."""
        box = self.all.nth(number).locator(
            ".jp-OutputArea-stdin-item:not(.jp-OutputArea-stdin-hiding) .jp-Stdin-input"
        )
        box.wait_for(timeout=60_000)
        return box

    def type(self, number: int, prompt: str, command: str, answer: str) -> None:
        """Answer a debugger's prompt, and wait for what it says to that."""
        box = self.asks(number)
        box.fill(command)
        box.press("Enter")
        # On a busy machine what was printed before the prompt can arrive after the command.
        self.says(number, rf"{prompt}>\s+{re.escape(command)}\s(.*\n)*\s*{answer}")


def stop(page) -> None:
    page.locator(".jp-NotebookPanel:visible [data-command='notebook:interrupt-kernel']").click()


def test_debuggers_by_hand(tmp_path, start_lab, page):
    sources = SETUP, "halve(3)", "divide(1)", "%debug", TFDBG, "print(6 * 7)", VISUAL
    write_notebook(tmp_path / "notebooks" / "05_debugging.ipynb", *sources)
    lab = start_lab(tmp_path)
    page.goto(lab.url.replace("?", "/tree/notebooks/05_debugging.ipynb?"))
    cells = Cells(page)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    cells.run(0)
    cells.says(0, "ready")

    # pdb
    cells.run(1)
    cells.type(1, "ipdb", "p x", "3")
    cells.type(1, "ipdb", "p y", r"1\.5")
    cells.type(1, "ipdb", "c", "")
    cells.ends(1)

    # %debug
    cells.run(2)
    cells.says(2, "ZeroDivisionError: division by zero")
    cells.run(3)
    cells.type(3, "ipdb", "p x - 1", "0")
    cells.type(3, "ipdb", "u", r"> cell\(1\)<module>\(\)")
    cells.type(3, "ipdb", "q", "")
    cells.ends(3)

    # tfdbg
    cells.run(4)
    cells.type(4, "tfdbg", "run -f has_inf_or_nan", "run-end: run #1[^$]+Log +y:0")
    cells.type(4, "tfdbg", "pt y:0", r'Tensor "y:0[^$]+array\(\[ 0\., nan\], dtype=float32\)')
    page.screenshot(path=tmp_path / "tfdbg.png")
    cells.type(4, "tfdbg", "run", r"fetched \[ 0\. nan\]")
    cells.ends(4)

    # The Stop button, while a debugger waits.
    for number in (1, 3, 4):
        cells.run(number)
        cells.asks(number)
        stop(page)
        cells.says(number, "You stopped the cell while a debugger waited")
        cells.ends(number)
    cells.run(5)
    cells.says(5, "42")

    # JupyterLab's visual debugger.
    page.locator(".jp-NotebookPanel:visible .jp-DebuggerBugButton").click()
    gutter = cells.all.nth(6).locator(".cm-breakpoint-gutter .cm-gutterElement")
    gutter.nth(2).click(timeout=60_000)  # the second line; before the first is a spacer
    panel = page.locator(".jp-DebuggerSidebar")
    expect(panel.locator(".jp-DebuggerBreakpoint")).to_have_count(1, timeout=60_000)
    cells.run(6)
    variables = panel.locator(".jp-DebuggerVariables")
    expect(variables).to_contain_text(re.compile(r"number:?\s*21"), timeout=60_000)
    page.screenshot(path=tmp_path / "visual.png")
    assert cells.all.nth(6).locator(".jp-InputArea-prompt").inner_text() == "[*]:", "it is stopped"
    panel.locator("[data-command='debugger:continue']").click()
    cells.says(6, "doubled 42")
    cells.ends(6)


# Writes Debugger V2's data.
HALF_LOG = """\
import sys
from paired import imports
with imports.quiet_import():
    import tensorflow as tf
folder = sys.argv[1]
dumping = tf.debugging.experimental
dumping.enable_dump_debug_info(folder, tensor_debug_mode="FULL_HEALTH", circular_buffer_size=-1)

@tf.function
def half_log(x):
    return tf.math.log(x) / 2

half_log(tf.constant([1.0, -1.0]))
dumping.disable_dump_debug_info()
"""


@pytest.fixture
def tensorboard(tmp_path):
    """The address of a TensorBoard that shows what Debugger V2 has dumped."""
    script = tmp_path / "half_log.py"
    script.write_text(HALF_LOG)
    subprocess.run([sys.executable, script, tmp_path / "dump"], check=True, timeout=120)
    with dashboards.TensorBoard(tmp_path / "dump") as server:
        yield server.url


def test_debugger_v2_shows_alerts_and_executions_without_the_internet(tensorboard, page, tmp_path):
    alerts, wanted = page.locator(".alerts-container"), re.compile(r"Alerts\s*3\s*NaN/∞\s*∞: 3")
    page.goto(f"{tensorboard}#debugger-v2")
    for _ in range(6):  # the page asks once, when the server may still be reading
        with contextlib.suppress(AssertionError):
            expect(alerts).to_contain_text(wanted, timeout=10_000)
            break
        page.reload()
    expect(alerts).to_contain_text(wanted)
    expect(page.locator(".focus-execution-container")).to_contain_text("__inference_half_log_")
    graph_executions = page.locator(".tensor-container")
    expect(graph_executions.first).to_contain_text(re.compile(r"Log:0.*float32.*NaN", re.DOTALL))
    graph_executions.first.get_by_role("button", name="Log:0").click()
    line = HALF_LOG.splitlines().index("    return tf.math.log(x) / 2") + 1
    frame = page.locator(".stack-frame-container", has_text="half_log.py").filter(
        has_text=re.compile(rf"Line {line}\s*half_log")
    )
    frame.wait_for(timeout=60_000)
    page.screenshot(path=tmp_path / "debugger-v2.png")
