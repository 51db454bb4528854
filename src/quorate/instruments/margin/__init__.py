"""Margin of a list of legs: per leg, or by a scan of scenarios; integers in, integers out."""
