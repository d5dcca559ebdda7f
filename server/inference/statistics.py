"""ModelStatistics: what the deployments have done since the server started, summed over all its processes."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from server.ipc.outcome import STAGES
from server.metrics import samples

_NOT_SCORED = ("undecodable", "failed", "out_of_memory")
_FIRST_ERROR = 400  # of the HTTP statuses


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """The counts of one deployment.

    `requests` have been answered, `failed_requests` with an error. `images` have been scored, in `batches`; explained
    images run in none. `stage_seconds` are the seconds in each of STAGES of the `staged_images`, which include those
    that could not be scored.
    """

    requests: int = 0
    failed_requests: int = 0
    images: int = 0
    batches: int = 0
    staged_images: int = 0
    stage_seconds: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


def read_statistics() -> Mapping[str, ModelStatistics]:
    """Read the statistics of all deployments that have any, by name. It reads files: call it in a thread."""
    sums: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for sample in samples():
        labels = sample.labels
        detail = labels.get("stage") or labels.get("code") or labels.get("reason") or ""
        sums[labels.get("deployment", ""), sample.name.removeprefix("sightglass_"), detail] += sample.value
    return {name: _of_deployment(name, sums) for name in {name for name, _, _ in sums} if name}


def _of_deployment(name: str, sums: Mapping[tuple[str, str, str], float]) -> ModelStatistics:
    of_name = {(what, detail): value for (owner, what, detail), value in sums.items() if owner == name}
    statuses = {int(status): value for (what, status), value in of_name.items() if what == "requests_total"}
    # every image is counted once in each stage
    staged = of_name.get(("stage_seconds_count", STAGES[-1]), 0.0)
    not_scored = sum(of_name.get(("dropped_images_total", reason), 0.0) for reason in _NOT_SCORED)
    return ModelStatistics(
        requests=int(sum(statuses.values())),
        failed_requests=int(sum(value for status, value in statuses.items() if status >= _FIRST_ERROR)),
        images=max(0, int(staged - not_scored)),
        batches=int(of_name.get(("batch_images_count", ""), 0.0)),
        staged_images=int(staged),
        stage_seconds={stage: of_name.get(("stage_seconds_sum", stage), 0.0) for stage in STAGES},
    )
