"""Copy the module of an npm package into the page, with its licence.

python -m scripts.vendor lit-html@3.3.3, where npm is installed. The package must need no other, and have a licence that
lets it be shipped. The file SOURCES names what is there: name, version and SHA-256 of the module, which is unchanged.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parent.parent / "server/page/static/vendor"
SOURCES = "SOURCES"
_LICENCES = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}


def main(package: str) -> None:
    """Vendor NAME@VERSION: `NAME.js` and `NAME.LICENSE.txt`. Exits with a sentence where that cannot be done."""
    name, _, version = package.rpartition("@")
    if not name or not version:
        raise SystemExit(f"error: {package!r} is no package; expected NAME@VERSION, such as lit-html@3.3.3")
    with tempfile.TemporaryDirectory() as folder:
        archive = _download(package, Path(folder))
        with tarfile.open(archive) as files:
            about = json.loads(_read(files, "package.json"))
            script, licence = _read(files, f"{name}.js"), _read(files, "LICENSE")
    _check(about, name, version)
    (VENDOR / f"{name}.js").write_bytes(script)
    (VENDOR / f"{name}.LICENSE.txt").write_bytes(licence)
    path = VENDOR / SOURCES
    others = [line for line in path.read_text().splitlines() if line.split()[0] != name] if path.exists() else []
    line = f"{name} {version} {hashlib.sha256(script).hexdigest()}"
    path.write_text("".join(f"{each}\n" for each in sorted([*others, line])))
    print(line)


def _download(package: str, folder: Path) -> Path:
    """Download a package, and compare it with the checksum that its registry publishes."""
    packed = _npm("pack", package, "--json", "--pack-destination", str(folder))
    archive = folder / str(packed[0]["filename"])
    published = _npm("view", package, "dist.integrity", "--json")
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != published:
        raise SystemExit(f"error: {package} has the checksum {digest}, but {published} is published")
    return archive


def _npm(*words: str) -> Any:
    done = subprocess.run(["npm", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: npm {' '.join(words)} failed: {done.stderr.strip()[:500]}")
    return json.loads(done.stdout)


def _check(about: dict[str, Any], name: str, version: str) -> None:
    if (about["name"], about["version"]) != (name, version):
        raise SystemExit(f"error: the package says that it is {about['name']}@{about['version']}")
    if about.get("license") not in _LICENCES:
        raise SystemExit(f"error: {name} has the licence {about.get('license')}; expected one of {sorted(_LICENCES)}")
    # only types, which no browser reads
    if needed := [each for each in about.get("dependencies", {}) if not each.startswith("@types/")]:
        raise SystemExit(f"error: {name} needs {needed}; expected a package that needs no other")


def _read(files: tarfile.TarFile, name: str) -> bytes:
    try:
        found = files.extractfile(f"package/{name}")
    except KeyError:
        found = None
    if found is None:
        raise SystemExit(f"error: the package holds no {name}")
    return found.read()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
