import pytest
from omegaconf import OmegaConf

from facestab.errors import SettingError
from facestab.pipeline.environment import check_environment, without_environment
from facestab.pipeline.folder import open_run
from facestab.pipeline.sweep import write_sweep

SECRET = "f00dfacec0ffee"


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("FACESTAB_NAME", "mine")
    text = """
    name: ${oc.env:FACESTAB_NAME}
    w: 0.5
    key: ${oc.env:SECRET}
    made: [{of: "a-${key}-b"}, "${oc.env:SECRET,none}", "${oc.decode:${oc.env:SECRET}}", "${oc.env:UNSET,null}"]
    plain: ${w}
    """
    return OmegaConf.create(text)


def test_what_the_environment_says_is_written_as_where_it_comes_from(config):
    written = without_environment(config)
    assert written == {
        "name": "mine",
        "w": 0.5,
        "key": "${oc.env:SECRET}",
        "made": [{"of": "a-${oc.env:SECRET}-b"}, "${oc.env:SECRET,none}", "${oc.env:SECRET}", "${oc.env:UNSET,null}"],
        "plain": 0.5,
    }
    # the run itself uses the value, before and after
    assert config.made[0].of == f"a-{SECRET}-b"


def test_what_cannot_be_said_without_its_value_stays_as_it_was_typed(config):
    config.chosen = "${${oc.env:SECRET}}"
    config[SECRET] = 3
    assert config.chosen == 3
    written = without_environment(config)
    assert (written["chosen"], written["made"][0]["of"]) == ("${${oc.env:SECRET}}", "a-${key}-b")


def test_the_files_of_a_run_and_of_its_sweep_do_not_have_it(config, tmp_path):
    open_run(tmp_path / "0", config, ["key=${oc.env:SECRET}"])
    table = write_sweep(tmp_path)
    assert "key=${oc.env:SECRET}" in table.read_text()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert not [path for path in files if SECRET in path.read_text()]
    assert OmegaConf.load(tmp_path / "0" / "config.yaml").key == SECRET


@pytest.mark.parametrize("key", ["net", "labels", "recurrent.head"])
def test_it_is_not_handed_out_with_weights(config, key):
    OmegaConf.update(config, key, {"options": ["${key}"]})
    with pytest.raises(SettingError, match=f"{key}: takes a value from the environment"):
        check_environment(config)
