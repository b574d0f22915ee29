import pytest
import torch

from facestab.functional.published import etc_counts, vspw_confusion, vspw_windows, warp_ids_etc, warp_ids_vspw
from facestab.functional.warping import warp_labels
from tests.functional import references
from tests.functional.toys import noise, panorama


def random_flow(*shape, scale=3.0, seed=0):
    return scale * torch.randn(*shape, 2, generator=torch.Generator().manual_seed(seed))


def plain_noise(num_frames, num_classes=5, seed=0):
    return noise(num_frames, num_classes, seed).clamp(max=num_classes - 1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_both_warps_equal_loops_over_pixels(dtype):
    labels_THW, flow_THW2 = plain_noise(5).to(dtype), random_flow(5, 6, 7)
    for warp, reference in ((warp_ids_etc, references.warp_etc), (warp_ids_vspw, references.warp_vspw)):
        for labels_HW, flow_HW2 in zip(labels_THW, flow_THW2, strict=True):
            assert warp(labels_HW, flow_HW2).tolist() == reference(labels_HW, flow_HW2)


def face(height=64, width=64):
    """Skin, two eyes and lips, with ids as far apart as in a label set of 11."""
    labels_HW = torch.zeros(height, width, dtype=torch.long)
    labels_HW[8:60, 12:52] = 1
    labels_HW[24:28, 20:28] = 4
    labels_HW[24:28, 36:44] = 9
    labels_HW[44:50, 26:38] = 8
    return labels_HW


def test_half_a_pixel_invents_classes_as_etc_and_none_with_ours():
    labels_HW = face()
    flow_HW2 = torch.tensor([0.5, 0.0]).expand(64, 64, 2)
    known = set(labels_HW.unique().tolist())
    assert set(warp_ids_etc(labels_HW, flow_HW2).unique().tolist()) - known == {2, 5}
    assert set(warp_labels(labels_HW, flow_HW2)[0].unique().tolist()) <= known | {255}


def test_single_precision_lowers_pixels_inside_a_class_as_etc():
    flow_HW2 = random_flow(256, 256, scale=0.3)
    warped = warp_ids_etc(torch.full((256, 256), 7), flow_HW2)
    assert set(warped.unique().tolist()) == {6, 7}
    assert 0.01 < (warped == 6).float().mean() < 0.05


def test_out_of_the_frame_is_its_edge_as_etc_and_class_0_as_vspw():
    labels_HW = torch.full((4, 5), 3)
    flow_HW2 = torch.tensor([2.3, 0.0]).expand(4, 5, 2)
    assert (warp_ids_etc(labels_HW, flow_HW2) == 3).all()
    assert warp_ids_vspw(labels_HW, flow_HW2)[1].tolist() == [3, 3, 0, 0, 0]


@pytest.mark.parametrize(("size", "num_lost"), [(8, 8 + 7), (9, 0)])
def test_zero_flow_costs_the_last_row_and_column_of_an_even_size_as_vspw(size, num_lost):
    # the last column is sampled at W - 1/2, which is rounded to the even neighbour
    lost = warp_ids_vspw(torch.full((size, size), 2), torch.zeros(size, size, 2)) == 0
    assert int(lost.sum()) == num_lost
    assert not lost[:-1, :-1].any()


def test_etc_counts_equal_a_loop_over_pixels():
    labels_THW, flow_THW2 = noise(4, num_classes=5, seed=1), random_flow(3, 6, 7)
    counts = [[0, 0] for _ in range(5)]
    for t in range(3):
        warped_HW = torch.tensor(references.warp_etc(labels_THW[t + 1], flow_THW2[t]))
        for now, later in zip(labels_THW[t].flatten().tolist(), warped_HW.flatten().tolist(), strict=True):
            for k in range(5):
                if later != 255:
                    counts[k][0] += now == k == later
                    counts[k][1] += k in (now, later)
    assert etc_counts(labels_THW, flow_THW2, 5).tolist() == counts


def test_vspw_confusion_equals_a_loop_over_pixels():
    labels_THW, flow_THW2 = noise(4, num_classes=5, seed=1), random_flow(3, 6, 7)
    warped = torch.tensor([references.warp_vspw(*pair) for pair in zip(labels_THW[1:], flow_THW2, strict=True)])
    expected = references.confusion(warped, labels_THW[:-1], 5)
    assert vspw_confusion(labels_THW, flow_THW2, 5).tolist() == expected


def test_an_integer_shift_is_exact_inside_the_frame_as_etc():
    labels_THW, flow_THW2 = panorama(2, step_x=3, step_y=0)
    warped = warp_ids_etc(labels_THW[1], flow_THW2[0])
    assert torch.equal(warped[:, :21].long(), labels_THW[0][:, :21])


@pytest.mark.parametrize("num_frames", [2, 3, 5])
def test_windows_equal_loops_over_pixels_and_hold_the_last_one_too(num_frames):
    pred_THW, truth_THW = (noise(8, num_classes=2, seed=s) for s in (0, 1))
    got = vspw_windows(pred_THW, truth_THW, num_frames)
    assert len(got) == 8 - num_frames + 1
    assert [tuple(line) for line in got[:-1].tolist()] == references.vspw_windows(pred_THW, truth_THW, num_frames)


def test_shapes_that_do_not_fit_are_refused():
    labels_THW = noise(3)
    for counts in (etc_counts, vspw_confusion):
        with pytest.raises(ValueError, match=r"flow: shape \(2, 6, 7, 2\) is needed, got \(3, 6, 7, 2\)"):
            counts(labels_THW, torch.zeros(3, 6, 7, 2), 4)
    with pytest.raises(ValueError, match=r"labels: .*\(2, 6, 7\).*\(3, 6, 7\)"):
        vspw_windows(labels_THW, labels_THW[1:], 2)
