"""Wheels (PEP 427): the metadata within, which an index may offer beside the file (PEP 658)."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO

from mirror.errors import OriginError

_LIMIT = 16 * 1024 * 1024
_LIST_LIMIT = 4 * 1024 * 1024  # bytes of the list of files: of some 50,000
# zipfile unpacks others as a whole, however little of them is asked for: 64 MiB of LZMA are hundreds of GB.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
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
    with zipfile.ZipFile(_InSteps(wheel)) as archive:
        found = [file for file in archive.infolist() if _METADATA.fullmatch(file.filename)]
        if len(found) != 1 or found[0].compress_type not in _METHODS:
            return None
        with archive.open(found[0]) as file:
            text = file.read(_LIMIT + 1)
    return text if len(text) <= _LIMIT else None


class _InSteps(BytesIO):
    """A file of which little is read at a time, as zipfile does, but for the list of files: that it reads at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size > _LIST_LIMIT:
            raise OriginError("the wheel's list of files is too long")
        return super().read(size)
