"""Test a production site: its own database roles, HTTPS behind the documented nginx, two portals and one worker."""

import asyncio
import contextlib
import datetime as dt
import os
import re
import shutil
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.database import schema
from portal.embedded import EmbeddedPostgres
from tests.served import ROOT, Portal, csrf, free_port, start
from tests.world import ADA, INCIDENT, PASSWORD, cast_rows

pytestmark = [pytest.mark.slow, pytest.mark.infra]

SECRET = "kX7-vT3pQ9mZ2wR8_bN5cL1jH6fD4sAy"


@dataclass
class Cluster:
    """A PostgreSQL server with the URLs of two roles and of a superuser.

    `owner` owns the tables and may create roles; `app` serves pages.
    """

    owner: str
    app: str
    superuser: str


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("production"))
    superuser = postgres.start()
    try:
        asyncio.run(
            _run(
                superuser,
                "create role portal_owner login createrole",
                "create role portal_web login in role pg_read_all_stats",
            )
        )
        asyncio.run(_run(superuser, "create database production owner portal_owner"))
        yield Cluster(
            postgres.url("production", role="portal_owner"), postgres.url("production", role="portal_web"), postgres.url("production")
        )  # fmt: skip
    finally:
        postgres.remove()


async def _run(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def command(cluster: Cluster, *words: str, typed: str = "", **more: str) -> tuple[int, str]:
    """Run a `portal` command with the settings of production, and return its exit status and its standard error."""
    environment = {
        "PATH": os.environ["PATH"], "PORTAL_SECRET": SECRET, "PORTAL_BASE_URL": "https://localhost:8443", "PORTAL_DATA": "/nonexistent",
        "PORTAL_STORAGE_URL": "s3://nowhere/files", "DATABASE_URL": cluster.app,
    } | more  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "portal", *words), env=environment, cwd=ROOT, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate(typed.encode())
    return process.returncode or 0, said.decode()


async def test_serve_says_in_one_sentence_why_it_does_not_start(cluster: Cluster) -> None:
    """R24, R86, R88: `portal serve` refuses an unsuitable database or database role with one error message.

    It refuses a server that it cannot reach, a superuser, and a role that is not a member of `portal_app`. After the
    set-up that docs/operations.md describes, it still refuses the owner of the tables as its role, and a database that
    lacks a migration. It starts no process and prints no traceback.
    """
    serve = ("serve", "--port", str(free_port()))
    nowhere = "postgresql://portal@127.0.0.1:1/portal"
    for words, url, sentence in (
        (serve, cluster.superuser, "names a superuser"),
        (serve, cluster.owner, "is not a member of portal_app"),
        (serve, cluster.app, "is not a member of portal_app"),
        (("worker",), cluster.app, "is not a member of portal_app"),
        (serve, nowhere, "lets nobody in"),
    ):
        status, said = await command(cluster, *words, DATABASE_URL=url)
        assert (status, said.count("\n")) == (1, 1), said
        assert sentence in said
    status, said = await command(cluster, "migrate", DATABASE_OWNER_URL=cluster.owner)
    assert (status, said) == (0, "")
    await _run(cluster.owner, "grant portal_app to portal_web")
    status, said = await command(cluster, *serve, DATABASE_URL=cluster.owner)
    assert (status, "names the owner of the tables" in said) == (1, True)
    await _run(cluster.owner, "delete from migration where name = (select max(name) from migration)")
    status, said = await command(cluster, *serve)
    assert (status, "lacks 1 of" in said) == (1, True)
    await _run(
        cluster.superuser, "drop owned by portal_owner cascade", "drop role portal_web", "create role portal_web login"
    )


def certificate(folder: Path) -> tuple[Path, Path]:
    """Create a certificate for localhost that is valid for an hour, and return its path and the path of its key."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "fullchain.pem", folder / "privkey.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


def nginx_configuration(folder: Path, port: int, portals: list[int]) -> Path:
    """Write the documented nginx configuration with this test's names and ports to a file, and return its path."""
    site = (ROOT / "docs" / "nginx.conf").read_text()
    chain, private = certificate(folder)
    servers = "\n".join(f"    server 127.0.0.1:{one} max_conns=900 max_fails=2 fail_timeout=5s;" for one in portals)
    for before, after in (
        ("support.company.example", "localhost"),
        ("    server 127.0.0.1:8000 max_conns=900 max_fails=2 fail_timeout=5s;", servers),
        ("/etc/ssl/portal/fullchain.pem", str(chain)),
        ("/etc/ssl/portal/privkey.pem", str(private)),
        ("    listen 443 ssl http2;\n    listen [::]:443 ssl http2;", f"    listen 127.0.0.1:{port} ssl http2;"),
        ("    listen 80;\n    listen [::]:80;", f"    listen 127.0.0.1:{free_port()};"),
        ("client_header_timeout 10s", "client_header_timeout 2s"),
        ("client_body_timeout 15s", "client_body_timeout 2s"),
    ):
        assert before in site, before
        site = site.replace(before, after)
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''} daemon off; worker_rlimit_nofile 10000; pid {folder}/nginx.pid; error_log {folder}/error.log;"
        f" events {{ worker_connections 4096; }} http {{ access_log off; {temporary} include {folder}/site.conf; }}"
    )
    return main


@dataclass
class Site:
    """The processes that serve one HTTPS URL: nginx, two portals and a worker."""

    url: str
    port: int
    trusts: ssl.SSLContext
    portals: list[Portal]
    worker: Portal
    cluster: Cluster

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, verify=self.trusts, timeout=30)


@pytest.fixture
async def site(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Site]:
    """Set up a production site as docs/operations.md says, and yield it.

    The steps are: migrate as the owner, grant privileges, create an admin, start two portals, a worker and nginx.
    """
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx, "There is no nginx: on Debian, apt-get install nginx-light"
    port, folder = free_port(), tmp_path / "nginx"
    folder.mkdir()
    files = tmp_path / "files"
    files.mkdir(mode=0o700)
    base = f"https://localhost:{port}"
    environment = {
        "PORTAL_ENVIRONMENT": "production", "PORTAL_SECRET": SECRET, "PORTAL_BASE_URL": base, "PORTAL_DATA": str(tmp_path / "data"),
        "PORTAL_STORAGE_URL": f"file://{files}", "PORTAL_TRUSTED_PROXIES": "127.0.0.1", "PORTAL_WORKERS": "1",
        "DATABASE_URL": cluster.app,
    }  # fmt: skip
    status, said = await command(cluster, "migrate", DATABASE_OWNER_URL=cluster.owner)
    assert status == 0, said
    await _run(cluster.owner, "grant portal_app to portal_web", cast_rows())
    status, said = await command(
        cluster, "admin", "create", "--name", "Olga", "--email", "olga@desk.example", typed="violet kettle under seven bridges"
    )  # fmt: skip
    assert status == 0, said
    ports = [free_port(), free_port()]
    portals = [
        await start(environment, tmp_path / f"portal-{one}.log", "serve", "--port", str(one), "--no-worker", port=one)
        for one in ports
    ]
    worker = await start(environment, tmp_path / "worker.log", "worker")
    configuration = nginx_configuration(folder, port, ports)
    proxy = await asyncio.create_subprocess_exec(nginx, "-p", str(folder), "-c", str(configuration))
    trusts = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
    try:
        for portal in portals:
            assert await portal.answers(), portal.said()
        yield Site(base, port, trusts, portals, worker, cluster)
    finally:
        proxy.terminate()
        await proxy.wait()
        for portal in (*portals, worker):
            await portal.stop()


async def signed_in(client: httpx.AsyncClient) -> httpx.Response:
    token = await csrf(client, "/sign-in")
    return await client.post("/sign-in", data={"email": ADA.email, "password": PASSWORD, "csrf": token})


async def open_case(client: httpx.AsyncClient, subject: str, content: bytes = b"") -> httpx.Response:
    form = {
        "csrf": await csrf(client, "/cases/new"),
        "subject": subject,
        "body": "It drops.",
        "case_type": str(INCIDENT),
        "priority": "2",
    }
    files = {"files": ("disk.log", content)} if content else None
    return await client.post("/cases/new", data=form, files=files)


async def test_the_production_form(site: Site) -> None:
    """R6, R19, R41, R43, R58: a production site behind nginx works in each of the steps below."""
    async with site.client() as ada, site.client() as other:
        await _cookies_and_addresses(site, ada)
        await signed_in(other)
        await _files(ada)
        await _live(ada, other)
        await _slow_clients(site)
        await _agent_needs_a_second_factor(site)
        await _one_portal_dies(site, ada)


async def _agent_needs_a_second_factor(site: Site) -> None:
    """Check that an admin made by `portal admin create` must set up a second factor too (R9)."""
    async with site.client() as admin:
        fields = {
            "email": "olga@desk.example",
            "password": "violet kettle under seven bridges",
            "csrf": await csrf(admin, "/sign-in"),
        }
        assert (await admin.post("/sign-in", data=fields)).headers["location"] == "/"
        assert (await admin.get("/agent/cases")).headers["location"] == "/account/second-factor"


async def _cookies_and_addresses(site: Site, ada: httpx.AsyncClient) -> None:
    """Sign Ada in, and check the cookie, the headers, and that clients cannot choose the IP address that is recorded.

    Also check that a request with another host name or for `/metrics` is refused, and that pages are compressed.
    """
    ada.headers["x-forwarded-for"] = "192.0.2.66"
    ada.headers["x-forwarded-host"] = "evil.example"
    answer = await signed_in(ada)
    assert answer.status_code == 303, answer.text
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-sid="))
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    connection = await asyncpg.connect(site.cluster.superuser)
    try:
        assert await connection.fetchval("select address from session order by id desc limit 1") == "127.0.0.1"
    finally:
        await connection.close()
    # Sign-in attempts with forged client IP addresses are counted as attempts from one IP address.
    async with site.client() as guesser:
        token, statuses = await csrf(guesser, "/sign-in"), []
        for n in range(11):
            fields = {"email": "gil@globex.example", "password": f"wrong {n}", "csrf": token}
            guess = await guesser.post("/sign-in", data=fields, headers={"x-forwarded-for": f"198.51.100.{n}"})
            statuses.append(guess.status_code)
        assert statuses == [422] * 10 + [429]
        assert (await guesser.get("/sign-in", headers={"host": "evil.example"})).status_code in {400, 421}
        assert (await guesser.get("/metrics")).status_code == 404
        page = await guesser.get("/sign-in")
        assert (page.headers["content-encoding"], "Accept-Encoding" in page.headers["vary"]) == ("br", True)


async def _files(ada: httpx.AsyncClient) -> None:
    """Check that Ada can send a file of 17 MB and read it again, and that one of more than 25 MB is refused (R58)."""
    content = b"".join(b"%08d nothing to be seen\n" % n for n in range(600_000))
    made = await open_case(ada, "With a large file", content)
    assert made.status_code == 303
    page = await ada.get(made.headers["location"])
    path = re.search(r'/cases/[0-9]+/files/[^"]+', page.text)
    assert path
    assert (await ada.get(path[0])).content == content
    refused = await open_case(ada, "With too large a file", content * 2)
    assert refused.status_code == 422
    assert "has more than 25 MB and is left out" in refused.text
    assert "With too large a file" not in (await ada.get("/cases?show=all")).text


async def _live(ada: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    """Check that a change saved by one portal reaches two event streams, which nginx divides between the two portals."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async with other.stream("GET", "/live", headers={"hx-request": "true", "last-event-id": "1"}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert "content-encoding" not in stream.headers
            async for line in stream.aiter_lines():
                if line.startswith("event:"):
                    await heard.put(line)

    listeners = [asyncio.create_task(listen()) for _ in range(2)]
    try:
        for _ in listeners:
            assert await asyncio.wait_for(heard.get(), 10) == "event: refetch"
        assert (await open_case(ada, "Heard at once")).status_code == 303
        told = [await asyncio.wait_for(heard.get(), 5) for _ in range(4)]
        assert sorted(told)[-2:] == ["event: cases", "event: cases"]
    finally:
        for listener in listeners:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
                await listener


async def _slow_clients(site: Site) -> None:
    """Check that a client that stops inside a header or a body is disconnected while others are served (R83)."""

    def begin(text: bytes) -> ssl.SSLSocket:
        wrapped = site.trusts.wrap_socket(
            socket.create_connection(("127.0.0.1", site.port)), server_hostname="localhost"
        )
        wrapped.sendall(text)
        return wrapped

    def is_cut(slow: ssl.SSLSocket) -> bool:
        slow.settimeout(15)
        try:
            while slow.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        finally:
            slow.close()
        return True

    header = b"POST /cases/new HTTP/1.1\r\nHost: localhost:%d\r\n" % site.port
    body = header + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nemail="
    slow = [await asyncio.to_thread(begin, text) for text in (header, body) for _ in range(20)]
    async with site.client() as client:
        assert (await client.get("/sign-in")).status_code == 200
    assert all(await asyncio.gather(*(asyncio.to_thread(is_cut, one) for one in slow)))


async def _one_portal_dies(site: Site, ada: httpx.AsyncClient) -> None:
    """Kill one portal and check that the other serves Ada's session; kill both and check that nginx shows a page."""
    await site.portals[0].kill()
    for _ in range(5):
        assert (await ada.get("/cases")).status_code == 200
    assert (await open_case(ada, "By the other one")).status_code == 303
    await site.portals[1].kill()
    for _ in range(50):  # The portal's child processes exit a moment later.
        away = await ada.get("/cases")
        if away.status_code != 200:
            break
        await asyncio.sleep(0.1)
    assert (away.status_code, "We are away for a moment" in away.text) == (503, True)
    assert away.headers["retry-after"] == "30"


def test_the_schema_check_counts_what_the_code_knows() -> None:
    assert len(schema.migration_names()) >= 14
