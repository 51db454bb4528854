"""Certificates out of a validator's log, and proofs, inspection and verification under them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.runtime.certified import agreement, certificate_at, certificate_fault
from quorate.runtime.disk import HomeRefused
from quorate.runtime.home import signer_of
from quorate.runtime.validators import init_validators, validator_set
from tests.runtime.validator_logs import HEIGHTS, TEXT, Lies, Written, written

UNCERTIFIED = (3, HEIGHTS)


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command in this process; give exit code, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return written(tmp_path_factory.mktemp("certified") / "chain", UNCERTIFIED)


def test_a_log_says_what_was_certified(made: Written) -> None:
    for home in made.homes:
        found = agreement(home)
        assert found.heights == [1, 2, 4, 5]
        assert (found.signed, found.view, found.evidence) == (HEIGHTS, 100 + HEIGHTS, 0)
        newest = certificate_at(home, None)
        assert (newest.height, newest.state_root) == (5, made.roots[5])
        assert home.consensus is not None
        assert certificate_fault(newest, home, validator_set(home.consensus)) == ""
        assert certificate_at(home, 2).state_root == made.roots[2]


@pytest.mark.parametrize(
    ("height", "words"),
    [
        (3, "no certificate of height 3; the nearest heights with one: 2, 4."),
        (0, "no certificate of height 0; the nearest heights with one: 1."),
        (99, "no certificate of height 99; the nearest heights with one: 5."),
    ],
)
def test_a_height_without_certificate_is_refused(made: Written, height: int, words: str) -> None:
    with pytest.raises(HomeRefused, match=words):
        certificate_at(made.homes[0], height)


def test_a_home_that_never_ran_has_nothing_to_prove(tmp_path: Path) -> None:
    home = init_validators(tmp_path / "chain", 4, config_text=TEXT)[2]
    with pytest.raises(HomeRefused, match="no certificate of a quorum yet"):
        certificate_at(home, None)
    code, output, _ = run("inspect", home.path)
    assert code == 0 and "certified     no height yet; 0 certificates in the log" in output


def test_a_proof_from_any_home_is_verified_against_the_quorum(
    made: Written, tmp_path: Path
) -> None:
    first = made.homes[0]
    keys = [f"--signer={signer_of(home.path)[1].hex()}" for home in made.homes]
    weighed = [f"{key}:5" for key in keys]
    genesis = f"--genesis-hash={first.genesis_hash.hex()}"
    consensus = f"--consensus={first.path / 'consensus.json'}"
    for index, (home, what) in enumerate(
        [(home, what) for home in made.homes for what in (
            ["--account", 4], ["--account", 4, "--height", 2], ["--event", "4:0"]
        )]
    ):  # fmt: skip
        out = tmp_path / f"{index}.json"
        code, _, errors = run("prove", home.path, *what, "--out", out)
        assert code == 0, errors
        height = json.loads(out.read_text())["checkpoint"]["height"]
        assert height == {"--account": 5, "--event": 4}[str(what[0])] or height == 2
        for trust in ([genesis, *keys], [consensus], [genesis, *weighed]):
            code, output, errors = run("verify", out, *trust)
            assert code == 0, output + errors
            assert f"height {height}, epoch 0, signed by 3 of 4 validators" in output
        code, output, _ = run("verify", out, genesis, *keys[:2])
        assert code == 1 and output.startswith("refused: ")
        code, output, _ = run("verify", out, consensus, f"--genesis-hash={'00' * 32}")
        assert code == 1 and "another genesis" in output


def test_prove_refuses_an_event_of_a_height_that_is_not_certified(made: Written) -> None:
    code, output, errors = run("prove", made.homes[1].path, "--event", "3:0")
    assert (code, output) == (2, "") and "no certificate of height 3" in errors


def test_prove_does_not_follow_a_quorum_that_signed_another_root(tmp_path: Path) -> None:
    home = written(tmp_path / "chain", (), Lies(quorum=(4,))).homes[0]
    code, output, errors = run("prove", home.path, "--account", 4, "--height", 4)
    assert (code, output) == (1, "") and "A quorum signed root abababab" in errors
    assert run("prove", home.path, "--account", 4, "--height", 3)[0] == 0


def test_inspect_shows_the_validators_and_the_certificate(made: Written) -> None:
    home = made.homes[2]
    tree = json.loads(run("inspect", home.path, "--json")[1])["validator"]
    assert (tree["me"], tree["quorum"], tree["weight"]) == (2, 3, 4)
    assert tree["height_certified"] == 5 and len(tree["certified_by"]) == 3
    assert [row["key"] for row in tree["validators"]] == [
        signer_of(it.path)[1].hex() for it in made.homes
    ]
    output = run("inspect", home.path)[1]
    assert "  validator     2 of 4; weight 3 of 4 decides" in output
    assert "  certified     height 5, by " in output


def test_verify_wants_whom_to_trust(made: Written) -> None:
    consensus = made.homes[0].path / "consensus.json"
    code, _, errors = run("verify", "x", "--consensus", consensus, "--signer", "02")
    assert (code, errors) == (2, "quorate: --consensus names the signers; leave --signer out.\n")
    code, _, errors = run("verify", "x", "--genesis-hash", "00" * 32)
    assert (code, errors) == (
        2, "quorate: Missing option '--signer'. See quorate verify --help.\n"
    )  # fmt: skip
    code, _, errors = run("verify", "x", "--consensus", consensus.parent / "no.json")
    assert code == 2 and "no.json cannot be read" in errors
