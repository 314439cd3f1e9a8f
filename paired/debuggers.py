"""Debuggers in a notebook: typed into by a script, with a true transcript, or by hand.

pdb, `%debug` and tfdbg all ask for commands through `input`. `script` answers for you, and echoes
what it types; take its line away, and you type yourself. Whoever types, a debugger that is left
open ends its cell with a sentence, and the kernel stays usable.
"""

import builtins
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

_CLOSED = "Run the cell again to debug again; the kernel is as usable as before."


class DebuggerClosed(BaseException):
    """A debugger was closed because nobody answers it; the message says why, and what to do.

    Not an `Exception`: no `except Exception` in the code that is debugged may catch it.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the sentence, without the debugger's own calls."""
        return [str(self)]


def _close(why: str) -> NoReturn:
    sys.settrace(None)  # or the next cell would be traced, slowly
    raise DebuggerClosed(f"{why} {_CLOSED}")


class _Typist:
    """Stands in for `input`: types commands while it has some, then leaves it to the keyboard."""

    def __init__(self, keyboard: Callable[[str], str]) -> None:
        self.keyboard = keyboard
        self.commands: list[str] = []
        self.scripted = False

    def __call__(self, prompt: object = "") -> str:
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
    from IPython import get_ipython

    _typist()
    shell = get_ipython()
    if shell is None:  # a plain Python program
        return
    shell.colors = "nocolor"
    # ipykernel sets and resets `input` around each cell.
    shell.events.register("pre_run_cell", lambda _: _typist())
    shell.events.register("post_run_cell", lambda _: _say_left_over())


def _say_left_over() -> None:
    typist = _typist()
    if typist.commands:
        left = ", ".join(f"`{command}`" for command in typist.commands)
        print(f"No debugger asked for {left}: it was closed before, or never opened.")
    typist.commands, typist.scripted = [], False
