"""The pinned formats of tests/vectors/conformance.toml."""

import tomllib

import pytest

from tests.vectors.approve import FILE, FORMATS, conformance_text


@pytest.mark.vectors
def test_formats_have_not_changed(approve_formats: bool) -> None:
    text = conformance_text()
    if approve_formats:
        FILE.write_text(text, encoding="ascii")
    pinned = tomllib.loads(FILE.read_text(encoding="ascii"))
    assert tomllib.loads(text) == pinned, "a format changed; if meant: make approve-formats"
    assert set(pinned) == set(FORMATS)
