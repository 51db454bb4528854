"""An independent checker of the clearing house's receipts.

It recomputes every FUNDED, INSURED, LIQUIDATED and DELEVERAGED event from the events themselves and
the state before the block. It shares no code with spec, kernels or their scalar rules: money is
added up anew, ratios are fractions, rules are written out here a second time.

    worth    a state before a block, with what the block's events have changed since
    steps    one liquidation step or deleveraging held against that state
    check    `Receipts`, which is fed with blocks and collects what is wrong
"""

from quorate.sim.receipts.check import Receipts

__all__ = ["Receipts"]
