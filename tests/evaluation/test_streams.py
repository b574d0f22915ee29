import pytest
import torch

from facestab.evaluation.streams import Streams


@pytest.mark.parametrize("sizes", [[1] * 9, [4, 5], [9], [2, 3, 4]])
def test_a_window_holds_the_new_frames_and_the_context_however_the_video_is_split(sizes):
    streams = Streams({"labels": 3, "flow2": 3}, {"flow2": 2})
    labels, flow = torch.arange(9), torch.arange(100, 107)
    seen = 0
    for size in sizes:
        pairs = slice(max(0, seen - 2), max(0, seen + size - 2))
        streams.push({"labels": labels[seen : seen + size], "flow2": flow[pairs], "unread": labels[:1]})
        length = min(3, seen) + size
        got_labels, got_flow = streams.window(("labels", "flow2"), length)
        seen += size
        assert got_labels.tolist() == list(range(seen - length, seen))
        assert got_flow.tolist() == list(range(100 + seen - length, 100 + max(seen - length, seen - 2)))


def test_a_stream_without_a_reader_is_not_kept():
    streams = Streams({"labels": 0}, {})
    streams.push({"labels": torch.arange(3), "flow1": torch.arange(2)})
    assert streams.has(("labels",))
    assert not streams.has(("labels", "flow1"))
