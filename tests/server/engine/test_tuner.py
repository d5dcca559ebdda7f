"""The choice of a runtime: what is faster and the same is taken, all else is reported and left out, and it is kept."""

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from models.errors import ModelError
from models.loaded import LoadedModel, load_classifier
from models.runtime.cache import RuntimeCache
from models.runtime.precision import FP32, PRECISIONS, Precision
from models.runtime.runtime import EAGER, ComputeOptions, Graph, GraphSource
from server.engine.startup import tuner as tuner_module
from server.engine.startup.runtime_benchmark import RuntimeBenchmark
from server.engine.startup.tuner import Tuner, open_cache
from tests.support.folders.checkpoints import write_automl_folder

OPTIONS = ComputeOptions(torch.device("cpu"), FP32)


class FakeRuntime:
    """Computes as `graph` does, made of that of the model; counts its conversions."""

    converts = True
    seconds = 1.0

    def __init__(self, name: str, graph: Callable[[Graph], Graph], unavailable: str | None = None) -> None:
        self.name = name
        self.conversions = 0
        self._graph = graph
        self._unavailable = unavailable
        self.eager: Any = None

    def unavailable_reason(self, options: ComputeOptions) -> str | None:
        return self._unavailable

    def version(self) -> str:
        return "1"

    def convert(self, source: GraphSource, options: ComputeOptions, folder: Path) -> None:
        self.conversions += 1
        (folder / "file").write_text("graph")

    def load(self, source: GraphSource, folder: Path | None, options: ComputeOptions) -> Graph:
        assert folder is not None
        if (folder / "file").read_text() != "graph":
            raise ValueError("the file is damaged")
        return self._graph(self.eager)


def faster(eager: Graph) -> Graph:
    """The same values at once, from what was computed before."""
    known: dict[bytes, Any] = {}

    def graph(inputs: torch.Tensor) -> Any:
        key = inputs.numpy().tobytes()
        if key not in known:
            known[key] = eager(inputs)
        return known[key]

    return graph


def slower(eager: Graph) -> Graph:
    def graph(inputs: torch.Tensor) -> Any:
        time.sleep(0.2)
        return eager(inputs)

    return graph


def other(eager: Graph) -> Graph:
    return lambda inputs: [values + torch.tensor([0.01, 0, 0, 0]) for values in eager(inputs)]


def broken(eager: Graph) -> Graph:
    raise RuntimeError("no such kernel\nand a long story")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_automl_folder(tmp_path_factory.mktemp("model"), name="resnet18", sizes=(40, 32))


@pytest.fixture
def choosing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tuner]:
    model = load_classifier(folder)

    def make(*runtimes: FakeRuntime, precisions: Sequence[Precision] = (FP32,)) -> Tuner:
        for runtime in runtimes:
            runtime.eager = model.graph
        found = {runtime.name: runtime for runtime in runtimes}
        monkeypatch.setattr(tuner_module, "available", lambda: found)
        monkeypatch.setattr(
            tuner_module,
            "convert_apart",
            lambda folder, name, precision, device, into: found[name].convert(model.graph_source(), OPTIONS, into),
        )
        cache = RuntimeCache.open(tmp_path / "cache", model.definition, OPTIONS)
        return Tuner(folder, model, OPTIONS, cache, precisions=precisions, on_device=lambda step: step())

    return make


def tuned(tuner: Tuner) -> list[str]:
    adopted: list[LoadedModel] = []
    tuner.tune([1, 2], lambda model, seen: adopted.append(model))
    return [model.runtime for model in adopted]


def test_the_fastest_that_says_the_same_is_chosen_and_kept(choosing: Callable[..., Tuner], caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    runtimes = [
        FakeRuntime("slower", slower),
        FakeRuntime("other", other),
        FakeRuntime("broken", broken),
        FakeRuntime("absent", faster, unavailable="it is not installed"),
        FakeRuntime("faster", faster),
    ]
    tuner = choosing(*runtimes)
    assert tuner.start("auto") is None, "nothing is known yet"
    assert tuned(tuner) == ["faster"]
    assert tuner.reasons["other"].startswith(
        "The runtime other does not compute the same: 9 of 9 pictures have the same labels, probabilities differ by"
    )
    assert tuner.reasons["broken"] == "no such kernel"
    assert tuner.reasons["absent"] == "The runtime absent cannot be used: it is not installed."
    assert (
        "times as fast as eager; 9 of 9 pictures have the same labels, probabilities differ by up to 0"
        in tuner.reasons["faster"]
    )
    assert tuner.reasons["slower"].startswith("0.")
    assert "runtime skipped runtime=other" in caplog.text
    assert "runtime chosen runtime=faster" in caplog.text
    again = choosing(*runtimes)
    chosen = again.start("auto")
    assert chosen is not None and chosen.runtime == "faster"
    assert again.reasons == tuner.reasons
    assert runtimes[-1].conversions == 1
    assert tuned(again) == ["faster"], "another engine that waited for this one races what won alone"
    assert [runtime.conversions for runtime in runtimes] == [1, 1, 1, 0, 1]


def test_what_was_chosen_is_compared_on_one_image_at_later_starts(choosing: Callable[..., Tuner]) -> None:
    seen: list[int] = []

    def counted(eager: Graph) -> Graph:
        graph = faster(eager)

        def counting(inputs: torch.Tensor) -> Any:
            seen.append(len(inputs))
            return graph(inputs)

        return counting

    for runtime, images in (("counted", [8, 1]), ("auto", []), ("counted", [8, 1])):
        seen.clear()
        choosing(FakeRuntime("counted", counted)).start(runtime)
        assert seen == images, "asked for, not yet chosen"
    assert tuned(choosing(FakeRuntime("counted", counted))) == ["counted"]
    for runtime in ("counted", "auto"):
        seen.clear()
        chosen = choosing(FakeRuntime("counted", counted)).start(runtime)
        assert chosen is not None and chosen.runtime == "counted"
        assert seen == [1]


BOTH = (FP32, PRECISIONS["bf16"])


class FastInBf16(FakeRuntime):
    """Takes its time in fp32, and rounds a little in bf16."""

    def load(self, source: GraphSource, folder: Path | None, options: ComputeOptions) -> Graph:
        return self._graph(self.eager) if options.precision is FP32 else rounded(faster(self.eager))


def rounded(eager: Graph, by: float = 0.01) -> Graph:
    return lambda inputs: [values + torch.tensor([by, 0, 0, 0]) for values in eager(inputs)]


def test_of_two_precisions_the_faster_is_chosen_and_kept(choosing: Callable[..., Tuner], caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    runtime = FastInBf16("both", slower)
    tuner = choosing(runtime, precisions=BOTH)
    assert tuner.start("auto") is None
    adopted: list[LoadedModel] = []
    tuner.tune([1, 2], lambda model, seen: adopted.append(model))
    assert [(model.runtime, model.precision.name) for model in adopted] == [("both", "bf16")]
    for part in ("times as fast as eager", "probabilities differ by up to", "(allowed 5e-02)", "ms an image, eager"):
        assert part in tuner.reasons["both bf16"]
    assert tuner.reasons["both"].startswith("0."), "slower than eager, in fp32"
    assert "runtime chosen runtime=both bf16" in caplog.text
    chosen = choosing(runtime, precisions=BOTH).start("auto")
    assert chosen is not None
    assert (chosen.runtime, chosen.precision.name, runtime.conversions) == ("both", "bf16", 2)


def test_a_precision_that_changes_too_much_is_not_chosen(
    choosing: Callable[..., Tuner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FastInBf16, "load", lambda self, source, folder, options: rounded(faster(self.eager), 2.0))
    tuner = choosing(FastInBf16("both", slower), precisions=BOTH)
    assert tuned(tuner) == []
    assert tuner.reasons["both bf16"].startswith("The runtime both bf16 does not compute the same")


def test_a_named_runtime_is_used_in_the_faster_precision(choosing: Callable[..., Tuner]) -> None:
    tuner = choosing(FakeRuntime("other", faster), FastInBf16("both", slower), precisions=BOTH)
    assert tuner.start("both") is None
    assert tuned(tuner) == ["both", "both"]
    assert list(tuner.reasons) == ["both", "both bf16"]
    with pytest.raises(ModelError, match="cannot be used: it is not installed"):
        choosing(FakeRuntime("absent", faster, unavailable="it is not installed"), precisions=BOTH).start("absent")


def test_where_nothing_is_faster_the_model_stays_as_it_is(choosing: Callable[..., Tuner]) -> None:
    tuner = choosing(FakeRuntime("slower", slower))
    assert tuned(tuner) == []
    chosen = choosing(FakeRuntime("slower", slower)).start("auto")
    assert chosen is not None and chosen.runtime == EAGER


def test_a_choice_that_no_longer_holds_is_made_anew(
    choosing: Callable[..., Tuner], tmp_path: Path, caplog: Any
) -> None:
    runtime = FakeRuntime("faster", faster)
    assert tuned(choosing(runtime)) == ["faster"]
    (file,) = tmp_path.glob("cache/*/faster/file")
    file.write_text("damaged")
    tuner = choosing(runtime)
    assert tuner.start("auto") is None
    assert "trying all runtimes again runtime=faster: the file is damaged" in caplog.text
    assert tuned(tuner) == ["faster"]
    assert runtime.conversions == 2


def test_a_runtime_that_is_asked_for_is_used_or_refused(choosing: Callable[..., Tuner]) -> None:
    tuner = choosing(FakeRuntime("slower", slower), FakeRuntime("other", other), FakeRuntime("broken", broken))
    chosen, eager = tuner.start("slower"), tuner.start(EAGER)
    assert chosen is not None and chosen.runtime == "slower"
    assert eager is not None and eager.runtime == EAGER
    with pytest.raises(ModelError, match="The runtime other does not compute the same"):
        tuner.start("other")
    with pytest.raises(ModelError, match=r"The runtime broken cannot be used: no such kernel\. Try auto\."):
        tuner.start("broken")


def test_a_cache_that_others_may_write_to_is_refused(folder: Path, tmp_path: Path, caplog: Any) -> None:
    definition = load_classifier(folder).definition
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ModelError, match="can be written to by others"):
        RuntimeCache.open(shared, definition, OPTIONS)
    found = open_cache(shared, definition, OPTIONS, fallback=tmp_path / "otherwise")
    assert found.folder.parent == tmp_path / "otherwise"
    assert "is not kept for the next start" in caplog.text
    assert "Name another by --cache-folder or SIGHTGLASS_CACHE_FOLDER." in caplog.text
    assert RuntimeCache.open(shared / "mine", definition, OPTIONS).folder.parent == shared / "mine", "as of a volume"
    with pytest.raises(ModelError, match="cannot be used: Not a directory"):
        RuntimeCache.open(Path(__file__) / "cache", definition, OPTIONS)


def test_a_model_finds_its_own_files_and_no_others(folder: Path, tmp_path: Path) -> None:
    definition = load_classifier(folder).definition
    mine = RuntimeCache.open(tmp_path, definition, OPTIONS)
    assert RuntimeCache.open(tmp_path, definition, OPTIONS).folder == mine.folder
    fewer = ComputeOptions(OPTIONS.device, OPTIONS.precision, OPTIONS.threads + 1)
    half = ComputeOptions(OPTIONS.device, PRECISIONS["bf16"])
    another = load_classifier(write_automl_folder(tmp_path / "another", name="resnet18", sizes=(40, 36)))
    folders = {RuntimeCache.open(tmp_path, definition, options).folder for options in (OPTIONS, fewer, half)}
    assert len(folders | {RuntimeCache.open(tmp_path, another.definition, OPTIONS).folder}) == 4


def test_what_ended_a_process_twice_is_not_tried_again(choosing: Callable[..., Tuner], tmp_path: Path) -> None:
    runtimes = FakeRuntime("deadly", faster), FakeRuntime("slower", slower)
    tuner = choosing(*runtimes)
    (folder,) = tmp_path.glob("cache/*")
    (folder / ".trying-deadly-1").touch()
    assert tuned(tuner) == ["deadly"], "once may have been a server that was stopped"
    assert not list(folder.glob(".trying*")), "and is forgotten when it goes well"
    for number in range(2):
        (folder / f".trying-deadly-{number}").touch()
    RuntimeCache(folder).forget()
    tuner = choosing(*runtimes)
    assert tuned(tuner) == []
    assert tuner.reasons["deadly"].startswith("the process ended 2 times while it was tried; to try again, remove")
    assert tuner.reasons["slower"].startswith("0.")


def test_engines_that_try_the_same_at_once_are_no_processes_that_ended(tmp_path: Path) -> None:
    with ExitStack() as engines:
        for _ in range(4):
            engines.enter_context(RuntimeCache(tmp_path).attempt("popular"))
        assert len(list(tmp_path.iterdir())) == 4
    assert not list(tmp_path.iterdir())


def test_a_process_that_was_killed_while_it_tried_leaves_a_note(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from models.runtime.cache import RuntimeCache\n"
        "tried = RuntimeCache(Path(sys.argv[1])).attempt('deadly'); tried.__enter__(); os._exit(9)"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 9
    with pytest.raises(ModelError, match="ended 2 times"), RuntimeCache(tmp_path).attempt("deadly"):
        pass


def test_models_that_were_not_used_for_long_make_room(tmp_path: Path) -> None:
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        cache = RuntimeCache(folder)
        cache.files("fake", lambda into: None)
        cache.write_choice("fake", {})
        assert RuntimeCache(tmp_path / "0").read_choice() == ("fake", {})  # which makes it the latest
    assert {int(folder.name) for folder in tmp_path.iterdir()} == {0, 3, 4, 5, 6, 7, 8, 9}


def test_a_benchmark_of_runtimes_gives_the_mean_of_ratios() -> None:
    assert RuntimeBenchmark({1: 0.4, 8: 2.0}, {1: 0.2, 8: 0.25}).speed_up == pytest.approx(4.0)
