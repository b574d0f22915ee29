import math

import pytest
import torch

from facestab.functional.signals import area_volatility, dropouts, high_pass, moving, response
from tests.functional import reference_signals as reference

NUM_FRAMES = 25


def column(*values):
    return torch.tensor(values, dtype=torch.long)[:, None]


def areas(seed, num_frames=40, num_classes=3, high=60):
    """Random areas, a third of them 0."""
    generator = torch.Generator().manual_seed(seed)
    values_TK = torch.randint(high, (num_frames, num_classes), generator=generator)
    return values_TK * (torch.rand(values_TK.shape, generator=generator) > 0.3)


def wave(seed, num_frames=80):
    """A smooth random signal, about -1000 to 1000, int64 (T, 1)."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 1, num_frames + 6, generator=generator)
    return (1000 * torch.nn.functional.avg_pool1d(noise, 7, stride=1)[0, 0, :, None]).long()


def white(num_frames, deviation, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (deviation * torch.randn(num_frames, 1, generator=generator)).long()


def numbers(result):
    return [value.item() for value in result]


@pytest.mark.parametrize("num_frames", [1, 5, 25, 81])
def test_high_pass_equals_loops_over_frames(num_frames):
    signals_TK = areas(seed=1)
    got = high_pass(signals_TK, num_frames)
    for k in range(3):
        assert got[:, k].tolist() == pytest.approx(reference.high_pass(signals_TK[:, k].tolist(), num_frames))


def test_high_pass_takes_away_what_is_constant_or_drifts_steadily():
    times_T = torch.arange(60)
    assert high_pass(torch.stack([0 * times_T + 7, 1000 - 3 * times_T], 1), NUM_FRAMES).tolist() == [[0, 0]] * 60


def test_high_pass_keeps_a_blink():
    signal = column(*[100] * 40, 50, 0, 0, 50, *[100] * 40)
    assert high_pass(signal, NUM_FRAMES).min().item() < -80


@pytest.mark.parametrize("length", [1, 2, 3])
def test_the_shortest_signals_are_handled(length):
    assert high_pass(areas(0, length), NUM_FRAMES).shape == (length, 3)
    assert area_volatility(areas(0, length), 0).isnan().all()
    assert dropouts(column(*[0] * length), 0).isnan().all()
    assert not moving(areas(0, length), NUM_FRAMES).any()


@pytest.mark.parametrize("min_area_px", [0, 10, 30])
def test_volatility_and_dropouts_equal_loops_over_frames(min_area_px):
    for seed in range(5):
        areas_TK = areas(seed)
        for function in ("area_volatility", "dropouts"):
            expected = [getattr(reference, function)(areas_TK[:, k].tolist(), min_area_px) for k in range(3)]
            got = {"area_volatility": area_volatility, "dropouts": dropouts}[function](areas_TK, min_area_px)
            assert got.tolist() == pytest.approx(expected, nan_ok=True)


def test_steady_growth_has_no_volatility_and_a_flicker_of_the_area_has():
    growing = column(*(round(1000 * 1.05**t) for t in range(40)))
    assert area_volatility(growing, 16).item() < 1e-3
    # log 2 back and forth: second differences of +-2 log 2
    assert area_volatility(column(*[100, 200] * 20), 16).item() == pytest.approx(2 * math.log(2))


def test_volatility_does_not_depend_on_the_size_of_the_class():
    areas_TK = 100 + areas(3)
    assert area_volatility(7 * areas_TK, 16).tolist() == pytest.approx(area_volatility(areas_TK, 16).tolist())


@pytest.mark.parametrize(
    ("course", "number"),
    [
        ([50, 0, 50], 1),
        ([50, 0, 0, 50], 1),
        ([50, 0, 0, 0, 50], 0),
        ([50, 10, 0, 10, 50], 0),
        ([50, 0, 1, 50], 1),
        ([50, 0, 0], 0),
        ([0, 0, 50], 0),
        ([50, 0, 50, 0, 50], 2),
        ([50, 50], 0),
        ([10, 0, 10], math.nan),
    ],
)
def test_a_dropout_is_a_class_that_vanishes_for_one_or_two_frames_and_comes_back(course, number):
    assert dropouts(column(*course), min_area_px=16).item() == pytest.approx(number, nan_ok=True)


def test_a_blink_and_a_speaking_mouth_move_and_what_drifts_or_shakes_little_does_not():
    times_T = torch.arange(100)
    blink_T = torch.full((100,), 20)
    blink_T[50:55] = torch.tensor([12, 2, 0, 6, 16])
    columns = {
        "background": 1000 + 900 * (times_T % 4 == 0),
        "eye": blink_T,
        "mouth": (12 + 12 * (times_T / 2).sin()).long(),
        "head size": 1000 + 8 * times_T,
        "hand over the skin": 1000 - 300 * ((times_T > 40) & (times_T < 50)) * (times_T % 2),
        "pixels": 4 + 2 * (times_T % 2),
        "absent": 0 * times_T,
    }
    got = moving(torch.stack(list(columns.values()), dim=1), NUM_FRAMES).tolist()
    assert [name for name, moves in zip(columns, got, strict=True) if moves] == ["eye", "mouth"]


def test_less_than_the_span_of_the_average_moves_nothing():
    courses = torch.stack([torch.full((25,), 100), 20 * (torch.arange(25) % 5)], dim=1)
    assert moving(courses, 25).tolist() == [False, True]
    assert moving(courses[:24], 25).tolist() == [False, False]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("num_frames", [9, NUM_FRAMES])
def test_responses_equal_loops_over_lags_and_frames(seed, num_frames):
    own, other = wave(seed), wave(seed + 10)
    signal = (0.6 * own.roll(3, 0) + 0.3 * other).long()
    expected = reference.response(signal[:, 0].tolist(), own[:, 0].tolist(), num_frames, max_lag=8)
    assert numbers(response(signal, own, num_frames, max_lag=8)) == pytest.approx(expected)


@pytest.mark.parametrize("lag", [-6, -1, 0, 4, 10])
def test_a_scaled_and_shifted_copy_is_found_exactly(lag):
    world = wave(0, num_frames=120)
    got = response(3 * world[20 - lag : 100 - lag], world[20:100], NUM_FRAMES, max_lag=10)
    assert numbers(got) == pytest.approx([3, 1, lag])


def test_of_equal_lags_the_smallest_is_taken():
    periodic = (torch.arange(60) % 4 < 1).long()[:, None]
    assert numbers(response(periodic, periodic, NUM_FRAMES, max_lag=10)) == pytest.approx([1, 1, 0])
    # 2 too late or 2 too early, 6 too late or ...: who could tell
    assert numbers(response(5 * periodic.roll(2, 0), periodic, NUM_FRAMES, max_lag=10)) == pytest.approx([5, 1, 2])


def test_noise_does_not_change_the_amplitude():
    signal = wave(3, num_frames=2000)
    amplitude, correlation, lag = numbers(response(signal + white(2000, 500), signal, NUM_FRAMES, max_lag=10))
    assert amplitude == pytest.approx(1, abs=0.06)
    assert correlation < 0.7
    assert lag == 0


def test_signals_that_have_nothing_to_do_with_each_other_have_amplitude_0_and_no_lag():
    signal = wave(4, num_frames=2000)
    amplitude, correlation, lag = numbers(response(white(2000, 1000), signal, NUM_FRAMES, max_lag=10))
    assert abs(amplitude) < 0.1
    assert math.isnan(correlation)
    assert math.isnan(lag)


def test_chance_at_one_of_many_lags_is_no_amplitude():
    signal, noise = (torch.cat([white(150, 1000, seed) for seed in range(start, start + 50)], 1) for start in (0, 50))
    got = response(3 * noise, signal, NUM_FRAMES, max_lag=10)
    assert got.lag.isnan().sum() > 40
    assert abs(got.amplitude[got.lag.isnan()].mean().item()) < 0.2


def test_a_constant_signal_has_amplitude_0_and_no_lag():
    amplitude, correlation, lag = numbers(response(torch.full((80, 1), 50), wave(5), NUM_FRAMES, max_lag=10))
    assert amplitude == 0
    assert math.isnan(correlation)
    assert math.isnan(lag)


def test_a_shift_that_leaves_the_event_out_of_view_is_no_candidate():
    event, signal = torch.zeros(2, 60, 1, dtype=torch.long)
    event[2:5], event[46] = 1000, 10
    signal[2:5], signal[40] = 500, 1000
    # at lag -6 only the small event is in view, and agrees best
    assert response(signal, event, 101, max_lag=10).lag.item() == 0
    assert response(signal[6:], event[6:], 101, max_lag=10).lag.item() == -6
