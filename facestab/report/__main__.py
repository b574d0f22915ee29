"""`python -m facestab.report RUN...`: the table of each run, and one HTML page that compares them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from facestab.errors import FacestabError
from facestab.record import read_record
from facestab.report.figure import draw_figure
from facestab.report.page import write_page
from facestab.report.runs import read_runs
from facestab.table import print_results

PAGE_NAME = "report.html"
NUM_VIDEOS = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m facestab.report", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs, or of sweeps")
    parser.add_argument("--output", type=Path, help=f"the page; RUN/{PAGE_NAME} for one run, else ./{PAGE_NAME}")
    parser.add_argument("--videos", type=_count, default=NUM_VIDEOS, help="videos shown of each setting, worst first")
    parser.add_argument("--figure", type=Path, help="draw frames and flicker of the first run's first video, too")
    parser.add_argument("--no-table", action="store_true", help="print no table")
    try:
        _report(parser.parse_args(arguments))
    except (FacestabError, OSError) as error:
        sys.exit(f"facestab: error: {error}")


def _report(options: argparse.Namespace) -> None:
    gathered = read_runs(options.runs)
    for run in gathered.runs:
        if not options.no_table:
            print_results(run.record)
        print(f"results: {run.folder}")
    single = len(options.runs) == 1 and read_record(options.runs[0]) is not None
    path = options.output or (options.runs[0] / PAGE_NAME if single else Path(PAGE_NAME))
    print(f"page: {write_page(gathered, path, options.videos)}")
    if options.figure is not None:
        print(f"picture: {draw_figure(gathered.runs[0], options.figure)}")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"0 or more is needed, got {number}")
    return number


if __name__ == "__main__":
    main()
