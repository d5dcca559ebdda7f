"""Batches: images that spoil the batch they are in, and forward passes that never end."""

import time

from benchmarks.failures.numbered_load import (
    JSON,
    NumberedLoad,
    NumberedRequest,
    image_request,
    images,
    many_images,
    probe,
    send,
)
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial, counted
from tests.support.engines.faulty_model import coloured
from tests.support.images import encoded, painted

_LOAD_S = 4.0
_REPLACED_WITHIN_S = 45.0
_BAD = encoded(painted(1, 96, 72), "JPEG")[:600]  # cut off within the pixels


def _bad_mates(trial: Trial) -> Finding:
    """Damaged images from two clients beside whole ones from six."""
    with trial.serve_model() as server:
        with (
            NumberedLoad(server.port, images(server), 6) as good,
            NumberedLoad(server.port, lambda number: image_request(_BAD), 2) as bad,
        ):
            time.sleep(_LOAD_S)
        right = {200, 422} if trial.ours else {200, 400, 422, 500}
        met = (
            set(good.outcomes()) <= {200, 429} and not good.lost() and bad.outcomes().keys() <= right and not bad.lost()
        )
        return _beside(good, bad, met)


def _failing_batch(trial: Trial) -> Finding:
    """Images whose forward pass fails, in the same batches as others."""
    poison = coloured("poison")
    with trial.serve_faulty_model() as server:
        with (
            NumberedLoad(server.port, images(server), 6) as good,
            NumberedLoad(server.port, lambda number: image_request(poison), 1, pause_s=0.05) as bad,
        ):
            time.sleep(_LOAD_S)
        met = set(good.outcomes()) <= {200, 429} and not good.lost() and 200 not in bad.outcomes() and not bad.lost()
        return _beside(good, bad, met)


def _beside(good: NumberedLoad, bad: NumberedLoad, met: bool) -> Finding:
    seen = (
        f"good images {counted(good.outcomes())}, slowest {good.slowest_s():.1f} s; bad ones {counted(bad.outcomes())}"
    )
    lost = good.lost() + bad.lost()
    return Finding(met and good.outcomes()[200] > 0, seen, lost, len(good.exchanges) + len(bad.exchanges))


def _hung_pass(trial: Trial) -> Finding:
    """A forward pass that never ends, under a deadline of three seconds."""
    with trial.serve_faulty_model("--request-timeout-ms", "3000") as server:
        with (
            NumberedLoad(server.port, images(server), 2, pause_s=0.2) as load,
            NumberedLoad(server.port, probe("/health/ready"), 1, pause_s=0.2) as readiness,
        ):
            hung = send(server.port, image_request(coloured("hang")))
            seconds = load.answered_s(_REPLACED_WITHIN_S)
        noticed = readiness.outcomes()[503] > 0
        again = f"no score in {_REPLACED_WITHIN_S:.0f} s" if seconds is None else f"scores again after {seconds:.0f} s"
        seen = (
            f"its request {hung}; {again}; readiness {counted(readiness.outcomes())}; others {counted(load.outcomes())}"
        )
        met = seconds is not None and noticed and not load.lost() and isinstance(hung, int) and hung in (503, 504)
        return Finding(met, seen, load.lost() + isinstance(hung, str), len(load.exchanges) + 1)


def _many_images(trial: Trial) -> Finding:
    """One request of 256 large images beside small ones, under a deadline of five seconds."""
    large = encoded(painted(3, 1600, 1200), "JPEG")
    with trial.serve_model("--request-timeout-ms", "5000") as server:
        small = images(server)
        for number in range(20):
            send(server.port, small(number))
        with NumberedLoad(server.port, small, 1, pause_s=0.2) as load:
            status = send(server.port, NumberedRequest(many_images(large, 256), headers=JSON))
            time.sleep(0.5)
        outcomes = load.outcomes()
        met = status in (200, 413, 422, 429) and outcomes[429] <= 5 and set(outcomes) <= {200, 429} and not load.lost()
        return Finding(
            met, f"256 images {status}; one at a time meanwhile {counted(outcomes)}", load.lost(), len(load.exchanges)
        )


FAMILY = FailureFamily(
    "Batches that are spoilt",
    (
        Scenario(
            "damaged images in the batches of others",
            "the others get their scores",
            _bad_mates,
            peers=True,
        ),
        Scenario(
            "images whose batch fails",
            "they fail alone, and the others get their scores",
            _failing_batch,
        ),
        Scenario(
            "a forward pass that hangs",
            "requests are answered by their deadline, readiness falls, and the engine is replaced within 45 s",
            _hung_pass,
            35,
        ),
        Scenario(
            "a request of 256 large images",
            "refused at once, or answered; at most five of the others are refused meanwhile",
            _many_images,
            15,
        ),
    ),
)
