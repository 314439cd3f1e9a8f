"""Write SUMMARY.md, all verdicts on one page, from CLAIMS.md and the lessons: `make summary`.

It says nothing of its own: a claim's text is that of the lesson in which CLAIMS.md first finds it
tested, and its picture what the first of its cells that shows one has stored. Of the reason for a
verdict it takes the sentences that come first, as many as five minutes leave room for: a lesson
says there what decides, and then what else it found.
"""

import base64
import collections
import math
import pathlib
import re
import sys
from collections.abc import Iterator

from paired import course
from paired.authors import files

CELL = re.compile(r"`(?P<cell>[a-z0-9-]+)`\]\((?P<path>[^)]+)\)")
PICTURES = "notebooks/13_choosing"
WORDS_A_MINUTE = 250
LEAD = 24  # words of a reason; more only if its first sentence has more
_ITEM = re.compile(r"^- \*\*(C\d\d)\*\* (.*?)(?=^- |\n\n|\Z)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?!https?:|#)(\.\./)?")
_CELLS = re.compile(r" \((?:`[a-z0-9-]+`(?:, | and )?)+\)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[.!?]\))\s+")
_UNREAD = re.compile(r"!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|[*`]")
_MAP = re.compile(r"^\| (\d\d) \| ([^|]+) \|", re.MULTILINE)
_ORDER = ("holds", "held", "half", "does", "not")
_TOP = """# The comparison, tested

A widely read comparison of PyTorch and TensorFlow makes {claims} claims. The lessons put each to
the test. The bold lines of this page take {fast} minutes, all of it {slow}. It is made from the
lessons, whose verdicts say more, and from [CLAIMS.md](CLAIMS.md), which names their cells.

| verdict | claims | which |
|---|---|---|
"""


def table(root: pathlib.Path = course.ROOT) -> dict[str, list[str]]:
    """The rows of CLAIMS.md by number: claim, where it is tested, verdict."""
    lines = (root / "CLAIMS.md").read_text(encoding="utf-8").splitlines()
    rows = [[part.strip() for part in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows if re.fullmatch(r"C\d\d", row[0])}


def cells(path: str) -> dict[str, dict]:
    """The cells of a notebook by their ids."""
    return {cell["id"]: cell for cell in files.read(course.ROOT / path)["cells"]}


def verdicts() -> Iterator[tuple[str, str]]:
    """The text of a notebook's cells of verdicts, by its path."""
    for lesson in course.lessons():
        for path in lesson.paths():
            there = cells(f"notebooks/{path.name}").items()
            texts = [cell["source"] for name, cell in there if name.startswith("verdicts")]
            if texts:
                yield f"notebooks/{path.name}", "\n\n".join(texts)


def summary() -> dict[str, bytes]:
    """The page and its pictures, by their paths.

    Raises:
        NotebookError: CLAIMS.md says where a verdict is given, and it is not.
    """
    said = {path: dict(_ITEM.findall(text)) for path, text in verdicts()}
    titles = dict(_MAP.findall((course.ROOT / "README.md").read_text(encoding="utf-8")))
    groups: dict[str, list[str]] = collections.defaultdict(list)
    which: dict[str, list[str]] = collections.defaultdict(list)
    found: dict[str, bytes] = {}
    for number, (claim, where, verdict) in table().items():
        which[verdict.strip("*")].append(number)
        tested = [(match["path"], match["cell"]) for match in CELL.finditer(where)]
        group = groups[re.search(r"\d\d", where)[0]]
        first = tested[0][0]
        if number not in said.get(first, ()):
            raise files.NotebookError(f"{first}: no cell `verdicts` there gives {number}.")
        text = _CELLS.sub("", " ".join(said[first][number].split()))
        text = _LINK.sub(lambda match: "" if match[1] else "notebooks/", text)
        claim, _, reason = text.partition(verdict)
        group.append(f"- **[{number}]({first}) {claim}{verdict.strip('*')}**{lead(reason)}")
        for path, cell in tested:
            picture = _picture(there := cells(path), cell)
            if picture and picture not in found.values():  # a picture is shown once
                found[f"{PICTURES}/{number}.png"] = picture
                caption = there[list(there)[list(there).index(cell) + 1]]["source"]
                caption = " ".join(caption.split()).partition("** ")[2].partition(". ")[0]
                alt = caption.rstrip(".").translate(str.maketrans("[]", "()"))
                group.append(f"\n  ![{alt}.]({PICTURES}/{number}.png)\n")
                break
    parts = [f"## {titles[key]}\n\n" + "\n".join(lines) for key, lines in groups.items()]
    body = re.sub(r"\n{3,}", "\n\n", "\n\n".join(parts)).rstrip() + "\n"
    named = sorted(which.items(), key=lambda each: _ORDER.index(each[0].split()[0]))
    rows = "".join(f"| {name} | {len(has)} | {', '.join(has)} |\n" for name, has in named)
    items = [re.findall(rf"^- {some}", body, re.MULTILINE) for some in (r"\*\*.*?\*\*", ".*")]
    fast, slow = (math.ceil(words(" ".join(each)) / WORDS_A_MINUTE) for each in items)
    top = _TOP.format(claims=sum(map(len, which.values())), fast=fast, slow=slow)
    found["SUMMARY.md"] = f"{top}{rows}\n{body}".encode()
    return found


def words(text: str) -> int:
    """How many words of a page are read: no link's target, no picture's description."""
    return sum(any(map(str.isalnum, word)) for word in _UNREAD.sub("", text).split())


def lead(reason: str) -> str:
    """The first sentence of a reason, and those after it while there is room."""
    taken, *others = _SENTENCE.split(reason)
    for sentence in others:
        if words(taken) and words(f"{taken} {sentence}") > LEAD:  # a full stop is no sentence
            break
        taken = f"{taken} {sentence}"
    return taken


def _picture(there: dict[str, dict], cell: str) -> bytes:
    """The picture that a cell has stored, or nothing."""
    stored = (each["data"].get("image/png") for each in there[cell]["outputs"] if "data" in each)
    return base64.b64decode(next(filter(None, stored), ""))


def main() -> int:
    """Write the page and its pictures, and take away those that are no longer shown."""
    try:
        fresh = summary()
    except files.NotebookError as problem:
        print(problem, file=sys.stderr)
        return 1
    for path in (course.ROOT / PICTURES).glob("C[0-9][0-9].png"):
        if f"{PICTURES}/{path.name}" not in fresh:
            path.unlink()
    for path, data in fresh.items():
        files.replace(course.ROOT / path, data)
    print(f"SUMMARY.md, and {len(fresh) - 1} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
