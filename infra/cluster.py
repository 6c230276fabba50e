"""Connects to Ray: in this process, or at the address of a running cluster."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.environment import QUIET, quiet_environment
from search_spaces.errors import StudyError, nearest

CLUSTERS = ("local", "gpu")


@dataclass(frozen=True)
class Cluster:
    """Where a sweep runs and what is there."""

    name: str
    cpus: float
    gpus: float
    nodes: int
    each: tuple[tuple[float, float], ...]
    """CPUs and GPUs of every node: a job cannot be spread over two."""


def connect(cluster: str, *, address: str | None, gpus: int | None, cpus: int | None = None) -> Cluster:
    """Join Ray; raises StudyError before anything starts if what was asked for is not there.

    `local` starts Ray in this process, on loopback, with the GPUs it sees (`gpus` = 0 forbids them, another number
    demands that many). `gpu` joins the cluster at `address` or RAY_ADDRESS and demands `gpus` of it, at least one.
    """
    check_request(cluster, address=address, gpus=gpus)
    quiet_environment()
    os.environ["RAY_raylet_start_wait_time_s"] = "240"  # noqa: SIM112 - Ray spells it so
    if cluster == "gpu":
        return _join(address or os.environ["RAY_ADDRESS"], gpus or 1)
    return _start(cpus or os.cpu_count() or 1, _gpus_here() if gpus is None else gpus)


def check_request(cluster: str, *, address: str | None, gpus: int | None) -> None:
    """What can be refused without starting or joining anything; raises StudyError."""
    if cluster not in CLUSTERS:
        raise StudyError(f"CLUSTER={cluster}: unknown.{nearest(cluster, CLUSTERS)} Allowed: {', '.join(CLUSTERS)}.")
    if cluster == "gpu" and not (address or os.environ.get("RAY_ADDRESS")):
        raise StudyError(
            "CLUSTER=gpu: no cluster is named; give ADDRESS=<host>:6379 or set RAY_ADDRESS, or use CLUSTER=local."
        )
    if cluster == "gpu" and gpus == 0:
        raise StudyError("GPUS=0 with CLUSTER=gpu: that cluster is asked for GPUs; use CLUSTER=local for the CPU.")
    if cluster == "local" and address:
        raise StudyError(
            f"ADDRESS={address} with CLUSTER=local: an address belongs to CLUSTER=gpu; leave one of them out."
        )
    seen = _gpus_here()
    if cluster == "local" and gpus is not None and gpus > seen:
        raise StudyError(
            f"GPUS={gpus}: this machine shows {seen} GPUs; ask for at most that many, or GPUS=0 for the CPU."
        )


def disconnect() -> None:
    """Leave Ray; a cluster that this process started ends with it."""
    import ray

    ray.shutdown()


def _join(address: str, gpus: int) -> Cluster:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": dict(QUIET)}, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StudyError(
            f"ADDRESS={address}: no Ray cluster answers there ({first}); start it or mend the address."
        ) from None
    found = _describe("gpu")
    if found.gpus < gpus:
        disconnect()
        raise StudyError(
            f"CLUSTER=gpu: the cluster at {address} has {found.nodes} nodes, {found.cpus:g} CPUs and "
            f"{found.gpus:g} GPUs, {gpus} asked for; join GPU nodes to it, or use CLUSTER=local."
        )
    return found


def _start(cpus: int, gpus: int) -> Cluster:
    # A local ray.init would create a token file and turn tokens on for the user's later clusters.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    import ray

    ray.init(
        address="local",  # even where RAY_ADDRESS names a cluster
        num_cpus=cpus,
        num_gpus=gpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100 * 2**20,
        _node_ip_address="127.0.0.1",
        _temp_dir=_short_folder(),
    )
    return _describe("local")


def _describe(name: str) -> Cluster:
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = ([node.get(kind, 0.0) for node in nodes] for kind in ("CPU", "GPU"))
    return Cluster(name, sum(cpus), sum(gpus), len(nodes), tuple(zip(cpus, gpus, strict=True)))


def _gpus_here() -> int:
    """GPUs that this process may use, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([number for number in visible.split(",") if number.strip() not in {"", "-1"}])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def _short_folder() -> str:
    """Where Ray keeps sockets, whose paths may have 107 bytes, and logs, which only their owner may read."""
    folder = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / f"ray-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(folder)
