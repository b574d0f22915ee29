import struct

import av
import numpy as np
import pytest

from facestab.errors import VideoError
from facestab.video.mp4_boxes import promised_samples
from facestab.video.source import open_video


def write(path, num_frames, **options):
    with av.open(str(path), "w", container_options=options) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for t in range(num_frames):
            picture = np.full((32, 32, 3), 10 * t, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("flags", ["faststart", "frag_keyframe+empty_moov", "frag_every_frame+empty_moov"])
def test_a_sound_file_promises_its_frames_and_opens(tmp_path, flags):
    path = write(tmp_path / "clip.mp4", 7, movflags=flags)
    assert promised_samples(path) == 7
    assert len(list(open_video(path).frames())) == 7


@pytest.mark.parametrize("kind", [b"trun", b"stsz"])
def test_more_frames_than_bytes_are_refused_before_a_table_is_made_of_them(tmp_path, kind):
    path = write(tmp_path / "clip.mp4", 7, movflags="faststart" if kind == b"stsz" else "frag_keyframe+empty_moov")
    data = bytearray(path.read_bytes())
    at = data.index(kind) + {b"trun": 8, b"stsz": 12}[kind]
    if kind == b"stsz":
        # one size for all, so that the table needs no bytes
        data[at - 4 : at] = struct.pack(">I", 1)
    data[at : at + 4] = struct.pack(">I", 2**31)
    path.write_bytes(data)

    with pytest.raises(VideoError, match=rf"promises {2**31} frames in {len(data)} bytes"):
        list(open_video(path).frames())


@pytest.mark.parametrize("data", [b"", b"ftyp", b"\0\0\0\x08ftyp", b"\0\0\0\x08ftyp\0\0\0\x01moov", b"RIFF" * 9])
def test_what_is_no_mp4_or_ends_early_promises_nothing(tmp_path, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    assert promised_samples(path) == 0


def test_boxes_in_boxes_without_an_end_are_not_followed(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"\0\0\0\x08ftyp" + b"\0\0\0\0moov" * 5000)
    assert promised_samples(path) == 0
