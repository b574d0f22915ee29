"""stage=audit: look at a labelled data set before anything is trained on it."""

import json
import logging
from pathlib import Path

from omegaconf import DictConfig
from PIL import Image
from rich.markup import escape
from rich.table import Table

from facestab.build import build
from facestab.data.images import ImageData
from facestab.data.stills.audit import Audit, audit
from facestab.data.stills.contact_sheet import contact_sheet
from facestab.errors import FacestabError, SettingError
from facestab.pipeline.folder import open_run
from facestab.table import print_table

log = logging.getLogger(__name__)
REPORT_NAME, SHEET_NAME = "audit.json", "contact_sheet.png"


def run_audit(config: DictConfig, folder: Path, overrides: list[str]) -> None:
    """Read every image, print what is in the set, and write it down with a contact sheet.

    Raises:
        FacestabError: when training on the set would be wrong; the files are written all the same.
    """
    if config.pictures < 1:
        raise SettingError(f"pictures must be at least 1, got {config.pictures}")
    data: ImageData = build(config.data)
    labels = build(config.labels)
    preparing = _prepare(data)
    open_run(folder, config, overrides)
    found = audit(data.dataset, labels)
    if not found.problems:
        found.problems += preparing
    print_table(_table(found))
    for pair, share in found.sides().items():
        print(f"{pair}: left lies left in {100 * share:.1f}% of the pictures that show both")
    for line in (f"remark: {remark}" for remark in found.remarks):
        print(line)
    _write(folder, found)
    if found.usable("train"):
        sheet = contact_sheet(data.dataset.split("train"), labels, data.augment, config.pictures, config.seed)
        Image.fromarray(sheet).save(folder / SHEET_NAME)
        log.info("pictures: %s", folder / SHEET_NAME)
    for line in (f"problem: {problem}" for problem in found.problems):
        print(line)
    if found.problems:
        number = f"{len(found.problems)} problem{'s' if len(found.problems) > 1 else ''}"
        raise FacestabError(f"{folder / REPORT_NAME}: {number}, the first: {found.problems[0]}")
    log.info("nothing speaks against training on it: %s", folder / REPORT_NAME)


def _prepare(data: ImageData) -> list[str]:
    """What keeps the set from being prepared, which is no reason not to look at the rest."""
    try:
        data.prepare_data()
    except FacestabError as error:
        return [" ".join(str(error).split())]
    return []


def _write(folder: Path, found: Audit) -> None:
    part = folder / f"{REPORT_NAME}.part"
    part.write_text(json.dumps(found.to_dict(), indent=1) + "\n")
    part.replace(folder / REPORT_NAME)


def _table(found: Audit) -> Table:
    """Images, sizes and classes by split."""
    about = found.to_dict()["splits"]
    table = Table()
    table.add_column("", no_wrap=True)
    for split in about:
        table.add_column(split, justify="right")
    table.add_row("images", *(str(split["images"]) for split in about.values()))
    table.add_row("unusable", *(str(len(split["unusable"])) for split in about.values()))
    table.add_row("sizes", *(escape(_sizes(split["sizes"])) for split in about.values()), end_section=True)
    for name in found.labels.names:
        shares = [split["classes"][name] for split in about.values()]
        table.add_row(f"{name}: pixels / images", *(f"{s['pixels']:.2%} / {s['images']:.0%}" for s in shares))
    return table


def _sizes(sizes: dict[str, int]) -> str:
    if not sizes:
        return "-"
    first = next(iter(sizes))
    return first if len(sizes) == 1 else f"{first} and {len(sizes) - 1} more"
