"""The site is built without a warning, leads nowhere dead, and asks nobody for anything."""

from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import drag
from paper import one_page, with_own_names
from playwright.sync_api import expect
from project import (
    DATA,
    DOCS,
    URL,
    code_cells,
    definitions,
    globals_of,
    imports,
    parse_cell,
    paths,
    read,
    tags,
)
from website import build, for_readers, pages, put_together, with_links

from mnist_helpers import CNN, load_mnist
from mnist_helpers.explorer import export_page

LAPTOP, PHONE = {"width": 1360, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, with an untrained network on its front page."""
    source, site = tmp_path_factory.mktemp("pages"), tmp_path_factory.mktemp("site")
    put_together(source)
    (source / "extra").mkdir()
    images, labels = (part[:8] for part in load_mnist(DATA, "test"))
    export_page(CNN(), source / "extra" / "explorer.html", images=images, labels=labels)
    build(source, site)
    return site


class Page(HTMLParser):
    """What a page refers to, and the anchors that it has."""

    def __init__(self, file):
        super().__init__()
        self.targets, self.anchors, self.text = [], set(), []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        self.targets += [attributes[name] for name in ("href", "src") if attributes.get(name)]

    def handle_data(self, data):
        self.text.append(data)


def test_every_page_is_there(site):
    for place in pages():
        assert (site / place).with_suffix(".html").is_file()
    assert (site / "index.html").is_file() and (site / "explorer.html").is_file()
    assert (site / "search.html").is_file()


def test_no_link_inside_is_dead(site):
    files = [file for file in site.rglob("*.html") if "_static" not in file.parts]
    read = {file: Page(file) for file in files}
    dead = []
    for file, page in read.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            goal = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchor = unquote(parts.fragment)
            if not goal.exists() or (anchor and goal in read and anchor not in read[goal].anchors):
                dead.append(f"{file.relative_to(site)}: {target}")
    assert not dead


def test_what_serves_the_tests_alone_is_left_out(site):
    text = "".join(Page(site / "notebooks" / "00_start_here.html").text)
    assert "after one epoch, 97.5 % or more should be right" not in text
    assert "digits read correctly" in text


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_what_is_shown_uses_nothing_that_is_left_out(path):
    """A folded cell that defines something stays: its readers would look for it."""
    page = code_cells(for_readers(read(path), path, {}))
    shown = [parse_cell(cell.source) for cell in page if "remove-cell" not in tags(cell)]
    left_out = [parse_cell(cell.source) for cell in page if "remove-cell" in tags(cell)]
    there = {name for tree in shown for name, _ in [*definitions(tree), *imports(tree)]}
    defined = [pair for tree in left_out for pair in definitions(tree)]
    missing = {name for name, node in defined if hasattr(node, "body")} - there
    assert not missing & set().union(*map(globals_of, shown))


def test_tables_in_outputs_are_tables(site):
    for file in site.glob("notebooks/*.html"):
        assert "<p>|" not in file.read_text(encoding="utf-8"), file.name


def test_formulas_come_from_the_site(site):
    page = Page(site / "notebooks" / "04_loss_and_optimizer.html")
    scripts = [target for target in page.targets if "MathJax" in target]
    assert scripts and not urlsplit(scripts[0]).netloc


def test_the_path_for_paper_is_one_page_whose_links_stay_on_it(site, tmp_path):
    """What `make site ARGS=--pdf` prints; the printing itself is left to Chromium."""
    file = tmp_path / "path.html"
    file.write_text(one_page(site), encoding="utf-8")
    page = Page(file)
    assert file.read_text(encoding="utf-8").count("<article") == 7
    assert {path.stem for path in paths()[:7]} <= page.anchors
    articles = [target for target in page.targets if not target.startswith(("../_", "data:"))]
    inside = {target.removeprefix("#") for target in articles if target.startswith("#")}
    assert inside and inside <= page.anchors
    assert not [target for target in articles if not target.startswith(("#", "https:", "mailto:"))]


def test_an_anchor_for_paper_carries_the_name_of_its_notebook():
    names = ["00_start", "01_tools"]
    article = '<article role="main"><h2 id="a">A</h2><a href="#a"></a><a href="01_tools.html#b">'
    article += '</a><a href="01_tools.html"></a><a href="../docs/x.html#c"></a><details><b>x</b>'
    article += '<details class="a hide b">'
    assert with_own_names(article, "00_start", names) == (
        '<article id="00_start" role="main"><h2 id="00_start.a">A</h2><a href="#00_start.a"></a>'
        f'<a href="#01_tools.b"></a><a href="#01_tools"></a><a href="{URL}"></a>'
        '<details open><b>x</b><details class="a hide b">'
    )


def test_links_to_files_of_the_repository_lead_to_it():
    source, known = DOCS / "workshop.md", set(pages().values())
    text = "[a](../tests/browser.py) [b](glossary.md#batch) [c](../README.md#start) [d](../tools)"
    assert with_links(text, source, known) == (
        f"[a]({URL}/blob/main/tests/browser.py) [b](glossary.md#batch) "
        f"[c](../index.md#start) [d]({URL}/tree/main/tools)"
    )
    text = "[here](#Is-this-machine-ready%3F) [there](https://example.org/a#B)"
    expected = "[here](#is-this-machine-ready) [there](https://example.org/a#B)"
    assert with_links(text, paths()[0], known) == expected


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        ("index.html", LAPTOP, "light"),
        ("index.html", PHONE, "dark"),
        ("notebooks/02_architecture.html", LAPTOP, "dark"),
        ("notebooks/02_architecture.html", PHONE, "light"),
    ],
    ids=["front-laptop", "front-phone", "02-laptop", "02-phone"],
)
def test_pages_in_a_browser(browser, site, name, size, scheme):
    context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.set_default_timeout(300_000)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / name).as_uri())
    expect(page.locator("article h1").first).to_be_visible()
    faults = Axe().run(page).response["violations"]
    assert [fault["id"] for fault in faults if fault["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    if name == "index.html":
        draw_on_the_explorer(page)
    assert errors == []
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data", "blob"}
    context.close()


def test_no_column_of_a_table_is_out_of_sight(browser, site):
    page = browser.new_page(viewport=LAPTOP)
    for place in sorted(site.glob("docs/*.html")):
        page.goto(place.as_uri())
        widths = "t => t.parentElement.scrollWidth - t.parentElement.clientWidth"
        beyond = page.evaluate(f"[...document.querySelectorAll('table')].map({widths})")
        assert max(beyond, default=0) <= 1, place.name
    page.close()


def test_the_whole_explorer_is_in_its_frame(browser, site):
    """Else its lower half would have to be scrolled to, in a page that scrolls as well."""
    for size in (LAPTOP, PHONE):
        page = browser.new_page(viewport=size)
        page.goto((site / "index.html").as_uri())
        expect(page.frame_locator("iframe.explorer").locator("canvas").first).to_be_visible()
        inside = page.frames[1].evaluate("document.documentElement.scrollHeight - innerHeight")
        assert inside <= 0
        page.close()


def draw_on_the_explorer(page):
    frame = page.frame_locator("iframe.explorer")
    pad = frame.locator("canvas").first
    expect(pad).to_be_visible()
    pad.scroll_into_view_if_needed()
    before = frame.locator("body").inner_text()
    frame.get_by_role("button", name="Clear").click()
    box = pad.bounding_box()
    middle = box["x"] + box["width"] / 2
    drag(page, [(middle, box["y"] + box["height"] * part) for part in (0.2, 0.5, 0.8)])
    expect(frame.locator("body")).not_to_have_text(before)
    expect(frame.locator("body")).to_contain_text("It reads")
