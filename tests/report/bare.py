"""Runs that are nothing but a record."""

from omegaconf import OmegaConf

from facestab.record import write_record


def bare_run(folder, metrics=None, overrides=None, config=None, **record):
    """Writes a run without videos: `metrics` is row and key to value."""
    result = {"stage": "temporal", "result": "stabilized", "baseline": "image", "w": 0.5, "threshold": 0.1, "seed": 0}
    write_record(folder, {**result, "metrics": metrics or {}, "videos": {}, "intervals": {}, **record})
    if overrides is not None:
        (folder / "overrides.yaml").write_text(OmegaConf.to_yaml(overrides))
    if config is not None:
        (folder / "config.yaml").write_text(OmegaConf.to_yaml(config))
    return folder
