"""The time of each stage of a request, for the response header and for the log line."""

from collections.abc import Mapping


def server_timing(stages: Mapping[str, float]) -> str:
    """Return the Server-Timing header (https://www.w3.org/TR/server-timing/): milliseconds, from seconds by stage."""
    return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in stages.items())


def timing_facts(stages: Mapping[str, float]) -> dict[str, float]:
    """Return the milliseconds of each stage as facts for a log line."""
    return {f"{stage}_ms": round(1000 * seconds, 1) for stage, seconds in stages.items()}
