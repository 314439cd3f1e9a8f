"""A beginner's ten mistakes, run: what each framework says, and how that is judged.

The ten are the same on both sides, and `asked` names a public thread where somebody met each.
Where the very same slip is impossible or harmless in one framework, or does not bring silence,
the nearest slip at the same place is taken, and `note` says what becomes of the first. The code is
what tutorials write: a class with `forward` there, `Sequential`, `compile` and `fit` here.

A message is judged by three questions. A yes is the words that it rests on, a no is empty:

- `what`: does it say what is wrong, in the reader's own terms: what came against what is wanted
  (a shape, a type, a name), or what was done that is not possible?
- `where`: does it lead to what has to be changed: by the name of a layer, weight or argument, or
  since the last of the reader's own lines in the traceback uses that very thing?
- `do`: does it say what to do, and does that mend it?

A slip that raises and prints nothing is silent: three times no, and `effect` says what it costs.
Colours of the terminal, addresses, folders and the values of weights are left out of messages.
"""

import inspect
import io
import json
import linecache
import re
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable

from sklearn.datasets import load_digits

_DIGITS = load_digits()
X, Y = (_DIGITS.data[:512] / 16).astype("float32"), _DIGITS.target[:512].astype("int64")
IMAGES = X.reshape(-1, 8, 8, 1).repeat(3, axis=-1)  # in colour: one channel makes Keras guess
ROWS: list[dict] = []
_LEFT_OUT = re.compile(
    r"\x1b\[\d*m| at 0x[0-9a-f]+|/\S+/(?=\w+\.(?:py|h5))|, value=\[.*?\](?=>)", re.DOTALL
)


def slip(
    text: str, asked: str, note: str = "", what: str = "", where: str = "", do: str = ""
) -> Callable[[Callable], Callable]:
    """Run a beginner's lines and keep what they bring, with the words that each yes rests on."""

    def run(lines: Callable) -> Callable:
        row = {"mistake": lines.__name__, "slip": text, "same": not note, "note": note}
        row |= {"asked": f"https://github.com/{asked}"}
        source = inspect.getsource(lines).partition(":\n")[2]
        row |= {"code": textwrap.dedent(source).rstrip(), "outcome": "silent"}
        row |= {"kind": "", "message": "", "lines": [], "effect": ""}
        said, real = io.StringIO(), sys.stderr
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            sys.stderr = said
            try:
                row["effect"] = lines() or ""
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)
                own = [(f.filename, f.lineno) for f in frames if f.filename == _file(lines)]
                row |= {"outcome": "error", "kind": type(error).__name__, "message": str(error)}
                row["lines"] = [linecache.getline(*place).strip() for place in own]
            finally:
                sys.stderr = real
        if row["outcome"] == "silent" and (warned or said.getvalue()):
            texts = [str(each.message) for each in warned] or [said.getvalue()]
            row |= {"outcome": "warning", "message": "\n".join(texts)}
        row["message"] = _LEFT_OUT.sub("", row["message"]).strip()
        ROWS.append(row | {"what": what, "where": where, "do": do})
        return lines

    return run


def _file(function: Callable) -> str:
    return function.__code__.co_filename


def show() -> None:
    """Print what was kept, for the program that collects it."""
    print(json.dumps(ROWS))
