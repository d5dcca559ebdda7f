"""The kinds of values of hyperparameters. Job files and sweeps write numbers and switches as texts, too."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_YES = ("y", "yes", "t", "true", "on", "1")
_INNER_CAPITAL = re.compile("(?<=[a-z])(?=[A-Z][a-z])")
_NO = ("n", "no", "f", "false", "off", "0")


def _whole(value: Any) -> Any:
    number = _number(value) if isinstance(value, str) else value
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _switch(value: Any) -> Any:
    word = str(value).strip().lower()
    if word in _YES:
        return True
    return False if word in _NO else value


def _word(value: Any) -> Any:
    # clients of the hosted service write warmup_cosine as WarmupCosine
    return _INNER_CAPITAL.sub("_", value.strip()).lower() if isinstance(value, str) else value


# Bounds stand before the conversion, so that they are part of a field's description
WHOLE = BeforeValidator(_whole)
NUMBER = BeforeValidator(_number)
LOWER_CASE = BeforeValidator(_word)

Positive = Annotated[int, Field(ge=1), WHOLE]
Count = Annotated[int, Field(ge=0), WHOLE]
Side = Annotated[int, Field(ge=1, le=8192), WHOLE]
Share = Annotated[float, Field(ge=0.0, le=1.0), NUMBER]
ShareBelowOne = Annotated[float, Field(ge=0.0, lt=1.0), NUMBER]
Switch = Annotated[bool, BeforeValidator(_switch)]
