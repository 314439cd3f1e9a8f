"""Debuggers in a notebook: typed into by a script, with a true transcript, or by hand.

pdb, `%debug` and tfdbg all ask for commands through `input`. `script` answers for you, and echoes
what it types; take its line away, and you type yourself. Whoever types, a debugger that is left
open ends its cell with a sentence, and the kernel stays usable.
"""

import bdb
import builtins
import contextlib
import json
import os
import re
import socket
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from paired import ports
from paired.ports import free_port as free_port  # for a lesson, beside `Attached`

_CLOSED = "Run the cell again to debug again; the kernel is as usable as before."


# Lines of code around the one where pdb stops.
_CONTEXT = 3
# Modules of callbacks that Python's collector of garbage may run between any two lines.
_COLLECTORS = ("_weakrefset", "weakref")
# What differs from one machine or run to the next, and what a transcript shows in its place.
_TIDY = [
    (re.compile(pattern), shown)
    for pattern, shown in (
        (r"[^\s'\"]*[/\\]ipykernel_\d+[/\\]\d+\.py", "cell"),
        (r"[^\s'\"]*__autograph_generated_file\w+\.py", "generated"),
        # Where Python's and the packages' modules lie, at a path that may have spaces and quotes.
        *((re.escape(sysconfig.get_path(each) + os.sep), "") for each in ("purelib", "stdlib")),
        # How deep the kernel's own stack is, which depends on how the kernel was started.
        (r"skipping \d+ hidden frame\(s\)", "skipping hidden frames"),
        # tfdbg's clock: when each tensor was written.
        (r"^\[\d+\.\d{3}\] +", "[t]      "),
        (r"^t \(ms\) +", "t (ms)   "),
        (r"@ \d+\.\d{3} ms", "@ t ms"),
    )
]
_TFDBG_FRAME = re.compile(r"\d+: (.*)")


class DebuggerClosed(BaseException):
    """A debugger was closed because nobody answers it; the message says why, and what to do.

    Not an `Exception`: no `except Exception` in the code that is debugged may catch it.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the sentence, without the debugger's own calls."""
        return [str(self)]


def _stop_tracing() -> None:
    """Or the next cell would be traced, slowly; JupyterLab's visual debugger goes on."""
    if isinstance(getattr(sys.gettrace(), "__self__", None), bdb.Bdb):
        sys.settrace(None)


def _close(why: str) -> NoReturn:
    _stop_tracing()
    raise DebuggerClosed(f"{why} {_CLOSED}")


def _shell() -> Any:
    """IPython's shell; None in a plain Python program."""
    ipython = sys.modules.get("IPython")
    return ipython and ipython.get_ipython()


def _beyond_cell() -> bool:
    """Whether somebody has stepped out of the cell, into the kernel, where no debugger may stop."""
    shell = _shell()
    if shell is None or threading.current_thread() is not threading.main_thread():
        return False
    frame = sys._getframe()
    while frame and frame.f_globals is not shell.user_global_ns:
        frame = frame.f_back
    return frame is None


class _Typist:
    """Stands in for `input`: types commands while it has some, then leaves it to the keyboard."""

    def __init__(self, keyboard: Callable[[str], str]) -> None:
        self.keyboard = keyboard
        self.commands: list[str] = []
        self.scripted = False

    def __call__(self, prompt: object = "") -> str:
        if _beyond_cell():
            print("You have stepped to the end of the cell: the debugger is closed.")
            return "continue"
        if self.commands:
            command = self.commands.pop(0)
            print(f"{prompt}{command}")
            return command
        try:
            return self.keyboard(prompt)
        except KeyboardInterrupt:
            _close("You stopped the cell while a debugger waited for a command, so it is closed.")
        except (EOFError, NotImplementedError):  # ipykernel's StdinNotImplementedError is one
            if not self.scripted:
                _close(
                    "A debugger asks for a command, and there is no keyboard here: it is closed."
                )
            _close(
                "The script has no more commands, and the debugger asks for one: it is closed. Let "
                "the script end with what ends the debugger: `c` or `q` in pdb, `run` in tfdbg."
            )


def _typist() -> _Typist:
    if not isinstance(builtins.input, _Typist):
        builtins.input = _Typist(builtins.input)
    return builtins.input


def script(*commands: str) -> None:
    """Type these commands into the debuggers that open in this cell, one after the other.

    When they run out, the keyboard has its turn. Take the line away to type everything yourself.
    """
    typist = _typist()
    typist.commands, typist.scripted = list(commands), True


def left_over() -> Sequence[str]:
    """The commands that no debugger has asked for."""
    return tuple(_typist().commands)


def tidy(text: str) -> str:
    """A debugger's line with cells called `cell`, short paths of libraries, and no clock times."""
    for pattern, shown in _TIDY:
        text = pattern.sub(shown, text)
    return text


class _Tidy:
    """A stream to which tidy text is written."""

    def __init__(self, stream) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        return self.stream.write(tidy(text))

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


def _tidy_pdb() -> None:
    from IPython.core import debugger

    plain, stops_here = debugger.Pdb.__init__, debugger.Pdb.stop_here
    if hasattr(plain, "__wrapped__"):
        return

    def init(self, *args, **kwargs) -> None:
        plain(self, *args, **{"context": _CONTEXT, "readrc": False, **kwargs})
        self.stdout = _Tidy(self.stdout)

    def stop_here(self, frame) -> bool:  # pdb's own option `skip` would be named in transcripts
        return frame.f_globals.get("__name__") not in _COLLECTORS and stops_here(self, frame)

    init.__wrapped__ = plain
    debugger.Pdb.__init__, debugger.Pdb.stop_here = init, stop_here
    # From Python 3.13 on a session would open on the line that opens it; before, and here, on the
    # next one.
    debugger.Pdb.set_stepinstr = debugger.Pdb.set_step


def _without_libraries(lines: Iterable[str]) -> Iterator[str]:
    """Tfdbg's lines, tidy; of a node's traceback (`ni -t`) only the frames of cells."""
    skipping = skipped = False
    for line in map(tidy, lines):
        if frame := _TFDBG_FRAME.fullmatch(line):
            skipping = frame[1] != "cell"
            if skipping and not skipped:
                yield "[... skipped frames of libraries]"
            skipped = skipping
            line = frame[1]  # how deep the stack is depends on how the kernel was started
        elif not line.startswith("  ") and line:
            skipping = skipped = False
        if not skipping:
            yield line


def _tidy_tfdbg() -> None:
    try:
        from tensorflow.python.debug.cli import readline_ui
        from tensorflow.python.debug.cli.debugger_cli_common import EXPLICIT_USER_EXIT
    except ImportError:  # native Windows has no readline
        return
    ui = readline_ui.ReadlineUI
    plain = ui.run_ui
    if hasattr(plain, "__wrapped__"):
        return

    def run_ui(self, init_command=None, title=None, **kwargs):
        if init_command == "run_info":  # the logo and the first help, 30 lines
            init_command = None
        elif init_command == "lt":  # by time, which moves; a filter's list is left in that order
            init_command += " -s tensor_name"
        answer = plain(self, init_command=init_command, title=title, **kwargs)
        if answer == EXPLICIT_USER_EXIT and _shell():  # or tfdbg would raise SystemExit
            _close("`exit` ends tfdbg and the program that it debugs, here the cell.")
        return answer

    def display(_, output) -> None:
        print(*_without_libraries(output.lines), sep="\n")

    run_ui.__wrapped__ = plain
    ui.run_ui, ui._display_output = run_ui, display


def set_up() -> None:
    """Make the debuggers of this notebook's cells behave.

    No colour codes, short transcripts that are the same in every run (see `tidy`; tfdbg does not
    greet, and lists all tensors by name), and a clear end.
    """
    _typist()
    shell = _shell()
    if shell is None:
        return
    shell.colors = "nocolor"
    _tidy_pdb()
    if "tensorflow" in sys.modules:
        _tidy_tfdbg()
    # ipykernel sets and resets `input` around each cell.
    shell.events.register("pre_run_cell", lambda _: _typist())
    shell.events.register("post_run_cell", lambda _: _end_cell())


def _end_cell() -> None:
    """A debugger ends with its cell, and so do its breakpoints: a second run is like the first."""
    _stop_tracing()
    bdb.Breakpoint.clearBreakpoints()
    if shell := _shell():
        for name in ("__return__", "__exception__"):  # pdb leaves them behind
            shell.user_ns.pop(name, None)
    typist = _typist()
    if typist.commands:
        left = ", ".join(f"`{command}`" for command in typist.commands)
        print(f"No debugger asked for {left}: it was closed before, or never opened.")
    typist.commands, typist.scripted = [], False


# From outside


class Attached(contextlib.AbstractContextManager):
    """Attaches to a program that called `debugpy.listen(("127.0.0.1", port))`, and lets go after.

    It speaks the Debug Adapter Protocol, as an IDE does: JSON messages, each after its length.
    Source: https://microsoft.github.io/debug-adapter-protocol/specification.

    Raises:
        TimeoutError: nobody listens, or answers, within `seconds`.
    """

    def __init__(self, port: int, seconds: float = 60) -> None:
        self.events, self.number, self.frame = [], 0, None
        until = time.monotonic() + seconds
        while True:
            try:
                self.socket = socket.create_connection((ports.ADDRESS, port), timeout=seconds)
                break
            except ConnectionRefusedError:  # the program has just been started
                if time.monotonic() > until:
                    raise TimeoutError(f"Nobody listens on port {port}.") from None
                time.sleep(0.05)
        self.file = self.socket.makefile("rwb")
        self.ask("initialize", adapterID="paired", clientID="paired")
        self.send("attach", justMyCode=True)
        self.event("initialized")
        self.ask("configurationDone")

    def send(self, command: str, **arguments) -> int:
        """Send a request; returns its number."""
        self.number += 1
        request = {"seq": self.number, "type": "request"}
        body = json.dumps({**request, "command": command, "arguments": arguments}).encode()
        self.file.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.file.flush()
        return self.number

    def _read(self) -> dict:
        length = 0
        while line := self.file.readline().strip():
            length = int(line.removeprefix(b"Content-Length:"))
        if not length:
            raise ConnectionError("The program has ended.")
        return json.loads(self.file.read(length))

    def ask(self, command: str, **arguments) -> dict:
        """Send a request and return the body of its answer."""
        number = self.send(command, **arguments)
        while (message := self._read()).get("request_seq") != number:
            self.events.append(message)
        return message.get("body", {})

    def event(self, name: str) -> dict:
        """Wait for an event, and return its body."""
        while True:
            for message in self.events:
                if message.get("event") == name:
                    self.events.remove(message)
                    return message.get("body", {})
            self.events.append(self._read())

    def wait_for_stop(self) -> dict:
        """Wait until the program stops; returns the top frame, with `name`, `source` and `line`."""
        thread = self.event("stopped")["threadId"]
        self.frame = self.ask("stackTrace", threadId=thread)["stackFrames"][0]
        return self.frame

    def evaluate(self, expression: str) -> str:
        """What an expression is where the program has stopped, as text."""
        answer = self.ask("evaluate", expression=expression, frameId=self.frame["id"])
        return answer.get("result", "")

    def __exit__(self, *_) -> None:
        """Let go: the program goes on, without its breakpoints."""
        with contextlib.suppress(OSError):
            self.ask("disconnect", terminateDebuggee=False)
        self.file.close()
        self.socket.close()
