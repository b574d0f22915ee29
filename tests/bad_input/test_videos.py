"""What `video.source` may meet: refused in one line, left out and counted, or read for what it is."""

import os
import re
import shutil
from fractions import Fraction

import numpy as np
import pytest

from facestab.errors import VideoError
from facestab.record import read_record
from facestab.video.label_video import LabelVideo
from facestab.video.source import open_video
from tests.bad_input import videos as made
from tests.bad_input.command import refuses
from tests.tiny import IMAGE
from tests.video.barcode import numbers_of, write_clip

pytestmark = pytest.mark.slow

QUICK = ["stage=predict", "flow=none", "smoother=none", "inference.write=[labels]", "inference.overlap=0"]
NO_FRAMES = "no videos in this folder; looked for files .mp4 .mov .m4v .mkv .webm .avi .gif .mpg .mpeg .ts .mts .m2ts "
NO_FRAMES += ".flv .wmv .3gp .ogv and folders of images .png .jpg .jpeg .bmp .webp .tif .tiff .ppm .pgm"
NO_INDEX = "the file is cut off or was never finished, its table of frames is missing; copy or record it again "
NO_INDEX += "(Invalid data found when processing input)"
NO_VIDEO = "this is not a video, or a damaged one; give a video file such as .mp4 or .mkv "
TEXT = f"{NO_VIDEO}(Invalid data found when processing input)"
PLAYLIST = "this is a playlist, which names other files that are not followed; give a video file"
SOUND = "there are no moving pictures in this file, only sound or data; give a video"
# file, how it is made, what is said of it; # is a number that depends on the encoder
LEFT_OUT = [
    ("empty.mp4", made.content(b""), "the file is empty (0 bytes); copy or download it again"),
    ("cut_in_its_header.mp4", made.cut(), NO_INDEX),
    ("cut.mp4", made.cut(container_options=made.FRONT), "the file is cut off, it ends at # s of 2.40 s; KEEP"),
    ("cut.mkv", made.cut(), "the file is cut off, it ends at # s of 2.40 s; KEEP"),
    ("cut.webm", made.cut(codec="libvpx"), "the file is cut off, it ends at # s of 2.40 s; KEEP"),
    ("cut.avi", made.cut(), "the file is cut off, # of 60 frames are there; KEEP"),
    (
        "text.mp4",
        made.content(b"these are not the frames\n" * 50),
        f"{NO_VIDEO}(Invalid data found when processing input)",
    ),
    ("playlist.mp4", made.playlist, f"{PLAYLIST} (Invalid data found when processing input)"),
    ("picture.mp4", made.picture, f"{NO_VIDEO}(Invalid argument)"),
    ("sound.mp4", made.sound, SOUND),
    ("no_time.mp4", made.no_frames(), SOUND),
    ("8k_header.mp4", made.no_frames(4320, 7680), SOUND),
    (
        "promising.mp4",
        made.promising,
        f"its table promises {2**31} frames in # bytes, which is damage; copy it again",
    ),
    ("no_time.mkv", made.no_frames(), f"{NO_VIDEO}(End of file)"),
    ("link.mp4", made.broken_link, "a link to 'nowhere.mp4', which is not there; mend the link"),
]
REFUSED = [
    *LEFT_OUT,
    ("missing.mp4", made.nothing, "no such file or folder; check the path"),
    ("folder.mp4", os.mkdir, NO_FRAMES),
    ("two_sizes.ts", made.two_sizes, "frame 10 is 112x80, not 96x64; bring it to one size: MEND"),
    ("video.csv", made.copied(".mp4"), "is not text, as a list of videos is; give a video its own suffix"),
    (
        "video.png",
        made.copied(".mp4"),
        "this frame cannot be read (cannot identify image file 'video.png'); replace it or take it out of the folder",
    ),
]
# file, how it is made, frames, height, width
TAKEN = [
    ("one_frame.mp4", made.clip(1), 1, 64, 96),
    ("two_frames.mp4", made.clip(2), 2, 64, 96),
    ("wrong_suffix.avi", made.copied(".mp4"), 6, 64, 96),
    ("no_suffix", made.copied(".mkv"), 6, 64, 96),
    ("animated.gif", made.clip(codec="gif", pix_fmt="rgb8"), 6, 64, 96),
    ("hevc.mp4", made.clip(codec="libx265", options={"x265-params": "log-level=none"}), 6, 64, 96),
    ("ten_bits.mkv", made.clip(codec="libx264", pix_fmt="yuv420p10le"), 6, 64, 96),
    ("turned.mp4", made.turned, 6, 96, 64),
    ("variable_rate.mp4", made.clip(ticks=[0, 1, 5, 6, 20, 21]), 6, 64, 96),
    ("odd_size.mkv", made.clip(codec="ffv1", size=(63, 97)), 6, 63, 97),
    ("16x16.mp4", made.clip(size=(16, 16)), 6, 16, 16),
    ("gesicht \u00e4 \u9854.mp4", made.clip(2), 2, 64, 96),
    ("clip (1).mp4", made.clip(2), 2, 64, 96),
    ("a=b,c'd.mp4", made.clip(2), 2, 64, 96),
    ("-dash.mp4", made.clip(2), 2, 64, 96),
    ("[%d]$x#.mp4", made.clip(2), 2, 64, 96),
]


def line(path, name, message):
    """A row's message, with the path and FFmpeg's command in it."""
    mending = f"ffmpeg -err_detect ignore_err -i file:{name} file:{name.rpartition('.')[0]}_mended.mp4"
    return f"{path}: {message.replace('KEEP', 'copy it again, or keep the rest: MEND').replace('MEND', mending)}"


def says(text, expected):
    return re.fullmatch(re.escape(expected).replace(r"\#", r"[\d.]+"), text) is not None


@pytest.mark.parametrize(("name", "make", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_one_video_that_cannot_be_read_ends_the_command(command, tmp_path, weights, name, make, message):
    make(tmp_path / name)
    ended = command(*QUICK, f"ckpt={weights}", f"video.source={name}")
    assert says(ended.error, line(name, name, message))
    refuses(ended, tmp_path, ended.error)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["video.source=missing"], "missing: no such file or folder; check the path"),
        (["video.source=no_video"], f"no_video{os.sep}a.mp4: {TEXT}"),
        (
            ["video.source=short", "temporal.pairs.gaps=[4]"],
            "the video set has no 5 adjacent frames; give longer videos, or ask for shorter windows",
        ),
        (
            ["video.source=short", "smoother=all"],
            "the video set has no 8 adjacent frames; give longer videos, or ask for shorter windows",
        ),
    ],
)
def test_videos_that_cannot_be_learned_from_are_refused_before_an_image_model_is_trained(
    command, tmp_path, words, message
):
    (tmp_path / "short").mkdir()
    for number in range(3):
        write_clip(tmp_path / "short" / f"{number}.mp4", 4)
    (tmp_path / "no_video").mkdir()
    (tmp_path / "no_video" / "a.mp4").write_text("no video")
    ended = command("stage=temporal", *IMAGE, "video=folder", *words)
    refuses(ended, tmp_path, message)
    assert not (tmp_path / "runs" / "image").exists()


def test_among_others_it_is_left_out_named_and_counted(command, tmp_path, weights, caplog):
    (tmp_path / "set").mkdir()
    for name, make, _ in LEFT_OUT:
        make(tmp_path / "set" / name)
    write_clip(tmp_path / "set" / "sound_one.mp4", 3)
    assert command(*QUICK, f"ckpt={weights}", "video.source=set").code == 0
    record = read_record(tmp_path / "runs" / "predict" / "run")
    skipped = record["skipped"]
    expected = {f"set/{name}": line(f"set/{name}", name, message) for name, _, message in LEFT_OUT}
    assert set(skipped) == set(expected)
    assert [path for path in expected if not says(skipped[path], expected[path])] == []
    assert list(record["inputs"]) == ["sound_one"]
    named = [text.removeprefix("left out: ") for text in caplog.messages if text.startswith("left out: set")]
    assert len(named) == 10
    assert set(named) <= set(skipped.values())
    assert f"left out: {len(LEFT_OUT)} of {len(LEFT_OUT) + 1} videos, see 'skipped' in the record" in caplog.messages


@pytest.mark.parametrize(("name", "make", "frames", "height", "width"), TAKEN, ids=[row[0] for row in TAKEN])
def test_an_unusual_video_gives_one_mask_for_each_frame(command, tmp_path, weights, name, make, frames, height, width):
    make(tmp_path / name)
    assert command(*QUICK, f"ckpt={weights}", f"video.source={name}").code == 0
    (video,) = (tmp_path / "runs" / "predict" / "run" / "videos").iterdir()
    info = LabelVideo(video / "labels.mkv").info
    assert (info.num_frames, info.height, info.width) == (frames, height, width)
    record = read_record(tmp_path / "runs" / "predict" / "run")
    assert [described["frames"] for described in record["inputs"].values()] == [frames]
    assert "skipped" not in record


def test_one_frame_and_a_tiny_one_go_through_everything_that_is_measured(command, tmp_path, weights):
    write_clip(tmp_path / "one.mp4", 1)
    write_clip(tmp_path / "tiny.mkv", 3, codec="ffv1", size=(2, 2))
    (tmp_path / "list.csv").write_text("path\none.mp4\ntiny.mkv\n")
    everything = "inference.write=[labels,palette,overlay,compare,cutout,gif,webp,json]"
    assert command("stage=predict", f"ckpt={weights}", "video.source=list.csv", everything).code == 0
    record = read_record(tmp_path / "runs" / "predict" / "run")
    assert {id_: described["frames"] for id_, described in record["inputs"].items()} == {"one": 1, "tiny": 3}
    # one frame has no neighbour to flicker against
    assert "flicker/aba" not in record["videos"]["one"]["image"]


def test_one_frame_is_too_short_to_learn_from(command, tmp_path, weights):
    write_clip(tmp_path / "one.mp4", 1)
    training = ["stage=temporal", "net=tiny", f"init={weights}", "size=32", "video=folder", "video.source=one.mp4"]
    refuses(command(*training), tmp_path, "one.mp4: too short, it has 1 frames and 2 are needed")


def test_av1_is_read_by_pyav_and_refused_where_decord_is_asked_for(tmp_path):
    encoder = {"codec": "libsvtav1", "options": {"svtav1-params": "preset=12"}}
    path = write_clip(tmp_path / "av1.mp4", 6, **encoder)
    assert numbers_of(open_video(path).pair(2)) == [2, 3]
    why = r"decord does not read av1 reliably"
    with pytest.raises(VideoError, match=rf"^{path}: backend=decord cannot be used \({why}\); use backend=auto$"):
        open_video(path, "decord").pair(2)


def test_the_times_of_a_variable_rate_are_those_of_the_masks(command, tmp_path, weights):
    ticks = [0, 1, 5, 6, 20, 21]
    write_clip(tmp_path / "clip.mp4", 6, ticks=ticks)
    wanted = ["inference.write=[overlay]", "flow=none", "smoother=none"]
    assert command("stage=predict", f"ckpt={weights}", "video.source=clip.mp4", *wanted).code == 0
    with open_video(tmp_path / "runs/predict/run/videos/clip/overlay.mp4") as written:
        times = [float(time) for time in written.timing().times]
    np.testing.assert_allclose(times, [tick / 25 for tick in ticks], atol=1 / 1000)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read and write everything")
def test_no_permission_is_said(command, tmp_path, weights):
    write_clip(tmp_path / "mine.mp4", 2).chmod(0)
    ended = command(*QUICK, f"ckpt={weights}", "video.source=mine.mp4")
    assert ended.code == 1
    assert ended.error.startswith("mine.mp4: ")
    assert "permission denied" in ended.error.lower()


def test_a_name_in_the_way_of_hydra_is_taken_when_it_is_a_file_and_explained_when_not(command, tmp_path, weights):
    command_line = [*QUICK, f"ckpt={weights}", "video.source=clip (2).mp4"]
    hint = "; a text with other signs than letters stands in quotes: \"video.source='clip (2).mp4'\""
    refuses(command(*command_line), tmp_path, f"video.source=clip (2).mp4: cannot be read as a setting{hint}")
    shutil.copy(write_clip(tmp_path / "clip.mp4", 1, fps=Fraction(25)), tmp_path / "clip (2).mp4")
    assert command(*command_line).code == 0
