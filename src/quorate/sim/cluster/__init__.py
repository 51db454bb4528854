"""A cluster of validators under a seeded world. Everything that happens follows from one integer.

Reading order:

    failure      the properties, their exit codes, and how a violation is raised
    config       what a run is made of, and how a seed draws it (swarm)
    clock        a node's clocks: skew, drift, jumps, frozen
    disk         a disk that keeps appended and synced bytes apart, and what a crash leaves of them
    journal      the product's log on that disk
    keys         signatures that only the holder of a secret can make, at the price of one hash
    application  what the ordering core orders when nothing stands above it
    network      loss, duplication, delay, partitions
    node         one validator: core, clock, journal; effects in the order of durability
    nemesis      which faults strike, where, when
    world        the queue of events, and the two phases: safety under faults, then heal
    run          a seed in, an outcome out

    market       clients of the exchange: signed bundles, and admission that remembers
    maker        blocks that a liar makes beside those of its core
    full_node    a whole validator as a node: core, ledger, log
    full_world   the world of whole validators

Actors that lie are in sim/byzantine, what is checked in sim/checkers, runs by name in
sim/scenarios. How to read a failure: docs/SIMULATOR.md.
"""
