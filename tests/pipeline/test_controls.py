from pathlib import Path

import pytest

from facestab.errors import SettingError
from facestab.pipeline import controls
from facestab.pipeline.controls import check_controls, control_weights, num_steps
from tests.tiny import TEMPORAL


@pytest.fixture
def asked(monkeypatch):
    """Fingerprint by row of what would be found or trained."""
    found = {}

    def find(runs, digest, title, train):
        found[runs.name] = digest
        return runs / "x"

    monkeypatch.setattr(controls, "find_or_train", find)
    return found


@pytest.fixture
def fingerprints(compose_config, asked, tmp_path):
    def of(*overrides):
        rows = "controls=[continued,finetuned,oracle]"
        config = compose_config("stage=temporal", *TEMPORAL, rows, f"paths.cache={tmp_path}", *overrides)
        control_weights(config, [], Path("init.ckpt"))
        return dict(asked)

    return of


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("w=0.1", set()),
        ("consistency.strength=3", set()),
        ("consistency.consistency.where=everywhere", set()),
        ("smoother=none", set()),
        ("split=val", set()),
        ("pseudo=hard", {"finetuned", "oracle"}),
        ("consistency.balance=0.6", {"finetuned", "oracle"}),
        ("consistency.adjustment=0.6", {"finetuned", "oracle"}),
        ("temporal.finetuned_share=0.6", {"finetuned", "oracle"}),
        ("consistency.anchor=3", {"finetuned", "oracle"}),
        ("augment@pair_augment=video", {"finetuned", "oracle"}),
        ("temporal.optimizer.lr=1e-5", {"continued", "finetuned", "oracle"}),
        ("temporal.max_epochs=7", {"continued", "finetuned", "oracle"}),
        ("temporal.pairs.images_per_pair=2", {"continued", "finetuned", "oracle"}),
        ("seed=3", {"continued", "finetuned", "oracle"}),
    ],
)
def test_a_control_is_trained_again_only_for_what_it_depends_on(fingerprints, override, changed):
    before, after = fingerprints(), fingerprints(override)
    assert {row for row in before if before[row] != after[row]} == changed


def test_the_controls_are_three_different_trainings(fingerprints):
    assert len(set(fingerprints().values())) == 3


@pytest.mark.parametrize(
    ("override", "steps"),
    # 2 clips of 6 frames have 10 pairs: 3 batches of 4
    [
        ("temporal.max_epochs=5", 15),
        ("temporal.pairs.batch_size=10", 1),
        ("trainer.limit_train_batches=2", 2),
        # 3 pairs a clip, and 2
        ("temporal.pairs.stride=2", 2),
        ("temporal.pairs.gaps=[4,5]", 1),
        # 3 clips more
        ("temporal.pairs.splits=[train,test]", 7),
    ],
)
def test_the_image_model_gets_as_many_further_steps(compose_config, tmp_path, override, steps):
    config = compose_config("stage=temporal", *TEMPORAL, f"paths.cache={tmp_path}", override)
    assert num_steps(config, None) == steps


def test_an_unknown_control_is_refused(compose_config):
    with pytest.raises(SettingError, match="controls: 'finetune' is none of continued, finetuned, oracle"):
        check_controls(compose_config("stage=temporal", "controls=[finetune]"))
