"""AWS KMS as moto plays it: real data keys and encryption contexts, no signatures checked."""

import socket
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.services.server import Server, Unavailable, free_ports

REGION = "eu-central-1"


class Kms:
    """One server on a free port of 127.0.0.1. `environment` is what the AWS clients need to find it."""

    def __init__(self, directory: Path) -> None:
        program = Path(sys.executable).with_name("moto_server")
        if not program.exists():
            raise Unavailable("moto is missing: install moto[kms], flask and flask-cors (`make env` does)")
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self.environment = {
            "AWS_ENDPOINT_URL_KMS": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.server = Server(
            [program, "-H", "127.0.0.1", "-p", str(self._port)],
            directory,
            ready=self._is_ready,
            environment=self.environment,
        )

    def make_key(self) -> str:
        """A new key's ARN."""
        client = self.client()
        try:
            return str(client.create_key()["KeyMetadata"]["Arn"])
        finally:
            client.close()

    def client(self) -> Any:
        return boto3.client(
            "kms",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=5).close()
        except OSError:
            return False
        return True
