import numpy as np
import pytest
import torch

from facestab.functional import histogram
from facestab.functional.histogram import id_counts


@pytest.mark.parametrize("shape", [(0,), (1,), (7, 1), (3, 4, 5), (2, 3, 4, 5)])
def test_counts_are_those_of_a_loop(shape):
    generator = np.random.default_rng(0)
    ids = generator.integers(0, 256, shape).astype(np.uint8)
    where = generator.random(shape) < 0.5
    for mask in (None, where):
        expected = np.zeros(256, np.int64)
        for value in ids.ravel() if mask is None else ids[mask]:
            expected[value] += 1
        found = id_counts(torch.from_numpy(ids), None if mask is None else torch.from_numpy(mask))
        assert found.dtype == torch.int64
        assert found.tolist() == expected.tolist()


def test_slices_that_are_not_contiguous_count_as_they_are():
    ids = torch.arange(24, dtype=torch.uint8).view(4, 6)
    assert id_counts(ids[:, ::2]).nonzero().flatten().tolist() == ids[:, ::2].flatten().tolist()
    assert id_counts(ids[1:], ids[1:] > 20).nonzero().flatten().tolist() == [21, 22, 23]


def test_more_pixels_than_a_float_can_count_are_counted(monkeypatch):
    ids = torch.zeros(2**24 + 3, dtype=torch.uint8)
    assert id_counts(ids)[0] == 2**24 + 3
    monkeypatch.setattr(histogram, "_AT_ONCE", 4)
    few = torch.tensor([1, 1, 2, 1, 1, 2, 3, 3, 3], dtype=torch.uint8)
    assert id_counts(few)[:4].tolist() == [0, 4, 2, 3]
