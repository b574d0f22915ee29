from facestab.baselines.background import Background
from tests.baselines.videos import run, video


def test_class_0_is_certain_everywhere_and_always():
    frames, probs = video(num_classes=3)
    made = run(Background(), frames, probs, [3, 4])
    assert (made[:, 0] == 1).all()
    assert (made[:, 1:] == 0).all()
