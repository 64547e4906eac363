"""The explorer in a real browser: as a file, as a phone shows it, and in notebooks."""

import base64
import copy
import io
import itertools
import math
import statistics
from contextlib import contextmanager

import nbformat
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browser import LAB, NOTEBOOK_7, drag, new_page, problems, run_all_cells, serve
from photographs import CONDITIONS, photograph
from PIL import Image
from playwright.sync_api import expect
from quick import DATA, train
from strokes import place

from mnist_helpers import CNN, activations, load_mnist, predict, to_mnist
from mnist_helpers.explorer import export_page

LAPTOP, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}
LAYERS = ("conv1", "relu1", "pool1", "conv2")
# Notebook 7.6 says this for an empty notebook without any widget, too: its settings are at fault.
OF_NOTEBOOK_ITSELF = "Cannot read properties of undefined (reading 'schema')"


@pytest.fixture(scope="module")
def model():
    return train()


@pytest.fixture(scope="module")
def image():
    """The test digit that the page shows first."""
    return load_mnist(DATA, "test")[0][0]


@pytest.fixture(scope="module")
def layers(model, image):
    with torch.inference_mode():
        return {name: maps[0] for name, maps in activations(model, image[None]).items()}


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "my_network.html"
    torch.manual_seed(0)
    export_page(model, path, before=CNN())
    return path


@contextmanager
def opened(browser, file, **options):
    """Open the file in a context of its own; at the end, it has asked for nothing else."""
    context = browser.new_context(**{"viewport": LAPTOP, "offline": True, **options})
    page = context.new_page()
    page.set_default_timeout(60_000)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    expect(page.locator(".mnist-explorer")).to_have_attribute("data-version", "1")
    yield page
    context.close()
    assert {url for url in asked if not url.startswith("data:")} == {file.as_uri()}
    assert errors == []


@pytest.fixture(scope="module")
def shared(browser, file):
    with opened(browser, file) as page:
        yield page


@pytest.fixture
def page(shared):
    """The page of the file as it is when it has just been opened."""
    shared.reload()
    expect(shared.locator(".mnist-explorer")).to_have_attribute("data-version", "1")
    return shared


def on_pad(page, stroke):
    """Return where the points of a stroke lie on the page."""
    box = page.locator(".xp-screen").bounding_box()
    return [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in stroke]


def touch(page, points):
    """Put a finger down at the first point, move it through the others, and lift it."""
    screen = page.context.new_cdp_session(page)

    def send(kind, *points):
        points = [{"x": x, "y": y} for x, y in points]
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", points[0])
    for start, end in itertools.pairwise(points):
        for part in (0.25, 0.5, 0.75, 1):
            send("touchMove", [a + part * (b - a) for a, b in zip(start, end, strict=True)])
    send("touchEnd")


def show(page, tab):
    page.get_by_role("radio", name=tab).click()


def open_map(page, layer, number):
    page.get_by_role("button", name=f"{layer}, map {number}", exact=True).click()
    expect(page.locator(".mnist-explorer")).to_have_attribute("data-view", layer)


def values(locator):
    """Return the numbers behind what is shown, unrounded."""
    return [float(value) for value in locator.evaluate_all("all => all.map(x => x.dataset.value)")]


def number(page, name):
    return values(page.locator(f"[data-number='{name}'] .xp-number"))[0]


def numbers(page, name):
    return torch.tensor(values(page.locator(f"[data-numbers='{name}'] .xp-numbers span")))


def position(page):
    words = page.locator(".xp-place").inner_text().replace(",", "").split()
    return int(words[1]), int(words[3])


def shares(page):
    return values(page.locator(".xp-share"))


def near(found, expected):
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("digit", [1, 7, 4])
def test_draw_with_the_mouse(page, digit):
    for stroke in place(digit):
        drag(page, on_pad(page, stroke))
    expect(page.locator(".xp-reading strong")).to_have_text(str(digit))
    expect(page.locator(".xp-digit-name")).to_have_text("your drawing")
    page.get_by_text("How a drawing is prepared").click()
    expect(page.locator(".xp-stages li").first).to_contain_text("140 × 140")
    expect(page.locator("[role='status']")).to_contain_text(f"It reads {digit} with")


@pytest.mark.parametrize("digit", [1, 7, 4])
def test_draw_with_a_finger(browser, file, digit):
    with opened(browser, file, viewport=PHONE, has_touch=True, is_mobile=True) as page:
        kinds = page.evaluate_handle("[]")
        page.locator(".xp-screen").evaluate(
            "(pad, kinds) => pad.addEventListener('pointerup', e => kinds.push(e.pointerType))",
            kinds,
        )
        for stroke in place(digit):
            touch(page, on_pad(page, stroke))
        expect(page.locator(".xp-reading strong")).to_have_text(str(digit))
        assert kinds.json_value() == ["touch"] * len(place(digit))


def test_what_cannot_be_read(page):
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".xp-reading")).to_contain_text("Draw a digit on the black square")
    expect(page.locator(".xp-share").first).to_have_text("")
    page.get_by_role("radio", name="Thick pen").click()
    for height in range(1, 20):
        drag(page, on_pad(page, [(0.1, height / 20), (0.9, height / 20)]))
    expect(page.locator(".xp-reading")).to_contain_text("More ink than paper")


def photograph_of(digit, model):
    """Return a photograph of ruled paper that the network reads, as a file that can be chosen."""
    images, labels = load_mnist(DATA, "test")
    for image in images[labels == digit]:
        shape = (image[0].numpy() + 1) / 2
        photo = photograph(shape, np.random.default_rng(digit), **CONDITIONS["ruled"]).read()
        if predict(model, to_mnist(io.BytesIO(photo))[None]).argmax() == digit:
            break
    return {"name": "page.jpg", "mimeType": "image/jpeg", "buffer": photo}


def sideways(file):
    """Return a photograph with the camera held sideways: turned, and its EXIF says so."""
    with Image.open(io.BytesIO(file["buffer"])) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        turned, buffer = picture.transpose(Image.Transpose.ROTATE_90), io.BytesIO()
        turned.resize((2400, 1800)).save(buffer, "jpeg", exif=exif)
    return file | {"buffer": buffer.getvalue()}


def test_choose_a_photograph(page, model):
    chooser, reading = page.locator("input[type='file']"), page.locator(".xp-reading strong")
    three, seven = photograph_of(3, model), photograph_of(7, model)
    chooser.set_input_files(three)
    expect(reading).to_have_text("3")
    expect(page.locator(".xp-digit-name")).to_have_text("your picture")
    page.get_by_text("How a drawing is prepared").click()
    steps = page.locator(".xp-stages li")
    expect(steps).to_have_count(8)
    expect(steps.first).to_contain_text("300 × 225 photographed")
    page.get_by_role("button", name="Next digit").click()
    expect(reading).not_to_have_text("3")
    chooser.set_input_files(three)  # the same file again
    expect(reading).to_have_text("3")
    chooser.set_input_files(sideways(seven))
    expect(reading).to_have_text("7")
    expect(steps.first).to_contain_text("334 × 250 photographed")  # of 1000 by 750


def test_choose_what_cannot_be_read(page):
    chooser, reading = page.locator("input[type='file']"), page.locator(".xp-reading")
    words = {"name": "list.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    chooser.set_input_files(words)
    expect(reading).to_contain_text("The file list.txt is not a picture that the browser can read")
    blank = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(blank, "png")
    paper = {"name": "paper.png", "mimeType": "image/png", "buffer": blank.getvalue()}
    chooser.set_input_files(paper)
    expect(reading).to_contain_text("Nothing drawn: no pixel differs from the paper")
    for stroke in place(1):
        drag(page, on_pad(page, stroke))
    expect(page.locator(".xp-reading strong")).to_have_text("1")


def test_drop_a_photograph(page, model):
    file = photograph_of(4, model)
    page.locator(".xp-left").evaluate(
        """(place, text) => {
            const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "page.jpg", { type: "image/jpeg" }));
            for (const kind of ["dragenter", "dragover", "drop"])
                place.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true }));
        }""",
        base64.b64encode(file["buffer"]).decode(),
    )
    expect(page.locator(".xp-reading strong")).to_have_text("4")
    expect(page.locator(".xp-dropping")).to_have_count(0)


def test_ready_made_digits(page, model):
    images, labels = load_mnist(DATA, "test")
    for name, index in [("Next digit", 1), ("Previous digit", 0), ("Previous digit", 47)]:
        page.get_by_role("button", name=name).click()
        expected = f"test digit {index + 1} of 48: a {labels[index]}"
        expect(page.locator(".xp-digit-name")).to_have_text(expected)
        page.wait_for_function("document.querySelector('.xp-digit-name').textContent.length > 9")
        near(shares(page), predict(model, images[index : index + 1]).softmax(dim=1)[0].tolist())
    page.get_by_role("button", name="Random").click()
    expect(page.locator(".xp-digit-name")).not_to_have_text(f"test digit 48 of 48: a {labels[47]}")


def test_one_number_of_conv1(page, model, image, layers):
    open_map(page, "conv1", 5)
    page.locator(".xp-field").last.click(position={"x": 64, "y": 90})  # of 244 pixels
    row, column = position(page)
    assert (row, column) == (90 * 28 // 244, 64 * 28 // 244)
    padded = torch.nn.functional.pad(image[0], (1, 1, 1, 1))
    patch = padded[row : row + 3, column : column + 3].flatten()
    kernel = model.conv1.weight[5].flatten().detach()
    assert torch.allclose(numbers(page, "patch"), patch, atol=1e-5)
    assert torch.allclose(numbers(page, "kernel"), kernel, atol=1e-5)
    assert torch.allclose(numbers(page, "products"), patch * kernel, atol=1e-5)
    near(number(page, "sum"), (patch @ kernel).item())
    near(number(page, "bias"), model.conv1.bias[5].item())
    near(number(page, "result"), layers["conv1"][5, row, column].item())
    page.keyboard.press("Home")
    assert position(page) == (0, 0)
    near(number(page, "result"), layers["conv1"][5, 0, 0].item())


def test_one_number_of_conv2(page, model, layers):
    open_map(page, "conv2", 9)
    row, column = position(page)
    assert layers["conv2"][9].abs().max().item() == layers["conv2"][9, row, column].abs().item()
    padded = torch.nn.functional.pad(layers["pool1"], (1, 1, 1, 1))
    patches = padded[:, row : row + 3, column : column + 3]
    products = patches * model.conv2.weight[9].detach()
    partial = [text.replace("−", "-") for text in page.locator(".xp-partial").all_inner_texts()]
    expected = products.sum(dim=(1, 2))
    assert [float(text) for text in partial] == pytest.approx(expected.tolist(), abs=6e-4)
    page.locator(".xp-part").nth(3).click()
    assert torch.allclose(numbers(page, "products"), products[3].flatten(), atol=1e-4)
    near(number(page, "sum"), expected[3].item())
    label = page.locator(".xp-fall").get_attribute("aria-label").replace("−", "-")
    result = layers["conv2"][9, row, column].item()
    assert float(label.split("result is ")[1].rstrip(".")) == pytest.approx(result, abs=6e-4)


def test_one_number_of_relu_and_pool(page, layers):
    open_map(page, "relu1", 2)
    row, column = position(page)
    near(number(page, "before"), layers["conv1"][2, row, column].item())
    near(number(page, "result"), layers["relu1"][2, row, column].item())
    page.get_by_role("button", name="→ pool1").click()
    row, column = position(page)
    four = layers["relu1"][2, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].flatten()
    assert torch.allclose(numbers(page, "patch"), four, atol=1e-4)
    near(number(page, "result"), four.max().item())
    corners = ["top left", "top right", "bottom left", "bottom right"]
    expect(page.locator(".xp-view .xp-hint")).to_contain_text(corners[four.argmax()])


def test_a_logit_and_a_share(page, model, layers):
    page.locator(".xp-to-logit").nth(3).click()
    parts = layers["pool2"].flatten() * model.fc.weight[3].detach()
    near(number(page, "up"), parts.clamp(min=0).sum().item())
    near(number(page, "down"), -parts.clamp(max=0).sum().item())
    near(number(page, "result"), layers["fc"][3].item())
    near(number(page, "product"), max(parts.tolist(), key=abs))
    page.get_by_role("button", name="→ softmax").click()
    found = values(page.locator(".xp-softmax tbody td:nth-child(4)"))
    near(found, layers["fc"].softmax(dim=0).tolist())


def test_pointing_at_a_map_shows_what_it_is_made_from(page):
    lit = page.locator(".xp-lit")
    for name, sources in [("conv1, map 2", 2), ("pool1, map 2", 4), ("conv2, map 2", 17)]:
        page.get_by_role("button", name=name, exact=True).hover()
        expect(lit).to_have_count(sources)
    page.mouse.move(5, 5)
    expect(lit).to_have_count(0)


def without(model, layer, number):
    changed = copy.deepcopy(model)
    with torch.no_grad():
        getattr(changed, layer).weight[number] = 0
        getattr(changed, layer).bias[number] = 0
    return changed


def test_switch_a_filter_off(page, model, image):
    at_first = shares(page)
    show(page, "What if?")
    page.get_by_role("button", name="Filter 4 of conv1").click()
    changed = without(model, "conv1", 4)
    expect(page.locator(".xp-changes")).to_contain_text("1 of 16 filters of conv1 off")
    near(shares(page), predict(changed, image[None]).softmax(dim=1)[0].tolist())
    page.get_by_role("button", name="Filter 6 of conv2").click()
    changed = without(changed, "conv2", 6)
    expect(page.locator(".xp-changes")).to_contain_text("1 of 32 filters of conv2 off")
    near(shares(page), predict(changed, image[None]).softmax(dim=1)[0].tolist())
    page.get_by_role("button", name="Undo all").click()
    expect(page.locator(".xp-changes")).to_be_hidden()
    near(shares(page), at_first)


def test_move_the_digit(page, model, image):
    show(page, "What if?")
    page.get_by_role("button", name="Move the digit right").click()
    for key in ("ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    expect(page.locator(".xp-whatif .xp-place")).to_have_text("Moved 2 right, 1 up.")
    moved = torch.full((1, 1, 28, 28), -1.0)
    moved[0, 0, :27, 2:] = image[0, 1:, :26]
    near(shares(page), predict(model, moved).softmax(dim=1)[0].tolist())


def test_weights_from_before_the_training(page, image):
    show(page, "What if?")
    page.get_by_role("radio", name="Before the training").click()
    expect(page.locator(".xp-changes")).to_contain_text("weights from before the training")
    torch.manual_seed(0)
    near(shares(page), predict(CNN(), image[None]).softmax(dim=1)[0].tolist())


def test_keyboard_alone(page):
    page.locator(".xp-screen").focus()
    for key in ["ArrowUp"] * 9 + [" "] + ["ArrowDown"] * 18 + [" "]:
        page.keyboard.press(key)
    expect(page.locator(".xp-reading strong")).to_have_text("1")
    expect(page.locator(".xp-status")).to_have_text("pen up at 70, 115")
    focused = page.locator(":focus")
    for _ in range(12):  # on through the tools to the maps
        page.keyboard.press("Tab")
        if (focused.get_attribute("aria-label") or "").startswith("conv1, map"):
            break
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("aria-label", "conv1, map 3")
    page.keyboard.press("Enter")
    expect(page.locator(".xp-where")).to_have_text("conv1 › map 3")
    field = page.locator(".xp-field").last
    for _ in range(12):
        page.keyboard.press("Tab")
        if focused.get_attribute("aria-label") == "Map 3 of conv1":
            break
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert position(page) == (1, 1)
    assert field.get_attribute("aria-valuetext").startswith("row 1, column 1: ")
    page.keyboard.press("Escape")
    expect(focused).to_have_attribute("aria-label", "conv1, map 3")
    page.locator(".xp-screen").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".xp-reading strong")).to_have_count(0)


def test_play_and_step(page):
    open_map(page, "conv1", 0)
    page.locator(".xp-field").last.focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="One place on").click()
    assert position(page) == (0, 1)
    page.get_by_role("button", name="One place back").click()
    assert position(page) == (0, 0)
    page.get_by_role("button", name="▶ Play").click()
    expect(page.locator(".xp-place")).not_to_have_text("row 0, column 0")  # it moves on its own
    page.get_by_role("button", name="⏸ Pause").click()


def test_playground(page):
    show(page, "Playground")
    stage, filled = page.locator(".xp-playground"), page.locator(".xp-filled")
    expect(filled).to_have_text("output = ⌊(7 + 2 · 1 − 1 · (3 − 1) − 1) / 1⌋ + 1 = 7")
    page.get_by_role("button", name="every second place").click()
    expect(stage).to_have_attribute("data-size", "4")
    page.get_by_role("slider", name="Input size").fill("2")
    page.get_by_role("slider", name="Padding").fill("0")
    expect(page.locator(".xp-words")).to_contain_text("This cannot work: the kernel covers 3 × 3")
    expect(stage).to_have_attribute("data-size", "0")
    page.get_by_role("button", name="as in pooling").click()
    expect(stage).to_have_attribute("data-size", "1")
    page.get_by_role("slider", name="Input size").fill("7")
    expect(page.locator(".xp-words")).to_contain_text("The last row and column")


def views(page):
    """Go through all views, yielding the name of each."""
    yield "overview"
    for layer in LAYERS:
        open_map(page, layer, 1)
        yield layer
        page.keyboard.press("Escape")
    page.locator(".xp-to-logit").nth(7).click()
    yield "fc"
    page.locator(".xp-to-share").nth(7).click()
    yield "softmax"
    show(page, "What if?")
    yield "what if"
    show(page, "Playground")
    yield "playground"


def faults(page):
    """Return what axe finds of serious or critical faults."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (fault["id"], [node["html"][:200] for node in fault["nodes"][:3]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_every_view_fits_and_can_be_read(browser, file, viewport, scheme):
    with opened(browser, file, viewport=viewport, color_scheme=scheme) as page:
        expect(page.locator(".mnist-explorer")).to_have_attribute("data-theme", scheme)
        for view in views(page):
            widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            needed, given = page.evaluate(widths)
            assert needed <= given, f"{view} is wider than the window"
            if (scheme == "light") == (viewport is LAPTOP):  # axe takes two seconds a view
                assert faults(page) == [], view
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades = [int(shade) for shade in background.strip("rgb()").split(",")]
        assert (min(shades) > 200) if scheme == "light" else (max(shades) < 60)


def test_a_laptop_shows_each_view_without_scrolling(page):
    for view in views(page):
        height = page.evaluate("document.documentElement.scrollHeight")
        assert height <= LAPTOP["height"], view


def test_reduced_motion(browser, file):
    with opened(browser, file, reduced_motion="reduce") as page:
        tile = page.locator(".xp-tile").first
        assert tile.evaluate("tile => getComputedStyle(tile).transitionDuration") in (
            "0s",
            "1e-06s",
        )
        open_map(page, "conv1", 0)
        expect(page.locator(".xp-player output")).to_have_text("2 a second")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda page: page[: len(page) // 2], "this file is cut short"),
        (lambda page: page[:-400], "this file is cut short"),
        (lambda page: page.replace('"weights": "', '"weights": "AAAA'), "Expected 20490 weights"),
        (lambda page: page.replace('"checksum": ', '"checksum": 1'), "damaged"),
    ],
)
def test_a_damaged_file_says_so(browser, file, tmp_path, change, words):
    damaged = tmp_path / "damaged.html"
    damaged.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    page = browser.new_page()
    page.goto(damaged.as_uri())
    expect(page.locator("main")).to_contain_text(words)
    page.close()


def test_all_follows_the_pen(page):
    """Measure from a movement of the pen until bars and maps are drawn."""
    page.evaluate(
        """() => {
            window.latencies = [];
            const root = document.querySelector('.mnist-explorer');
            let moved = 0;
            document.querySelector('.xp-screen').addEventListener('pointermove', event => {
                moved ||= event.timeStamp;
            }, { capture: true });
            new MutationObserver(() => {
                if (moved) latencies.push(performance.now() - moved);
                moved = 0;
            }).observe(root, { attributeFilter: ['data-version'] });
        }"""
    )
    for stroke in place(7) + place(4):
        drag(page, on_pad(page, stroke))
    page.wait_for_function("latencies.length >= 10")
    latencies = page.evaluate("latencies")
    median = math.ceil(statistics.median(latencies))
    print(f"\nfrom pen to bars and maps: {median} ms, the median of {len(latencies)} movements")


CELLS = """
import sys
sys.path.insert(0, {tests!r})
import torch
from ipywidgets import HTML, Button, VBox
from quick import train
from mnist_helpers.explorer import DigitPad, Explorer, Playground
model = train(steps=100)
explorer, heard, changes = Explorer(model, before=model), HTML(), Button(description="change")

def tell(change):
    digit = explorer.probabilities.index(max(explorer.probabilities)) if explorer.image is not None else None
    heard.value = f"<b class='heard'>{{digit}}</b>"

def favour(button):
    favour.digit += 1
    torch.nn.init.zeros_(model.fc.bias)
    model.fc.bias.data[favour.digit] = 100.0
    explorer.update()

favour.digit = 1
explorer.observe(tell, "probabilities")
changes.on_click(favour)
---
VBox([explorer, heard, changes])
---
Playground()
---
pad, size = DigitPad(), HTML()
pad.observe(lambda change: setattr(size, "value", f"<i class='ink'>{{int((pad.image() > 0).any())}}</i>"), "pixels")
VBox([pad, size])
"""  # noqa: E501


@pytest.fixture(scope="module", params=[LAB, NOTEBOOK_7], ids=["lab", "notebook"])
def notebook(request, browser, tmp_path_factory):
    """A notebook with the widgets, all cells run."""
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    cells = CELLS.format(tests=str(DATA.parents[1] / "tests")).strip().split("\n---\n")
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}  # else: a dialog
    nbformat.write(made, folder / "widgets.ipynb")
    with serve(folder, home, request.param) as address, new_page(browser) as page:
        assert problems(run_all_cells(page, address, "widgets")) == []
        page.set_default_timeout(60_000)
        page.locator(".mnist-explorer[data-version]").scroll_into_view_if_needed()
        yield page
        assert page.hosts - {None} == {"127.0.0.1"}  # data: and blob: addresses have no host
        assert [error for error in page.console_errors if error != OF_NOTEBOOK_ITSELF] == []


@pytest.mark.parametrize("digit", [1, 7])
def test_draw_in_a_notebook(notebook, digit):
    explorer = notebook.locator(".mnist-explorer[data-version]")
    explorer.locator(".xp-screen").scroll_into_view_if_needed()
    explorer.get_by_role("button", name="Clear").click()
    expect(notebook.locator(".heard")).to_have_text("None")
    box = explorer.locator(".xp-screen").bounding_box()
    for stroke in place(digit):
        points = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in stroke]
        drag(notebook, points)
    expect(explorer.locator(".xp-reading strong")).to_have_text(str(digit))
    expect(notebook.locator(".heard")).to_have_text(str(digit))


def test_a_second_update_changes_the_bars(notebook):
    explorer = notebook.locator(".mnist-explorer[data-version]")
    explorer.get_by_role("button", name="Next digit").click()
    for digit in ("2", "3"):
        notebook.get_by_role("button", name="change").click()
        expect(explorer.locator(".xp-reading strong")).to_have_text(digit)
        expect(notebook.locator(".heard")).to_have_text(digit)


def test_keys_stay_in_the_widget(notebook):
    cells = notebook.locator(".jp-Notebook-cell").count()
    explorer = notebook.locator(".mnist-explorer[data-version]")
    explorer.get_by_role("button", name="conv1, map 2", exact=True).click()
    for key in ["a", "b", "x", "ArrowDown", "Escape"]:
        notebook.keyboard.press(key)
    expect(explorer).to_have_attribute("data-view", "network")
    assert notebook.locator(".jp-Notebook-cell").count() == cells


def test_the_first_digit_is_known(notebook):
    explorer = notebook.locator(".mnist-explorer[data-version]")
    explorer.get_by_role("button", name="Previous digit").click()
    expect(explorer.locator(".xp-digit-name")).to_have_text("test digit 1 of 48: a 7")


def test_playground_and_pad_alone(notebook):
    playground = notebook.locator(".mnist-explorer:not([data-version]) .xp-playground")
    playground.get_by_role("button", name="dilated").click()
    expect(playground).to_have_attribute("data-size", "3")
    pad = notebook.locator(".mnist-explorer > .xp-pad .xp-screen")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    drag(notebook, [(box["x"] + 60, box["y"] + 40), (box["x"] + 70, box["y"] + 120)])
    expect(notebook.locator(".ink")).to_have_text("1")


def test_the_theme_of_the_lab_is_followed(notebook):
    explorer = notebook.locator(".mnist-explorer[data-version]")
    expect(explorer).to_have_attribute("data-theme", "light")
    for theme in ("Dark", "Light"):
        notebook.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {theme}",
        )
        expect(explorer).to_have_attribute("data-theme", theme.lower())
