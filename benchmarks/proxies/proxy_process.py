"""ProxyProcess: nginx or HAProxy with a configuration of deploy/proxies/, before a server on this machine."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from benchmarks.serving import free_port
from tests.support.repository import ROOT

CONFIGURATIONS = ROOT / "deploy/proxies"
_STARTS_WITHIN_S = 20.0
_ENDS_WITHIN_S = 20.0
# the addresses in the configurations
_CLIENTS_PORT, _SERVERS_PORT = "8080", "5001"
_NGINX = """
daemon off;
worker_processes 2;
pid {folder}/pid;
error_log {folder}/log warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""


class ProxyProcess:
    """A proxy on a free port; a context manager.

    `name` is that of a file in deploy/proxies/, whose ports are replaced, as are the texts in `changes`.
    """

    def __init__(self, name: str, server_port: int, changes: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="sightglass-proxy-"))
        text = (CONFIGURATIONS / name).read_text()
        for old, new in {_CLIENTS_PORT: str(self.port), _SERVERS_PORT: str(server_port), **(changes or {})}.items():
            if old not in text:
                raise ValueError(f"{name} does not hold {old!r}")
            text = text.replace(old, new)
        self._command = _nginx(self._folder, text) if name.startswith("nginx") else _haproxy(self._folder, text)
        self._process: subprocess.Popen[bytes] | None = None

    def log(self) -> str:
        """Return what the proxy wrote."""
        return "".join(file.read_text() for file in (self._folder / "log", self._folder / "output") if file.exists())

    def __enter__(self) -> Self:
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT)
        try:
            self.wait_for(self._accepts)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds. RuntimeError with the proxy's log if the proxy ends, or time is up."""
        end = time.monotonic() + _STARTS_WITHIN_S
        assert self._process is not None
        while not condition():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self._command[0]} exit={self._process.poll()}:\n{self.log()}")
            time.sleep(0.05)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def find_proxy(name: str) -> str | None:
    """Return the path of nginx or haproxy, which need not be in the PATH of everybody; None if it is not installed."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin")))


def _nginx(folder: Path, servers: str) -> list[str]:
    # workers of root run as a user who may not read the folder
    user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(user + _NGINX.format(folder=folder, servers=servers))
    return [_found("nginx"), "-c", str(file), "-e", str(folder / "log")]


def _haproxy(folder: Path, text: str) -> list[str]:
    file = folder / "haproxy.cfg"
    file.write_text(text)
    return [_found("haproxy"), "-db", "-f", str(file)]


def _found(name: str) -> str:
    if (path := find_proxy(name)) is None:
        raise RuntimeError(f"{name} is not installed; see scripts/test_tools")
    return path
