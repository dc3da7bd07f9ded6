"""Make SQL expressions for the names of services and contracts.

If a customer has two services or two contracts of the same name, an addition to the name tells them apart.
"""


def shown_contract(alias: str) -> str:
    """Return the SQL expression for the name of the contract with the table alias `alias`.

    If the customer has another contract of that name, the contract's first day follows the name, as in
    `Support from 1 Jan 2026`.
    """
    return (
        f"({alias}.name || case when exists (select 1 from contract d where d.customer_id = {alias}.customer_id and d.id <> {alias}.id"  # noqa: S608
        f" and lower(d.name) = lower({alias}.name)) then ' from ' || to_char({alias}.start_on, 'FMDD Mon YYYY') else '' end)"
    )


def shown_service(service_id: str) -> str:
    """Return the SQL expression for the name of the service whose id is the SQL expression `service_id`.

    If the customer has another service of that name, the name of the service's contract follows: `Helpdesk, Support`.
    """
    return (
        f"(select x.name || case when exists (select 1 from service o where o.customer_id = x.customer_id and o.id <> x.id"  # noqa: S608
        f" and lower(o.name) = lower(x.name)) then ', ' || {shown_contract('k')} else '' end"
        f" from service x join contract k on k.id = x.contract_id where x.id = {service_id})"
    )
