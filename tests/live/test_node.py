"""Real nodes: failing disks, snapshots while trading goes on, many clients, a clean stop."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quorate.admission import sign_bundle
from quorate.codec.commands import CancelAll, Faucet, Place, encode_commands
from quorate.commitment.verifier import verified
from quorate.replica.messages import Level
from quorate.runtime.client import AsyncClient, Client
from quorate.runtime.development import key_address, role_key
from quorate.runtime.endpoint import home_endpoint
from quorate.runtime.errors import NodeGone, QuestionFailed, RequestRefused
from quorate.runtime.files import segment_numbers, snapshot_names
from quorate.runtime.home import init_home
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from tests.live.nodes import PATIENCE_S, ROOT, config_text, connected, environment, quorate, running

pytestmark = pytest.mark.slow
FUNDS = Faucet(10**12)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home with small segments and many snapshots, whose path is short for its socket."""
    text = config_text(segment_mib=1, every_blocks=20)
    return init_home(tmp_path_factory.mktemp("node") / "home", config_text=text).path


def orders(client: Client, key: bytes, nonce: int, count: int) -> Item:
    """Sign a bundle that credits, and places as many orders."""
    price = 600_000 - nonce % 50
    commands = [FUNDS] + [Place(1, 0, price, 1)] * (count - 1)
    now = int(time.time() * 1000)
    return sign_bundle(key, client.chain(), 0, now + nonce, encode_commands(commands))


def sick(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.live.sick", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("failure", "words"),
    [(("full", 300_000), "File too large (EFBIG)"), (("sync", 12), "Input/output error (EIO)")],
)
def test_a_failing_disk_stops_the_node_before_it_acknowledges(
    failure: tuple[str, int], words: str, home: Path
) -> None:
    node = sick(*failure, "run", home)
    acknowledged = 0
    with connected(home, node) as client, pytest.raises(NodeGone):
        for nonce in range(1000):
            client.submit([orders(client, role_key(f"t{nonce}"), nonce, 200)])
            acknowledged += 1
    _, errors = node.communicate(timeout=PATIENCE_S)
    assert node.returncode == 1
    assert errors.startswith("quorate: Could not ") and words in errors
    assert errors.count("\n") == 1, errors
    assert not (home / "halt.json").exists(), "the state is sound; only the disk is not"
    assert 1 < acknowledged < 999
    with running(home) as again, connected(home, again) as client:
        supply = client.ask("assets")["assets"][0]["deposited"]
        assert supply // FUNDS.amount in (acknowledged, acknowledged + 1)


@pytest.mark.parametrize(
    ("bug", "reason", "height_after"),
    [("money", "money appeared", 3), ("crash", "ended with an error", 3)],
)
def test_our_own_bug_halts_for_good_until_a_person_says_why(
    bug: str, reason: str, height_after: int, home: Path
) -> None:
    node = sick(bug, 3, "run", home)
    with connected(home, node) as client:
        for nonce in range(2):
            client.submit([orders(client, role_key("bug"), nonce, 2)])
        with pytest.raises(NodeGone):
            client.submit([orders(client, role_key("bug"), 9, 2)])
    _, errors = node.communicate(timeout=PATIENCE_S)
    assert node.returncode == 1 and reason in errors.splitlines()[-1]
    assert ("a bug of ours" in errors) == (bug == "crash")
    refused = quorate("run", home)
    _, errors = refused.communicate(timeout=PATIENCE_S)
    assert refused.returncode == 1 and "is halted at height 3" in errors
    assert errors.count("\n") == 1 and "resume" in errors
    resumed = quorate("resume", home, "--reason", "the bug is fixed")
    resumed.communicate(timeout=PATIENCE_S)
    assert resumed.returncode == 0
    with running(home) as again, connected(home, again) as client:
        # The block at which it failed is in the log; a sound program executes it.
        assert client.ask("status")["height"] == height_after
        assert client.ask("checkpoint")["height"] == height_after


def test_snapshots_are_made_while_the_node_runs_and_the_log_is_pruned(home: Path) -> None:
    with running(home) as node, connected(home, node) as client:
        end_s = time.monotonic() + PATIENCE_S
        nonce = 0
        while not (len(snapshot_names(home)) == 2 and 0 not in segment_numbers(home)):
            assert time.monotonic() < end_s and node.poll() is None, snapshot_names(home)
            client.submit([orders(client, role_key(f"t{nonce}"), nonce, 500)])
            client.submit([sign_bundle(
                role_key(f"t{nonce}"), client.chain(), 0, int(time.time() * 1000) + 5000,
                encode_commands([CancelAll()]),
            )])  # fmt: skip
            nonce += 1
        status = client.ask("status")
    with running(home) as node, connected(home, node) as client:
        again = client.ask("status")
        assert (again["height"], again["state_root"]) == (status["height"], status["state_root"])
    shown = json.loads(quorate("inspect", home, "--json").communicate(timeout=PATIENCE_S)[0])
    assert shown["chain"]["state_root"] == status["state_root"]
    assert shown["log"]["height_before"] > 0
    assert [snapshot["sound"] for snapshot in shown["snapshots"]] == [True, True]


def test_what_a_client_meets(home: Path) -> None:
    alice = role_key("alice")
    with running(home) as node, connected(home, node) as client:
        done = client.submit([orders(client, alice, 0, 3)])
        assert done.level == Level.EXECUTED and done.height == 1 and not done.rejects
        assert list(done.receipts["order_id"]) == [0, 1, 2]
        bad = client.submit([Item(1, bytes(161))])
        assert bad.level == Level.REFUSED
        assert bad.rejects == [Reject.COUNT_MUST_BE_1_TO_1024]
        with pytest.raises(RequestRefused, match="LENGTH_MUST_MATCH_COUNT"):
            client.submit([])
        with pytest.raises(QuestionFailed, match="No market has the number 9"):
            client.ask("depth", market=9)
        with pytest.raises(QuestionFailed, match="Ask for one of: status"):
            client.ask("nonsense")
        assert client.ask("depth", market=1)["bids"] == [[600_000, 2, 2]]
        posted = [client.post([orders(client, role_key(f"p{at}"), at, 2)]) for at in range(20)]
        assert [client.wait(number).rejects for number in reversed(posted)] == [[]] * 20
        status = client.ask("status")
        proof = client.ask("proof", address=key_address(alice).hex())["proof"]
        genesis, signer = (bytes.fromhex(status[key]) for key in ("genesis_hash", "signer"))
        assert "signed by 1 of 1" in verified(proof.encode(), genesis, {signer: 1})[0]
        asyncio.run(several_clients(home))
        garbage = Client(home_endpoint(home))
        garbage.send(b"\xff" * 64)
        with pytest.raises(NodeGone):
            garbage.ask("status")
        assert client.ask("status")["height"] >= status["height"]


async def several_clients(home: Path) -> None:
    """Submit from many connections at once; each hears of its own."""
    clients = [await AsyncClient.connected(home_endpoint(home)) for _ in range(8)]
    chain = await clients[0].chain()
    now = int(time.time() * 1000)
    tasks = [
        client.submit([
            sign_bundle(role_key(f"c{at}"), chain, 0, now + at, encode_commands([FUNDS] * (at + 1)))
        ])
        for at, client in enumerate(clients)
    ]  # fmt: skip
    for at, done in enumerate(await asyncio.gather(*tasks)):
        assert len(done.receipts) == at + 1 and not done.rejects
    for client in clients:
        await client.close()
    with pytest.raises(NodeGone):
        await clients[0].ask("status")


def test_an_address_that_cannot_be_had_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        home = init_home(tmp_path / "home").path
        for host, fault in (
            ("192.0.2.1", "Cannot assign requested address"),
            ("127.0.0.1", "Address already in use"),
        ):
            listen = f"tcp:{host}:{port}"
            text = config_text(segment_mib=1, machine="spec", listen=listen)
            (home / "config.toml").write_text(text)
            node = quorate("run", home)
            _, errors = node.communicate(timeout=PATIENCE_S)
            said = f"quorate: Cannot listen at {listen}: {fault}.\n"
            assert (node.returncode, errors) == (2, said)
    with running(home) as again, connected(home, again) as client:
        assert client.ask("status")["height"] == 0


def test_what_a_node_prints(home: Path) -> None:
    for option in ([], ["--json"]):
        node = quorate("run", home, *option)
        connected(home, node).close()
        node.terminate()
        output, errors = node.communicate(timeout=PATIENCE_S)
        assert (node.returncode, errors) == (0, "")
        if option:
            assert output.count("\n") == 1 and json.loads(output)["height"] == 0
        else:
            assert output.splitlines()[-1].startswith("Stopped at height 0, root ")


def test_a_node_whose_output_nobody_reads_ends(home: Path) -> None:
    node = quorate("run", home)
    assert node.stdout is not None and node.stderr is not None
    node.stdout.close()
    assert node.wait(timeout=PATIENCE_S) == 141 and node.stderr.read() == ""
    node.stderr.close()
    with running(home):
        pass


def test_a_stopped_node_has_answered_what_it_accepted(home: Path) -> None:
    with running(home) as node, connected(home, node) as client:
        chain = client.chain()
        posted = [
            client.post([
                sign_bundle(role_key(f"s{at}"), chain, 0, int(time.time() * 1000),
                            encode_commands([FUNDS]))
            ])
            for at in range(300)
        ]  # fmt: skip
        client.wait(posted[0])
        node.terminate()
        answered = 1
        try:
            for number in posted[1:]:
                client.wait(number)
                answered += 1
        except NodeGone:
            pass
    with running(home) as node, connected(home, node) as client:
        assert client.ask("assets")["assets"][0]["deposited"] == answered * FUNDS.amount
