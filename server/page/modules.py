"""Joins the ES modules of the page into one script: a visit takes few requests, and compresses as a whole.

A browser could load the modules as they are. Joining only gives each of them a scope of its own, in the order of their
imports. It knows the forms of imports and exports that they use, and refuses all others.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"(\.[^"]+)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:(?:async )?function|class|const) (\w+))", re.M)
_OTHER = re.compile(r"^\s*(?:import|export)\b.*|.*\bimport\(.*", re.M)
# alone on their lines, so that none stands within a text
_COMMENT = re.compile(r"^[ \t]*(?:/\*\*.*?\*/|//[^\n]*)\n", re.M | re.S)


class ModuleError(ValueError):
    """Modules that cannot be joined; the message names the file and the line."""


def joined(entry: Path, external: Path) -> str:
    """Return one script that does what the module `entry` does with all that it imports.

    Modules in the folder `external` stay files of their own, beside the folder of `entry` as they are now. ModuleError
    where a module has another form, is not there, or imports itself in a circle.
    """
    join = _Join(entry.parent, external)
    join.add(entry, ())
    return "\n".join([*join.imports, *join.scopes])


class _Join:
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
            raise ModuleError(f"Modules import each other in a circle: {circle}.")
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
        try:
            text = _COMMENT.sub("", file.read_text())
        except OSError:
            raise ModuleError(f"{importers[-2].name} imports {file.name}, which is not there.") from None
        lines = []
        for names, path in _IMPORT.findall(text):
            imported = self.add(file.parent / path, importers)
            if names:
                lines.append(f"const {{{names.replace(' as ', ': ')}}} = {imported};\n")
        exported = _EXPORT.findall(text)
        body = _EXPORT.sub("", _IMPORT.sub("", text))
        if other := _OTHER.search(body):
            raise ModuleError(f"{file.name} has a form of import or export that cannot be joined: {other[0].strip()}")
        return f"(() => {{\n{''.join(lines)}{body}return {{ {', '.join(exported)} }};\n}})()"
