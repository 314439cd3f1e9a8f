"""Promise 7: the pair moves as one, cell by cell, in a real JupyterLab."""

from paired import course
from paired.authors import files
from paired.authors.browser import labs

import pytest
from nbformat import v4

pytestmark = pytest.mark.browser

LESSON = "04_network"
# How high the cells are, in lines; the halves differ, and each has a cell that the other has not.
LINES = {
    "pytorch": {"title": 3, "one": 30, "only-here": 40, "two": 20, "three": 50, "end": 60},
    "tensorflow": {"title": 3, "one": 45, "two": 35, "mine": 25, "three": 20, "end": 60},
}
# Of each visible half: the topmost cell, and the share of it that is scrolled off.
TOP = """() => Object.fromEntries([...document.querySelectorAll(".jp-NotebookPanel")]
  .filter(panel => panel.offsetParent).map(panel => {
    const scroller = panel.querySelector(".jp-WindowedPanel-outer");
    const top = scroller.getBoundingClientRect().top;
    const cell = [...panel.querySelectorAll(".jp-Cell")]
      .find(each => each.getBoundingClientRect().bottom > top + 1);
    const box = cell.getBoundingClientRect();
    const half = panel.querySelector("h1").textContent.replace("¶", "");
    const name = cell.querySelector("h1, h2").textContent.replace("¶", "");
    return [half, [name, (top - box.top) / box.height]];
  }))"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a course of one lesson and its exercise, with cells of different heights."""
    root = tmp_path_factory.mktemp("course")
    for kind in ("notebooks", "exercises"):
        for half, lines in LINES.items():
            cells = []
            for name, height in lines.items():
                level = "#" if name == "title" else "##"
                text = [f"{level} {half if name == 'title' else name}", *["a line\n"] * height]
                cells.append(v4.new_markdown_cell("\n".join(text), id=name))
            path = root / kind / f"{LESSON}_{half}.ipynb"
            files.write(path, v4.new_notebook(cells=cells, metadata=files.METADATA))
    with labs() as start:
        yield start(root, "--lesson", "04")


@pytest.fixture
def pair(lab, page):
    page.goto(lab.url)
    for half in course.FRAMEWORKS:
        page.get_by_role("heading", name=half).wait_for(timeout=60_000)
    page.locator(".jp-Cell h2").nth(9).wait_for()
    return page


def tops(page) -> dict:
    page.wait_for_timeout(400)
    return page.evaluate(TOP)


def scroll(page, half: str, amount: int) -> dict:
    page.mouse.move(400 if half == "pytorch" else 1200, 500)
    page.mouse.wheel(0, amount)
    return tops(page)


def test_the_other_half_follows_cell_by_cell_in_both_directions(pair):
    followed = 0
    for half, other in (course.FRAMEWORKS, course.FRAMEWORKS[::-1]):
        for amount in (700, 700, 700, -900, 500):
            now = scroll(pair, half, amount)
            cell, share = now[half]
            if cell in LINES[other]:
                assert now[other] == [cell, pytest.approx(share, abs=0.03)]
                followed += 1
    assert followed >= 3
    # A cell that one half has alone goes with the end of the one before it.
    pair.evaluate("document.querySelector('.jp-Cell h2').scrollIntoView()")
    while (now := scroll(pair, "pytorch", 200))["pytorch"][0] != "only-here":
        assert now["pytorch"][0] in ("title", "one")
    assert now["tensorflow"][0] == "two"
    assert now["tensorflow"][1] == pytest.approx(0, abs=0.03)


def test_the_button_switches_it_off_and_on_and_the_choice_is_kept(pair):
    button = pair.locator('[data-jp-item-name="paired-link"] >> visible=true').first
    button.click()
    before = tops(pair)["tensorflow"]
    assert scroll(pair, "pytorch", 900)["pytorch"] != before
    assert tops(pair)["tensorflow"] == before
    pair.reload()
    pair.get_by_role("heading", name="tensorflow").wait_for(timeout=60_000)
    pair.wait_for_timeout(1000)
    before = tops(pair)["tensorflow"]
    scroll(pair, "pytorch", 900)
    assert tops(pair)["tensorflow"] == before, "the choice is kept"
    pair.locator('[data-jp-item-name="paired-link"] >> visible=true').first.click()
    now = scroll(pair, "pytorch", 300)
    assert now["pytorch"][0] == now["tensorflow"][0]


def test_keyboard_outline_and_a_resized_window(pair):
    pair.get_by_role("heading", name="one").first.click()
    for _ in range(3):
        pair.keyboard.press("ArrowDown")
    now = tops(pair)
    assert pair.locator(".paired-twin h2").all_inner_texts() == ["three"]
    pair.set_viewport_size({"width": 1366, "height": 700})
    resized = tops(pair)
    assert resized["pytorch"][0] == now["pytorch"][0]
    if resized["pytorch"][0] in LINES["tensorflow"]:
        assert resized["tensorflow"] == [
            resized["pytorch"][0], pytest.approx(resized["pytorch"][1], abs=0.03)
        ]  # fmt: skip


def test_an_exercise_opens_on_the_side_of_its_lesson_and_moves_with_its_twin(pair):
    for half in course.FRAMEWORKS:
        panel = pair.locator(".jp-NotebookPanel").filter(has_text=half)
        panel.locator('[data-jp-item-name="paired-exercise"] >> visible=true').click()
        pair.wait_for_timeout(1500)
    tabs = pair.locator("#jp-main-dock-panel .lm-TabBar-tab[data-paired]")
    assert tabs.evaluate_all("all => all.map(tab => tab.dataset.paired)") == [
        "04 PyTorch", "Ex 04 PyTorch", "04 TensorFlow", "Ex 04 TensorFlow",
    ]  # fmt: skip
    now = scroll(pair, "tensorflow", 800)
    cell, share = now["tensorflow"]
    assert now["pytorch"] == [cell, pytest.approx(share, abs=0.03)]
    assert pair.locator(".jp-mod-dirty").count() == 0, "what was only opened is not changed"
