"""`quorate init --validators`: what it says, and what it refuses in one line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.codec.genesis import encode_genesis
from quorate.runtime import development
from quorate.runtime.home import read_home, signer_of


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command in this process; give exit code, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 validator"), (3, "3 validators, 3 decide, none may fail"),
     (4, "4 validators, 3 decide, 1 may fail")],
)  # fmt: skip
def test_the_summary_names_every_home(tmp_path: Path, count: int, words: str) -> None:
    folder = tmp_path / "chain"
    code, output, errors = run("init", folder, "--validators", count)
    assert (code, errors) == (0, "")
    homes = [read_home(folder / f"validator-{index}") for index in range(count)]
    lines = [
        f"Made {folder}: Quorate development chain, chain 7777, {words}.",
        f"  genesis hash    {homes[0].genesis_hash.hex()}",
        f"  consensus hash  {homes[0].consensus_hash.hex()}",
    ]
    for index, home in enumerate(homes):
        signer = signer_of(home.path)[1].hex()
        lines.append(f"  validator-{index}     tcp:127.0.0.1:{7700 + index}, signer {signer}")
    lines += [
        "Each folder is one validator's whole home: move it to its machine, with its keys.",
        f"Start each: quorate run {folder / 'validator-0'}",
    ]
    assert output.splitlines() == lines


def test_json_of_an_operators_chain(tmp_path: Path) -> None:
    genesis, folder = tmp_path / "genesis.json", tmp_path / "chain"
    genesis.write_bytes(encode_genesis(development.genesis()) + b"\n")
    code, output, errors = run(
        "init", folder, "--validators", 2, "--genesis", genesis,
        "--hosts", "a.example, b.example", "--port-base", 9000, "--json",
    )  # fmt: skip
    assert (code, errors) == (0, "")
    homes = [read_home(folder / f"validator-{index}") for index in range(2)]
    consensus = homes[0].consensus
    assert consensus is not None
    assert json.loads(output) == {
        "folder": str(folder),
        "chain_id": 7777,
        "genesis_hash": homes[0].genesis_hash.hex(),
        "consensus_hash": homes[0].consensus_hash.hex(),
        "validators": [
            {
                "home": str(home.path),
                "listen": listen,
                "weight": 1,
                "consensus_key": validator.consensus_key.hex(),
                "transport_key": validator.transport_key.hex(),
            }
            for home, validator, listen in zip(
                homes, consensus.validators, ["tcp:a.example:9000", "tcp:b.example:9000"],
                strict=True,
            )
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hosts", "a,b"],
         "--hosts and --port-base are for a chain of many; add --validators N."),
        (["--port-base", 1],
         "--hosts and --port-base are for a chain of many; add --validators N."),
        (["--validators", 0], "A chain has 1 to 128 validators, not 0."),
        (["--validators", 4, "--hosts", "a,b"],
         "There are 2 hosts for 4 validators; name one for each, separated by commas."),
        (["--validators", 2, "--hosts", "a,"], '"" is no host; name an address or a domain name.'),
        (["--validators", 2, "--port-base", 65535],
         "Port 65536 is not from 1 to 65535; choose another base."),
        (["--validators", 2, "--genesis", "nowhere.json"],
         "nowhere.json cannot be read: No such file or directory."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_leaves_nothing(
    tmp_path: Path, arguments: list[object], said: str
) -> None:
    code, output, errors = run("init", tmp_path / "chain", *arguments)
    assert (code, output, errors) == (2, "", f"quorate: {said}\n")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    code, _, errors = run("init", tmp_path, "--validators", 4)
    assert (code, errors) == (2, f"quorate: {tmp_path} is not empty; choose a new folder.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_validator_with_a_foreign_key_is_refused_by_every_command(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    assert run("init", folder, "--validators", 2)[0] == 0
    home = folder / "validator-1"
    (home / "keys" / "transport.key").write_bytes(
        (folder / "validator-0" / "keys" / "transport.key").read_bytes()
    )
    for command in ("run", "inspect"):
        code, output, errors = run(command, home)
        assert (code, output) == (2, "")
        assert errors == (
            f"quorate: {home / 'keys' / 'transport.key'} is that of validator 0, but "
            "consensus.key is that of validator 1; put the right key there.\n"
        )
