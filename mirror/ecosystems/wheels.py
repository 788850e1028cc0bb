"""Wheels (PEP 427): the metadata within, which an index may offer beside the file (PEP 658)."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO

from mirror.errors import OriginError

_LIMIT = 16 * 1024 * 1024
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")


def metadata(wheel: bytes) -> bytes:
    """The METADATA file of a wheel; OriginError where it has none, or more than one."""
    try:
        text = _metadata(wheel)
    except Exception as exc:  # whatever zipfile and its decompressors make of it
        raise OriginError("the wheel cannot be read") from exc
    if text is None:
        raise OriginError("the wheel has no metadata that can be told from others")
    return text


def _metadata(wheel: bytes) -> bytes | None:
    with zipfile.ZipFile(BytesIO(wheel)) as archive:
        names = [name for name in archive.namelist() if _METADATA.fullmatch(name)]
        if len(names) != 1:
            return None
        with archive.open(names[0]) as file:
            text = file.read(_LIMIT + 1)
    return text if len(text) <= _LIMIT else None
