import numpy as np
import pytest
import torch

from facestab.functional.pixel_weights import thin_part_weight


@pytest.mark.parametrize("size", [(32, 40), (16, 16), (48, 33)])
def test_thin_parts_weigh_by_the_share_of_their_label_around_them(size):
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 4, (2, size[0] // 4 + 1, size[1] // 4 + 1))
    labels = coarse.repeat(4, 1).repeat(4, 2)[:, : size[0], : size[1]]
    labels[0, :3] = 255
    radius = min(size) // 16
    weight = np.ones(labels.shape)
    for b, y, x in np.ndindex(*labels.shape):
        window = labels[b, max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        if labels[b, y, x] != 255:
            weight[b, y, x] = min(1, np.mean(window == labels[b, y, x]) / 0.45) ** 2
    smallest = np.ones(labels.shape)
    for b, y, x in np.ndindex(*labels.shape):
        smallest[b, y, x] = weight[b, max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].min()
    got = thin_part_weight(torch.from_numpy(labels), 0.45, reach=2)
    np.testing.assert_allclose(got.numpy(), smallest, rtol=1e-5)
    assert 0 < got.min() < got.max() == 1
