"""Where the time of a request went, for those who see its reply and for those who see its log line."""

from collections.abc import Mapping


def server_timing(stages: Mapping[str, float]) -> str:
    """Write the header that browsers and proxies show, https://www.w3.org/TR/server-timing/: milliseconds by name."""
    return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in stages.items())


def timing_facts(stages: Mapping[str, float]) -> dict[str, float]:
    """Return the milliseconds of each stage, as facts of a log line."""
    return {f"{stage}_ms": round(1000 * seconds, 1) for stage, seconds in stages.items()}
