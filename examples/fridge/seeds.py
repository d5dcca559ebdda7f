"""Assigns seeds so that no image is used twice: each demo has 100000 seeds, in ten blocks."""

TEST_BLOCK = 5
SAMPLE_BLOCK = 9
_BLOCK = 10_000


def seeds(demo: int, block: int, count: int) -> range:
    """Return the first `count` seeds of a block of the demo with seed `demo`; ValueError for more than 10000."""
    if not 0 <= count <= _BLOCK:
        raise ValueError(f"A block holds {_BLOCK} seeds, not {count}.")
    start = 10 * _BLOCK * demo + _BLOCK * block
    return range(start, start + count)
