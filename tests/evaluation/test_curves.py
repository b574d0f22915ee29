import csv

import numpy as np
import pytest

from facestab.evaluation.curves import CurveFile, Curves

NUM_FRAMES, NAMES = 11, ("background", "skin", "hair")


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(0).integers(0, 3, (NUM_FRAMES, 6, 7)).astype(np.uint8)


@pytest.mark.parametrize("batch", [1, 2, 3, NUM_FRAMES])
def test_every_frame_has_one_line_of_flicker_however_the_video_is_split(labels, tmp_path, batch):
    curves = Curves(NAMES, ["image"])
    with CurveFile(tmp_path / "frames.csv") as file:
        for first in range(0, NUM_FRAMES, batch):
            part = labels[first : first + batch]
            file.write(curves.update({"image": part, "ema": part}), len(part))
    with (tmp_path / "frames.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [int(line["frame"]) for line in lines] == list(range(NUM_FRAMES))
    by_class = {f"image/flicker/aba/{name}" for name in NAMES}
    rows = {f"{row}/flicker/{key}" for row in ("image", "ema") for key in ("aba", "switch")}
    assert set(lines[0]) == {"frame"} | by_class | rows
    for t, line in enumerate(lines):
        if 0 < t < NUM_FRAMES - 1:
            flickers = (labels[t - 1] == labels[t + 1]) & (labels[t] != labels[t - 1])
            assert float(line["image/flicker/aba"]) == pytest.approx(flickers.mean(), abs=1e-6)
            hair = (labels[t - 1] == 2) & (labels[t + 1] == 2)
            assert float(line["image/flicker/aba/hair"]) == pytest.approx(flickers[hair].mean(), abs=1e-6)
        else:
            assert line["image/flicker/aba"] == line["image/flicker/aba/hair"] == ""
        if t:
            assert float(line["ema/flicker/switch"]) == pytest.approx((labels[t] != labels[t - 1]).mean(), abs=1e-6)


def test_a_curve_file_of_an_interrupted_video_does_not_appear(tmp_path):
    with pytest.raises(RuntimeError), CurveFile(tmp_path / "frames.csv"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())
