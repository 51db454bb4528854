"""`quorate signer` and `quorate rejoin`: what they say, and what they refuse in one line."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.runtime.home import Home, init_home
from quorate.runtime.validators import init_validators


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command in this process; give exit code, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    return init_validators(tmp_path / "chain", 2)


def refused(said: str, *arguments: object) -> None:
    """Expect one line, exit code 2 and no output."""
    code, output, errors = run(*arguments)
    assert (code, output, errors.count("\n")) == (2, "", 1), errors
    assert said in errors


def test_a_guard_is_made_once_for_a_key_of_the_chain(homes: list[Home], tmp_path: Path) -> None:
    home, guard = homes[0].path, tmp_path / "guard"
    assert homes[0].consensus is not None
    code, output, errors = run("signer", home, "--guard", guard, "--init")
    key = homes[0].consensus.validators[0].consensus_key.hex()
    assert (code, errors) == (0, "")
    assert output == f"Made {guard} for key {key} of chain 7777.\n"
    refused("is there already", "signer", home, "--guard", guard, "--init")
    refused("--listen must be unix:PATH", "signer", home, "--guard", guard)
    refused("is of key", "signer", homes[1].path, "--guard", guard, "--export", tmp_path / "e")
    making = ("--guard", tmp_path / "g2", "--init", "--consensus", home / "consensus.json")
    refused("which no validator has", "signer", home / "keys" / "transport.key", *making)
    refused("is not there", "signer", home, "--guard", tmp_path / "none", "--listen", "unix:/x")
    refused("cannot be read", "signer", tmp_path / "nokey", "--guard", guard, "--init")
    (home / "keys" / "consensus.key").chmod(0o644)
    refused("can be read by others", "signer", home, "--guard", guard, "--listen", "unix:/x")


def test_a_guard_is_moved(homes: list[Home], tmp_path: Path) -> None:
    home, guard, other = homes[0].path, tmp_path / "guard", tmp_path / "other"
    moved = tmp_path / "moved.json"
    for path in (guard, other):
        assert run("signer", home, "--guard", path, "--init")[0] == 0
    code, output, _ = run("signer", home, "--guard", guard, "--export", moved)
    assert (code, output) == (0, f"Wrote {moved}. Let this guard sign nothing more.\n")
    assert json.loads(moved.read_text())["signed"] == []
    code, output, _ = run("signer", home, "--guard", other, "--import", moved)
    assert (code, output) == (0, f"Took in 0 signatures and the floors of {moved}.\n")
    moved.write_text("[" * 100_000)
    refused("is no export", "signer", home, "--guard", other, "--import", moved)


@pytest.mark.parametrize("signer", ["7", '"tcp:h:1"', '"unix:"', "[]"])
def test_a_setting_that_names_no_signer_is_refused(homes: list[Home], signer: str) -> None:
    config = homes[0].path / "config.toml"
    config.write_text(config.read_text().replace('signer = ""', f"signer = {signer}"))
    refused('cluster.signer must be "unix:PATH"', "inspect", homes[0].path)


def test_only_a_validator_whose_log_is_gone_rejoins(homes: list[Home], tmp_path: Path) -> None:
    refused("has a log", "rejoin", homes[0].path)
    alone = init_home(tmp_path / "alone").path
    shutil.rmtree(alone / "log")
    refused("is of a node alone", "rejoin", alone)
    (only,) = init_validators(tmp_path / "only", 1)
    shutil.rmtree(only.path / "log")
    refused("is the only validator", "rejoin", only.path)
    shutil.rmtree(homes[0].path / "log")
    code, output, errors = run("rejoin", homes[0].path)
    assert (code, errors) == (0, "") and output.splitlines()[0].startswith("Made a new log in ")
    refused("has a log", "rejoin", homes[0].path)
