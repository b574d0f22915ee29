"""Videos that open and cannot be read to their end: left out among others, whatever is done with them."""

import json

import numpy as np
import pytest
from PIL import Image

from facestab.record import read_record
from tests.bad_input import videos as made
from tests.bad_input.command import FINISHED, refuses
from tests.tiny import TEMPORAL
from tests.video.barcode import write_clip

pytestmark = pytest.mark.slow

QUICK = ["trainer=cpu", "flow=none", "smoother=none", "inference.write=[labels]"]
BROKEN = "set/frames/2.bmp"


@pytest.fixture
def videos(tmp_path):
    """Two that are sound, one with a frame of another size, and a folder with a picture that is cut off."""
    (tmp_path / "set" / "frames").mkdir(parents=True)
    for name in ("one.mkv", "two.mkv"):
        write_clip(tmp_path / "set" / name, 6)
    made.two_sizes(tmp_path / "two_sizes.ts")
    (tmp_path / "two_sizes.ts").rename(tmp_path / "set" / "sizes.ts")
    rng = np.random.default_rng(0)
    for number in range(4):
        picture = Image.fromarray(rng.integers(0, 256, (64, 96, 3)).astype(np.uint8))
        picture.save(tmp_path / "set" / "frames" / f"{number}.bmp")
    data = (tmp_path / BROKEN).read_bytes()
    (tmp_path / BROKEN).write_bytes(data[: len(data) // 2])
    return tmp_path


def names_the_damaged(skipped):
    assert set(skipped) == {"set/sizes.ts", "set/frames"}
    assert skipped["set/sizes.ts"].startswith("set/sizes.ts: frame 10 is 112x80, not 96x64; bring it to one size: ")
    assert skipped["set/frames"].startswith(f"{BROKEN}: this frame cannot be read (")


@pytest.mark.parametrize("overlap", [0, 2])
def test_prediction_goes_on_with_the_next_video(command, videos, weights, overlap):
    given = ["stage=predict", *QUICK, f"ckpt={weights}", "video.source=set", f"inference.overlap={overlap}"]
    assert command(*given).code == 0
    run = videos / "runs" / "predict" / "run"
    record = read_record(run)
    names_the_damaged(record["skipped"])
    assert sorted(record["videos"]) == ["one", "two"]
    finished = [path.relative_to(run / "videos") for path in run.glob("videos/**/*") if path.name in FINISHED]
    assert sorted(map(str, finished)) == ["one/labels.mkv", "two/labels.mkv"]


def test_where_no_video_is_sound_there_is_no_result(command, videos, weights):
    for name in ("one.mkv", "two.mkv"):
        (videos / "set" / name).unlink()
    ended = command("stage=predict", *QUICK, f"ckpt={weights}", "video.source=set")
    assert ended.error.startswith("none of 2 videos can be used, the first: set/")
    refuses(ended, videos, ended.error)


def test_labelling_goes_on_with_the_next_video(command, videos, weights):
    given = ["stage=label", "trainer=cpu", f"ckpt={weights}", "video.source=set", "pseudo=hard", "write=[labels]"]
    assert command(*given).code == 0
    run = videos / "runs" / "label" / "run"
    listed = json.loads((run / "labels.json").read_text())
    names_the_damaged(listed["skipped"])
    assert sorted(listed["videos"]) == ["one", "two"]
    assert sorted(path.parent.name for path in run.glob("videos/*/labels.mkv")) == ["one", "two"]


@pytest.mark.parametrize("cuts", ["true", "false"])
def test_training_does_without_them(command, videos, weights, cuts):
    # where shots are looked for, that finds the damage; elsewhere labelling does
    listed = ["path,split", "set/one.mkv,train", "set/two.mkv,val", "set/sizes.ts,train", "set/frames,val"]
    (videos / "list.csv").write_text("\n".join(listed) + "\n")
    own = [setting for setting in TEMPORAL if not setting.startswith("video")]
    given = [*own, f"init={weights}", "size=32", "controls=[]", "video=folder", "video.source=list.csv"]
    assert command("stage=temporal", *QUICK, *given, f"video.cuts={cuts}").code == 0
    record = read_record(videos / "runs" / "temporal" / "run")
    names_the_damaged(record["skipped"])
    assert list(record["videos"]) == ["set__two"]
