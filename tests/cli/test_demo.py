"""The demo plays its whole story, and its audit finds what is deliberately wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quorate.codec.commands import SetMark, VotePrice, decode_commands
from quorate.codec.genesis import genesis_hash
from quorate.execution.machine import SpecMachine, genesis_image
from quorate.replica.executor import Executor
from quorate.runtime import development
from quorate.sim.demo.audit import Audit, audited, disagreements, doubled, lost
from quorate.sim.demo.forge import flipped, redigested
from quorate.sim.demo.ledger import Ledger, Name
from quorate.sim.demo.market import (
    LEVERAGE,
    LEVERED,
    LEVERED_ROUND,
    SLIDE_ROUNDS,
    Market,
    Venue,
    market_of,
)
from quorate.storage.log import Identity
from quorate.types.blocks import MarketSpec
from quorate.types.codes import Reject
from quorate.types.limits import PPM

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 8
PERPETUAL = MarketSpec(
    "BTC-PERP", 2, 1, 1, 10, 10_000_000, 10_000_000, 40_000_000, 0, 0, 0, 0, 50_000, 600_000
)


def demo(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    return subprocess.run(
        [sys.executable, "-m", "quorate.cli.main", "demo", *map(str, arguments)],
        capture_output=True, text=True, env=environment, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
def test_the_story_comes_to_a_good_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    folder = tmp_path_factory.mktemp("demo")
    out = folder / "result.json"
    home = folder / "home"
    run = demo("--solo", "--plain", "--seconds", SECONDS, "--home", home, "--json", out)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    found = json.loads(out.read_text())
    crash, proof = found["crash"], found["proof"]
    assert found["ok"] and found["findings"] == []
    assert crash["in_flight"] > 0 and crash["acknowledged_bundles"] > 0
    assert crash["recovered_height"] >= crash["acknowledged_height"] > 0
    assert crash["root_before"] == crash["root_after"] != ""
    assert found["lost"] == found["doubled"] == 0
    assert found["conservation_delta_e6"] == found["lots_delta"] == 0
    assert found["blocks"] > crash["recovered_height"] and found["fills"] > 0
    assert found["commands"] > 100 * SECONDS and found["commands_per_s"] > 0
    assert 0 < found["latency_p50_ms"] <= found["latency_p99_ms"]
    assert len(found["state_root"]) == 64 and found["log_bytes"] > 0
    assert proof["verified"] and proof["forged_refused"] and len(proof["forged"]) == 2
    cleared, receipt = found["cleared"], found["receipt"]
    assert cleared["marks"] >= 4 and cleared["traders"] == 1 and cleared["steps"] >= 1
    assert receipt["verified"] and "  kind: liquidated" in receipt["words"]
    assert "is liquidated" in run.stdout
    mistakes = (
        Reject.BUNDLE_EXPIRED_SIGN_AGAIN,
        Reject.PRICE_MUST_BE_MULTIPLE_OF_TICK,
        Reject.MARGIN_INSUFFICIENT_DEPOSIT_OR_REDUCE,
        Reject.SIGNATURE_MUST_BE_VALID,
        Reject.NONCE_ALREADY_USED,
        Reject.OWNER_KEY_REQUIRED,
    )
    assert {code.name for code in mistakes} <= found["rejects"].keys()
    assert "kill -9" in run.stdout and "All right" in run.stdout


def test_a_users_mistake_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for mode in ([], ["--solo"]):
        run = demo("--plain", "--home", tmp_path, *mode)
        assert run.returncode == 2 and run.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert demo("--json", tmp_path / "no" / "out.json").returncode == 2


def test_the_same_seed_writes_the_same_drafts() -> None:
    def written(seed: int) -> list[object]:
        market = Market(seed, {1: PERPETUAL}, 3)
        return [market.openings(), [market.round() for _ in range(60)]]

    assert written(3) == written(3)
    assert written(3) != written(4)


def test_the_oracle_votes_where_there_is_a_feed_and_sets_the_mark_elsewhere() -> None:
    market = market_of(development.cleared_genesis(), 3)
    votes = decode_commands(market.marks().commands)
    mids = [venue.mid for venue in market.venues]
    assert votes == [
        VotePrice(0, mids[0], mids[0]), VotePrice(1, mids[1], mids[1]), SetMark(4, mids[2])
    ]  # fmt: skip
    assert {type(each) for each in decode_commands(
        market_of(development.genesis(), 3).marks().commands
    )} == {SetMark}  # fmt: skip


def test_who_is_levered_buys_before_the_slide_and_cannot_outlast_it() -> None:
    market = market_of(development.cleared_genesis(), 3)
    first, buys = market.venues[0], 0
    for number in range(1, SLIDE_ROUNDS.stop + 1):
        if number == SLIDE_ROUNDS.start:
            before = first.mid
        buys += sum(draft.signer == LEVERED for draft in market.round())
        assert buys == (number >= LEVERED_ROUND)
    fallen_ppm = (before - first.mid) * PPM // before
    assert PPM // 40 // 2 < fallen_ppm < PPM // LEVERAGE


def test_quotes_stand_on_their_side_of_the_mid_and_on_the_tick() -> None:
    market = Market(5, {1: PERPETUAL}, 3)
    for venue in market.venues:
        for away in range(20):
            buy, sell = (market.priced(venue, side, away) for side in (0, 1))
            assert buy <= venue.mid < sell
            assert not buy % venue.spec.tick_step and not sell % venue.spec.tick_step


def test_a_size_is_a_multiple_of_the_lot() -> None:
    market = Market(5, {1: PERPETUAL}, 3)
    (sol,) = (venue for venue in market.venues if venue.spec.lot_step > 1)
    assert isinstance(sol, Venue)
    assert all(market.size(sol) % sol.spec.lot_step == 0 for _ in range(100))


# --- the guards are shown to fail
ONE, TWO, THREE = ((bytes([n]) * 20, n) for n in (1, 2, 3))


def told(*acknowledged: Name) -> Ledger:
    """Make a ledger of clients that were told of these."""
    ledger = Ledger()
    for name in acknowledged:
        ledger.sent[name] = None
        ledger.acknowledged[name] = 1
    return ledger


def said(*executed: Name, root: str = "aa") -> Audit:
    """Make an audit that found these in the log."""
    audit = Audit(height=1, root=root, roots={1: root})
    audit.executed.update(executed)
    return audit


def test_the_audit_is_content_with_what_is_right() -> None:
    assert disagreements(said(ONE, TWO), told(ONE, TWO), {1: "aa"}) == []


@pytest.mark.parametrize(
    ("audit", "words"),
    [
        (said(ONE), "missing"),
        (said(ONE, TWO, TWO), "more than once"),
        (said(ONE, TWO, THREE), "nobody sent"),
        (said(ONE, TWO, root="bb"), "another"),
    ],
)
def test_the_audit_finds_what_is_wrong(audit: Audit, words: str) -> None:
    (finding,) = disagreements(audit, told(ONE, TWO), {1: "aa"})
    assert words in finding
    assert len(lost(audit, told(ONE, TWO))) == (words == "missing")
    assert len(doubled(audit)) == (words == "more than once")


def test_the_audit_finds_a_refused_bundle_that_executed() -> None:
    ledger = told(ONE)
    ledger.sent[TWO] = ledger.refused[TWO] = None
    (finding,) = disagreements(said(ONE, TWO), ledger, {})
    assert "refused" in finding


def test_a_forgery_differs_in_one_digit_and_a_digest() -> None:
    preimage = "ab" * 160
    text = json.dumps({"file_digest": "00" * 32, "preimage": preimage}, separators=(",", ":"))
    forged = flipped(text, preimage)
    assert sum(a != b for a, b in zip(text, forged, strict=True)) == 1
    assert json.loads(redigested(forged))["file_digest"] != "00" * 32


def test_the_audit_knows_the_root_of_the_genesis_too() -> None:
    """A node that was asked before its first block names the root of height 0."""
    genesis = development.genesis()
    executor = Executor(SpecMachine(genesis_image(genesis)))
    root = executor.root.hex()
    audit = audited(executor, Identity(genesis.chain_id, genesis_hash(genesis)), [], 0)
    assert disagreements(audit, told(), {0: root}) == []
    assert "another" in disagreements(audit, told(), {0: "00" * 32})[0]
