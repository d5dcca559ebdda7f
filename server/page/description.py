"""What the page is told: how the server does now, and what each deployment can do."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from typing import Any

from explain.rendering.colours import COLOUR_MAPS, colour_table
from server.inference.deployments import Deployment, Deployments
from server.page.samples import Samples
from settings.server import ServerSettings
from settings.version import product_version

_STOPS = 17
_DIVERGING = "diverging: "  # how the meaning of such a colour map begins


class PageDescription:
    """Describes the deployments of one HTTP process. `edition` is that of the page's files."""

    def __init__(
        self, deployments: Deployments, settings: ServerSettings, samples: Samples, edition: str, *, keys_needed: bool
    ) -> None:
        self._deployments = deployments
        self._settings = settings
        self._samples = samples
        self._fixed = {"page": edition, "version": product_version(), "keys": keys_needed}
        self._described: dict[str, tuple[tuple[object, object], dict[str, Any], str]] = {}

    def state(self) -> dict[str, Any]:
        """Return how the server does now: nothing that needs a key. `facts` changes with what `catalog` says."""
        known = self._deployments
        return {
            **self._fixed,
            "ready": known.ready,
            "reason": "" if known.ready else known.reason,
            "draining": known.draining,
            "named": known.heeds_names,
            "deployments": [self._state_of(deployment) for deployment in known],
        }

    def catalog(self) -> dict[str, Any]:
        """Return what deployments can do, the limits of requests, and the colours of maps. Slow the first time."""
        deployments = [deployment.settings for deployment in self._deployments] or [self._settings]
        return {
            "limits": {
                "max_body_bytes": self._settings.max_body_bytes,
                # of the deployment that takes the largest
                "max_image_bytes": max(settings.max_image_bytes for settings in deployments),
                "max_image_pixels": max(settings.max_image_pixels for settings in deployments),
            },
            "samples": list(self._samples.names),
            "colour_maps": _colour_maps(),
            "deployments": [self._facts_of(deployment)[0] for deployment in self._deployments],
        }

    def _state_of(self, deployment: Deployment) -> dict[str, Any]:
        engines = deployment.engines
        return {
            **_identity(deployment),
            "ready": engines.ready,
            "reason": "" if engines.ready else engines.reason,
            "traffic": self._deployments.traffic.get(deployment.name, 0.0),
            "queue_ms": round(1000 * engines.finish_s(0)) if engines.busy else 0,
            "facts": self._facts_of(deployment)[1],
        }

    def _facts_of(self, deployment: Deployment) -> tuple[dict[str, Any], str]:
        """Return the description of a deployment and a hash of it, made anew only where something has changed."""
        source = (deployment.route, deployment.model)
        known = self._described.get(deployment.name)
        if known is None or any(old is not new for old, new in zip(known[0], source, strict=True)):
            described = _described(deployment)
            known = (source, described, sha256(json.dumps(described).encode()).hexdigest()[:16])
            self._described[deployment.name] = known
        return known[1], known[2]


def _described(deployment: Deployment) -> dict[str, Any]:
    facts = deployment.model
    return {
        **_identity(deployment),
        "task": facts.task,
        "architecture": facts.architecture,
        "labels": list(facts.labels),
        "sizes": dict(facts.sizes),
        "exif": facts.exif,
        "device": facts.device,
        "runtime": facts.runtime,
        "precision": facts.precision,
        "score_threshold": facts.score_threshold,
        "inference_parameters": deployment.settings.inference_parameters and bool(facts.per_request),
        "algorithms": [asdict(algorithm) for algorithm in facts.algorithms],
    }


def _identity(deployment: Deployment) -> dict[str, Any]:
    route = deployment.route
    return {"name": deployment.name, "version": route.version or 1, "kind": route.kind}


@cache
def _colour_maps() -> Sequence[Mapping[str, Any]]:
    return [
        {
            "name": name,
            "meaning": meaning.removeprefix(_DIVERGING),
            "diverging": meaning.startswith(_DIVERGING),
            "stops": _stops(name),
        }
        for name, meaning in COLOUR_MAPS.items()
    ]


def _stops(name: str) -> list[str]:
    """Return colours of a map at equal distances, from low to high, as `#rrggbb`."""
    colours = colour_table(name)
    return [f"#{bytes(colours[round(place * 255 / (_STOPS - 1))]).hex()}" for place in range(_STOPS)]
