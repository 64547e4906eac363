"""A schedule's slides open without a network, move on with a key, and show all that they hold."""

import pytest
from project import paths

import slides
from slides import Missing, heading, make_deck, make_sheet, make_slide, prediction, sentence

SHORT = ["00-lesson", "02-filter", "02-shapes", "04-rules"]  # pictures, texts and questions
# What of the slide on the screen is cut off, or lies over something else.
OUTSIDE = """() => {
    const slide = Reveal.getCurrentSlide(), [page, found] = [slide.getBoundingClientRect(), []];
    let lowest = page.top;
    for (const part of slide.children) {
        const box = part.getBoundingClientRect();
        if (box.left < page.left - 1 || box.right > page.right + 1 || box.top < lowest - 1 ||
            box.bottom > page.bottom + 1 || part.scrollHeight > part.clientHeight + 1)
            found.push(part.className || part.tagName);
        lowest = box.bottom;
    }
    for (const picture of slide.querySelectorAll('img, pre')) {
        const box = picture.getBoundingClientRect();
        if (box.height < 60 || (picture.tagName === 'IMG' && !picture.naturalWidth))
            found.push('a picture too small');
        if (!picture.checkVisibility({opacityProperty: true, visibilityProperty: true}))
            found.push('a picture unseen');
    }
    return found;
}"""


@pytest.fixture(scope="module")
def wanted():
    return slides.schedules()[0]


def walk(page, look=None):
    """Go through the slides with the arrow key; return the titles, and the faults by title."""
    titles, faults = [], {}
    for _ in range(500):
        page.keyboard.press("ArrowRight")
        fragments = "Reveal.getCurrentSlide().querySelectorAll('.fragment:not(.visible)').length"
        if page.evaluate(fragments):
            continue
        title = page.evaluate("Reveal.getCurrentSlide().firstElementChild.innerText")
        found = page.evaluate(OUTSIDE)
        if look:
            look(len(titles))
        titles.append(title)
        if found:
            faults[title] = found
        if page.evaluate("Reveal.isLastSlide()"):
            return titles, faults
    raise AssertionError("the arrow key does not reach the last slide")


def test_a_deck_opens_alone_and_shows_everything(browser, wanted, tmp_path):
    rows = [{"minutes": 10, "notebook": name[:2], "slides": [name]} for name in SHORT]
    rows += [{"minutes": 5, "notebook": "05", "slides": [], "exercises": [2]}]
    rows += [{"minutes": 5, "title": "Break"}]
    plan = {"title": "Short", "about": "For this test.", "rows": rows}
    file = tmp_path / "deck with a space.html"
    file.write_text(make_deck(plan, wanted), encoding="utf-8")
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    page.set_default_timeout(300_000)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    titles, faults = walk(page)
    assert titles[0] and len(titles) == len(SHORT) + 2 and titles[-2:] == ["Exercise 2", "Break"]
    assert not faults
    assert not errors
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    context.close()


def test_the_sheet_fits_on_one_page(browser, tmp_path):
    file = tmp_path / "sheet.html"
    file.write_text(make_sheet(), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.count(b"/Type /Page\n") == 1
    assert "\\_" not in page.inner_text("body")


def test_every_slide_of_the_path_finds_its_cells(wanted):
    """The notebooks after 07 may change their cells: `make slides` then leaves a slide out."""
    for name, parts in wanted.items():
        if name < "08":
            slide = make_slide(name, parts)
            assert slide.title and (slide.picture or slide.answer), name
    assert {name[:2] for name in wanted} <= {path.name[:2] for path in paths()}


def test_a_sentence_that_is_gone_is_left_out_and_told(wanted, capsys):
    parts = wanted["00-lesson"] | {"say": ["00-32", "Nobody wrote this"]}
    assert make_slide("00-lesson", parts).say == ""
    assert "no sentence begins with 'Nobody wrote this'" in capsys.readouterr().err


def test_a_row_whose_cells_are_gone_keeps_its_place(capsys):
    row = {"minutes": 5, "notebook": "05", "slides": ["05-x"]}
    (slide,) = slides.slides_of(row, {"05-x": {"picture": "nothing"}})
    assert slide.title == slides.title_of("05")
    assert "no cell nothing" in capsys.readouterr().err


def test_sentences_and_predictions_are_taken_whole():
    text = (
        "First. It is 98.1 %: `a.b` is *not* (yet) it. Then?\n\n**Predict**, on paper: why?\nHow?"
    )
    assert sentence(text, "It is") == ("It is 98.1 %: `a.b` is *not* (yet) it.", 7)
    assert prediction(text)[0] == "On paper: why?\nHow?"
    assert prediction("**Predict** the share.")[0] == "Predict the share."
    with pytest.raises(Missing):
        sentence(text, "Last")
    with pytest.raises(Missing):
        prediction("nothing asked")


def test_a_title_is_the_section_in_which_the_last_part_stands():
    cells = slides.read("02").cells
    numbers = {cell.id: number for number, cell in enumerate(cells)}
    place = slides.reading(cells[numbers["02-95"]].source).find("## How do")
    assert heading(cells, [(numbers["02-95"], place)]) == "The whole network"
    assert heading(cells, [(numbers["02-97"], 0)]) == "How do sixteen maps become one number?"
