import dataclasses
import json
import logging
import pickle
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from facestab.build import build
from facestab.data.fused_teacher import FusedTeacher
from facestab.data.pseudo import PseudoLabelStore
from facestab.data.pseudo_labels import PseudoLabels, confident_levels, count_levels, encode
from facestab.data.synthetic.sets import SyntheticVideos
from facestab.data.teacher import FrameTeacher, Place
from facestab.data.temporal_fusion import TemporalFusion
from facestab.data.videos import VideoItem
from facestab.data.vote_teacher import VoteTeacher
from facestab.engines.eager import TorchKind
from facestab.engines.vino import OpenVinoKind
from facestab.errors import FacestabError, VideoError
from facestab.labels import numbered
from facestab.video.label_video import read_labels
from facestab.video.sink import VideoSink
from facestab.video.source import open_video
from tests.tiny import tiny_net

CPU = torch.device("cpu")
CHOICES = ["hard", "soft", "tta", "fused", "fused_soft", "vote", "confident"]


@pytest.fixture(scope="module")
def items(face11, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    videos = SyntheticVideos(str(root), face11, size=48, num_frames=5, num_train=3, num_val=1, num_test=1)
    videos.prepare()
    return videos.split("train")


@pytest.fixture
def make_store(face11, tmp_path):
    def make(seed=0, root=tmp_path, **settings):
        chosen = {"size": 48, "teacher": FrameTeacher(face11), "labels": face11, "batch_size": 2, **settings}
        return PseudoLabelStore(str(root), tiny_net(seed), **chosen)

    return make


@pytest.fixture
def store(make_store):
    return make_store()


def read_frames(path):
    with open_video(path) as source:
        return np.stack(list(source.frames()))


def read_all(labels):
    """Labels, runners-up and shares, each (T, H, W)."""
    return [np.stack(maps) for maps in zip(*labels.frames(), strict=True)]


def model_probs(store, item):
    frames = torch.from_numpy(read_frames(item.path)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return store.net(frames).logits_BKHW.softmax(1)


def test_labels_are_what_the_model_says_of_every_frame(items, store):
    store.fill(items, CPU)
    for item in items:
        labels, runners_up, shares = read_all(store.open(item))
        np.testing.assert_array_equal(labels, model_probs(store, item).argmax(1))
        assert labels.dtype == runners_up.dtype == np.uint8
        assert shares.dtype == np.float32
        np.testing.assert_array_equal(runners_up, labels)
        assert (shares == 1).all()


def test_soft_labels_are_the_two_best_classes_and_their_share(items, make_store):
    store = make_store(soft=True)
    store.fill(items[:1], CPU)
    labels, runners_up, shares = read_all(store.open(items[0]))
    best = model_probs(store, items[0]).topk(2, dim=1)
    np.testing.assert_array_equal(labels, best.indices[:, 0])
    np.testing.assert_array_equal(runners_up, best.indices[:, 1])
    expected = (best.values[:, 0] / best.values.sum(1)).numpy()
    assert shares.dtype == np.float32
    # half a step of 1/255 on 0.5..1
    np.testing.assert_allclose(shares, expected, atol=0.25 / 255 + 1e-4)


def test_every_way_to_use_the_labels_reads_the_same_file(items, make_store):
    store = make_store()
    store.fill(items, CPU)
    before = {item.id: store.path(item).stat().st_mtime_ns for item in items}
    for settings in ({"soft": True}, {"keep": 0.5}, {"batch_size": 3}):
        other = make_store(**settings)
        other.fill(items, CPU)
        assert {item.id: other.path(item).stat().st_mtime_ns for item in items} == before


def test_labels_have_the_frames_size_when_the_model_sees_them_smaller(items, make_store):
    store = make_store(size=32)
    store.fill(items[:1], CPU)
    assert read_all(store.open(items[0]))[0].shape == (5, 48, 48)


def test_labels_are_made_once(items, make_store):
    make_store().fill(items, CPU)
    before = {item.id: make_store().path(item).stat().st_mtime_ns for item in items}
    again = make_store()
    again.fill(items, CPU)
    assert {item.id: again.path(item).stat().st_mtime_ns for item in items} == before


def test_an_interrupted_store_goes_on_where_it_stopped(items, store):
    store.fill(items[:2], CPU)
    before = [store.path(item).stat().st_mtime_ns for item in items[:2]]
    store.fill(items, CPU)
    assert [store.path(item).stat().st_mtime_ns for item in items[:2]] == before
    assert store.path(items[2]).exists()


def test_a_process_that_is_left_alone_does_the_work_of_all(items, store):
    store.fill(items, CPU, rank=1, world_size=2)
    assert all(store.path(item).exists() for item in items)


def test_another_model_size_or_teacher_never_reads_these_labels(items, make_store, face11):
    views = FrameTeacher(face11)
    teachers = [
        FrameTeacher(face11, flip=True),
        FusedTeacher(views, TemporalFusion()),
        FusedTeacher(views, TemporalFusion(decay=0.5)),
        VoteTeacher(views),
    ]
    others = [make_store(seed=1), make_store(size=32), *(make_store(teacher=teacher) for teacher in teachers)]
    assert len({store.path(items[0]) for store in (make_store(), *others)}) == 7


def test_another_engine_has_labels_of_its_own_which_are_nearly_those_of_torch(items, make_store, tmp_path):
    pytest.importorskip("openvino")
    own, other = make_store(), make_store(engine=OpenVinoKind(str(tmp_path)))
    assert own.path(items[0]) != other.path(items[0])
    assert make_store(engine=TorchKind()).path(items[0]) == own.path(items[0])
    for store in (own, other):
        store.fill(items[:1], CPU)
    assert (read_all(own.open(items[0]))[0] == read_all(other.open(items[0]))[0]).mean() > 0.999
    assert json.loads(other.path(items[0]).with_suffix(".json").read_text())["teacher"]["engine"] == "openvino"
    pickle.dumps(other)


def test_a_changed_video_never_reads_the_labels_of_the_old_one(items, store, tmp_path):
    paths = [tmp_path / f"{name}.mkv" for name in "ab"]
    for path, first in zip(paths, (0, 1), strict=True):
        with VideoSink(path, items[0].info.fps, codec="ffv1_rgb") as sink:
            for frame in read_frames(items[0].path)[first : first + 3]:
                sink.write(frame)
    labels = [store.path(VideoItem(path.stem, open_video(path).info)) for path in paths]
    assert labels[0] != labels[1]


def test_true_labels_are_used_only_when_asked_for(items, make_store):
    for use, path in ((False, None), (True, items[0].truth)):
        assert (make_store(use_true_labels=use).path(items[0]) == path) is use


def test_true_labels_are_hard_and_all_kept(items, make_store):
    store = make_store(use_true_labels=True, soft=True, keep=0.5)
    store.fill(items, CPU)
    assert not store.folder.exists()
    truth = np.stack(list(read_labels(items[0].truth)))
    labels, runners_up, shares = read_all(store.open(items[0]))
    np.testing.assert_array_equal(labels, truth)
    np.testing.assert_array_equal(runners_up, truth)
    assert (shares == 1).all()
    np.testing.assert_array_equal(store.class_pixels(items[:1]), np.bincount(truth.ravel(), minlength=11))


def test_a_video_that_breaks_leaves_no_labels_behind(items, store, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for t, frame in enumerate(read_frames(items[0].path)):
        Image.fromarray(frame).save(frames / f"{t}.png")
    (frames / "3.png").write_bytes(b"no picture")
    item = VideoItem("broken", dataclasses.replace(items[0].info, path=frames, codec="frames"))
    with pytest.raises(VideoError, match=r"3\.png"):
        store.fill([item], CPU)
    assert not [path for path in store.folder.iterdir() if path.is_file()]


def test_the_card_says_how_the_labels_were_made_and_counts_them(items, store):
    store.fill(items[:1], CPU)
    card = json.loads(store.path(items[0]).with_suffix(".json").read_text())
    assert (card["frames"], card["size"], card["model"]) == (5, 48, store.model)
    assert card["teacher"] == store.teacher.settings()
    # best class, runner-up and level stand one above the other
    label_THW, _, level_THW = np.split(np.stack(list(read_labels(store.path(items[0])))), 3, axis=1)
    expected = np.zeros((11, 256))
    np.add.at(expected, (label_THW, level_THW), 1)
    np.testing.assert_array_equal(card["pixels"], expected)


def test_pixels_are_counted_by_class(items, store):
    store.fill(items, CPU)
    labels = np.concatenate([read_all(store.open(item))[0] for item in items])
    pixels = store.class_pixels(items)
    assert pixels.dtype == np.float64
    np.testing.assert_array_equal(pixels, np.bincount(labels.ravel(), minlength=11))


def test_of_every_class_the_most_certain_pixels_of_all_videos_keep_their_label(items, make_store, caplog, face11):
    whole, store = make_store(soft=True), make_store(soft=True, keep=0.6)
    with caplog.at_level(logging.INFO):
        store.fill(items, CPU)
    all_labels, all_seconds, all_shares = (
        np.concatenate(maps) for maps in zip(*(read_all(whole.open(item)) for item in items), strict=True)
    )
    labels, seconds, shares = (
        np.concatenate(maps) for maps in zip(*(read_all(store.open(item)) for item in items), strict=True)
    )
    is_kept = labels != 255
    np.testing.assert_array_equal(labels[is_kept], all_labels[is_kept])
    np.testing.assert_array_equal(seconds[is_kept], all_seconds[is_kept])
    np.testing.assert_array_equal(shares[is_kept], all_shares[is_kept])
    assert (seconds[~is_kept] == 255).all()
    assert (shares[~is_kept] == 1).all()
    for k in np.unique(all_labels):
        of_class = all_labels == k
        kept, dropped = all_shares[of_class & is_kept], all_shares[of_class & ~is_kept]
        assert len(kept) >= 0.6 * of_class.sum()
        assert dropped.max(initial=0) < kept.min()
        # without the least certain level that is kept there would be too few
        assert (kept > kept.min()).sum() < 0.6 * of_class.sum()
        assert f"{face11.names[k]} {len(kept) / of_class.sum():.3f}" in caplog.text
    np.testing.assert_array_equal(store.class_pixels(items), np.bincount(labels[is_kept], minlength=11))


def test_which_labels_are_kept_is_known_only_after_all_videos_are_labelled(items, make_store):
    store = make_store(keep=0.5)
    with pytest.raises(RuntimeError, match=r"known after fill"):
        store.open(items[0])
    with pytest.raises(RuntimeError, match=r"known after fill"):
        store.class_pixels(items)


def test_runs_and_single_frames_are_the_same_labels(items, make_store):
    store = make_store(soft=True)
    store.fill(items[:1], CPU)
    for labels in (store.open(items[0]), make_store(use_true_labels=True).open(items[0])):
        frames = list(labels.frames())
        assert len(frames) == 5
        for numbers in ([0, 1], [3, 4], [0, 4], [2, 2], [4, 3], [1]):
            for picked, number in zip(labels.picked(numbers), numbers, strict=True):
                for one, other in zip(picked, frames[number], strict=True):
                    np.testing.assert_array_equal(one, other)
        for part, whole in zip(labels.frames(1, 3), frames[1:3], strict=True):
            np.testing.assert_array_equal(part.label_HW, whole.label_HW)
        for numbers in ([5], [4, 5], [-1]):
            with pytest.raises(IndexError):
                labels.picked(numbers)
        labels.close()
        assert len(list(labels.frames())) == 5


def test_a_video_of_one_frame_has_labels(items, store, tmp_path):
    path = tmp_path / "one.mkv"
    with VideoSink(path, Fraction(25), codec="ffv1_rgb") as sink:
        sink.write(read_frames(items[0].path)[0])
    item = VideoItem("one", open_video(path).info)
    store.fill([item], CPU)
    assert store.open(item).picked([0])[0].label_HW.shape == (48, 48)


def test_labels_and_store_can_be_sent_to_a_worker(items, make_store):
    store = make_store(soft=True, keep=0.5)
    store.fill(items[:1], CPU)
    sent = pickle.loads(pickle.dumps(store.open(items[0])))
    for one, other in zip(read_all(sent), read_all(pickle.loads(pickle.dumps(store)).open(items[0])), strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_best_classes_and_their_level_by_hand():
    probs_KHW = torch.tensor([[[0.6, 0.1, 0.5, 0.0]], [[0.3, 0.1, 0.5, 1.0]], [[0.1, 0.8, 0.0, 0.0]]])
    encoded = encode(probs_KHW)
    assert encoded.dtype == np.uint8
    # shares 2/3, 8/9, 1/2 and 1
    assert encoded[:, 0, :2].tolist()[0] == [0, 2]
    assert encoded[1, 0, 0] == 1
    assert encoded[2].tolist() == [[85, 198, 0, 255]]
    assert set(encoded[:2, 0, 2]) == {0, 1}
    assert encoded[0, 0, 3] == 1


def test_levels_are_counted_by_class():
    encoded = np.array([[[0, 1, 1, 1]], [[1, 0, 0, 2]], [[5, 9, 9, 255]]], np.uint8)
    counts = count_levels(encoded, 3)
    assert {(k, level): n for (k, level), n in np.ndenumerate(counts) if n} == {(0, 5): 1, (1, 9): 2, (1, 255): 1}


def test_the_level_from_which_labels_are_kept_by_hand():
    pixels = np.zeros((4, 256), np.int64)
    pixels[0, [0, 100, 200, 255]] = 2, 3, 3, 2
    pixels[1, 7] = 9
    pixels[2, [0, 255]] = 9, 1
    assert confident_levels(pixels, 0.5).tolist() == [200, 7, 0, 0]
    assert confident_levels(pixels, 0.2).tolist() == [255, 7, 0, 0]
    assert confident_levels(pixels, 0.1).tolist() == [255, 7, 255, 0]
    # eight tenths lie above the level 0, nine do not
    assert confident_levels(pixels, 0.8)[0] == 100
    assert confident_levels(pixels, 0.9)[0] == 0
    assert confident_levels(pixels, 1.0).tolist() == [0, 7, 0, 0]


def test_no_labels_and_no_card_are_reported_with_what_to_do(items, make_store, tmp_path):
    store = make_store(keep=0.5)
    with pytest.raises(VideoError, match="no such file"):
        PseudoLabels(tmp_path / "none.mkv", False, False, np.zeros(11))
    store.fill(items[:1], CPU)
    store.path(items[0]).with_suffix(".json").unlink()
    with pytest.raises(FacestabError, match=r"json: the card of a label video cannot be read; remove \w+\.mkv"):
        store.class_pixels(items[:1])


def test_a_model_of_other_classes_is_refused(items, make_store):
    with pytest.raises(FacestabError, match="tells 11 classes apart, the label set has 5"):
        make_store(labels=numbered(5)).fill(items[:1], CPU)


def test_settings_that_cannot_be_are_refused(make_store):
    for settings, message in (({"batch_size": 0}, "batch_size"), ({"keep": 0.0}, "keep"), ({"keep": 1.1}, "keep")):
        with pytest.raises(ValueError, match=rf"pseudo\.{message} must be"):
            make_store(**settings)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_of_the_configuration_labels_videos(compose_config, items, tmp_path, choice):
    config = compose_config("stage=temporal", f"pseudo={choice}", f"paths.cache={tmp_path}", "size=48")
    store = build(config.pseudo, net=tiny_net())
    store.fill(items[:1], CPU)
    labels, runners_up, shares = read_all(store.open(items[0]))
    assert labels.shape == runners_up.shape == shares.shape == (5, 48, 48)
    assert (shares < 1).any() == ("soft" in choice)
    assert (labels == 255).any() == (choice == "confident")


def test_motion_may_help_to_make_labels(compose_config, items, tmp_path):
    for choice in ("fused", "vote"):
        place = "pseudo.teacher.flow" if choice == "vote" else "pseudo.teacher.fusion.flow"
        overrides = [f"{place}=${{flow}}", f"pseudo={choice}", f"paths.cache={tmp_path}", "size=48"]
        store = build(compose_config("stage=temporal", *overrides).pseudo, net=tiny_net())
        assert store.teacher.settings()["flow"]["name"] == "dis_medium"
        store.fill(items[:1], CPU)
        assert store.path(items[0]).exists()


def test_a_teacher_that_looks_around_does_not_look_across_a_cut(items, make_store, face11):
    teacher = VoteTeacher(FrameTeacher(face11), radius=2)
    whole, cut = make_store(teacher=teacher), make_store(teacher=teacher)
    item = items[0]
    parted = dataclasses.replace(item, cuts=(3,))
    whole.fill([item], CPU)
    cut.fill([parted], CPU)
    assert whole.path(item) != cut.path(parted)
    frames = read_frames(item.path)
    expected = []
    for part in (frames[:3], frames[3:]):
        engine = TorchKind().make(cut.net, part[:1], CPU, nullcontext)
        probs = teacher.probabilities(engine, iter(part), Place(item.id), 2)
        expected += [encode(probs_KHW)[0] for probs_KHW in probs]
    found = read_all(cut.certain(parted))[0]
    np.testing.assert_array_equal(found, np.stack(expected))
    assert (found != read_all(whole.certain(item))[0]).any()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("num_classes", [2, 11, 150])
def test_the_best_class_and_the_next_are_those_of_a_sort_and_the_first_of_equals_counts(num_classes, layout):
    generator = torch.Generator().manual_seed(num_classes)
    # few values, so that there are equals
    steps = torch.randint(1, 6, (1, num_classes, 23, 31), generator=generator)
    probs_1KHW = (steps / steps.sum(1, keepdim=True)).contiguous(memory_format=layout)
    label_HW, runner_up_HW, level_HW = encode(probs_1KHW[0])
    sorted_KHW = probs_1KHW[0].sort(dim=0, descending=True, stable=True)
    np.testing.assert_array_equal(label_HW, sorted_KHW.indices[0].numpy())
    np.testing.assert_array_equal(runner_up_HW, sorted_KHW.indices[1].numpy())
    first_HW, second_HW = sorted_KHW.values[:2].double().numpy()
    share_HW = first_HW / (first_HW + second_HW)
    np.testing.assert_allclose(level_HW, 255 * (2 * share_HW - 1), atol=0.501)
    counts = count_levels(np.stack([label_HW, runner_up_HW, level_HW]), num_classes)
    for k in range(num_classes):
        np.testing.assert_array_equal(counts[k], np.bincount(level_HW[label_HW == k], minlength=256))
