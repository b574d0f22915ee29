import contextlib
import dataclasses
import gc
from fractions import Fraction

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image

from facestab.baselines.ema import Ema
from facestab.baselines.frozen import FrozenFirst
from facestab.callbacks.video_inference import VideoInference
from facestab.data.prediction import PredictionData
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.data.videos import VideoItem
from facestab.engines.eager import TorchKind
from facestab.errors import SettingError, VideoError
from facestab.evaluation.files import FileChoice
from facestab.evaluation.video import EvaluationPlan
from facestab.nets.weights import ModelCard
from facestab.stages import view
from facestab.stages.image import ImageStage
from facestab.stages.prediction import first_frames, stream_video
from facestab.video.crop import Region, Square
from facestab.video.flow import DisFlow
from facestab.video.label_video import read_labels
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.tiny import tiny_net


@pytest.fixture(scope="module")
def items(face11, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    videos = SyntheticVideos(str(root), face11, size=48, num_frames=7, num_train=1, num_val=1, num_test=2)
    videos.prepare()
    return videos.split("test")


@pytest.fixture(scope="module")
def stage(face11):
    return ImageStage(tiny_net(), ModelCard("image", {}, face11.to_dict(), 48))


def predict(
    stage,
    items,
    folder,
    labels,
    batch=3,
    write=("labels", "overlay", "compare"),
    framer=None,
    measure_size=None,
    overlap=0,
    probabilities=True,
):
    controls = {"frozen": FrozenFirst(), "ema_0.5": Ema(0.5)}
    files = FileChoice(write)
    plan = EvaluationPlan(folder, labels, "image", None, controls, DisFlow("fast"), files, measure_size, probabilities)
    callback = VideoInference(plan, overlap)
    stage = ImageStage(stage.net, stage.card, frames_per_batch=batch)
    stage.framer, stage.overlap = framer, overlap
    trainer = Trainer(
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.predict(stage, datamodule=PredictionData(items), return_predictions=False)
    return callback


def labels_by_hand(stage, item):
    with open_video(item.path) as source:
        frames = torch.from_numpy(np.stack(list(source.frames()))).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return stage.net.eval()(frames).logits_BKHW


def test_threads_change_nothing_that_comes_out(stage, items, face11, tmp_path):
    found = {}
    for overlap in (0, 2):
        folder = tmp_path / str(overlap)
        rows = predict(stage, items, folder, face11, batch=2, overlap=overlap).record()["metrics"]
        values = {row: {key: v for key, v in keys.items() if not key.startswith("time/")} for row, keys in rows.items()}
        files = {
            p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.suffix in (".mkv", ".csv")
        }
        found[overlap] = values, files
    assert found[0][1] == found[2][1]
    assert found[0][0] == found[2][0]


def test_without_probabilities_the_labels_are_the_same_and_what_needs_them_is_left_out(stage, items, face11, tmp_path):
    rows = {
        wanted: predict(stage, items, tmp_path / str(wanted), face11, probabilities=wanted).record()["metrics"]
        for wanted in (True, False)
    }
    for row in ("image", "ema_0.5"):
        left_out = {key for key in rows[True][row] if key not in rows[False][row]}
        assert left_out
        assert all(key.startswith(("confidence/", "flicker/prob_tv", "flicker/dtssd")) for key in left_out)
        assert all(v == rows[True][row][k] for k, v in rows[False][row].items() if not k.startswith("time/"))
        assert rows[False][row]["time/ms_per_frame"] > 0


def test_an_overlap_below_0_is_refused(stage, items, face11, tmp_path):
    with pytest.raises(SettingError, match=r"inference\.overlap must be at least 0, got -1"):
        predict(stage, items, tmp_path, face11, overlap=-1)


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_labels_do_not_depend_on_the_batch(stage, items, face11, tmp_path, batch):
    predict(stage, items, tmp_path, face11, batch)
    for item in items:
        written = np.stack(list(read_labels(tmp_path / "videos" / item.id / "labels.mkv")))
        expected = labels_by_hand(stage, item).argmax(1).numpy()
        assert (written != expected).mean() < 1e-3


def test_overall_values_are_means_over_videos(stage, items, face11, tmp_path):
    record = predict(stage, items, tmp_path, face11, write=["labels"]).record()
    rates = []
    for item in items:
        labels = np.stack(list(read_labels(tmp_path / "videos" / item.id / "labels.mkv")))
        rates.append(((labels[:-2] == labels[2:]) & (labels[1:-1] != labels[2:])).mean())
    assert record["metrics"]["image"]["flicker/aba"] == pytest.approx(np.mean(rates), rel=1e-6)
    assert list(record["videos"]) == [item.id for item in items]


def test_intervals_are_paired_by_video_and_leave_out_the_truth(stage, items, face11, tmp_path):
    record = predict(stage, items, tmp_path, face11, write=[]).record()
    assert list(record["intervals"]) == ["image - frozen", "image - ema_0.5"]
    differences = [rows["image"]["flicker/aba"] - rows["ema_0.5"]["flicker/aba"] for rows in record["videos"].values()]
    # with two videos the ends are the two differences
    assert record["intervals"]["image - ema_0.5"]["flicker/aba"] == pytest.approx(sorted(differences))


def test_smoothed_rows_are_those_of_the_smoother_on_all_frames(stage, items, face11, tmp_path):
    record = predict(stage, items[:1], tmp_path, face11, write=[]).record()
    probs = labels_by_hand(stage, items[0]).softmax(1)
    smooth = Ema(0.5)([], probs).argmax(1).numpy()
    flickers = (smooth[:-2] == smooth[2:]) & (smooth[1:-1] != smooth[2:])
    assert record["metrics"]["ema_0.5"]["flicker/aba"] == pytest.approx(flickers.mean(), abs=2e-4)
    assert record["metrics"]["frozen"]["flicker/switch"] == 0


def test_only_the_chosen_files_are_written(stage, items, face11, tmp_path):
    predict(stage, items[:1], tmp_path, face11, write=["overlay"])
    assert sorted(path.name for path in (tmp_path / "videos" / items[0].id).iterdir()) == ["frames.csv", "overlay.mp4"]


@pytest.mark.parametrize("overlap", [0, 2])
def test_a_video_that_breaks_in_the_middle_leaves_no_files(stage, items, face11, tmp_path, overlap):
    frames = tmp_path / "frames"
    frames.mkdir()
    with open_video(items[0].path) as source:
        for t, frame in enumerate(source.frames()):
            Image.fromarray(frame).save(frames / f"{t}.png")
    (frames / "5.png").write_bytes(b"no picture")
    info = dataclasses.replace(items[0].info, path=frames, codec="frames", fps=Fraction(25))
    with pytest.raises(VideoError, match=r"5\.png"):
        predict(stage, [VideoItem("broken", info)], tmp_path, face11, batch=2, overlap=overlap)
    assert not [path for path in (tmp_path / "videos").rglob("*") if path.is_file()]


def test_true_labels_of_another_length_are_refused_before_anything_is_written(stage, items, face11, tmp_path):
    short = tmp_path / "short.mkv"
    with VideoSink(short, Fraction(25), codec="labels") as sink:
        for labels in list(read_labels(items[0].truth))[:-1]:
            sink.write(labels)
    with pytest.raises(VideoError, match=r"short\.mkv: \(6, 48, 48\).*\(7, 48, 48\)"):
        predict(stage, [dataclasses.replace(items[0], truth=short)], tmp_path, face11)
    assert not (tmp_path / "videos").exists()


def test_a_stream_holds_one_batch_and_not_the_video(stage, items):
    alive = []
    frames = first_frames(items[0], 48, 2)
    assert frames.shape == (2, 48, 48, 3)
    engine = TorchKind().make(stage.net.eval(), frames, torch.device("cpu"), contextlib.nullcontext)
    stream = stream_video({"image": engine}, items[0], size=48, batch_size=2, device=torch.device("cpu"))
    for step in stream:
        gc.collect()
        batches = [o for o in gc.get_objects() if issubclass(type(o), torch.Tensor) and o.shape[1:] == (11, 48, 48)]
        alive.append(sum(len(batch) for batch in batches))
        del batches, step
    # 7 frames in batches of 2
    assert alive == [2, 2, 2, 1]


class InSquares:
    """The same square in every frame, a little farther right each time."""

    compare_fixed = False

    def find(self, frames):
        return list(frames)

    def squares(self, found, fps):
        return [[Square(18 + 0.5 * t, 20, 22)] for t in range(len(found))]

    def fixed(self, found, fps):
        return None


def test_a_region_changes_what_is_computed_and_not_what_comes_out(stage, items, face11, tmp_path, monkeypatch):
    found = {}
    for name in ("region", "whole"):
        if name == "whole":
            monkeypatch.setattr(view, "around", lambda squares, height, width: Region(0, 0, width, height))
        callback = predict(stage, items, tmp_path / name, face11, framer=InSquares())
        found[name] = (
            [result.rows for result in callback.results],
            [np.stack(list(read_labels(tmp_path / name / "videos" / item.id / "labels.mkv"))) for item in items],
        )
    for part, whole in zip(found["region"][1], found["whole"][1], strict=True):
        np.testing.assert_array_equal(part, whole)
        assert (part[:, :8] == 0).all()
    for part, whole in zip(found["region"][0], found["whole"][0], strict=True):
        for row in ("image", "ema_0.5", "frozen"):
            assert part[row]["flicker/aba"] == whole[row]["flicker/aba"]
            assert part[row]["val/miou"] == whole[row]["val/miou"]
        # over the region alone, where all that varies lies: a mean over fewer pixels
        assert part["image"]["flicker/prob_tv"] > whole["image"]["flicker/prob_tv"]


def test_a_large_video_is_measured_smaller_and_written_as_it_is(stage, items, face11, tmp_path):
    whole = predict(stage, items, tmp_path / "whole", face11)
    small = predict(stage, items, tmp_path / "small", face11, measure_size=32, framer=InSquares())
    assert [result.description()["measured"] for result in small.results] == [[32, 32]] * 2
    assert all("measured" not in result.description() for result in whole.results)
    for item in items:
        labels = list(read_labels(tmp_path / "small" / "videos" / item.id / "labels.mkv"))
        assert labels[0].shape == (48, 48)
    for result in small.results:
        assert set(result.rows) == {"truth", "image", "frozen", "ema_0.5"}
        assert result.rows["image"]["flicker/prob_tv"] > 0
        assert result.rows["truth"]["val/miou"] == 1
