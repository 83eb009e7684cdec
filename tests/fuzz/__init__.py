"""Targets for fuzzers: they run for as long as one likes, and in short form with the tests."""
