"""The rules of `execution.spec` over arrays, in Numba: what a node runs.

Read in this order: `state`, `trees`, `maps`, `pools`, `rows`, `book`, `margin`, `match`, `orders`,
`accounts`, `signers`, `governance`, `sweeps`, `block`, `indexes`. Functions carry the names of the
spec's. Importing this package compiles nothing; importing a module does, once per source.
"""
