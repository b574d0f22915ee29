import math

import pytest
import torch

from facestab.baselines.conv_gru import ConvGruHead


def make_head(num_classes=2, hidden=2, seed=0):
    """A head whose last layer is not zero."""
    torch.manual_seed(seed)
    head = ConvGruHead(num_classes, hidden)
    torch.nn.init.normal_(head.residual.weight, std=0.2)
    return head


def clip(num_frames=3, num_classes=2, size=(4, 4), seed=0):
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(256, (num_frames, 3, *size), dtype=torch.uint8, generator=generator)
    return frames, torch.randn(num_frames, num_classes, *size, generator=generator).softmax(1)


def unroll(head, frames, probs):
    state, logits = None, []
    for frame, now in zip(frames.split(1), probs.split(1), strict=True):
        out, state = head(frame, now, state)
        logits.append(out)
    return torch.cat(logits)


def convolve(maps, layer):
    """3 x 3 with zeros around, in plain loops: maps[channel][y][x]."""
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    height, width = len(maps[0]), len(maps[0][0])
    out = []
    for kernel, offset in zip(weight, bias, strict=True):
        out.append([[offset for _ in range(width)] for _ in range(height)])
        for y in range(height):
            for x in range(width):
                for c, taps in enumerate(kernel):
                    for i in range(3):
                        for j in range(3):
                            v, u = y + i - 1, x + j - 1
                            if 0 <= v < height and 0 <= u < width:
                                out[-1][y][x] += taps[i][j] * maps[c][v][u]
    return out


def apply(function, *maps):
    """`function` at every pixel of every channel."""
    return [
        [[function(*values) for values in zip(*rows, strict=True)] for rows in zip(*channels, strict=True)]
        for channels in zip(*maps, strict=True)
    ]


def fold(maps):
    """Each 2 x 2 block of pixels of a channel becomes four channels."""
    return [[row[j::2] for row in channel[i::2]] for channel in maps for i in (0, 1) for j in (0, 1)]


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def reference(head, frames, probs):
    """The equations of a convolutional GRU between an encoder and a residual, frame by frame."""
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    state, logits = None, []
    for frame, now in zip(frames.tolist(), probs.tolist(), strict=True):
        pixels = [
            [[(value / 255 - m) / s for value in row] for row in channel]
            for channel, m, s in zip(frame, mean, std, strict=True)
        ]
        x = apply(lambda value: max(0.0, value), convolve(fold(pixels + now), head.encoder))
        state = state or apply(lambda value: 0.0, x)
        gates = apply(sigmoid, convolve(x + state, head.gates))
        update, reset = gates[: len(x)], gates[len(x) :]
        remembered = apply(lambda r, h: r * h, reset, state)
        candidate = apply(math.tanh, convolve(x + remembered, head.candidate))
        state = apply(lambda z, h, n: (1 - z) * h + z * n, update, state, candidate)
        residual = convolve(x + state, head.residual)
        logits.append(
            [
                [
                    [math.log(p) + residual[4 * k + 2 * (y % 2) + x % 2][y // 2][x // 2] for x, p in enumerate(row)]
                    for y, row in enumerate(channel)
                ]
                for k, channel in enumerate(now)
            ]
        )
    return torch.tensor(logits)


def test_it_is_a_convolutional_gru_behind_an_encoder():
    head, (frames, probs) = make_head(), clip()
    torch.testing.assert_close(unroll(head, frames, probs), reference(head, frames, probs), atol=1e-5, rtol=1e-4)


def test_an_untrained_head_changes_nothing():
    frames, probs = clip(num_classes=5)
    logits = unroll(ConvGruHead(5, 4), frames, probs)
    torch.testing.assert_close(logits.softmax(1), probs, atol=5e-4, rtol=0)


def test_an_untrained_head_leaves_the_classes_of_masks_as_they_are():
    frames, probs = clip(num_classes=5)
    masks = torch.eye(5)[probs.argmax(1)].movedim(-1, 1)
    logits = unroll(ConvGruHead(5, 4), frames, masks)
    assert logits.isfinite().all()
    assert torch.equal(logits.argmax(1), probs.argmax(1))


def test_what_came_before_changes_the_result_and_what_comes_after_does_not():
    head, (frames, probs) = make_head(), clip(num_frames=4)
    whole = unroll(head, frames, probs)
    assert torch.equal(unroll(head, frames[:3], probs[:3]), whole[:3])
    assert not torch.allclose(unroll(head, frames[1:], probs[1:]), whole[1:], atol=1e-4)


@pytest.mark.parametrize("size", [(5, 4), (4, 7), (9, 9), (1, 1)])
def test_odd_sizes_come_back_as_they_are(size):
    frames, probs = clip(size=size)
    assert unroll(make_head(), frames, probs).shape == probs.shape


def test_the_videos_of_a_batch_do_not_meet():
    head = make_head()
    (frames_a, probs_a), (frames_b, probs_b) = clip(seed=0), clip(seed=1)
    state, together = None, []
    for t in range(3):
        frames, probs = torch.stack([frames_a[t], frames_b[t]]), torch.stack([probs_a[t], probs_b[t]])
        out, state = head(frames, probs, state)
        together.append(out)
    torch.testing.assert_close(torch.stack(together)[:, 1], unroll(head, frames_b, probs_b))


@pytest.mark.parametrize(("settings", "name"), [((1, 4), "num_classes"), ((3, 0), "hidden")])
def test_impossible_sizes_are_refused(settings, name):
    with pytest.raises(ValueError, match=f"{name}: .*got"):
        ConvGruHead(*settings)
