import pytest

from facestab.keys import HEADLINE, PUBLISHED, TRAIN_KEYS, VAL_KEYS, VIDEO_KEYS, is_class_key, is_known_key


@pytest.mark.parametrize(
    "key", ["val/miou", "val/iou/nose", "stabilized/flicker/aba", "ema_0.5/val/iou/nose", "train/loss", "tc/etc"]
)
def test_known_keys_are_known(key):
    assert is_known_key(key)


@pytest.mark.parametrize("key", ["val/mIoU", "flicker/rate", "stabilized/loss", "", "val/iou/", "tc/etc/nose"])
def test_other_keys_are_not(key):
    assert not is_known_key(key)


def test_a_class_key_belongs_to_a_class_and_no_other_key_looks_like_one():
    assert is_class_key("flicker/aba/nose")
    assert not any(is_class_key(key) for key in (*VIDEO_KEYS, *TRAIN_KEYS, *VAL_KEYS))


def test_the_headline_shows_stability_accuracy_dynamics_and_cost():
    assert {name.partition("/")[0] for name in HEADLINE} == {"val", "stills", "flicker", "tc", "dynamics", "time"}
    assert {*HEADLINE, *PUBLISHED} <= set(VIDEO_KEYS)


def test_values_are_shown_in_their_unit():
    assert VIDEO_KEYS["flicker/aba"].show(0.01413) == "1.413"
    assert VIDEO_KEYS["val/miou"].show(-0.0252, sign=True) == "-2.5"
    assert VIDEO_KEYS["flicker/boundary_jitter_px"].heading == "jitter [px]"
