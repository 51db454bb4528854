"""One peer's burst delays its own frames and nobody else's."""

from hypothesis import given
from hypothesis import strategies as st

from quorate.replica.validator_messages import FromPeer, PeerDown, PeerUp
from quorate.runtime.cluster.inbox import Inbox


def frame(peer: int, number: int) -> FromPeer:
    return FromPeer(peer, 1, number.to_bytes(4, "little"))


def test_a_burst_waits_behind_itself() -> None:
    inbox = Inbox()
    for number in range(30_000):
        inbox.put(1, frame(1, number))
    inbox.put(2, frame(2, 0))
    inbox.put(3, frame(3, 0))
    taken = inbox.take(6)
    assert taken == [frame(1, 0), frame(2, 0), frame(3, 0), frame(1, 1), frame(1, 2), frame(1, 3)]
    inbox.put(2, frame(2, 1))
    assert inbox.take(2) == [frame(1, 4), frame(2, 1)]


def test_a_link_ends_after_its_frames() -> None:
    inbox = Inbox()
    events = [PeerUp(1), frame(1, 0), frame(1, 1), PeerDown(1), PeerUp(1), frame(1, 2)]
    for event in events:
        inbox.put(1, event)
    assert inbox and inbox.take(100) == events
    assert not inbox and inbox.take(1) == []


@given(
    st.lists(
        st.one_of(st.integers(0, 4), st.tuples(st.just("take"), st.integers(1, 7))), max_size=120
    )
)
def test_nothing_is_lost_each_peer_in_its_order_and_shares_are_fair(told: list[object]) -> None:
    inbox, number = Inbox(), 0
    waiting: dict[int, list[FromPeer]] = {peer: [] for peer in range(5)}
    for word in told:
        if isinstance(word, int):
            inbox.put(word, frame(word, number))
            waiting[word].append(frame(word, number))
            number += 1
            continue
        assert isinstance(word, tuple)
        count = word[1]
        before = {peer: len(kept) for peer, kept in waiting.items()}
        taken = inbox.take(count)
        assert len(taken) == min(count, sum(before.values()))
        shares = dict.fromkeys(waiting, 0)
        for event in taken:
            assert isinstance(event, FromPeer)
            assert waiting[event.peer].pop(0) == event
            shares[event.peer] += 1
        # Whoever has something left was not given two less than another.
        least = min((shares[peer] for peer, kept in waiting.items() if kept), default=count)
        assert max(shares.values()) <= least + 1
        assert bool(inbox) == any(waiting.values())
