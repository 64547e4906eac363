"""Film the explorer while a digit is drawn on it, for the README: make film.

The page is the one that `make train` writes, in Chromium at the size of the picture; each frame is
a screenshot of it. Beside the film stands its last frame, for those who prefer no movement.
"""

import argparse
import io
import itertools
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from project import ROOT, installed_chromium
from website import put_explorer

FILM, STILL = ROOT / ".github" / "explorer.gif", ROOT / ".github" / "explorer.png"
SIZE = {"width": 1040, "height": 880}
WIDTH = 780  # of the film, in pixels
# A three, as shares of the pad's width and height.
STROKE = [(0.33, 0.24), (0.5, 0.17), (0.66, 0.25), (0.64, 0.38), (0.49, 0.47), (0.65, 0.55)]
STROKE += [(0.7, 0.69), (0.58, 0.82), (0.42, 0.83), (0.3, 0.74)]
COLORS = 96
PAUSE, STEP = 2500, 90  # milliseconds that the last frame and the others are shown


def points(stroke, steps=4):
    """Yield the points of a stroke, and some between each two."""
    for (x, y), (next_x, next_y) in itertools.pairwise(stroke):
        for part in range(steps):
            yield x + (next_x - x) * part / steps, y + (next_y - y) * part / steps
    yield stroke[-1]


def film(page):
    """Draw on the explorer's page; return the frames."""
    frames = []

    def shoot():
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        height = round(picture.height * WIDTH / picture.width)
        frames.append(picture.resize((WIDTH, height), Image.Resampling.LANCZOS))

    page.get_by_role("button", name="Clear").click()
    box = page.locator("canvas").first.bounding_box()
    shoot()
    for number, (x, y) in enumerate(points(STROKE)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if number == 0:
            page.mouse.down()
        page.wait_for_timeout(120)
        shoot()
    page.mouse.up()
    page.wait_for_timeout(500)
    shoot()
    return frames


def write(frames):
    """Write the film, with one palette for all its frames, and the still."""
    palette = frames[-1].quantize(COLORS, method=Image.Quantize.MEDIANCUT)
    few = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    times = [STEP] * (len(few) - 1) + [PAUSE]
    few[0].save(FILM, save_all=True, append_images=few[1:], duration=times, loop=0, optimize=True)
    frames[-1].quantize(COLORS, dither=Image.Dither.NONE).save(STILL, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--explorer", type=Path, help="a page that is there already: no training")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder, "explorer.html")
        put_explorer(file, arguments.explorer, epochs=3)
        browser = playwright.chromium.launch(
            executable_path=installed_chromium(), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(300_000)
        page.goto(file.as_uri())
        page.locator(".mnist-explorer").wait_for()
        write(film(page))
        browser.close()
    for path in (FILM, STILL):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
