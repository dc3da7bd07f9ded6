"""Time by the clock: timers that agents start and stop, and reminders of work for which nobody logged time."""
