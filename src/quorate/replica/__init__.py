"""Composes the rooms into one deterministic step(now_ms, event) -> effects.

Reading order: `messages` (events and effects), `intake` (what waits for admission), `records` (what
the log holds), `executor` (a block to a root), `replica` (the step), `replay` and `state` (recovery
and snapshots), `query` (answers to clients).
"""
