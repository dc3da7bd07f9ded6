"""Refusals: expected errors. Each has an HTTP status, and an error message for the person who made the request.

Functions of all packages raise them; the handlers in `portal/web/errors.py` turn them into a page or a fragment.
"""


class Refusal(Exception):
    """The base of all refusals of a request.

    `sentence` is the error message for the person who made the request. `status` is the HTTP status of the response,
    and `default` the message if none is given.
    """

    status = 400
    default = "This request cannot be read."

    def __init__(self, sentence: str = "") -> None:
        self.sentence = sentence or self.default
        super().__init__(self.sentence)


class BadRequest(Refusal):
    """The request is malformed. For a form that a person filled in wrongly, raise `Invalid` instead."""


class Forbidden(Refusal):
    """The reader may see the thing, such as a case, but may not do with it what the request asks for.

    If the reader may not see the thing, raise `NotFound`.
    """

    status = 403
    default = "You may not do this."


class NotFound(Refusal):
    """The thing does not exist, or the reader may not see it. The response is the same for both."""

    status = 404
    default = "There is nothing at this address."


class TooSlow(Refusal):
    """The request body took longer to arrive than allowed. The handler did not run."""

    status = 408
    default = "This took too long to arrive. Send it again, with fewer or smaller files or over a faster connection."


class Conflict(Refusal):
    """Another person has changed the thing in the meantime, or its current state does not allow the action."""

    status = 409
    default = "Somebody else has changed this in the meantime. Look at it again."


class TooLarge(Refusal):
    """A request body or a file is over its size limit."""

    status = 413
    default = "This is too large."


class Invalid(Refusal):
    """A form was filled in wrongly.

    `fields` maps field names to one error message each; "" stands for the whole form.
    """

    status = 422
    default = "Some fields need a correction."

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__(self.fields.get("") or next(iter(self.fields.values()), ""))


class TooMany(Refusal):
    """Too many attempts. `retry_after` is the number of whole seconds until the next attempt is accepted."""

    status = 429
    default = "Too many attempts. Try again later."

    def __init__(self, sentence: str = "", *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(sentence)


class Unavailable(Refusal):
    """A required service (the database, the storage) does not respond."""

    status = 503
    default = "A part of the portal does not answer at the moment. Try again in a minute."


class Full(Refusal):
    """A file cannot be stored: the disk is nearly full, or the customer's quota is used up (R58)."""

    status = 507
    default = "There is no room for files at the moment. Send your text without them, or try again later."
