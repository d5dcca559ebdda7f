"""Marks a test as the proof of a line in docs/compatibility.md, which `make docs` gathers from here."""

from typing import Literal

import pytest

Verdict = Literal["same", "better"]


def contract(part: str, behaviour: str, verdict: Verdict = "same", why: str = "") -> pytest.MarkDecorator:
    """Mark a test of a `behaviour` of the hosted endpoint, in a `part` of its contract.

    `better` says in what, and `why` the reason.
    """
    return pytest.mark.contract(part=part, behaviour=behaviour, verdict=verdict, why=why)
