"""What a home holds, as a tree of JSON values, read without its lock. Changes nothing."""

import json
from typing import Any

from quorate.replica.ledger import Ledger, Settings
from quorate.replica.query import answer
from quorate.replica.replay import Replay
from quorate.replica.views import Answer
from quorate.runtime.certified import agreement
from quorate.runtime.cometbft.homes import comet_place
from quorate.runtime.config import COMETBFT
from quorate.runtime.disk import HomeRefused
from quorate.runtime.halt import read_halt
from quorate.runtime.home import COMETBFT_FOLDER, Home, signer_of
from quorate.runtime.recover import Progress, restored, segments_listed, snapshots_found
from quorate.runtime.validators import validator_set
from quorate.storage.log import Record


def reading_ledger(home: Home, replay: Replay) -> Ledger:
    """Make a ledger that is only asked: it has no key."""
    settings = Settings(home.identity, b"", known_signer(home, replay))
    return Ledger(replay.executor, settings, replay.checkpoint, replay.trades)


def known_signer(home: Home, replay: Replay) -> bytes:
    """Give the public key that signed, or else will sign; nothing if the key cannot be read."""
    if replay.checkpoint is not None and replay.checkpoint.signatures:
        return next(iter(replay.checkpoint.signatures))
    if home.engine == COMETBFT:
        return b""
    try:
        _, signer = signer_of(home.path)
        return signer
    except HomeRefused:
        return b""


def validator(home: Home) -> dict[str, Any]:
    """Describe a validator's place, and what agreement left in its log."""
    assert home.consensus is not None and home.config.cluster is not None
    votes, found = validator_set(home.consensus), agreement(home)
    certificate = found.certificate
    peers = zip(home.consensus.validators, home.config.cluster.peers, strict=True)
    return {
        "me": home.me,
        "consensus_hash": home.consensus_hash.hex(),
        "quorum": votes.quorum,
        "weight": votes.total,
        "validators": [
            {"name": it.name, "key": it.consensus_key.hex(), "weight": it.weight, "peer": str(at)}
            for it, at in peers
        ],
        "view": found.view,
        "height_certified": certificate.height if certificate else 0,
        "certified_by": list(certificate.signers) if certificate else [],
        "heights_certified": len(found.heights),
        "evidence": found.evidence,
    }


def cometbft(home: Home) -> dict[str, Any] | None:
    """Describe a home's place beside CometBFT; None under other engines.

    chain_id, validators and node_id are null where CometBFT's home is elsewhere.
    """
    beside = home.config.cometbft
    if beside is None:
        return None
    tree = {"me": home.me, "abci": beside.abci, "rpc": str(beside.rpc)}
    inside = (home.path / COMETBFT_FOLDER).is_dir()
    place = comet_place(home) if inside else None
    return {
        **tree,
        "chain_id": place.chain_id if place else None,
        "validators": place.count if place else None,
        "node_id": place.node_id if place else None,
    }


def survey(home: Home, progress: Progress | None = None) -> dict[str, Any]:
    """Describe chain, markets, assets, log and snapshots. Raises as `restored`."""
    snapshots = snapshots_found(home)
    notes: list[Record] = []
    replay = restored(home, None, progress, notes=notes)
    segments = segments_listed(home)
    ledger = reading_ledger(home, replay)

    def asked(ask: str, **question: Any) -> Answer:
        return answer(ledger, {"ask": ask, **question})

    markets = []
    for row in asked("markets")["markets"]:
        depth = asked("depth", market=row["market"], levels=1)
        best = {side: depth[f"{side}s"][:1] for side in ("bid", "ask")}
        prices = {side: levels[0][0] if levels else None for side, levels in best.items()}
        markets.append({**row, **prices})
    halt = read_halt(home.path)
    return {
        "home": str(home.path),
        "name": home.genesis.name,
        "halt": None if halt is None else {
            "height": halt.height if halt.digest else None, "reason": halt.reason,
        },
        "resumed": [json.loads(bytes(note.payload)) for note in notes],
        "chain": asked("status"),
        "engine": home.engine,
        "validator": None if home.consensus is None else validator(home),
        "cometbft": cometbft(home),
        "checkpoint": asked("checkpoint") if ledger.checkpoint else None,
        "log": {
            "segments": len(segments),
            "segment_bytes": home.config.segment_bytes,
            "height_before": segments[0].height_before,
        },
        "snapshots": [
            {"name": found.name, "height": found.height, "sound": found.sound}
            for found in snapshots
        ],
        # Best prices and the last one are in ticks, null where there is none.
        "markets": markets,
        "assets": asked("assets")["assets"],
    }
