"""Recorded option chains, and what they say about the rules."""
