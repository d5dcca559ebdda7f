"""Writes each measurement to a JSON file of its own, so that runs can be compared."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"


def write_report(name: str, content: Mapping[str, Any]) -> None:
    """Write `content` to benchmarks/results/, under `name` and the time, and print where."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.write_text(json.dumps(content, indent=1))
    print(f"\nwritten to {file}")
