"""Real trouble, replayed through the clearing house: `quorate scenario run`.

Each `*.toml` in this folder describes one scenario: markets and their parameters, a seeded
population, who makes the book, the price path, what happens when, and the table of what is
expected, which was written before the run, with the reason of every bound. Read in this order:

    description  what a file may say, and what is refused
    prices       price paths, written out or from recorded minutes
    population   the genesis, and seeded accounts with the positions that they begin with
    driver       a machine driven through blocks, and what its state looks like
    actors       makers, voters, takers, and what the script has single accounts do
    opening      deposits, insurance, matched trades at the mark
    run          all of it together, block by block
    record       what a run saw: series, counts, money from scratch
    judge        figures against the expected table
    plots        a picture of each run (extra `plots`)

The receipts of a run are judged by `sim/receipts`, which shares no code with the rules.
"""
