"""The keys of everything that is measured and logged: dashboards, report, tables and tests import them from here.

A key of a video row stands alone in the record (`metrics.<row>.<key>`) and behind the row's name where it is logged
(`stabilized/flicker/aba`). A key's values by class stand behind its `per_class` prefix (`flicker/aba/nose`).
"""

from dataclasses import dataclass

# rows, in the order of every table
TRUTH, FROZEN, BACKGROUND, IMAGE, REFERENCE = "truth", "frozen", "background", "image", "reference"
CONTINUED, FINETUNED, ORACLE, STABILIZED, MASKS = "continued", "finetuned", "oracle", "stabilized", "masks"
# the result's network in a crop that does not move, where it otherwise follows the face
FIXED_CROP = "fixed_crop"


@dataclass(frozen=True)
class Key:
    """One thing that is measured of a row.

    Attributes:
        name: in the record.
        title: for people, without the unit.
        unit: "%" for fractions, which are shown times 100; else the unit, "" for a plain number.
        better: "higher", "lower", or "" where neither is; `dynamics/amplitude` should be 1.
        digits: decimals in tables.
        per_class: the prefix of its values by class, "" when there are none.
    """

    name: str
    title: str
    unit: str = "%"
    better: str = "lower"
    digits: int = 3
    per_class: str = ""

    @property
    def factor(self) -> float:
        """What a stored value is multiplied with to be shown."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title

    def show(self, value: float, sign: bool = False) -> str:
        """A stored value as tables show it, without the unit."""
        return format(self.factor * value, f"{'+' if sign else ''}.{self.digits}f")


VIDEO_KEYS = {
    key.name: key
    for key in (
        # accuracy, with true labels
        Key("val/miou", "mIoU", better="higher", digits=1, per_class="val/iou"),
        Key("val/f1", "F1", better="higher", digits=1, per_class="val/f1"),
        Key("val/boundary_f", "boundary F", better="higher", digits=1, per_class="val/boundary_f"),
        Key("val/boundary_iou", "boundary IoU", better="higher", digits=1, per_class="val/boundary_iou"),
        # accuracy on labelled still images, the same for every video
        Key("stills/miou", "mIoU of stills", better="higher", digits=1, per_class="stills/iou"),
        Key("stills/f1", "F1 of stills", better="higher", digits=1, per_class="stills/f1"),
        # stability, from labels alone
        Key("flicker/aba", "ABA flicker", per_class="flicker/aba"),
        Key("flicker/aba_excess", "ABA above truth"),
        Key("flicker/aba_per_second", "ABA per second", unit="%/s", digits=2),
        Key("flicker/aba_boundary", "ABA at boundaries"),
        Key("flicker/aba_interior", "ABA in interiors"),
        Key("flicker/switch", "switch rate", per_class="flicker/switch"),
        Key("flicker/switch_excess", "switches above reference"),
        Key("flicker/area_volatility", "area volatility", unit="", per_class="flicker/area_volatility"),
        Key("flicker/dropouts", "dropouts per second", unit="1/s", per_class="flicker/dropouts"),
        # stability, with the frames
        Key("flicker/static", "static flicker", per_class="flicker/static"),
        Key("vc/static_half_second", "static VC 0.5 s", better="higher", digits=2),
        Key("vc/static_second", "static VC 1 s", better="higher", digits=2),
        # stability along the motion
        Key("tc/masked", "masked TC", better="higher", digits=1, per_class="tc/masked"),
        Key("tc/masked_gap2", "masked TC, gap 2", better="higher", digits=1, per_class="tc/masked_gap2"),
        Key("tc/masked_gap4", "masked TC, gap 4", better="higher", digits=1, per_class="tc/masked_gap4"),
        Key("tc/coverage", "TC coverage", better="", digits=1, per_class="tc/coverage"),
        Key("tc/coverage_gap2", "TC coverage, gap 2", better="", digits=1, per_class="tc/coverage_gap2"),
        Key("tc/coverage_gap4", "TC coverage, gap 4", better="", digits=1, per_class="tc/coverage_gap4"),
        Key("flicker/boundary_jitter_px", "jitter", unit="px", per_class="flicker/boundary_jitter_px"),
        Key(
            "flicker/boundary_jitter_relative", "jitter / face", digits=3, per_class="flicker/boundary_jitter_relative"
        ),
        Key("flicker/prob_tv", "prob TV", digits=2, per_class="flicker/prob_tv"),
        # stability against true labels
        Key("vc/correct8", "VC8 with correctness", better="higher", digits=1),
        Key("vc/correct16", "VC16 with correctness", better="higher", digits=1),
        Key("vc/interval", "interval consistency", better="higher", digits=2),
        Key("flicker/dtssd", "dtSSD", unit="x100", digits=2, per_class="flicker/dtssd"),
        # as published, each with the bias that its metric's docstring names
        Key("tc/etc", "TC as ETC", better="higher", digits=1),
        Key("tc/vspw", "TC as VSPW", better="higher", digits=1),
        Key("vc/vspw8", "VC8 as VSPW", better="higher", digits=1),
        Key("vc/vspw16", "VC16 as VSPW", better="higher", digits=1),
        # does what moves still move, and in time
        Key("dynamics/amplitude", "amplitude", unit="", better="", digits=2, per_class="dynamics/amplitude"),
        Key(
            "dynamics/correlation", "correlation", unit="", better="higher", digits=2, per_class="dynamics/correlation"
        ),
        Key("dynamics/lag", "lag", unit="frames", better="", digits=2, per_class="dynamics/lag"),
        # what the network believes
        Key("confidence/mean", "mean confidence", better="", digits=1),
        Key("confidence/entropy", "entropy", unit="nats", better="", digits=3),
        Key("confidence/ece", "calibration error", digits=2),
        # cost
        Key("time/ms_per_frame", "per frame", unit="ms", digits=1),
        Key("time/frames_per_second", "speed", unit="frames/s", better="higher", digits=1),
    )
}
"""Everything that is measured of the rows of a video, in the order in which files list it."""

HEADLINE = (
    *("val/miou", "val/boundary_f", "stills/miou", "flicker/aba", "flicker/static", "tc/masked", "flicker/prob_tv"),
    *("flicker/boundary_jitter_px", "dynamics/amplitude", "dynamics/lag", "time/ms_per_frame"),
)
"""The columns of the table: stability, accuracy and dynamics always stand together."""

PUBLISHED = ("tc/etc", "tc/vspw", "vc/vspw8", "vc/vspw16")
"""Pooled over all videos as their papers do; every other value of a row is the mean over videos, or of the stills."""

TRAIN_KEYS = (
    "train/loss",
    "train/loss_step",
    "train/consistency",
    "train/feature_distance",
    "train/cross_entropy",
    "train/cross_entropy_1",
    "train/cross_entropy_2",
    "train/image_cross_entropy",
    "train/feature_mean_abs",
    "train/feature_std",
    "train/feature_distance_relative",
    "train/gradient_ratio",
)
VAL_KEYS = (
    "val/loss",
    "val/consistency",
    "val/feature_distance",
    "val/cross_entropy",
    "val/cross_entropy_1",
    "val/cross_entropy_2",
    "val/miou",
    "val/f1",
)
MEDIA_KEY = "videos/compare"

_PER_CLASS = tuple(sorted({f"{key.per_class}/" for key in VIDEO_KEYS.values() if key.per_class}))


def is_known_key(key: str) -> bool:
    """Whether a logged key is one of those that dashboards and reports may ask for."""
    return key in TRAIN_KEYS or key in VAL_KEYS or is_video_key(key) or is_video_key(key.partition("/")[2])


def is_video_key(key: str) -> bool:
    """Whether a key belongs to a row of a video: one of `VIDEO_KEYS`, or a class's value of one."""
    return key in VIDEO_KEYS or (key.startswith(_PER_CLASS) and bool(key.rpartition("/")[2]))


def is_class_key(key: str) -> bool:
    """Whether a video key is the value of one class."""
    return key not in VIDEO_KEYS and is_video_key(key)
