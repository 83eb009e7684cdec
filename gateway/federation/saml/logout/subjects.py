"""How a party knows a person: kept with the session until the party is told of its end, and what that takes. Pure."""

from __future__ import annotations

import msgspec

from foundation.saml import NameIdentifier
from gateway.federation.claims import NameId
from gateway.federation.saml.names import UNSPECIFIED_FORMAT
from gateway.federation.trusts import Trust
from gateway.protocol import AccountId
from gateway.store import ParticipantRecord


class SubjectDetails(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The name that the party was given, and whose it is."""

    value: str
    format: str
    name_qualifier: str = ""
    sp_name_qualifier: str = ""
    directory: str = ""
    object: str = ""
    encrypted: bool = False
    """Whether the name was given encrypted: then it is never sent in the open."""

    @property
    def account(self) -> AccountId:
        """By which the session is found without a browser."""
        return AccountId(self.directory, self.object)

    @property
    def name_id(self) -> NameId:
        """As it was written."""
        return NameId(
            format=self.format,
            value=self.value,
            name_qualifier=self.name_qualifier,
            sp_name_qualifier=self.sp_name_qualifier,
        )

    def is_meant(self, name: NameIdentifier) -> bool:
        """Whether the party means this person. Qualifiers and format may be left out, and may not differ.

        saml-core-2.0-os section 3.7.3: the identifier that the party was given, letter by letter.
        """
        said = (name.format, name.qualifier, name.sp_qualifier)
        known = (self.format, self.name_qualifier, self.sp_name_qualifier)
        return name.value == self.value and all(
            not one or not other or one in (other, UNSPECIFIED_FORMAT) for one, other in zip(said, known, strict=True)
        )

    def __repr__(self) -> str:
        return "SubjectDetails(…)"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SubjectDetails).decode


def write_details(name: NameId, account: AccountId, *, encrypted: bool = False) -> bytes:
    """For `ParticipantRecord.details`."""
    return _encode(
        SubjectDetails(
            value=name.value,
            format=name.format,
            name_qualifier=name.name_qualifier,
            sp_name_qualifier=name.sp_name_qualifier,
            directory=account.directory,
            object=account.object,
            encrypted=encrypted,
        )
    )


def read_details(details: bytes) -> SubjectDetails | None:
    """None where another version wrote them."""
    try:
        return _decode(details)
    except msgspec.DecodeError:
        return None


class Stop(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A party that has to be told that a session has ended."""

    trust: str
    name: str
    """Of the application, for people."""
    index: str
    """What the party calls the session."""
    subject: SubjectDetails
    tried: str = ""
    """Id of the signing key that the session tried with it."""


def stop_of(record: ParticipantRecord, trust: Trust, now: float) -> Stop | None:
    """None where nobody knows any more by which name the party knows the person."""
    subject = read_details(record.details)
    if subject is None:
        return None
    return Stop(trust=trust.id, name=trust.name, index=record.index, subject=subject, tried=record.tried_at(now))
