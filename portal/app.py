"""Build the ASGI app. Only this module imports every part of the portal."""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pgqueuer  # noqa: F401 - loaded before the web processes are forked; `portal.jobs` would load it in a request
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide

from portal import agent, customer, database
from portal.agent.pages import frame
from portal.contracts import logo
from portal.contracts.company import Company
from portal.database import schema, transaction
from portal.errors import Unavailable
from portal.settings import Settings
from portal.storage import Storage, open_storage
from portal.web import account, files, help, live, sessionless
from portal.web.bodies import receiving
from portal.web.drafts import routes as draft_routes
from portal.web.errors import HANDLERS
from portal.web.gate import Gate
from portal.web.guards import anybody, signed_in
from portal.web.monitoring import health, metrics
from portal.web.visit import CompanyBrief, Web, visit_of


def create_app(settings: Settings | None = None) -> Gate:
    """Return the ASGI app: all routes and error handlers, behind the `Gate` that each request passes first.

    If `settings` is None, the settings are read from the environment. The storage is opened at once. The start of the
    app connects to the database, and in production raises `ValueError` if the app must not run on that database.
    """
    settings = settings or Settings.from_environment()
    storage = open_storage(settings.storage_url)
    listener = live.Listener()

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        if settings.app_url is None:
            raise RuntimeError("There is no database URL.")
        await database.start(settings.app_url, role=settings.app_role, size=settings.pool_size)
        if (
            settings.environment == "production"
        ):  # `portal serve` runs the same check earlier for a readable message; other ASGI servers rely on this one.
            await schema.refuse_unfit(settings.app_url, production=True)
        with contextlib.suppress(Unavailable):  # If the database is down, the first signed-in page loads the company.
            gate.company = await _company() or gate.company
        listener.start()
        try:
            yield
        finally:
            await listener.stop()
            await database.stop()

    dependencies: dict[str, Any] = {
        "reader": Provide(_reader, sync_to_thread=False),
        "form": Provide(_form, sync_to_thread=False),
        "at": Provide(_at, sync_to_thread=False),
        "storage": Provide(_storage, sync_to_thread=False),
    }
    inner = Litestar(
        route_handlers=[
            health.show,
            metrics.show,
            files.static_file,
            files.show_logo,
            *sessionless.handlers,
            *account.handlers,
            Router("/help", route_handlers=help.handlers, guards=[anybody]),
            Router("/", route_handlers=draft_routes.handlers, guards=[signed_in]),
            live.contact_stream,
            live.agent_stream,
            customer.router,
            agent.router,
        ],
        dependencies=dependencies,
        before_request=receiving.read,
        exception_handlers=HANDLERS,
        lifespan=[lifespan],
        state=State({"listener": listener, "frame": _frame}),
        openapi_config=None,
        request_max_body_size=None,  # Forms and file uploads have their own limits, which are enforced while the body arrives.
        logging_config=None,
    )
    gate = Gate(inner, settings, storage)
    return gate


async def _company() -> CompanyBrief | None:
    """Return the facts about the company that the sign-in page shows, or None before the company is set up."""
    async with transaction(None, readonly=True):
        company, drawn = await Company.find(), await logo.digest()
    return CompanyBrief(company.name, company.currency, company.time_zone, drawn) if company else None


async def _frame(reader: Any, at: datetime) -> dict[str, Any]:
    """Return the template variables of the layout of signed-in pages: counts and timers for agents, {} for contacts."""
    return await frame(reader, at) if reader.is_agent else {}


def _reader(request: Web) -> Any:
    return visit_of(request).reader


def _form(request: Web) -> Any:
    return visit_of(request).form


def _at(request: Web) -> Any:
    return visit_of(request).at


def _storage(request: Web) -> Storage:
    return visit_of(request).storage
