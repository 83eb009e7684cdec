"""The tables, and the steps from one version of them to the next. Which part writes what: docs/developers/sync-state.md.

Numbers stand for what would be repeated millions of times: objects, persons, accounts, and names (`names`: sources, targets,
attributes, rules). 0 stands for none.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x49535443
"""In the header of the file, so that another program's database is not taken for a state."""

_FIRST = """
CREATE TABLE names (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (kind, text)
) STRICT;
INSERT INTO names VALUES (1, 'attribute', 'member');

CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL, holder TEXT NOT NULL, until REAL NOT NULL
) STRICT;
INSERT INTO lease VALUES (1, 0, '', 0.0);

CREATE TABLE sources (
    id INTEGER PRIMARY KEY, cookie BLOB, complete INTEGER NOT NULL, run INTEGER NOT NULL, at REAL NOT NULL,
    completed REAL NOT NULL
) STRICT;

CREATE TABLE objects (
    id INTEGER PRIMARY KEY, source INTEGER NOT NULL, key BLOB, status INTEGER NOT NULL, kind INTEGER NOT NULL,
    parent INTEGER NOT NULL, dn TEXT NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX objects_key ON objects (source, key);
CREATE INDEX objects_parent ON objects (parent);

CREATE TABLE object_names (
    source INTEGER NOT NULL, digest INTEGER NOT NULL, object INTEGER NOT NULL, PRIMARY KEY (source, digest, object)
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    holder INTEGER NOT NULL, attribute INTEGER NOT NULL, member INTEGER NOT NULL, told INTEGER NOT NULL,
    PRIMARY KEY (holder, attribute, member, told)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_member ON links (member, attribute, holder);

CREATE TABLE deletions (
    object INTEGER PRIMARY KEY, evidence TEXT NOT NULL, run INTEGER NOT NULL, at REAL NOT NULL
) STRICT;
CREATE TABLE absence_candidates (object INTEGER PRIMARY KEY, run INTEGER NOT NULL) STRICT;
CREATE TABLE rereads (object INTEGER PRIMARY KEY) STRICT;

CREATE TABLE changed_objects (object INTEGER PRIMARY KEY, causes INTEGER NOT NULL, mark INTEGER NOT NULL) STRICT;
CREATE TABLE affected_persons (person INTEGER PRIMARY KEY, causes INTEGER NOT NULL, mark INTEGER NOT NULL) STRICT;

CREATE TABLE persons (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, content BLOB NOT NULL) STRICT;
CREATE TABLE joins (
    object INTEGER PRIMARY KEY, person INTEGER NOT NULL, source INTEGER NOT NULL, rule INTEGER NOT NULL, since REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX joins_person ON joins (person, source);

CREATE TABLE indexed_attributes (
    scope TEXT NOT NULL, attribute INTEGER NOT NULL, PRIMARY KEY (scope, attribute)
) STRICT, WITHOUT ROWID;
CREATE TABLE person_index (
    attribute INTEGER NOT NULL, digest BLOB NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (attribute, digest, person)
) STRICT, WITHOUT ROWID;
CREATE TABLE account_index (
    target INTEGER NOT NULL, attribute INTEGER NOT NULL, digest BLOB NOT NULL, account INTEGER NOT NULL,
    PRIMARY KEY (target, attribute, digest, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY, person INTEGER NOT NULL, target INTEGER NOT NULL, kind INTEGER NOT NULL, anchor TEXT NOT NULL,
    remote TEXT NOT NULL, confirmed BLOB NOT NULL, sent BLOB, state TEXT NOT NULL, since REAL NOT NULL, flows BLOB
) STRICT;
CREATE UNIQUE INDEX accounts_person ON accounts (person, target);
CREATE INDEX accounts_remote ON accounts (target, remote);
CREATE INDEX accounts_anchor ON accounts (target, anchor);
CREATE TABLE account_links (
    account INTEGER NOT NULL, attribute INTEGER NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (account, attribute, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_links_person ON account_links (person);
CREATE TABLE link_changes (
    account INTEGER NOT NULL, attribute INTEGER NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (account, attribute, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY, allow INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, at REAL NOT NULL,
    target TEXT NOT NULL, person INTEGER, kind TEXT, cause TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, began REAL NOT NULL, ended REAL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
    counts BLOB NOT NULL
) STRICT;
CREATE TABLE journal (
    run INTEGER NOT NULL, operation INTEGER NOT NULL, person INTEGER NOT NULL, target INTEGER NOT NULL, intent BLOB NOT NULL,
    attempts INTEGER NOT NULL, attempted REAL, settled REAL, confirmation BLOB, PRIMARY KEY (run, operation)
) STRICT, WITHOUT ROWID;
CREATE INDEX journal_open ON journal (run, operation) WHERE settled IS NULL;
CREATE INDEX journal_person ON journal (person, run);
CREATE TABLE failures (
    target INTEGER NOT NULL, person INTEGER NOT NULL, cause TEXT NOT NULL, detail TEXT NOT NULL, attempts INTEGER NOT NULL,
    since REAL NOT NULL, last REAL NOT NULL, due REAL NOT NULL, PRIMARY KEY (target, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX failures_due ON failures (due);
"""

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST,)
"""Step n leads from schema n to n + 1; a new file begins at 0. What has been released is never changed, only added to."""

MEMBER: Final = 1
"""Number of the attribute `member`: who has a group as primary group is a member of it."""
