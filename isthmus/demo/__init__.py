"""The demo: a throwaway Active Directory, a relay and two agents on one machine, gone without a trace afterwards.

The throwaway domain serves the tests and the benchmarks too.
"""
