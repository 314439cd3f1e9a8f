"""The lessons' pictures: each is made by `make pictures`, small, and its failures are sentences."""

import io
import re

from paired import course
from paired.authors import pictures

import pytest
from conftest import write_notebook
from PIL import Image, ImageColor

SHOWN = re.compile(r"!\[[^\]]+\]\(([\w/]+)\.png\)")


def test_every_picture_that_a_lesson_shows_is_made_by_the_command():
    readme = (course.ROOT / "README.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\]\(notebooks/([\w/]+)\.png\)", readme)) | {
        name
        for notebook in course.notebooks("notebooks")
        for _, kind, source in course.cells(notebook)
        if kind == "markdown"
        for name in SHOWN.findall(source)
    }
    assert shown == set(pictures.PICTURES)
    for name in shown:
        assert (pictures.FOLDER / f"{name}.png").stat().st_size < 120_000


def test_lesson_without_pictures_lists_those_that_there_are(capsys):
    assert pictures.main(["--lesson", "77"]) == 1
    assert "these are made here: 04_network/pair, 05_debugging/" in capsys.readouterr().err


def test_without_a_browser_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pictures.main(["--lesson", "05"]) == 1
    assert "There is no Chromium or Chrome on the PATH." in capsys.readouterr().err


def test_cell_that_fails_is_named(tmp_path):
    path = tmp_path / "notebooks" / "05_debugging_pytorch.ipynb"
    write_notebook(path, "1 / 0")
    [_, (own, _, _)] = course.cells(path)
    with pytest.raises(pictures.PictureError, match=rf"cell '{own}': ZeroDivisionError, division"):
        pictures.run_until(path, own)
    with pytest.raises(pictures.PictureError, match="has no code cell 'outside'"):
        pictures.run_until(path, "outside")


def test_screenshots_side_by_side_keep_their_pixels():
    def png(width, height, colour):
        content = io.BytesIO()
        Image.new("RGB", (width, height), colour).save(content, "PNG")
        return content.getvalue()

    columns = [[png(30, 10, "red"), png(20, 10, "green")], [png(5, 40, "blue")]]
    whole = Image.open(io.BytesIO(pictures.beside(columns, gap=4)))
    assert whole.size == (4 + 30 + 4 + 5 + 4, 4 + 40 + 4)
    at = {"red": (4, 4), "green": (4, 18), "blue": (38, 4), "white": (0, 0)}
    for colour, position in at.items():
        assert whole.getpixel(position) == ImageColor.getrgb(colour)
