"""Proofs from a home, without its lock: the state of a height is restored, then proved."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quorate.commitment.events import EVENT_BYTES
from quorate.commitment.proof import event_proof, exported
from quorate.replica.query import answer
from quorate.replica.replay import Replay
from quorate.runtime.certified import certificate_at, under_quorum
from quorate.runtime.disk import HomeRefused
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

    Raises HomeRefused or QuestionFailed, and as `restored`.
    """
    if "event" in question:
        if question["event"][0] == 0:
            raise QuestionFailed("There is no block 0: the first block has height 1.")
        height, index = question["event"]
        # A snapshot holds no events: the block itself must execute again.
        return event_text(signed_replay(home, height, progress, height - 1), index)
    replay = signed_replay(home, height, progress)
    found = answer(reading_ledger(home, replay), {"ask": "proof", **question})
    if "error" in found:
        raise QuestionFailed(str(found["error"]))
    return str(found["proof"])


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


def event_text(replay: Replay, index: int) -> str:
    """Prove one event of the last block. Raises HomeRefused or QuestionFailed."""
    executor, checkpoint = replay.executor, replay.checkpoint
    assert checkpoint is not None
    if index >= len(executor.events):
        raise QuestionFailed(
            f"Block {executor.height} has {len(executor.events)} events, counted from 0."
        )
    rows = executor.events.view(np.uint8).reshape(-1, EVENT_BYTES)
    view = executor.tables.views()[Table.CHAIN]
    proof = event_proof(executor.tree, view, executor.event_tree, rows, index, checkpoint)
    return exported(proof).decode("ascii")
