"""Settings that cannot be end in one line that names the setting, before anything is built or removed."""

import os

import pytest
import torch

from tests.bad_input.command import Ended, refuses
from tests.tiny import facestab
from tests.video.barcode import write_clip

pytestmark = pytest.mark.slow

IMAGE = ["stage=image", "net=tiny", "size=32", "data.batch_size=4", "data.num_workers=0", "image.max_epochs=1"]
IMAGE += ["data.dataset.num_train=4", "data.dataset.num_val=2", "data.dataset.num_test=2"]
TEMPORAL = ["stage=temporal", "net=tiny", "size=32"]
PREDICT = ["stage=predict", "ckpt=WEIGHTS", "video.source=clip.mp4", "flow=none", "smoother=none"]
SEE = "add --cfg job to the command to see those it has"
QUOTES = "a text with other signs than letters stands in quotes"
LOW, WHOLE = "must be a finite number of at least", "must be a whole number of at least"
NO_PATH = "must be the path of a file or folder, got"
CORES = f"there are {os.cpu_count()} cores, enough for {max(os.cpu_count() or 1, 8)} processes; ask for fewer"
REFUSED = [
    (TEMPORAL, "w=-1", f"w {LOW} 0, got -1"),
    (TEMPORAL, "w=nan", f"w {LOW} 0, got nan"),
    (TEMPORAL, "w=inf", f"w {LOW} 0, got inf"),
    (TEMPORAL, "w=much", f"w {LOW} 0, got much"),
    (TEMPORAL, "w=null", f"w {LOW} 0, got None"),
    (TEMPORAL, "consistency.adjustment=much", f"consistency.adjustment {LOW} 0, got much"),
    (TEMPORAL, "consistency.adjustment=1.1", "TemporalLoss: adjustment: a number from 0 to 1 is needed, got 1.1"),
    (TEMPORAL, "temporal.finetuned_share=null", f"temporal.finetuned_share {LOW} 0, got None"),
    (TEMPORAL, "temporal.finetuned_share=0", "temporal.finetuned_share is above 0 and at most 1, got 0"),
    (TEMPORAL, "temporal.ramp=much", f"temporal.ramp {LOW} 0, got much"),
    (TEMPORAL, "temporal.max_epochs=0", f"temporal.max_epochs {WHOLE} 1, got 0"),
    (TEMPORAL, "temporal.optimizer.lr=-1", f"temporal.optimizer.lr {LOW} 0, got -1"),
    (TEMPORAL, "tresholt=0.1", f"this stage has no setting 'tresholt'; is threshold meant? {SEE}"),
    (
        TEMPORAL,
        "temporal.pairs.batchsize=3",
        f"this stage has no setting 'temporal.pairs.batchsize'; is temporal.pairs.batch_size meant? {SEE}",
    ),
    (IMAGE, "w=1", f"this stage has no setting 'w'; {SEE}"),
    (IMAGE, "ckpt=x.ckpt", f"this stage has no setting 'ckpt'; {SEE}"),
    (IMAGE, "threshold=-1", f"threshold {LOW} 0, got -1"),
    (IMAGE, "threshold=nan", f"threshold {LOW} 0, got nan"),
    (IMAGE, "threshold=1e400", f"threshold {LOW} 0, got inf"),
    (IMAGE, "seed=1.5", f"seed {WHOLE} 0, got 1.5"),
    (IMAGE, "seed=99999999999", "seed must be at most 4294967295, got 99999999999"),
    (IMAGE, "size=0", f"size {WHOLE} 16, got 0"),
    (IMAGE, "image.max_epochs=-1", f"image.max_epochs {WHOLE} 1, got -1"),
    (IMAGE, "image.max_epochs=1.5", f"image.max_epochs {WHOLE} 1, got 1.5"),
    (IMAGE, "image.optimizer.lr=fast", f"image.optimizer.lr {LOW} 0, got fast"),
    (IMAGE, "data.batch_size=0", f"data.batch_size {WHOLE} 1, got 0"),
    (IMAGE, "data.num_workers=-1", "ImageData: num_workers must not be negative, got -1"),
    (IMAGE, "net=unet", "there is no net=unet; choose one of NETS"),
    (IMAGE, "trainer=tpu", "there is no trainer=tpu; is gpu meant? choose one of auto, base, cpu, ddp, ddp_cpu, gpu"),
    (IMAGE, "trainer.devices=0", "trainer.devices must be a whole number of at least 1, got 0"),
    (IMAGE, "trainer.devices=1000", f"trainer.devices=1000: {CORES}"),
    (IMAGE, "trainer.limit_train_batches=-1", "trainer: You have passed invalid value -1 for limit_train_batches, it "
     "has to be in [0.0, 1.0] or an int."),
    (IMAGE, "trainer.accumulate_grad_batches=0", f"trainer.accumulate_grad_batches {WHOLE} 1, got 0"),
    (IMAGE, "name=../../elsewhere", "name must be usable as a folder's name, got '../../elsewhere'; use paths.runs for "
     "another place"),
    (IMAGE, "name=null", "name must be usable as a folder's name, got 'None'; use paths.runs for another place"),
    (IMAGE, "paths.runs=clip.mp4", "clip.mp4/image/run: not a directory; check the path, and what you may read and "
     "write there"),
    (IMAGE, "paths.cache=clip.mp4", "clip.mp4/synthetic: not a directory; check the path, and what you may read and "
     "write there"),
    (IMAGE, "paths.runs=/proc/runs", "/proc/runs: no such file or directory; check the path, and what you may read and "
     "write there"),
    (PREDICT, "inference.batch_size=0", f"inference.batch_size {WHOLE} 1, got 0"),
    (PREDICT, "inference.overlap=-1", f"inference.overlap {WHOLE} 0, got -1"),
    (PREDICT, "inference.write=[tiff]", "inference.write: 'tiff' is none of labels, palette, overlay, compare, cutout, "
     "gif, webp, json"),
    (PREDICT, "inference.measure_size=3", "inference.measure_size must be at least 16 pixels, or null, got 3"),
    (PREDICT, "video.fps=0", "VideoFolder: video.fps must be above 0, got 0"),
    (PREDICT, "video.source=''", f"video.source {NO_PATH} ''"),
    (PREDICT, "video.source=https://x.org/a.mp4", "video.source: https://x.org/a.mp4 is an address; download it and "
     "give the path of the file"),
    (PREDICT, "ckpt=null", f"ckpt {NO_PATH} 'None'"),
    (PREDICT, "ckpt=7", f"ckpt {NO_PATH} '7'"),
    (PREDICT, "video.source=a,b.mp4", "video.source=a,b.mp4: several values need -m, a list needs [ ]; "
     f"{QUOTES}: \"video.source='a,b.mp4'\""),
    (PREDICT, "size", "size: cannot be read as a setting; settings are written as key=value"),
    (PREDICT, "--size=3", "there is no option '--size=3'; settings are written as key=value, see --help"),
    (PREDICT, "=3", "there is no option '=3'; settings are written as key=value, see --help"),
    (PREDICT[:2], "size=32", "video.source is needed: add video.source=... to the command"),
    (PREDICT[:1], "video.source=clip.mp4", "ckpt is needed: add ckpt=... to the command"),
    ([], "size=32", "stage is needed: add stage=NAME; choose one of audit, evaluate, export, image, label, predict, "
     "temporal"),
    ([], "stage=predicts", "there is no stage=predicts; is predict meant? choose one of audit, evaluate, export, "
     "image, label, predict, temporal"),
    (["stage=evaluate"], "masks=missing", "missing: no such file or folder; give label images, label videos or a "
     "folder of either"),
]  # fmt: skip
NETS = "module, segformer_b0, tiny, unet_resnet18, unet_small, unet_vgg16"


@pytest.mark.parametrize(("base", "setting", "message"), REFUSED, ids=[row[1] for row in REFUSED])
def test_a_setting_that_cannot_be_is_named(command, tmp_path, weights, base, setting, message):
    write_clip(tmp_path / "clip.mp4", 2)
    arguments = [word.replace("WEIGHTS", str(weights)) for word in base]
    refuses(command(*arguments, setting), tmp_path, message.replace("NETS", NETS))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("trainer", ["gpu", "ddp"])
def test_a_gpu_that_is_not_there_is_said_before_the_folder_is_cleared(command, tmp_path, trainer):
    kept = tmp_path / "runs" / "image" / "run" / "checkpoints" / "last.ckpt"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"of a run that did not finish")
    message = "trainer.accelerator=gpu: no GPU is found here; use trainer=cpu or trainer=auto"
    refuses(command(*IMAGE, f"trainer={trainer}"), tmp_path, message)
    assert kept.is_file()


def test_no_memory_for_images_of_this_size(command, tmp_path, weights):
    write_clip(tmp_path / "clip.mp4", 2)
    rest = "use a smaller size or batch_size, or fewer processes"
    # more than an address space holds: nothing is ever given
    arguments = [word.replace("WEIGHTS", str(weights)) for word in PREDICT]
    ended = command(*arguments, "size=10000000")
    refuses(ended, tmp_path, f"out of memory, 450000000000000 bytes were wanted at once; {rest}")
    refuses(command(*IMAGE, "size=10000000"), tmp_path, f"out of memory, 1.42 PiB were wanted at once; {rest}")


def test_no_memory_in_torch_is_told_from_a_bug():
    from facestab.pipeline.explain import explain

    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 60, dtype=torch.uint8)
    rest = "use a smaller size or batch_size, or fewer processes"
    assert explain(refused.value) == f"out of memory, {1 << 60} bytes were wanted at once; {rest}"
    assert explain(RuntimeError("a bug")) is None
    assert explain(ValueError("a bug")) is None


def test_a_command_of_its_own_says_the_same(tmp_path, weights):
    write_clip(tmp_path / "clip.mp4", 2)
    arguments = [word.replace("WEIGHTS", str(weights)) for word in PREDICT]
    commands = {
        "w must be a finite number of at least 0, got -1": [*TEMPORAL, "w=-1"],
        "text.mp4: no such file or folder; check the path": [*arguments, "video.source=text.mp4"],
    }
    for message, words in commands.items():
        done = facestab(*words, cwd=tmp_path)
        ended = Ended(done.returncode, done.stderr.splitlines()[-1].removeprefix("facestab: error: "), "")
        refuses(ended, tmp_path, message)
        assert "Traceback" not in done.stdout + done.stderr
