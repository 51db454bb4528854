"""`prove` and `verify` of a home whose blocks CometBFT orders."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.commitment import comet_verifier
from quorate.replica.messages import Judged
from quorate.runtime import development
from quorate.runtime.config import cometbft_text
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.home import Home, init_home
from quorate.runtime.recover import restored
from quorate.runtime.start import log_effects, start
from tests.commitment import comet_world
from tests.live.nodes import config_text
from tests.replica.world import ALICE, FUNDS, NOW, bundle, judged_batch, request
from tests.runtime.cometbft.rpc_world import Refusal, commit_tree, json_rpc, serving, status_tree

TEXT = config_text(segment_mib=1, machine="spec", listen="tcp:127.0.0.1:0")
BLOCKS = 3
POWERS = dict(zip(comet_world.KEYS, (10, 8, 7, 5, 3, 2, 2), strict=True))
ADDRESS = "0x" + development.key_address(ALICE).hex()


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Make a home with three blocks in its log."""
    made = init_home(tmp_path_factory.mktemp("comet") / "home", config_text=TEXT)
    started = start(made)
    for number in range(BLOCKS):
        batch = judged_batch(request(number, bundle(ALICE, number, FUNDS)))
        log_effects(started.files, started.replica.step(NOW, Judged(batch)))
    started.files.close()
    return made


def name_of(home: Home) -> str:
    return f"quorate-{home.genesis.chain_id}-{home.genesis_hash.hex()[:16]}"


@contextmanager
def comet(home: Home, height_last: int = BLOCKS, lie: bool = False) -> Iterator[Endpoint]:
    """Be the CometBFT that ordered a home's blocks, and tell the home where it is."""

    def method(name: str, given: dict[str, Any]) -> Any:
        if name == "status":
            return status_tree(height_last)
        height = int(given["height"])
        if height > height_last:
            raise Refusal("no such height")
        root = bytes(32) if lie else restored(home, height - 1).executor.root
        of = comet_world.header(root, height, POWERS, name_of(home))
        return commit_tree(comet_world.signed(of, POWERS))

    with serving(json_rpc(method)) as endpoint:
        config = home.path / "config.toml"
        config.write_text(cometbft_text(TEXT, endpoint))
        yield endpoint


def genesis_file(home: Home, folder: Path) -> Path:
    entries = [
        {
            "pub_key": {
                "type": "tendermint/PubKeyEd25519", "value": base64.b64encode(key).decode(),
            },
            "power": str(power),
        }
        for key, power in POWERS.items()
    ]  # fmt: skip
    app_state = {"app_genesis": home.genesis_hash.hex(), "chain_id": str(home.genesis.chain_id)}
    tree = {"chain_id": name_of(home), "validators": entries, "app_state": app_state}
    path = folder / "genesis.json"
    path.write_text(json.dumps(tree))
    return path


@pytest.mark.parametrize(
    ("what", "height"),
    [
        (["--account", ADDRESS], BLOCKS - 1),
        (["--account", "4", "--height", "1"], 1),
        (["--event", "1:0"], 1),
        (["--event", f"{BLOCKS - 1}:1"], BLOCKS - 1),
    ],
)
def test_a_proof_is_written_and_verified(
    home: Home, tmp_path: Path, what: list[str], height: int
) -> None:
    out = tmp_path / "proof.json"
    with comet(home):
        code, _, errors = run("prove", home.path, *what, "--out", out)
    assert code == 0, errors
    signers = [f"--signer={key.hex()}:{power}" for key, power in POWERS.items()]
    named = run("verify", out, "--genesis-hash", home.genesis_hash.hex(), *signers)
    trusted = run("verify", out, "--consensus", genesis_file(home, tmp_path))
    words = f"chain {name_of(home)}, height {height}, signed by 5 of 7 validators, power 27 of 37"
    assert named == trusted and named[0] == 0 and words in named[1]
    powers = {**POWERS, bytes(32): 1}
    with pytest.raises(comet_verifier.Refused, match="the 8 given ones"):
        comet_verifier.verified(out.read_bytes(), home.genesis_hash, powers)
    out.write_text(out.read_text().replace('"flag":2', '"flag":3', 1))
    code, output, _ = run("verify", out, "--consensus", genesis_file(home, tmp_path))
    assert (code, output) == (1, "refused: the file has been changed\n")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (["--account", "4", "--height", str(BLOCKS)], f"comes with block {BLOCKS + 1}"),
        (["--event", f"{BLOCKS}:0"], f"comes with block {BLOCKS + 1}"),
        (["--event", "0:0"], "the first block has height 1"),
        (["--event", "2:99"], "Block 2 has 2 events, counted from 0."),
        (["--account", "77"], "No account has the number 77."),
        (["--order", "5"], "No open order has the id 5."),
    ],
)
def test_prove_refuses_with_one_line(home: Home, what: list[str], words: str) -> None:
    with comet(home):
        code, output, errors = run("prove", home.path, *what)
    assert (code, output) == (2, "") and words in errors and errors.count("\n") == 1


def test_prove_says_where_nobody_answers(home: Home) -> None:
    with comet(home) as endpoint:
        pass
    code, output, errors = run("prove", home.path, "--account", "4")
    assert (code, output) == (2, "") and errors.count("\n") == 1
    assert errors.startswith(f"quorate: CometBFT's RPC at {endpoint} cannot be reached: ")


def test_another_root_than_ours_is_something_wrong(home: Home) -> None:
    with comet(home, lie=True):
        code, output, errors = run("prove", home.path, "--account", "4")
    assert (code, output) == (1, "") and errors.count("\n") == 1
    assert f"header of height {BLOCKS} has the app hash 0000" in errors


@pytest.fixture(scope="module")
def proof(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("proof") / "proof.json"
    with comet(home):
        assert run("prove", home.path, "--account", "4", "--out", path)[0] == 0
    return path


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--genesis-hash", "x", "--signer", "01" * 32], "--genesis-hash: 64 hex digits"),
        (["--genesis-hash", "01" * 32, "--signer", "01"], "--signer: 64 hex digits are needed."),
        (["--genesis-hash", "01" * 32, "--signer", "02" + "ff" * 32], "public key of secp256k1."),
        (["--genesis-hash", "01" * 32, "--signer", "01" * 32 + ":0"], "a power is an integer"),
        (["--genesis-hash", "01" * 32], "Missing option '--signer'."),
        (["--signer", "01" * 32], "Missing option '--genesis-hash'."),
        (["--chain-id", "x" * 51, "--genesis-hash", "01" * 32, "--signer", "01" * 32], "50 ASCII"),
        (["--consensus", "no/such/file"], "cannot be read: No such file or directory."),
        (["--consensus", __file__], "is not JSON."),
    ],
)
def test_verify_refuses_with_one_line(proof: Path, options: list[str], words: str) -> None:
    code, output, errors = run("verify", proof, *options)
    assert (code, output) == (2, "") and words in errors and errors.count("\n") == 1


def test_what_is_wrong_with_the_proof_is_not_said_of_what_is_trusted(
    home: Home, proof: Path, tmp_path: Path
) -> None:
    cut, gone = tmp_path / "cut.json", tmp_path / "gone.json"
    cut.write_bytes(proof.read_bytes()[:-40])
    genesis = genesis_file(home, tmp_path)
    key = ["--genesis-hash", "01" * 32, "--signer", "01" * 32]
    for trust in (["--consensus", genesis], key, [*key, "--chain-id", "venue"]):
        code, output, errors = run("verify", cut, *trust)
        assert (code, errors) == (1, "") and output.startswith("refused: the file is not")
        code, _, errors = run("verify", gone, *trust)
        assert code == 2 and f"{gone} cannot be read: No such file" in errors


def test_each_proof_has_its_own_kind_of_trust(home: Home, proof: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.json"
    (home.path / "config.toml").write_text(TEXT)
    assert run("prove", home.path, "--account", "4", "--out", plain)[0] == 0
    key = "02" + "11" * 32
    trust = ["--genesis-hash", home.genesis_hash.hex(), "--signer", key]
    code, _, errors = run("verify", plain, "--chain-id", "venue", *trust)
    assert code == 2 and "--chain-id is of CometBFT's chains" in errors
    code, _, errors = run("verify", plain, "--consensus", genesis_file(home, tmp_path))
    assert code == 2 and "is no consensus.json" in errors
    # The name that the genesis gives may be overruled, and then it must be that of the header.
    code, output, _ = run(
        "verify", proof, "--consensus", genesis_file(home, tmp_path), "--chain-id", "venue"
    )
    assert (code, output) == (1, "refused: the header is not of the chain venue\n")
