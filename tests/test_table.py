import io

from rich.console import Console

from facestab.table import differences, headline

RECORD = {
    "metrics": {
        "image": {"val/miou": 0.665, "flicker/aba": 0.01413, "time/ms_per_frame": 5.94},
        "ema_0.5": {"flicker/aba": 0.00457},
        "stabilized": {"val/miou": 0.637, "flicker/aba": 0.01223},
    },
    "intervals": {"stabilized - image": {"val/miou": [-0.05, -0.01], "flicker/aba": [-0.003, 0.001]}},
}


def test_rates_are_shown_in_percent_and_what_is_missing_as_a_dash():
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(headline(RECORD))
    lines = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines() if "│" in line
    ]
    assert lines == [
        ["image model", "66.5", "1.413", "-", "-", "5.9"],
        ["image model + EMA 0.5", "-", "0.457", "-", "-", "-"],
        ["facestab", "63.7", "1.223", "-", "-", "-"],
    ]


def test_differences_are_given_with_their_ends():
    assert differences(RECORD) == ["facestab - image model: mIoU [-5.0, -1.0], ABA flicker [-0.300, +0.100]"]


def test_without_intervals_there_are_no_lines():
    assert differences({"metrics": {}}) == []
