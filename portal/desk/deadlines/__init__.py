"""The deadlines of cases: by when the company answers and solves a case, counted in its business hours (S3.20, D49)."""
