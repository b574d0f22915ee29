import os

import pytest
import torch

from facestab.data.videos import VideoItem
from facestab.evaluation.journal import VideoJournal
from facestab.evaluation.result import VideoResult, pooled
from facestab.evaluation.row_metrics import published_feeds
from facestab.types import VideoInfo


@pytest.fixture
def item(tmp_path):
    path = tmp_path / "clip.mkv"
    path.write_bytes(b"a video")
    return VideoItem("clip", VideoInfo(path, 25, 12, 16, 16, "ffv1"))


@pytest.fixture
def result(face11):
    generator = torch.Generator().manual_seed(0)
    labels_THW = torch.randint(11, (12, 16, 16), generator=generator)
    # video consistency is about pixels whose truth stays
    truth_THW = labels_THW[:1].repeat(12, 1, 1)
    feeds = published_feeds(face11)
    for feed in feeds:
        other = truth_THW if "truth" in feed.inputs else torch.zeros(11, 16, 16, 2)
        feed.metric.update(labels_THW, other)
    return VideoResult(
        "clip", "25", [16, 16], "clip.mkv", 12, {"image": {"val/miou": 1 / 3}}, {"image": feeds}, {"image": 0.1}
    )


def test_a_finished_video_is_found_with_all_that_was_measured(tmp_path, face11, item, result):
    journal = VideoJournal(tmp_path / "journal", tmp_path, face11)
    assert journal.find(item) is None
    journal.keep(item, result)
    found = VideoJournal(tmp_path / "journal", tmp_path, face11).find(item)
    assert found.results() == result.results()
    assert len(pooled([result], "image")) >= 3
    assert pooled([found, result], "image") == pooled([result, result], "image")


def test_a_video_whose_files_or_content_changed_is_done_again(tmp_path, face11, item, result):
    journal = VideoJournal(tmp_path / "journal", tmp_path, face11)
    labels = tmp_path / "videos" / "clip" / "labels.mkv"
    labels.parent.mkdir(parents=True)
    labels.write_bytes(b"labels")
    journal.keep(item, result)
    assert journal.find(item) is not None
    labels.write_bytes(b"other labels")
    assert journal.find(item) is None
    labels.write_bytes(b"labels")
    os.utime(item.path, (1, 1))
    assert journal.find(item) is None
