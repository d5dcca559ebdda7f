"""Joins the modules of the page into one script and its styles into one: a visit takes few requests.

Together they also compress to two thirds of the bytes. A browser could load them as they are: joining only puts each
module into a scope of its own, in the order of imports. It knows the forms of imports and exports that they use, and
refuses all others.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"(\.[^"]+)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:(?:async )?function|class|const) (\w+))", re.M)
_OTHER = re.compile(r"^[ \t]*(?:import|export)\b.*|\bimport\(.*", re.M)
_STYLE_IMPORT = re.compile(r'^@import "(\.[^"]+)";\n', re.M)
# alone on their lines, so that none stands within a text
_COMMENT = re.compile(r"^[ \t]*(?:/\*.*?\*/|//[^\n]*)\n", re.M | re.S)


class JoiningError(ValueError):
    """Files that cannot be joined; the message names the file and the line."""


def joined_script(entry: Path, external: Path) -> str:
    """Return one script that does what the module `entry` does with all that it imports.

    Modules in the folder `external` stay files of their own; the script imports them from where they are. JoiningError
    where a module has another form, is not there, or imports itself in a circle.
    """
    script = _JoinedScript(entry.parent, external)
    script.add(entry, ())
    return "\n".join([*script.imports, *script.scopes])


def joined_style(entry: Path) -> str:
    """Return one style sheet of all that `entry` imports, in that order, and of its own rules. JoiningError."""
    return _STYLE_IMPORT.sub(lambda found: _read(entry.parent / found[1], entry), _read(entry, entry))


class _JoinedScript:
    def __init__(self, root: Path, external: Path) -> None:
        self.imports: list[str] = []
        self.scopes: list[str] = []
        self._root, self._external = root, external
        self._names: dict[Path, str] = {}

    def add(self, file: Path, importers: tuple[Path, ...]) -> str:
        """Add a module after all that it imports, and return the variable that holds its exports."""
        file = file.resolve()
        if file in importers:
            circle = " -> ".join(each.name for each in (*importers[importers.index(file) :], file))
            raise JoiningError(f"Modules import each other in a circle: {circle}.")
        if file not in self._names:
            if file.is_relative_to(self._external.resolve()):
                path = file.relative_to(self._root.resolve()).as_posix()
                name = self._named(file)
                self.imports.append(f'import * as {name} from "./{path}";')
            else:
                scope = self._scope(file, (*importers, file))
                name = self._named(file)
                self.scopes.append(f"const {name} = {scope};")
        return self._names[file]

    def _named(self, file: Path) -> str:
        return self._names.setdefault(file, f"module_{len(self._names)}")

    def _scope(self, file: Path, importers: tuple[Path, ...]) -> str:
        text = _read(file, importers[-2] if len(importers) > 1 else file)
        lines = []
        for names, path in _IMPORT.findall(text):
            imported = self.add(file.parent / path, importers)
            if names:
                lines.append(f"const {{{names.replace(' as ', ': ')}}} = {imported};\n")
        exported = _EXPORT.findall(text)
        body = _EXPORT.sub("", _IMPORT.sub("", text))
        if other := _OTHER.search(body):
            raise JoiningError(f"{file.name} has a form of import or export that cannot be joined: {other[0].strip()}")
        return f"(() => {{\n{''.join(lines)}{body}return {{ {', '.join(exported)} }};\n}})()"


def _read(file: Path, importer: Path) -> str:
    """Return a file without the comments that fill lines."""
    try:
        return _COMMENT.sub("", file.read_text())
    except OSError as error:
        raise JoiningError(f"{importer.name} needs {file.name}, which cannot be read: {error.strerror}.") from None
