"""One turn of a node's loop takes a bounded share of what peers sent, and pays for that alone."""

from types import SimpleNamespace
from typing import Any

import pytest

from quorate.replica.validator_messages import FromPeer, PeerDown, PeerUp, Quit, Tick
from quorate.runtime.cluster.inbox import Inbox
from quorate.runtime.cluster.node import PEER_EVENTS_MAX, ClusterNode

BODY = b"four"


class Turns:
    """A loop whose turns are made by hand."""

    def __init__(self) -> None:
        self.soon: list[Any] = []

    def call_soon(self, action: Any) -> None:
        self.soon.append(action)

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for action in soon:
            action()


class Bench:
    """A node without threads or sockets. batches: what the core was given, turn by turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[Any]] = []
        self.credits: list[tuple[int, int, int]] = []
        self.banished: list[tuple[int, float]] = []
        self.node = node = ClusterNode.__new__(ClusterNode)
        self.loop = Turns()
        node.loop = self.loop  # type: ignore[assignment]
        node.events, node.inbox, node.pumping = [], Inbox(), False
        node.validator = SimpleNamespace(steps=self.steps)  # type: ignore[assignment]
        node.transport = SimpleNamespace(  # type: ignore[assignment]
            credit=lambda *paid: self.credits.append(paid),
            banish=lambda *told: self.banished.append(told),
        )
        monkeypatch.setattr(node, "carry_out", lambda effects: None)

    def steps(self, now: Any, events: list[Any]) -> list[Any]:
        self.batches.append(list(events))
        return []


def test_a_burst_is_taken_over_several_turns_and_others_come_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    node, loop = bench.node, bench.loop
    for _ in range(3 * PEER_EVENTS_MAX):
        node.on_frame(1, 7, BODY)
    node.on_up(2)
    node.on_frame(2, 7, BODY)
    node.on_down(2, None)
    node.post(Tick())
    assert len(loop.soon) == 1
    loop.turn()
    (first,) = bench.batches
    assert first[0] == Tick() and len(first) == 1 + PEER_EVENTS_MAX
    of_two = [event for event in first[1:] if event.peer == 2]
    assert of_two == [PeerUp(2), FromPeer(2, 7, BODY), PeerDown(2)]
    frames = PEER_EVENTS_MAX - 3
    assert sorted(bench.credits) == [(1, frames * len(BODY), frames), (2, len(BODY), 1)]
    # What comes meanwhile is heard in the next turn, however much of the burst is left.
    node.post(Tick())
    assert len(loop.soon) == 1
    loop.turn()
    assert bench.batches[1][0] == Tick()
    while loop.soon:
        loop.turn()
    assert sum(paid[2] for paid in bench.credits if paid[0] == 1) == 3 * PEER_EVENTS_MAX
    assert sum(len(batch) for batch in bench.batches) == 3 * PEER_EVENTS_MAX + 5
    assert not node.pumping and len(bench.batches) == 4


def test_a_forger_is_banished(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(monkeypatch)
    bench.node.release([Quit(3, 10_000)])
    assert bench.banished == [(3, 10.0)]
    assert "Validator 3 sends forgeries" in capsys.readouterr().err
