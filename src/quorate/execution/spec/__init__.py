"""The readable definition of the transition: plain Python integers, one rule per function.

Read in this order: `rows`, `tables`, `signers`, `book`, `margin`, `orders`, `match`, `accounts`,
`governance`, `sweeps`, `block`, `genesis`.
"""
