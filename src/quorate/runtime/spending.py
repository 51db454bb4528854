"""How much processor time each place of work of a node has taken."""

import time


def cpu_ms(log_ns: int, execution_ns: int) -> dict[str, int]:
    """Share out this process's time; to be called on the event loop's thread.

    log_ns, execution_ns: what those threads read of their own clocks last. Admission is the rest.
    """
    loop_ns, whole_ns = time.thread_time_ns(), time.process_time_ns()
    parts = {"loop": loop_ns, "log": log_ns, "execution": execution_ns}
    parts["admission"] = whole_ns - loop_ns - log_ns - execution_ns
    return {name: spent // 1_000_000 for name, spent in parts.items()}
