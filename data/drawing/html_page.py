"""Pages that open offline: one file without a reference to anything outside of it, light or dark as the reader likes.

All text that comes from elsewhere is escaped. A policy in the page lets it run no script but its own, and load nothing.
"""

import base64
import hashlib
import html
import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from data.drawing.colours import Colour, hexadecimal, ink_on
from data.drawing.vector_drawing import ROLES

_LIGHT = "".join(f"--{role}:{hexadecimal(colour)};" for role, colour in ROLES.items())
_STYLE = f"""
:root{{color-scheme:light dark;{_LIGHT}--raised:#f6f8fa}}
@media (prefers-color-scheme:dark){{:root{{--ink:#e3e7eb;--faint:#9aa4ae;--grid:#30363d;--accent:#5b9cf5;
--second:#e6a04a;--surface:#14171a;--fault:#ff6b70;--raised:#1c2126}}}}
*{{box-sizing:border-box}}
body{{margin:0 auto;max-width:1480px;padding:28px 28px 60px;background:var(--surface);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}}
h1{{font-size:26px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}}
h2{{font-size:18px;margin:40px 0 12px}}
p{{margin:0 0 12px;max-width:76ch}}
.faint{{color:var(--faint)}} .fault{{color:var(--fault)}} .number{{text-align:right;font-variant-numeric:tabular-nums}}
.facts{{display:flex;flex-wrap:wrap;gap:10px 36px;margin:20px 0 0}}
.facts div{{font-size:22px;font-weight:600;line-height:1.25;overflow-wrap:anywhere}}
.facts span{{display:block;font-size:13px;font-weight:400;color:var(--faint)}}
.charts{{display:flex;flex-wrap:wrap;gap:28px 44px;align-items:flex-start}}
.curves{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:28px 44px}}
.curves svg{{width:100%;max-width:660px}}
a{{color:var(--accent)}}
svg{{max-width:100%;overflow:visible;height:auto;display:block;font-family:inherit}}
.scroll{{overflow:auto;max-height:420px}}
table{{border-collapse:collapse;font-size:14px}}
th,td{{text-align:left;padding:4px 18px 4px 0;border-bottom:1px solid var(--grid);vertical-align:top}}
th{{font-weight:500;color:var(--faint);position:sticky;top:0;background:var(--surface)}}
td{{overflow-wrap:anywhere}}
code,pre{{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}}
.chip{{display:inline-block;max-width:100%;padding:0 7px;margin:2px 4px 2px 0;border-radius:9px;font-size:12px;
line-height:18px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;vertical-align:bottom}}
button.label{{padding:0;border:0;background:none;cursor:pointer;max-width:340px}}
.bar{{height:12px;margin-top:5px;border-radius:3px;min-width:2px}}
summary{{cursor:pointer;margin:12px 0;color:var(--faint)}}
.plain{{background:var(--grid);color:var(--ink)}}
.controls{{display:flex;flex-wrap:wrap;gap:10px 20px;align-items:center;margin:0 0 16px;position:sticky;top:0;
z-index:1;padding:10px 0;background:var(--surface);font-size:14px}}
input,select,button{{font:inherit;color:inherit;background:var(--raised);border:1px solid var(--grid);
border-radius:6px;padding:4px 8px}}
.images{{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:18px}}
.wide{{grid-template-columns:repeat(auto-fill,minmax(400px,1fr))}}
.wide img{{aspect-ratio:8/3}}
.small{{grid-template-columns:repeat(auto-fill,minmax(120px,1fr))}}
.small img,.small .missing{{aspect-ratio:1}}
h3{{font-size:15px;margin:0 0 8px}} .images+h3,details+h3{{margin-top:28px}}
figure{{margin:0;min-width:0;background:var(--raised);border-radius:8px;overflow:hidden}}
figure.faulty{{outline:2px solid var(--fault)}}
figure img{{display:block;width:100%;aspect-ratio:4/3;object-fit:contain;cursor:zoom-in}}
figure .missing{{display:grid;place-items:center;aspect-ratio:4/3;padding:16px;text-align:center;color:var(--fault)}}
figcaption{{padding:8px 12px 10px;font-size:13px;line-height:1.4;overflow-wrap:anywhere}}
figcaption .fault{{margin-top:4px}}
dialog{{border:0;padding:0;background:none;max-width:96vw;max-height:96vh}}
dialog::backdrop{{background:rgb(0 0 0/.8)}}
dialog img{{display:block;max-width:96vw;max-height:96vh;min-width:min(80vw,720px);cursor:zoom-out}}
"""
_ENLARGE = """
const dialog=document.createElement('dialog'),large=document.createElement('img');
dialog.append(large);document.body.append(dialog);
for(const image of document.querySelectorAll('figure img'))image.onclick=()=>{
large.src=image.src;large.alt=image.alt;dialog.showModal()};
dialog.onclick=()=>dialog.close();
"""


def escaped(text: object) -> str:
    """Return a text for the inside of an element or of a quoted attribute."""
    return html.escape(str(text))


def document(title: str, body: str, script: str = "") -> str:
    """Return a whole page; `body` is HTML. Images in figures are enlarged by a click."""
    code = _ENLARGE + script
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n<main>\n{body}\n</main>\n<script>{code}</script></body></html>\n"
    )


def facts(values: Sequence[tuple[str, str]]) -> str:
    """Return numbers side by side, each above what it is: pairs of both, as plain texts."""
    inside = "".join(f"<div>{escaped(value)}<span>{escaped(what)}</span></div>" for value, what in values)
    return f'<div class="facts">{inside}</div>'


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = (), whole: bool = False
) -> str:
    """Return a table; cells are HTML, headers plain texts, `numbers` the columns that are aligned to the right.

    A long table scrolls in its place, unless it is to be seen `whole`.
    """

    def row(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="number"' if column in numbers else "" for column in range(len(cells))]
        return (
            "<tr>" + "".join(f"<{tag}{kind}>{cell}</{tag}>" for cell, kind in zip(cells, kinds, strict=True)) + "</tr>"
        )

    head = row([escaped(header) for header in headers], "th")
    body = "".join(row(cells, "td") for cells in rows)
    kind = "" if whole else ' class="scroll"'
    return f"<div{kind}><table>{head}{body}</table></div>"


def chip(text: str, colour: Colour | None = None) -> str:
    """Return a short text on a colour."""
    if colour is None:
        return f'<span class="chip plain">{escaped(text)}</span>'
    style = f"background:{hexadecimal(colour)};color:{hexadecimal(ink_on(colour))}"
    return f'<span class="chip" style="{style}">{escaped(text)}</span>'


def embedded(image: Image.Image, alt: str) -> str:
    """Return an image as an element that holds its bytes, as JPEG."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=84)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f'<img loading="lazy" alt="{escaped(alt)}" src="data:image/jpeg;base64,{content}">'


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    growing = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        growing.write_bytes(content)
        growing.replace(file)
    finally:
        growing.unlink(missing_ok=True)
