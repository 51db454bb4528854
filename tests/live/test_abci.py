"""The node that CometBFT drives, as a process, with the socket's other side played by the tests."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from quorate.codec import commands as c
from quorate.codec.genesis import encode_genesis
from quorate.commitment import comet_verifier
from quorate.replica.restoring import manifest_bytes, manifest_read
from quorate.runtime.cometbft.homes import app_state, init_comet
from quorate.runtime.cometbft.messages import (
    ApplySnapshotChunkResult,
    OfferSnapshotResult,
    ProcessProposalStatus,
)
from quorate.runtime.halt import read_halt
from quorate.runtime.home import Home, init_home
from quorate.types.codes import Reject
from tests.live.abci import Abci
from tests.live.nodes import config_text, connected, quorate, running
from tests.replica.bad_items import BAD_ITEMS
from tests.replica.comet import transactions
from tests.replica.world import ALICE, BOB, FUNDS, GENESIS, NOW, bundle, executor_of

pytestmark = pytest.mark.slow
ORDER = c.Place(1, 0, 600_000, 5)
STATE = json.dumps(app_state(GENESIS)).encode()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a short name: a socket's path has at most 100 bytes."""
    return tmp_path_factory.mktemp("abci")


def home_in(folder: Path, **config: Any) -> Home:
    # The genesis of the replica's own tests, whose blocks are compared with these.
    genesis = folder.parent / f"{folder.name}.json"
    genesis.write_bytes(encode_genesis(GENESIS))
    text = config_text(segment_mib=1, **config)
    (home,) = init_comet(folder, 1, genesis, config_text=text)
    return home


@contextmanager
def node_of(home: Home) -> Iterator["subprocess.Popen[str]"]:
    node = quorate("run", home.path)
    try:
        connected(home.path, node).close()
        yield node
    finally:
        node.kill()
        print(*node.communicate())  # shown where a test fails


PARAMS = {"block": {"max_bytes": 4 << 20}, "validator": {"pub_key_types": ["ed25519"]}}


def begun(abci: Abci, **changes: Any) -> Any:
    fields = {"app_state_bytes": STATE, "initial_height": 1, "consensus_params": PARAMS, **changes}
    return abci.ask("init_chain", chain_id="any", **fields)


def txs_of(height: int) -> tuple[bytes, ...]:
    return transactions(
        bundle(ALICE, 10 * height, FUNDS, ORDER), bundle(BOB, 10 * height, FUNDS)
    )


def grown(abci: Abci, heights: range) -> list[bytes]:
    return [abci.block(at, NOW + at, txs_of(at)).app_hash for at in heights]


def test_a_chain_from_its_first_request_to_a_stop(folder: Path) -> None:
    home = home_in(folder)
    with node_of(home) as node, Abci(home.path) as abci, Abci(home.path) as other:
        info = abci.ask("info", version="0.38.26")
        assert (info.last_block_height, info.last_block_app_hash) == (0, b"")
        assert (info.data, info.app_version) == ("quorate", 1)
        answer = begun(abci)
        assert answer.app_hash == executor_of().root
        codes = [int(reject) for reject in sorted(BAD_ITEMS)]
        bad = transactions(*[BAD_ITEMS[reject] for reject in sorted(BAD_ITEMS)])
        good = txs_of(1)
        # Another connection: CometBFT's pool asks while the chain goes on.
        assert other.check(*bad, *good, b"") == [*codes, 0, 0, 101]
        prepared = abci.ask("prepare_proposal", txs=[*bad, *good, *good], max_tx_bytes=1 << 20)
        assert tuple(prepared.txs) == good
        accept, reject = ProcessProposalStatus.ACCEPT, ProcessProposalStatus.REJECT
        for txs, wanted in ((good, accept), (good * 2, reject), (bad[-1:], reject), ((), accept)):
            assert abci.ask("process_proposal", height=1, txs=txs).status == wanted
        first = abci.block(1, NOW, good)
        assert [result.code for result in first.tx_results] == [0, 0]
        assert [result.data for result in first.tx_results] == [bytes(4), bytes(2)]
        assert not first.HasField("consensus_param_updates") and not first.validator_updates
        assert other.check(*good) == [int(Reject.NONCE_ALREADY_USED)] * 2
        asked = other.ask("query", path="/account", data=b'{"account":1}', prove=True)
        assert json.loads(asked.value)["account"] == 1 and asked.height == 1
        (op,) = asked.proof_ops.ops
        assert op.type == "quorate-proof-1" and first.app_hash.hex() in op.data.decode()
        assert other.ask("query", path="/nothing").code == 1
        assert other.ask("query", path="/account", data=b"{").code == 1
        late = other.ask("query", path="/status", height=7)
        assert late.code == 1 and "last height alone" in late.log
        node.send_signal(signal.SIGTERM)
        output, errors = node.communicate(timeout=60)
        assert node.returncode == 0 and "Stopped at height 1" in output, errors


def test_a_node_killed_between_finalize_block_and_commit_is_asked_again(folder: Path) -> None:
    home = home_in(folder)
    with node_of(home), Abci(home.path) as abci:
        begun(abci)
        roots = grown(abci, range(1, 4))
        lost = abci.block(4, NOW + 4, txs_of(4), commit=False)
    with node_of(home) as node, Abci(home.path) as abci:
        info = abci.ask("info")
        assert (info.last_block_height, info.last_block_app_hash) == (3, roots[-1])
        # The same process meets a CometBFT that has restarted: asked twice, executed once.
        assert abci.block(4, NOW + 4, txs_of(4), commit=False) == lost
        with Abci(home.path) as again:
            assert again.ask("info").last_block_height == 3
            assert again.block(4, NOW + 4, txs_of(4)) == lost
            assert again.ask("info").last_block_height == 4
            assert "does not follow" in again.block(4, NOW + 4, txs_of(4), commit=False)
        assert node.poll() is None


def test_a_chain_of_another_application_is_refused_before_anything_is_written(
    folder: Path,
) -> None:
    home = home_in(folder)
    with node_of(home) as node, Abci(home.path) as abci:
        answer = begun(abci, app_state_bytes=b"{}")
        assert answer is None or "not one for this home" in answer
        _, errors = node.communicate(timeout=60)
        assert node.returncode == 2 and errors.count("\n") == 1 and "app_state must be" in errors


def test_a_decided_block_that_is_not_valid_halts_durably(folder: Path) -> None:
    home = home_in(folder)
    with node_of(home) as node, Abci(home.path) as abci:
        begun(abci)
        assert abci.block(1, NOW, (b"junk",), commit=False) is None
        _, errors = node.communicate(timeout=60)
        assert node.returncode == 1 and "a decided block is not valid" in errors
    halt = read_halt(home.path)
    assert halt is not None and halt.height == 1
    again = quorate("run", home.path)
    _, errors = again.communicate(timeout=60)
    assert again.returncode != 0 and "quorate resume" in errors
    resumed = quorate("resume", home.path, "--reason", "a drill")
    assert resumed.wait(60) == 0
    with node_of(home), Abci(home.path) as abci:
        begun(abci)
        assert abci.block(1, NOW, txs_of(1)).app_hash


def test_a_new_node_takes_a_snapshot_and_no_other_state(folder: Path) -> None:
    """Bad chunks are asked for again, and a whole snapshot with another root is refused."""
    source = home_in(folder / "source", every_blocks=3)
    with node_of(source), Abci(source.path) as abci:
        begun(abci)
        roots = grown(abci, range(1, 5))
        listed = snapshots_of(abci, 3)
        chunks = [
            abci.ask("load_snapshot_chunk", height=3, format=1, chunk=at).chunk
            for at in range(listed.chunks)
        ]
        assert abci.ask("load_snapshot_chunk", height=3, format=2, chunk=0).chunk == b""
        assert abci.ask("load_snapshot_chunk", height=99, format=1, chunk=0).chunk == b""
    target = home_in(folder / "target")
    root = roots[2]
    with node_of(target) as node, Abci(target.path) as abci:
        offered = offering(abci, root)
        fields = {"height": 3, "format": 1, "chunks": listed.chunks, "hash": listed.hash}
        good = {**fields, "metadata": listed.metadata}
        assert offered(**{**good, "format": 2}) == OfferSnapshotResult.REJECT_FORMAT
        assert offered(**{**good, "hash": bytes(32)}) == OfferSnapshotResult.REJECT
        assert offered(**{**good, "chunks": 10**6}) == OfferSnapshotResult.REJECT
        assert abci.ask("apply_snapshot_chunk", index=0).result == ApplySnapshotChunkResult.ABORT
        # Another state under the right name: the manifest holds, the root does not.
        assert offering(abci, bytes(32))(**good) == OfferSnapshotResult.ACCEPT
        assert applied(abci, chunks) == ApplySnapshotChunkResult.REJECT_SNAPSHOT
        assert offered(**good) == OfferSnapshotResult.ACCEPT
        wrong = bytes([chunks[0][0] ^ 1]) + chunks[0][1:]
        answer = abci.ask("apply_snapshot_chunk", index=0, chunk=wrong, sender="liar")
        assert answer.result == ApplySnapshotChunkResult.RETRY
        assert (list(answer.refetch_chunks), list(answer.reject_senders)) == ([0], ["liar"])
        assert applied(abci, chunks) == ApplySnapshotChunkResult.ACCEPT
        info = abci.ask("info")
        assert (info.last_block_height, info.last_block_app_hash) == (3, root)
        assert abci.block(4, NOW + 4, txs_of(4)).app_hash == roots[3]
        assert offered(**good) == OfferSnapshotResult.ABORT
        node.kill()
        node.wait()
    with node_of(target), Abci(target.path) as abci:
        info = abci.ask("info")
        assert (info.last_block_height, info.last_block_app_hash) == (4, roots[3])


def test_a_node_that_fell_in_the_last_step_of_a_state_sync_takes_another(folder: Path) -> None:
    """CometBFT's own state comes after ours: until then it offers a snapshot again."""
    source = home_in(folder / "source", every_blocks=2)
    with node_of(source), Abci(source.path) as abci:
        begun(abci)
        roots = grown(abci, range(1, 4))
        good = whole(abci, 2)  # one snapshot is made at a time: the next only when it is there
        roots += grown(abci, range(4, 6))
        later = whole(abci, 4)
    target = home_in(folder / "target")
    for snapshot, chunks in (good, good, later, later):
        height = snapshot.height
        with node_of(target) as node, Abci(target.path) as abci:
            assert abci.ask("info").last_block_height <= height
            offer = {"snapshot": snapshot, "app_hash": roots[height - 1]}
            accepted = abci.ask("offer_snapshot", **offer)
            assert accepted.result == OfferSnapshotResult.ACCEPT
            if height == 4:
                older = abci.ask("offer_snapshot", snapshot=good[0], app_hash=roots[1])
                assert older.result == (OfferSnapshotResult.REJECT if node_at(abci) else 1)
                abci.ask("offer_snapshot", **offer)
            assert applied(abci, chunks) == ApplySnapshotChunkResult.ACCEPT
            assert node.poll() is None
    with node_of(target), Abci(target.path) as abci:
        assert abci.ask("info").last_block_app_hash == roots[3]
        assert abci.block(5, NOW + 5, txs_of(5)).app_hash == roots[4]
        refused = abci.ask("offer_snapshot", snapshot=later[0], app_hash=roots[3])
        assert refused.result == OfferSnapshotResult.ABORT


def whole(abci: Abci, height: int) -> tuple[Any, list[bytes]]:
    """Wait for a snapshot and load all of it."""
    found = snapshots_of(abci, height)
    chunks = [
        abci.ask("load_snapshot_chunk", height=height, format=1, chunk=at).chunk
        for at in range(found.chunks)
    ]
    return found, chunks


def node_at(abci: Abci) -> bool:
    """Say whether the node stands above the older of the two snapshots."""
    return int(abci.ask("info").last_block_height) > 2


def test_offers_that_cross_leave_a_sound_home(folder: Path) -> None:
    """CometBFT was killed while the last chunk was judged, and offers anew at once."""
    source = home_in(folder / "source", every_blocks=2)
    with node_of(source), Abci(source.path) as abci:
        begun(abci)
        roots = grown(abci, range(1, 4))
        snapshot = snapshots_of(abci, 2)
        chunk = abci.ask("load_snapshot_chunk", height=2, format=1, chunk=0).chunk
        assert snapshot.chunks == 1
    target = home_in(folder / "target")
    offer = {"snapshot": snapshot, "app_hash": roots[1]}
    with node_of(target) as node, Abci(target.path) as abci:
        for _ in range(20):
            with Abci(target.path) as lost:
                accepted = lost.ask("offer_snapshot", **offer)
                assert accepted.result == OfferSnapshotResult.ACCEPT
                lost.post(apply_snapshot_chunk={"index": 0, "chunk": chunk, "sender": "x"})
        again = abci.ask("offer_snapshot", **offer)
        assert again.result == OfferSnapshotResult.ACCEPT
        assert applied(abci, [chunk]) == ApplySnapshotChunkResult.ACCEPT
        assert abci.ask("info").last_block_app_hash == roots[1] and node.poll() is None
    with node_of(target), Abci(target.path) as abci:
        assert abci.block(3, NOW + 3, txs_of(3)).app_hash == roots[2]


def test_a_log_that_is_gone_is_made_anew_and_told_again(folder: Path) -> None:
    home = home_in(folder)
    with node_of(home), Abci(home.path) as abci:
        begun(abci)
        roots = grown(abci, range(1, 3))
    shutil.rmtree(home.path / "log")
    with node_of(home), Abci(home.path) as abci:
        assert abci.ask("info").last_block_height == 0
        begun(abci)
        assert grown(abci, range(1, 3)) == roots


def test_a_home_of_another_engine_is_refused(folder: Path) -> None:
    home = home_in(folder)
    config = home.path / "config.toml"
    text = config.read_text()
    section = text[text.index("[cometbft]") :]
    config.write_text(text.removesuffix(section))
    node = quorate("run", home.path)
    _, errors = node.communicate(timeout=60)
    assert node.returncode == 2 and "has no section [cometbft]" in errors
    solo = init_home(folder / "solo", config_text=config_text(segment_mib=1))
    with running(solo.path), connected(solo.path) as client:
        client.submit([bundle(ALICE, int(time.time() * 1000) - NOW, FUNDS)])
    with (solo.path / "config.toml").open("a") as file:
        file.write(section)
    node = quorate("run", solo.path)
    _, errors = node.communicate(timeout=60)
    assert node.returncode == 2 and errors.count("\n") == 1 and "another engine" in errors


def test_a_file_where_the_socket_should_be_is_not_touched(folder: Path) -> None:
    home = home_in(folder)
    precious = home.path / "abci.sock"
    precious.write_text("precious")
    node = quorate("run", home.path)
    _, errors = node.communicate(timeout=60)
    assert node.returncode == 2 and errors.count("\n") == 1 and "no socket" in errors
    assert precious.read_text() == "precious"


def snapshots_of(abci: Abci, height: int) -> Any:
    end_s = time.monotonic() + 60
    while True:
        found = [it for it in abci.ask("list_snapshots").snapshots if it.height == height]
        if found:
            (snapshot,) = found
            manifest = manifest_read(snapshot.metadata, snapshot.chunks, snapshot.hash)
            assert manifest is not None and manifest_bytes(manifest) == snapshot.metadata
            return snapshot
        assert time.monotonic() < end_s, "no snapshot was made"
        time.sleep(0.1)


def offering(abci: Abci, root: bytes) -> Any:
    def offered(**snapshot: Any) -> int:
        return int(abci.ask("offer_snapshot", snapshot=snapshot, app_hash=root).result)

    return offered


def applied(abci: Abci, chunks: list[bytes]) -> int:
    answer = None
    for index, chunk in enumerate(chunks):
        answer = abci.ask("apply_snapshot_chunk", index=index, chunk=chunk, sender="peer")
    assert answer is not None
    return int(answer.result)


def test_nonsense_on_the_socket_ends_its_connection_and_nothing_else(folder: Path) -> None:
    home = home_in(folder)
    with node_of(home) as node, Abci(home.path) as abci:
        begun(abci)
        for data in (b"\xff" * 11, b"\x80\x80\x80\x80\x80\x01", os.urandom(500)):
            with Abci(home.path) as hostile:
                hostile.socket.sendall(data)
                hostile.socket.shutdown(1)
                while hostile.reply() is not None:
                    pass
        assert abci.block(1, NOW, txs_of(1)).app_hash
        assert node.poll() is None


def test_the_plain_proof_of_a_query_is_no_proof_without_a_commit(folder: Path) -> None:
    home = home_in(folder)
    with node_of(home), Abci(home.path) as abci:
        begun(abci)
        grown(abci, range(1, 2))
        (op,) = abci.ask("query", path="/account", data=b'{"account":1}', prove=True).proof_ops.ops
    with pytest.raises(comet_verifier.Refused):
        comet_verifier.verified(op.data, home.genesis_hash, {hashlib.sha256(b"").digest(): 1})
