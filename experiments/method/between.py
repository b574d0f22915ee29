"""A run's network, networks between it and its image model, and others, on the run's validation clips and stills.

`python experiments/method/between.py RUN SHARE... WEIGHTS...` prints for each share of the fine-tuned weights, and for
each weights file, the excess ABA and the mIoU of the clips, the mIoU of the clean stills, and how much of each class is
found there (1: as much as there is).
"""

import copy
import sys
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from facestab.build import build
from facestab.functional.flicker import aba_per_frame
from facestab.functional.segmentation import confusion_matrix, mean_iou
from facestab.labels import LabelSet
from facestab.nets.segnet import SegNet
from facestab.nets.weight_mix import WeightMix
from facestab.nets.weights import load_model
from facestab.record import read_record
from facestab.types import ImageBatch
from facestab.video.label_video import read_labels

BATCH = 16


def labels_of(net: SegNet, frames_NCHW: Tensor) -> Tensor:
    """The network's classes, (N, H, W)."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return torch.cat([net(part_NCHW).logits_BKHW.argmax(1) for part_NCHW in frames_NCHW.split(BATCH)])


def clips_of(config: DictConfig) -> list[tuple[Tensor, Tensor]]:
    """Frames, uint8 (T, 3, H, W), and true classes, (T, H, W), of each validation clip."""
    clips = []
    for item in build(config.video).split("val"):
        assert item.truth is not None
        with item.open() as source:
            frames_NHWC = np.stack(list(source.frames()))
        truth_THW = torch.from_numpy(np.stack(list(read_labels(item.truth)))).long()
        clips.append((torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2), truth_THW))
    return clips


def on_clips(net: SegNet, clips: list[tuple[Tensor, Tensor]], num_classes: int) -> str:
    """Excess ABA and mIoU, means over clips."""
    pairs = [(labels_of(net, frames_NCHW), truth_THW) for frames_NCHW, truth_THW in clips]
    excess = [aba_per_frame(ours).nanmean() - aba_per_frame(truth).nanmean() for ours, truth in pairs]
    accuracy = [mean_iou(confusion_matrix(ours, truth, num_classes)) for ours, truth in pairs]
    return f"excess ABA {100 * torch.stack(excess).mean():.3f}%, mIoU {100 * torch.stack(accuracy).mean():.2f}%"


def on_stills(net: SegNet, stills: list[ImageBatch], labels: LabelSet) -> str:
    """MIoU, and what is found of each class over what is there."""
    size = len(labels.names)
    ours = labels_of(net, torch.cat([batch.images_BCHW for batch in stills]))
    truth = torch.cat([batch.labels_BHW for batch in stills]).long()
    confusion_KK = confusion_matrix(ours, truth, size)[:, :size]
    areas = zip(labels.names, (confusion_KK.sum(0) / confusion_KK.sum(1)).tolist(), strict=True)
    return f"stills {100 * mean_iou(confusion_KK):.2f}%, areas " + " ".join(
        f"{name} {area:.2f}" for name, area in areas
    )


def main() -> None:
    """Measure and print."""
    run = Path(sys.argv[1])
    config = OmegaConf.load(run / "config.yaml")
    assert isinstance(config, DictConfig)
    record = read_record(run)
    assert record is not None
    start, card = load_model(run / record["init"])
    trained, _ = load_model(run / "weights.safetensors")
    clips, stills = clips_of(config), list(build(config.data).val_dataloader())
    labels = card.label_set
    for word in sys.argv[2:]:
        if Path(word).exists():
            net = load_model(Path(word))[0].eval()
        else:
            net = copy.deepcopy(trained).eval()
            WeightMix(float(word))(net, start)
        print(f"{word}: {on_clips(net, clips, len(labels.names))}, {on_stills(net, stills, labels)}", flush=True)


if __name__ == "__main__":
    main()
