"""Set up how this process collects garbage."""

import gc


def collect_less() -> None:
    """Exempt all present objects, such as modules, from garbage collection, and look for garbage less often.

    A long-lived process calls this once it has imported what it needs. With Python's own thresholds, the collector
    examines the thousands of values of a billing run several times while they are in use, which took a sixth of the
    processor time of the run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
