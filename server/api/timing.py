"""The time of each stage of a request, for the response header and for the log line."""

from collections.abc import Mapping
from typing import Any


def server_timing(stages: Mapping[str, float], total: float, facts: dict[str, Any]) -> str:
    """Return the Server-Timing header (https://www.w3.org/TR/server-timing/): milliseconds, from seconds by stage.

    What is left of `total` is the stage `reply`, so that all add up; it goes into the facts of the log line, too.
    """
    left = {"reply": max(0.0, total - sum(stages.values()))}
    facts.update(timing_facts(left))
    whole = {**stages, **left, "total": total}
    return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in whole.items())


def timing_facts(stages: Mapping[str, float]) -> dict[str, float]:
    """Return the milliseconds of each stage as facts for a log line."""
    return {f"{stage}_ms": round(1000 * seconds, 1) for stage, seconds in stages.items()}
