import cv2
import numpy as np
import pytest
from skimage import data
from skimage.feature import Cascade

from facestab.errors import FacestabError
from facestab.video.detectors.box_file import BoxFile
from facestab.video.detectors.lbp import LbpDetector
from facestab.video.detectors.mtcnn import MtcnnDetector
from facestab.video.detectors.yunet import YunetDetector
from facestab.video.faces import Face
from facestab.video.source import open_video
from tests.clips import carphone


@pytest.mark.parametrize("size", [256, 512, 900])
def test_the_cascade_finds_a_portrait_at_any_size(size):
    # the face of skimage's astronaut lies around (222, 122) of 512
    frame = cv2.resize(data.astronaut(), (size, size), interpolation=cv2.INTER_AREA)
    certain = [face for face in LbpDetector()(frame, 0) if face.score == 1]
    face = max(certain, key=lambda face: face.area)
    centre = (face.left + face.right) / 2 / size * 512, (face.top + face.bottom) / 2 / size * 512
    assert abs(centre[0] - 222) < 15
    assert abs(centre[1] - 122) < 25
    assert 80 < (face.right - face.left) / size * 512 < 170


@pytest.mark.parametrize("number", [None, 0, 24, 60, 100])
def test_one_search_finds_what_the_cascade_itself_calls_certain_and_every_hit_beside_it(number):
    frame = data.astronaut() if number is None else list(open_video(carphone()).frames())[number]
    height, width = frame.shape[:2]
    scale = (480 if number is None else 256) / min(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.resize(frame, (round(width * scale), round(height * scale)), interpolation=method)
    seen, shorter = cv2.GaussianBlur(seen, (0, 0), 1.0), min(seen.shape[:2])
    faces = LbpDetector()(frame, 0)
    cascade = Cascade(data.lbp_frontal_face_cascade_filename())
    size = {"min_size": (max(24, round(0.1 * shorter)),) * 2, "max_size": (shorter, shorter)}
    for score, hits in ((1.0, 4), (None, 1)):
        boxes = cascade.detect_multi_scale(img=seen, scale_factor=1.1, step_ratio=1, min_neighbor_number=hits, **size)
        expected = [(box["c"], box["r"], box["c"] + box["width"]) for box in boxes]
        found = [(face.left, face.top, face.right) for face in faces if score in (None, face.score)]
        assert len(found) == len(expected)
        # squares are rounded to whole pixels
        np.testing.assert_allclose(scale * np.array(sorted(found)), np.array(sorted(expected)), atol=2)
    assert number is not None or faces


def test_the_cascade_finds_a_small_talking_head_in_most_frames():
    frames = list(open_video(carphone()).frames())[::12]
    hits = [
        face for t, frame in enumerate(frames) for face in LbpDetector()(frame, t) if 35 < face.right - face.left < 80
    ]
    assert len({round(face.left) for face in hits}) >= 5


def test_there_is_no_face_in_noise():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    assert [face for face in LbpDetector()(noise, 0) if face.score == 1] == []


def test_boxes_come_from_a_file_by_frame(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("frame,left,top,right,bottom\n0,1,2,11,12.5\n2,3,4,5,6\n2,7,8,9,10\n")
    boxes = BoxFile(str(path))
    frame = np.zeros((4, 4, 3), np.uint8)
    assert boxes(frame, 0) == [Face(1, 2, 11, 12.5)]
    assert boxes(frame, 1) == []
    assert len(boxes(frame, 2)) == 2
    other = tmp_path / "other.csv"
    other.write_text("frame,left,top,right,bottom\n0,1,2,11,13\n")
    assert BoxFile(str(other)).settings() != boxes.settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,left,top,right\n0,1,2,3\n", "has no column 'bottom'"),
        ("", "has no column"),
        ("frame,left,top,right,bottom\n0,1,2,3\n", "line 2 is no frame number and four numbers"),
        ("frame,left,top,right,bottom\nx,1,2,3,4\n", "line 2 is no frame number"),
        ("frame,left,top,right,bottom\n0,5,2,3,4\n", "line 2: the box holds nothing"),
        ("frame,left,top,right,bottom\n0,nan,2,3,4\n", "line 2: the box holds nothing"),
    ],
)
def test_what_is_wrong_in_a_file_of_boxes_is_said(tmp_path, text, message):
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(FacestabError, match=rf"boxes\.csv: {message}"):
        BoxFile(str(tmp_path / "boxes.csv"))


def test_what_is_not_there_is_said_with_what_to_do(tmp_path):
    with pytest.raises(FacestabError, match=r"nowhere\.csv: cannot be read"):
        BoxFile(str(tmp_path / "nowhere.csv"))
    with pytest.raises(FacestabError, match=r"yunet\.onnx: no such file"):
        YunetDetector(str(tmp_path / "yunet.onnx"))
    (tmp_path / "yunet.onnx").write_bytes(b"no model")
    with pytest.raises(FacestabError, match=r"yunet\.onnx: OpenCV cannot load it"):
        YunetDetector(str(tmp_path / "yunet.onnx"))


def test_mtcnn_finds_a_portrait_or_says_how_to_install_it():
    try:
        import facenet_pytorch  # noqa: F401
    except ImportError:
        with pytest.raises(FacestabError, match="pip install --no-deps facenet-pytorch"):
            MtcnnDetector()
        return
    (face,) = MtcnnDetector()(data.astronaut(), 0)
    assert abs((face.left + face.right) / 2 - 222) < 15
    assert face.score > 0.9


@pytest.mark.parametrize(
    "make", [lambda: LbpDetector(smallest=0), lambda: MtcnnDetector(min_score=2), lambda: YunetDetector("x", 2)]
)
def test_settings_that_cannot_be_are_refused(make):
    with pytest.raises(ValueError, match=r"detector\."):
        make()
