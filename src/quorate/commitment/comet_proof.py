"""Proofs for export under CometBFT: one row of the state, or one event, under a signed header.

The app hash is the state root, and CometBFT's header of height h + 1 has that of h. A proof is one
line of canonical JSON as in proof.py; digests, keys and preimages are lower-case hex, times are
seconds and nanoseconds since 1970. Its keys are those of a plain proof, but

- format "quorate-cometbft-proof-1"
- checkpoint: {height, state_root} alone. No validator of CometBFT signs an epoch or the digest of
  an ExecBlock, and what nobody signed is not in the file
- header: the 14 fields of the header of height + 1, with version and time in two parts each:
  {app_hash, chain_id, consensus_hash, data_hash, evidence_hash, height, last_block_id,
  last_commit_hash, last_results_hash, next_validators_hash, proposer_address, time_nanos,
  time_seconds, validators_hash, version_app, version_block}
- commit: {block_id, round, signatures}. signatures has an entry for each validator of that header
  in CometBFT's order: {flag 1} of an absent one, else {flag, nanos, seconds, signature}, flag 2 of
  a vote for the block, 3 of one for none. A block_id is {hash, parts_hash, parts_total}

comet_verifier.py checks such a file and shares nothing with this module but this text.
Source: CometBFT v0.38 spec, section "Data Structures".
"""

import hashlib
from typing import Final

from quorate.commitment import proof as plain
from quorate.commitment.comet_header import SignedHeader, commit_fields, header_fields
from quorate.commitment.proof import Proof, canonical

FORMAT: Final = "quorate-cometbft-proof-1"
# The verifier refuses a file that opens more lists and objects than it ever has to read.
VALIDATORS_MAX: Final = 1000


def exported_under(proof: Proof, signed: SignedHeader) -> bytes:
    """Write a proof under a signed header as the bytes of a file for the verifier.

    The header must be that of the next height and have the proof's root as its app hash, and at
    most VALIDATORS_MAX validators. The proof's own checkpoint need not be signed.
    """
    checkpoint, header = proof.checkpoint, signed.header
    assert header.height == checkpoint.height + 1 and header.app_hash == checkpoint.state_root
    assert len(signed.signatures) <= VALIDATORS_MAX
    found = {
        **plain.fields(proof),
        "checkpoint": {"height": checkpoint.height, "state_root": checkpoint.state_root.hex()},
        "commit": commit_fields(signed),
        "format": FORMAT,
        "header": header_fields(header),
    }
    digest = hashlib.sha256(canonical(found)).hexdigest()
    return canonical({**found, "file_digest": digest})
