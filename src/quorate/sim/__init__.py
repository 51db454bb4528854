"""Seeded worlds: order flow for measurements, fuzzers, replays of recorded markets."""
