"""The troubleshooter's view of a directory: its names, its controllers, the service account's rights, the lockout policies.

Off the hot path, so it speaks through ldap3: what an independent client sees is worth more here than speed. What belongs
here: reading what a directory says of itself, and judging settings by it. What does not: anything that a sign-in needs.
"""

from directory.inspection.inspection import inspect
from directory.inspection.survey import read_authorities, read_reading

__all__ = ["inspect", "read_authorities", "read_reading"]
