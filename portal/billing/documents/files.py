"""Store the PDF and CSV files of a document when it becomes final, with the SHA-256 hash of each file (R65, D37).

Issued invoices, statements and credit notes are final; their stored files never change.
"""

import asyncio
import uuid
from hashlib import sha256

from piccolo.columns import UUID, BigInt, BigSerial, Bytea, Text
from piccolo.table import Table

from portal.billing.credits.notes import CreditNote
from portal.billing.documents import detail
from portal.billing.documents.detail import DetailRow
from portal.billing.documents.invoices import Invoice
from portal.billing.documents.statements import Statement
from portal.database import current
from portal.database.rows import one
from portal.exports import write_csv
from portal.money import digits_of


class StoredDocument(Table, tablename="document"):
    """A file of an issued invoice, a statement or a credit note; exactly one of the three ids is set."""

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    invoice_id = BigInt(null=True, default=None)
    statement_id = UUID(null=True, default=None)
    credit_note_id = BigInt(null=True, default=None)
    kind = Text(default=None)
    content = Bytea(default=None)
    sha256 = Bytea(default=None)


async def keep(
    kind: str,
    content: bytes,
    customer_id: int,
    *,
    invoice_id: int | None = None,
    statement_id: uuid.UUID | None = None,
    credit_note_id: int | None = None,
) -> None:
    """Store a file (`kind` is `pdf` or `csv`) of the document that becomes final in this transaction.

    Pass exactly one of the document's ids. The SHA-256 of `content` is stored too.
    """
    await StoredDocument.insert(
        StoredDocument(
            customer_id=customer_id, invoice_id=invoice_id, statement_id=statement_id, credit_note_id=credit_note_id,
            kind=kind, content=content, sha256=sha256(content).digest(),
        )
    )  # fmt: skip


async def hand_out(kind: str, document: Invoice | Statement | CreditNote) -> bytes:
    """Return a stored file (`kind` is `pdf` or `csv`) of a document, and record in the audit log who received it (R89).

    The caller must have checked that the reader may see the document. Raise `NotFound` if no file of this kind is
    stored for the document; PDFs of statements are not stored.
    """
    subject = (
        ("statement", document.contract_id)
        if isinstance(document, Statement)
        else (_OWNERS[type(document)], document.id)
    )
    content = await stored(kind, document)
    await current().execute("select record_export($1, $2, $3)", *subject, kind)
    return content


async def stored(kind: str, document: Invoice | Statement | CreditNote) -> bytes:
    """Return a stored file (`kind` is `pdf` or `csv`) of a document, as it was made when the document became final.

    The caller must have checked that the recipient may see the document, and must record who receives it. Raise
    `NotFound` if the document has no file of this kind.
    """
    column = getattr(StoredDocument, f"{_OWNERS[type(document)]}_id")
    found = await one(StoredDocument.objects().where(StoredDocument.kind == kind, column == document.id))
    return bytes(found.content)


_OWNERS: dict[type[Table], str] = {Invoice: "invoice", Statement: "statement", CreditNote: "credit_note"}
"""The name of each class of document in the audit log. With `_id` appended, it names the column for the document's id.
"""


async def csv(title: str, rows: list[DetailRow], currency: str) -> bytes:
    """Return the time detail of a document, `rows`, as a CSV file, which a worker thread writes.

    `title` is the title of the sheet. Amounts have as many decimals as `currency`, an ISO 4217 code, has. The file has
    no row of totals, so that the amounts in it sum to the net of the invoice (D55).
    """
    return await asyncio.to_thread(lambda: write_csv(detail.sheet(title, rows, digits_of(currency))))
