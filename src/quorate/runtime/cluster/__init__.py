"""The cluster engine: one validator's process around `replica.validator`.

Reading order: `begin` (a home becomes a node), `node` (the event loop), `executing` (the thread of
the ledger), `journal` (the thread of the log), `answering` (proofs under a quorum's certificate).
"""
