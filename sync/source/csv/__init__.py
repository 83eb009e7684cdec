"""Files of comma-separated values as a source, one object on each line (RFC 4180).

What belongs here: encoding, lines, columns and keys, and whether a file is whole. What does not: what becomes of the
objects. A file is read once, from beginning to end, a line at a time: its size does not matter to the memory.
"""

from sync.source.csv.source import CsvSource

__all__ = ["CsvSource"]
