"""Where randomness comes from: one independent stream per purpose, and identities that splits do not share."""

import zlib

import numpy as np

_SPLIT_SIZE = 1_000_000

IDENTITY_SPLITS: dict[str, range] = {
    "train": range(0, _SPLIT_SIZE),
    "val": range(_SPLIT_SIZE, 2 * _SPLIT_SIZE),
    "test": range(2 * _SPLIT_SIZE, 3 * _SPLIT_SIZE),
}


def identity_seed(split: str, index: int) -> int:
    """The seed of the index-th identity of a split. No seed belongs to two splits.

    Raises:
        ValueError: for an unknown split, or an index that the split does not have.
    """
    if split not in IDENTITY_SPLITS:
        raise ValueError(f"split: one of {sorted(IDENTITY_SPLITS)} is possible, got {split!r}")
    if not 0 <= index < _SPLIT_SIZE:
        raise ValueError(f"index: 0 to {_SPLIT_SIZE - 1} is possible, got {index}")
    return IDENTITY_SPLITS[split][index]


def generator(purpose: str, *keys: int) -> np.random.Generator:
    """A generator that depends on the purpose and the keys alone, so that no draw depends on an earlier one.

    Raises:
        ValueError: for a negative key.
    """
    if any(key < 0 for key in keys):
        raise ValueError(f"seed: seeds are not negative, got {keys} for {purpose}")
    return np.random.default_rng(np.random.SeedSequence([zlib.crc32(purpose.encode()), *(int(key) for key in keys)]))
