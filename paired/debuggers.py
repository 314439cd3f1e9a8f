"""Debuggers in a notebook: typed into by a script, with a true transcript, or by hand.

pdb, `%debug` and tfdbg all ask for commands through `input`. `script` answers for you, and echoes
what it types; take its line away, and you type yourself. Whoever types, a debugger that is left
open ends its cell with a sentence, and the kernel stays usable.
"""

import bdb
import builtins
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

_CLOSED = "Run the cell again to debug again; the kernel is as usable as before."


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


def prepare() -> None:
    """Make the debuggers of this notebook's cells behave: no colour codes, and a clear end."""
    _typist()
    shell = _shell()
    if shell is None:
        return
    shell.colors = "nocolor"
    # ipykernel sets and resets `input` around each cell.
    shell.events.register("pre_run_cell", lambda _: _typist())
    shell.events.register("post_run_cell", lambda _: _end_cell())


def _end_cell() -> None:
    """A debugger ends with its cell, and so do its breakpoints: a second run is like the first."""
    _stop_tracing()
    bdb.Breakpoint.clearBreakpoints()
    if shell := _shell():
        for name in (
            "__return__",
            "__exception__",
        ):  # pdb leaves them behind
            shell.user_ns.pop(name, None)
    typist = _typist()
    if typist.commands:
        left = ", ".join(f"`{command}`" for command in typist.commands)
        print(f"No debugger asked for {left}: it was closed before, or never opened.")
    typist.commands, typist.scripted = [], False
