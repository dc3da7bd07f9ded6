"""The rules that admins set for time tracking, for whom time may be logged, and warnings about unusual time."""
