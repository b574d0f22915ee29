import pytest
import torch
from torch import nn

from facestab.baselines.conv_gru import ConvGruHead
from facestab.baselines.recurrent_training import RecurrentTraining
from facestab.errors import SettingError
from facestab.nets.segnet import SegNet
from facestab.nets.weights import CARD_KEY, ModelCard
from facestab.types import FrameWindowBatch
from tests.baselines.test_conv_gru import make_head

LABELS = {"names": ["bg", "a"], "palette": [[0, 0, 0], [1, 1, 1]], "pairs": []}
CARD = ModelCard("recurrent", {}, LABELS, 16)


def brightness_net():
    """Class 1 where it is bright: a network that takes noise for a change."""
    conv = nn.Conv2d(3, 2, 1)
    nn.init.zeros_(conv.bias)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([-0.5, 0.5]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    return SegNet(conv).requires_grad_(False).eval()


def make_stage(head=None, warm_up=2, image_net=None):
    head = head or ConvGruHead(2, 4)
    return RecurrentTraining(head, image_net or brightness_net(), CARD, torch.optim.Adam, warm_up=warm_up)


def noisy_windows(seed, num_windows=8, num_frames=6):
    """A bright square on dark ground under noise, and its true labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.zeros(num_windows, num_frames, 16, 16, dtype=torch.long)
    for window in labels:
        top, left = torch.randint(8, (2,), generator=generator).tolist()
        window[:, top : top + 8, left : left + 8] = 1
    noise = torch.randn(num_windows, num_frames, 1, 16, 16, generator=generator)
    frames = (90 + 60 * labels[:, :, None] + 50 * noise).clamp(0, 255).to(torch.uint8).expand(-1, -1, 3, -1, -1)
    return FrameWindowBatch(frames, labels)


@pytest.mark.parametrize("warm_up", [0, 2, 5])
def test_the_loss_is_the_mean_over_the_frames_after_the_warm_up(warm_up):
    stage, batch = make_stage(make_head(), warm_up), noisy_windows(0, num_windows=3)
    batch.labels_BTHW[0, :, :5] = 255
    picked = []
    for frames, labels in zip(batch.frames_BTCHW, batch.labels_BTHW, strict=True):
        state = None
        for t in range(6):
            probs = brightness_net()(frames[t : t + 1]).logits_BKHW.softmax(1)
            logits, state = stage.net(frames[t : t + 1], probs, state)
            log_p = logits[0].log_softmax(0).movedim(0, -1).reshape(-1, 2).tolist()
            if t >= warm_up:
                picked += [-p[c] for p, c in zip(log_p, labels[t].flatten().tolist(), strict=True) if c != 255]
    assert stage.window_loss(batch).item() == pytest.approx(sum(picked) / len(picked), rel=1e-4)


def test_a_trained_head_flickers_less_and_is_more_often_right_than_the_network_before_it():
    torch.manual_seed(0)
    stage = make_stage()
    optimizer = torch.optim.Adam(stage.net.parameters(), lr=1e-2)
    for step in range(40):
        optimizer.zero_grad()
        stage.window_loss(noisy_windows(step)).backward()
        optimizer.step()
    batch = noisy_windows(1000, num_frames=12)
    with torch.no_grad():
        before = brightness_net()(batch.frames_BTCHW.flatten(0, 1)).logits_BKHW.softmax(1).unflatten(0, (8, 12))
        state, after = None, []
        for t in range(12):
            logits, state = stage.net(batch.frames_BTCHW[:, t], before[:, t], state)
            after.append(logits.argmax(1))
    ids = before.argmax(2)[:, 4:], torch.stack(after, 1)[:, 4:]
    wrong = [(labels != batch.labels_BTHW[:, 4:]).float().mean().item() for labels in ids]
    switches = [(labels[:, 1:] != labels[:, :-1]).float().mean().item() for labels in ids]
    assert wrong[1] < 0.5 * wrong[0]
    assert switches[1] < 0.5 * switches[0]


def test_the_image_model_is_neither_trained_nor_saved():
    image_net = brightness_net()
    stage = make_stage(image_net=image_net)
    assert all(name.startswith("net.") for name in stage.state_dict())
    assert not any(p is q for p in image_net.parameters() for q in stage.parameters())
    before = image_net.module.weight.clone()
    stage.window_loss(noisy_windows(0)).backward()
    assert torch.equal(image_net.module.weight, before)
    assert image_net.module.weight.grad is None


def test_a_checkpoint_carries_the_card():
    checkpoint = {}
    make_stage().on_save_checkpoint(checkpoint)
    assert checkpoint[CARD_KEY] == CARD.to_dict()


def test_a_negative_warm_up_is_refused():
    with pytest.raises(SettingError, match=r"recurrent\.warm_up .*got -1"):
        make_stage(warm_up=-1)


def test_a_warm_up_that_leaves_no_frame_is_refused():
    with pytest.raises(SettingError, match=r"recurrent\.warm_up .*got 6"):
        make_stage(warm_up=6).window_loss(noisy_windows(0))
