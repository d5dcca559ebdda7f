"""ObjectReply: the keys of a reply that explain boxes and masks; three lists with an entry for each target."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.detection.placement import PlacedAttribution
from explain.detection.steps import ObjectExplanation
from explain.encoding import encode
from explain.errors import ExplanationError
from explain.rendering.attribution_image import AttributionImage, FullImage
from explain.rendering.drawing import draw, style
from explain.rendering.marks import Mark
from explain.request.parameters import ExplanationParameters
from models.labels import Label, named
from models.predictions import Boxes, Corners

_MOST_LISTED = 512 * 512  # pixels of attributions as nested lists, which take about 20 bytes each


@dataclass(frozen=True, slots=True)
class ObjectReply:
    """The reply for one image. `full_image`, uint8 [h, w, 3], is drawn instead of the image as the network saw it."""

    boxes: Boxes
    explanation: ObjectExplanation
    parameters: ExplanationParameters
    labels: Sequence[Label]
    full_image: NDArray[np.uint8] | None = None

    def content(self) -> dict[str, Any]:
        """Return the JSON object. Any thread may call it.

        Raises ExplanationError, code `attribution_invalid`, where attributions cannot be drawn or encoded, and
        `xai_parameters_invalid` where they would be too long as lists.
        """
        self._check_length()
        attributions = self.explanation.attributions
        return {
            "boxes": self.boxes.boxes,
            "visualizations": self._visualizations(),
            "attributions": [self._encoded(one) if self.parameters.attributions else None for one in attributions],
            "explanations": [self._details(one) for one in attributions],
        }

    def _check_length(self) -> None:
        height, width = self.explanation.pixels.shape[:2]
        listed = self.parameters.attributions and self.parameters.attributions_format == "list"
        if listed and height * width > _MOST_LISTED:
            raise ExplanationError(
                "xai_parameters_invalid",
                f"A list of {width} x {height} numbers is too long for a reply. Set attributions_format to png16 or "
                "npy_base64.",
            )

    def _visualizations(self) -> list[str | None]:
        attributions = self.explanation.attributions
        if not self.parameters.visualizations:
            return [None] * len(attributions)
        if not self.parameters.one_picture or not attributions:
            return [
                self._drawn([one], one.attribution.values.numpy(), named(self.labels[one.target.label]))
                for one in attributions
            ]
        # maps of several boxes differ in scale, so each counts relative to its highest value
        joined = np.max([one.values / max(float(one.values.max()), 1e-12) for one in attributions], axis=0)
        return [self._drawn(attributions, joined, "All explained boxes")]

    def _drawn(self, shown: Sequence[PlacedAttribution], values: NDArray[np.float32], title: str) -> str:
        whole = None
        if self.full_image is not None:
            height, width = self.full_image.shape[:2]
            whole = FullImage(self.full_image, (0, 0, width, height))
        image = AttributionImage(
            self.explanation.pixels.numpy(),
            values.astype(np.float32, copy=False),
            title,
            max(one.target.score for one in shown),
            self.parameters.algorithm,
            whole,
            [self._mark(one) for one in shown],
        )
        return b64encode(draw(image, style(self.parameters))).decode("ascii")

    def _mark(self, one: PlacedAttribution) -> Mark:
        left, top, right, bottom = one.corners.tolist()
        return Mark((left, top, right, bottom), self._outlines(one))

    def _encoded(self, one: PlacedAttribution) -> Any:
        channels = self.parameters.attributions_channels or 1
        return encode(one.attribution.values.numpy(), self.parameters.attributions_format, channels)

    def _details(self, one: PlacedAttribution) -> dict[str, Any]:
        target, attribution, inside = one.target, one.attribution, one.box_mask()
        left, top, right, bottom = one.corners.tolist()
        corners: Corners = {"topX": left, "topY": top, "bottomX": right, "bottomY": bottom}
        if target.position is not None:
            corners = self.boxes.boxes[target.position]["box"]
        details: dict[str, Any] = {
            "target": target.position,
            "label": self.labels[target.label],
            "score": target.score,
            "box": corners,
            "matched_iou": target.matched_iou,
            "aspect": target.aspect,
            "xai_algorithm": self.parameters.algorithm,
            "forward_passes": one.forward_passes,
            **({} if attribution.agreement is None else {"agreement": attribution.agreement}),
            "n_steps": attribution.n_steps,
            "completeness_gap": attribution.gap,
            "energy_in_box": one.inside(inside),
            "pointing": one.points_inside(inside),
            "notes": list(attribution.notes),
        }
        if outlines := self._outlines(one):
            details["energy_in_mask"] = one.inside(one.outline_mask(outlines))
        return details | ({"quality": dict(attribution.quality)} if attribution.quality else {})

    def _outlines(self, one: PlacedAttribution) -> Sequence[Sequence[float]]:
        """Return the outlines of the target's object; none of a client's box, and of detectors of boxes."""
        position = one.target.position
        return () if position is None else self.boxes.boxes[position].get("polygon", ())
