from facestab.baselines.recurrent import Recurrent
from facestab.build import build
from tests.baselines.test_conv_gru import make_head

CONTROLS = [
    *("frozen", "background", "ema_0.3", "ema_0.5", "ema_0.7", "blend_0.9"),
    *("flow_ema_0.5", "flow_ema_0.8", "vote_5"),
]


def test_the_controls_stand_in_the_order_of_the_table(compose_config):
    assert list(compose_config("stage=temporal", "smoother=controls").smoother) == CONTROLS
    assert list(compose_config("stage=temporal", "smoother=all").smoother) == [*CONTROLS, "recurrent"]
    assert not compose_config("stage=temporal", "smoother=none").smoother


def test_every_control_is_what_its_name_says(compose_config):
    built = {row: build(node) for row, node in compose_config("stage=temporal", "smoother=controls").smoother.items()}
    for row, smoother in built.items():
        kind, _, number = row.rpartition("_")
        settings = {"ema": "decay", "flow_ema": "decay", "blend": "ratio"}
        if kind in settings:
            assert getattr(smoother, settings[kind]) == float(number)
    assert 2 * built["vote_5"].radius + 1 == 5


def test_what_smooths_along_the_motion_uses_the_methods_flow(compose_config):
    config = compose_config("stage=temporal", "smoother=controls")
    assert {config.smoother[row].flow for row in CONTROLS if "flow" in config.smoother[row]} == {config.method_flow}


def test_the_recurrent_head_waits_for_its_weights(compose_config):
    node = compose_config("stage=temporal", "smoother=all").smoother.recurrent
    assert node.weights == "auto"
    assert isinstance(build(node, weights=make_head()), Recurrent)
