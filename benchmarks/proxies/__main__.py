"""How many refusals proxies lose: python -m benchmarks.proxies [--count 1000].

Requests that the server refuses before it has read their bodies go to it directly and through nginx and HAProxy, with
the configurations of deploy/proxies/. A proxy that finds the connection broken answers 502. Prints how many replies
were not the server's, of so many requests.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.failures.attacked_server import OwnServer, model_folder
from benchmarks.proxies.proxy_process import ProxyProcess, find_proxy
from benchmarks.proxies.refusals import BODY_BYTES, described, key_flags, lost_refusals

_CONFIGURATIONS = ("nginx-bare.conf", "nginx.conf", "nginx-unbuffered.conf", "nginx-prefix.conf", "haproxy.cfg")


def main() -> None:
    """Count for each proxy and size, and print a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="requests for each proxy and size")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with OwnServer("--model", model_folder(folder), *key_flags(folder)) as server:
            _measure("directly", server.port, count)
            for name in _CONFIGURATIONS:
                if find_proxy(name.partition("-")[0].partition(".")[0]) is None:
                    print(f"{name}: not installed")
                    continue
                with ProxyProcess(name, server.port) as proxy:
                    _measure(name, proxy.port, count, "/models/fridge" if "prefix" in name else "")


def _measure(name: str, port: int, count: int, prefix: str = "") -> None:
    for size in BODY_BYTES:
        started = time.monotonic()
        lost = lost_refusals(port, count, size, prefix=prefix)
        seconds = time.monotonic() - started
        print(f"{name}, {size // 1000} kB: {sum(lost.values())} of {count} lost, {count / seconds:.0f} a second")
        for line in described(lost):
            print(f"    {line}")


if __name__ == "__main__":
    main()
