"""Recorded option chains: reading them, and pricing them anew."""
