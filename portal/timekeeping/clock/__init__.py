"""Time by the clock: timers that agents start and stop, and work in the case log that nobody logged."""
