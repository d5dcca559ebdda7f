"""ProcessConfig: the configuration of a child process, sent as the first line of its parent pipe."""

import socket
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from server.ipc.routing_table import RoutingTable
from settings.deployments import DeploymentSpec
from settings.server import ServerSettings


class DecodeWorkerConfig(BaseModel):
    """The configuration of a decode worker.

    `number` is its number among the workers of its engine, `engine` the address of that engine, `runtime` the runtime
    that computes, and `timings` the (images, seconds) of its batches. `images` is the file descriptor of the memory
    that both share, for images of `shape`, [slots, N, ...].
    """

    model_config = ConfigDict(extra="forbid")

    number: int
    engine: Path
    runtime: str
    images: int
    shape: tuple[int, ...]
    timings: tuple[tuple[int, float], ...]


class ProcessConfig(BaseModel):
    """The configuration of any kind of process. Each reads its own fields.

    - An engine: the settings of its deployment, the model `folder`, a `device`, the `address` to listen at, its number
      among the engines of the deployment, and the folder of the lock that engines on the same cores share.
    - A decode worker: the fields of its engine, with its own address, threads and size of batches, and `decode_worker`.
    - The process of a script: the settings, the address and the deployment itself.
    - An HTTP process: the settings of the server, the routing `table`, the file descriptors of its `listening` sockets,
      the HOST:PORT of gRPC if it is served, and the `control` socket, which takes commands for the supervisor.
    """

    model_config = ConfigDict(extra="forbid")

    settings: ServerSettings
    deployment: str = ""
    folder: Path = Path()
    script: DeploymentSpec | None = None
    device: str = "cpu"
    engine: int = 0
    address: Path = Path()
    lock_folder: Path = Path()
    decode_worker: DecodeWorkerConfig | None = None
    table: RoutingTable = RoutingTable()
    listening: tuple[int, ...] = ()
    grpc_address: str = ""
    control: Path = Path()

    @property
    def inherited(self) -> tuple[int, ...]:
        """The file descriptors that the child inherits from its parent."""
        return self.listening if self.decode_worker is None else (self.decode_worker.images,)

    def listening_sockets(self) -> list[socket.socket]:
        """Return the inherited sockets from which all HTTP processes accept."""
        return [socket.socket(fileno=number) for number in self.listening]
