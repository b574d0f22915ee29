"""Names of folders that are made of names of other things."""

import hashlib
import re

_MAX_BYTES = 150
# Windows takes these for devices, whatever their suffix
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def folder_name(text: str) -> str:
    """A name as it can be that of one folder, in the folder that it is meant for and visible there.

    Most names come back as they are. Separators and control characters become `_`, and so do dots in front and dots
    and spaces at the end; long names are cut and end in a part of their hash.
    """
    name = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    name = re.sub(r"[/\\\x00-\x1f\x7f-\x9f]", "_", name)
    name = re.sub(r"^[. ]+|[. ]+$", lambda found: "_" * len(found[0]), name) or "_"
    if _DEVICE.match(name):
        name = f"_{name}"
    if len(name.encode()) > _MAX_BYTES:
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        name = f"{name.encode()[: _MAX_BYTES - 9].decode(errors='ignore')}-{digest}"
    return name
