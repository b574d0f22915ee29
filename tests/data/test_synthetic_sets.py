import numpy as np
import pytest

from facestab.build import build
from facestab.data.synthetic import Clip, Conditions, identity_seed, labelled_image
from facestab.data.synthetic.sets import FIRST_CLIP_IDENTITY, FPS, SyntheticImages, SyntheticVideos
from facestab.labels import LabelSet
from facestab.video.label_video import read_labels
from facestab.video.source import open_video


@pytest.fixture(scope="module")
def videos(face11, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    set_ = SyntheticVideos(str(root), face11, size=48, num_frames=4, num_train=2, num_val=1, num_test=1)
    set_.prepare()
    return set_


def test_stills_come_back_as_they_were_rendered(face11, tmp_path):
    images = SyntheticImages(str(tmp_path), face11, size=32, num_train=3, num_val=1, num_test=1)
    images.prepare()
    split = images.split("train")
    assert len(split) == 3
    for index in range(3):
        image, labels = labelled_image(identity_seed("train", index), size=32)
        np.testing.assert_array_equal(split[index].image_HWC, image)
        np.testing.assert_array_equal(split[index].labels_HW, labels)


def test_clips_and_their_labels_are_stored_without_loss(videos):
    item = videos.split("train")[1]
    clip = videos.clip(item)
    with open_video(item.path) as source:
        assert source.info == item.info
        frames = list(source.frames())
    for t, (frame, labels) in enumerate(zip(frames, read_labels(item.truth), strict=True)):
        np.testing.assert_array_equal(frame, clip.frame(t))
        np.testing.assert_array_equal(labels, clip.labels(t))


def test_the_world_behind_a_video_gives_its_exact_flow(videos):
    flow, visible = videos.clip(videos.split("test")[0]).flow(0)
    assert flow.shape == (48, 48, 2)
    assert visible.mean() > 0.8


def test_nobody_is_in_two_splits_or_in_stills_and_clips(videos):
    stills = {identity_seed(split, index) for split in ("train", "val", "test") for index in range(1000)}
    clips = [
        identity_seed(split, FIRST_CLIP_IDENTITY + index) for split in ("train", "val", "test") for index in range(1000)
    ]
    assert len(set(clips)) == len(clips)
    assert stills.isdisjoint(clips)


def test_prepared_clips_are_not_rendered_again(videos):
    before = {path: path.stat().st_mtime_ns for path in videos.folder.rglob("*.mkv")}
    videos.prepare()
    assert before == {path: path.stat().st_mtime_ns for path in videos.folder.rglob("*.mkv")}
    assert len(before) == 8


def test_a_clip_that_was_interrupted_is_rendered_again(videos):
    frames, labels = (videos.split("val")[0].path, videos.split("val")[0].truth)
    labels.unlink()
    videos.prepare()
    assert labels.exists()
    clip = Clip(
        identity_seed("val", FIRST_CLIP_IDENTITY), 0, num_frames=4, size=48, fps=FPS, conditions=Conditions.video()
    )
    with open_video(frames) as source:
        np.testing.assert_array_equal(next(iter(source.frames())), clip.frame(0))


def test_other_settings_have_another_cache(face11, tmp_path):
    numbers = {"num_train": 1, "num_val": 1, "num_test": 1}
    folders = {
        SyntheticVideos(str(tmp_path), face11, size=size, num_frames=frames, **numbers).folder
        for size in (32, 48)
        for frames in (4, 5)
    }
    assert len(folders) == 4


COARSE = {0: [0], 1: [1, 2, 3, 6], 2: [4, 5], 3: [7, 8, 9], 4: [10]}


def test_a_coarser_label_set_sees_the_same_faces_with_merged_classes(compose_config, face11, tmp_path):
    coarse5 = build(compose_config("stage=image", "labels=coarse5").labels)
    numbers = {"num_train": 1, "num_val": 1, "num_test": 1}
    found = []
    for labels in (face11, coarse5):
        images = SyntheticImages(str(tmp_path), labels, size=48, **numbers)
        videos = SyntheticVideos(str(tmp_path), labels, size=48, num_frames=3, **numbers)
        images.prepare()
        videos.prepare()
        (item,) = videos.split("test")
        with open_video(item.path) as source:
            frames = np.stack(list(source.frames()))
        found.append((*images.split("train")[0][:2], frames, np.stack(list(read_labels(item.truth)))))
    (still, fine, frames, fine_clip), (same_still, coarse, same_frames, coarse_clip) = found
    np.testing.assert_array_equal(still, same_still)
    np.testing.assert_array_equal(frames, same_frames)
    for before, after in ((fine, coarse), (fine_clip, coarse_clip)):
        for id, parts in COARSE.items():
            np.testing.assert_array_equal(after == id, np.isin(before, parts))


def test_other_things_than_faces_or_an_empty_split_are_refused(tmp_path, face11):
    covers = {"person": face11.names[1:]}
    cats = LabelSet(["background", "person", "cat"], [[0, 0, 0], [9, 9, 9], [1, 1, 1]], covers=covers)
    with pytest.raises(ValueError, match="has nothing that is called cat"):
        SyntheticImages(str(tmp_path), cats, size=32, num_train=1, num_val=1, num_test=1)
    parts = LabelSet(["background", "skin"], [[0, 0, 0], [9, 9, 9]])
    with pytest.raises(ValueError, match="no class is called left_brow or covers it"):
        SyntheticImages(str(tmp_path), parts, size=32, num_train=1, num_val=1, num_test=1)
    with pytest.raises(ValueError, match="num_val must be at least 1"):
        SyntheticImages(str(tmp_path), face11, size=32, num_train=1, num_val=0, num_test=1)
