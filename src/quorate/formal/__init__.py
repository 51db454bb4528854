"""Proofs, by z3, about the rules and programs that the exchange runs. docs/proofs.md is the map."""
