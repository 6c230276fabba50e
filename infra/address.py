"""Where MLflow is: an SQLite file, a database server or an MLflow server."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
CONNECT_SECONDS = 4.0


def reach_database(uri: str) -> None:
    """Raise OSError at once where no database answers; MLflow itself would try for minutes."""
    parts = urlsplit(uri)
    port = _DATABASE_PORTS.get(parts.scheme.split("+")[0])
    if port and parts.hostname:
        socket.create_connection((parts.hostname, parts.port or port), timeout=CONNECT_SECONDS).close()


def artifact_folder(uri: str) -> Path | None:
    """Beside an SQLite file; a server has a place of its own."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts"


def is_server(uri: str) -> bool:
    """An MLflow server, as opposed to a database that this process opens itself."""
    return urlsplit(uri).scheme in ("http", "https")


def without_password(text: str, uri: str) -> str:
    """A text in which the address may occur, without the address's user and password."""
    netloc = urlsplit(uri).netloc
    return text.replace(netloc, netloc.rpartition("@")[2]) if "@" in netloc else text
