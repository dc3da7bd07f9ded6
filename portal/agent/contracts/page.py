"""Serve the page of one contract: what is agreed, its services, and its renewals."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import agent_page
from portal.contracts.contracts import Contract
from portal.contracts.renewals import ContractRenewal
from portal.contracts.services import Service
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.web.notices import reads_notices
from portal.web.visit import Web


@get("/contracts/{contract:int}")
@reads_notices
async def show(request: Web, reader: NamedDependency[AgentReader], contract: FromPath[int]) -> Response[str]:
    """Show the page of a contract, with its services and its renewals."""
    found = await Contract.find(contract, reader)
    return await agent_page(
        request, reader, "agent/contracts/show.html", contract=found,
        customer=await Customer.find(found.customer_id, reader), services=await Service.of_contract(found.id),
        renewals=await ContractRenewal.of(found.id),
    )  # fmt: skip


handlers: list[Any] = [show]
