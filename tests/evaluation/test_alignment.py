import numpy as np
import torch

from facestab.evaluation.alignment import Alignment
from facestab.video.flow import VideoFrame


def labels(*ids):
    return np.array(ids, np.uint8).reshape(-1, 1, 1)


def frames(first, count):
    return [VideoFrame("v", first + i, np.full((1, 1, 3), first + i, np.uint8)) for i in range(count)]


def test_rows_wait_for_the_one_that_looks_ahead():
    alignment = Alignment()
    alignment.push("now", labels(0, 1, 2), torch.tensor([0.0, 1.0, 2.0]))
    alignment.push("late", labels(0), None)
    alignment.push_frames(frames(0, 3), 3)
    (part,) = alignment.ready()
    assert [frame.index for frame in part.frames] == [0]
    assert {row: part.rows[row][0].ravel().tolist() for row in part.rows} == {"now": [0], "late": [0]}
    assert part.rows["now"][1].tolist() == [0.0]
    assert part.rows["late"][1] is None
    alignment.push("late", labels(1, 2), None)
    (rest,) = alignment.ready()
    assert [frame.index for frame in rest.frames] == [1, 2]
    assert rest.rows["now"][0].ravel().tolist() == rest.rows["late"][0].ravel().tolist() == [1, 2]
    assert rest.rows["now"][1].tolist() == [1.0, 2.0]
    assert list(alignment.ready()) == []


def test_without_the_video_only_labels_are_aligned():
    alignment = Alignment()
    alignment.push("masks", labels(3, 4), None)
    alignment.push_frames(None, 2)
    (part,) = alignment.ready()
    assert part.frames is None
    assert part.rows["masks"][0].ravel().tolist() == [3, 4]
