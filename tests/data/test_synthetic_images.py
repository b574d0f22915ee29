"""Labelled stills of the synthetic world: the viewer's sides, sensible areas, and splits that never meet."""

from dataclasses import replace

import numpy as np
import pytest

from facestab.data.synthetic import IDENTITY_SPLITS, Conditions, Identity, identity_seed, labelled_image
from facestab.data.synthetic.annotation import label_map
from facestab.data.synthetic.scene import Scene
from facestab.data.synthetic.state import State

NUM_CLASSES = 11
SIZE = 96


def _frontal_labels(seed: int, **changes: float) -> np.ndarray:
    return label_map(Scene(Identity.sample(seed), replace(State(), **changes)), SIZE)


def _mean_column(labels_HW: np.ndarray, class_id: int) -> float:
    return float(np.nonzero(labels_HW == class_id)[1].mean())


@pytest.mark.parametrize("seed", range(6))
def test_left_classes_lie_image_left(seed: int) -> None:
    labels_HW = _frontal_labels(seed)
    assert _mean_column(labels_HW, 2) < _mean_column(labels_HW, 6) < _mean_column(labels_HW, 3)
    assert _mean_column(labels_HW, 4) < _mean_column(labels_HW, 6) < _mean_column(labels_HW, 5)


def test_the_eye_that_a_state_closes_is_the_viewers() -> None:
    labels_HW = _frontal_labels(2, eye_left=0.0)
    assert (labels_HW == 4).sum() <= 3 < 20 < (labels_HW == 5).sum()


def test_parts_lie_above_one_another_as_in_a_face() -> None:
    for seed in range(6):
        labels_HW = _frontal_labels(seed, mouth=0.6)
        heights = [np.nonzero(labels_HW == k)[0].mean() for k in (2, 4, 6, 7, 8, 9)]
        assert heights == sorted(heights)


def test_parts_have_the_size_that_a_portrait_gives_them() -> None:
    sizes: dict[str, list[float]] = {"eye width": [], "eye height": [], "lower lip": [], "upper lip": [], "face": []}
    people = [Identity.sample(seed) for seed in range(24)]
    for seed in [i.seed for i in people if not i.has_glasses and i.fringe < 0.03 and i.hair_length <= 0]:
        labels_HW = _frontal_labels(seed)
        is_eye_HW = labels_HW == 4
        sizes["eye width"].append(is_eye_HW.any(0).sum())
        sizes["eye height"].append(is_eye_HW.sum(0).max())
        sizes["upper lip"].append((labels_HW == 7).sum(0).max())
        sizes["lower lip"].append((labels_HW == 9).sum(0).max())
        sizes["face"].append((labels_HW > 0).any(1).sum() / SIZE)
    mean = {name: float(np.mean(values)) for name, values in sizes.items()}
    assert len(sizes["face"]) >= 5
    assert 8 <= mean["eye width"] <= 11
    assert 3.5 <= mean["eye height"] <= 6
    assert 2 <= mean["upper lip"] <= 4
    assert 2.5 <= mean["lower lip"] <= 4.5
    assert 0.55 <= mean["face"] <= 0.75


def test_every_class_occurs_often() -> None:
    labels_NHW = np.stack([labelled_image(seed, size=64)[1] for seed in range(24)])
    has_class_NK = np.stack([(labels_NHW == k).any((1, 2)) for k in range(NUM_CLASSES)], 1)
    assert labels_NHW.max() == NUM_CLASSES - 1
    assert (has_class_NK.mean(0) > 0.35).all()


def test_a_labelled_image_depends_on_its_seed_alone() -> None:
    first, again, other = (labelled_image(seed, size=64) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[1] != other[1]).mean() > 0.02
    assert (first[0].dtype, first[0].shape, first[1].dtype, first[1].shape) == (
        np.uint8,
        (64, 64, 3),
        np.uint8,
        (64, 64),
    )


def test_colours_follow_the_labels() -> None:
    """Mean colour differs between hair and skin within a face where the identity's tones do."""
    identity = next(i for i in map(Identity.sample, range(50)) if sum(i.skin) > 1.9 and sum(i.hair) < 0.5)
    image_HWC, labels_HW = labelled_image(identity.seed, size=64)
    assert image_HWC[labels_HW == 1].mean() > image_HWC[labels_HW == 10].mean() + 40


def test_worse_conditions_damage_the_image_and_not_its_labels() -> None:
    hidden = replace(Conditions.video(), hand=Conditions.clean().hand)
    clean, damaged = labelled_image(3, size=64), labelled_image(3, size=64, conditions=hidden)
    np.testing.assert_array_equal(clean[1], damaged[1])
    assert np.abs(clean[0].astype(int) - damaged[0]).mean() > 4


def test_splits_share_no_identity() -> None:
    spans = list(IDENTITY_SPLITS.values())
    assert set(IDENTITY_SPLITS) == {"train", "val", "test"}
    assert all(not set((a.start, a.stop - 1)) & set(b) for a in spans for b in spans if a is not b)
    drawn = {split: {identity_seed(split, i) for i in range(200)} for split in IDENTITY_SPLITS}
    assert len(set.union(*drawn.values())) == 600
    assert all(seed in IDENTITY_SPLITS[split] for split, seeds in drawn.items() for seed in seeds)


def test_identities_differ() -> None:
    people = {replace(Identity.sample(identity_seed(split, i)), seed=0) for split in IDENTITY_SPLITS for i in range(20)}
    assert len(people) == 60


@pytest.mark.parametrize(("split", "index"), [("dev", 0), ("train", -1), ("test", 1_000_000)])
def test_an_identity_that_no_split_has_is_refused(split: str, index: int) -> None:
    with pytest.raises(ValueError, match=r"split: one of|index: 0 to 999999"):
        identity_seed(split, index)


def test_impossible_images_are_refused() -> None:
    with pytest.raises(ValueError, match="size: at least 16 pixels are needed, got 4"):
        labelled_image(0, size=4)
    with pytest.raises(ValueError, match="seed: seeds are not negative"):
        labelled_image(-1, size=64)
