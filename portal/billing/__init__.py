"""Turn approved time into invoices.

The package `engine` computes everything from values, without the database; the other modules load the values and store
the results. Other packages of the portal use only the names in `names`, which they import from here. A function runs in
the caller's transaction, unless its docstring says otherwise. In every function, `by` is the person who acts and `at`
the present instant. Functions raise the classes of `portal.errors`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portal.billing.names import *  # noqa: F403 (the names are listed there)
else:

    def __getattr__(name: str) -> Any:
        """Return the name `name` of the module `names`.

        The module is imported only when a name is first used, because `portal simulate` needs only the engine.
        """
        return getattr(import_module("portal.billing.names"), name)
