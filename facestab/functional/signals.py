"""Time courses of class areas: do they shake, drop out, follow a reference. T frames, K classes."""

from typing import NamedTuple

import torch
from torch import Tensor

# of the mean area: a hand before the face moves skin and hair by up to 7 %, one blink in 10 s moves an eye by 10 %
_MIN_MOTION = 0.1
# an outline that moves over the grid of pixels changes its area by about half of (mean area)^(1/4), without meaning
_MIN_MOTION_PX = 1.0
_MIN_CORRELATION = 0.3
# correlations that differ by less are rounding
_EQUAL = 1e-9


class Response(NamedTuple):
    """How labels follow a reference, each float64 (K,).

    Attributes:
        amplitude: slope of the regression of the labels' signal on the reference's: 1 when they move as far, 0 when
            they do not move with it. Noise in the labels does not change it.
        correlation: of the two at the lag; nan where it is below 0.3 at every lag, or the labels do not vary.
        lag: of the labels, in frames; nan where the correlation is.
    """

    amplitude: Tensor
    correlation: Tensor
    lag: Tensor


def high_pass(signal_TK: Tensor, num_frames: int) -> Tensor:
    """The signal less its centred moving average, float64 (T, K).

    Towards the ends the average takes fewer frames, as many on either side, so that a steady drift leaves nothing.

    Args:
        signal_TK: integers.
        num_frames: of the average, odd.
    """
    times_T = torch.arange(len(signal_TK), device=signal_TK.device)
    half_T = torch.minimum(times_T, times_T.flip(0)).clamp(max=num_frames // 2)
    # sums of integers are exact: a constant gives 0, not almost 0
    sums_TK = torch.cat([torch.zeros_like(signal_TK[:1]), signal_TK.cumsum(0)])
    totals_TK = sums_TK[times_T + half_T + 1] - sums_TK[times_T - half_T]
    return signal_TK.double() - totals_TK.double() / (2 * half_T + 1)[:, None]


def area_volatility(areas_TK: Tensor, min_area_px: int) -> Tensor:
    """Standard deviation of the second difference of the logarithm of the area, float64 (K,).

    Smooth growth hardly counts, whatever its size. Taken over the frames where the class has more than the least area
    there, before and after: of an opening mouth's first pixels each would count as a doubling. nan with fewer than two.

    Args:
        areas_TK: int64 pixels.
        min_area_px: the least area.
    """
    logs_TK = areas_TK.clamp(min=1).double().log()
    large_TK = areas_TK > min_area_px
    bends_TK = logs_TK[2:] - 2 * logs_TK[1:-1] + logs_TK[:-2]
    counted_TK = large_TK[2:] & large_TK[1:-1] & large_TK[:-2]
    number_K = counted_TK.sum(0)
    mean_K = (bends_TK * counted_TK).sum(0) / number_K
    variance_K = ((bends_TK - mean_K).square().nan_to_num(0) * counted_TK).sum(0) / number_K
    return variance_K.sqrt().masked_fill(number_K < 2, torch.nan)


def dropouts(areas_TK: Tensor, min_area_px: int, max_frames: int = 2) -> Tensor:
    """How often a class vanishes for a moment and comes back, float64 (K,); nan when it was never there.

    Args:
        areas_TK: int64 pixels.
        min_area_px: the class must have more before it vanishes, which an eye that closes has not.
        max_frames: how long a moment is.
    """
    events_K = torch.zeros(areas_TK.shape[1], dtype=torch.float64, device=areas_TK.device)
    gone_TK = areas_TK == 0
    for num_gone in range(1, max_frames + 1):
        # each span: the frame before, the frames without the class, the frame after
        num_spans = max(0, len(areas_TK) - num_gone - 1)
        all_gone_TK = torch.stack([gone_TK[1 + i :][:num_spans] for i in range(num_gone)]).all(0)
        before_TK, after_TK = areas_TK[:num_spans], areas_TK[num_gone + 1 :]
        events_K += ((before_TK > min_area_px) & all_gone_TK & (after_TK > 0)).sum(0)
    return events_K.masked_fill(~(areas_TK > min_area_px).any(0), torch.nan)


def moving(reference_TK: Tensor, num_frames: int) -> Tensor:
    """Which classes really move: their area changes fast, by 10 % of its mean and by more than rasterisation does.

    Eyes that blink and the inside of a mouth that speaks do, skin and hair do not. The background never does: its area
    is what the others leave.

    Args:
        reference_TK: int64 areas in pixels.
        num_frames: of the moving average that is taken away, odd; in fewer frames nothing moves.

    Returns:
        bool (K,).
    """
    mean_K = reference_TK.double().mean(0)
    deviation_K = high_pass(reference_TK, num_frames).std(0, correction=0)
    enough_K = (deviation_K >= _MIN_MOTION * mean_K) & (deviation_K >= _MIN_MOTION_PX * mean_K**0.25) & (mean_K > 0)
    enough_K[0] = False
    return enough_K & (len(reference_TK) >= num_frames)


def response(areas_TK: Tensor, reference_TK: Tensor, num_frames: int, max_lag: int) -> Response:
    """How areas follow those of a reference: at the lag of the highest correlation, else without lag.

    Both are taken without their moving averages. Of lags that correlate equally the smallest is taken, and of two such
    the later. A lag at which the shift leaves less than half of the reference's variance in view is no candidate.

    Args:
        areas_TK: int64, of the labels.
        reference_TK: int64.
        num_frames: of the moving average, odd.
        max_lag: in frames, either way.
    """
    lags = [0, *(sign * lag for lag in range(1, min(max_lag, len(areas_TK) - 1) + 1) for sign in (1, -1))]
    total_K = high_pass(reference_TK, num_frames).square().sum(0)
    slopes, correlations = [], []
    for lag in lags:
        length = len(areas_TK) - abs(lag)
        # shifted first: a copy that is late then has the same ends, and the same average there
        late_TK = _centred(areas_TK[max(lag, 0) :][:length], num_frames)
        own_TK = _centred(reference_TK[max(-lag, 0) :][:length], num_frames)
        own_K = own_TK.square().sum(0)
        covariance_K = (late_TK * own_TK).sum(0)
        slopes.append(covariance_K / own_K)
        correlation_K = covariance_K / (own_K * late_TK.square().sum(0)).sqrt()
        correlations.append(correlation_K.masked_fill(own_K < total_K / 2, torch.nan).nan_to_num(-1))
    return _at_best(torch.tensor(lags, device=areas_TK.device), torch.stack(slopes), torch.stack(correlations))


def _centred(areas_TK: Tensor, num_frames: int) -> Tensor:
    signal_TK = high_pass(areas_TK, num_frames)
    return signal_TK - signal_TK.mean(0)


def _at_best(lags_S: Tensor, slopes_SK: Tensor, correlations_SK: Tensor) -> Response:
    best_K = correlations_SK.amax(0)
    # the first of the equals: lags come in the order of preference
    choice_K = (correlations_SK >= best_K - _EQUAL).int().argmax(0)
    known_K = best_K >= _MIN_CORRELATION
    # the largest of many chance slopes is not 0 on average, the one without lag is
    choice_K = torch.where(known_K, choice_K, 0)
    lag_K = lags_S[choice_K].double().masked_fill(~known_K, torch.nan)
    amplitude_K = slopes_SK.gather(0, choice_K[None])[0]
    return Response(amplitude_K, best_K.masked_fill(~known_K, torch.nan), lag_K)
