"""The guard of a remote signer: every sequence of two requests, against a table of its own."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.ordering.guard import Ask, Guard, Rule, Signing
from quorate.ordering.rules import conflict
from quorate.types.consensus import Subject, VoteKind

N, Z, F, C = Signing.NOTARIZE, Signing.NULLIFY, Signing.FINALIZE, Signing.CHECKPOINT
P, Q = b"p" * 32, b"q" * 32
NO = bytes(32)

# What may be signed in a view or height where one thing is signed, written down by hand from the
# text of CONSENSUS 4. Before, then: yes or the rule. A checkpoint and a vote never exclude.
SECOND = {
    ("notarize p", "notarize p"): "yes",
    ("notarize p", "notarize q"): Rule.NOTARIZED_ANOTHER,
    ("notarize p", "nullify"): "yes",
    ("notarize p", "finalize p"): "yes",
    ("notarize p", "finalize q"): Rule.NOTARIZED_ANOTHER,
    ("nullify", "notarize p"): "yes",
    ("nullify", "nullify"): "yes",
    ("nullify", "finalize p"): Rule.NULLIFIED,
    ("finalize p", "notarize p"): "yes",
    ("finalize p", "notarize q"): Rule.FINALIZED_ANOTHER,
    ("finalize p", "nullify"): Rule.FINALIZED,
    ("finalize p", "finalize p"): "yes",
    ("finalize p", "finalize q"): Rule.FINALIZED_ANOTHER,
    ("checkpoint p", "checkpoint p"): "yes",
    ("checkpoint p", "checkpoint q"): Rule.ANOTHER_ROOT,
}
KINDS = {"notarize": N, "nullify": Z, "finalize": F, "checkpoint": C}
EVERY = [
    f"{kind}{what}" for kind in KINDS for what in ([""] if kind == "nullify" else [" p", " q"])
]


def ask(name: str, number: int = 7, epoch: int = 0) -> Ask:
    """Make the request that a name of the table stands for."""
    kind, _, what = name.partition(" ")
    place = (0 if kind == "checkpoint" else epoch, number)
    return Ask(int(KINDS[kind]), place, {"p": P, "q": Q, "": NO}[what])


def expected(first: str, second: str) -> str:
    """Look two requests up; the table has p for whatever comes first."""
    exchange = str.maketrans("pq", "qp")

    def turned(name: str) -> str:
        kind, blank, what = name.partition(" ")
        return kind + blank + what.translate(exchange)

    if ("checkpoint" in first) != ("checkpoint" in second):
        return "yes"
    if first.endswith(" q") or (first == "nullify" and second.endswith(" q")):
        first, second = turned(first), turned(second)
    return SECOND[first, second]


@pytest.mark.parametrize(("first", "second"), [*itertools.product(EVERY, EVERY)])
def test_every_second_request_at_one_place(first: str, second: str) -> None:
    guard = Guard()
    assert guard.refusal(ask(first)) is None
    guard.note(ask(first), b"s" * 64)
    wanted = expected(first, second)
    assert guard.refusal(ask(second)) == (None if wanted == "yes" else wanted)
    stored = guard.stored(ask(second))
    assert stored == (b"s" * 64 if first == second else None)


@pytest.mark.parametrize(("first", "second"), [*itertools.product(EVERY, EVERY)])
def test_every_second_request_at_another_place(first: str, second: str) -> None:
    for number, epoch in ((6, 0), (8, 0), (7, 1)):
        if epoch and "checkpoint" in second:
            continue  # a height has one root in whatever epoch
        guard = Guard()
        guard.note(ask(first), b"s" * 64)
        assert guard.refusal(ask(second, number, epoch)) is None
        assert guard.stored(ask(second, number, epoch)) is None


@pytest.mark.parametrize("name", EVERY)
def test_the_floor_refuses_all_at_and_below(name: str) -> None:
    guard = Guard((2, 7), 7)
    assert guard.refusal(ask(name, 7, 2)) == Rule.BELOW_FLOOR
    assert guard.refusal(ask(name, 6, 2)) == Rule.BELOW_FLOOR
    assert guard.refusal(ask(name, 8, 2)) is None
    if "checkpoint" not in name:
        assert guard.refusal(ask(name, 100, 1)) == Rule.BELOW_FLOOR
        assert guard.refusal(ask(name, 1, 3)) is None


def test_a_finalize_after_the_next_view_began_is_signed() -> None:
    guard = Guard()
    for asked in (ask("notarize p", 1), ask("notarize q", 2), ask("finalize p", 1)):
        assert guard.refusal(asked) is None
        guard.note(asked, b"s" * 64)


ASKS = st.builds(
    ask, st.sampled_from(EVERY), st.integers(1, 12), st.integers(0, 1)
)


@given(st.lists(ASKS, max_size=60), st.integers(1, 5))
def test_whatever_is_asked_no_two_signatures_contradict(asks: list[Ask], kept: int) -> None:
    guard = Guard(records_max=kept)
    signed: list[Ask] = []
    for asked in asks:
        if guard.refusal(asked) is None:
            guard.note(asked, b"s" * 64)
            signed.append(asked)
        assert len(guard.views) <= kept and len(guard.heights) <= kept
    votes = [
        Subject(one.kind, *one.place, 0, b"" if one.kind == VoteKind.NULLIFY else one.what)
        for one in signed
        if one.kind != C
    ]
    assert not any(conflict(*pair) for pair in itertools.combinations(votes, 2))
    roots = {(one.place, one.what) for one in signed if one.kind == C}
    assert len(roots) == len({place for place, _ in roots})


@given(st.lists(ASKS, max_size=40), st.integers(1, 5))
def test_a_guard_that_is_written_and_read_refuses_the_same(asks: list[Ask], kept: int) -> None:
    guard = Guard(records_max=kept)
    for asked in asks:
        if guard.refusal(asked) is None:
            guard.note(asked, b"s" * 64)
    again = Guard(guard.floor, guard.height_floor, kept)
    for asked, signature in guard.everything():
        again.note(asked, signature)
    for name in EVERY:
        for number in range(1, 14):
            for epoch in (0, 1):
                asked = ask(name, number, epoch)
                assert guard.refusal(asked) == again.refusal(asked)
                assert guard.stored(asked) == again.stored(asked)
