import pytest
from omegaconf import OmegaConf

from facestab.build import build, build_trusted
from facestab.errors import FacestabError, SettingError


def test_a_refused_setting_names_the_class_and_the_value():
    with pytest.raises(SettingError, match=r"Ema: decay.*got 1\.5"):
        build(OmegaConf.create({"_target_": "facestab.baselines.ema.Ema", "decay": 1.5}))


def test_an_unknown_class_is_one_line():
    with pytest.raises(SettingError, match=r"facestab\.nets\.nothing") as caught:
        build(OmegaConf.create({"_target_": "facestab.nets.nothing.Net"}))
    assert "\n" not in str(caught.value)


def test_nested_strange_targets_are_found():
    config = {"_target_": "facestab.nets.segnet.SegNet", "module": {"_target_": "subprocess.run", "args": ["true"]}}
    with pytest.raises(FacestabError, match=r"subprocess\.run"):
        build_trusted(config)


def test_a_user_can_trust_more():
    config = {"_target_": "fractions.Fraction", "numerator": 3}
    with pytest.raises(FacestabError, match=r"allow_targets=\[fractions\]"):
        build_trusted(config)
    assert build_trusted(config, allow=["fractions."]) == 3
