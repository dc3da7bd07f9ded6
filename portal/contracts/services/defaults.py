"""Default services: the services that a customer's new cases get, by case type."""

from msgspec import Struct
from piccolo.columns import BigInt
from piccolo.table import Table

from portal.contracts.case_types import CaseType
from portal.contracts.services import Service
from portal.people.readers import SYSTEM


class DefaultChoice(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields with the default service for new cases of one case type.

    If `case_type_id` is None, the choice is for all case types without a default of their own. If `service_id` is None,
    the default is removed.
    """

    service_id: int | None = None
    case_type_id: int | None = None


class DefaultsShown(Struct, forbid_unknown_fields=True, kw_only=True):
    """The default services of a customer as a page showed them. The page's form sends them back as an optimistic lock.

    The keys are ids of case types as text; the key "" is for all case types without a default of their own.
    """

    services: dict[str, int]

    @classmethod
    def of(cls, services: dict[int | None, int]) -> "DefaultsShown":
        """Return the default services with keys for JSON: ids of case types become text, and None becomes "".

        `services` is a result of `DefaultService.of`.
        """
        return cls(services={str(case_type or ""): service for case_type, service in services.items()})

    def choice(self, case_type: int | None) -> DefaultChoice:
        """Return the default service that the page showed for `case_type`.

        None stands for all case types without a default of their own.
        """
        return DefaultChoice(service_id=self.services.get(str(case_type or "")), case_type_id=case_type)


class DefaultService(Table, tablename="default_service"):
    """The default service of a customer's new cases of one case type.

    For a new case, the row of its case type applies; without such a row, the row whose case type is null. In the
    database, customer and case type together are unique, and null counts as a value. Piccolo cannot express such a key.
    """

    customer_id = BigInt(primary_key=True, default=None)
    case_type_id = BigInt(null=True, default=None)
    service_id = BigInt(default=None)

    @classmethod
    async def of(cls, customer: int) -> dict[int | None, int]:
        """Return the ids of a customer's default services by case type.

        The key None is for all case types without a default of their own.
        """
        rows = await cls.select(cls.case_type_id, cls.service_id).where(cls.customer_id == customer)
        return {row["case_type_id"]: row["service_id"] for row in rows}

    @classmethod
    async def choose(cls, customer: int, service: int | None, *, case_type: int | None = None) -> None:
        """Set or remove the default service of a customer's new cases. Existing cases keep their service.

        The default is for cases of `case_type` or, if that is None, of all case types without a default of their own.
        If `service` is None, the default is removed. Raise `NotFound` for an unknown case type, or if the service
        belongs to another customer (R29).
        """
        if case_type is not None:
            await CaseType.find(case_type)
        if service is None:
            await cls.delete().where(cls.customer_id == customer, cls.case_type_id == case_type)
            return
        await Service.find(service, SYSTEM, customer=customer)
        await cls.insert(cls(customer_id=customer, case_type_id=case_type, service_id=service)).on_conflict(
            target=(cls.customer_id, cls.case_type_id), action="DO UPDATE", values=[cls.service_id]
        )
