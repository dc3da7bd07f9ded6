"""Serve metrics for Prometheus: counts of this machine's web processes, and the state of the job queue.

The processes of one `portal serve` share a folder (`PROMETHEUS_MULTIPROC_DIR`, set by the parent process), so that each
process can report the metrics of all of them. If there are several machines, Prometheus must scrape each machine
directly, not through the proxy.
"""

import contextlib
import hmac
import os
import re
from pathlib import Path
from typing import Any

import psutil
from litestar import Response, get
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import REGISTRY

from portal import jobs
from portal.database import transaction
from portal.errors import NotFound, Unavailable
from portal.people.readers import SYSTEM
from portal.web.visit import Web, visit_of

REQUESTS = Histogram(
    "portal_request_seconds",
    "Requests by route and outcome; a live stream counts when it ends",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
OPEN_STREAMS = Gauge("portal_streams", "Live streams that are open", multiprocess_mode="livesum")
REFUSED_SIGN_INS = Counter("portal_refused_sign_ins", "Wrong passwords and codes, and tries that came too soon")

_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "POST"))


def observe(scope: Any, status: int, seconds: float) -> None:
    """Count one request, by route, method and status, and record how many seconds it took.

    A path without a route gets the label `-`, so that requests for unknown paths create no new time series.
    """
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(method, route_of(scope), f"{status // 100}xx").observe(seconds)


def route_of(scope: Any) -> str:
    """Return the template of the route, such as `/cases/{number}`, or `-` if no route matches.

    The path itself is not used because it may contain a secret token.
    """
    return str(scope.get("path_template") or "-")


@get("/metrics")
async def show(request: Web) -> Response[bytes]:
    """Serve the metrics if the request has the configured token.

    Raise `NotFound` for a wrong token, and also if no token is configured.
    """
    token = visit_of(request).settings.metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise NotFound
    return Response(_of_the_processes() + await _of_the_database(), media_type=CONTENT_TYPE_LATEST)


def _of_the_processes() -> bytes:
    """Return the metrics of all web processes of this machine, or of this process if there is no shared folder.

    For each process that has ended, delete its count of open streams first; its other counts remain.
    """
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return generate_latest(REGISTRY)
    for file in Path(folder).glob("gauge_live*_*.db"):
        found = re.search(r"_([0-9]+)\.db$", file.name)
        if found and not psutil.pid_exists(int(found[1])):
            with contextlib.suppress(FileNotFoundError):  # Another process has already deleted the file.
                multiprocess.mark_process_dead(int(found[1]), folder)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, folder)
    return generate_latest(registry)


async def _of_the_database() -> bytes:
    """Return the metrics that are read from the database: whether it responds, and the state of the job queue."""
    registry = CollectorRegistry()
    up = Gauge("portal_database_up", "1 while the database answers", registry=registry)
    try:
        async with transaction(SYSTEM, readonly=True):
            state = await jobs.state()
    except Unavailable:
        up.set(0)
        return generate_latest(registry)
    up.set(1)
    waiting = Gauge("portal_jobs", "Jobs in the queue by state", ("state",), registry=registry)
    for name, count in (("waiting", state.waiting), ("running", state.running), ("failed", state.failed)):
        waiting.labels(name).set(count)
    Gauge("portal_oldest_job_seconds", "How long the oldest due job has waited", registry=registry).set(
        state.oldest_seconds
    )
    if state.worker_seconds is not None:
        Gauge("portal_worker_seen_seconds", "How long ago a worker last sent its heartbeat", registry=registry).set(
            state.worker_seconds
        )
    return generate_latest(registry)
