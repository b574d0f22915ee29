"""stage=label as a user runs it."""

import json

import numpy as np
import pytest
import torch

from facestab.data.pseudo import PseudoLabelStore
from facestab.data.teacher import FrameTeacher
from facestab.nets.weights import ModelCard, save_weights
from facestab.video.label_video import read_labels
from facestab.video.sink import VideoSink
from tests.tiny import NET, facestab, tiny_net

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path, face11):
    """Weights, two clips and one file that is none."""
    save_weights(tmp_path / "net.safetensors", tiny_net(), ModelCard("image", NET, face11.to_dict(), 48))
    (tmp_path / "clips").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        with VideoSink(tmp_path / "clips" / f"{name}.mkv", 25, codec="ffv1_rgb") as sink:
            for _ in range(4):
                sink.write(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8))
    (tmp_path / "clips" / "broken.mp4").write_text("no video")
    return tmp_path


COMMAND = ["stage=label", "ckpt=net.safetensors", "video.source=clips", "pseudo=hard", "write=[labels,confidence]"]


def test_all_videos_are_labelled_as_the_store_labels_them_and_listed(folder, face11):
    done = facestab(*COMMAND, "name=one", "trainer=cpu", cwd=folder)
    assert done.returncode == 0, done.stderr
    run = folder / "runs" / "label" / "one"
    listed = json.loads((run / "labels.json").read_text())
    assert list(listed["videos"]) == ["a", "b"]
    assert [path.endswith("broken.mp4") for path in listed["skipped"]] == [True]
    store = PseudoLabelStore(str(folder / "other"), tiny_net(), 48, FrameTeacher(face11), face11)
    from facestab.data.video_folder import VideoFolder

    items = VideoFolder(str(folder / "clips")).split("all")
    store.fill(items, torch.device("cpu"))
    assert listed["model"] == store.model
    for item in items:
        made = (run / listed["videos"][item.id]["labels"]).resolve()
        assert made.read_bytes() == store.path(item).read_bytes()
        soft = list(store.certain(item).frames())
        np.testing.assert_array_equal(
            np.stack(list(read_labels(run / "videos" / item.id / "labels.mkv"))), np.stack([s.label_HW for s in soft])
        )
        confidence = np.stack(list(read_labels(run / "videos" / item.id / "confidence.mkv")))
        np.testing.assert_allclose(confidence, 255 * (2 * np.stack([s.share_HW for s in soft]) - 1), atol=0.51)
        assert confidence.std() > 1


def test_two_processes_share_the_videos_and_label_what_one_labels(folder):
    for name, trainer in (("one", "cpu"), ("two", "ddp_cpu")):
        done = facestab(*COMMAND, f"name={name}", f"trainer={trainer}", f"paths.cache=cache_{name}", cwd=folder)
        assert done.returncode == 0, done.stderr
    one, two = (sorted((folder / f"cache_{name}" / "pseudo").glob("*/*.mkv")) for name in ("one", "two"))
    assert len(one) == 2
    assert [path.name for path in one] == [path.name for path in two]
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_another_label_set_and_an_unknown_kind_are_refused_in_one_line(folder):
    for override, message in (
        ("labels=coarse5", "net.safetensors: made for the labels"),
        ("write=[video]", "write: 'video' is none of labels, confidence"),
        ("split=dev", "no video is in the split 'dev'"),
    ):
        done = facestab(*COMMAND, "name=x", "trainer=cpu", override, cwd=folder)
        assert done.returncode == 1
        (line,) = [text for text in done.stderr.splitlines() if "error" in text]
        assert message in line
