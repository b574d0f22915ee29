"""Optical flow by RAFT: the real network, with random weights."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models.optical_flow import raft_small

from facestab.errors import WeightsError
from facestab.video.flow import VideoFrame
from facestab.video.raft import RaftFlow
from tests.video.textures import shifted, texture


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tensors = raft_small(weights=None).state_dict()
    path = tmp_path_factory.mktemp("raft") / "random.pth"
    torch.save(tensors, path)
    save_file(tensors, path.with_suffix(".safetensors"))
    return path


def _raft(weights: Path | str, **settings: object) -> RaftFlow:
    return RaftFlow(str(weights), **{"model": "raft_small", "num_updates": 2, "device": "cpu", **settings})


@pytest.mark.parametrize("size", [(128, 128), (136, 131), (1, 1), (30, 140)])
def test_frames_of_any_size_give_a_flow_of_their_size(weights: Path, size: tuple[int, int]) -> None:
    flow_HW2 = _raft(weights).flow(*shifted(*size, 1, 0))
    assert flow_HW2.dtype == np.float32
    assert flow_HW2.shape == (*size, 2)
    assert np.isfinite(flow_HW2).all()
    assert np.abs(flow_HW2).max() > 0


def test_a_frame_that_fits_gives_the_last_flow_of_the_network_itself(weights: Path) -> None:
    frame_a, frame_b = shifted(128, 144, 2, 1)
    net = raft_small(weights=None).eval()
    net.load_state_dict(torch.load(weights, weights_only=True))
    images = [torch.from_numpy(frame.copy()).permute(2, 0, 1)[None] / 255 * 2 - 1 for frame in (frame_a, frame_b)]
    with torch.no_grad():
        steps = [flow[0].permute(1, 2, 0).numpy() for flow in net(*images, num_flow_updates=3)]
    found_HW2 = _raft(weights, num_updates=3).flow(frame_a, frame_b)
    np.testing.assert_allclose(found_HW2, steps[-1], atol=1e-4)
    assert np.abs(found_HW2 - steps[-2]).max() > 1e-3


def test_a_frame_that_does_not_fit_is_continued_by_its_edges_on_both_ends(weights: Path) -> None:
    frame_a, frame_b = shifted(122, 139, 2, 1)
    # 128 rows are needed, and 144 columns
    larger = [np.pad(frame, ((3, 3), (2, 3), (0, 0)), mode="edge") for frame in (frame_a, frame_b)]
    expected_HW2 = _raft(weights).flow(*larger)[3:-3, 2:-3]
    np.testing.assert_allclose(_raft(weights).flow(frame_a, frame_b), expected_HW2, atol=1e-5)


def test_a_large_frame_is_estimated_small(weights: Path) -> None:
    picture_HWC = texture(260, 300)
    flow_HW2 = _raft(weights, max_side=130).flow(picture_HWC, picture_HWC)
    small_HWC = picture_HWC.reshape(130, 2, 150, 2, 3).mean((1, 3)).round().astype(np.uint8)
    small_HW2 = _raft(weights).flow(small_HWC, small_HWC)
    assert flow_HW2.shape == (260, 300, 2)
    np.testing.assert_allclose(flow_HW2[::2, ::2].mean((0, 1)), 2 * small_HW2.mean((0, 1)), atol=0.1)


def test_both_kinds_of_file_repeated_calls_and_copies_give_the_same_flow(weights: Path) -> None:
    frames = [VideoFrame("a", index, picture) for index, picture in enumerate(shifted(128, 128, 1, 0))]
    backend = _raft(weights)
    first = backend.correspondence(*frames)
    assert backend.name == "raft_small"
    assert first.visible_HW.shape == (128, 128)
    for other in (backend, pickle.loads(pickle.dumps(backend)), _raft(weights.with_suffix(".safetensors"))):
        np.testing.assert_array_equal(other.correspondence(*frames).flow_HW2, first.flow_HW2)
    assert len(pickle.dumps(backend)) < 1000


def test_auto_takes_the_weights_of_torchs_cache(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    cached = tmp_path / "checkpoints" / "raft_small_C_T_V2-01064c6d.pth"
    cached.parent.mkdir()
    cached.write_bytes(weights.read_bytes())
    frames = shifted(128, 128, 1, 0)
    np.testing.assert_array_equal(_raft("auto").flow(*frames), _raft(weights).flow(*frames))


def test_weights_that_cannot_be_downloaded_are_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    # nobody listens there
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(WeightsError, match=r"raft_small_C_T_V2-01064c6d\.pth.*flow\.weights") as error:
        _raft("auto").flow(*shifted(128, 128, 1, 0))
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "checkpoints").iterdir())


def test_broken_or_foreign_weights_are_refused_by_name(weights: Path, tmp_path: Path) -> None:
    frames = shifted(128, 128, 1, 0)
    broken, foreign, number, evil = (tmp_path / name for name in ("broken.pth", "foreign.pth", "one.pth", "evil.pth"))
    broken.write_bytes(b"not a file of torch")
    torch.save({"weight": torch.zeros(1)}, foreign)
    torch.save(1, number)
    torch.save({"weight": Path("evil")}, evil)
    broken.with_suffix(".safetensors").write_bytes(b"nor of safetensors")
    for path, reason in [
        (tmp_path / "missing.pth", "no such weights file"),
        (broken, "not a readable weights file"),
        (broken.with_suffix(".safetensors"), "not a readable weights file"),
        (evil, "not a readable weights file"),
        (foreign, "not the weights of raft_small"),
        (number, "no state dict but a int"),
    ]:
        with pytest.raises(WeightsError, match=f"{path.name}.*{reason}"):
            _raft(path).flow(*frames)
    with pytest.raises(WeightsError, match="not the weights of raft_large"):
        _raft(weights, model="raft_large").flow(*frames)


def test_settings_that_cannot_be_are_value_errors_and_nothing_is_loaded_before_it_is_used() -> None:
    assert RaftFlow("missing.pth").name == "raft_large"
    with pytest.raises(ValueError, match=r"model.*'raft_huge'"):
        RaftFlow(model="raft_huge")
    with pytest.raises(ValueError, match=r"num_updates.*got 0"):
        RaftFlow(num_updates=0)
