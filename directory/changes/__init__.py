"""Reading a whole directory, and what changed in it since: records one by one, and a result that says what they are worth.

    reader = ChangeReader(settings)
    async with reader.read_dirsync(cookie, attributes=("mail", "member")) as reading:
        async for record in reading:
            ...
    result = reading.result      # complete, partial, failed or cookie_refused; why; the next cookie

The contract:

- **Records** (`DirectoryRecord`) come as the server sends them, with back-pressure down to the socket: while the consumer is
  busy, at most 64 KiB and one read wait here. Only one message may take more, up to `ReadLimits.largest_message`.
- What a record says depends on its `kind`. `whole`: all that was asked for; what is not in it, the object does not have.
  `changed`: what is not in it is as before. `present`: unchanged. `deleted`: gone, or a tombstone with what is left of it.
  DirSync's are `changed` even at the first reading: a large object may come in several pieces.
- **An object is identified** by `key` (objectGUID or entryUUID, 16 bytes), never by its DN, which follows renames above it.
- Values are bytes. A cleared attribute is named in `cleared`; of a linked attribute that is read incrementally (`member`),
  `added` and `removed` hold single values. A range (`member;range=0-1499`) is completed before its record is handed over.
- **The end** (`ReadResult`) is a value, whatever happened to the directory; only defects of ours raise. `exhaustive`, true
  of complete readings only, says that an object without a record is not there. Of a partial reading, `cookie` is the one to
  continue with; records may then come a second time. A deletion may be told of an object that was never told of.
- **A cookie** is opaque bytes, bound to the database that gave it (invocationId of the domain controller; entryUUID of the
  base elsewhere) and to what was asked. One that fits neither, that is damaged, that the server does not take, or that is
  from the future of a database that was put back, gives `cookie_refused`: read in full, from no cookie.
- **Domain controllers** are chosen, trusted, left alone while they are down, and signed in to as for sign-ins. Until the
  first record another one is asked where one fails; after it, the reading is partial.
- Every wait ends: `ReadLimits.silence` seconds without a byte, `ReadLimits.seconds` in all. Leaving the `async with` early,
  or being cancelled, hangs up, which abandons the search at the server, and leaves nothing behind.
"""

from directory.changes.model import DirectoryRecord, ReadLimits, ReadOutcome, ReadResult, RecordKind
from directory.changes.reader import ChangeReader
from directory.changes.records import ExtendedDn, parse_extended_dn
from directory.changes.run import Reading

__all__ = [
    "ChangeReader",
    "DirectoryRecord",
    "ExtendedDn",
    "ReadLimits",
    "ReadOutcome",
    "ReadResult",
    "Reading",
    "RecordKind",
    "parse_extended_dn",
]
