"""What admins allow and refuse in time tracking, for whom time may be logged, and what is warned about."""
