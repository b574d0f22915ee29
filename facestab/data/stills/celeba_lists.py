"""Which split of CelebA an image of CelebA-HQ belongs to."""

import logging
from collections.abc import Callable
from pathlib import Path

from facestab.data.stills.files import hashed_split, read_lines
from facestab.errors import FacestabError

log = logging.getLogger(__name__)

MAPPING, PARTITION = "CelebA-HQ-to-CelebA-mapping.txt", "list_eval_partition.txt"
_NAMES = {"0": "train", "1": "val", "2": "test"}
# numbers of the first image of CelebA that validates, and of the first that tests
_FIRST_VAL, _FIRST_TEST = 162_771, 182_638


def split_of_originals(root: Path) -> Callable[[int], str]:
    """Number of an image of CelebA-HQ to its split, by the lists in a folder.

    `CelebA-HQ-to-CelebA-mapping.txt` names the image of CelebA, and `list_eval_partition.txt`, which comes with CelebA,
    its split. Without the second the numbers at which CelebA's splits begin decide, which is the same; without the
    first a hash of the number does, which is not the official split, and a warning says so.

    Raises:
        FacestabError: for a list that cannot be read; and, by the function returned, for an image that none names.
    """
    mapping, partition = root / MAPPING, root / PARTITION
    if not mapping.is_file():
        log.warning("%s: no such file, so that the splits are not the official ones but follow from a hash", mapping)
        return lambda number: hashed_split(str(number), 0.1, 0.1)
    originals = _originals(mapping)
    splits = _partition(partition) if partition.is_file() else None

    def split_of(number: int) -> str:
        if number not in originals:
            raise FacestabError(f"{mapping}: does not name image {number}")
        name = originals[number]
        if splits is not None and name not in splits:
            raise FacestabError(f"{partition}: does not name {name}, the original of image {number}")
        return _by_number(int(Path(name).stem)) if splits is None else splits[name]

    return split_of


def _by_number(number: int) -> str:
    return "train" if number < _FIRST_VAL else "val" if number < _FIRST_TEST else "test"


def _originals(path: Path) -> dict[int, str]:
    """Number to the file name of the original. Columns: idx orig_idx orig_file proc_md5 final_md5, below a heading."""
    found = {}
    for line_number, line in enumerate(read_lines(path), start=1):
        columns = line.split()
        if not columns or not columns[0].isdecimal():
            continue
        if len(columns) < 3 or not Path(columns[2]).stem.isdecimal():
            raise FacestabError(f"{path}: line {line_number} does not read 'number number file ...': {line[:60]}")
        found[int(columns[0])] = columns[2]
    return found


def _partition(path: Path) -> dict[str, str]:
    """File name to split. Columns: file 0|1|2."""
    found = {}
    for line_number, line in enumerate(read_lines(path), start=1):
        columns = line.split()
        if not columns:
            continue
        if len(columns) != 2 or columns[1] not in _NAMES:
            raise FacestabError(f"{path}: line {line_number} does not read 'file 0|1|2': {line[:60]}")
        found[columns[0]] = _NAMES[columns[1]]
    return found
