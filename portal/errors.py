"""Expected refusals: each carries a sentence for the person who asked, and an HTTP status.

Nouns raise them; one handler renders them as a page, a fragment or problem JSON.
"""


class Refusal(Exception):
    """Refuse what was asked for. `sentence` is shown to the reader; nothing else of the exception is."""

    status = 400
    default = "This request cannot be read."

    def __init__(self, sentence: str = "") -> None:
        self.sentence = sentence or self.default
        super().__init__(self.sentence)


class BadRequest(Refusal):
    """Refuse a malformed request; a form that a person filled in wrongly is `Invalid`."""


class Forbidden(Refusal):
    """Refuse what the reader may know of but not do. For what they may not know of, raise `NotFound`."""

    status = 403
    default = "You may not do this."


class NotFound(Refusal):
    """Refuse what does not exist or does not belong to the reader; both look the same."""

    status = 404
    default = "There is nothing at this address."


class TooSlow(Refusal):
    """A body that took longer to arrive than it may; what it held was not saved."""

    status = 408
    default = "This took too long to arrive. Send it again, with fewer or smaller files or over a faster connection."


class Conflict(Refusal):
    """Refuse what somebody else has changed meanwhile, or what the current state does not allow."""

    status = 409
    default = "Somebody else has changed this meanwhile. Look at it again."


class TooLarge(Refusal):
    """Refuse a body or a file over its limit."""

    status = 413
    default = "This is too large."


class Invalid(Refusal):
    """Refuse a form: `fields` maps the name of a field to one sentence, and "" to one about the whole form."""

    status = 422
    default = "Some fields need a correction."

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__(self.fields.get("") or next(iter(self.fields.values()), ""))


class TooMany(Refusal):
    """Refuse an attempt for now; `retry_after` is the number of whole seconds until the next one is accepted."""

    status = 429
    default = "Too many attempts. Try again later."

    def __init__(self, sentence: str = "", *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(sentence)


class Unavailable(Refusal):
    """Refuse because a part that is needed (the database, the storage) does not answer."""

    status = 503
    default = "A part of the portal does not answer at the moment. Try again in a minute."


class Full(Refusal):
    """Refuse a file for lack of space: the disk is nearly full, or the quota of the customer is used up (R58)."""

    status = 507
    default = "There is no room for files at the moment. Send your text without them, or try again later."
