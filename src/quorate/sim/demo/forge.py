"""Forgeries of a proof file, for the verifier to refuse."""

import hashlib
import json

CASH_AT = 48  # bytes before the cash in an account's row


def flipped(text: str, preimage: str) -> str:
    """Change one hex digit in the middle of the proved row: its cash."""
    at = text.index(preimage) + 2 * CASH_AT
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


def redigested(text: str) -> str:
    """Make the digest of a proof file right again."""
    tree = json.loads(text)
    del tree["file_digest"]
    body = json.dumps(tree, sort_keys=True, separators=(",", ":")).encode("ascii")
    tree["file_digest"] = hashlib.sha256(body).hexdigest()
    return json.dumps(tree, sort_keys=True, separators=(",", ":"))
