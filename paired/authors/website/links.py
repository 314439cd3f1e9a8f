"""Links of the repository's Markdown, turned into links between pages."""

import os
import pathlib
import re
import shutil

from paired import course

# Files that are pages as they are, and what the page is called.
PAGES = {
    "README.md": "index",
    "CLAIMS.md": "claims",
    "SUMMARY.md": "summary",
    "INSTRUCTORS.md": "teaching",
    "CONTRIBUTING.md": "contributing",
    "env/README.md": "installation",
}
_LINK = re.compile(r"(?P<image>!?)\[(?P<words>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")


def turn(text: str, base: pathlib.Path, page: pathlib.Path, source: pathlib.Path) -> str:
    """Markdown whose links to files of the repository lead to pages, cells or copies of the files.

    Args:
        text: the Markdown.
        base: the folder in which it stands in the repository.
        page: the page that it becomes part of.
        source: the folder of all pages.
    """
    up = "../" * (len(page.relative_to(source).parts) - 1)

    def link(match: re.Match) -> str:
        words, (path, _, anchor) = match["words"], match["target"].partition("#")
        file = (base / path).resolve()
        if ":" in path or not path or not file.exists():
            return match[0]
        inside = file.relative_to(course.ROOT)
        name, _, framework = file.stem.rpartition("_")
        if inside.parts[0] == "notebooks" and file.suffix == ".ipynb":
            cell = re.search(r"`([a-z0-9-]+)`", words)
            where = f"#{cell[1]}" if cell else f"?half={framework}"
            return f'<a href="{up}lessons/{name}.html{where}">{words}</a>'
        if str(inside) in PAGES:
            return f"[{words}](/{PAGES[str(inside)]}.md{anchor and '#' + anchor})"
        if inside.parts[0] == "solutions" or file.is_dir():
            return words
        if match["image"]:  # a copy, since Sphinx finds none whose path has a space
            copy = source / "pictures" / inside
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
            return f"![{words}]({up}pictures/{inside})"
        return f"[{words}](<path:{os.path.relpath(file, page.parent)}>)"

    return _LINK.sub(link, text)
