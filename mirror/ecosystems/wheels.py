"""Wheels (PEP 427): the metadata within, which an index may offer beside the file (PEP 658)."""

from __future__ import annotations

import zipfile
from io import BytesIO

from mirror.errors import OriginError

_LIMIT = 16 * 1024 * 1024


def metadata(wheel: bytes) -> bytes:
    """The METADATA file of a wheel; OriginError where it has none, or more than one."""
    try:
        with zipfile.ZipFile(BytesIO(wheel)) as archive:
            found = [
                member
                for member in archive.infolist()
                if member.filename.count("/") == 1 and member.filename.endswith(".dist-info/METADATA")
            ]
            if len(found) != 1 or found[0].file_size > _LIMIT:
                raise OriginError("the wheel has no metadata that can be told from others")
            with archive.open(found[0]) as file:
                text = file.read(_LIMIT + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as exc:
        raise OriginError("the wheel cannot be read") from exc
    if len(text) > _LIMIT:
        raise OriginError("the wheel's metadata is too large")
    return text
