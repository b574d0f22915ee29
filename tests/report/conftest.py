import pytest

from tests.report.worlds import write_run

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="session")
def single(tmp_path_factory):
    """A run with two videos of two seconds; the name of one is hostile. Tests only read it, and write the page."""
    return write_run(tmp_path_factory.mktemp("runs") / "single", videos=("test_0000", HOSTILE), num_frames=50)


@pytest.fixture(scope="session")
def sweep(tmp_path_factory):
    """A sweep over w and threshold with two seeds each, and a job that did not finish."""
    folder = tmp_path_factory.mktemp("runs") / "sweeps" / "grid"
    settings = [(w, threshold, seed) for w in (0.1, 2.0) for threshold in (0.1, 0.3) for seed in (0, 1)]
    for job, (w, threshold, seed) in enumerate(settings):
        write_run(folder / str(job), w=w, threshold=threshold, seed=seed, num_frames=8, size=48)
    (folder / str(len(settings))).mkdir()
    return folder
