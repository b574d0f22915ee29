"""The names under which a run's values stand at Weights & Biases, each checked against the keys that are logged."""

from facestab.keys import IMAGE, STABILIZED, TRAIN_KEYS, VAL_KEYS, VIDEO_KEYS

SETTINGS = ("w", "threshold", "seed")
"""Top-level keys of the logged configuration that runs are compared by."""

ROWS = (IMAGE, STABILIZED)
"""The rows that every run of the temporal stage has."""

STEP = "trainer/global_step"
"""What Lightning's logger counts the curves of training by."""


_GOALS = {"dynamics/amplitude": "1 is as in truth", "dynamics/lag": "0 is in time"}


def measured(row: str, key: str) -> str:
    """Where the overall value of a row's key is logged.

    Raises:
        ValueError: for a row that not every run has, or a key that is not measured.
    """
    if row not in ROWS:
        raise ValueError(f"row: one of {', '.join(ROWS)} is needed, got {row!r}")
    if key not in VIDEO_KEYS:
        raise ValueError(f"key: one of facestab.keys.VIDEO_KEYS is needed, got {key!r}")
    return f"{row}/{key}"


def trained(key: str) -> str:
    """Where a value of the training curves is logged.

    Raises:
        ValueError: for a key that training does not log.
    """
    if key not in TRAIN_KEYS and key not in VAL_KEYS:
        raise ValueError(f"key: one of facestab.keys.TRAIN_KEYS or VAL_KEYS is needed, got {key!r}")
    return key


def setting(name: str) -> str:
    """Where a setting stands in the logged configuration.

    Raises:
        ValueError: for a setting that runs are not compared by.
    """
    if name not in SETTINGS:
        raise ValueError(f"name: one of {', '.join(SETTINGS)} is needed, got {name!r}")
    return name


def describe(key: str) -> str:
    """Title, unit as logged, and which value is the good one: `ABA flicker [fraction], lower is better`."""
    entry = VIDEO_KEYS[key]
    # fractions are logged as they are and only tables show percent
    heading = f"{entry.title} [fraction]" if entry.unit == "%" else entry.heading
    goal = f"{entry.better} is better" if entry.better else _GOALS.get(key, "")
    return f"{heading}, {goal}" if goal else heading
