"""Nodes under CometBFT that are not well, or that lie: what a test makes of one process.

die      where the process ends itself as by kill -9, at the first block with bundles from `height`:
         asked, executed: before and after FinalizeBlock is executed; answered: when Commit is
         asked; unsynced, synced: before and after the log's sync; told: when Commit is answered
chunks   each chunk of a snapshot that it sends has one wrong byte
propose  what its proposals are, where there is something to propose: twice, forged, junk. It votes
         for whatever is proposed
watch    nothing is wrong with it: it notes what is wrong with proposals of others

Each lie is a line in the file `lies` of its home, the height or what it was; what is wrong with a
proposal one in the file `faults`.
"""

import os
import signal
from pathlib import Path
from typing import Any

from quorate.replica.application import Application
from quorate.replica.application_messages import (
    Answered,
    Commit,
    Decide,
    Done,
    Prepare,
    Process,
    Proposal,
    Verdict,
)
from quorate.runtime.cometbft.executing import Executing
from quorate.runtime.cometbft.messages import Response
from quorate.runtime.cometbft.node import CometNode
from quorate.runtime.cometbft.statesync import StateSync
from quorate.runtime.files import LogFiles

POINTS = ("asked", "executed", "answered", "unsynced", "synced", "told")
LIES = ("twice", "forged", "junk")
NO_RECOVERY = b"\x1b"  # in the place of a signature's last byte, which must be 0 or 1


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(point: str, height: int) -> None:
    """Have the process end itself at a point of the first block with bundles from that height."""
    doomed: list[int] = []
    decide, commit, answer = Application.decide, Application.commit, CometNode.answer
    sync, execute = LogFiles.sync, Executing.execute

    def sick_decide(self: Application, event: Decide) -> list[Any]:
        if event.height >= height and event.transactions:
            doomed.append(event.height)
            if point == "asked":
                die()
        return decide(self, event)

    def sick_execute(self: Executing, task: Any) -> Any:
        found = execute(self, task)
        if doomed and point == "executed":
            die()
        return found

    def sick_commit(self: Application, event: Commit) -> list[Any]:
        if doomed and point == "answered":
            die()
        return commit(self, event)

    def sick_sync(self: LogFiles) -> int:
        if doomed and point == "unsynced":
            die()
        durable = sync(self)
        if doomed and point == "synced":
            die()
        return durable

    def sick_answer(self: CometNode, effect: Answered) -> None:
        answer(self, effect)
        if doomed and point == "told" and isinstance(effect.answer, Done):
            # What is answered is written at the end of this turn of the loop.
            self.loop.call_later(0.002, die)

    assert point in POINTS
    Application.decide = sick_decide  # type: ignore[method-assign]
    Application.commit = sick_commit  # type: ignore[method-assign]
    Executing.execute = sick_execute  # type: ignore[method-assign]
    LogFiles.sync = sick_sync  # type: ignore[method-assign]
    CometNode.answer = sick_answer  # type: ignore[method-assign]


def noted(home: Path, what: object, name: str = "lies") -> None:
    """Write a lie down, for the test to know that it was told."""
    with (home / name).open("a") as file:
        file.write(f"{what}\n")


def chunks_wrong(home: Path) -> None:
    """Send another byte in each chunk of a snapshot."""
    loaded = StateSync.loaded

    def lying(self: StateSync, body: Any, reply: Any) -> None:
        def wrong(response: Any) -> None:
            chunk = bytearray(response.load_snapshot_chunk.chunk)
            if chunk:
                chunk[len(chunk) // 2] ^= 1
                noted(home, f"chunk {body.chunk} of {body.height}")
            reply(Response(load_snapshot_chunk={"chunk": bytes(chunk)}))

        loaded(self, body, wrong)

    StateSync.loaded = lying  # type: ignore[method-assign]


def lied(lie: str, txs: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Make a proposal that no honest node takes."""
    if lie == "twice":
        return (*txs, txs[0])
    if lie == "forged":
        return (*txs[1:], txs[0][:-1] + NO_RECOVERY)
    return (*txs, b"junk")


def proposals_wrong(home: Path, lie: str) -> None:
    """Propose what is not valid, and vote for anything."""
    prepare = Application.prepare

    def lying(self: Application, event: Prepare) -> list[Any]:
        if not event.transactions:
            return prepare(self, event)
        noted(home, self.height + 1)
        return [Answered(event.ticket, Proposal(lied(lie, event.transactions)))]

    def accepting(self: Application, event: Process) -> list[Any]:
        return [Answered(event.ticket, Verdict(""))]

    assert lie in LIES
    Application.prepare = lying  # type: ignore[method-assign]
    Application.process = accepting  # type: ignore[method-assign]


def watching(home: Path) -> None:
    """Note what is wrong with each proposal."""
    answer = CometNode.answer

    def watched(self: CometNode, effect: Answered) -> None:
        if isinstance(effect.answer, Verdict) and effect.answer.fault:
            noted(home, f"{self.application.height + 1} {effect.answer.fault}", "faults")
        answer(self, effect)

    CometNode.answer = watched  # type: ignore[method-assign]


def made_sick(home: Path, release: dict[str, Any]) -> None:
    """Make this process the one that a test wants."""
    assert set(release) <= {"die", "height", "chunks", "propose", "watch"}
    if "die" in release:
        dying(release["die"], release.get("height", 0))
    if "chunks" in release:
        chunks_wrong(home)
    if "propose" in release:
        proposals_wrong(home, release["propose"])
    if "watch" in release:
        watching(home)
