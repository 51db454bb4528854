"""An account chooses how its options are margined."""

from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.liquidation import buckets_of
from quorate.execution.spec.margin import bucket_worth
from quorate.types.codes import Reject
from quorate.types.records import Table


def margin_mode(c: Context, mode: int, receipt: Receipt) -> Reject:
    """Change the way of margin where every bucket with a position meets its initial margin then.

    A bucket below it may not choose, not even what would help: it reduces. The receipt's `filled`
    is the mode before.
    """
    if c.session:
        return Reject.OWNER_KEY_REQUIRED
    account = c.t.row(Table.ACCOUNTS, c.account)
    before, account.margin_mode = account.margin_mode, mode
    for bucket in buckets_of(account):
        worth = bucket_worth(c.t, account, bucket)
        if worth.initial and worth.equity < worth.initial:
            return Reject.MARGIN_MODE_NEEDS_MORE_MARGIN
    receipt.filled = before
    c.t.put(Table.ACCOUNTS, c.account, account)
    return Reject.OK
