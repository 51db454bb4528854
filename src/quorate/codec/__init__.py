"""Canonical bytes <-> types. One encoding per value; everything else is rejected.

Reading order: `layout` (which operation uses which bytes), `commands` (builders), `bundle` (what a
key signs), `eip712` (what a wallet shows and signs), `items` (blocks), `genesis`. docs/wire.md has
the same byte by byte.
"""
