import re
from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from facestab.build import build, conf_dir, resolved
from facestab.pipeline.image import image_fingerprint
from facestab.pipeline.temporal import temporal_fingerprint
from facestab.run import default_name

TRAINERS = ["auto", "cpu", "gpu", "ddp", "ddp_cpu"]
LOGGERS = ["csv", "wandb", "wandb_offline"]


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("logger", LOGGERS)
@pytest.mark.parametrize("stage", [["stage=image"], ["stage=temporal"], ["stage=predict", "ckpt=x", "video.source=y"]])
def test_every_combination_composes_and_resolves(compose_config, stage, logger, trainer):
    config = compose_config(*stage, f"logger={logger}", f"trainer={trainer}")
    assert resolved(config)["stage"] == stage[0].partition("=")[2]


@pytest.mark.parametrize("path", sorted((conf_dir() / "experiment").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_composes(compose_config, path):
    given = ["video.source=x"] if path.stem == "own_clips" else []
    assert resolved(compose_config(f"experiment={path.stem}", *given))["stage"] == "temporal"


def test_own_clips_leave_the_choice_of_a_loss_to_the_user(compose_config):
    own = ["experiment=own_clips", "video.source=x"]
    assert compose_config(*own).consistency.strength == 25
    chosen = compose_config(*own, "consistency=feature_l1").consistency
    assert chosen == compose_config("stage=temporal", "consistency=feature_l1").consistency


def test_w_and_threshold_reach_the_parts_that_use_them(compose_config):
    config = compose_config("stage=temporal", "w=0.25", "threshold=0.3")
    assert config.consistency.w == 0.25
    assert build(config.consistency).w == 0.25
    assert config.threshold == 0.3


def test_a_setting_that_the_stage_would_ignore_is_an_error(compose_config):
    for overrides in (["stage=image", "w=1"], ["stage=predict", "seed=1"], ["stage=predict", "net=tiny"]):
        with pytest.raises(ConfigCompositionException):
            compose_config(*overrides)


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("threshold=0.2", True),
        ("seed=1", True),
        ("size=96", True),
        ("net=segformer_b0", True),
        ("augment=clean", True),
        ("image.optimizer.lr=0.01", True),
        ("trainer.precision=bf16-mixed", True),
        ("data.dataset.num_train=10", True),
        ("w=0.3", False),
        ("net.features=encoder", False),
        ("temporal.max_epochs=9", False),
        ("data.num_workers=5", False),
        ("paths.runs=elsewhere", False),
        ("resume=never", False),
        ("name=other", False),
        ("logger=wandb", False),
    ],
)
def test_the_image_model_is_shared_unless_its_weights_would_differ(compose_config, override, changes):
    plain, other = compose_config("stage=temporal"), compose_config("stage=temporal", override)
    assert (image_fingerprint(plain) != image_fingerprint(other)) is changes


def test_the_image_stage_alone_and_before_the_temporal_stage_is_one_and_the_same(compose_config):
    assert image_fingerprint(compose_config("stage=image")) == image_fingerprint(compose_config("stage=temporal"))


def test_a_temporal_run_is_another_one_with_another_w_but_not_under_another_name(compose_config):
    plain = temporal_fingerprint(compose_config("stage=temporal"))
    assert temporal_fingerprint(compose_config("stage=temporal", "w=0.3")) != plain
    assert temporal_fingerprint(compose_config("stage=temporal", "name=other")) == plain


def test_every_key_that_turns_something_has_a_comment():
    """A knob is documented where it lives: in its own file or by the line above."""
    for path in sorted(Path(conf_dir()).rglob("*.yaml")):
        first = path.read_text().replace("# @package _global_\n", "").lstrip()
        assert first.startswith("#") or first == "{}\n", path


def test_a_sweep_is_named_after_what_it_sweeps():
    from datetime import datetime

    now = datetime(2026, 1, 2, 3, 4, 5)
    assert default_name(["stage=image"], now) == "2026-01-02_03-04-05"
    first = default_name(["-m", "stage=temporal", "w=1,2"], now)
    assert re.fullmatch(r"sweep-[0-9a-f]{10}", first)
    assert default_name(["--multirun", "w=1,2", "stage=temporal"], datetime(2027, 1, 1)) == first
    assert default_name(["-m", "stage=temporal", "w=1,3"], now) != first


def test_a_node_without_interpolation_trouble_is_plain_data(compose_config):
    plain = resolved(compose_config("stage=temporal"))
    assert OmegaConf.create(plain) == plain
