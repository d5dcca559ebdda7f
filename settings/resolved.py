"""Values and where each came from, so that `--check` can answer "why is it this?"."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

Schema_co = TypeVar("Schema_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True, slots=True)
class Resolved(Generic[Schema_co]):
    """Effective settings. `sources` maps each field to its origin; `warnings` are sentences for the log."""

    values: Schema_co
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()
