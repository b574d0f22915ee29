"""`stage=evaluate` as a user types it: masks of any tool, with and without everything else."""

import csv
import shutil
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from facestab.data.synthetic import Clip, Conditions, identity_seed
from facestab.keys import is_known_key
from facestab.record import read_record
from facestab.video.label_video import read_labels
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.tiny import facestab, mistake, succeed

pytestmark = pytest.mark.slow
NUM_FRAMES, SIZE, FPS = 30, 64, Fraction(25)
CONTROLS = [
    "background",
    "frozen",
    "ema_0.3",
    "ema_0.5",
    "ema_0.7",
    "blend_0.9",
    "flow_ema_0.5",
    "flow_ema_0.8",
    "vote_5",
]


def flickering(truth_THW, seed, share=0.02):
    generator = np.random.default_rng(seed)
    hit = generator.random(truth_THW.shape) < share
    return np.where(hit, (truth_THW + generator.integers(1, 11, truth_THW.shape)) % 11, truth_THW).astype(np.uint8)


def write_images(folder, labels_THW):
    folder.mkdir(parents=True)
    for t, labels_HW in enumerate(labels_THW):
        Image.fromarray(labels_HW).save(folder / f"frame{t}.png")


def write_labels(path, labels_THW):
    with VideoSink(path, FPS, codec="labels") as sink:
        for labels_HW in labels_THW:
            sink.write(labels_HW)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two clips; masks as images, a worse reference and true labels as label videos."""
    folder = tmp_path_factory.mktemp("masks")
    for i in range(2):
        clip = Clip(identity_seed("val", i), i, num_frames=NUM_FRAMES, size=SIZE, conditions=Conditions.video())
        truth_THW = np.stack([clip.labels(t) for t in range(NUM_FRAMES)])
        with VideoSink(folder / "clips" / f"c{i}.mp4", FPS) as sink:
            for t in range(NUM_FRAMES):
                sink.write(clip.frame(t))
        write_images(folder / "mine" / f"c{i}", flickering(truth_THW, seed=i, share=0.005))
        write_labels(folder / "theirs" / f"c{i}.mkv", flickering(truth_THW, seed=10 + i, share=0.03))
        write_labels(folder / "truth" / f"c{i}.mkv", truth_THW)
    return folder


@pytest.fixture(scope="module")
def full(home):
    """With everything there is."""
    sets = ["masks=mine", "reference=theirs", "truth=truth", "labels=face11"]
    printed = succeed("stage=evaluate", "video.source=clips", *sets, "name=full", cwd=home)
    return home / "runs" / "evaluate" / "full", printed


def test_every_control_row_stands_beside_the_masks(full):
    record = read_record(full[0])
    assert set(record["metrics"]) == {"truth", "reference", "masks", *CONTROLS}
    assert list(record["metrics"])[:3] == ["truth", "frozen", "background"]
    assert list(record["metrics"])[-1] == "masks"
    assert all(is_known_key(key) for values in record["metrics"].values() for key in values)


def test_the_numbers_are_those_of_the_arrays(full, home):
    masks = np.stack([np.asarray(Image.open(home / "mine" / "c0" / f"frame{t}.png")) for t in range(NUM_FRAMES)])
    truth = np.stack(list(read_labels(home / "truth" / "c0.mkv")))
    values = read_record(full[0])["videos"]["c0"]["masks"]
    flips = (masks[:-2] == masks[2:]) & (masks[1:-1] != masks[2:])
    assert values["flicker/aba"] == pytest.approx(flips.mean(), rel=1e-6)
    both = [
        ((masks == k) & (truth == k)).sum() / ((masks == k) | (truth == k)).sum() for k in np.unique([masks, truth])
    ]
    assert values["val/miou"] == pytest.approx(np.mean(both), rel=1e-5)


def test_less_flicker_at_no_cost_is_said_and_a_frozen_output_is_never_called_that(full):
    verdicts = read_record(full[0])["verdicts"]
    assert verdicts["masks"]["decision"] == "stable at no cost in accuracy"
    assert verdicts["frozen"]["decision"] == verdicts["background"]["decision"] == "worse"
    assert f"verdict against reference: {verdicts['masks']['text']}" in full[1]


def test_everything_is_written(full):
    files = {str(path.relative_to(full[0])) for path in full[0].rglob("*") if path.is_file()}
    assert {"metrics.json", "metrics.csv", "videos.csv", "classes.csv", "config.yaml", "overrides.yaml"} <= files
    names = ("labels.mkv", "labels_before.mkv", "overlay.mp4", "overlay_before.mp4", "compare.mp4", "frames.csv")
    assert {f"videos/c1/{name}" for name in names} <= files
    assert not [name for name in files if ".part" in name]
    with (full[0] / "classes.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert {line["class"] for line in lines} >= {"left_eye", "nose", "hair"}
    assert float(next(l for l in lines if l["row"] == "truth" and l["class"] == "hair")["val/iou"]) == 1  # noqa: E741


def test_no_model_no_truth_and_no_reference_are_needed(home):
    succeed("stage=evaluate", "video.source=clips/c0.mp4", "masks=mine/c0", "name=plain", cwd=home)
    record = read_record(home / "runs" / "evaluate" / "plain")
    assert set(record["metrics"]) == {"masks", *CONTROLS}
    values = record["metrics"]["masks"]
    assert {"flicker/aba", "flicker/static", "tc/masked", "tc/masked_gap4", "vc/static_second", "tc/etc"} <= set(values)
    assert not [key for key in values if key.startswith("val/")]
    assert record["verdicts"] == {}
    assert record["inputs"]["c0"]["frames"] == NUM_FRAMES


def test_without_the_video_what_needs_no_frames_is_measured(home):
    settings = ["video.source=null", "masks=theirs", "truth=truth", "fps=30"]
    succeed("stage=evaluate", *settings, "name=blind", cwd=home)
    record = read_record(home / "runs" / "evaluate" / "blind")
    values = record["metrics"]["masks"]
    assert {"flicker/aba", "val/miou", "dynamics/amplitude", "flicker/area_volatility"} <= set(values)
    assert not {"flicker/static", "tc/masked", "flicker/boundary_jitter_px"} & set(values)
    assert "flow_ema_0.5" not in record["metrics"]


def test_black_and_white_masks_of_another_size_than_the_video(home, tmp_path):
    truth = np.stack(list(read_labels(home / "truth" / "c0.mkv")))
    write_images(tmp_path / "bw", np.where(truth[:, ::2, ::2] > 0, 255, 0).astype(np.uint8))
    source = home / "clips" / "c0.mp4"
    printed = succeed("stage=evaluate", f"video.source={source}", "masks=bw", "name=bw", cwd=tmp_path)
    assert "255 is taken as class 1" in printed
    run = tmp_path / "runs" / "evaluate" / "bw"
    assert "flicker/aba/1" in read_record(run)["metrics"]["masks"]
    with open_video(run / "videos" / "c0" / "overlay.mp4") as written:
        assert (written.info.num_frames, written.info.height) == (NUM_FRAMES, SIZE // 2)


def test_pixels_left_open_do_not_hide_flicker_or_errors(home, tmp_path):
    truth = np.stack(list(read_labels(home / "truth" / "c0.mkv")))
    labels = flickering(truth, seed=5, share=0.03)
    dodged = np.where(labels == truth, labels, 255).astype(np.uint8)
    write_labels(tmp_path / "truth.mkv", truth)
    values = {}
    for name, masks in (("open", dodged), ("wrong", labels)):
        write_labels(tmp_path / f"{name}.mkv", masks)
        settings = [f"masks={name}.mkv", "truth=truth.mkv", "labels=face11", "video.source=null", "smoother=none"]
        succeed("stage=evaluate", *settings, f"name={name}", cwd=tmp_path)
        values[name] = read_record(tmp_path / "runs" / "evaluate" / name)["metrics"]["masks"]
    assert values["open"]["flicker/aba"] == pytest.approx(values["wrong"]["flicker/aba"], rel=0.05)
    assert values["open"]["val/miou"] < 0.98


def test_a_run_of_facestab_can_be_measured_again(full, home):
    settings = ["video.source=clips", f"masks={full[0]}", "labels=face11", "smoother=none", "flow=none"]
    succeed("stage=evaluate", *settings, "name=again", cwd=home)
    again = read_record(home / "runs" / "evaluate" / "again")["metrics"]["masks"]
    assert again["flicker/aba"] == read_record(full[0])["metrics"]["masks"]["flicker/aba"]


MISTAKES = [
    (["video.source=clips"], "masks"),
    (["video.source=clips", "masks=nowhere"], "nowhere: no such file or folder"),
    (["video.source=nowhere.mp4", "masks=mine"], "nowhere.mp4: no such file"),
    (["video.source=clips", "masks=clips"], "no masks in this folder"),
    (["video.source=clips/c0.mp4", "masks=clips/c0.mp4"], "does not keep label ids"),
    (["video.source=clips/c0.mp4", "masks=short"], "29 masks, but clips/c0.mp4 has 30 frames"),
    (["video.source=clips", "masks=mine", "reference=onlyone"], "reference: none for the video 'c1'"),
    (["video.source=clips/c0.mp4", "masks=mine/c0", "labels=numbered", "labels.num_classes=3"], "3 classes, but the"),
    (["video.source=clips/c0.mp4", "masks=colour"], "a label image is grey or has a palette"),
    (["video.source=clips", "masks=mine", "trainer=cpu"], "stage=evaluate trains nothing"),
    (["video.source=clips", "masks=mine", "w=1"], "'w'"),
    (["video.source=null", "masks=mine", "fps=0"], "fps"),
    (["video.source=clips/c0.mp4", "masks=mine/c0", "smoother=all"], "only stage=temporal trains them"),
    (["video.source=clips/c0.mp4", "masks=mine/c0", "inference.write=[tiff]"], "'tiff' is none of"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES])
def test_a_mistake_is_one_clear_line(home, arguments, message, capsys, monkeypatch):
    if not (home / "short").exists():
        shutil.copytree(home / "mine" / "c0", home / "short")
        (home / "short" / "frame7.png").unlink()
        shutil.copytree(home / "mine" / "c0", home / "onlyone" / "c0")
        (home / "colour").mkdir()
        for t in range(NUM_FRAMES):
            Image.new("RGB", (SIZE, SIZE), (200, 10, 10)).save(home / "colour" / f"{t}.png")
    assert message in mistake("stage=evaluate", *arguments, cwd=home, capsys=capsys, monkeypatch=monkeypatch)
    assert not (home / "runs" / "evaluate" / "mistake").exists()


def test_a_command_that_fails_exits_with_1(home):
    done = facestab("stage=evaluate", "video.source=clips", "masks=nowhere", "name=mistake", cwd=home)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("facestab: error: nowhere: no such file or folder")
