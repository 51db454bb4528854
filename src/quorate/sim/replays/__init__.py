"""Recorded markets sent through the whole path: admission, execution, commitment, receipts.

Reading order: `read` and `formats` (files -> records), `venue` (a chain of one process, and its
clients), then one module per kind of recording: `queue` with `lobster` (order by order, price-time
priority held against a venue), `bitstamp` (order events, two named sides per trade), `crowd` with
`bitmex` and `binance` (a perpetual, its marks and a seeded population).
"""
