"""Exact flow as a backend, and how close the estimators come to it."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from facestab.build import build, conf_dir
from facestab.data.exact_flow import ExactFlow
from facestab.data.synthetic import Clip, Conditions, identity_seed
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.errors import FacestabError, SettingError
from facestab.functional.warping import visible_mask, warp_labels
from facestab.labels import LabelSet
from facestab.video.farneback import FarnebackFlow
from facestab.video.flow import DisFlow, FlowBackend, VideoFrame

SIZE = 64


@pytest.fixture(scope="module")
def videos(face11: LabelSet, tmp_path_factory: pytest.TempPathFactory) -> SyntheticVideos:
    # nothing is rendered: exact flow needs no files
    root = str(tmp_path_factory.mktemp("world"))
    return SyntheticVideos(root, face11, size=SIZE, num_frames=12, num_train=2, num_val=1, num_test=2)


def _frame(video: str, index: int, size: int = SIZE) -> VideoFrame:
    return VideoFrame(video, index, np.zeros((size, size, 3), np.uint8))


@pytest.mark.parametrize(("start", "end"), [(3, 4), (3, 7), (7, 3), (11, 0), (5, 5)])
def test_any_two_frames_of_a_clip_have_the_flow_of_its_world(videos: SyntheticVideos, start: int, end: int) -> None:
    found = ExactFlow(videos).correspondence(_frame("val_0000", start), _frame("val_0000", end))
    flow_HW2, visible_HW = videos.clip(videos.split("val")[0]).flow(start, end - start)
    assert found.flow_HW2.dtype == np.float32
    assert found.visible_HW.dtype == bool
    np.testing.assert_array_equal(found.flow_HW2, flow_HW2)
    np.testing.assert_array_equal(found.visible_HW, visible_HW)


def test_videos_may_be_asked_for_in_any_order_and_from_a_copy(videos: SyntheticVideos) -> None:
    backend = ExactFlow(videos)
    asked = [("train_0001", 0, 2), ("test_0001", 4, 5), ("train_0001", 2, 0), ("test_0000", 4, 5), ("test_0001", 4, 5)]
    for video, start, end in asked:
        found = backend.correspondence(_frame(video, start), _frame(video, end))
        fresh = ExactFlow(videos).correspondence(_frame(video, start), _frame(video, end))
        np.testing.assert_array_equal(found.flow_HW2, fresh.flow_HW2)
    assert len(pickle.dumps(backend)) < 10_000
    copy = pickle.loads(pickle.dumps(backend)).correspondence(_frame("test_0001", 4), _frame("test_0001", 5))
    np.testing.assert_array_equal(copy.flow_HW2, found.flow_HW2)


def test_parts_of_frames_have_their_part_of_the_flow(videos: SyntheticVideos) -> None:
    backend = ExactFlow(videos)
    whole = backend.correspondence(_frame("val_0000", 3), _frame("val_0000", 4))
    parts = [VideoFrame("val_0000", t, np.zeros((20, 30, 3), np.uint8), (5, 8)) for t in (3, 4)]
    found = backend.correspondence(*parts)
    np.testing.assert_array_equal(found.flow_HW2, whole.flow_HW2[5:25, 8:38])
    np.testing.assert_array_equal(found.visible_HW, whole.visible_HW[5:25, 8:38])
    with pytest.raises(FacestabError, match="between the same parts"):
        backend.correspondence(parts[0], _frame("val_0000", 4))


@pytest.mark.parametrize("gap", [1, 2, 4])
def test_true_labels_agree_along_the_flow_where_it_is_visible(videos: SyntheticVideos, gap: int) -> None:
    backend = ExactFlow(videos)
    clip = videos.clip(videos.split("test")[0])
    kept, unwarped, still = [], [], []
    for t in range(0, 12 - gap, 3):
        found = backend.correspondence(_frame("test_0000", t), _frame("test_0000", t + gap))
        now_HW, then_HW = (torch.from_numpy(clip.labels(index)) for index in (t, t + gap))
        warped_HW, inside_HW = warp_labels(then_HW, torch.from_numpy(found.flow_HW2))
        mask_HW = torch.from_numpy(found.visible_HW) & inside_HW
        kept.append((warped_HW == now_HW)[mask_HW].float().mean())
        unwarped.append((then_HW == now_HW)[mask_HW].float().mean())
        still.append(mask_HW.float().mean())
    assert np.mean(kept) > 0.98
    assert np.mean(kept) > np.mean(unwarped)
    assert np.mean(still) > 0.9


def test_the_forward_backward_check_of_exact_flows_hides_little_that_is_visible(videos: SyntheticVideos) -> None:
    backend = ExactFlow(videos)
    there = backend.correspondence(_frame("test_0001", 2), _frame("test_0001", 6))
    back = backend.correspondence(_frame("test_0001", 6), _frame("test_0001", 2))
    checked_HW = visible_mask(torch.from_numpy(there.flow_HW2), torch.from_numpy(back.flow_HW2)).numpy()
    assert checked_HW[there.visible_HW].mean() > 0.98


def _errors(backend: FlowBackend, conditions: Conditions) -> tuple[np.ndarray, np.ndarray]:
    """Distance of the estimated from the true target, and length of the true motion, of visible pixels in pixels."""
    errors, motions = [], []
    for person in (0, 3, 5):
        clip = Clip(identity_seed("train", person), person, num_frames=40, size=96, conditions=conditions)
        for t in (3, 27):
            true_HW2, visible_HW = clip.flow(t, 4)
            found = backend.correspondence(*(VideoFrame("a", index, clip.frame(index)) for index in (t, t + 4)))
            assert found.visible_HW[visible_HW].mean() > 0.85
            errors.append(np.linalg.norm(found.flow_HW2 - true_HW2, axis=-1)[visible_HW])
            motions.append(np.linalg.norm(true_HW2, axis=-1)[visible_HW])
    return np.concatenate(errors), np.concatenate(motions)


@pytest.mark.parametrize("backend", [DisFlow(), DisFlow("fast"), FarnebackFlow()], ids=lambda backend: backend.name)
def test_estimators_find_most_of_the_motion_of_clean_clips_and_do_not_lose_noisy_ones(backend: FlowBackend) -> None:
    errors, motions = _errors(backend, Conditions.clean())
    assert errors.mean() < 0.6 * motions.mean()
    assert errors.mean() < 0.35
    errors, _ = _errors(backend, Conditions.video())
    assert np.median(errors) < 0.5


@pytest.mark.parametrize(
    ("frame_a", "frame_b", "message"),
    [
        (_frame("my_clip", 0), _frame("my_clip", 1), r"'my_clip' is not a synthetic video.*flow=dis"),
        (_frame("test_0002", 0), _frame("test_0002", 1), "'test_0002' is not a synthetic video"),
        (_frame("test_0000", 0), _frame("test_0001", 1), "'test_0000' and 'test_0001'"),
        (_frame("test_0000", 0, 32), _frame("test_0000", 1, 32), "64 x 64 pixels, got 32 x 32"),
        (_frame("test_0000", 0), _frame("test_0000", 12), "frames 0 to 11, got 12"),
        (_frame("test_0000", -1), _frame("test_0000", 1), "frames 0 to 11, got -1"),
    ],
)
def test_what_is_not_known_is_an_error_that_says_so(
    videos: SyntheticVideos, frame_a: VideoFrame, frame_b: VideoFrame, message: str
) -> None:
    with pytest.raises(FacestabError, match=message):
        ExactFlow(videos).correspondence(frame_a, frame_b)


def _config(video: str, root: Path):
    files = {"flow": "flow/exact.yaml", "video": f"video/{video}.yaml", "labels": "labels/face11.yaml"}
    nodes = {name: OmegaConf.load(conf_dir() / file) for name, file in files.items()}
    settings = {
        "size": SIZE,
        "paths": {"cache": str(root)},
        **({"video": {"source": "x"}} if video == "folder" else {}),
    }
    return OmegaConf.merge(nodes, settings)


def test_the_config_gives_it_the_videos_of_the_run(tmp_path: Path) -> None:
    backend = build(_config("synthetic", tmp_path).flow)
    assert backend.name == "exact"
    assert backend.correspondence(_frame("test_0007", 38), _frame("test_0007", 39)).flow_HW2.shape == (SIZE, SIZE, 2)


def test_the_config_refuses_it_for_other_videos(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="synthetic videos only, got VideoFolder"):
        build(_config("folder", tmp_path).flow)


@pytest.mark.parametrize("name", ["dis_medium", "farneback", "raft_large", None])
def test_every_other_choice_of_the_group_builds(name: str | None) -> None:
    file = "none" if name is None else name.partition("_")[0]
    backend = build(OmegaConf.load(conf_dir() / "flow" / f"{file}.yaml"))
    assert (backend if backend is None else backend.name) == name
