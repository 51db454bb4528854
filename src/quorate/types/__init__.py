"""Scaled integers, ids, limits, codes and record layouts. Imports nothing of ours."""
