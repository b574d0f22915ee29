"""Where rendered pictures lie."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock


@cache
def world_hash() -> str:
    """12 hex digits that change with the code of the synthetic world, so that no picture of an older one is reused."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def cache_folder(root: str, **settings: Any) -> Path:
    """The folder for pictures of this world with these settings."""
    text = json.dumps({"world": world_hash(), **settings}, sort_keys=True)
    return Path(root) / hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_lock(folder: Path) -> FileLock:
    """Held while a folder is filled, so that processes do not render the same pictures."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.parent / f".{folder.name}.lock")
