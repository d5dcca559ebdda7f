"""The log of a start: what is loading comes first, and that the server is ready last."""

import json
import re
from pathlib import Path

from tests.support.folders.user_scripts import write_scripts
from tests.support.servers.live_server import LiveServer
from tests.support.servers.protocol_site import ProtocolSite


def test_a_start_says_loading_first_and_ready_last(site: ProtocolSite) -> None:
    log = site.server.log()
    site.server.wait_for(lambda: "ready on http://" in site.server.log())
    lines = [line.partition(" - ")[2] for line in site.server.log().splitlines()]
    first, sources = re.fullmatch(r"(loading) (.*), to be served on http://\S+", lines[0]).groups()  # type: ignore[union-attr]
    assert first == "loading", log
    assert re.findall(r"(\w+) from \S+", sources) == ["fridge", "shelf", "objects"]
    (ready,) = [number for number, line in enumerate(lines) if line.startswith("ready on ")]
    assert f"ready on {site.server.url} " in lines[ready]
    engines = {re.findall(r" deployment=(\w+)", line)[0]: at for at, line in enumerate(lines) if "engine ready" in line}
    assert engines.keys() == set(site.names)
    assert max(engines.values()) < ready


def test_scores_succeed_from_the_line_on_in_every_process(tmp_path: Path) -> None:
    folder = write_scripts(tmp_path)
    script = ("--entry-script", folder / "score.py", "--model-dir", folder / "model", "--log-format", "json")
    with LiveServer(*script, "--http-processes", "3", ready_within_s=0) as server:
        server.wait_for(lambda: "ready on http://" in server.log())
        assert {server.probe("/health/ready") for _ in range(30)} == {200}
        lines = [json.loads(line) for line in server.log().splitlines()]
        assert lines[0]["message"].startswith("loading score from ")
        assert [line["deployment"] for line in lines if line["message"].startswith("script ready")] == ["score"]
        assert lines[-1]["message"].startswith("ready on http://")


def test_a_server_that_cannot_serve_is_never_ready(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def init():\n    raise ValueError('no model')\n\ndef run(data):\n    pass\n")
    with LiveServer("--entry-script", tmp_path / "score.py", ready_within_s=0) as server:
        assert server.process.wait(60) == 3
        assert "loading score from " in server.log()
        assert "ready on" not in server.log()
