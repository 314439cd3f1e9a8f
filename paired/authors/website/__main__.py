"""Build the course's pages from the stored outputs, into `site/`: `make site`.

Nothing is run and nothing is fetched.
"""

import pathlib
import shutil
import sys
import tempfile
import time

from paired import course, needs
from paired.authors.files import NotebookError
from paired.authors.website import lessons, links, other

OUT = course.ROOT / "site"
_LESSONS = "# Lessons\n\nEach page shows both halves, or the one that you choose.\n"


def tree(pages: list[str], option: str) -> str:
    """Sphinx's list of what comes after a page."""
    return "\n".join(["\n```{toctree}", f":{option}", "", *pages, "```\n"])


def write(source: pathlib.Path) -> None:
    """Write the Markdown of every page.

    Raises:
        NotebookError: a half of a lesson is missing or is no notebook.
    """
    there = {path: name for path, name in links.PAGES.items() if (course.ROOT / path).exists()}
    pages = {f"lessons/{each.name}": lessons.page(each, source) for each in course.lessons()}
    names = [name.removeprefix("lessons/") for name in pages]
    pages["lessons/index"] = _LESSONS + tree(names, "maxdepth: 1")
    pages["other"] = other.page()
    for path, name in there.items():
        file = course.ROOT / path
        text = file.read_text(encoding="utf-8")
        pages[name] = links.turn(text, file.parent, source / name, source)
    listed = [f"{name.title()} <{name}>" for name in there.values() if name != "index"]
    pages["index"] += tree(["lessons/index", "other", *listed], "hidden:")
    for name, text in pages.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / f"{name}.md").write_text(text, encoding="utf-8")


def main(out: pathlib.Path = OUT) -> int:
    """Build the site; 1 where that fails, and Sphinx or a sentence says why."""
    began, settings = time.monotonic(), pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        try:
            needs.check("site")
            write(pathlib.Path(folder, "pages"))
        except (needs.MissingError, NotebookError) as problem:
            print(problem, file=sys.stderr)
            return 1
        from sphinx.cmd.build import main as sphinx

        shutil.rmtree(out, ignore_errors=True)
        options = ["-q", "-W", "--keep-going", "-c", str(settings), "-d", f"{folder}/read"]
        status = sphinx([*options, f"{folder}/pages", str(out)])
    if status == 0:
        print(f"{out / 'index.html'} is ready, after {time.monotonic() - began:.0f} s.")
    return status


if __name__ == "__main__":
    sys.exit(main())
