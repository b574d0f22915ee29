"""The commands as a user types them, in a folder that is not the checkout."""

import csv
import json
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from facestab.keys import is_known_key
from facestab.nets.weights import load_tensors
from facestab.record import read_record
from facestab.video.label_video import read_labels
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.clips import carphone
from tests.tiny import (
    CONTROL_ROWS,
    STABILIZED_ROWS,
    TEMPORAL,
    TEMPORAL_ROWS,
    facestab,
    mistake,
    peak_memory_kib,
    succeed,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which `stage=temporal` has run once."""
    folder = tmp_path_factory.mktemp("home")
    succeed("stage=temporal", "w=0.5", "name=first", *TEMPORAL, cwd=folder)
    return folder


def test_the_temporal_stage_trains_its_image_model_first_and_writes_everything(home):
    image_runs = list((home / "runs" / "image").glob("*/metrics.json"))
    assert len(image_runs) == 1
    run = home / "runs" / "temporal" / "first"
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert {
        "config.yaml",
        "overrides.yaml",
        "run.log",
        "metrics.json",
        "metrics.csv",
        "videos.csv",
        "classes.csv",
        "weights.safetensors",
        "checkpoints/last.ckpt",
        "checkpoints/best.ckpt",
    } <= files
    for video in ("test_0000", "test_0001", "test_0002"):
        shown = ("labels.mkv", "labels_before.mkv", "overlay.mp4", "overlay_before.mp4", "compare.mp4", "frames.csv")
        for name in shown:
            assert f"videos/{video}/{name}" in files
    assert not [name for name in files if ".part" in name]


def test_the_record_has_every_row_with_known_keys(home):
    record = read_record(home / "runs" / "temporal" / "first")
    assert list(record["metrics"]) == TEMPORAL_ROWS
    assert (record["w"], record["threshold"], record["seed"], record["flow"]) == (0.5, 0.1, 0, "dis_medium")
    for row, values in record["metrics"].items():
        assert all(is_known_key(key) for key in values)
        assert {"flicker/aba", "flicker/switch", "tc/masked", "tc/coverage", "val/miou"} <= set(values)
        assert row == "truth" or values["time/ms_per_frame"] > 0
    assert record["metrics"]["truth"]["val/miou"] == 1
    measured = {row for row, values in record["metrics"].items() if "stills/miou" in values}
    assert measured == {"image", "continued", "finetuned", "stabilized"}
    assert record["metrics"]["frozen"]["flicker/switch"] == 0
    assert all(is_known_key(key) for key in record["training"])


def test_every_key_of_the_csv_is_known(home):
    for path in (home / "runs").glob("*/*/metrics.csv"):
        with path.open() as stream:
            columns = set(next(csv.reader(stream))) - {"epoch", "step"}
        assert columns
        assert [key for key in columns if not is_known_key(key)] == []


def test_the_written_labels_are_what_was_measured(home):
    run = home / "runs" / "temporal" / "first"
    labels = np.stack(list(read_labels(run / "videos" / "test_0000" / "labels.mkv")))
    assert labels.shape == (6, 48, 48)
    flickers = (labels[:-2] == labels[2:]) & (labels[1:-1] != labels[2:])
    stored = read_record(run)["videos"]["test_0000"]["stabilized"]["flicker/aba"]
    assert stored == pytest.approx(flickers.mean(), rel=1e-6)


def test_checkpoints_hold_tensors_and_primitives_only(home):
    for path in (home / "runs").rglob("*.ckpt"):
        assert "state_dict" in torch.load(path, weights_only=True)


def test_the_stabilized_network_has_the_image_models_shape(home):
    shapes = []
    for path in sorted((home / "runs").glob("[!r]*/*/weights.safetensors")):
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            shapes.append({name: tuple(file.get_slice(name).get_shape()) for name in names})
    # the image model, it after further steps, the control without the consistency term, the result
    assert len(shapes) == 4
    assert all(shape == shapes[0] for shape in shapes)


def test_another_w_reuses_the_image_model_the_controls_the_labels_and_the_clips(home):
    before = {path: path.stat().st_mtime_ns for path in (home / "runs").glob("cache/**/*.mkv")}
    printed = succeed("stage=temporal", "w=2", "name=second", *TEMPORAL, "inference.write=[]", cwd=home)
    for found in ("image model: ", "control without the consistency term: ", "recurrent baseline: "):
        assert found in printed
    assert "pseudo-labels: 3 of 3 videos are in" in printed
    assert len(list((home / "runs" / "image").glob("*/metrics.json"))) == 1
    assert before == {path: path.stat().st_mtime_ns for path in (home / "runs").glob("cache/**/*.mkv")}


def test_the_result_and_its_control_lie_between_the_image_model_and_what_was_trained(home):
    settings = ["temporal.finetuned_share=0.25", "controls=[continued,finetuned]", "smoother=none"]
    printed = succeed("stage=temporal", "name=mixed", *TEMPORAL, *settings, "inference.write=[]", cwd=home)
    # labelled images alone have nothing of it
    assert "image model after further steps: " in printed
    run = home / "runs" / "temporal" / "mixed"
    (image,) = (home / "runs" / "image").glob("*/weights.safetensors")
    start, _ = load_tensors(image)
    control = (run / load_tensors(run / "weights.safetensors")[1].control_weights["finetuned"]).parent
    for folder in (run, control):
        mixed, _ = load_tensors(folder / "weights.safetensors")
        trained, _ = load_tensors(folder / "checkpoints" / "last.ckpt")
        weights = [name for name, tensor in mixed.items() if tensor.is_floating_point()]
        assert max((trained[name] - start[name]).abs().max() for name in weights) > 1e-3
        for name in weights:
            torch.testing.assert_close(mixed[name], 0.75 * start[name] + 0.25 * trained[name])


def test_a_finished_run_is_not_repeated_and_not_overwritten(home):
    record = home / "runs" / "temporal" / "first" / "metrics.json"
    before = record.stat().st_mtime_ns
    assert "finished already" in succeed("stage=temporal", "w=0.5", "name=first", *TEMPORAL, cwd=home)
    refused = facestab("stage=temporal", "w=0.7", "name=first", *TEMPORAL, cwd=home)
    assert refused.returncode == 1
    assert "choose another name" in refused.stderr
    assert record.stat().st_mtime_ns == before


@pytest.mark.parametrize("ckpt", ["checkpoints/last.ckpt", "weights.safetensors"])
def test_a_real_clip_goes_through_with_one_output_frame_for_each_input_frame(home, ckpt):
    source = carphone()
    name = ckpt.split("/")[0]
    succeed("stage=predict", f"ckpt=runs/temporal/first/{ckpt}", f"video.source={source}", f"name={name}", cwd=home)
    run = home / "runs" / "predict" / name
    with open_video(source) as clip:
        info = clip.info
    folder = run / "videos" / "carphone_pristine"
    labels = np.stack(list(read_labels(folder / "labels.mkv")))
    assert labels.shape == (info.num_frames, info.height, info.width)
    for video in ("overlay.mp4", "compare.mp4"):
        with open_video(folder / video) as written:
            assert written.info.num_frames == info.num_frames
            assert written.info.fps == info.fps == Fraction(30000, 1001)
            assert len(list(written.frames())) == info.num_frames
    record = read_record(run)
    assert list(record["metrics"]) == STABILIZED_ROWS
    assert "val/miou" not in record["metrics"]["stabilized"]
    assert record["verdicts"]["stabilized"]["decision"] == "not shown"
    assert record["labels"]["names"][-1] == "hair"
    described = record["inputs"]["carphone_pristine"]
    assert (described["fps"], described["frames"]) == ("30000/1001", info.num_frames)
    assert described["size"] == [info.height, info.width]
    assert 0 < described["flow_endpoint_error_px"] < 2
    assert 0 < described["photometric_error"] < 0.1


def test_an_image_model_alone_segments_video_too(home):
    weights = next((home / "runs" / "image").glob("*/weights.safetensors"))
    clip = next((home / "runs" / "cache" / "synthetic").glob("*/test_0000/frames.mkv"))
    succeed("stage=predict", f"ckpt={weights}", f"video.source={clip}", "name=image", "smoother=controls", cwd=home)
    run = home / "runs" / "predict" / "image"
    assert list(read_record(run)["metrics"]) == CONTROL_ROWS
    assert (run / "videos" / "frames" / "compare.mp4").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_length_of_a_video(home, tmp_path):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (15, 20, 3)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    peaks = []
    for num_frames in (100, 900):
        clip = tmp_path / f"{num_frames}.mp4"
        with VideoSink(clip, Fraction(25), codec="h264") as sink:
            for t in range(num_frames):
                sink.write(np.roll(picture, t, axis=1))
        weights = home / "runs" / "temporal" / "first" / "weights.safetensors"
        settings = ["stage=predict", f"ckpt={weights}", f"video.source={clip}", f"name={num_frames}"]
        peaks.append(peak_memory_kib(*settings, "flow=none", "smoother=none", cwd=tmp_path))
    # 800 frames more are 180 MiB when they are kept; encoders and allocator vary by up to 100 MiB from run to run
    assert peaks[1] < peaks[0] + 140 * 1024


def test_folders_of_frames_and_of_files_go_through(home, tmp_path):
    with open_video(carphone()) as clip:
        frames = [frame for _, frame in zip(range(4), clip.frames(), strict=False)]
    for folder in (tmp_path / "set" / "a", tmp_path / "set" / "b"):
        folder.mkdir(parents=True)
        for t, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / f"{t:03d}.png")
    (tmp_path / "set" / "clip.mp4").write_bytes(carphone().read_bytes())
    ckpt = home / "runs" / "temporal" / "first" / "weights.safetensors"
    succeed("stage=predict", f"ckpt={ckpt}", f"video.source={tmp_path}/set", "name=x", "flow=none", cwd=tmp_path)
    record = read_record(tmp_path / "runs" / "predict" / "x")
    assert {id_: values["frames"] for id_, values in record["inputs"].items()} == {"a": 4, "b": 4, "clip": 120}
    assert "tc/masked" not in record["metrics"]["stabilized"]


def test_two_processes_write_the_same_files_and_metrics_as_one(home):
    """A folder of videos for two processes, and one clip for two."""
    ckpt = "ckpt=runs/temporal/first/weights.safetensors"
    clips = next((home / "runs" / "cache" / "synthetic").glob("*/test_0000")).parent
    for source, name in ((clips, "many"), (clips / "test_0000" / "frames.mkv", "single")):
        for trainer in ("cpu", "ddp_cpu"):
            succeed(
                "stage=predict",
                ckpt,
                f"video.source={source}",
                f"trainer={trainer}",
                f"name={name}_{trainer}",
                cwd=home,
            )
        one, two = (home / "runs" / "predict" / f"{name}_{trainer}" for trainer in ("cpu", "ddp_cpu"))
        assert {str(p.relative_to(one)) for p in one.rglob("*.mkv")} == {
            str(p.relative_to(two)) for p in two.rglob("*.mkv")
        }
        for path in one.rglob("labels.mkv"):
            assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()
        assert without_time(read_record(one)) == without_time(read_record(two))


def without_time(record):
    text = json.dumps({key: record[key] for key in ("metrics", "videos", "inputs")})
    strip = lambda pairs: {k: v for k, v in pairs if not k.startswith("time/")}  # noqa: E731
    return json.loads(text, object_pairs_hook=strip)


def test_the_temporal_stage_trains_on_two_processes(home):
    printed = succeed("stage=temporal", "w=0.5", "name=ddp", "trainer=ddp_cpu", *TEMPORAL, cwd=home)
    assert "CPU x 2" in printed
    record = read_record(home / "runs" / "temporal" / "ddp")
    assert list(record["metrics"]) == TEMPORAL_ROWS
    assert sorted(record["videos"]) == ["test_0000", "test_0001", "test_0002"]


def test_the_report_prints_the_table_and_writes_the_page(home):
    printed = succeed("runs/temporal/first", "--figure", "figure.png", cwd=home, module="facestab.report")
    for title in ("ground truth", "frozen first frame", "image model", "+ EMA 0.5", "+ ConvGRU", "facestab"):
        assert title in printed
    page = (home / "runs" / "temporal" / "first" / "report.html").read_text()
    assert "videos/test_0000/overlay.mp4" in page
    with Image.open(home / "figure.png") as picture:
        assert min(picture.size) > 300
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50


MISTAKES = [
    (["stage=temporal", "net=tiny", "init=WEIGHTS", "teacher=missing.ckpt"], "missing.ckpt: no such checkpoint"),
    (["stage=temporal", "controls=[finetune]"], "controls: 'finetune' is none of continued, finetuned, oracle"),
    (["stage=temporal", "split=train"], "split: one of test, val, all is needed, got 'train'"),
    (["stage=temporal", "consistency=softmax_l1_warped"], "needs motion; add flow@pair_flow=farneback"),
    (["stage=temporal", "consistency.balance=2"], "balance: a number from 0 to 1 is needed, got 2"),
    (
        ["stage=temporal", "net=tiny", "init=WEIGHTS", "pseudo.teacher.fusion.decay=1"],
        "decay: 0 <= decay < 1 is needed, got 1",
    ),
    (
        ["stage=temporal", "net=tiny", "init=WEIGHTS", "temporal.pairs.gaps=[0]"],
        "gaps: whole numbers of at least 1 frame are needed",
    ),
    # there is no image model of this size, and none is trained for settings that cannot work
    (["stage=temporal", "net=tiny", "size=40", "temporal.pairs.gaps=[0]"], "gaps: whole numbers of at least 1"),
    (["stage=temporal", "net=tiny", "size=40", "teacher=missing.ckpt"], "missing.ckpt: no such checkpoint"),
    (["stage=image", "w=0.5"], "'w'"),
    (["stage=nothing"], "nothing"),
    ([], "stage"),
    (["stage=image", "threshold=-1"], "threshold must be a finite number of at least 0, got -1"),
    (["stage=image", "threshold=low"], "threshold must be"),
    (["stage=image", "net=module"], "module must be a torch.nn.Module"),
    (["stage=temporal", "w=nan"], "w must be a finite number"),
    (["stage=temporal", "w=-2"], "w must be"),
    (["stage=image", "size=4"], "size must be"),
    (["stage=image", "data.batch_size=0"], "data.batch_size must be a whole number of at least 1, got 0"),
    (["stage=image", "net.encoder=resnet19"], "encoder='resnet19'"),
    (["stage=image", "net.features=nowhere"], "features='nowhere' names no layer"),
    (["stage=image", "augment.flip=2"], "augment.flip is a probability, got 2"),
    (["stage=temporal", "init=missing.ckpt"], "missing.ckpt: no such checkpoint"),
    (["stage=temporal", "init=WEIGHTS"], "made for another network"),
    (["stage=predict", "video.source=x.mp4"], "ckpt"),
    (["stage=predict", "ckpt=missing.ckpt", "video.source=x.mp4"], "missing.ckpt: no such checkpoint"),
    (["stage=predict", "ckpt=WEIGHTS", "video.source=CLIP", "inference.batch_size=0"], "inference.batch_size must be"),
    (["stage=predict", "ckpt=WEIGHTS", "video.source=missing.mp4"], "missing.mp4"),
    (["stage=predict", "ckpt=WEIGHTS", "video.source=text.mp4"], "text.mp4"),
    (["stage=predict", "ckpt=WEIGHTS", "video.source=CLIP", "inference.write=[tiff]"], "'tiff' is none of"),
    (
        ["stage=temporal", "net=tiny", "temporal.diagnose_every=-1", "init=WEIGHTS"],
        "temporal.diagnose_every must not be negative",
    ),
    (
        ["stage=temporal", "net=tiny", "paths.decoded_gb=-1", "init=WEIGHTS"],
        "paths.decoded_gb must be 0 or more, got -1",
    ),
    (["-m", "stage=image", "seed=0,1", "trainer=ddp_cpu"], "a sweep runs one device a job"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES])
def test_a_mistake_is_one_clear_line(home, arguments, message, capsys, monkeypatch):
    (home / "text.mp4").write_text("this is no video")
    weights = "runs/temporal/first/weights.safetensors"
    arguments = [a.replace("WEIGHTS", weights).replace("CLIP", str(carphone())) for a in arguments]
    before = set((home / "runs").rglob("*"))
    assert message in mistake(*arguments, cwd=home, capsys=capsys, monkeypatch=monkeypatch)
    left = {path for path in set((home / "runs").rglob("*")) - before if path.is_file()}
    assert not [path for path in left if path.name in ("metrics.json", "weights.safetensors", "labels.mkv")]


def test_a_command_that_fails_exits_with_1(home):
    mistakes = {
        "missing.ckpt: no such checkpoint": ("stage=predict", "ckpt=missing.ckpt", "video.source=x.mp4"),
        "w must be": ("stage=temporal", "w=-1"),
    }
    for message, arguments in mistakes.items():
        done = facestab(*arguments, cwd=home)
        assert done.returncode == 1
        assert message in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stdout + done.stderr
