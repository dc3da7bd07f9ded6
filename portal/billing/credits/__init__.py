"""Correct issued invoices by credit notes. Nothing else can change what an issued invoice charges (D38 to D40).

`notes` has the tables and finds credit notes, `choosing` computes what a choice of lines and minutes would credit, and
`issuing` issues a credit note. A database trigger makes the credited time billable again, so that time on an invoice
cannot become billable again without a credit note.
"""
