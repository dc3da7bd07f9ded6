"""Tests of the package `portal.reports`."""
