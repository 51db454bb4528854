"""What a rule knows while a block executes: the tables, block time, who acts, the events so far."""

import struct
from dataclasses import dataclass, field

from quorate.execution.spec.tables import Tables
from quorate.types.clearing import EVENT_WORDS
from quorate.types.codes import End, EventKind
from quorate.types.records import EVENT, LEDGER_EVENT, NO_BUNDLE

_EVENT = struct.Struct("<BBHIHBxIII11q")
_LEDGER_EVENT = struct.Struct("<BBHIHBxIII20sI2q48x")
assert _EVENT.size == EVENT.itemsize and _LEDGER_EVENT.size == LEDGER_EVENT.itemsize


@dataclass(slots=True)
class Receipt:
    """What the receipt of a command says besides its code. Sizes in lots; `order_id` of the order
    or of the account that it opened.
    """

    side: int = 0
    end: End = End.NONE
    market: int = 0
    order_id: int = 0
    price: int = 0
    filled: int = 0
    remaining: int = 0


@dataclass(slots=True)
class Last:
    """What later commands of a bundle may refer to: the order of its last PLACE, if that was
    accepted, as it left the book; the last trigger, and the command that set it.
    """

    order_id: int = 0
    filled: int = 0
    market: int = 0
    side: int = 0
    trigger_id: int = 0
    trigger_command: int = 0


@dataclass(slots=True)
class Context:
    """`account`, `session`, `signer` describe who acts; `session` 0 means the owner's own key."""

    t: Tables
    height: int
    time_ms: int
    events: list[bytes] = field(default_factory=list)
    bundle: int = NO_BUNDLE
    command: int = 0
    account: int = 0
    session: int = 0
    signer: bytes = b""
    last: Last = field(default_factory=Last)

    def emit_words(
        self,
        kind: EventKind,
        *words: int,
        end: int = 0,
        code: int = 0,
        side: int = 0,
        market: int = 0,
        account: int = 0,
        counter_account: int = 0,
    ) -> None:
        """Append an event of the clearing house; words as clearing.EVENT_WORDS_OF names."""
        filled = words + (0,) * (EVENT_WORDS - len(words))
        head = (kind, end, code, self.bundle, self.command, side)
        self.events.append(_EVENT.pack(*head, market, account, counter_account, *filled))

    def emit(
        self,
        kind: EventKind,
        *,
        end: int = 0,
        code: int = 0,
        side: int = 0,
        market: int = 0,
        account: int = 0,
        counter_account: int = 0,
        order_id: int = 0,
        counter_order_id: int = 0,
        price: int = 0,
        size: int = 0,
        remaining: int = 0,
        fee_e6: int = 0,
        counter_fee_e6: int = 0,
        position: int = 0,
        counter_position: int = 0,
        realized_e6: int = 0,
        counter_realized_e6: int = 0,
    ) -> None:
        """Append one EVENT row."""
        self.events.append(
            _EVENT.pack(
                kind,
                end,
                code,
                self.bundle,
                self.command,
                side,
                market,
                account,
                counter_account,
                order_id,
                counter_order_id,
                price,
                size,
                remaining,
                fee_e6,
                counter_fee_e6,
                position,
                counter_position,
                realized_e6,
                counter_realized_e6,
            )
        )

    def emit_ledger(
        self,
        kind: EventKind,
        *,
        asset: int,
        account: int,
        amount: int,
        address: bytes,
        counter_account: int = 0,
        reference: int = 0,
    ) -> None:
        """Append one LEDGER_EVENT row."""
        self.events.append(
            _LEDGER_EVENT.pack(
                kind,
                0,
                0,
                self.bundle,
                self.command,
                0,
                asset,
                account,
                counter_account,
                address,
                0,
                amount,
                reference,
            )
        )
