import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facestab.data.manifest import ListedVideo
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.teacher import FrameTeacher
from facestab.data.video_catalog import VideoCatalog
from facestab.data.video_folder import VideoFolder, unique_ids
from facestab.errors import FacestabError, VideoError
from facestab.video.sink import VideoSink
from tests.tiny import tiny_net

SPLITS = ("train", "val", "test", "all")


def write_clip(path, num_frames=3, cuts=()):
    """Frames of one grey each, which jumps at cuts."""
    with VideoSink(path, Fraction(25), codec="ffv1_rgb") as sink:
        for t in range(num_frames):
            shot = sum(t >= cut for cut in cuts)
            frame = np.random.default_rng(shot).integers(0, 256, (4, 4, 3)).astype(np.uint8)
            sink.write(np.kron(frame, np.ones((4, 4, 1), np.uint8)) // 2 + np.uint8(t))


def ids(videos, split):
    return [item.id for item in videos.split(split)]


def test_a_folder_is_split_into_videos_that_do_not_overlap(tmp_path):
    for i in range(10):
        write_clip(tmp_path / f"{i}.mkv")
    videos = VideoFolder(str(tmp_path), val_share=0.2)
    train, val, all_ = (set(ids(videos, name)) for name in ("train", "val", "all"))
    assert len(val) == 2
    assert train | val == all_ == {str(i) for i in range(10)}
    assert train.isdisjoint(val)


def test_a_lone_video_trains_and_validates(tmp_path):
    write_clip(tmp_path / "clip.mkv", 5)
    videos = VideoFolder(str(tmp_path / "clip.mkv"))
    assert [ids(videos, name) for name in SPLITS] == [["clip"]] * 4
    assert videos.split("train")[0].num_frames == 5


def test_one_persons_videos_stay_in_one_split(tmp_path):
    for person in range(8):
        for clip in range(3):
            write_clip(tmp_path / f"id{person}" / f"{clip}.mkv")
    videos = VideoFolder(str(tmp_path), val_share=0.25, identity=r"(id\d+)/")
    train, val = ({id_.partition("__")[0] for id_ in ids(videos, name)} for name in ("train", "val"))
    assert len(val) == 2
    assert train.isdisjoint(val)
    assert len(ids(videos, "val")) == 6
    # without the expression every clip is one for itself
    assert len({id_.partition("__")[0] for id_ in ids(VideoFolder(str(tmp_path), val_share=0.25), "val")}) > 2


def test_ids_tell_videos_of_the_same_stem_apart():
    root = Path("root")
    paths = [root / "a" / "clip.mp4", root / "clip.mp4", root / "clip.mkv", root / "b" / "c_*.png", root / "one.mp4"]
    listed = [*map(ListedVideo, paths), ListedVideo(root / "one.mp4", start=2), ListedVideo(root / "x.mp4", id="mine")]
    assert unique_ids(root, listed) == ["a__clip", "clip.mp4", "clip.mkv", "b__c", "one__1", "one__2", "mine"]


def test_videos_that_cannot_be_used_are_left_out_and_named(tmp_path, caplog):
    for i in range(3):
        write_clip(tmp_path / f"{i}.mkv", 4)
    write_clip(tmp_path / "short.mkv", 1)
    (tmp_path / "broken.mp4").write_text("hello")
    videos = VideoFolder(str(tmp_path), min_frames=2)
    with caplog.at_level(logging.WARNING):
        assert sorted(ids(videos, "train") + ids(videos, "val")) == ["0", "1", "2"]
    assert {Path(path).name for path in videos.skipped} == {"short.mkv", "broken.mp4"}
    assert "too short, it has 1 frames and 2 are needed" in videos.skipped[str(tmp_path / "short.mkv")]
    assert "left out: " in caplog.text
    assert "broken.mp4" in caplog.text
    # one frame can be segmented
    assert sorted(ids(VideoFolder(str(tmp_path), min_frames=2), "all")) == ["0", "1", "2", "short"]


def test_a_set_without_a_usable_video_is_an_error(tmp_path):
    (tmp_path / "clip.mp4").write_text("hello")
    with pytest.raises(VideoError, match=r"^\S*clip\.mp4: "):
        VideoFolder(str(tmp_path)).split("all")
    (tmp_path / "other.mp4").write_text("hello")
    with pytest.raises(VideoError, match=r"none of 2 videos can be used, the first: \S*clip\.mp4"):
        VideoFolder(str(tmp_path)).split("all")
    with pytest.raises(VideoError, match=r"nowhere\.mp4: no such file"):
        VideoFolder(str(tmp_path / "nowhere.mp4")).split("all")


def test_training_knows_the_cuts_and_prediction_does_not_look(tmp_path):
    write_clip(tmp_path / "clip.mkv", 12, cuts=[5])
    videos = VideoFolder(str(tmp_path), cuts=True)
    assert videos.split("train")[0].cuts == (5,)
    assert videos.split("all")[0].cuts == ()
    assert VideoFolder(str(tmp_path), cuts=False).split("train")[0].cuts == ()


def test_sequences_in_one_folder_are_videos(tmp_path):
    for name, number in (("001", 3), ("002", 12), ("a b", 2)):
        for t in range(1, number + 1):
            Image.new("RGB", (16, 16), (t, 0, 0)).save(tmp_path / f"{name}_{t:04d}.png")
    items = {item.id: item for item in VideoFolder(str(tmp_path), fps=10).split("all")}
    assert {id_: item.num_frames for id_, item in items.items()} == {"001": 3, "002": 12, "a b": 2}
    assert items["002"].info.fps == 10
    frames = list(items["002"].open().frames())
    assert [int(frame[0, 0, 0]) for frame in frames] == list(range(1, 13))


def manifest(folder, text, name="list.csv"):
    (folder / name).write_text(text)
    return VideoFolder(str(folder / name))


def test_a_manifest_says_which_part_counts(tmp_path):
    write_clip(tmp_path / "clips" / "a.mkv", 50, cuts=[20])
    text = "path,start,end,box\nclips/a.mkv,0.4,1.2,2 4 10 12\nclips/a.mkv,,,\nclips/a.mkv,1.2,,-4 0 8 8\n"
    videos = manifest(tmp_path, text)
    first, whole, last = videos.split("all")
    assert [first.id, whole.id, last.id] == ["clips__a__1", "clips__a__2", "clips__a__3"]
    assert [first.num_frames, whole.num_frames, last.num_frames] == [20, 50, 20]
    assert (first.info.height, first.info.width) == (8, 8)
    every = np.stack(list(whole.open().frames()))
    np.testing.assert_array_equal(np.stack(list(first.open().frames())), every[10:30, 4:12, 2:10])
    np.testing.assert_array_equal(first.open().pair(3), every[13:15, 4:12, 2:10])
    beyond = np.stack(list(last.open().frames()))
    assert beyond.shape == (20, 8, 12, 3)
    np.testing.assert_array_equal(beyond[:, :, 4:], every[30:, :8, :8])
    np.testing.assert_array_equal(beyond[:, :, :4], np.repeat(every[30:, :8, :1], 4, axis=2))


def test_a_cut_keeps_its_place_in_a_part(tmp_path):
    write_clip(tmp_path / "a.mkv", 50, cuts=[20])
    (tmp_path / "list.json").write_text('[{"path": "a.mkv", "start": 0.4}, {"path": "a.mkv", "start": 0.8}]')
    items = VideoFolder(str(tmp_path / "list.json"), cuts=True).split("train")
    assert {item.num_frames: item.cuts for item in items} in ({40: (10,)}, {30: ()}, {40: (10,), 30: ()})


def test_a_manifest_may_say_split_identity_id_and_rate(tmp_path):
    for i in range(6):
        write_clip(tmp_path / f"{i}.mkv")
    (tmp_path / "frames").mkdir()
    for t in range(3):
        Image.new("RGB", (16, 16)).save(tmp_path / "frames" / f"{t}.png")
    rows = ["path,split,id,fps", "0.mkv,train,zero,", "1.mkv,val,one,", "2.mkv,test,,", "frames,train,,30000/1001"]
    videos = manifest(tmp_path, "\n".join(rows))
    assert {name: ids(videos, name) for name in SPLITS[:3]} == {
        "train": ["zero", "frames"],
        "val": ["one"],
        "test": ["2"],
    }
    assert videos.split("train")[1].info.fps == Fraction(30000, 1001)
    assert videos.split("train")[1].open().info.fps == Fraction(30000, 1001)
    same = "\n".join(["path,identity", *(f"{i}.mkv,{'AB'[i % 2]}" for i in range(6))])
    groups = manifest(tmp_path, same)
    assert sorted([sorted(ids(groups, "train")), sorted(ids(groups, "val"))]) == [["0", "2", "4"], ["1", "3", "5"]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.csv", "", "lists no videos"),
        ("list.csv", "path\n", "lists no videos"),
        ("list.csv", "file\na.mkv\n", "line 2: there is no key 'file', only path, id"),
        ("list.csv", "path,end\n,3\n", "line 2: has no path"),
        ("list.csv", "path\na.mkv,3\n", "line 2 has more columns than the heading"),
        ("list.csv", "path\n../a.mkv\n", r"line 2: \.\./a\.mkv leads out of the manifest's folder"),
        ("list.csv", "path\n/etc/passwd\n", "line 2: /etc/passwd leads out of"),
        ("list.csv", "path,start,end\na.mkv,3,2\n", "start is 0 or more, end is after it"),
        ("list.csv", "path,start\na.mkv,nan\n", "start is 0 or more"),
        ("list.csv", "path,start\na.mkv,soon\n", r"start, end and fps are numbers .*soon"),
        ("list.csv", "path,fps\na.mkv,0\n", "fps above 0"),
        ("list.csv", "path,box\na.mkv,1 2 3\n", "box four of them"),
        ("list.csv", "path,box\na.mkv,9 2 3 8\n", "the box 9 2 3 8 holds nothing"),
        ("list.csv", "path,split\na.mkv,dev\n", "split is one of train, val, test, got dev"),
        ("list.csv", "path,truth\na.mkv,../b\n", r"\.\./b leads out of"),
        ("list.csv", "path,truth,box\na.mkv,b,0 0 4 4\n", "truth and box are not possible together"),
        ("list.csv", "path,id\na.mkv,x/y\n", "id must be usable as a folder's name, got x/y"),
        ("list.csv", "path,id\na.mkv,x\na.mkv,x\n", "the id x stands twice"),
        ("list.json", "{", "is no JSON"),
        ("list.json", '{"path": "a.mkv"}', "a list of objects is needed"),
        ("list.json", '[{"path": "a.mkv", "box": [1, 2]}]', "entry 1: .*box four of them"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_said_with_its_line(tmp_path, name, text, message):
    write_clip(tmp_path / "a.mkv")
    with pytest.raises(FacestabError, match=rf"{name}: .*{message}|{name}: {message}"):
        manifest(tmp_path, text, name).split("all")


def test_a_part_that_is_not_there_is_left_out(tmp_path):
    write_clip(tmp_path / "a.mkv", 10)
    videos = manifest(tmp_path, "path,start,box\na.mkv,5,\na.mkv,,90 0 99 9\na.mkv,0.1,\n")
    assert ids(videos, "all") == ["a__3"]
    with pytest.raises(VideoError, match="frames 125 to None of 10 hold nothing"):
        manifest(tmp_path, "path,start\na.mkv,5\n").split("all")
    with pytest.raises(VideoError, match=r"the box \(90, 0, 99, 9\) .* lies outside the picture of 16x16"):
        manifest(tmp_path, "path,box\na.mkv,90 0 99 9\n").split("all")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val_share": 1.0}, r"video\.val_share must be in"),
        ({"min_frames": 0}, r"video\.min_frames must be at least 1"),
        ({"identity": "("}, r"video\.identity is a regular expression"),
        ({"fps": "fast"}, r"video\.fps a number"),
        ({"fps": 0}, r"video\.fps must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        VideoFolder(str(tmp_path), **settings)


def test_frames_that_have_a_true_label_use_it_and_the_others_do_not(tmp_path, face11):
    write_clip(tmp_path / "a.mkv", 12)
    (tmp_path / "true").mkdir()
    for number in (2, 5, 9):
        Image.fromarray(np.full((16, 16), number, np.uint8)).save(tmp_path / "true" / f"a_{number:04d}.png")
    videos = manifest(tmp_path, "path,truth,start,id\na.mkv,true,,whole\na.mkv,true,0.16,part\n")
    whole, part = videos.split("all")
    assert [number for number, _ in whole.true_frames] == [2, 5, 9]
    # four frames later at 25 a second
    assert [number for number, _ in part.true_frames] == [1, 5]
    store = PseudoLabelStore(str(tmp_path / "labels"), tiny_net(), 16, FrameTeacher(face11), face11)
    store.fill([whole], torch.device("cpu"))
    own = [soft.label_HW for soft in store.open(replace(whole, true_frames=())).frames()]
    labels = store.open(whole)
    for number, soft in enumerate(labels.frames()):
        expected = np.full((16, 16), number) if number in (2, 5, 9) else own[number]
        np.testing.assert_array_equal(soft.label_HW, expected)
        assert (soft.share_HW == 1).all()
    np.testing.assert_array_equal(labels.picked([5, 6])[0].label_HW, 5)
    np.testing.assert_array_equal(labels.picked([5, 6])[1].label_HW, own[6])
    np.testing.assert_array_equal(labels.picked([9, 2])[0].label_HW, 9)
    counted = np.bincount(np.concatenate([soft.label_HW.ravel() for soft in labels.frames()]), minlength=11)
    np.testing.assert_array_equal(store.class_pixels([whole]), counted)


def test_a_label_for_every_frame_is_the_videos_truth(tmp_path):
    write_clip(tmp_path / "a.mkv", 3)
    (tmp_path / "true").mkdir()
    for number in range(3):
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "true" / f"{number}.png")
    (item,) = manifest(tmp_path, "path,truth\na.mkv,true\n").split("all")
    assert item.truth == tmp_path / "true"
    assert item.true_frames == ()


def test_true_labels_that_fit_no_frame_are_refused(tmp_path, face11):
    write_clip(tmp_path / "a.mkv", 3)
    (tmp_path / "true").mkdir()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "true" / "7.png")
    with pytest.raises(VideoError, match=r"7\.png: its name does not end in the number of one of 3 frames"):
        manifest(tmp_path, "path,truth\na.mkv,true\n").split("all")
    with pytest.raises(VideoError, match="no such label video, and no folder of label images"):
        manifest(tmp_path, "path,truth\na.mkv,nowhere\n").split("all")
    (tmp_path / "true" / "7.png").rename(tmp_path / "true" / "1.png")
    Image.fromarray(np.zeros((16, 17), np.uint8)).save(tmp_path / "true" / "1.png")
    (item,) = manifest(tmp_path, "path,truth\na.mkv,true\n").split("all")
    store = PseudoLabelStore(str(tmp_path / "labels"), tiny_net(), 16, FrameTeacher(face11), face11)
    store.fill([item], torch.device("cpu"))
    with pytest.raises(VideoError, match=r"1\.png: is 17x16, the video is 16x16"):
        list(store.open(item).frames())


class Counting(VideoCatalog):
    """Counts what it looks at."""

    looked = ()

    def _entries(self, paths, cuts):
        self.looked = list(paths)
        return super()._entries(paths, cuts)


def test_a_video_is_looked_at_once_until_it_changes(tmp_path):
    paths = [tmp_path / f"{i}.mkv" for i in range(3)]
    for path in paths:
        write_clip(path)
    (tmp_path / "3.mkv").write_text("no video")
    paths.append(tmp_path / "3.mkv")

    def look(cuts):
        catalog = Counting(tmp_path / "cache")
        return catalog.look(paths, cuts), [path.name for path in catalog.looked]

    first, looked = look(cuts=False)
    assert looked == ["0.mkv", "1.mkv", "2.mkv", "3.mkv"]
    again, looked = look(cuts=False)
    assert again == first
    assert looked == []
    # shots are another question; a broken file has none
    with_cuts, looked = look(cuts=True)
    assert looked == ["0.mkv", "1.mkv", "2.mkv"]
    assert [entry.cuts for entry in with_cuts] == [(), (), (), None]
    write_clip(paths[1], 7)
    changed, looked = look(cuts=True)
    assert looked == ["1.mkv"]
    assert changed[1].info.num_frames == 7
    assert look(cuts=False)[1] == []


def test_an_interrupted_look_goes_on_where_it_stopped(tmp_path):
    paths = [tmp_path / f"{i}.mkv" for i in range(3)]
    for path in paths:
        write_clip(path)
    VideoCatalog(tmp_path / "cache").look(paths, cuts=False)
    (file,) = (tmp_path / "cache").glob("*.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text(lines[0] + lines[1][: len(lines[1]) // 2])
    catalog = Counting(tmp_path / "cache")
    entries = catalog.look(paths, cuts=False)
    assert [entry.info.num_frames for entry in entries] == [3, 3, 3]
    assert [path.name for path in catalog.looked] == ["1.mkv", "2.mkv"]
    # half a line in the middle spoils no other
    again = Counting(tmp_path / "cache")
    again.look(paths, cuts=False)
    assert [path.name for path in again.looked] in ([], ["1.mkv"])
