"""What CleanVision says of images: python cleanvision_values.py DIR RESULTS.

It fills DIR first: images that are drawn here, and photographs that scikit-image and Matplotlib bring along.
"""

import json
import shutil
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFilter

warnings.simplefilter("ignore")

from cleanvision import Imagelab  # noqa: E402
from cleanvision.issue_managers.duplicate_issue_manager import get_hash  # noqa: E402

ISSUES = [
    "dark",
    "light",
    "low_information",
    "odd_aspect_ratio",
    "odd_size",
    "grayscale",
    "blurry",
    "exact_duplicates",
    "near_duplicates",
]


def scene(rng, width, height):
    """A picture with areas, edges and noise."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    a, b, c = rng.uniform(0, 255, 3), rng.uniform(-200, 200, 3), rng.uniform(-200, 200, 3)
    pixels = a + x[..., None] * b + y[..., None] * c
    image = Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 12)):
        (x0, x1), (y0, y1) = (
            sorted(rng.integers(0, width, 2)),
            sorted(rng.integers(0, height, 2)),
        )
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape(
            [int(x0), int(y0), int(x1), int(y1)],
            fill=tuple(int(v) for v in rng.integers(0, 256, 3)),
        )
    noise = rng.normal(0, rng.uniform(0, 12), (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype("uint8"))


def drawn(folder):
    rng = np.random.default_rng(5)
    for i in range(60):
        image = scene(rng, int(rng.integers(24, 500)), int(rng.integers(24, 400)))
        kind = i % 10
        if kind == 1:
            image = image.point(lambda v: v // 5)
        elif kind == 2:
            image = image.point(lambda v: 250 + v // 52)
        elif kind == 3:
            image = image.filter(ImageFilter.GaussianBlur(8))
        elif kind == 4:
            image = image.convert("L")
        elif kind == 5:
            image = image.resize((400, 30))
        elif kind == 6:
            alpha = Image.fromarray(rng.integers(0, 256, image.size[::-1], dtype="uint8"))
            image.putalpha(alpha)
        elif kind == 7:
            image = Image.new("RGB", image.size, tuple(int(v) for v in rng.integers(0, 256, 3)))
        image.save(folder / f"drawn{i:03}.png")
        if kind == 0:
            image.save(folder / f"copy{i:03}.png", optimize=True)
            image.resize((image.width * 2, image.height * 2)).save(folder / f"larger{i:03}.png")
    for size in [(1, 1), (2, 2), (3, 3), (1, 90), (65, 64), (64, 64), (63, 1), (2000, 1500)]:
        scene(rng, *size).save(folder / f"size{size[0]}x{size[1]}.png")


def photographs(folder):
    sources = [
        *Path(skimage.__file__).parent.glob("data/*"),
        *Path(matplotlib.get_data_path()).glob("sample_data/*"),
    ]
    for path in sorted(sources):
        if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            continue
        try:
            image = Image.open(path)
            image.load()
        except OSError:
            continue
        if image.mode not in ("L", "RGB", "RGBA"):
            continue  # what CleanVision says of others is about numbers of a palette, or nothing at all
        shutil.copy(path, folder / path.name)
        small = image.convert("RGB").resize((image.width // 2 + 1, image.height // 2 + 1))
        small.save(folder / f"{path.stem}-420.jpg", quality=85)
        small.save(folder / f"{path.stem}-444.jpg", quality=92, subsampling=0)
        small.save(folder / f"{path.stem}-progressive.jpg", quality=75, progressive=True)
        small.save(folder / f"{path.stem}-lossy.webp", quality=85)
        small.save(folder / f"{path.stem}-lossless.webp", lossless=True)


def main():
    folder = Path(sys.argv[1])
    for part in ("drawn", "photographs"):
        (folder / part).mkdir(parents=True)
    drawn(folder / "drawn")
    photographs(folder / "photographs")
    out = {}
    for part in ("drawn", "photographs"):
        lab = Imagelab(data_path=str(folder / part), verbose=False)
        lab.find_issues(n_jobs=1, verbose=False)
        rows = {}
        for path, row in lab.issues.iterrows():
            name = Path(path).name
            image = Image.open(path)
            rows[name] = {
                "mode": image.mode,
                "hash": get_hash(image, {"hash_type": "phash", "hash_size": 8}),
                "scores": {i: float(row[f"{i}_score"]) for i in ISSUES},
                "issues": [i for i in ISSUES if bool(row[f"is_{i}_issue"])],
            }
        sets = {
            i: sorted(sorted(Path(f).name for f in s) for s in lab.info[i]["sets"])
            for i in ("exact_duplicates", "near_duplicates")
        }
        out[part] = {"images": rows, "sets": sets}
    with open(sys.argv[2], "w") as f:
        json.dump(out, f)


main()
