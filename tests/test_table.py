import io

from rich.console import Console

from facestab.table import differences, headline, row_title

RECORD = {
    "result": "stabilized",
    "metrics": {
        "image": {"val/miou": 0.665, "flicker/aba": 0.01413, "time/ms_per_frame": 5.94, "dynamics/amplitude": 0.97},
        "ema_0.5": {"flicker/aba": 0.00457, "flicker/boundary_jitter_px": 0.25},
        "stabilized": {"val/miou": 0.637, "flicker/aba": 0.01223},
    },
    "intervals": {"stabilized - image": {"val/miou": [-0.05, -0.01], "flicker/aba": [-0.003, 0.001], "val/f1": [0, 1]}},
}


def cells(record):
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(headline(record))
    return [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines() if "│" in line
    ]


def test_values_are_shown_in_their_units_and_what_is_missing_as_a_dash_and_no_column_is_empty():
    assert cells(RECORD) == [
        ["image model", "66.5", "1.413", "-", "0.97", "5.9"],
        ["+ EMA 0.5", "-", "0.457", "0.250", "-", "-"],
        ["facestab", "63.7", "1.223", "-", "-", "-"],
    ]


def test_differences_of_the_headline_are_given_with_their_ends():
    assert differences(RECORD) == ["facestab - image model: mIoU [-5.0, -1.0], ABA flicker [-0.300, +0.100]"]


def test_without_intervals_there_are_no_lines():
    assert differences({"metrics": {}}) == []


def test_rows_have_names_for_people():
    assert [row_title(row) for row in ("truth", "flow_ema_0.8", "vote_5", "recurrent", "stabilized")] == [
        "ground truth",
        "+ flow EMA 0.8",
        "+ temporal vote 5",
        "+ ConvGRU",
        "facestab",
    ]
