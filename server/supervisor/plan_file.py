"""PlanFile: the deployments file of a server, which is kept up to date with every change."""

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from settings.deployments import Plan

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PlanFile:
    """The file that a plan came from, if any. `unsaved` says why it lacks the latest change, or is empty."""

    path: Path | None
    unsaved: str = ""

    def save(self, plan: Plan) -> None:
        """Write the plan, so that the next start serves the same. The file holds one whole plan at any time."""
        if self.path is None:
            return
        part = self.path.with_name(self.path.name + ".part")
        try:
            part.write_text(plan.model_dump_json(indent=2, exclude_none=True) + "\n")
            part.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            self.unsaved = (
                f"{self.path} cannot be written: {error.strerror}. The change is in effect, but the next start will "
                "not have it. Mend that and send the change again."
            )
            logger.error("deployments not saved file=%s: %s", self.path, error.strerror)
        else:
            self.unsaved = ""
