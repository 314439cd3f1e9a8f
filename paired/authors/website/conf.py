"""Sphinx's settings for the course's pages, and formulas without scripts."""

from paired.authors.website import links

from docutils import nodes
from docutils.utils.math import latex2mathml

project = "The same network, twice"
author = "The course's authors"
copyright = "the authors of the course. Code: BSD-3-Clause. Prose: CC BY 4.0"  # noqa: A001
extensions = ["myst_parser", "sphinx_copybutton", "sphinx.ext.githubpages"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
# Raw HTML is what a pair is wrapped in; a page may begin below a heading of its own.
suppress_warnings = ["myst.header"]
highlight_language = "none"
copybutton_selector = ".bd-article .highlight-ipython3 pre, .bd-article .highlight-sh pre"
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["pair.css"]
html_js_files = ["pair.js"]
html_favicon = "static/icon.svg"
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_sidebars = {name: [] for name in ("other", "search", *links.PAGES.values())}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": project, "image_light": "static/icon.svg", "image_dark": "static/icon.svg"},
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "primary_sidebar_end": [],
    "header_links_before_dropdown": 4,
    "show_toc_level": 2,
    "search_bar_text": "Search the lessons",
}


def name_sections(app, doctree: nodes.document) -> None:
    """Leave the plain ids of a lesson's page to its cells."""
    if app.env.docname.startswith("lessons/"):
        for section in doctree.findall(nodes.section):
            section["ids"] = [f"section-{own}" for own in section["ids"]]


def write_formula(translator, node: nodes.math) -> None:
    """Write a formula as MathML, which browsers draw by themselves."""
    block = isinstance(node, nodes.math_block)
    formula = latex2mathml.tex2mathml(node.astext(), as_block=block)
    translator.body.append(f'<div class="formula">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def setup(app) -> dict:
    """Register what is ours."""
    app.connect("doctree-read", name_sections, priority=100)  # before the table of contents
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
