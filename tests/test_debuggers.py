"""Debuggers in real kernels: the transcript is true, and a debugger left open harms nothing."""

import ast
import contextlib
import dataclasses
import itertools
import json
import re
import socket
import subprocess
import sys

from paired import course

import psutil
import pytest
from conftest import kernel, said, started

pytestmark = pytest.mark.xdist_group("debuggers")

RUN_OUT = "The script has no more commands, and the debugger asks for one: it is closed."
STOPPED = "You stopped the cell while a debugger waited for a command, so it is closed."
NOBODY = "A debugger asks for a command, and there is no keyboard here: it is closed."
AGAIN = "Run the cell again to debug again; the kernel is as usable as before."

SETUP = """
import pdb, sys
from paired import debuggers, imports
debuggers.set_up()
unmended = sys.breakpointhook
sys.breakpointhook = sys.__breakpointhook__

def halve(x):
    y = x / 2
    pdb.set_trace()
    return y

def halve_by_breakpoint(x):
    y = x / 2
    breakpoint()
    return y

def divide(x):
    y = x - 1
    return 1 / y
"""
TORCH = """
import torch

class Square(torch.nn.Module):
    def forward(self, x):
        y = x * x
        pdb.set_trace()
        return y

def hook(grad):
    pdb.set_trace()
    return grad

def backward():
    x = torch.ones(2, requires_grad=True)
    x.register_hook(hook)
    (3 * x).sum().backward()
    return x.grad
"""
TENSORFLOW = """
with imports.quiet_import():
    import tensorflow as tf
from tensorflow.python import debug as tf_debug

with tf.Graph().as_default() as graph:
    x = tf.compat.v1.placeholder(tf.float32, [2], name="x")
    y = tf.math.log(x, name="y")

def log():
    with tf.compat.v1.Session(graph=graph) as session:
        session = tf_debug.LocalCLIDebugWrapperSession(session, ui_type="readline")
        session.add_tensor_filter("has_inf_or_nan", tf_debug.has_inf_or_nan)
        return session.run(y, {x: [1, -1]})
"""


@dataclasses.dataclass
class Debugger:
    """A cell that opens a debugger, what one may type into it, and what is then seen, in order."""

    cell: str
    commands: tuple[str, ...]
    seen: tuple[str, ...]
    prompt: str = "ipdb> "
    before: str = ""


POST_MORTEM = """\
try:
    divide(1)
except ZeroDivisionError:
    pdb.post_mortem()
print("on")
"""
DEBUGGERS = {
    "set_trace": Debugger(
        "print(halve(3))", ("p y", "u", "p 2 + 2", "d", "y = 9", "c"), ("1.5", "4", "9")
    ),
    "breakpoint": Debugger("print(halve_by_breakpoint(3))", ("p y", "c"), ("1.5", "1.5")),
    "%debug": Debugger(
        "%debug", ("p x", "u", "q"), ("return 1 / y", "1", "divide(1)"), before="divide(1)"
    ),
    "post_mortem": Debugger(POST_MORTEM, ("p y", "u", "q"), ("0", "divide(1)", "on")),
    "forward": Debugger(
        "print(Square()(torch.tensor([2., 3.])))",
        ("p y", "y[0] = -1", "c"),
        ("tensor([4., 9.])", "tensor([-1.,  9.])"),
    ),
    "hook": Debugger(
        "print(backward())", ("p grad", "c"), ("tensor([3., 3.])", "tensor([3., 3.])")
    ),
    "tfdbg": Debugger(
        "print(log())",
        ("run -f has_inf_or_nan", "pt y:0", "run"),
        ('passing filter "has_inf_or_nan"', "array([ 0., nan], dtype=float32)", "[ 0. nan]"),
        prompt="tfdbg> ",
    ),
}


@dataclasses.dataclass
class Ran:
    """What a cell did."""

    printed: str = ""
    error: str = ""
    sentence: str = ""
    shown: str = ""
    prompts: list[str] = dataclasses.field(default_factory=list)


@pytest.fixture(scope="module")
def torch_kernel():
    with kernel() as running:
        said(running, SETUP)
        said(running, TORCH)
        yield running


@pytest.fixture(scope="module")
def tensorflow_kernel():
    with kernel() as running:
        said(running, SETUP)
        said(running, TENSORFLOW)
        yield running


@pytest.fixture(params=DEBUGGERS)
def debugger(request) -> Debugger:
    return DEBUGGERS[request.param]


@pytest.fixture
def running(request):
    """The kernel in which the test's debugger can run."""
    wanted = (
        request.node.callspec.params.get("debugger") if hasattr(request.node, "callspec") else ""
    )
    return request.getfixturevalue("tensorflow_kernel" if wanted == "tfdbg" else "torch_kernel")


def run_cell(running, code: str, *answers: str, keyboard: bool = True, stop_at: str = "") -> Ran:
    """Run a cell, and see that the kernel is as before.

    Whoever asks gets an answer; when there are no more, the cell is stopped, as by its Stop button.
    It is also stopped when it has printed `stop_at`.
    """
    ran, waiting = Ran(), list(answers)

    def output(message: dict) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            assert content["name"] == "stdout"
            ran.printed += content["text"]
            if stop_at and stop_at in content["text"]:
                running.km.interrupt_kernel()
        elif message["msg_type"] == "error":
            ran.error, ran.sentence = content["ename"], content["evalue"]
            ran.shown = "\n".join(content["traceback"])

    def ask(message: dict) -> None:
        ran.prompts.append(message["content"]["prompt"])
        if waiting:
            running.kc.input(waiting.pop(0))
        else:
            running.km.interrupt_kernel()

    running.kc.execute_interactive(
        code, allow_stdin=keyboard, output_hook=output, stdin_hook=ask, timeout=60
    )
    assert waiting == []
    after = "import sys; print(sys.gettrace(), debuggers.left_over(), 6 * 7)"
    assert said(running, after) == "None () 42"
    ran.printed = comparable(ran.printed)
    return ran


def comparable(transcript: str) -> str:
    """Without the process's number, and without tfdbg's times and the width of their column."""
    transcript = re.sub(r"\S*ipykernel_\d+[/\\]\d+\.py", "cell", transcript)
    return re.sub(r"^(t \(ms\)|\[[\d.]+\]) +", "TIME ", transcript, flags=re.MULTILINE)


def script(*commands: str) -> str:
    return f"debuggers.script(*{commands!r})\n"


def scripted(running, debugger: Debugger, *commands: str, keyboard=False, answers=()) -> Ran:
    """Run a debugger's cell after a script of these commands."""
    if debugger.before:
        run_cell(running, debugger.before)
    return run_cell(running, script(*commands) + debugger.cell, *answers, keyboard=keyboard)


def in_order(words, text: str) -> bool:
    return re.search(".*".join(map(re.escape, words)), text, re.DOTALL) is not None


def test_transcript_is_what_a_person_would_see(running, debugger):
    ran = scripted(running, debugger, *debugger.commands)
    assert ran.error == ""
    assert ran.prompts == []
    assert in_order(debugger.seen, ran.printed)
    echoed = [f"{debugger.prompt}{command}\n" for command in debugger.commands]
    assert in_order(echoed, ran.printed)

    # By hand: the same, but for the line of the script, and what the student typed.
    if debugger.before:
        run_cell(running, debugger.before)
    live = run_cell(running, "# by hand\n" + debugger.cell, *debugger.commands)
    assert live.error == ""
    assert live.prompts == [debugger.prompt] * len(debugger.commands)
    for line in echoed:
        ran.printed = ran.printed.replace(line, "", 1)
    line = script(*debugger.commands).strip()
    assert ran.printed.replace(line, "# by hand") == live.printed


def test_commands_that_run_out_end_the_cell_with_a_sentence(running, debugger):
    ran = scripted(running, debugger, *debugger.commands[:-1])
    assert ran.error == "DebuggerClosed"
    assert ran.sentence.startswith(RUN_OUT)
    assert ran.sentence.endswith(AGAIN)
    assert ran.shown == ran.sentence, "and nothing of the debugger's own calls"
    assert scripted(running, debugger, *debugger.commands).error == "", "the next one works"


def test_after_the_script_the_keyboard_has_its_turn(running, debugger):
    *commands, last = debugger.commands
    ran = scripted(running, debugger, *commands, keyboard=True, answers=[last])
    assert ran.error == ""
    assert ran.prompts == [debugger.prompt]
    assert in_order(debugger.seen, ran.printed)


def test_commands_left_over_are_named(running, debugger):
    ran = scripted(running, debugger, *debugger.commands, "p 1", "lt")
    assert ran.error == ""
    last = ran.printed.splitlines()[-1]
    assert last == "No debugger asked for `p 1`, `lt`: it was closed before, or never opened."


def test_stop_button_closes_an_open_debugger(running, debugger):
    ran = scripted(running, debugger, keyboard=True)
    assert ran.error == "DebuggerClosed"
    assert ran.sentence == ran.shown == f"{STOPPED} {AGAIN}"
    assert scripted(running, debugger, *debugger.commands).error == "", "the next one works"


def test_stopping_code_that_a_debugger_has_let_go_opens_it_again(torch_kernel):
    # `print("let", "go")` would arrive in two messages, and `"let go"` is what pdb lists.
    cell = 'import time\nhalve(3)\nprint("let " "go")\nwhile True:\n    time.sleep(0.01)'
    ran = run_cell(torch_kernel, cell, "c", stop_at="let go")
    assert "Program interrupted." in ran.printed
    assert ran.prompts == ["ipdb> ", "ipdb> "]
    assert ran.shown == f"{STOPPED} {AGAIN}"


def test_without_a_script_and_without_a_keyboard_a_debugger_is_closed(running, debugger):
    if debugger.before:
        run_cell(running, debugger.before)
    ran = run_cell(running, debugger.cell, keyboard=False)
    assert ran.shown == f"{NOBODY} {AGAIN}"


def test_two_debuggers_in_one_cell_share_the_script(torch_kernel):
    cell = "print(halve(3) + halve(5))\ntry:\n    divide(1)\nexcept ZeroDivisionError:\n"
    cell = script("p y", "c", "p y", "c", "p y", "q") + cell + "    pdb.post_mortem()"
    ran = run_cell(torch_kernel, cell, keyboard=False)
    assert ran.error == ""
    assert in_order(["p y\n1.5", "p y\n2.5", "4.0", "p y\n0"], ran.printed)


def test_breakpoint_is_dead_in_a_notebook_until_it_is_mended(torch_kernel):
    said(torch_kernel, "sys.breakpointhook = unmended")
    cell = script("p y", "c") + "print(halve_by_breakpoint(3))"
    ran = run_cell(torch_kernel, cell, keyboard=False)
    said(torch_kernel, "sys.breakpointhook = sys.__breakpointhook__")
    left = "No debugger asked for `p y`, `c`: it was closed before, or never opened."
    assert ran.printed.splitlines() == ["1.5", left]
    assert in_order(["p y\n1.5", "c\n1.5"], run_cell(torch_kernel, cell, keyboard=False).printed)


def test_code_that_catches_every_exception_does_not_swallow_the_end(torch_kernel):
    cell = "for _ in range(3):\n    try:\n        halve(3)\n    except Exception:\n"
    cell += "        print('swallowed')"
    ran = run_cell(torch_kernel, script("p y") + cell, keyboard=False)
    assert ran.error == "DebuggerClosed"
    assert "swallowed" not in ran.printed


def test_exit_ends_tfdbg_and_the_cell_with_a_sentence():
    tfdbg = DEBUGGERS["tfdbg"]
    with kernel() as running:
        for setup in (SETUP, TENSORFLOW, "debuggers.set_up()"):
            said(running, setup)
        for commands in (("exit",), ("run", "exit")):
            ran = scripted(running, tfdbg, *commands)
            sentence = "`exit` ends tfdbg and the program that it debugs, here the cell."
            assert ran.shown == f"{sentence} {AGAIN}"
        assert scripted(running, tfdbg, *tfdbg.commands).error == "", "the next one works"


@pytest.mark.parametrize("step", ["n", "s"])
def test_stepping_out_of_the_cell_ends_the_debugger_and_not_the_kernel(torch_kernel, step):
    ran = run_cell(torch_kernel, "z = halve(3)", *[step] * 3)
    assert ran.error == ""
    end = "You have stepped to the end of the cell: the debugger is closed."
    assert ran.printed.splitlines()[-1] == end
    ran = run_cell(torch_kernel, script(step, step, step, "p z") + "z = halve(3)", keyboard=False)
    assert in_order([end, "No debugger asked for `p z`"], ran.printed)
    # pdb puts it among the cell's names, and shows it again and again.
    assert said(torch_kernel, "print('__return__' in globals())") == "False"


COLLECTED = """
import gc, weakref

class Loop:
    def __init__(self):
        self.own = self

def collected():
    held = [Loop()]
    weak = weakref.WeakSet(held)
    pdb.set_trace()
    held.clear(), gc.collect()
    return len(weak)
"""


def test_stepping_passes_by_what_the_collector_of_garbage_calls(torch_kernel):
    """It runs at any time, and would take a script's commands; an error in it goes to stderr."""
    said(torch_kernel, COLLECTED)
    ran = run_cell(torch_kernel, script("s", "p len(weak)", "c") + "collected()", keyboard=False)
    assert in_order(["s\n", "return len(weak)", "p len(weak)\n0\n"], ran.printed)


def test_breakpoints_end_with_their_cell(torch_kernel):
    commands = ("b divide, x > 2", "c", "p x", "c")
    cell = script(*commands) + "halve(1)\nprint([divide(x) for x in (2, 3)])"
    first, second = (run_cell(torch_kernel, cell, keyboard=False) for _ in range(2))
    assert in_order(["Breakpoint 1 at cell", "p x\n3", "[1.0, 0.5]"], first.printed)
    assert first == second
    assert run_cell(torch_kernel, "print(divide(3))", keyboard=False).printed == "0.5\n"


def test_another_kind_of_tracing_goes_on(torch_kernel):
    """JupyterLab's visual debugger traces too."""
    run_cell(torch_kernel, "divide(1)")
    cell = "def tracer(*_): return None\nsys.settrace(tracer)\n" + script("p y") + "%debug"
    torch_kernel.kc.execute_interactive(cell, allow_stdin=False, output_hook=lambda _: None)
    goes_on = "print(sys.gettrace() is tracer)\nsys.settrace(None)"
    assert said(torch_kernel, goes_on) == "True"


def test_transcripts_of_twenty_runs_are_identical(torch_kernel, tensorflow_kernel):
    cell = script("p x, y", "l", "w", "n", "c") + "print(halve(3))"
    cell += "\ntry:\n    divide(1)\nexcept ZeroDivisionError:\n    debuggers.script('w', 'q')"
    cell += "\n    pdb.post_mortem()"
    runs = [
        run_cell(running, cell, keyboard=False).printed
        for running in (torch_kernel, tensorflow_kernel)
        for _ in range(10)
    ]
    assert "p x, y\n(3, 1.5)" in runs[0]
    for run in runs:
        assert run == runs[0]


PLAIN = """
import pdb, sys
from paired import debuggers

debuggers.set_up()
debuggers.script(*sys.argv[1:])
x = 3
pdb.set_trace()
print("left over:", debuggers.left_over())
assert "IPython" not in sys.modules
"""


@pytest.mark.parametrize(
    ("commands", "typed", "status", "printed", "sentence"),
    [
        (["p x", "c", "p 1"], "", 0, "(Pdb) p x\n3\n(Pdb) c\nleft over: ('p 1',)\n", ""),
        (["p x"], "p x + 1\nc\n", 0, "(Pdb) p x\n3\n(Pdb) 4\n(Pdb) left over: ()\n", ""),
        (["p x"], "", 1, "(Pdb) p x\n3\n(Pdb) ", f"{RUN_OUT} "),
    ],
    ids=["script", "script and keyboard", "script that runs out"],
)
def test_plain_python(tmp_path, commands, typed, status, printed, sentence):
    file = tmp_path / "plain.py"
    file.write_text(PLAIN)
    done = subprocess.run(
        [sys.executable, file, *commands], input=typed, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status
    assert done.stdout.endswith(printed)
    assert sentence in done.stderr
    assert bool(sentence) == bool(done.stderr)


LISTENING = """\
import debugpy
print(*debugpy.listen(("127.0.0.1", 0)), flush=True)
debugpy.wait_for_client()

def halve(x):
    y = x / 2
    return y

print(halve(3), flush=True)
"""


class Client:
    """An IDE, as little of it as can attach: it speaks the Debug Adapter Protocol."""

    def __init__(self, connection: socket.socket) -> None:
        self.file = connection.makefile("rwb")
        self.numbers = itertools.count(1)
        self.heard = []

    def ask(self, command: str, **arguments) -> int:
        number = next(self.numbers)
        request = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self.file.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.file.flush()
        return number

    def hear(self, **wanted) -> dict:
        """Wait for a message like this; returns its body."""
        while not (found := [m for m in self.heard if wanted.items() <= m.items()]):
            size = int(self.file.readline().removeprefix(b"Content-Length: "))
            self.file.readline()
            self.heard.append(json.loads(self.file.read(size)))
            assert self.heard[-1].get("success", True), self.heard[-1]
        return found[0].get("body", {})

    def call(self, command: str, **arguments) -> dict:
        return self.hear(type="response", request_seq=self.ask(command, **arguments))


def listener(port: int) -> tuple[psutil.Process, list[str]]:
    """The process that listens on a port (debugpy's adapter is nobody's child), and where."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            sockets = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
            if any(each.laddr.port == port for each in sockets):
                return process, [each.laddr.ip for each in sockets]
    raise LookupError(port)


def test_an_ide_attaches_from_outside_on_loopback(tmp_path):
    file = tmp_path / "listening.py"
    file.write_text(LISTENING)
    line = LISTENING.splitlines().index("    return y") + 1
    command = [sys.executable, "-Xfrozen_modules=off", file]  # or debugpy warns of them
    with started(command, stdout=subprocess.PIPE) as process:
        host, port = process.stdout.readline().split()
        adapter, addresses = listener(int(port))
        assert set(addresses) == {host} == {"127.0.0.1"}
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            ide = Client(connection)
            ide.call("initialize", adapterID="test", pathFormat="path")
            attached = ide.ask("attach", justMyCode=True)
            ide.hear(type="event", event="initialized")
            points = ide.call(
                "setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": line}]
            )
            assert points["breakpoints"][0]["verified"]
            ide.call("configurationDone")
            ide.hear(type="response", request_seq=attached)
            stopped = ide.hear(type="event", event="stopped")
            assert stopped["reason"] == "breakpoint"
            frame, *_ = ide.call("stackTrace", threadId=stopped["threadId"])["stackFrames"]
            assert (frame["name"], frame["line"]) == ("halve", line)
            scope, *_ = ide.call("scopes", frameId=frame["id"])["scopes"]
            number = scope["variablesReference"]
            variables = ide.call("variables", variablesReference=number)["variables"]
            assert {v["name"]: v["value"] for v in variables} == {"x": "3", "y": "1.5"}
            ide.call("continue", threadId=stopped["threadId"])
            assert process.stdout.readline() == "1.5\n"
            ide.hear(type="event", event="terminated")
            ide.call("disconnect")
            ide.file.close()
        assert process.wait(timeout=60) == 0
    assert psutil.wait_procs([adapter], timeout=60)[1] == [], "nothing outlives it"


def without_scripts(source: str) -> tuple[str, str]:
    """A lesson's cell as a student leaves it who wants to type; a list of what was typed for them.

    The lines stay as many as they were, so that a transcript names the same ones.
    """
    lines, commands = source.splitlines(), {}
    python = "\n".join("pass" if line.startswith("%") else line for line in lines)
    for node in ast.walk(ast.parse(python)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "debuggers.script":
            rest = [""] * (node.end_lineno - node.lineno)
            lines[node.lineno - 1 : node.end_lineno] = ["pass", *rest]
            commands[node.lineno] = [ast.unparse(argument) for argument in node.args]
    return "\n".join(lines), f"[{', '.join(itertools.chain(*map(commands.get, sorted(commands))))}]"


def answers_only(transcript: str, commands: list[str]) -> list[str]:
    """Without prompts and commands, and the code around a line."""
    transcript = "\n" + comparable(transcript)
    for command in commands:
        transcript = re.sub(rf"\n(ipdb|tfdbg)> {re.escape(command)}(?=\n)", "", transcript, count=1)
    return [line for line in transcript.splitlines() if line and not re.match(r" +\d+ ", line)]


@pytest.mark.parametrize("half", ["pytorch", "tensorflow"])
def test_every_session_of_the_lesson_can_be_typed_by_hand_afterwards(half):
    def run(code: str, *typed: str) -> str:
        printed, waiting = [], list(typed)
        reply = running.kc.execute_interactive(
            code,
            allow_stdin=bool(typed),
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
            stdin_hook=lambda _: running.kc.input(waiting.pop(0) if waiting else "q"),
            timeout=60,
        )["content"]
        assert reply["status"] == "ok" or "unrecorded_step(new_net()" in code, reply["evalue"]
        assert waiting == []
        return "".join(printed)

    typed = []
    with kernel() as running:
        for cell, kind, source in course.cells(course.lesson("05").path(half)):
            if kind != "code":
                continue
            if cell in ("mended-record", "twin"):
                continue  # the record is the lesson's
            scripted = run(source)
            by_hand, commands = without_scripts(source)
            if by_hand == source:
                continue
            commands = json.loads(run(f"import json; print(json.dumps({commands}))"))
            live = run(by_hand, *commands)
            assert answers_only(live, []) == answers_only(scripted, commands), cell
            typed.append(cell)
    sessions = {"session", "nan-debug", "unrecorded-debug", "mode-debug", "function-stops"}
    assert sessions <= set(typed)
