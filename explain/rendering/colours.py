"""Colour maps by name, from Peter Kovesi's collection in colorcet: none of them has false edges."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

COLOUR_MAPS: Mapping[str, str] = {
    "bgyw": "blue, green, yellow, white",
    "kbgyw": "black, blue, green, yellow, white",
    "bgy": "blue, green, yellow",
    "bmy": "blue, magenta, yellow",
    "bmw": "blue, magenta, white",
    "kbc": "black, blue, cyan",
    "fire": "black, red, yellow, white",
    "blues": "white to blue, for print",
    "gray": "black to white",
    "CET_CBL1": "black, blue, ochre, white: equal to eyes that lack red or green",
    "CET_CBL2": "black, strong blue, ochre, white: equal to eyes that lack red or green",
    "CET_CBTL1": "black, red, cyan, white: equal to eyes that lack blue",
    "coolwarm": "diverging: blue, white, red",
    "bwy": "diverging: blue, white, ochre: equal to eyes that lack red or green",
    "bky": "diverging: blue, black, ochre: equal to eyes that lack red or green",
    "CET_CBTD1": "diverging: cyan, white, red: equal to eyes that lack blue",
}
DEFAULT = "bgyw"
DEFAULT_SIGNED = "bwy"


@lru_cache(maxsize=len(COLOUR_MAPS))
def colour_table(name: str) -> NDArray[np.uint8]:
    """Return the colours of map `name` from low to high, uint8 RGB [256, 3]; KeyError for an unknown one."""
    if name not in COLOUR_MAPS:
        raise KeyError(name)
    # imported here because it loads slowly, above all beside matplotlib, and checking parameters does not need it
    import colorcet

    codes = [colour.removeprefix("#") for colour in colorcet.palette[name]]
    return np.frombuffer(bytes.fromhex("".join(codes)), dtype=np.uint8).reshape(256, 3)
