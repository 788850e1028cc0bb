"""The metadata inside a wheel, where there is one that can be told."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import wheels
from mirror.errors import OriginError


def wheel(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, f"of {name}")
    return content.getvalue()


def test_the_metadata_is_taken_out() -> None:
    file = wheel("six.py", "six-1.0.dist-info/METADATA", "six/x.dist-info/METADATA")
    assert wheels.metadata(file) == b"of six-1.0.dist-info/METADATA"


@pytest.mark.parametrize(
    "file", [b"", b"PK", wheel("six.py"), wheel("a.dist-info/METADATA", "b.dist-info/METADATA"), wheel()[:-3]]
)
def test_what_has_none_is_told(file: bytes) -> None:
    with pytest.raises(OriginError):
        wheels.metadata(file)


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=20))
def test_no_wheel_however_broken_raises_anything_else(at: int, noise: bytes) -> None:
    """Seen red: a wheel that is broken elsewhere than in its list is a failure of ours."""
    file = wheel("six.py", "six-1.0.dist-info/METADATA")
    at %= len(file)
    try:
        wheels.metadata(file[:at] + noise + file[at + len(noise) :])
    except OriginError:
        return
