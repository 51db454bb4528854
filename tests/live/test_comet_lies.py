"""A proposer whose proposals are not valid, and what clients and CometBFT's RPC are told."""

from base64 import b64encode

import pytest

from quorate.codec.commands import Faucet, Place
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.development import role_key
from quorate.runtime.errors import NodeGone
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from tests.live.comet import CometChain, Settings, comet_chain, signed, tx_of
from tests.live.comet_release import LIES
from tests.replica.bad_items import BAD_ITEMS

pytestmark = pytest.mark.slow
LIAR = 3
TOLD = 1  # lies of a kind that all have found out
WORDS = {
    "twice": "has an item twice",
    "forged": "SIGNATURE_MUST_BE_VALID",
    "junk": "is not one item",
}


def address_of(chain: CometChain, index: int) -> str:
    """Read the address with which a pair proposes."""
    return str(chain.rpc(index, "status")["validator_info"]["address"])


def lies_of(chain: CometChain) -> list[int]:
    """Read at which heights the liar has lied."""
    path = chain.pairs[LIAR].home.path / "lies"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def faults_of(chain: CometChain, index: int, height: int) -> str:
    """Read what a pair found wrong with proposals of a height."""
    path = chain.pairs[index].home.path / "faults"
    lines = path.read_text().splitlines() if path.exists() else []
    return "\n".join([line for line in lines if line.startswith(f"{height} ")])


def convicted(chain: CometChain, words: str) -> list[int]:
    """Give the heights of the lies that all others have found out; some come too late for one.

    Or for all: the liar, restarted, proposes once more where its block of before was decided.
    """
    return [
        height
        for height in lies_of(chain)
        if all(words in faults_of(chain, index, height) for index in range(LIAR))
    ]


def test_a_byzantine_proposer_is_outvoted_and_nobody_halts(
    tmp_path_factory: pytest.TempPathFactory, cometbft: Program
) -> None:
    with comet_chain(tmp_path_factory.mktemp("lies") / "c") as chain:
        address = address_of(chain, LIAR)
        for pair in chain.pairs[:LIAR]:
            pair.kill()
            pair.start({"watch": True})
        number = 0
        for lie in LIES:
            chain.pairs[LIAR].kill()
            (chain.pairs[LIAR].home.path / "lies").unlink(missing_ok=True)
            chain.pairs[LIAR].start({"propose": lie})
            with chain.client(0) as client:
                # It lies where it has something to propose.
                while len(convicted(chain, WORDS[lie])) < TOLD:
                    number += 1
                    order = Place(1, 0, 600_000, 1)
                    item = signed(client, role_key(f"lied {number}"), Faucet(10**9), order)
                    done = client.submit([item])
                    assert not done.rejects and done.height
            told = convicted(chain, WORDS[lie])
            chain.reached(told[-1] + 1, (0, 1, 2))
            for height in told:
                block = chain.rpc(0, "block", height=str(height))["block"]
                # Another proposed this block, in a later round.
                assert block["header"]["proposer_address"] != address
                signed_header = chain.rpc(0, "commit", height=str(height))["signed_header"]
                assert signed_header["commit"]["round"]
        chain.pairs[LIAR].kill()
        chain.pairs[LIAR].start()
        chain.goes_on(2)
        chain.sound()
        assert chain.ask(0, "assets")["assets"][0]["deposited"] == number * 10**9


def test_check_tx_tells_each_reject_by_rpc(
    tmp_path_factory: pytest.TempPathFactory, cometbft: Program
) -> None:
    with comet_chain(tmp_path_factory.mktemp("check") / "c", 1) as chain:
        for reject, item in BAD_ITEMS.items():
            found = chain.rpc(0, "broadcast_tx_sync", tx=tx_of(item))
            assert (found["code"], found["codespace"]) == (int(reject), "quorate")
            assert found["log"] == reject.name
        for nonsense in (b"", b"\1", b"junk", bytes(1000)):
            found = chain.rpc(0, "broadcast_tx_sync", tx=b64encode(nonsense).decode())
            assert found["code"] == Reject.LENGTH_MUST_MATCH_COUNT or "error" in found
        with chain.client(0) as client:
            item = signed(client, role_key("one"), Faucet(5))
            found = chain.rpc(0, "broadcast_tx_commit", tx=tx_of(item))
            assert found["check_tx"]["code"] == found["tx_result"]["code"] == 0
            # CometBFT remembers it; another with its nonce is told what the state says.
            assert "exists in cache" in str(chain.rpc(0, "broadcast_tx_sync", tx=tx_of(item)))
            nonce = int.from_bytes(item.data[16:24], "little")
            same = signed(client, role_key("one"), Faucet(6), nonce=nonce)
            found = chain.rpc(0, "broadcast_tx_sync", tx=tx_of(same))
            assert found["code"] == Reject.NONCE_ALREADY_USED
            assert client.submit([item]).rejects == [Reject.NONCE_ALREADY_USED]
        chain.goes_on(2)
        chain.sound()


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.long), 4])
def test_a_full_pool_is_told_and_no_connection_is_dropped(
    count: int, tmp_path_factory: pytest.TempPathFactory, cometbft: Program
) -> None:
    """More at once than CometBFT's pool holds: told one by one, and what was refused goes again."""
    settings: Settings = {"mempool": {"size": 20}}
    with comet_chain(tmp_path_factory.mktemp("full") / "c", count, settings) as chain:
        refused = 0
        waiting: list[tuple[int, int, Item]] = []
        clients = [chain.client(number % count, 60.0) for number in range(4)]
        for number in range(400):
            client = clients[number % 4]
            item = signed(client, role_key(f"full {number}"), Faucet(7))
            waiting.append((number % 4, client.post([item]), item))
        while waiting:
            index, request, item = waiting.pop(0)
            try:
                done = clients[index].wait(request)
            except NodeGone as gone:
                pools = [chain.rpc(at, "num_unconfirmed_txs")["n_txs"] for at in range(count)]
                held = chain.ask(index % count, "network")["pool_bundles"]
                raise AssertionError(f"{gone} We hold {held}, CometBFT's pools {pools}.") from gone
            if done.rejects or not done.height:
                assert done.codes == (Reject.BLOCK_FULL_SEND_LATER,), done
                refused += 1
                waiting.append((index, clients[index].post([item]), item))
        # Four pools of 20 may keep up; what counts there is that each request has its answer.
        assert refused or count > 1
        for client in clients:
            client.close()
        chain.goes_on(2)
        assert chain.ask(0, "assets")["assets"][0]["deposited"] == 400 * 7
        chain.sound()
