import pytest
from torch.utils.data import TensorDataset

from facestab.data.sampler import SeededSampler


class Numbers(TensorDataset):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length


def keys(length=10, epoch=0, **kwargs):
    sampler = SeededSampler(Numbers(length), **{"seed": 0, "shuffle": True, **kwargs})
    sampler.set_epoch(epoch)
    return list(sampler)


def test_an_epoch_visits_every_sample_once():
    assert sorted(key.position for key in keys()) == list(range(10))


def test_order_and_seeds_repeat_with_the_runs_seed():
    assert keys(epoch=3) == keys(epoch=3)
    assert keys(seed=1) != keys(seed=2)


def test_a_samples_seed_changes_from_epoch_to_epoch():
    first, second = ({key.position: key.seed for key in keys(epoch=epoch)} for epoch in (0, 1))
    assert all(first[i] != second[i] for i in range(10))
    assert len(set(first.values())) == 10


def test_without_shuffling_nothing_changes():
    assert keys(shuffle=False, epoch=0) == keys(shuffle=False, epoch=5)
    assert [key.position for key in keys(shuffle=False)] == list(range(10))


@pytest.mark.parametrize("shuffle", [True, False])
def test_two_processes_share_an_epoch_and_repetitions_are_marked(shuffle):
    shares = [keys(11, num_replicas=2, rank=rank, shuffle=shuffle) for rank in (0, 1)]
    assert [len(share) for share in shares] == [6, 6]
    counted = [key for share in shares for key in share if not key.is_padding]
    assert sorted(key.position for key in counted) == list(range(11))


def test_a_samples_seed_does_not_depend_on_the_number_of_processes():
    alone = {key.position: key.seed for key in keys(11)}
    shared = {key.position: key.seed for rank in (0, 1) for key in keys(11, num_replicas=2, rank=rank)}
    assert alone == shared
