import numpy as np
import pytest

from facestab.functional.bootstrap import mean_ratio_interval, paired_interval, sign_test


def test_a_constant_difference_has_no_spread():
    low, high = paired_interval([3.0, 5.0, 9.0], [1.0, 3.0, 7.0])
    assert low == high == 2


def test_two_videos_give_their_own_differences_as_the_ends():
    # a quarter of the resamples hold the first video twice, a quarter the second
    assert paired_interval([1.0, 4.0], [0.0, 0.0]) == (1.0, 4.0)


def test_the_interval_is_that_of_the_normal_approximation_for_many_videos():
    differences = np.random.default_rng(0).normal(0.3, 1.0, 400)
    low, high = paired_interval(differences.tolist(), [0.0] * 400)
    half = 1.96 * differences.std() / 20
    assert low == pytest.approx(differences.mean() - half, abs=0.01)
    assert high == pytest.approx(differences.mean() + half, abs=0.01)


def test_pairing_takes_out_what_the_videos_have_in_common():
    videos = np.random.default_rng(0).normal(0, 100, 20)
    low, high = paired_interval((videos + 1).tolist(), videos.tolist())
    assert low == pytest.approx(1)
    assert high == pytest.approx(1)


def test_the_interval_repeats():
    values = np.random.default_rng(0).normal(size=9).tolist()
    assert paired_interval(values, [0.0] * 9) == paired_interval(values, [0.0] * 9)


def test_one_video_says_nothing_of_the_spread():
    assert paired_interval([1.0], [0.0]) is None


def test_other_videos_on_the_other_side_are_refused():
    with pytest.raises(ValueError, match="same videos"):
        paired_interval([1.0, 2.0], [1.0])


def test_seeds_are_drawn_anew_too():
    # the seeds disagree by 2 in every video: only an interval over seeds shows it
    lines = np.stack([np.full(30, 0.0), np.full(30, 2.0)])
    low, high = paired_interval(lines, np.zeros((2, 30)))
    assert (low, high) == (0.0, 2.0)
    assert paired_interval(lines.mean(0), np.zeros(30)) == (1.0, 1.0)


def test_a_ratio_of_means_is_that_of_the_sums_and_keeps_the_pairing():
    second = np.random.default_rng(0).uniform(1, 100, 20)
    low, high = mean_ratio_interval(0.4 * second, second)
    assert low == pytest.approx(0.4)
    assert high == pytest.approx(0.4)


def test_a_ratio_to_what_may_be_zero_has_no_interval():
    assert mean_ratio_interval([1.0, 1.0], [0.0, 2.0]) is None
    assert mean_ratio_interval([1.0], [1.0]) is None


@pytest.mark.parametrize(("better", "worse", "p"), [(5, 0, 2 / 32), (3, 3, 1.0), (0, 0, 1.0), (8, 1, 2 * 10 / 512)])
def test_the_sign_test_counts_the_uneven_splits(better, worse, p):
    assert sign_test(better, worse) == pytest.approx(p)
    assert sign_test(worse, better) == pytest.approx(p)
