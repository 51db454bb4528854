"""What stands outside the cluster and says when it is wrong.

No checker calls a helper of the product: quorums, leaders, encodings and chains are written down
here a second time, plainly. A checker raises `Violation`.

    arithmetic    quorums, faulty weight, leaders
    one_vote      no honest validator signs what contradicts an earlier vote, crashes or not
    certificates  what the votes cast so far can certify, and what each certificate implies
    agreement     whatever is finalized anywhere is on one chain
    validity      what is finalized was proposed by its leader, is sound, and stands there once
    evidence      nobody but the guilty is accused, and each accusation is two votes
    watch         all of them, behind the hooks that a world calls
    reading       frames between validators, read by hand
    exchange      what must hold of whole validators: blocks, roots, money, books, answers
"""
