"""Proofs from a home, without its lock: the state of a height is restored, then proved."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quorate.commitment.events import EVENT_BYTES
from quorate.commitment.proof import Proof, event_proof, exported
from quorate.replica.errors import ReplayRefused
from quorate.replica.query import QuestionRefused, proof_of
from quorate.replica.replay import Replay
from quorate.runtime.certified import certificate_at, under_quorum
from quorate.runtime.disk import HomeRefused
from quorate.runtime.endpoint import Endpoint
from quorate.runtime.errors import QuestionFailed
from quorate.runtime.home import Home
from quorate.runtime.recover import Progress, restored
from quorate.runtime.survey import reading_ledger
from quorate.types.records import Table


def prove(
    home: Home,
    question: Mapping[str, Any],
    height: int | None = None,
    progress: Progress | None = None,
) -> str:
    """Prove what a question names: account, address, order_id, or event (height, index).

    Under the engine cometbft its RPC is asked for what certifies the height. Raises HomeRefused or
    QuestionFailed, and as `restored`.
    """
    if "event" in question and question["event"][0] == 0:
        raise QuestionFailed("There is no block 0: the first block has height 1.")
    if home.config.cometbft is not None:
        return certified_text(home, home.config.cometbft.rpc, question, height, progress)
    if "event" in question:
        height, index = question["event"]
        # A snapshot holds no events: the block itself must execute again.
        proof = proof_of_event(signed_replay(home, height, progress, height - 1), index)
    else:
        proof = proof_of_row(home, signed_replay(home, height, progress), question)
    return exported(proof).decode("ascii")


def certified_text(
    home: Home,
    rpc: Endpoint,
    question: Mapping[str, Any],
    height: int | None,
    progress: Progress | None,
) -> str:
    """Prove under CometBFT's header; the newest height that has one if none is named."""
    # The libraries of this engine are an extra that no other needs.
    from quorate.runtime.cometbft.binary import refuse_without_libraries

    refuse_without_libraries()
    from quorate.runtime.cometbft import certifying
    from quorate.runtime.cometbft.rpc import RpcFailed

    index, snapshot_max = 0, None
    if "event" in question:
        height, index = question["event"]
        snapshot_max = height - 1
    try:
        height = certifying.certified_last(rpc, height)
        replay = restored(home, height, progress, snapshot_max)
        replay.checkpoint = certifying.checkpoint_of(replay.executor, home.identity)
        if "event" in question:
            proof = proof_of_event(replay, index)
        else:
            proof = proof_of_row(home, replay, question)
        return certifying.certified_now(rpc, proof).decode("ascii")
    except (certifying.NotCertified, RpcFailed) as failed:
        raise QuestionFailed(str(failed)) from failed
    except certifying.RootDiffers as differs:
        raise ReplayRefused(str(differs)) from differs


def proof_of_row(home: Home, replay: Replay, question: Mapping[str, Any]) -> Proof:
    """Prove an account or an order. Raises QuestionFailed."""
    try:
        return proof_of(reading_ledger(home, replay), question)
    except QuestionRefused as refused:
        raise QuestionFailed(str(refused)) from refused


def signed_replay(
    home: Home,
    height: int | None,
    progress: Progress | None,
    snapshot_max: int | None = None,
) -> Replay:
    """Restore a height that has a checkpoint; the last such if none is named.

    Of a validator's home, a checkpoint that a quorum certified.
    """
    if home.consensus is not None:
        certificate = certificate_at(home, height)
        replay = restored(home, certificate.height, progress, snapshot_max)
        under_quorum(replay, certificate, home)
        return replay
    replay = restored(home, height, progress, snapshot_max)
    if height is None and replay.unsigned and replay.checkpoint is not None:
        # A crash came between a block and its checkpoint, or the node is at that very point.
        replay = restored(home, replay.checkpoint.height, progress)
    if replay.checkpoint is None or replay.unsigned:
        raise HomeRefused(f"{home.path} has no checkpoint of height {replay.executor.height}.")
    return replay


def proof_of_event(replay: Replay, index: int) -> Proof:
    """Prove one event of the last block. Raises QuestionFailed."""
    executor, checkpoint = replay.executor, replay.checkpoint
    assert checkpoint is not None
    if index >= len(executor.events):
        raise QuestionFailed(
            f"Block {executor.height} has {len(executor.events)} events, counted from 0."
        )
    rows = executor.events.view(np.uint8).reshape(-1, EVENT_BYTES)
    view = executor.tables.views()[Table.CHAIN]
    return event_proof(executor.tree, view, executor.event_tree, rows, index, checkpoint)
