"""What must last and what nodes share: SQLite for one relay, PostgreSQL for several.

What belongs here: for each subject a port, its records and its SQL in one file; transactions, migrations, time-outs. No
other package knows SQL. Each file says which kind of state it holds: lasting, happens once, seen before, a copy.

    audit, chain        what happened, in chains of keyed hashes: records, port, arithmetic
    trail*              the same in tables: written, searched, checked
    head, witness       where the chains end, noted outside the database
    agents bindings tokens api_keys sessions
    trusts logos grants participants consents signing_keys
    once replay         what happens once; what was seen before
    admission           what is counted against names: opaque rows, changed by a rule
    keyring             keys by use, two valid at a time
    generations         whether a copy is old
    duties purge        what one node does for all
    procedures          journals of it, where it goes step by step
    retention           how long the audit trail is kept
    presence            which agents are where
    unit                several subjects in one transaction
    database schema     connections, threads, time-outs; which release can read what
    copies probe        of a SQLite database that is in use; whether a store could be opened
"""

from gateway.store.admission import AdmissionRow, AdmissionRowStore, AdmissionRule, AdmissionWeight
from gateway.store.agents import AgentRecord, AgentStore, Sighting
from gateway.store.api_keys import ApiKeyRecord, ApiKeyStore
from gateway.store.audit import AuditAnchor, AuditEntry, AuditHead, AuditLog, AuditReport, PruneReport, event_fields
from gateway.store.bindings import BindingStore, DirectoryBinding
from gateway.store.chain import AuditEvent
from gateway.store.consents import ConsentRecord, ConsentStore
from gateway.store.copies import check_copy, copy_database, database_file, is_empty
from gateway.store.database import check_store_url
from gateway.store.duties import DutyLease, DutyStore
from gateway.store.errors import (
    AgentRevoked,
    AuditBroken,
    DutyLost,
    ExportBroken,
    KeysUnreadable,
    KeyTooFresh,
    NothingToAccept,
    SigningKeyOutdated,
    StoreEmptied,
    StoreError,
    StoreFull,
    StoreTooNew,
    StoreUnavailable,
    TokenSpent,
    TrustOutdated,
)
from gateway.store.generations import Generations
from gateway.store.grants import GrantRecord, GrantStore, Repeated, Reused, Rotated
from gateway.store.head import AuditHeads
from gateway.store.keyring import DerivedKey, Keyring
from gateway.store.logos import LogoRecord, LogoStore
from gateway.store.once import OnceStore
from gateway.store.participants import ParticipantRecord, ParticipantStore
from gateway.store.presence import AgentPresence, PresenceStore
from gateway.store.probe import check_store
from gateway.store.procedures import ProcedureStore
from gateway.store.purge import Purge
from gateway.store.replay import SeenStore
from gateway.store.retention import AuditSettings, Retention
from gateway.store.schema import RELEASE
from gateway.store.sessions import SessionRecord, SessionStore
from gateway.store.signing_keys import SigningKeyRecord, SigningKeyStore
from gateway.store.store import Store, open_store
from gateway.store.tokens import TokenRecord, TokenStore
from gateway.store.trail_export import ExportEnd, ExportForm, TrailExport, check_export
from gateway.store.trusts import PartyMetadata, TrustRecord, TrustStore
from gateway.store.unit import UnitOfWork
from gateway.store.witness import WITNESS_NAME

__all__ = [
    "RELEASE",
    "WITNESS_NAME",
    "AdmissionRow",
    "AdmissionRowStore",
    "AdmissionRule",
    "AdmissionWeight",
    "AgentPresence",
    "AgentRecord",
    "AgentRevoked",
    "AgentStore",
    "ApiKeyRecord",
    "ApiKeyStore",
    "AuditAnchor",
    "AuditBroken",
    "AuditEntry",
    "AuditEvent",
    "AuditHead",
    "AuditHeads",
    "AuditLog",
    "AuditReport",
    "AuditSettings",
    "BindingStore",
    "ConsentRecord",
    "ConsentStore",
    "DerivedKey",
    "DirectoryBinding",
    "DutyLease",
    "DutyLost",
    "DutyStore",
    "ExportBroken",
    "ExportEnd",
    "ExportForm",
    "Generations",
    "GrantRecord",
    "GrantStore",
    "KeyTooFresh",
    "Keyring",
    "KeysUnreadable",
    "LogoRecord",
    "LogoStore",
    "NothingToAccept",
    "OnceStore",
    "ParticipantRecord",
    "ParticipantStore",
    "PartyMetadata",
    "PresenceStore",
    "ProcedureStore",
    "PruneReport",
    "Purge",
    "Repeated",
    "Retention",
    "Reused",
    "Rotated",
    "SeenStore",
    "SessionRecord",
    "SessionStore",
    "Sighting",
    "SigningKeyOutdated",
    "SigningKeyRecord",
    "SigningKeyStore",
    "Store",
    "StoreEmptied",
    "StoreError",
    "StoreFull",
    "StoreTooNew",
    "StoreUnavailable",
    "TokenRecord",
    "TokenSpent",
    "TokenStore",
    "TrailExport",
    "TrustOutdated",
    "TrustRecord",
    "TrustStore",
    "UnitOfWork",
    "check_copy",
    "check_export",
    "check_store",
    "check_store_url",
    "copy_database",
    "database_file",
    "event_fields",
    "is_empty",
    "open_store",
]
