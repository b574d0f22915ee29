"""A file is read and nothing that it names; its own name is a name and nothing else."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from facestab.errors import VideoError
from facestab.video.container import mending
from facestab.video.live_sink import LiveSink
from facestab.video.source import find_videos, open_video
from tests.video.barcode import numbers_of, write_clip

NAMES = [
    "a:b.mp4",
    "concat:clip.mp4|clip.mp4",
    "http:clip.mp4",
    "subfile,,start,0,end,9,,:clip.mp4",
    "-i.mp4",
    "%03d.mp4",
    "a b 'c' \"d\" $(touch mark) `touch mark`;touch mark.mp4",
    "<script>alert(1)<.mp4",
    "\u00fcml\u00e4ut \u732b.mp4",
    "line\nbreak.mp4",
    "back\\slash.mp4",
    f"{'long' * 60}.mp4",
]
PLAYLISTS = {
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nclip.mp4\n#EXT-X-ENDLIST\n",
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://FOLDER/clip.mp4\n#EXT-X-ENDLIST\n",
    "remote.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://localhost:1/clip.mp4\n#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile clip.mp4\n",
    "concat.mkv": "ffconcat version 1.0\nfile 'FOLDER/clip.mp4'\n",
    "list.mp4": "[playlist]\nFile1=clip.mp4\n",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash.mp4": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>clip.mp4</BaseURL></MPD>\n',
}


@pytest.fixture
def clip(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_clip(tmp_path / "clip.mp4", num_frames=6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["auto", "decord"])
def test_a_name_is_a_name(clip, name, backend):
    shutil.move(clip, name)
    with open_video(name, backend) as video:
        assert numbers_of(video.frames()) == list(range(6))
        assert numbers_of(iter(video.pair(2))) == [2, 3]
    assert [path.name for path in find_videos(".")] == [name]
    assert not Path("mark").exists()


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize("backend", ["auto", "decord"])
def test_a_list_of_other_files_is_not_followed(clip, name, backend):
    Path(name).write_text(PLAYLISTS[name].replace("FOLDER", str(Path.cwd())))
    with pytest.raises(VideoError, match=f"{name}: this is (a playlist|not a video)"):
        next(open_video(name, backend).frames())


@pytest.mark.parametrize(
    "source", ["http://localhost:1/clip.mp4", "concat:clip.mp4", "file:clip.mp4", "tcp://localhost:1"]
)
def test_an_address_is_no_file(clip, source):
    with pytest.raises(VideoError, match="no such file"):
        find_videos(source)
    with pytest.raises(VideoError, match="no such file"):
        open_video(source)


def test_the_overlay_of_a_stream_goes_into_files_only(clip):
    sink = LiveSink("tcp://localhost:1", 25)
    with open_video("clip.mp4") as video, pytest.raises(VideoError, match="No such file"), sink:
        sink.write(next(video.frames()))


@pytest.mark.parametrize("name", NAMES)
def test_the_command_that_is_recommended_keeps_a_name_together(tmp_path, name):
    """Read by a real shell, in which a program of that name writes down what it was given."""
    (tmp_path / "ffmpeg").write_text('#!/bin/sh\nprintf "%s\\0" "$@" > given\n')
    (tmp_path / "ffmpeg").chmod(0o755)
    command = ["sh", "-c", mending(Path(name))]
    subprocess.run(command, cwd=tmp_path, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True)
    given = (tmp_path / "given").read_text().split("\0")[:-1]
    assert given[-2:] == [f"file:{name}", f"file:{Path(name).stem}_mended.mp4"]
    assert given == shlex.split(mending(Path(name)))[1:]
    assert sorted(os.listdir(tmp_path)) == ["ffmpeg", "given"]


def test_an_image_of_a_format_that_starts_programs_is_refused(tmp_path):
    script = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n({tmp_path}/mark) (w) file closefile\n"
    for suffix in (".png", ".jpg"):
        (tmp_path / f"frame{suffix}").write_text(script)
        with Image.open(tmp_path / f"frame{suffix}") as image:
            assert image.format == "EPS"
        with pytest.raises(VideoError, match=r"frame.*cannot be read \(cannot identify image file"):
            next(open_video(tmp_path / f"frame{suffix}").frames())
    assert not (tmp_path / "mark").exists()
