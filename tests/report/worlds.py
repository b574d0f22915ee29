"""Run folders for the report: synthetic faces whose labels were shaken, and everything that a finished run writes."""

import csv
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from omegaconf import OmegaConf

from facestab.data.synthetic import Clip, Conditions, identity_seed
from facestab.evaluation.verdict import judge
from facestab.functional.bootstrap import paired_interval
from facestab.functional.flicker import aba_mask, switch_mask
from facestab.functional.segmentation import confusion_matrix, iou_per_class
from facestab.labels import LabelSet
from facestab.record import write_record
from facestab.video.overlay import overlay, side_by_side
from facestab.video.sink import VideoSink

LABELS = OmegaConf.load(Path(__file__).parents[2] / "conf" / "labels" / "face11.yaml")
FACE11 = LabelSet(LABELS.names, LABELS.palette, LABELS.pairs)
FPS = Fraction(25)


def write_run(
    folder,
    *,
    w=0.5,
    threshold=0.1,
    seed=0,
    videos=("alpha", "beta"),
    num_frames=24,
    size=64,
    truth=True,
    overrides=None,
    config=None,
    **extra,
):
    """Writes a run of stage temporal: `videos` are ids, `truth` says whether there are true labels."""
    rows_by_video = {
        video: shaken_rows(i, w, threshold, seed, num_frames, size, truth) for i, video in enumerate(videos)
    }
    values = {video: {row: measure(row, rows) for row in rows} for video, (_, rows) in rows_by_video.items()}
    names = list(next(iter(values.values())))
    record = {
        **{"stage": "temporal", "result": "stabilized", "baseline": "image", "w": w, "threshold": threshold},
        **{"seed": seed, "size": size, "flow": "dis_medium", "fingerprint": f"{hash((w, threshold, seed)):x}"[-8:]},
        "metrics": {row: mean([values[video][row] for video in videos]) for row in names},
        "videos": values,
        "intervals": intervals(values),
        "verdicts": {"stabilized": judge(values, "stabilized", "image").to_dict()},
        "inputs": {video: {"fps": str(FPS), "size": [size, size], "frames": num_frames} for video in videos},
        "training": {"epochs": 4, "ended_by": "budget"},
        **extra,
    }
    write_record(folder, record)
    overrides = (
        ["stage=temporal", f"w={w}", f"threshold={threshold}", f"seed={seed}"] if overrides is None else overrides
    )
    (folder / "overrides.yaml").write_text(OmegaConf.to_yaml(overrides))
    node = {
        "w": w,
        "threshold": threshold,
        "seed": seed,
        "labels": LABELS,
        "temporal": {"max_epochs": 4},
        **(config or {}),
    }
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(node)))
    for video, (frames_THWC, rows) in rows_by_video.items():
        write_files(folder / "videos" / video, frames_THWC, rows)
    return folder


def write_files(folder, frames_THWC, rows):
    """The files of one video."""
    for suffix, row in (("_before", "image"), ("", "stabilized")):
        with VideoSink(folder / f"labels{suffix}.mkv", FPS, codec="labels") as sink:
            for labels_HW in rows[row]:
                sink.write(labels_HW)
        with VideoSink(folder / f"overlay{suffix}.mp4", FPS) as sink:
            for frame, labels_HW in zip(frames_THWC, rows[row], strict=True):
                sink.write(overlay(frame, labels_HW, FACE11))
    with VideoSink(folder / "compare.mp4", FPS) as sink:
        for t, frame in enumerate(frames_THWC):
            views = [overlay(frame, rows[row][t], FACE11) for row in ("image", "stabilized")]
            sink.write(side_by_side([frame, *views], captions=["input", "image", "stabilized"]))
    columns = {}
    for row, labels_THW in rows.items():
        columns[f"{row}/flicker/aba"] = per_frame(*aba_mask(torch.from_numpy(labels_THW)), len(labels_THW))
        columns[f"{row}/flicker/switch"] = per_frame(*switch_mask(torch.from_numpy(labels_THW)), len(labels_THW))
        if row in ("truth", "image", "stabilized"):
            columns |= {f"{row}/flicker/aba/{name}": aba_of(labels_THW, k) for k, name in enumerate(FACE11.names)}
    with (folder / "frames.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", *columns])
        for t in range(len(frames_THWC)):
            writer.writerow([t, *("" if np.isnan(c[t]) else f"{c[t]:.6f}" for c in columns.values())])


@lru_cache(maxsize=16)
def world(number, num_frames, size):
    """Frames and true labels of a synthetic face."""
    identity = identity_seed("test", number)
    clip = Clip(identity, number, num_frames=num_frames, size=size, fps=FPS, conditions=Conditions(motion=1.5))
    return np.stack([clip.frame(t) for t in range(num_frames)]), np.stack([clip.labels(t) for t in range(num_frames)])


def shaken_rows(number, w, threshold, seed, num_frames, size, truth):
    """Frames, and labels by row: the truth moved about by noise, which a larger w calms down."""
    frames_THWC, truth_THW = world(number, num_frames, size)
    generator = np.random.default_rng((number, seed, int(100 * threshold)))
    noise = generator.normal(size=(num_frames, 2, 9, 9)) * (0.008 + 0.01 * threshold) * size
    bias = generator.normal(size=(2, 9, 9)) * 0.006 * size
    image = shake(truth_THW, noise + bias)
    still = noise.mean(0, keepdims=True)
    stabilized = shake(truth_THW, still + (noise - still) / (1 + 1.5 * w) + bias * (1 + 0.5 * w))
    probs_THWK = soft(image)
    rows = {"truth": truth_THW} if truth else {}
    rows |= {"frozen": np.repeat(image[:1], num_frames, 0), "background": np.zeros_like(image), "image": image}
    rows |= {f"ema_{decay}": ema(probs_THWK, decay) for decay in (0.3, 0.5, 0.7)}
    rows |= {f"flow_ema_{decay}": ema(probs_THWK, 0.6 * decay) for decay in (0.5, 0.8)}
    rows["vote_5"] = vote(probs_THWK)
    return frames_THWC, {**rows, "finetuned": shake(truth_THW, 0.9 * noise + bias), "stabilized": stabilized}


def shake(labels_THW, offsets_T2):
    """Labels of each frame, moved by a smooth field."""
    height, width = labels_THW.shape[1:]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    moved = []
    for labels_HW, field in zip(labels_THW, np.broadcast_to(offsets_T2, (len(labels_THW), 2, 9, 9)), strict=True):
        dx, dy = (cv2.resize(part.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC) for part in field)
        moved.append(cv2.remap(labels_HW, x + dx, y + dy, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(moved)


def soft(labels_THW):
    """Probabilities that are unsure at the boundaries."""
    onehot_THWK = np.eye(FACE11.num_classes, dtype=np.float32)[labels_THW]
    return np.stack([cv2.GaussianBlur(onehot_HWK, (0, 0), 1.0) for onehot_HWK in onehot_THWK])


def ema(probs_THWK, decay):
    """Labels of an exponential moving average."""
    state, labels = probs_THWK[0], []
    for now in probs_THWK:
        state = decay * state + (1 - decay) * now
        labels.append(state.argmax(-1).astype(np.uint8))
    return np.stack(labels)


def vote(probs_THWK):
    """The most frequent label of five frames."""
    padded = np.pad(probs_THWK, ((2, 2), (0, 0), (0, 0), (0, 0)), mode="edge")
    return sum(padded[i : i + len(probs_THWK)] for i in range(5)).argmax(-1).astype(np.uint8)


def measure(row, rows):
    """Values of one row by key; those along the motion are left out."""
    labels_THW = torch.from_numpy(rows[row])
    aba, valid = aba_mask(labels_THW)
    switched, pairs = switch_mask(labels_THW)
    values = {"flicker/aba": float(aba.sum() / valid.sum()), "flicker/switch": float(switched.sum() / pairs.sum())}
    curves = {name: aba_of(rows[row], k) for k, name in enumerate(FACE11.names)}
    values |= {f"flicker/aba/{name}": float(np.nanmean(c)) for name, c in curves.items() if not np.isnan(c).all()}
    reference = rows.get("truth", rows["image"])
    swings = {name: swing(rows[row], k) / swing(reference, k) for k, name in enumerate(FACE11.names) if k in (4, 5, 8)}
    values |= {"dynamics/amplitude": float(np.mean(list(swings.values())))}
    values |= {f"dynamics/amplitude/{name}": value for name, value in swings.items()}
    values |= {"dynamics/lag": {"ema_0.5": 0.6, "ema_0.7": 1.7, "flow_ema_0.8": 0.4}.get(row, 0.0)}
    if row not in ("truth", "frozen", "background"):
        values |= {"time/ms_per_frame": 5.0 + len(row) / 10}
    if "truth" in rows and row != "truth":
        ious_K = iou_per_class(confusion_matrix(labels_THW, torch.from_numpy(rows["truth"]), FACE11.num_classes))
        values |= {"val/miou": float(ious_K.nanmean())}
        values |= {f"val/iou/{name}": float(iou) for name, iou in zip(FACE11.names, ious_K, strict=True) if iou >= 0}
    return values


def swing(labels_THW, k):
    """How far the area of a class swings."""
    return float((labels_THW == k).sum((1, 2)).std()) + 1e-6


def aba_of(labels_THW, k):
    """Share of the pixels of each frame that class k holds before and after, but not now; nan without any."""
    around = torch.from_numpy((labels_THW[:-2] == k) & (labels_THW[2:] == k))
    return per_frame(around & torch.from_numpy(labels_THW[1:-1] != k), around, len(labels_THW))


def per_frame(events, valid, num_frames):
    """Rates by frame; nan at the ends."""
    rates = np.full(num_frames, np.nan)
    rates[1 : 1 + len(events)] = (events.sum((1, 2)) / valid.sum((1, 2))).numpy()
    return rates


def mean(parts):
    """The mean of each key over videos."""
    keys = dict.fromkeys(key for part in parts for key in part)
    return {key: float(np.mean([part[key] for part in parts if key in part])) for key in keys}


def intervals(values):
    """Bootstrap intervals of the result's differences."""
    found = {}
    rows = next(iter(values.values()))
    for row in rows:
        if row in ("truth", "stabilized"):
            continue
        for key in ("val/miou", "flicker/aba", "dynamics/amplitude"):
            pairs = [(v["stabilized"][key], v[row][key]) for v in values.values() if key in v[row]]
            ends = paired_interval([a for a, _ in pairs], [b for _, b in pairs])
            if ends is not None:
                found.setdefault(f"stabilized - {row}", {})[key] = list(ends)
    return found
