"""The real HTTP server of the hosted endpoint beside this one: clients notice only what they are meant to notice."""

from collections.abc import Iterator

import pytest

from benchmarks.hosted import EndpointRequest, both, compared, requests

REQUESTS = requests()
# headers that only this server has
ADDED = {"azureml-model-deployment", "x-ms-server-version"}
# where the status is another one, on purpose: theirs, ours
STATUS = {
    "no base64": (500, 422),
    "score, got": (400, 200),  # as version 1 of the endpoint answers
    "score, got with a query": (500, 422),  # an image that ends too early
}
# replies without ids of the request there
ROUTING = {"another method", "another method of a probe", "another path"}
SCORED = {"three images", "one image", "all ids", "a trace id"}


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    with both() as found:
        yield found


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
def test_a_client_sees_no_difference_but_those_that_are_meant(case: EndpointRequest, ports: tuple[int, int]) -> None:
    found = compared(case, *ports)
    assert found.status == STATUS.get(case.name)
    expected = set(ADDED)
    if case.name in ROUTING:
        expected |= {"x-request-id", "x-ms-request-id", "allow"}
    if case.name in STATUS:
        expected |= {"x-ms-run-function-failed", "content-type"}
    if case.method == "OPTIONS":  # there, /score is the only path that does not name its methods
        expected.add("allow")
    if case.name == "score, got":  # no browser runs what the reply repeats
        expected |= {"content-security-policy", "x-content-type-options"}
    if "x-request-id" not in case.headers or len(case.headers["x-request-id"]) > 100:
        expected |= {"x-request-id", "x-ms-request-id"}  # each makes one of its own
    assert set(found.headers) <= expected, found
    if case.name in SCORED or case.name.endswith("alone") or case.method in ("HEAD", "OPTIONS"):
        assert found.body is None, found
    elif found.body is not None and found.status is None and case.name not in ROUTING:
        theirs, ours = found.body
        assert ours.startswith('{"message": "'), "errors are told by the same key"
        assert '"code"' in ours and '"code"' not in theirs
