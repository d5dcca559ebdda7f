"""Names with values, of which a name may have several, with the methods that scripts know from Flask."""

from collections.abc import Iterable, Iterator
from typing import Any

_RAISE = object()


class MultiDict:
    """A mapping from names to their first values; `getlist` gives all of them."""

    def __init__(self, pairs: Iterable[tuple[str, Any]] = ()) -> None:
        self._pairs = list(pairs)

    def _key(self, name: str) -> str:
        return name

    def __getitem__(self, name: str) -> Any:
        values = self.getlist(name)
        if not values:
            raise KeyError(name)
        return values[0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.getlist(name))

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"

    def get(self, name: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002 - as in Flask
        """Return the first value of a name, made a `type`; `default` where there is none or it cannot be made one."""
        values = self.getlist(name, type)
        return values[0] if values else default

    def getlist(self, name: str, type: Any = None) -> list[Any]:  # noqa: A002
        """Return all values of a name that can be made a `type`."""
        found = []
        for other, value in self._pairs:
            if self._key(other) == self._key(name):
                try:
                    found.append(value if type is None else type(value))
                except (ValueError, TypeError):
                    continue
        return found

    def keys(self) -> list[str]:
        """Return each name once."""
        return list(dict.fromkeys(name for name, _ in self._pairs))

    def values(self) -> list[Any]:
        """Return the first value of each name."""
        return [self[name] for name in self.keys()]

    def items(self, multi: bool = False) -> list[tuple[str, Any]]:
        """Return each name with its first value, or with each of its values."""
        if multi:
            return [(name, value) for name in self.keys() for value in self.getlist(name)]
        return [(name, self[name]) for name in self.keys()]

    def to_dict(self, flat: bool = True) -> dict[str, Any]:
        """Return a dict of the first values, or of lists of all values."""
        return {name: self[name] if flat else self.getlist(name) for name in self.keys()}


class Headers(MultiDict):
    """Headers: names in any case, and values that can be changed. Loops are over pairs, as in Flask."""

    def _key(self, name: str) -> str:
        return name.lower()

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._pairs))

    def __setitem__(self, name: str, value: Any) -> None:
        self.remove(name)
        self.add(name, value)

    def __delitem__(self, name: str) -> None:
        self.remove(name)

    def items(self, multi: bool = True) -> list[tuple[str, Any]]:
        """Return all pairs in their order."""
        return list(self._pairs)

    def add(self, name: str, value: Any) -> None:
        """Add a value to those that the name has."""
        self._pairs.append((name, str(value)))

    def set(self, name: str, value: Any) -> None:
        """Give a name one value, instead of those that it has."""
        self[name] = value

    def remove(self, name: str) -> None:
        """Take all values of a name out."""
        self._pairs = [pair for pair in self._pairs if self._key(pair[0]) != self._key(name)]

    def pop(self, name: str, default: Any = _RAISE) -> Any:
        """Take a name out and return its first value; `default` where there is none, KeyError without one."""
        value = self[name] if default is _RAISE else self.get(name, default)
        self.remove(name)
        return value

    def setdefault(self, name: str, value: Any) -> Any:
        """Give a name a value unless it has one, and return what it has."""
        if name not in self:
            self.add(name, value)
        return self[name]

    def update(self, values: Any = (), **more: Any) -> None:
        """Give several names one value each."""
        for name, value in [*(values.items() if hasattr(values, "items") else values), *more.items()]:
            self[name] = value
