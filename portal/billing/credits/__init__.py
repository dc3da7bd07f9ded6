"""Correct issued invoices by credit notes, the only way to do so (D38 to D40).

`notes` has the tables and finds credit notes, `choosing` computes what a choice of lines and minutes would credit, and
`issuing` issues a credit note. Freeing the credited time is the work of a trigger, so that no time is freed without one.
"""
