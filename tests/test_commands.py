"""Commands that need nothing of an earlier run: sweeps, thresholds, a network of the user's own."""

import ast
import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from facestab.data.synthetic import identity_seed, labelled_image
from facestab.nets.weights import ModelCard, save_weights
from facestab.record import read_record
from facestab.video.label_video import read_labels
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.clips import carphone
from tests.tiny import IMAGE, NET, STABILIZED_ROWS, TEMPORAL, TEMPORAL_ROWS, facestab, succeed, tiny_net
from tests.video.barcode import write_clip

pytestmark = pytest.mark.slow
README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_configuration_can_be_printed_without_running(tmp_path):
    printed = succeed("stage=temporal", "w=0.25", "--cfg", "job", "--resolve", cwd=tmp_path)
    assert OmegaConf.create(printed).consistency.w == 0.25
    assert not list(tmp_path.iterdir())


OWN_NETWORK = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Conv2d(8, num_classes, 1)

    def forward(self, x):
        return {"out": self.head(self.body(x))}
"""


def test_a_network_of_the_users_own_goes_all_the_way(tmp_path):
    (tmp_path / "mynet.py").write_text(OWN_NETWORK)
    net = ["net=module", "+net.module._target_=mynet.Net", "+net.module.num_classes=11", "net.features=body"]
    settings = [setting for setting in TEMPORAL if not setting.startswith("net=")]
    succeed("stage=temporal", "name=own", *net, *settings, cwd=tmp_path)
    command = ["stage=predict", "ckpt=runs/temporal/own/weights.safetensors", f"video.source={carphone()}", "name=own"]
    refused = facestab(*command, cwd=tmp_path)
    assert refused.returncode == 1
    assert "'mynet.Net', which is not trusted" in refused.stderr
    succeed(*command, "allow_targets=[mynet]", cwd=tmp_path)
    assert list(read_record(tmp_path / "runs" / "predict" / "own")["metrics"]) == STABILIZED_ROWS


def test_an_exported_network_runs_here_with_every_engine_and_there_without_facestab(tmp_path):
    succeed("stage=image", "name=image", *IMAGE, cwd=tmp_path)
    ckpt = "runs/image/image/weights.safetensors"
    assert "openvino bfloat16" in succeed("stage=export", f"ckpt={ckpt}", "name=mine", cwd=tmp_path)
    folder = tmp_path / "runs" / "export" / "mine"
    found = json.loads((folder / "parity.json").read_text())["engines"]
    assert found["onnxruntime"]["agreement"] >= 0.999
    assert found["onnxruntime"]["aba_apart"] <= 0.0005
    with open_video(carphone()) as source, VideoSink(folder / "clip.mp4", source.info.fps) as sink:
        for frame in source.frames(0, 5):
            sink.write(frame)
    clip = f"video.source={folder / 'clip.mp4'}"
    quick = ["smoother=none", "flow=none", "inference.write=[labels]"]
    labels = {}
    for name, (path, engine) in {
        "a": (ckpt, "torch"),
        "b": (folder / "model.onnx", "torch"),
        "c": (folder / "model.onnx", "openvino"),
        "d": (ckpt, "auto"),
    }.items():
        said = succeed("stage=predict", f"ckpt={path}", clip, f"engine={engine}", f"name={name}", *quick, cwd=tmp_path)
        assert ("engine: " in said) == (engine == "auto")
        labels[name] = np.stack(list(read_labels(tmp_path / f"runs/predict/{name}/videos/clip/labels.mkv")))
        assert (labels[name] != labels["a"]).mean() < 0.002
    (code,) = re.findall(r"```py\n(.*?)```", README.read_text(), re.DOTALL)
    command = [sys.executable, "-c", code]
    alone = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120)
    counts = [ast.literal_eval(line) for line in alone.stdout.splitlines()]
    assert len(counts) == len(labels["a"])
    for count, own in zip(counts, labels["a"], strict=True):
        expected = np.bincount(own.ravel(), minlength=len(count))
        # OpenCV decodes colours a little differently
        assert np.abs(np.array(list(count.values())) - expected).sum() < 0.05 * own.size


def test_a_folder_of_labelled_faces_and_a_real_clip_without_labels_are_enough(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / "faces" / name).mkdir(parents=True)
    for i in range(24):
        image, labels = labelled_image(identity_seed("train", i), size=64)
        Image.fromarray(image).save(tmp_path / "faces" / "images" / f"{i}.jpg")
        Image.fromarray(labels).save(tmp_path / "faces" / "labels" / f"{i}.png")
    data = ["data=flat", "data.root=faces", "data.val_share=0.3", "data.batch_size=8", "data.num_workers=0"]
    video = ["video=folder", f"video.source={carphone()}", "temporal.max_epochs=1", "temporal.pairs.num_workers=0"]
    small = [
        "net=tiny",
        "size=48",
        "image.max_epochs=1",
        "recurrent.max_epochs=1",
        "recurrent.windows.num_workers=0",
        "trainer.limit_train_batches=4",
        "trainer.limit_val_batches=2",
    ]
    succeed("stage=temporal", "name=real", *data, *video, *small, cwd=tmp_path)
    run = tmp_path / "runs" / "temporal" / "real"
    record = read_record(run)
    assert list(record["metrics"]) == TEMPORAL_ROWS[1:]
    assert record["inputs"]["carphone_pristine"]["frames"] == 120
    assert "val/miou" not in record["metrics"]["stabilized"]
    assert "val/miou" in record["training"]
    with open_video(run / "videos" / "carphone_pristine" / "compare.mp4") as written:
        assert written.info.num_frames == 120


def write_celebamask_hq(root, number):
    """Synthetic faces as the data set lays faces out: a mask for each part, sides those of the person."""
    names = ["", "skin", "r_brow", "l_brow", "r_eye", "l_eye", "nose", "u_lip", "mouth", "l_lip", "hair"]
    lines = ["idx orig_idx orig_file proc_md5 final_md5"]
    for n in range(number):
        image, labels = labelled_image(identity_seed("train", n), size=64)
        (root / "CelebA-HQ-img").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).resize((128, 128)).save(root / "CelebA-HQ-img" / f"{n}.jpg")
        folder = root / "CelebAMask-HQ-mask-anno" / "0"
        folder.mkdir(parents=True, exist_ok=True)
        for id, part in enumerate(names):
            if part and (labels == id).any():
                Image.fromarray(np.uint8(255 * (labels == id))).convert("RGB").save(folder / f"{n:05d}_{part}.png")
        # the first of CelebA's numbers that validates is 162771, that tests 182638
        original = n if n % 4 else 162771 + n if n % 8 else 182638 + n
        lines.append(f"{n} {original} {original:06d}.jpg x y")
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines))


def test_a_face_data_set_and_a_list_of_clips_with_small_faces_go_all_the_way(tmp_path):
    write_celebamask_hq(tmp_path / "celeb", 24)
    shutil.copy(carphone(), tmp_path / "clip.mp4")
    (tmp_path / "clips.csv").write_text(
        "path,start,end,split\nclip.mp4,0,1.2,train\nclip.mp4,2,2.8,val\ngone.mp4,,,train\n"
    )
    data = ["data=celebamask_hq", "data.root=celeb", "data.batch_size=8", "data.num_workers=0"]
    clips = ["video=folder", "video.source=clips.csv", "detector=lbp", "detector.compare_fixed=true"]
    small = ["net=tiny", "size=48", "image.max_epochs=1", "temporal.max_epochs=1", "temporal.pairs.num_workers=0"]
    files = ["smoother=none", "controls=[]", "inference.write=[overlay,cutout,json]"]
    succeed("stage=temporal", "name=all", *data, *clips, *small, *files, cwd=tmp_path)
    run = tmp_path / "runs" / "temporal" / "all"
    record = read_record(run)
    assert list(record["metrics"]) == ["image", "fixed_crop", "stabilized"]
    assert [path for path in record["skipped"] if path.endswith("gone.mp4")]
    (video,) = (run / "videos").iterdir()
    frames = json.loads((video / "frames.json").read_text())["frames"]
    with open_video(video / "overlay.mp4") as written:
        # 2.0 to 2.8 s at 30000/1001 frames a second
        assert written.info.num_frames == len(frames) == 24
        assert (written.info.height, written.info.width) == (144, 176)
    assert all(len(frame["squares"]) == 1 and 40 < frame["squares"][0]["side"] < 144 for frame in frames)


def test_own_clips_are_all_learned_from_and_all_predicted(tmp_path, face11):
    save_weights(tmp_path / "net.safetensors", tiny_net(), ModelCard("image", NET, face11.to_dict(), 48))
    (tmp_path / "clips").mkdir()
    for name, num_frames in (("a", 4), ("b", 5), ("c", 6)):
        write_clip(tmp_path / "clips" / f"{name}.mp4", num_frames)
    (tmp_path / "clips" / "torn.mp4").write_bytes(b"no video")
    own = ["experiment=own_clips", "video.source=clips", "init=net.safetensors", "controls=[]", "smoother=none"]
    small = [word for word in TEMPORAL if not word.startswith(("video.", "recurrent."))]
    printed = succeed("name=own", *own, *small, cwd=tmp_path)
    assert "pseudo-labels: 0 of 3 videos" in printed
    # training, labelling and prediction each come upon it
    assert printed.count("torn.mp4") == 1
    record = read_record(tmp_path / "runs" / "temporal" / "own")
    assert list(record["inputs"]) == ["a", "b", "c"]
    with (tmp_path / "runs" / "temporal" / "own" / "metrics.csv").open() as stream:
        steps = [int(row["step"]) for row in csv.DictReader(stream) if row["train/loss"]]
    # 3, 4 and 5 pairs, in batches of 4
    assert max(steps) == 2


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_wrong_id_is_one_clear_line_from_a_loaders_worker_too(tmp_path, num_workers):
    for name, value in (("images", 99), ("labels", 77)):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for i in range(16):
            Image.new("L", (48, 48), value).save(tmp_path / "faces" / name / f"{i}.png")
    data = [
        "data=flat",
        "data.root=faces",
        "data.val_share=0.3",
        "data.batch_size=4",
        f"data.num_workers={num_workers}",
    ]
    done = facestab("stage=image", "net=tiny", "size=48", "name=bad", *data, cwd=tmp_path)
    errors = [line for line in done.stderr.splitlines() if line.startswith("facestab: error:")]
    assert done.returncode == 1
    assert len(errors) == 1
    assert re.fullmatch(
        r"facestab: error: \S+\.png: holds the id 77, which stands for no class; ids go from 0 to 10", errors[0]
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "runs" / "image" / "bad" / "metrics.json").exists()


def test_a_sweep_trains_each_image_model_once_and_skips_what_is_done(tmp_path):
    command = ["-m", "stage=temporal", "w=0.1,0.5", "threshold=0.1,3", *TEMPORAL, "inference.write=[]"]
    succeed(*command, cwd=tmp_path)
    sweep = next((tmp_path / "runs" / "sweeps").iterdir())
    with (sweep / "sweep.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["w"], row["threshold"]) for row in rows] == [
        ("0.1", "0.1"),
        ("0.1", "3"),
        ("0.5", "0.1"),
        ("0.5", "3"),
    ]
    assert {row["state"] for row in rows} == {"finished"}
    assert all(float(row["stabilized/flicker/aba"]) >= 0 for row in rows)
    images = [read_record(path.parent) for path in (tmp_path / "runs" / "image").glob("*/metrics.json")]
    assert sorted((record["threshold"], record["ended_by"]) for record in images) == [(0.1, "budget"), (3, "threshold")]
    written = {path: path.stat().st_mtime_ns for path in sweep.glob("*/metrics.json")}
    assert succeed(*command, cwd=tmp_path).count("finished already") == 4
    assert written == {path: path.stat().st_mtime_ns for path in sweep.glob("*/metrics.json")}
    assert list((tmp_path / "runs" / "sweeps").iterdir()) == [sweep]


def test_the_threshold_ends_the_image_stage(tmp_path):
    # a fresh network's J is about ln 11 = 2.4
    printed = succeed("stage=image", "threshold=5", "name=easy", *IMAGE, "logger=wandb_offline", cwd=tmp_path)
    record = read_record(tmp_path / "runs" / "image" / "easy")
    assert (record["ended_by"], record["epochs"]) == ("threshold", 1)
    assert "ended by threshold after 1 epochs" in printed
    assert list((tmp_path / "runs" / "image" / "easy").glob("wandb/offline-run-*/run-*.wandb"))


def test_threshold_zero_uses_the_whole_budget(tmp_path):
    succeed("stage=image", "threshold=0", "name=full", *IMAGE, cwd=tmp_path)
    record = read_record(tmp_path / "runs" / "image" / "full")
    assert (record["ended_by"], record["epochs"]) == ("budget", 2)
