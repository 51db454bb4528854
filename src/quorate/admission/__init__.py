"""Client bytes -> admitted bundle. Reading order: `structure`, `judge`, then `signing`."""

from quorate.admission.judge import (
    AdmittedBlock,
    AdmittedItem,
    Chain,
    admit,
    admit_block,
    chain_of,
    item_digest,
)
from quorate.admission.signing import sign_bundle, sign_owner

__all__ = [
    "AdmittedBlock",
    "AdmittedItem",
    "Chain",
    "admit",
    "admit_block",
    "chain_of",
    "item_digest",
    "sign_bundle",
    "sign_owner",
]
