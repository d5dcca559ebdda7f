"""Images that are much work are decoded in a process of their own, which ends when they take too long."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import numpy as np
import pytest
from PIL import Image

from models.errors import ImageError
from models.images.decoding import ImageLimits, decode
from models.images.pixels import rgb_array
from server.engine.workers.isolated_decoder import IsolatedDecoder, max_cpu_s
from settings.server import ServerSettings
from tests.support import http
from tests.support.costly_images import deep_grey_png, jpeg_of_scans
from tests.support.images import LIMITS, encoded, painted
from tests.support.servers.live_server import LiveServer

FINE = encoded(painted(1, 80, 80), "PNG")
ENDLESS = jpeg_of_scans(4000, 3000)  # a minute of work


@pytest.fixture(scope="module")
def decoder() -> Iterator[IsolatedDecoder]:
    with closing(IsolatedDecoder(LIMITS, 1.0)) as running:
        yield running


def unwanted() -> bool:
    return False


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_it_decodes_to_the_same_pixels(decoder: IsolatedDecoder, form: str) -> None:
    data = encoded(painted(1, 300, 200), form)
    isolated = decode(data, decoder.limits(unwanted))
    assert (rgb_array(isolated) == np.asarray(decode(data, LIMITS))).all()


def test_it_turns_images_and_raises_the_same_errors(decoder: IsolatedDecoder) -> None:
    exif = Image.Exif()
    exif[274] = 6
    data = encoded(painted(1, 300, 200), "JPEG", exif=exif)
    assert decode(data, decoder.limits(unwanted), exif=True).size == (200, 300)
    for bad in (b"no image", data[:2000]):
        with pytest.raises(ImageError) as here:
            decode(bad, LIMITS)
        with pytest.raises(ImageError) as there:
            decode(bad, decoder.limits(unwanted))
        assert (there.value.code, str(there.value)) == (here.value.code, str(here.value))


def test_it_has_limits_of_its_own() -> None:
    data = encoded(painted(1, 1200, 900), "JPEG")
    with (
        closing(IsolatedDecoder(ImageLimits(10**8, 10**6), 1.0)) as decoder,
        pytest.raises(ImageError, match="accepts up to 1000000"),
    ):
        decode(data, decoder.limits(unwanted))


def test_an_image_that_takes_too_long_ends_its_process_alone(decoder: IsolatedDecoder) -> None:
    with pytest.raises(ImageError) as error:
        decode(ENDLESS, decoder.limits(unwanted))
    assert error.value.code == "image_too_complex"
    assert "more than 1 s of computing" in str(error.value)
    assert decode(FINE, decoder.limits(unwanted)).size == (80, 80)


def test_an_image_that_nobody_wants_any_more_ends_at_once() -> None:
    left = threading.Event()
    timer = threading.Timer(0.5, left.set)
    with closing(IsolatedDecoder(LIMITS, 600.0)) as decoder:
        timer.start()
        with pytest.raises(ImageError, match="not decoded in time"):
            decode(ENDLESS, decoder.limits(left.is_set))
        assert decode(FINE, decoder.limits(unwanted)).size == (80, 80)
    timer.join()


@pytest.mark.parametrize(("timeout_ms", "cpu_s"), [(30_000, 10), (5_000, 2.5), (100, 1), (3_600_000, 10)])
def test_an_image_alone_is_refused_before_its_deadline(timeout_ms: int, cpu_s: float) -> None:
    assert max_cpu_s(ServerSettings(request_timeout_ms=timeout_ms)) == cpu_s


def test_costly_images_hold_up_nobody_and_leave_no_memory_behind(fridge_server: LiveServer) -> None:
    (engine,) = fridge_server.children("server.engine")
    assert fridge_server.score([FINE]).status_code == 200
    before = engine.memory_info().rss
    with ThreadPoolExecutor(2) as pool:
        left = pool.submit(leave, fridge_server)
        large = pool.submit(fridge_server.score, [deep_grey_png(6000), FINE])
        while not (large.done() and left.done()):
            assert fridge_server.score([FINE]).status_code == 200
    left.result()
    assert large.result().status_code == 200, "the image before it was given up when its client had left"
    assert engine.memory_info().rss - before < 200 * 2**20


def leave(server: LiveServer) -> None:
    with pytest.raises(httpx.ReadTimeout):
        http.post(server.url + "/score", content=ENDLESS, timeout=1)
