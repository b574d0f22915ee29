import pytest

from facestab.video.faces import Face, follow, largest_only


def box(x, y, side, score=1.0):
    return Face(x, y, x + side, y + side, score)


def test_overlap_is_intersection_over_union():
    assert box(0, 0, 10).iou(box(5, 0, 10)) == pytest.approx(50 / 150)
    assert box(0, 0, 10).iou(box(10, 0, 10)) == 0
    assert Face(0, 0, 0, 0).iou(Face(0, 0, 0, 0)) == 0


def test_two_faces_that_move_keep_their_tracks():
    found = [[box(2 * t, 0, 20), box(100 - 2 * t, 50, 30)][:: 1 if t % 2 else -1] for t in range(20)]
    large, small = follow(found, hold=2)
    assert [large.faces[t].left for t in range(20)] == [100 - 2 * t for t in range(20)]
    assert [small.faces[t].left for t in range(20)] == [2 * t for t in range(20)]


def test_a_face_that_is_lost_for_a_moment_is_the_same_and_later_another():
    seen = [[box(0, 0, 20)]] * 5
    assert len(follow([*seen, *[[]] * 3, *seen], hold=3)) == 1
    assert len(follow([*seen, *[[]] * 4, *seen], hold=3)) == 2


def test_a_doubtful_face_goes_on_with_a_track_and_begins_none():
    doubtful = box(1, 0, 20, score=0.25)
    assert follow([[doubtful]] * 5, hold=2) == []
    (track,) = follow([[box(0, 0, 20)], [doubtful], [doubtful], [box(50, 50, 20, 0.25)]], hold=2)
    assert sorted(track.faces) == [0, 1, 2]


def test_the_certain_one_of_two_boxes_of_a_face_is_taken_and_makes_one_track():
    pair = [box(0, 0, 20), box(1, 1, 20, score=0.25)]
    (track,) = follow([pair] * 4, hold=2)
    assert all(face.score == 1 for face in track.faces.values())


def test_what_is_certain_too_seldom_is_left_out():
    once = [[box(0, 0, 20)], [box(0, 0, 20, 0.25)], [], []]
    assert follow(once, hold=2, min_frames=3) == []
    assert len(follow([[box(0, 0, 20)]] * 2, hold=2, min_frames=3)) == 1


def test_one_face_at_a_time_is_the_larger_one():
    found = [[box(0, 0, 20), *([box(60, 0, 40)] if 5 <= t < 15 else [])] for t in range(30)]
    tracks = follow(found, hold=2)
    assert len(tracks) == 2
    (kept,) = largest_only(tracks)
    assert len(kept.faces) == 30
    apart = [[box(0, 0, 20)]] * 5 + [[]] * 9 + [[box(60, 0, 40)]] * 5
    assert len(largest_only(follow(apart, hold=2))) == 2
