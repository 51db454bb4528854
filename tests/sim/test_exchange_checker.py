"""The checkers of the whole validator refuse what they are there for; their reading of bytes."""

from hashlib import sha256
from types import SimpleNamespace

import numpy as np
import pytest

from quorate.codec.blocks import encode_checkpoint_vote
from quorate.codec.consensus import encode_certificate, encode_vote
from quorate.codec.items import encode_items
from quorate.sim.checkers import reading
from quorate.sim.checkers.exchange import ExchangeWatch
from quorate.sim.cluster.failure import Property, Violation
from quorate.types.blocks import Item
from quorate.types.consensus import Certificate, CheckpointVote, Subject, Vote, nullify_subject
from quorate.types.records import EVENT

ITEMS = (Item(1, b"one"), Item(1, b"two"))
NAMES = [sha256(encode_items([item])).digest() for item in ITEMS]
PAYLOAD = bytes(range(68))


def watch() -> ExchangeWatch:
    made = ExchangeWatch((1, 1, 1, 1), (), ())
    made.begin()
    made.sent.update(dict.fromkeys(NAMES))
    return made


def executor(root: bytes, kinds: tuple[int, ...] = ()) -> SimpleNamespace:
    events = np.zeros(len(kinds), EVENT)
    events["kind"] = kinds
    return SimpleNamespace(digest=b"d" * 32, root=root, events=events)


@pytest.mark.parametrize("subject", [nullify_subject(0, 9), Subject(1, 2, 9, 4, PAYLOAD)])
def test_the_checkers_read_votes_and_certificates_as_they_are_written(subject: Subject) -> None:
    assert reading.vote_seen(encode_vote(Vote(subject, 3, bytes(64)))) == (tuple(subject), 3)
    for signers, count in (((0, 2), 4), ((1, 8, 9), 10)):
        made = Certificate(subject, signers, (bytes(64),) * len(signers))
        seen = reading.certificate_seen(encode_certificate(made, count))
        assert seen == (tuple(subject), signers)


def test_the_checkers_read_checkpoints_and_items_as_they_are_written() -> None:
    body = encode_checkpoint_vote(CheckpointVote(0, 7, b"e" * 32, b"r" * 32, 2, bytes(64)))
    assert reading.checkpoint_seen(body) == (7, b"e" * 32, b"r" * 32, 2)
    assert reading.items_seen(encode_items(ITEMS)) == [encode_items([item]) for item in ITEMS]


def refused(broken: Property, said: str, *calls: object) -> None:
    *before, last = calls
    for call in before:
        call()  # type: ignore[operator]
    with pytest.raises(Violation, match=said) as caught:
        last()  # type: ignore[operator]
    assert caught.value.broken == broken


def test_two_blocks_of_one_height_and_a_gap() -> None:
    seen = watch()
    refused(
        Property.AGREEMENT, "two blocks",
        lambda: seen.delivered(0, 1, b"a", b""), lambda: seen.delivered(1, 1, b"b", b""),
    )  # fmt: skip
    refused(Property.AGREEMENT, "after 1", lambda: seen.delivered(0, 3, b"c", b""))


def test_bundles_that_nobody_sent_or_that_stand_twice() -> None:
    stranger = encode_items([Item(1, b"three")])
    refused(Property.VALIDITY, "no client", lambda: watch().delivered(0, 1, b"a", stranger))
    twice = encode_items([ITEMS[0], ITEMS[0]])
    refused(Property.VALIDITY, "twice", lambda: watch().delivered(0, 1, b"a", twice))


@pytest.mark.parametrize("kinds", [(1,), (1, 3)])
def test_a_bundle_that_takes_effect_in_a_second_block(kinds: tuple[int, ...]) -> None:
    def blocks(*each: tuple[int, ...]) -> None:
        seen = watch()
        for height, events in enumerate(each, 1):
            seen.delivered(0, height, b"%d" % height, encode_items(ITEMS[:1]))
            seen.executed(0, height, executor(b"r", events))

    blocks((1,), (2,), (2,))
    blocks((2,), kinds, (2,))
    refused(Property.VALIDITY, "takes effect again", lambda: blocks((1,), kinds))


def test_two_roots_of_one_height() -> None:
    seen = watch()
    seen.delivered(0, 1, b"a", b"")
    seen.executed(0, 1, executor(b"r" * 32))
    refused(Property.ROOTS, "another root", lambda: seen.executed(1, 1, executor(b"s" * 32)))
    for root, said in ((b"s" * 32, "another root"),):
        body = encode_checkpoint_vote(CheckpointVote(0, 1, b"d" * 32, root, 2, bytes(64)))
        refused(Property.ROOTS, said, lambda body=body: seen.frame_left(2, 7, body))
    other = encode_checkpoint_vote(CheckpointVote(0, 1, b"d" * 32, b"r" * 32, 2, bytes(64)))
    refused(Property.ROOTS, "a second root", lambda: seen.frame_left(2, 7, other))


def test_what_was_acknowledged_and_is_gone() -> None:
    seen = watch()
    seen.delivered(0, 1, b"a", encode_items(ITEMS[:1]))
    seen.replied(0, 1, NAMES[:1])
    refused(Property.ACKNOWLEDGED, "is not", lambda: seen.replied(0, 1, NAMES[1:]))
    refused(Property.ACKNOWLEDGED, "is back at 0", lambda: seen.booted(0, 0, True))
    seen.booted(0, 0, False)


def test_a_vote_in_anothers_name() -> None:
    body = encode_vote(Vote(nullify_subject(0, 1), 3, bytes(64)))
    refused(Property.ONE_VOTE, "a vote of 3", lambda: watch().frame_left(2, 1, body))
