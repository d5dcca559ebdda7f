"""DecodeWorkers: processes that decode for an engine score the same, are started again, and are counted once."""

import asyncio
import base64
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from models.images.decoding import ImageLimits
from models.loaded import load, load_classifier, load_without_weights
from server.engine.pipeline.pipeline_metrics import PipelineMetrics
from server.engine.scheduling.job import DECODED_BATCHES, Stage
from server.engine.startup.assembly import BROKEN
from server.engine.workers import decode_worker
from server.engine.workers.decode_workers import SLOTS, DecodeWorkers, decode_worker_count
from server.engine.workers.shared_images import SharedImages
from server.errors import ServiceError
from server.ipc.process_config import ProcessConfig
from settings.server import ServerSettings
from tests.support import http
from tests.support.engines.scheduler_harness import decode_all, make_jobs, make_scheduler
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

IMAGES = [encoded(painted(seed, 90 + seed, 80), "PNG") for seed in range(12)]
EXPLAINED = {
    "image": base64.b64encode(IMAGES[0]).decode(),
    "model_explainability": True,
    "xai_parameters": {"xai_algorithm": "gradcam", "visualizations": False, "attributions": True},
}
LIMITS = ImageLimits(10**6, 10**6)


@pytest.fixture(scope="module")
def server(fridge_folder: Path) -> Iterator[LiveServer]:
    with LiveServer("--model", fridge_folder, "--decode-workers", "2") as running:
        running.wait_for(lambda: running.log().count("decode worker ready") == 2)
        yield running


def decode_workers(server: LiveServer) -> list[psutil.Process]:
    """Return those that run, without the processes of isolated decoders."""
    children = [child for engine in server.children("server.engine") for child in engine.children()]
    return [child for child in children if "decoder_process" not in " ".join(child.cmdline())]


def test_they_say_what_the_engine_says(server: LiveServer, fridge_folder: Path) -> None:
    model = load_classifier(fridge_folder)
    before = server.metric("sightglass_batch_images_sum")
    decoded = server.metric("sightglass_stage_seconds_count", stage="decode")
    with ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(lambda data: server.score([data]), 4 * IMAGES))
    for data, reply in zip(4 * IMAGES, replies, strict=True):
        assert reply.status_code == 200
        (logits,) = model.outputs([model.crop(data, LIMITS)])
        assert reply.json()[0]["probs"] == pytest.approx(model.prediction(logits).probs, abs=1e-5)
    assert server.metric("sightglass_batch_images_sum") - before == 4 * len(IMAGES), "each image counts once"
    assert all(process.cpu_times().user > 0 for process in decode_workers(server))
    assert server.metric("sightglass_runtime") == 1
    assert server.metric("sightglass_stage_seconds_count", stage="decode") - decoded == 4 * len(IMAGES)


def test_a_request_of_many_images_goes_through_one_of_them(server: LiveServer) -> None:
    with ThreadPoolExecutor(4) as clients:
        replies = list(clients.map(server.score, [IMAGES] * 8))
    assert [reply.status_code for reply in replies] == [200] * 8
    firsts, *others = ([scored["probs"] for scored in reply.json()] for reply in replies)
    for probs in others:
        np.testing.assert_allclose(probs, firsts, atol=1e-5)


def test_a_bad_image_is_found_where_it_is_decoded(server: LiveServer) -> None:
    with ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(server.score, 8 * [[IMAGES[0], IMAGES[1][:300]], [IMAGES[2]]]))
    assert [reply.status_code for reply in replies] == 8 * [422, 200]
    assert replies[0].json()["details"][0]["position"] == 1


def test_explanations_are_computed_beside_them(server: LiveServer) -> None:
    with ThreadPoolExecutor(8) as clients:
        scored = [clients.submit(server.score, [data]) for data in IMAGES]
        explained = clients.submit(http.post, server.url + "/score", json=EXPLAINED, timeout=60)
        assert {reply.result().status_code for reply in scored} == {200}
        assert np.shape(explained.result().json()["attributions"]) == (3, 64, 64)


def test_one_that_dies_is_started_again(server: LiveServer) -> None:
    victim, other = decode_workers(server)
    restarts = server.metric("sightglass_engine_restarts_total")
    victim.kill()
    server.wait_for(lambda: server.metric("sightglass_engine_restarts_total") == restarts + 1)
    with ThreadPoolExecutor(8) as clients:
        codes = [reply.status_code for reply in clients.map(lambda data: server.score([data]), 4 * IMAGES)]
    assert codes == [200] * len(codes), "the others decode meanwhile"
    server.wait_for(lambda: server.log().count("decode worker ready") == 3)
    assert other in decode_workers(server)
    assert len(decode_workers(server)) == 2


def test_they_end_with_their_engine(server: LiveServer) -> None:
    (engine,), orphans = server.children("server.engine"), decode_workers(server)
    before = server.metric("sightglass_stage_seconds_count", stage="encode")

    def is_busy() -> bool:
        answered = server.metric("sightglass_stage_seconds_count", stage="encode") - before
        return answered > 16 and server.metric("sightglass_queue_jobs") > 0

    with ThreadPoolExecutor(16) as clients:
        replies = clients.map(lambda data: server.score([data]), 20 * IMAGES)
        server.wait_for(is_busy)
        engine.kill()
        assert {reply.status_code for reply in replies} == {200, 503}
    server.wait_for(lambda: not any(orphan.is_running() for orphan in orphans))
    server.wait_ready()
    server.wait_for(lambda: len(decode_workers(server)) == 2)
    assert server.metric("sightglass_queue_jobs") == 0, "what they had to do is forgotten"


def test_only_gpus_have_decode_workers_unless_they_are_asked_for(fridge_folder: Path, tmp_path: Path) -> None:
    classifier, detector = load(fridge_folder), load(write_detector_folder(tmp_path / "detector"))
    assert decode_worker_count(classifier, ServerSettings()) == 0
    assert decode_worker_count(classifier, ServerSettings(decode_workers=3)) == 3
    assert decode_worker_count(detector, ServerSettings(decode_workers=3)) == 0


def test_together_they_fill_a_batch_and_use_the_cores_once(fridge_folder: Path, tmp_path: Path) -> None:
    settings = ServerSettings(cpu_threads=8, max_delay_ms=20)
    config = ProcessConfig(settings=settings, folder=fridge_folder, address=tmp_path / "engine-0-0.sock")
    found = DecodeWorkers(config, load_classifier(fridge_folder), [(1, 0.01)], count=3, max_images=32)
    configs = [found.config(number) for number in range(3)]
    assert [each.address for each in configs] == list(found.addresses)
    assert len(set(found.addresses)) == 3
    for each in configs:
        assert each.decode_worker is not None
        assert (each.settings.max_batch_images, each.settings.cpu_threads, each.settings.max_delay_ms) == (11, 3, 0)
        assert each.decode_worker.engine == config.address
        assert found.batch(each.decode_worker.number, 1, 11).shape == (11, 64, 64, 3)
    assert len({each.decode_worker.images for each in configs if each.decode_worker is not None}) == 3


def test_inputs_of_several_images_say_the_same_as_one_by_one(fridge_folder: Path) -> None:
    model = load_classifier(fridge_folder)
    inputs = [model.crop(data, LIMITS) for data in IMAGES[:5]]
    together = model.outputs([torch.stack(inputs[:3]), torch.stack(inputs[3:])])
    assert [len(part) for part in together] == [3, 2]
    torch.testing.assert_close(torch.cat(together), torch.stack(model.outputs(inputs)), rtol=1e-5, atol=1e-5)


def test_a_model_without_weights_reads_images_and_has_others_compute(fridge_folder: Path) -> None:
    whole, seen = load_classifier(fridge_folder), []

    def graph(inputs: torch.Tensor) -> list[torch.Tensor]:
        seen.append(inputs)
        return [torch.zeros(len(inputs), 4)]

    model: Any = load_without_weights(fridge_folder, graph, precision="fp32", runtime="eager", strict=False)
    assert all(parameter.is_meta for parameter in model.network.parameters())
    one = model.crop(IMAGES[0], LIMITS)
    assert torch.equal(one, whole.crop(IMAGES[0], LIMITS))
    assert [output.tolist() for output in model.outputs([one, one])] == [[0.0] * 4] * 2
    assert torch.equal(seen[0], torch.stack([one, one]))


def test_what_one_process_puts_into_shared_memory_the_other_sees() -> None:
    ours = SharedImages.make((2, 3, 4))
    theirs = SharedImages(os.dup(ours.descriptor), (2, 3, 4))
    ours.images[1, 2] = torch.tensor([1, 2, 3, 4], dtype=torch.uint8)
    assert theirs.images[1, 2].tolist() == [1, 2, 3, 4]
    assert theirs.images.sum() == 10


def test_one_whose_engine_is_gone_ends_and_blames_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    async def compute(*_: int) -> None:
        raise ServiceError("engine_unavailable", "gone")

    async def ask() -> None:
        shape = (SLOTS, 4, 2)
        worker = SimpleNamespace(number=0, images=SharedImages.make(shape).descriptor, shape=shape)
        remote = decode_worker._RemoteGraph(SimpleNamespace(compute=compute), worker, asyncio.get_running_loop())  # type: ignore[arg-type]
        await asyncio.to_thread(remote, torch.zeros(3, 2, dtype=torch.uint8))

    def end(code: int) -> None:
        raise ChildProcessError(code)

    monkeypatch.setattr(decode_worker, "_PARENT_GRACE_S", 0)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(ChildProcessError, match=str(BROKEN)):
        asyncio.run(ask())


def test_a_scheduler_may_give_its_device_two_batches_at_once() -> None:
    scheduler = make_scheduler(max_running=2, max_images=2)
    scheduler.admit(make_jobs(1, 6), 0.0)
    decode_all(scheduler)
    first, second = scheduler.next_batch(0.0), scheduler.next_batch(0.0)
    assert first is not None and second is not None
    decode_all(scheduler)
    assert scheduler.next_batch(0.0) is None, "whatever is decoded meanwhile"
    scheduler.finished(second, 0.1)
    third = scheduler.next_batch(0.1)
    assert third is not None
    for batch in (first, third):
        scheduler.finished(batch, 0.1)
    assert scheduler.depth() == 0


def test_while_a_batch_runs_less_than_half_of_one_waits() -> None:
    scheduler = make_scheduler(max_running=2, max_images=4)
    scheduler.admit(make_jobs(1), 0.0)
    decode_all(scheduler)
    first = scheduler.next_batch(0.0)
    assert first is not None, "a device that has nothing to do gets whatever there is"
    scheduler.admit(make_jobs(2), 0.0)
    decode_all(scheduler)
    assert scheduler.next_batch(9.0) is None
    scheduler.admit(make_jobs(3), 0.0)
    decode_all(scheduler)
    second = scheduler.next_batch(9.0)
    assert second is not None and len(second.jobs) == 2
    scheduler.admit(make_jobs(4), 0.0)
    decode_all(scheduler)
    for batch in (first, second):
        assert scheduler.next_batch(9.0) is None
        scheduler.finished(batch, 0.1)
    assert scheduler.next_batch(9.0) is not None


def test_what_they_bring_is_counted_as_queued_by_them_alone() -> None:
    shown: list[float] = []
    jobs = SimpleNamespace(set=shown.append)
    metrics = SimpleNamespace(stage_seconds=lambda stage: None, queue_jobs=jobs, queue_seconds=SimpleNamespace(set=id))
    meters, scheduler = PipelineMetrics(metrics), make_scheduler()  # type: ignore[arg-type]
    scheduler.add_decoded(make_jobs(1, lane=DECODED_BATCHES)[0])
    meters.queue(scheduler, 0.0)
    scheduler.admit(make_jobs(2, 3), 1.0)
    for now in (1.0, 1.05, 1.2):
        meters.queue(scheduler, now)
    scheduler.cancel(2)
    for now in (1.21, 1.22):
        meters.queue(scheduler, now)
    assert shown == [0, 3, 3, 0], "an empty queue is shown at once, and once"


def test_what_enters_decoded_runs_as_it_is_and_can_be_cancelled() -> None:
    scheduler = make_scheduler(max_images=4)
    one, two, gone = (make_jobs(number)[0] for number in (1, 2, 3))
    for job in (one, two, gone):
        scheduler.add_decoded(job)
    assert scheduler.cancel(3) == [gone]
    batch = scheduler.next_batch(0.0)
    assert batch is not None and batch.jobs == (one, two)
    assert gone.stage is Stage.DONE
