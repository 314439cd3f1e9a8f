"""Start a lesson: `make new-lesson NUMBER=03 SLUG=backprop TITLE="Backpropagation by hand"`."""

import pathlib
import re
import subprocess
import sys

from paired import course
from paired.authors import exercises, files
from paired.authors.files import NotebookError, relative


def new_lesson(
    number: str, slug: str, title: str, root: pathlib.Path = course.ROOT
) -> list[pathlib.Path]:
    """Write a lesson's pair, exercises, checks and mistakes from `paired/authors/template/`.

    Raises:
        NotebookError: the number is taken, or a name will not do.
    """
    for name, value, pattern, wanted in (
        ("NUMBER", number, r"\d\d", "two digits"),
        ("SLUG", slug, r"[a-z][a-z0-9_]*", "lower-case words joined by _"),
        ("TITLE", title, r"[^\s\"\\][^\n\"\\]*", "a line without quotes"),
    ):
        if not re.fullmatch(pattern, value):
            raise NotebookError(
                f"{name} is {value!r}; expected {wanted}, as in make new-lesson NUMBER=03 "
                'SLUG=backprop TITLE="Backpropagation by hand"'
            )
    taken = [path for path in root.glob(f"*/{number}_*.ipynb") if path.parent.name in course.KINDS]
    if taken:
        there = relative(min(taken), root)
        raise NotebookError(f"There is a lesson {number} already, {there}: take another NUMBER.")
    template, lesson = pathlib.Path(__file__).parent / "template", course.Lesson(number, slug)
    texts = {
        root / "paired" / "checks" / f"lesson_{number}.py": template / "checks.py",
        root / "tests" / "mistakes" / f"lesson_{number}.py": template / "mistakes.py",
    }
    for half in course.FRAMEWORKS:
        for kind in ("notebooks", "solutions"):
            texts[lesson.path(half, kind, root)] = template / f"{kind}_{half}.ipynb"
    for path, source in texts.items():
        text = source.read_text(encoding="utf-8").replace("00_template", lesson.name)
        text = re.sub("(?i)(lesson) 00", rf"\1 {number}", text).replace("Template lesson", title)
        text = text.replace("template lesson", title[0].lower() + title[1:])
        files.replace(path, text.encode())
    # The order of imports depends on the folder.
    modules = [str(path) for path in texts if path.suffix == ".py"]
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--fix", "--select", "I"]
    subprocess.run([*command, *modules], check=True)
    for half in course.FRAMEWORKS:
        texts[target := lesson.path(half, "exercises", root)] = None
        files.write(target, exercises.exercise(lesson.path(half, "solutions", root)))
    return list(texts)


def main(arguments: list[str]) -> int:
    """Write the files of a lesson; 1 if a name will not do."""
    try:
        for path in new_lesson(*arguments):
            print(f"{relative(path)}: written")
    except NotebookError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"Next: make outputs LESSON={arguments[0]}, then make lab LESSON={arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
