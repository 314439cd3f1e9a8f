"""`make site`: both halves of each lesson on one page, which asks for nothing from outside."""

import functools
import http.server
import pathlib
import re
import threading

from paired import course
from paired.authors import files
from paired.authors.browser import offline_page
from paired.authors.website import __main__ as website
from paired.authors.website import lessons, links, other

import pytest
from nbformat import v4

# What a cell of each kind becomes


def notebook(*cells: tuple[str, str]) -> dict:
    """A notebook of these cells: Markdown where the id ends in `-text`."""
    kinds = {True: v4.new_markdown_cell, False: v4.new_code_cell}
    return v4.new_notebook(cells=[kinds[i.endswith("-text")](s, id=i) for i, s in cells])


def test_cells_of_one_id_stand_together_and_the_others_in_order():
    halves = [
        notebook(*((name, "") for name in names))
        for names in (["a", "mine", "b", "c"], ["a", "its", "b", "c", "own"])
    ]
    rows = [tuple(cell and cell.id for cell in cells) for cells in lessons.rows(halves)]
    assert rows == [
        ("a", "a"), ("mine", None), (None, "its"), ("b", "b"), ("c", "c"), (None, "own"),
    ]  # fmt: skip


def test_a_title_is_what_both_halves_have():
    for first, second, common in (
        ("Speed, in PyTorch", "Speed, in TensorFlow", "Speed"),
        ("Migration, to PyTorch", "Migration, to TensorFlow", "Migration"),
        ("Is my PyTorch what it says?", "Is my TensorFlow what it says?", "Is my what it says?"),
    ):
        pair = [notebook(("a-text", f"# {text}\n\nMore")) for text in (first, second)]
        assert lessons.title(pair) == common


def test_text_is_split_at_headings_and_paragraphs_only():
    text = "One\nline:\n\n- a list,\n\n- loose\n\n## Head\nTwo\n\n```\n# no head\n\nx\n```\nThree"
    assert lessons.sections(text) == [
        ("", ["One\nline:\n\n- a list,\n\n- loose"]),
        ("## Head", ["Two", "```\n# no head\n\nx\n```", "Three"]),
    ]


def test_what_both_say_stands_once_and_what_one_says_on_its_side():
    said = lessons.prose(["## Head\n\nSame.\n\nHers.", "## Head\n\nSame.\n\nHis."], "cell")
    assert said.startswith("\n## Head\n")
    assert said.count("Same.") == said.count('id="cell"') == 1
    assert re.search(r'half pytorch".*\s+Hers\.\s+</div>\s+<div class="half tens.*\s+His', said)
    said = lessons.prose(["### Hers\n\nOnly.", "### His\n\nOnly."], "cell")
    assert '### <span class="only pytorch">Hers</span> <span class="only tensorflow">His' in said
    said = lessons.prose([None, "### His\n\nOnly."], "cell")
    assert '### <span class="only tensorflow">His</span>\n' in said
    assert "one-sided" in said
    said = lessons.prose(["## One\n\n## Two", "Text"], "cell")
    assert "**One**" in said, "halves with other headings stay in one row"
    assert lessons.prose(["## Head", "## Head"], "cell").count('id="cell"') == 1


def test_outputs_keep_their_text_pictures_and_errors(tmp_path):
    outputs = [
        v4.new_output("stream", text="a ``` b\n"),
        v4.new_output("display_data", {"image/png": "aGVsbG8=", "text/plain": "<Figure>"}),
        v4.new_output("error", ename="E", evalue="e", traceback=["\x1b[31mE\x1b[0m: e"]),
    ]
    said = lessons.output(v4.new_code_cell("", id="cell", outputs=outputs), "Text", tmp_path / "a")
    assert "````text\na ``` b\nE: e\n````" in said
    [picture] = (tmp_path / "a").iterdir()
    assert f"![Text](a/{picture.name})" in said
    assert picture.read_bytes() == b"hello"


def test_a_link_leads_to_a_page_a_cell_or_a_copy_and_never_to_a_solution():
    name = next(course.lessons()).name

    def turned(text: str) -> str:
        source = pathlib.Path("/pages")
        return links.turn(text, course.ROOT / "notebooks", source / "lessons" / name, source)

    half = f"{name}_tensorflow.ipynb"
    assert turned(f"[it]({half})") == f'<a href="../lessons/{name}.html?half=tensorflow">it</a>'
    assert turned(f"[`a-b`]({half})") == f'<a href="../lessons/{name}.html#a-b">`a-b`</a>'
    assert turned("[all](../CLAIMS.md#x)") == "[all](/claims.md#x)"
    assert re.fullmatch(r"\[x\]\(<path:.*/exercises/.*>\)", turned(f"[x](../exercises/{half})"))
    assert turned(f"[x](../solutions/{half})") == "x"
    for kept in ("[x](https://a.b/c)", "d[x](y)", "[x](#there)"):
        assert turned(kept) == kept


def test_lines_that_the_other_half_has_not_are_marked():
    first, second = other.marked(["a\nb\nc", "a\nx\ny\nc"])
    assert ":emphasize-lines: 2\n" in first
    assert ":emphasize-lines: 2,3\n" in second
    assert "emphasize" not in "".join(other.marked(["a", "b"])), "all or nothing marks nothing"


# The pages, in a browser

WIDTHS = ((1920, "both"), (1024, "both"), (390, "both"), (1366, "pytorch"))
# What a page holds, and where the halves of its pairs begin.
LOOK = """() => {
  const all = (what, of) => [...document.querySelectorAll(what)].map(of);
  return {
    ids: all("[id]", each => each.id),
    cells: all(".pair[id], .shared[id]", each => each.id),
    alone: all(".one-sided[id]:has(> .tensorflow)", each => each.id),
    code: all(".highlight-ipython3 pre", each => each.textContent.trim()),
    links: all("[href], [src]", each => each.href || each.src),
    pictures: all("article img", each => each.alt),
    corners: all(".pair:not(.one-sided)", pair => [...pair.querySelectorAll(".half")].map(
      half => half.getBoundingClientRect()).map(box => [box.left, box.top])),
  }
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where the pages are, built once."""
    out = tmp_path_factory.mktemp("site")
    assert website.main(out) == 0
    assert not list(out.rglob("*solution*"))
    handler = functools.partial(Quiet, directory=out)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def seen(browser, address) -> dict[str, dict]:
    """What each page that can be reached holds, by its address; every other file, too."""
    found, waiting = {}, [f"{address}/index.html"]
    with offline_page(browser) as page:
        while waiting:
            if (url := waiting.pop()) in found:
                continue
            if not url.endswith(".html"):
                found[url] = {"status": page.request.get(url).status}
                continue
            page.set_viewport_size({"width": WIDTHS[0][0], "height": 900})
            found[url] = {"status": page.goto(url).status} | page.evaluate(LOOK)
            found[url]["fits"] = []
            for width, half in WIDTHS:
                page.evaluate("half => { document.documentElement.dataset.half = half; }", half)
                page.set_viewport_size({"width": width, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth")
                found[url]["fits"].append(wide <= width)
            plain = (re.sub("[?#].*", "", link) for link in found[url]["links"])
            waiting += [link for link in plain if link.startswith(address)]
        assert page.outside == []
    return found


@pytest.mark.browser
@pytest.mark.needs("site")
class TestPages:
    def test_every_cell_of_every_lesson_is_there_and_code_that_is_shared_once(self, seen, address):
        for lesson in course.lessons():
            there = seen[f"{address}/lessons/{lesson.name}.html"]
            ids, code = [], []
            for cells in lessons.rows([files.read(path) for path in lesson.paths()]):
                own = [cell for cell in cells if cell]
                ids.append(own[0].id)
                if own[0].cell_type == "code":
                    code += dict.fromkeys(cell.source.strip() for cell in own)
            assert there["cells"] == ids
            assert there["code"] == code

    def test_every_picture_has_its_text_and_every_link_an_end(self, seen, address):
        for url, page in seen.items():
            assert page["status"] == 200, url
            if "links" in page:
                assert all(page["pictures"]), url
                assert len(page["ids"]) == len(set(page["ids"])), url
                for link in page["links"]:
                    target, _, anchor = re.sub(r"[?][^#]*", "", link).partition("#")
                    if link.startswith(address) and anchor:
                        assert anchor in seen[target]["ids"], f"{url}: {link}"

    def test_nothing_is_wider_than_the_window(self, seen):
        assert [url for url, page in seen.items() if not all(page.get("fits", ()))] == []

    def test_both_halves_of_a_cell_begin_at_the_same_height(self, seen):
        corners = [pair for page in seen.values() for pair in page.get("corners", ())]
        assert corners
        assert all(here[1] == there[1] and here[0] + 400 < there[0] for here, there in corners)

    def test_the_switch_works_by_keyboard_and_is_remembered(self, page, address):
        name = next(course.lessons()).name
        page.goto(f"{address}/lessons/{name}.html")
        hers, his = page.locator(".half.pytorch").first, page.locator(".half.tensorflow").first
        assert hers.is_visible()
        assert his.is_visible()
        page.get_by_role("radio", name="Both").focus()
        page.keyboard.press("ArrowLeft")
        assert hers.is_visible()
        assert not his.is_visible()
        page.reload()
        assert not his.is_visible()
        assert page.get_by_role("radio", name="PyTorch").is_checked()
        page.goto(f"{address}/lessons/{name}.html?half=tensorflow")
        assert his.is_visible()
        assert not hers.is_visible()

    def test_a_link_to_a_cell_of_the_half_that_is_not_shown_shows_both(self, page, seen):
        url = next(url for url, there in seen.items() if there.get("alone"))
        cell = seen[url]["alone"][0]
        page.goto(f"{url}?half=pytorch#{cell}")
        assert page.locator(f"#{cell}").is_visible()
        assert page.evaluate("document.documentElement.dataset.half") == "both"

    def test_the_projector_shows_one_section_at_a_time(self, page, address):
        page.goto(f"{address}/lessons/{next(course.lessons()).name}.html?half=pytorch")
        page.get_by_role("button", name="Projector").click()
        shown = page.locator("article > section > section >> visible=true")
        assert shown.count() == 0, "first what comes before the first section"
        assert not page.locator("header.bd-header").is_visible()
        assert page.locator(".half.tensorflow >> visible=true").count()
        page.keyboard.press("ArrowRight")
        assert shown.count() == 1
        first = shown.locator("h2").inner_text()
        size = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
        assert size >= 18
        page.reload()
        page.get_by_role("button", name="Next section").click()
        page.get_by_role("button", name="Next section").click()
        assert shown.locator("h2").inner_text() != first
        page.keyboard.press("Escape")
        assert shown.count() > 1
        assert page.locator(".half.tensorflow >> visible=true").count() == 0, "as it was before"

    def test_everybody_can_read_it_in_light_and_in_dark(self, page, address):
        from axe_playwright_python.sync_playwright import Axe

        page.emulate_media(reduced_motion="reduce")  # or a colour is judged on its way
        for name in (f"lessons/{next(course.lessons()).name}", "claims"):
            page.goto(f"{address}/{name}.html")
            # A page's beginning: axe looks at each token of the code, and there are thousands.
            rest = "section section:nth-of-type(n+3), .pair ~ .pair ~ .pair, tr:nth-child(n+6)"
            page.locator(rest).evaluate_all("all => all.forEach(each => each.remove())")
            for theme in ("light", "dark"):
                page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
                found = Axe().run(page).response["violations"]
                # The corner of a table that compares is empty: a matter of taste, says axe.
                serious = [each for each in found if each["id"] != "empty-table-header"]
                assert not serious, f"{name}, {theme}: {serious}"

    def test_on_paper_both_halves_fit_and_nothing_is_dark(self, page, address):
        page.emulate_media(color_scheme="dark")
        page.goto(f"{address}/lessons/{next(course.lessons()).name}.html")
        page.evaluate("""addEventListener("beforeprint", () =>
            window.printed = document.documentElement.dataset.theme)""")
        sheets = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]",
                            page.pdf(prefer_css_page_size=True))  # fmt: skip
        assert sheets
        assert all(float(wide) > float(high) for wide, high in sheets)
        assert page.evaluate("[window.printed, document.documentElement.dataset.theme]") == [
            "light", "dark",
        ]  # fmt: skip

    def test_search_finds_what_a_cell_says(self, page, address):
        page.goto(f"{address}/search.html?q=GradientTape")
        page.locator("#search-results li a").first.wait_for()
        assert "lessons/" in page.locator("#search-results").inner_html()
