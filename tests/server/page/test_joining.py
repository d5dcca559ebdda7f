"""Modules and styles of the page are joined in the order of their imports, or refused."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from server.page.joining import JoiningError, joined_script, joined_style


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


MODULES = {
    "main.js": """/** Starts. */
import { count as shared, next } from "./parts/counter.js";
import {
    Named,
    later,
} from "./parts/named.js";
import "./parts/effect.js";
import { words } from "./vendor/words.js";

// A comment
const name = "main";
later().then((found) => console.log(JSON.stringify([next(), shared, new Named().name, found, name, words, "// kept"])));
""",
    "parts/counter.js": """export const count = { value: 0 };

/** Count. */
export function next() {
    count.value += 1;
    return count.value;
}
""",
    "parts/named.js": """import { next } from "./counter.js";

const name = "hidden";

export class Named {
    name = `${name} ${next()}`;
}

export async function later() {
    return "later";
}
""",
    "parts/effect.js": 'import { count } from "./counter.js";\n\ncount.value = 40;\n',
    "vendor/words.js": 'const a=1,b=["w"];export{a as one,b as words};\n',
}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_joined_script_does_what_the_modules_do(tmp_path: Path) -> None:
    folder = written(tmp_path, {**MODULES, "package.json": '{"type": "module"}'})
    run = ["node", str(folder / "main.js")]
    apart = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert json.loads(apart) == [41, {"value": 42}, "hidden 42", "later", "main", ["w"], "// kept"]
    joined = joined_script(folder / "main.js", folder / "vendor")
    (folder / "main.js").write_text(joined)
    shutil.rmtree(folder / "parts")
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == apart
    assert "Starts" not in joined and "A comment" not in joined


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('import { a } from "./other.js";\n', "circle: main.js -> other.js -> main.js"),
        ('import { a } from "./missing.js";\n', "main.js needs missing.js, which cannot be read"),
        ('import * as all from "./vendor/words.js";\n', "main.js has a form of import"),
        ("export default 1;\n", "main.js has a form of import or export that cannot be joined: export default 1;"),
        ('const late = import("./other.js");\n', "cannot be joined"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path: Path, text: str, words: str) -> None:
    folder = written(tmp_path, {"main.js": text, "other.js": 'import { b } from "./main.js";\nexport const a = 1;\n'})
    with pytest.raises(JoiningError, match=words):
        joined_script(folder / "main.js", folder / "vendor")


def test_styles_keep_their_order(tmp_path: Path) -> None:
    imports = '@import "./style/b.css";\n@import "./style/a.css";\n'
    folder = written(tmp_path, {"style.css": imports, "style/a.css": "a {}\n", "style/b.css": "/* Why. */\nb {}\n"})
    assert joined_style(folder / "style.css") == "b {}\na {}\n"
    (folder / "style/b.css").unlink()
    with pytest.raises(JoiningError, match=r"style.css needs b.css"):
        joined_style(folder / "style.css")
