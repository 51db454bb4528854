"""Where CometBFT's program is looked for, and what is said where it or a library is missing."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quorate.runtime.cometbft.binary import comet_program, refuse_without_libraries
from quorate.runtime.disk import HomeRefused


def program(folder: Path, says: str, name: str = "cometbft", code: int = 0) -> Path:
    """Make a program that says its version."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n[ \"$1\" = version ] && echo '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder that is all of the PATH, in a checkout where nothing was built."""
    import quorate

    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("COMETBFT", raising=False)
    monkeypatch.setattr(quorate, "__file__", str(tmp_path / "src/quorate/__init__.py"))
    return folder


def test_the_variable_goes_before_the_path_and_that_before_what_was_built(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".cometbft").mkdir()
    built = program(tmp_path / ".cometbft" / "bin", "0.38.26")
    assert comet_program().path == built
    on_path = program(bare, "1.0.1")
    assert (comet_program().path, comet_program().version) == (on_path, "1.0.1")
    named = program(tmp_path / "mine", "v0.38.1", "other")
    monkeypatch.setenv("COMETBFT", str(named))
    assert comet_program().path == named


@pytest.mark.parametrize("version", ["0.38.0", "v0.38.26", "1.0.1", "1.12.0+abc"])
def test_versions_that_fit(bare: Path, version: str) -> None:
    program(bare, version)
    assert comet_program().version == version


@pytest.mark.parametrize(
    ("version", "code"),
    [("0.37.2", 0), ("0.34.24", 0), ("2.0.0", 0), ("10.38.1", 0), ("", 0), ("x", 0), ("1.0.1", 1)],
)
def test_versions_that_do_not_fit(bare: Path, version: str, code: int) -> None:
    path = program(bare, version, code=code)
    with pytest.raises(HomeRefused) as refused:
        comet_program()
    assert str(path) in str(refused.value) and "0.38.x or 1.x is wanted" in str(refused.value)


def test_one_line_says_how_to_get_it(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HomeRefused) as refused:
        comet_program()
    line = str(refused.value)
    assert "\n" not in line and "is not on the PATH" in line
    assert "go install github.com/cometbft/cometbft/cmd/cometbft@v0.38.26" in line
    assert "cometbft_0.38.26_linux_amd64.tar.gz" in line
    monkeypatch.setenv("COMETBFT", str(bare / "nothing"))
    with pytest.raises(HomeRefused, match=r"\$COMETBFT is .*nothing, which is no program"):
        comet_program()


@pytest.mark.parametrize("missing", ["google.protobuf", "aiohttp"])
@pytest.mark.parametrize("above", [False, True])
def test_a_library_that_is_missing_is_named(
    missing: str, above: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(name: str) -> Any:
        if name == missing and above:
            raise ModuleNotFoundError(name)
        return None if name == missing else ModuleType(name)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    with pytest.raises(HomeRefused) as refused:
        refuse_without_libraries()
    assert missing in str(refused.value)
    assert str(refused.value).endswith('pip install "quorate[cometbft]".')


def test_nothing_is_said_where_all_libraries_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def found(name: str) -> Any:
        asked.append(name)
        return ModuleType(name)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    refuse_without_libraries()
    assert asked == ["google.protobuf", "aiohttp"]
