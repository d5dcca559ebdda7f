"""MultiDict and Headers: mappings in which a name may have several values, with the methods of Flask's."""

from collections.abc import Iterable, Iterator
from typing import Any

_RAISE = object()


class MultiDict:
    """A mapping from names to their first values. `getlist` returns all values of a name."""

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
        """Return the first value of a name that can be converted to `type`, or `default` where there is none."""
        values = self.getlist(name, type)
        return values[0] if values else default

    def getlist(self, name: str, type: Any = None) -> list[Any]:  # noqa: A002
        """Return all values of a name that can be converted to `type`."""
        values = []
        for other, value in self._pairs:
            if self._key(other) == self._key(name):
                try:
                    values.append(value if type is None else type(value))
                except (ValueError, TypeError):
                    continue
        return values

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
    """Headers: names match in any case, and values can be changed. Iteration is over pairs, as in Flask."""

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
        """Add a value to those of a name."""
        self._pairs.append((name, str(value)))

    def set(self, name: str, value: Any) -> None:
        """Replace the values of a name by one."""
        self[name] = value

    def remove(self, name: str) -> None:
        """Remove all values of a name."""
        self._pairs = [pair for pair in self._pairs if self._key(pair[0]) != self._key(name)]

    def pop(self, name: str, default: Any = _RAISE) -> Any:
        """Remove a name and return its first value, or `default`. Raises KeyError where there is neither."""
        value = self[name] if default is _RAISE else self.get(name, default)
        self.remove(name)
        return value

    def setdefault(self, name: str, value: Any) -> Any:
        """Add a value to a name that has none, and return the first value of the name."""
        if name not in self:
            self.add(name, value)
        return self[name]

    def update(self, values: Any = (), **more: Any) -> None:
        """Replace the values of several names by one each."""
        for name, value in [*(values.items() if hasattr(values, "items") else values), *more.items()]:
            self[name] = value
