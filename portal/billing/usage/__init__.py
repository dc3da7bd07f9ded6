"""Say what is used and left of services and vouchers, and what services have earned: all of it derived from the entries."""
