"""Compute from the entries what is used and left of services and vouchers, and what services have earned."""
