"""Code of others in the page is what its package holds, and its licence stands beside it."""

from hashlib import sha256

from scripts.vendor import SOURCES, VENDOR


def test_every_module_of_others_is_unchanged_and_has_its_licence() -> None:
    sources = [line.split() for line in (VENDOR / SOURCES).read_text().splitlines()]
    assert sources
    for name, version, digest in sources:
        module = (VENDOR / f"{name}.js").read_bytes()
        assert sha256(module).hexdigest() == digest, f"python -m scripts.vendor {name}@{version}"
        licence = (VENDOR / f"{name}.LICENSE.txt").read_text()
        assert "Copyright" in licence and "Redistribution" in licence
    expected = {SOURCES, *(f"{name}{end}" for name, *_ in sources for end in (".js", ".LICENSE.txt"))}
    assert {path.name for path in VENDOR.iterdir()} == expected


def test_modules_of_others_ask_for_no_other_file_and_run_no_text() -> None:
    for path in VENDOR.glob("*.js"):
        text = path.read_text()
        assert not any(word in text for word in ("import ", "import(", "eval(", "new Function", "http://", "https://"))
