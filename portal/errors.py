"""Expected refusals: each carries a sentence for the person who asked and the HTTP status that says it to machines.

Nouns raise them, one handler renders them as a page, a fragment or problem JSON (design.md, manner 12).
"""


class Refusal(Exception):
    """Something that was asked for is not done. `sentence` is shown to the reader, nothing else of it is."""

    status = 400
    default = "This request cannot be read."

    def __init__(self, sentence: str = "") -> None:
        self.sentence = sentence or self.default
        super().__init__(self.sentence)


class BadRequest(Refusal):
    """The request itself is malformed; a form that a person filled in wrongly is `Invalid`."""


class Forbidden(Refusal):
    """The reader may know that it exists, but may not do this. For what they may not know of, raise `NotFound`."""

    status = 403
    default = "You may not do this."


class NotFound(Refusal):
    """It is not there, or it is not the reader's: the two look the same (design.md, manner 5)."""

    status = 404
    default = "There is nothing at this address."


class Conflict(Refusal):
    """Somebody else was faster, or the state it was asked in has passed."""

    status = 409
    default = "Somebody else has changed this meanwhile. Look at it again."


class TooLarge(Refusal):
    """A body or a file over its limit."""

    status = 413
    default = "This is too large."


class Invalid(Refusal):
    """A form that has to be corrected: `fields` maps a field's name to one sentence, "" to one about the whole form."""

    status = 422
    default = "Some fields need a correction."

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__(self.fields.get("") or next(iter(self.fields.values()), ""))


class TooMany(Refusal):
    """Too many attempts; `retry_after` is the number of whole seconds after which another one is looked at."""

    status = 429
    default = "Too many attempts. Try again later."

    def __init__(self, sentence: str = "", *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(sentence)


class Unavailable(Refusal):
    """A part that is needed (the database, the storage) does not answer."""

    status = 503
    default = "A part of the portal does not answer at the moment. Try again in a minute."


class Full(Refusal):
    """There is no room left for a file: the disk is nearly full, or the customer's share is used up (R58)."""

    status = 507
    default = "There is no room for files at the moment. Send your text without them, or try again later."
