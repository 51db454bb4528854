"""Runs by name.

    catalogue     all of them, as `quorate sim --scenario` takes them
    crash_points  a crash before every single effect of a short run
    eager         a core that asks its guards at every opportunity, so that they alone must hold
    broken        one condition of the rules removed at a time, and the seeds it takes to notice
    batch         many seeds, on all cores
"""
