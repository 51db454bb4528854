"""`quorate cluster`'s own pairs under each version of CometBFT, and proofs from their chain."""

import json
import os
import time
from pathlib import Path

import pytest

from quorate.codec.commands import Faucet, Place
from quorate.runtime.client import Client
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.cometbft.homes import init_comet
from quorate.runtime.cometbft.process import PairProcess
from quorate.runtime.development import key_address, role_key
from quorate.runtime.home import Home
from quorate.runtime.testnet import Testnet
from tests.live.comet import QUICK, configured, signed
from tests.live.nodes import PATIENCE_S, config_text, quorate
from tests.live.validators import free_port_base

pytestmark = pytest.mark.slow
TRADER = role_key("prover")


def made(folder: Path) -> list[Home]:
    """Make four homes on free ports, with short timeouts."""
    text = config_text(segment_mib=1)
    homes = init_comet(folder, 4, port_base=free_port_base(8), config_text=text)
    for home in homes:
        configured(home.path / "cometbft/config/config.toml", QUICK)
    return homes


def ran(*arguments: object) -> tuple[int, str, str]:
    """Run the command line; give exit code, output and errors."""
    process = quorate(*arguments)
    output, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, output, errors


@pytest.mark.parametrize("variable", ["COMETBFT", "COMETBFT_V1"])
def test_a_testnet_proves_what_happened(
    variable: str,
    tmp_path_factory: pytest.TempPathFactory,
    cometbft: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable == "COMETBFT_V1":
        if variable not in os.environ:
            pytest.skip("needs CometBFT v1 beside v0.38: $COMETBFT_V1 names no program")
        monkeypatch.setenv("COMETBFT", os.environ[variable])
    folder = tmp_path_factory.mktemp("smoke")
    with Testnet(folder / "c", made(folder / "c")) as net:
        net.start_all()
        pairs = [it for it in net.validators if isinstance(it, PairProcess)]
        version = pairs[0].comet.status()["node_info"]["version"]
        assert version.startswith("1." if variable == "COMETBFT_V1" else "0.38."), version
        with Client(net.endpoint(0), PATIENCE_S) as client:
            while not client.ask("network")["height"]:
                time.sleep(0.1)
            # Nobody takes the order.
            item = signed(client, TRADER, Faucet(10**9), Place(1, 0, 599_000, 1))
            done = client.submit([item])
            assert not done.rejects
            order = int(done.receipts[done.receipts["order_id"] != 0][0]["order_id"])
            question = {"address": key_address(TRADER).hex()}
            live = client.ask("proof", **question)["proof"]
        prove_and_verify(folder, net.homes, done.height, int(done.places[0]), order, live)
        net.kill(2)
        net.start(2)
        net.stop()
    code, output, errors = ran("replay-chain", net.homes[2].path, "--engine", "solo")
    assert code == 0 and "no differences" in output, output + errors


def prove_and_verify(
    folder: Path, homes: list[Home], height: int, place: int, order: int, live: str
) -> None:
    """Prove an account, an order and an event; verify each, and refuse what was changed."""
    genesis = homes[1].path / "cometbft/config/genesis.json"
    other = folder / "other.json"
    tree = json.loads(genesis.read_text())
    tree["app_state"]["app_genesis"] = 64 * "0"
    other.write_text(json.dumps(tree))
    stranger = folder / "stranger.json"
    stranger.write_text((made(folder / "s")[0].path / "cometbft/config/genesis.json").read_text())
    asked = {
        "account": ("--account", f"0x{key_address(TRADER).hex()}"),
        "order": ("--order", order),
        "event": ("--event", f"{height}:{place}"),
    }
    (folder / "live.proof").write_text(live)
    for name, question in asked.items():
        proof = folder / f"{name}.proof"
        code, output, errors = ran("prove", homes[0].path, *question, "--out", proof)
        assert code == 0, output + errors
    for name in ("live", *asked):
        proof = folder / f"{name}.proof"
        code, output, errors = ran("verify", proof, "--consensus", genesis)
        assert code == 0, output + errors
        flipped = folder / f"{name}.flipped"
        data = bytearray(proof.read_bytes())
        at = next(at for at in range(len(data) // 2, len(data)) if chr(data[at]) in "12345678")
        data[at] ^= 1
        flipped.write_bytes(data)
        for wrong, trusted in ((flipped, genesis), (proof, other), (proof, stranger)):
            code, output, errors = ran("verify", wrong, "--consensus", trusted)
            assert code == 1, (wrong, trusted, output, errors)
