"""What every column of the report means, in one line each. How exactly it is measured: the metrics' docstrings."""

DEFINITIONS = {
    "val/miou": "mean over the classes present of TP / (TP + FP + FN), against the true labels",
    "val/boundary_f": "F1 of the classes' contour pixels; one is right when the true contour is near",
    "stills/miou": "the same on the labelled still images of the split",
    "flicker/aba": "share of pixels whose label leaves for one frame and comes back, S[t-1] = S[t+1] but not S[t]; "
    "of a class, share of the pixels that it holds before and after",
    "flicker/static": "share of the pixels where the picture does not change whose label does",
    "flicker/prob_tv": "half the L1 distance of a pixel's probabilities from the next frame's, moved back along the "
    "motion, mean over pixels seen in both",
    "flicker/boundary_jitter_px": "mean distance of contours from those of the next frame, moved back along the motion",
    "flicker/area_volatility": "standard deviation of the second difference of the logarithm of a class's area",
    "flicker/dropouts": "how often a class vanishes for one or two frames and comes back",
    "tc/masked": "IoU of a frame's labels with the next frame's, moved back along the motion, over pixels seen in both",
    "dynamics/amplitude": "slope of the classes' areas on those of a reference: 1 moves as far, 0 not at all",
    "dynamics/lag": "frames by which the classes' areas follow a reference late; 0 is in time",
    "time/ms_per_frame": "time from picture to labels: network and smoothing, not reading or drawing",
}
"""Key of `facestab.keys.VIDEO_KEYS` to its definition. A row's value is the mean over videos."""

PER_CLASS = (
    *("val/miou", "val/boundary_f", "flicker/aba", "flicker/static", "tc/masked", "flicker/boundary_jitter_px"),
    *("flicker/area_volatility", "flicker/dropouts", "dynamics/amplitude", "dynamics/lag"),
)
"""Columns of the table by class."""
