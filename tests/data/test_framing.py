"""Faces are bright discs here, which a detector of colours finds exactly."""

import contextlib
from fractions import Fraction

import numpy as np
import pytest
import torch

from facestab.data.cropped_videos import CroppedVideos
from facestab.data.framing import Framer
from facestab.data.segmenter import SegmenterDetector
from facestab.data.videos import VideoItem
from facestab.engines.eager import TorchKind
from facestab.errors import VideoError
from facestab.keys import FIXED_CROP
from facestab.stages.prediction import stream_video
from facestab.types import SegOutput
from facestab.video.excerpt import Excerpt
from facestab.video.faces import Face
from facestab.video.sink import VideoSink
from facestab.video.source import open_video

HEIGHT, WIDTH, RADIUS = 120, 200, 12
FPS = Fraction(10)
CPU = torch.device("cpu")


def draw(*centres):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    frame = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    for x, y in centres:
        frame[np.hypot(columns - x, rows - y) <= RADIUS] = 220
    return frame


class Discs:
    """The bounding boxes of bright pieces; with noise, as a real detector has it."""

    def __init__(self, noise=0.0):
        self.noise = noise
        self.rng = np.random.default_rng(0)

    def settings(self):
        return {"detector": "discs"}

    def __call__(self, frame_HWC, index):
        import cv2

        number, _, stats, _ = cv2.connectedComponentsWithStats((frame_HWC[..., 0] > 120).astype(np.uint8))
        jitter = self.noise * self.rng.standard_normal((number, 4))
        boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:number]]
        return [Face(*(np.array(box) + move)) for box, move in zip(boxes, jitter, strict=False)]


def framer(**settings):
    return Framer(**{"detector": Discs(), "scale": 2.0, "hold_s": 0.5, **settings})


def squares(frames, **settings):
    made = framer(**settings)
    return made.squares(made.find(frames), FPS)


def test_the_square_is_centred_on_the_face_and_scaled_by_its_box():
    for (square,) in squares([draw((80, 50))] * 10):
        assert (square.x, square.y) == pytest.approx((80, 50), abs=1e-6)
        assert square.side == pytest.approx(2 * (2 * RADIUS + 1))
    for (above,) in squares([draw((80, 50))] * 10, shift=-0.2):
        assert above.y == pytest.approx(50 - 0.2 * 25)


def test_a_noisy_detector_does_not_move_the_crop_of_a_face_that_rests():
    frames = [draw((80, 50))] * 100
    raw, still, quick = (
        np.array([[s.x, s.y, s.side] for (s,) in squares(frames, detector=Discs(noise=1.0), path=path)])
        for path in ("raw", "still", "one_euro")
    )
    assert (raw.std(0) > 0.5).all()
    assert (still.std(0) < 0.05).all()
    assert (quick[20:].std(0) < 0.05).all()
    np.testing.assert_allclose(still.mean(0), raw.mean(0), atol=1.0)


def test_a_moving_face_stays_near_the_middle_of_its_square():
    places = [(60 + 2.0 * t, 60) for t in range(40)]
    found = squares([draw(place) for place in places])
    for (square,), (x, _) in zip(found, places, strict=True):
        assert abs(square.x - x) < 0.12 * square.side
    speeds = np.diff([square.x for (square,) in found])
    # it neither stands nor jumps
    assert speeds.max() < 4


def test_between_detections_places_are_interpolated():
    places = [(60 + t, 60) for t in range(31)]
    looked = []

    class Counting(Discs):
        def __call__(self, frame_HWC, index):
            looked.append(index)
            return super().__call__(frame_HWC, index)

    found = squares([draw(place) for place in places], detector=Counting(), every=5, path="raw")
    assert looked == list(range(0, 31, 5))
    assert [square.x for (square,) in found] == pytest.approx([x for x, _ in places])


def test_a_lost_face_holds_and_then_the_whole_frame_counts():
    here, gone = draw((80, 50)), draw()
    found = squares([*[here] * 10, *[gone] * 20, *[here] * 10])
    # half a second at 10 frames a second
    assert [len(own) for own in found] == [1] * 15 + [0] * 10 + [1] * 15
    assert found[14][0].x == pytest.approx(80)
    # a short gap is bridged
    assert all(squares([*[here] * 10, *[gone] * 4, *[here] * 10]))


def test_while_one_face_is_held_and_the_next_is_seen_there_is_one_square():
    # the second comes four frames after the first has gone, far away; holds last five frames
    places = [*[(40, 60)] * 10, *[None] * 4, *[(160, 60)] * 10]
    found = squares([draw(*([place] if place else [])) for place in places])
    assert [len(own) for own in found] == [1] * 24
    xs = [own[0].x for own in found]
    assert xs[:12] == pytest.approx([40] * 12, abs=1e-6)
    assert xs[12:] == pytest.approx([160] * 12, abs=1e-6)
    together = squares([draw(*([place] if place else [])) for place in places], faces="all")
    assert max(len(own) for own in together) == 2


def test_the_largest_face_or_all():
    frames = [draw((40, 50), (150, 60))] * 10
    frames = [np.where(np.arange(WIDTH)[None, :, None] > 155, np.uint8(40), frame) for frame in frames]
    assert {len(own) for own in squares(frames)} == {1}
    assert squares(frames)[0][0].x == pytest.approx(40)
    both = squares(frames, faces="all")
    for own in both:
        assert sorted(square.x for square in own) == pytest.approx([40, 146.5], abs=1e-6)


def test_a_detection_of_another_size_is_not_believed():
    class Jumping(Discs):
        def __call__(self, frame_HWC, index):
            (face,) = super().__call__(frame_HWC, index)
            return [Face(face.left + 8, face.top + 8, face.right - 8, face.bottom - 8)] if index == 19 else [face]

    sides = [square.side for (square,) in squares([draw((80, 50))] * 20, detector=Jumping(), path="raw")]
    assert sides == pytest.approx([50.0] * 20)


def test_one_square_holds_the_face_in_all_frames():
    places = [(60 + 2 * t, 60) for t in range(20)]
    made = framer()
    fixed = made.fixed(made.find([draw(place) for place in places]), FPS)
    assert fixed.x == pytest.approx(79, abs=1)
    assert fixed.side == pytest.approx(50 + 38, abs=3)
    assert made.fixed(made.find([draw()] * 5), FPS) is None


@pytest.mark.parametrize(
    "setting",
    [{"scale": 0}, {"faces": "some"}, {"path": "smooth"}, {"tolerance": -1}, {"hold_s": -1}, {"every": 0}],
)
def test_settings_that_cannot_be_are_refused(setting):
    with pytest.raises(ValueError, match=rf"detector\.{next(iter(setting))}"):
        framer(**setting)


class Bright(torch.nn.Module):
    """Class 1 where the picture is bright: a network whose answer is known."""

    def forward(self, images_BCHW):
        bright = images_BCHW.float().mean(1, keepdim=True)
        logits = torch.cat([torch.zeros_like(bright), (bright - 130) / 20], 1)
        return SegOutput(logits, logits)

    def parameters(self, recurse=True):
        yield torch.zeros(1)


class Clip:
    """Frames in memory as a video."""

    def __init__(self, folder, frames, name="clip"):
        self.path = folder / f"{name}.mkv"
        with VideoSink(self.path, FPS, codec="ffv1_rgb") as sink:
            for frame in frames:
                sink.write(frame)

    def open(self, backend="auto"):
        return open_video(self.path, backend)


def predict(video, made, **settings):
    engine = TorchKind().make(Bright(), np.zeros((1, 64, 64, 3), np.uint8), CPU, contextlib.nullcontext)
    steps = stream_video({"image": engine}, video, size=64, batch_size=8, device=CPU, framer=made, **settings)
    return list(steps)


def test_labels_come_back_at_frame_size_where_the_face_is_one_for_every_frame(tmp_path):
    places = [*[(60 + 3 * t, 60) for t in range(12)], *[None] * 14, *[(150, 40)] * 6]
    frames = [draw(*([place] if place else [])) for place in places]
    made = framer()
    steps = predict(Clip(tmp_path, frames), made)
    labels = np.concatenate([step.logits["image"].argmax(1).numpy() for step in steps])
    assert labels.shape == (32, HEIGHT, WIDTH)
    truth = np.stack([frame[..., 0] > 130 for frame in frames])
    for own, true in zip(labels, truth, strict=True):
        # a boundary pixel here and there
        assert (own != true).sum() <= 12
    shown = [len(own) for step in steps for own in step.squares]
    assert shown == [1] * 17 + [0] * 4 + [1] * 11


def test_a_crop_that_rests_stands_beside_the_one_that_follows(tmp_path):
    frames = [draw((60 + 2 * t, 60)) for t in range(10)]
    clip = Clip(tmp_path, frames)
    steps = predict(clip, framer(compare_fixed=True), fixed_row="image")
    truth = np.stack([frame[..., 0] > 130 for frame in frames])
    for row in ("image", FIXED_CROP):
        labels = in_frames(steps, row)
        assert (labels != truth).sum() <= 12 * 10
    assert list(predict(clip, framer(), fixed_row="image")[0].logits) == ["image"]


def in_frames(steps, row):
    """Labels at frame size, from those of the region."""
    found = []
    for step in steps:
        for labels in step.logits[row].argmax(1).numpy():
            whole = np.zeros((HEIGHT, WIDTH), np.int64)
            step.region.of(whole)[:] = labels
            found.append(whole)
    return np.stack(found)


def test_probabilities_cover_the_squares_of_all_frames_and_no_more(tmp_path):
    frames = [draw((60 + 2 * t, 60)) for t in range(20)]
    steps = predict(Clip(tmp_path, frames), framer())
    (region,) = {step.region for step in steps}
    bounds = np.array([square.bounds() for step in steps for (square,) in step.squares])
    assert (region.left, region.top) == tuple(bounds[:, :2].min(0))
    assert (region.right, region.bottom) == tuple(bounds[:, 2:].max(0))
    assert all(step.logits["image"].shape[2:] == region.size for step in steps)
    truth = np.stack([frame[..., 0] > 130 for frame in frames])
    assert (in_frames(steps, "image") != truth).sum() <= 12 * 20


def test_without_a_framer_whole_frames_are_seen(tmp_path):
    (step,) = predict(Clip(tmp_path, [draw((60, 60))] * 3), None)
    assert step.squares is None
    assert step.logits["image"].shape == (3, 2, 64, 107)


class Set:
    def __init__(self, items):
        self.items = items
        self.skipped = {"before.mp4": "was broken"}

    def prepare(self):
        pass

    def split(self, name):
        return self.items


def item(folder, frames, name):
    return VideoItem(name, Clip(folder, frames, name).open().info)


def test_training_videos_are_cut_to_a_square_that_does_not_move(tmp_path):
    places = [(60 + 2 * t, 60) for t in range(20)]
    whole = item(tmp_path, [draw(place) for place in places], "a")
    empty = item(tmp_path, [draw()] * 5, "empty")
    videos = CroppedVideos(Set([whole, empty]), framer(), str(tmp_path / "cache"))
    (cut,) = videos.split("train")
    with cut.open() as source:
        frames = np.stack(list(source.frames()))
    side = frames.shape[1]
    assert frames.shape == (20, side, side, 3)
    assert side == pytest.approx(88, abs=3)
    assert (cut.info.height, cut.info.width) == (side, side)
    # all of the disc in every frame, moving as it did
    centres = [np.nonzero(frame[..., 0] > 130)[1].mean() for frame in frames]
    np.testing.assert_allclose(np.diff(centres), 2, atol=1e-6)
    assert cut.digest() != whole.digest()
    assert set(videos.skipped) == {"before.mp4", str(empty.path)}


def test_a_part_of_a_video_is_cut_within_its_part(tmp_path):
    path = Clip(tmp_path, [draw((60, 60))] * 9).path
    excerpt = Excerpt(2, 7, (20, 10, 180, 110))
    part = VideoItem("part", excerpt.info(open_video(path).info), excerpt=excerpt)
    (cut,) = CroppedVideos(Set([part]), framer(), str(tmp_path / "cache")).split("val")
    frame = next(cut.open().frames())
    rows, columns = np.nonzero(frame[..., 0] > 130)
    assert cut.num_frames == 5
    middle = (frame.shape[0] - 1) / 2
    assert abs(rows.mean() - middle) <= 1
    assert abs(columns.mean() - middle) <= 1


def test_squares_are_found_once_for_a_video_and_its_settings(tmp_path):
    whole = item(tmp_path, [draw((60, 60))] * 9, "a")
    CroppedVideos(Set([whole]), framer(), str(tmp_path / "cache")).split("train")

    class Blind(Discs):
        def __call__(self, frame_HWC, index):
            raise AssertionError("looked again")

    (again,) = CroppedVideos(Set([whole]), framer(detector=Blind()), str(tmp_path / "cache")).split("train")
    assert again.info.width == pytest.approx(50, abs=1)
    with pytest.raises(AssertionError, match="looked again"):
        CroppedVideos(Set([whole]), framer(detector=Blind(), scale=3.0), str(tmp_path / "cache")).split("train")


def test_a_set_without_faces_is_an_error(tmp_path):
    empty = item(tmp_path, [draw()] * 5, "empty")
    with pytest.raises(VideoError, match=r"empty\.mkv: no face was found in it; detector=none"):
        CroppedVideos(Set([empty]), framer(), str(tmp_path / "cache")).split("train")


def test_the_networks_own_mask_is_a_detector():
    net = Bright()
    found = SegmenterDetector(net, size=60)(draw((80, 50), (150, 90)), 0)
    assert sorted(round((face.left + face.right - 1) / 2) for face in found) == pytest.approx([80, 150], abs=2)
    for face in found:
        assert face.right - face.left == pytest.approx(25, abs=5)
    assert SegmenterDetector(net, size=60, smallest=0.4)(draw((80, 50)), 0) == []
    with pytest.raises(ValueError, match=r"detector\.smallest"):
        SegmenterDetector(net, size=60, smallest=0)
