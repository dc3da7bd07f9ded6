"""Benchmarks: measure the performance figures of the README with `./dev bench`."""
