"""From approved time to invoices: a pure engine of values, and what stores its results."""
