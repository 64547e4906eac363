"""The explorer's Python face: what it takes, refuses, tells and writes."""

import asyncio
import copy
import io
import json
import re
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from mnist_helpers import CNN, predict
from mnist_helpers import explorer as package
from mnist_helpers.__main__ import main
from mnist_helpers.explorer import (
    DigitPad,
    Explorer,
    Playground,
    export_page,
    from_text,
    to_text,
    weights_text,
)
from mnist_helpers.explorer.picture import answer
from mnist_helpers.fast import FastCNN

ROOT = Path(__file__).parents[1]
MOST_BYTES, MOST_BYTES_WITH_BEFORE = 300_000, 420_000


class PlainNet(nn.Module):
    """The network as somebody else would write it: the same names, another order."""

    def __init__(self, padding=1):
        super().__init__()
        self.fc = nn.Linear(1568, 10)
        self.conv1 = nn.Conv2d(1, 16, 3, padding=padding)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.pool1, self.pool2 = nn.MaxPool2d(2), nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool1(self.relu1(self.conv1(x)))
        return self.fc(self.pool2(self.relu2(self.conv2(x))).view(-1, 1568))


class OtherOrder(CNN):
    def forward(self, images):
        maps = self.pool1(torch.tanh(self.conv1(images)))
        return self.fc(self.pool2(self.relu2(self.conv2(maps))).flatten(1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CNN()


@pytest.fixture
def images():
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1


def read(model, image):
    return predict(model, image[None]).softmax(dim=1)[0].tolist()


@pytest.mark.parametrize("kind", [CNN, FastCNN, PlainNet])
def test_networks_that_it_takes(kind, images):
    network = kind()
    explorer = Explorer(network, images)
    assert network.training, "the model itself is left as it was"
    assert torch.equal(explorer.image, images[0])
    assert explorer.probabilities == pytest.approx(read(network, images[0]), abs=1e-5)


def test_half_precision(model, images):
    assert len(Explorer(model.bfloat16(), images).probabilities) == 10


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (nn.Linear(2, 3), ValueError, "layers conv1, relu1, .* but this one has none"),
        (nn.Sequential(nn.Flatten()), ValueError, "but this one has 0"),
        (OtherOrder(), ValueError, "computes something else"),
        ("cnn.pt", TypeError, "expected a network such as CNN"),
    ],
)
def test_networks_that_it_refuses(network, error, message):
    with pytest.raises(error, match=message):
        Explorer(network)


def test_a_layer_of_another_shape_is_named():
    network = CNN()
    network.conv2 = nn.Conv2d(16, 16, 3)
    with pytest.raises(ValueError, match=r"conv2.weight must have the shape \(32, 16, 3, 3\)"):
        Explorer(network)


def test_another_padding_is_noticed():
    class Cropped(PlainNet):
        def forward(self, x):
            return super().forward(nn.functional.pad(x, (1, 1, 1, 1), value=1.0))

    with pytest.raises(ValueError, match="computes something else"):
        Explorer(Cropped(padding=0))


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (1, 1, 28, 28), (3, 1, 28, 28)])
def test_images_that_it_takes(model, shape):
    explorer = Explorer(model, torch.full(shape, 0.25))
    assert explorer.image.shape == (1, 28, 28)
    assert explorer._digits == ""


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 1, 29, 29), "expected floating-point images"),
        (torch.zeros(28, 28, dtype=torch.uint8), "but got torch.uint8"),
        (torch.zeros(3, 3, 28, 28), "expected one channel"),
        (torch.zeros(201, 1, 28, 28), r"up to 200 images, but got 201"),
        (torch.zeros(0, 1, 28, 28), "but got 0"),
    ],
)
def test_images_that_it_refuses(model, images, message):
    with pytest.raises(ValueError, match=message):
        Explorer(model, images)
    with pytest.raises(ValueError, match=message):
        Explorer(model).image = images


def test_labels_belong_to_images(model, images):
    assert Explorer(model, images, labels=torch.tensor([1, 2, 3]))._labels == [1, 2, 3]
    with pytest.raises(ValueError, match="3 images, but 2 labels"):
        Explorer(model, images, labels=[1, 2])


def test_image_and_probabilities_are_observed(model, images):
    explorer, heard = Explorer(model), []
    explorer.observe(lambda change: heard.append(change.name), ["image", "probabilities"])
    explorer.image = images[1]
    assert sorted(heard) == ["image", "probabilities"]
    assert explorer.probabilities == pytest.approx(read(model, images[1]), abs=1e-5)
    explorer.image = None
    assert explorer.probabilities == []


def test_what_the_browser_sends(model, images):
    explorer, heard = Explorer(model), []
    explorer.observe(lambda change: heard.append(change.new), "image")
    shares = [0.5, 0.5] + [0.0] * 8  # with filters switched off, it need not be the model's answer
    explorer.set_state({"image": to_text(images[2]), "probabilities": shares})
    assert torch.equal(heard[-1], images[2]) and explorer.probabilities == shares
    explorer.set_state({"image": "", "probabilities": []})
    assert explorer.image is None and explorer.probabilities == []


def test_update_sends_the_present_weights(model, images):
    explorer = Explorer(model, images)
    before, read_before = explorer._weights, explorer.probabilities
    nn.init.constant_(model.fc.bias, 0.0)
    model.fc.bias.data[3] = 5
    assert explorer.update({"train_loss": [2.0, 1.0]}) is None
    assert explorer._weights == weights_text(model) != before
    assert explorer.probabilities == pytest.approx(read(model, images[0]), abs=1e-5)
    assert explorer.probabilities != read_before and explorer._steps == 2
    explorer.update(1, {"train_loss": [2.0, 1.0, 0.5]})  # as after_epoch calls it
    assert explorer._steps == 3


def test_updates_are_few_and_the_last_arrives(model, monkeypatch):
    monkeypatch.setattr(package, "SECONDS_BETWEEN", 0.2)
    explorer, sent = Explorer(model), []
    explorer.observe(lambda change: sent.append(change.new), "_weights")

    async def train():
        for step in range(50):
            model.fc.bias.data.fill_(step)
            explorer.update({"train_loss": [0.0] * step})
        in_the_loop = len(sent)
        while sent[-1] != weights_text(model):
            await asyncio.sleep(0.01)
        return in_the_loop

    assert asyncio.run(train()) < 50
    assert explorer._steps == 49


def test_weights_that_are_no_numbers(model):
    explorer = Explorer(model)
    nn.init.constant_(model.fc.weight, torch.nan)
    explorer.update()
    assert explorer.probabilities == []


def test_before_keeps_a_copy(model):
    explorer = Explorer(model, before=model)
    nn.init.zeros_(model.fc.weight)
    explorer.update()
    assert explorer._before != explorer._weights
    state = copy.deepcopy(model.state_dict())
    assert Explorer(model, before=state)._before == weights_text(model)
    with pytest.raises(ValueError, match=r"conv1\.weight"):
        Explorer(model, before={})


def test_readers_without_a_kernel_see_a_picture(model, images):
    explorer = Explorer(model)
    data, _ = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data  # for those who have one
    assert " at 0x" not in data["text/plain"] + repr(Playground())
    png = b64decode(data["image/png"])
    assert Image.open(io.BytesIO(png)).width > 1000
    assert len(png) < 50_000
    assert answer([0.0] * 7 + [0.98, 0.02, 0.0]) == ["It reads 7", "with 98 %,", "then 8 with 2 %"]
    assert answer([0.9999, 0.0001] + [0.0] * 8) == ["It reads 0", "with more than 99.9 %"]
    explorer.image = None
    assert "image/png" not in explorer._repr_mimebundle_()[0]
    nn.init.constant_(model.fc.weight, torch.nan)
    explorer.image = images[0]
    explorer.update()
    assert "image/png" in explorer._repr_mimebundle_()[0]


def data_of(page):
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def test_page(model, images, tmp_path):
    path = tmp_path / "my_network.html"
    export_page(model, path)
    page = path.read_text(encoding="utf-8")
    assert path.stat().st_size < MOST_BYTES
    assert data_of(page)["weights"] == weights_text(model)
    assert len(data_of(page)["labels"]) == 48
    # Nothing is fetched: no address in what a browser would follow.
    assert not re.search(r'(src|href)="(?!data:)', page) and "@import" not in page
    assert set(re.findall(r"https?://[^\"'\s]+", page)) <= {"http://www.w3.org/2000/svg"}
    export_page(model, path, before=CNN())
    print(f"\n{len(page.encode()):,} bytes, {path.stat().st_size:,} with the weights before")
    assert path.stat().st_size < MOST_BYTES_WITH_BEFORE
    export_page(model, path, images, labels=[1, 2, 3])
    data = data_of(path.read_text(encoding="utf-8"))
    assert data["labels"] == [1, 2, 3] and data["digits"] == ""


def test_save_writes_what_is_shown(model, images, tmp_path):
    explorer = Explorer(model, images, before=CNN())
    model.fc.bias.data[3] = 5
    explorer.save(tmp_path / "page.html")
    data = data_of((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert data["weights"] == weights_text(model) and data["before"] == explorer._before


def test_a_page_is_written_whole_or_not_at_all(model, tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OSError):
        export_page(model, tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(OSError):
        export_page(model, tmp_path / "no folder" / "page.html")


def test_export_command(model, tmp_path, capsys):
    checkpoint, page = tmp_path / "cnn.pt", tmp_path / "my_network.html"
    torch.save(model.state_dict(), checkpoint)
    main(["export", "--checkpoint", str(checkpoint), str(page)])
    assert capsys.readouterr().out.startswith(f"Wrote {page}: open it in a browser")
    assert data_of(page.read_text(encoding="utf-8"))["weights"] == weights_text(model)
    missing = str(tmp_path / "no.pt")
    for wrong in (["--checkpoint", missing, str(page)], ["--checkpoint", str(page), str(page)]):
        with pytest.raises(SystemExit, match=r"no\.pt|my_network\.html"):
            main(["export", *wrong])
    with pytest.raises(SystemExit) as ended:
        main(["export", str(page)])
    assert ended.value.code == 2


def test_text_and_back(images):
    assert torch.equal(from_text(to_text(images[0])), images[0])
    assert from_text("") is None


def test_pad_and_playground():
    pad = DigitPad()
    assert pad.image().shape == (140, 140) and not pad.image().any()
    assert Playground()._part == "playground"


def test_what_is_installed_has_all_it_needs(tmp_path):
    """Build the wheel, unpack it where nothing else of ours is, construct and export."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "-w", tmp_path, ROOT], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("mnist_helpers-*.whl")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, tmp_path / "site", wheel], check=True, capture_output=True)
    script = (
        "import mnist_helpers; from mnist_helpers import CNN, explorer; print(explorer.__file__);"
        "e = explorer.Explorer(CNN()); e.save('page.html'); print(len(e._esm), len(e._css));"
        "explorer.Playground(); explorer.DigitPad()"
    )
    command = [sys.executable, "-c", script]
    env = {"PYTHONPATH": str(tmp_path / "site"), "PATH": "", "OMP_NUM_THREADS": "1"}
    said = subprocess.check_output(command, env=env, cwd=tmp_path, text=True).split()
    assert Path(said[0]).is_relative_to(tmp_path / "site")
    assert int(said[1]) > 10_000 and int(said[2]) > 1_000
    assert (tmp_path / "page.html").stat().st_size > 200_000
