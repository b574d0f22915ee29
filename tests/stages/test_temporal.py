from functools import partial

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from facestab.consistency import Consistency
from facestab.losses import TemporalLoss
from facestab.nets.weights import ModelCard
from facestab.stages.temporal import TemporalStage
from facestab.types import FramePairBatch, ImageBatch, TemporalBatch
from tests.tiny import tiny_net

LABELS = {"names": ["bg", "a", "b"], "palette": [[0, 0, 0], [1, 1, 1], [2, 2, 2]], "pairs": []}


def make_stage(w=0.5, **kwargs):
    net = tiny_net(num_classes=3)
    card = ModelCard("temporal", {}, LABELS, 32)
    return TemporalStage(net.eval(), card, loss=TemporalLoss(w, Consistency("l1", "features")), **kwargs)


def make_batch():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (4, 2, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 3, (4, 2, 32, 32), generator=generator)
    labels[0, :, :5] = 255
    whole, flow = torch.ones(labels.shape), torch.zeros(4, 32, 32, 2)
    return FramePairBatch(frames, labels, labels, whole, flow, torch.ones(4, 32, 32, dtype=torch.bool))


def make_images(number=1):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (4, number, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return ImageBatch.hard(images, torch.randint(0, 3, (4, number, 32, 32), generator=generator))


def test_the_loss_is_the_patents_formula_computed_frame_by_frame():
    stage, batch, w = make_stage(w=0.7), make_batch(), 0.7
    outputs = [[stage.net(batch.frames_BTCHW[b, t][None]) for t in (0, 1)] for b in range(4)]
    distance = np.mean([(a.features_BCHW - b.features_BCHW).abs().mean().item() for a, b in outputs])
    entropies = []
    for t in (0, 1):
        picked = []
        for b in range(4):
            log_p = outputs[b][t].logits_BKHW[0].log_softmax(0)
            for y in range(32):
                for x in range(32):
                    label = int(batch.labels_BTHW[b, t, y, x])
                    if label != 255:
                        picked.append(-log_p[label, y, x].item())
        entropies.append(np.mean(picked))
    parts, _ = stage.pair_parts(batch)
    assert parts["consistency"].item() == pytest.approx(distance, rel=1e-4)
    assert parts["cross_entropy"].item() == pytest.approx(sum(entropies), rel=1e-4)
    assert parts["loss"].item() == pytest.approx(distance + w * sum(entropies), rel=1e-4)


def test_both_frames_go_through_the_network_in_one_pass():
    stage, calls = make_stage(), []
    stage.net.register_forward_hook(lambda module, inputs, output: calls.append(inputs[0].shape))
    stage.pair_parts(make_batch())
    assert calls == [(8, 3, 32, 32)]


def test_labelled_images_beside_the_pairs_add_their_cross_entropy():
    stage, pair, images = make_stage(w=0.5), make_batch(), make_images(2)
    stage.loss.anchor = 3.0
    alone, _ = stage.pair_parts(pair)
    parts, output = stage.pair_parts(pair, images)
    logits = stage.net(images.images_BCHW.flatten(0, 1)).logits_BKHW
    expected = torch.nn.functional.cross_entropy(logits, images.labels_BHW.flatten(0, 1))
    assert parts["image_cross_entropy"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert parts["loss"].item() == pytest.approx((alone["loss"] + 3 * expected).item(), rel=1e-4)
    assert len(output.logits_BKHW) == 8


def test_no_labelled_images_change_nothing():
    stage, pair = make_stage(), make_batch()
    assert torch.equal(stage.pair_parts(pair, make_images(0))[0]["loss"], stage.pair_parts(pair)[0]["loss"])


def test_frozen_normalisation_layers_keep_their_statistics_and_learn_their_scale():
    frozen, free = make_stage(freeze_norm=True), make_stage()
    for stage, stays in ((frozen, True), (free, False)):
        stage.train()
        norms = [m for m in stage.net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        before = [m.running_mean.clone() for m in norms]
        stage.pair_parts(make_batch())[0]["loss"].backward()
        assert all(torch.equal(a, m.running_mean) for a, m in zip(before, norms, strict=True)) is stays
        assert norms[0].weight.grad is not None


@pytest.mark.parametrize("frozen", [True, False])
def test_a_trainer_keeps_frozen_normalisation_layers_frozen(frozen, tmp_path):
    # every network is built in training mode
    stage = make_stage(freeze_norm=frozen, optimizer=partial(torch.optim.SGD, lr=0.01)).train()
    stage.net.train()
    norms = [m for m in stage.net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    before = [m.running_mean.clone() for m in norms]
    batches = DataLoader([TemporalBatch(make_batch(), make_images())] * 2, batch_size=None)
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        devices=1,
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(stage, train_dataloaders=batches, val_dataloaders=DataLoader([make_batch()], batch_size=None))
    assert all(torch.equal(a, m.running_mean) for a, m in zip(before, norms, strict=True)) is frozen


def test_the_gradient_ratio_is_that_of_the_two_terms():
    stage = make_stage(w=0.5)
    parts, _ = stage.pair_parts(make_batch())
    ratio = stage._gradient_ratio(parts)

    def norm(loss):
        stage.zero_grad()
        loss.backward(retain_graph=True)
        return torch.cat([p.grad.flatten() for p in stage.net.parameters() if p.grad is not None]).norm()

    expected = norm(parts["consistency"]) / norm(0.5 * parts["cross_entropy"])
    assert ratio.item() == pytest.approx(expected.item(), rel=1e-3)


def test_diagnostics_show_features_that_shrink():
    stage, batch = make_stage(), make_batch()
    before = stage._diagnose(stage.pair_parts(batch)[1], torch.Size([4, 2]))
    with torch.no_grad():
        last = [module for module in stage.net.module.decoder.modules() if isinstance(module, torch.nn.BatchNorm2d)][-1]
        last.weight.mul_(0.1)
        last.bias.mul_(0.1)
    after = stage._diagnose(stage.pair_parts(batch)[1], torch.Size([4, 2]))
    assert after["feature_mean_abs"] < 0.2 * before["feature_mean_abs"]
    assert after["feature_std"] < 0.2 * before["feature_std"]
    # the distance shrank as well, but nothing became more alike
    assert after["feature_distance_relative"].item() == pytest.approx(
        before["feature_distance_relative"].item(), rel=0.2
    )


def test_the_image_model_is_neither_trained_nor_saved():
    image_net = make_stage().net
    stage = make_stage(controls={"image": image_net})
    assert list(stage.rows) == ["image", "stabilized"]
    assert not any(p is q for p in image_net.parameters() for q in stage.parameters())
    assert all(name.startswith(("net.", "scores.", "loss.")) for name in stage.state_dict())


@pytest.mark.parametrize("w", [-0.1, float("nan"), float("inf")])
def test_impossible_weights_are_refused(w):
    with pytest.raises(ValueError, match="w"):
        make_stage(w=w)


@pytest.mark.parametrize("setting", [{"ramp": 1.5}, {"ramp": -0.1}])
def test_impossible_settings_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        make_stage(**setting)


def test_a_negative_interval_is_refused():
    with pytest.raises(ValueError, match="diagnose_every"):
        make_stage(diagnose_every=-1)
