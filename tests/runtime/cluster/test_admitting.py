"""What admission is asked together."""

from quorate.admission import chain_of
from quorate.replica.validator_messages import FOR_BLOCK, Admit
from quorate.runtime.cluster.admitting import BATCH_BYTES, ROOM_BYTES, Admitting
from quorate.types.blocks import Item


def asked(*questions: Admit) -> Admitting:
    admitting = Admitting(chain_of(1, bytes(32)), 1, lambda answers: None)
    for question in questions:
        admitting.put(question)
    return admitting


def question(ticket: int, size: int, source: int = FOR_BLOCK) -> Admit:
    return Admit(ticket, (Item(1, bytes(size)),), source)


def tickets(admitting: Admitting) -> list[int]:
    return [admit.ticket for admit in admitting.batch()]


def test_questions_that_could_hold_more_commands_than_a_block_are_asked_apart() -> None:
    """Admission lays out one block's commands; the last bundles of two blocks would be refused."""
    small = BATCH_BYTES // 2
    admitting = asked(question(1, small), question(2, ROOM_BYTES - small + 1), question(3, small))
    assert tickets(admitting) == [1]
    assert tickets(admitting) == [2]
    assert tickets(admitting) == [3]


def test_a_question_that_is_too_large_by_itself_is_asked_alone() -> None:
    admitting = asked(question(1, 2 * ROOM_BYTES), question(2, 1))
    assert [tickets(admitting), tickets(admitting)] == [[1], [2]]


def test_what_fits_is_asked_together_blocks_first_and_sources_in_turn() -> None:
    admitting = asked(
        question(1, 10, source=5), question(2, 10, source=5), question(3, 10, source=7),
        question(4, 10),
    )  # fmt: skip
    assert tickets(admitting) == [4, 1, 3, 2]
