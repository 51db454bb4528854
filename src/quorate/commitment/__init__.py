"""What the state is, in 32 bytes, and short proofs of what it holds.

Reading order: sha256 (many hashes at once), tree (one table), state_root (all tables), events (one
block's events), proof (export), verifier (the stand-alone checker, which imports none of these);
then comet_header, comet_proof and comet_verifier, the same under a header that CometBFT signed.
"""
