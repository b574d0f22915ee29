import pytest
import torch

from facestab.nets.inference import argmax_labels, planes, softmax


def channels_last(*shape):
    generator = torch.Generator().manual_seed(0)
    # few different values: many pixels have several largest ones
    maps_NKHW = torch.randint(-3, 4, shape, generator=generator).float()
    return maps_NKHW.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", [(2, 11, 13, 9), (1, 2, 1, 1), (3, 5, 1, 7), (1, 1, 4, 4), (0, 3, 4, 5)])
def test_labels_are_the_first_of_the_largest_in_any_order_of_memory(shape):
    maps_NKHW = channels_last(*shape)
    wanted = [
        [[int(min(range(shape[1]), key=lambda k: (-pixel[k], k))) for pixel in row] for row in frame]
        for frame in maps_NKHW.permute(0, 2, 3, 1).tolist()
    ]
    for layout in (maps_NKHW, maps_NKHW.contiguous(), maps_NKHW.double(), maps_NKHW.transpose(2, 3).contiguous().mT):
        found_NHW = argmax_labels(layout)
        assert found_NHW.dtype == "uint8"
        assert found_NHW.tolist() == wanted


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 11, 13, 9), (1, 2, 1, 1), (0, 3, 4, 5)])
def test_planes_are_the_same_maps_class_after_class(shape, dtype):
    maps_NKHW = channels_last(*shape).to(dtype)
    found_NKHW = planes(maps_NKHW)
    assert found_NKHW.is_contiguous()
    assert torch.equal(found_NKHW, maps_NKHW)
    assert planes(found_NKHW) is found_NKHW


@pytest.mark.parametrize("shape", [(2, 11, 13, 9), (1, 2, 1, 1), (0, 3, 4, 5)])
def test_probabilities_do_not_depend_on_the_order_of_memory(shape):
    logits_NKHW = channels_last(*shape)
    probs_NKHW = softmax(logits_NKHW)
    assert probs_NKHW.is_contiguous()
    assert torch.equal(probs_NKHW, softmax(logits_NKHW.contiguous()))
    exponentials_NKHW = logits_NKHW.double().exp()
    torch.testing.assert_close(probs_NKHW.double(), exponentials_NKHW / exponentials_NKHW.sum(1, keepdim=True))
