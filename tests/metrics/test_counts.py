"""What every metric promises, whatever it measures."""

import pickle

import pytest
import torch
from torchmetrics import MetricCollection

from facestab.keys import is_video_key
from facestab.metrics.agreement import IntervalConsistency, VideoConsistency
from facestab.metrics.flicker import AbaFlicker, SwitchRate
from facestab.metrics.scores import SegmentationScores
from facestab.metrics.signals import SignalMetric
from facestab.metrics.static import StaticConsistency, StaticFlicker
from tests.metrics.cases import CASES, NAMES, VIDEO_CASES, filled, right_for_long, states, update, values

SIGNALS = [name for name, case in CASES.items() if isinstance(case.make(), SignalMetric)]
LOWER_IS_BETTER = {"aba", "switch", "excess", "static", "prob_tv", "dtssd", "boundary_jitter", "area"}
NEITHER_IS_BETTER = {"calibration", "dynamics"}

every_metric = pytest.mark.parametrize("name", CASES)
every_video_metric = pytest.mark.parametrize("name", VIDEO_CASES)
every_count = pytest.mark.parametrize("name", [name for name in CASES if name not in SIGNALS])


@every_count
def test_states_are_int64_counts_that_sum_over_processes(name):
    metric = filled(name, 5, seed=0)
    assert metric.metric_state
    for state, reduction in zip(metric.metric_state.values(), metric._reductions.values(), strict=True):
        assert state.dtype == torch.int64
        assert state.sum() > 0
        assert reduction(torch.stack([state, state])).tolist() == (2 * state).tolist()


@pytest.mark.parametrize("name", SIGNALS)
def test_the_states_of_time_courses_are_lines_that_are_put_behind_each_other(name):
    metric = filled(name, 5, seed=0)
    assert {reduction.__name__ for reduction in metric._reductions.values()} == {"dim_zero_cat"}
    assert all(line.dtype == metric.signal_dtype for line in metric.signals())
    assert metric.signals()[0].shape[1] == metric.num_columns


@every_metric
def test_values_are_float_scalars_under_known_keys(name):
    result = filled(name, 6, seed=0).compute()
    # windows as short as those of the cases have keys of their own
    numbered = {"correct": "vc/correct3", "vc_vspw": "vc/vspw3"}
    assert all(is_video_key(key) or key == numbered.get(name) for key in result)
    assert all(value.dtype == torch.float32 and value.ndim == 0 for value in result.values())
    assert not all(value.isnan() for value in result.values())


@every_metric
def test_the_direction_of_better_is_stated(name):
    metric = CASES[name].make()
    expected = None if name in NEITHER_IS_BETTER else name not in LOWER_IS_BETTER
    assert metric.higher_is_better is expected
    assert metric.is_differentiable is False
    assert metric.full_state_update is False


@every_metric
@pytest.mark.parametrize("num_frames", [None, 0])
def test_without_frames_every_value_is_nan_and_nothing_warns(name, num_frames):
    metric = CASES[name].make() if num_frames is None else filled(name, num_frames, seed=0)
    assert set(values(metric).values()) == {None}


@every_video_metric
def test_a_video_no_longer_than_the_context_adds_nothing(name):
    for num_frames in range(CASES[name].make().context + 1):
        metric = filled(name, num_frames, seed=3)
        assert states(metric) == states(CASES[name].make())


@every_video_metric
@pytest.mark.parametrize("num_new", [1, 2, 3, 7])
def test_overlapping_windows_give_the_counts_of_the_whole_video(name, num_new):
    num_frames = 11
    video = CASES[name].video(num_frames, 5)
    metric = CASES[name].make()
    for first_new in range(0, num_frames, num_new):
        start, stop = max(0, first_new - metric.context), min(first_new + num_new, num_frames)
        # what belongs to pairs of frames is shorter than the labels
        window = tuple(part[start : max(start, stop - (num_frames - len(part)))] for part in video)
        update(metric, window, first=first_new == 0)
    assert states(metric) == states(filled(name, num_frames, seed=5))


@every_video_metric
def test_a_smaller_context_would_lose_counts(name):
    video = CASES[name].video(8, 5)
    metric = CASES[name].make()
    for start, stop in ((0, 4), (4 - metric.context + 1, 8)):
        update(metric, tuple(part[start : stop - (8 - len(part))] for part in video), first=start == 0)
    assert states(metric) != states(filled(name, 8, seed=5))


@every_metric
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_the_type_of_the_labels_does_not_matter(name, dtype):
    video = CASES[name].video(5, 1)
    metric = CASES[name].make()
    metric.update(*(part.to(dtype) if part.dtype == torch.int64 else part for part in video))
    assert states(metric) == states(filled(name, 5, seed=1))


@every_metric
def test_the_metrics_of_two_videos_add_up_to_the_overall_one(name):
    overall, merged = CASES[name].make(), CASES[name].make()
    for seed, num_frames in ((0, 4), (1, 6)):
        overall.update(*CASES[name].video(num_frames, seed))
        merged.merge_state(filled(name, num_frames, seed))
    assert states(merged) == states(overall)
    assert values(merged) == values(overall)


@every_metric
def test_a_merge_after_compute_is_not_hidden_by_the_cached_value(name):
    merged, other = filled(name, 4, seed=0), filled(name, 6, seed=1)
    before = values(merged)
    merged.merge_state(other)
    expected = CASES[name].make()
    for seed, num_frames in ((0, 4), (1, 6)):
        expected.update(*CASES[name].video(num_frames, seed))
    assert values(merged) == values(expected) != before


@every_metric
def test_a_merge_leaves_the_other_metric_as_it_was(name):
    overall, other = CASES[name].make(), filled(name, 4, seed=0)
    before = states(other)
    overall.merge_state(other)
    overall.update(*CASES[name].video(6, 1))
    assert states(other) == before


@every_metric
def test_reset_and_a_round_trip_through_pickle(name):
    metric = filled(name, 4, seed=0)
    assert states(pickle.loads(pickle.dumps(metric))) == states(metric)
    metric.reset()
    assert states(metric) == states(CASES[name].make())


def test_a_metric_of_another_kind_is_not_merged():
    with pytest.raises(ValueError, match="AbaFlicker"):
        AbaFlicker(NAMES).merge_state(SwitchRate(NAMES))
    with pytest.raises(RuntimeError, match="size"):
        SegmentationScores(["a", "b"]).merge_state(SegmentationScores(["a", "b", "c"]))
    with pytest.raises(ValueError, match="kept_right_3"):
        VideoConsistency(3).merge_state(VideoConsistency(4))


@pytest.mark.parametrize(
    ("make", "video"),
    [
        (lambda: [AbaFlicker(NAMES), SwitchRate(NAMES)], CASES["aba"].video),
        (
            lambda: [StaticConsistency(2, "a"), StaticConsistency(3, "b"), StaticFlicker(NAMES)],
            CASES["static"].video,
        ),
        (lambda: [VideoConsistency(2), VideoConsistency(3), IntervalConsistency()], right_for_long),
    ],
)
def test_a_collection_keeps_metrics_apart_that_start_with_equal_counts(make, video):
    # torchmetrics joins metrics whose states have the same names and values after the first update
    collection, alone = MetricCollection({str(i): metric for i, metric in enumerate(make())}), make()
    for num_frames, seed in ((1, 0), (6, 1)):
        for metric in (collection, *alone):
            metric.update(*video(num_frames, seed))
    expected = {key: value for metric in alone for key, value in values(metric).items()}
    assert values(collection) == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_metric
def test_counts_on_cuda_equal_those_on_the_cpu(name):
    metric = CASES[name].make().to("cuda")
    metric.update(*(part.cuda() for part in CASES[name].video(7, 2)))
    assert states(metric) == states(filled(name, 7, seed=2))
