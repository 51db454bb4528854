"""Byzantine agreement on opaque payloads: Simplex, sans-IO.

Reading order: `rules` (what may be signed), `messages` (the seam), `simplex` (the protocol and its
events), `voting` (its state and signature), then what they use: `tally`, `rounds`, `timing`,
`fetching`, `journal`, `scheme`.
"""
