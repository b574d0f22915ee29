from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from facestab.data.masks import Ids, find_masks, ids_of, match
from facestab.data.video_folder import VideoFolder
from facestab.errors import VideoError
from facestab.video.sink import VideoSink

FPS = Fraction(25)


def write_images(folder, num_frames=3, size=(12, 16), value=1):
    folder.mkdir(parents=True)
    for t in range(num_frames):
        Image.fromarray(np.full(size, value, np.uint8)).save(folder / f"{t}.png")
    return folder


def write_labels(path, num_frames=3, size=(12, 16), value=1):
    with VideoSink(path, FPS, codec="labels") as sink:
        for _ in range(num_frames):
            sink.write(np.full(size, value, np.uint8))
    return path


def write_video(path, num_frames=3, size=(12, 16)):
    with VideoSink(path, FPS) as sink:
        for t in range(num_frames):
            sink.write(np.full((*size, 3), 50 * t, np.uint8))
    return path


def videos(path):
    return VideoFolder(str(path)).split("all")


def test_masks_of_one_video_are_a_folder_of_images_or_a_label_video(tmp_path):
    images, labels = write_images(tmp_path / "png"), write_labels(tmp_path / "mine.mkv")
    assert list(find_masks(images, FPS)) == ["png"]
    assert list(find_masks(labels, FPS)) == ["mine"]


def test_masks_of_many_videos_are_found_by_id_in_any_form(tmp_path):
    write_images(tmp_path / "set" / "a")
    write_labels(tmp_path / "set" / "b.mkv")
    write_labels(tmp_path / "set" / "c" / "labels.mkv")
    (tmp_path / "set" / "notes.txt").write_text("")
    found = find_masks(tmp_path / "set", FPS)
    assert list(found) == ["a", "b", "c"]
    assert {id_: labels.info.num_frames for id_, labels in found.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_run_of_facestab_is_a_set_of_masks(tmp_path):
    write_labels(tmp_path / "run" / "videos" / "clip" / "labels.mkv")
    (tmp_path / "run" / "checkpoints").mkdir()
    assert list(find_masks(tmp_path / "run", FPS)) == ["clip"]


def test_one_video_takes_one_mask_sequence_whatever_its_name(tmp_path):
    items = videos(write_video(tmp_path / "clip.mp4"))
    (video,) = match(items, {"masks": find_masks(write_images(tmp_path / "png"), FPS)})
    assert (video.id, video.info.num_frames, video.timing().fps) == ("clip", 3, FPS)


def test_several_videos_take_their_masks_by_id(tmp_path):
    for name in ("x", "y"):
        write_video(tmp_path / "clips" / f"{name}.mp4")
        write_images(tmp_path / "masks" / name)
        write_labels(tmp_path / "truth" / f"{name}.mkv", value=2)
    sets = {name: find_masks(tmp_path / name, FPS) for name in ("masks", "truth")}
    matched = match(videos(tmp_path / "clips"), sets)
    assert [video.id for video in matched] == ["x", "y"]
    assert ids_of(matched) == Ids(frozenset({1, 2}))


@pytest.mark.parametrize(
    ("masks", "truth", "message"),
    [
        ({"num_frames": 2}, {}, r"masks: 2 masks, but .*clip\.mp4 has 3 frames"),
        ({}, {"num_frames": 4}, r"truth: 4 of 16x12, the masks are 3 of 16x12"),
        ({}, {"size": (12, 18)}, r"truth: 3 of 18x12, the masks are 3 of 16x12"),
    ],
)
def test_masks_that_do_not_fit_are_refused_by_name(tmp_path, masks, truth, message):
    items = videos(write_video(tmp_path / "clip.mp4"))
    sets = {
        "masks": find_masks(write_images(tmp_path / "masks", **masks), FPS),
        "truth": find_masks(write_images(tmp_path / "truth", **truth), FPS),
    }
    with pytest.raises(VideoError, match=message):
        match(items, sets)


def test_a_video_without_masks_and_masks_without_a_video_are_named(tmp_path):
    for name in ("x", "y"):
        write_video(tmp_path / "clips" / f"{name}.mp4")
    write_images(tmp_path / "masks" / "x")
    items = videos(tmp_path / "clips")
    with pytest.raises(VideoError, match="masks: none for the video 'y'; there are masks for x"):
        match(items, {"masks": find_masks(tmp_path / "masks", FPS)})
    write_images(tmp_path / "masks" / "y")
    write_images(tmp_path / "masks" / "z")
    with pytest.raises(VideoError, match=r"z: there is no video 'z' among x, y"):
        match(items, {"masks": find_masks(tmp_path / "masks", FPS)})


def test_a_folder_without_masks_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(VideoError, match="no such file or folder"):
        find_masks(tmp_path / "nowhere", FPS)
    with pytest.raises(VideoError, match="no masks in this folder"):
        find_masks(tmp_path, FPS)


def test_black_and_white_masks_have_two_classes_and_nothing_ignored(tmp_path):
    (video,) = match([], {"masks": find_masks(write_images(tmp_path / "bw", value=255), FPS)})
    ids = ids_of([video])
    assert (ids.is_binary, ids.num_classes) == (True, 2)
    assert next(ids.read(video.labels["masks"])).max() == 1


@pytest.mark.parametrize(("used", "num_classes"), [({0, 1, 255}, 2), ({0, 7}, 8), ({3, 255}, 4), ({0}, 2)])
def test_the_number_of_classes_follows_from_the_highest_id(used, num_classes):
    assert Ids(frozenset(used)).num_classes == num_classes
