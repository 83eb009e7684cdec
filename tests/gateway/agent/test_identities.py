"""What of a person's entry fits into an answer, and what the operator reads of the rest."""

from __future__ import annotations

from typing import Any

import pytest

import directory
from gateway.agent.identities import LARGEST_IDENTITY, LONGEST_TEXT, LONGEST_VALUE, bounded_identity
from gateway.protocol import AnswerBody, Outcome
from gateway.protocol.bodies import encode_body
from gateway.protocol.messages import MAX_SEALED

PHOTO = b"\xff" * 100 * 1024
"""As large as Active Directory lets a thumbnailPhoto be."""


def person(**fields: Any) -> directory.DirectoryIdentity:
    names = {"object_guid": "3f1c", "user_name": "anna@corp", "domain": "corp", "display_name": "Anna", **fields}
    return directory.DirectoryIdentity(**names)


def groups(count: int, name: str = "Engineering") -> tuple[directory.DirectoryGroup, ...]:
    return tuple(directory.DirectoryGroup(f"S-1-5-21-1004336348-1177238915-682003330-{n}", name) for n in range(count))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"display_name": "x" * LONGEST_TEXT, "dn": "\U0001f970" * LONGEST_TEXT},
        {"groups": groups(1015, "x" * 64)},
        {"attributes": {"thumbnailPhoto": (PHOTO,), "info": ("x" * LONGEST_VALUE,)}},
    ],
)
def test_what_a_directory_reasonably_holds_travels_whole(fields: dict[str, Any]) -> None:
    """AD's own bounds lie below ours."""
    identity, left_out = bounded_identity(person(**fields))
    assert left_out == []
    assert [(group.sid, group.name) for group in identity.groups] == [(g.sid, g.name) for g in fields.get("groups", ())]
    assert set(identity.attributes) == set(fields.get("attributes", {}))
    assert (identity.display_name, identity.dn) == (fields.get("display_name", "Anna"), fields.get("dn", ""))


@pytest.mark.parametrize("name", ["sid", "account_name", "mail", "display_name", "given_name", "surname", "dn"])
def test_a_name_that_is_too_long_is_left_out_and_told(name: str) -> None:
    """Whole: a mail address that was cut would be somebody else's."""
    identity, left_out = bounded_identity(person(**{name: "x" * (LONGEST_TEXT + 1)}))
    assert getattr(identity, name) == ""
    assert left_out == [f"{name} ({LONGEST_TEXT + 1} characters)"]


def test_who_has_too_long_a_user_name_is_called_by_the_identifier() -> None:
    """Everybody is called something."""
    identity, left_out = bounded_identity(person(user_name="x" * 2000))
    assert (identity.user_name, left_out) == ("3f1c", ["user_name (2000 characters)"])


def test_an_attribute_that_is_too_large_is_left_out_whole_and_told() -> None:
    """One value over its bound, or more values than there is room for; what comes after it still travels."""
    attributes = {
        "jpegPhoto": (b"\xff" * 2_000_000, b"small"),
        "memo": tuple("x" * LONGEST_VALUE for _ in range(4)),
        "department": ("R&D",),
    }
    identity, left_out = bounded_identity(person(attributes=attributes))
    assert identity.attributes == {"department": ("R&D",)}
    assert [text.partition(" ")[0] for text in left_out] == ["jpegPhoto", "memo"]


def test_groups_beyond_what_fits_are_counted() -> None:
    """A name that is too long gives way to the identifier before a group does."""
    identity, left_out = bounded_identity(person(groups=(*groups(1, "x" * 100_000), *groups(5000, "y" * 200))))
    assert identity.groups[0].name == identity.groups[0].sid
    assert left_out == [f"{5001 - len(identity.groups)} of 5001 groups"]
    assert len(identity.groups) > 1900


def test_the_largest_identity_fits_into_an_answer() -> None:
    """Every part at its bound at once, in characters of four bytes."""
    wide = "\U0001f970" * LONGEST_TEXT
    names = dict.fromkeys(("user_name", "sid", "account_name", "mail", "display_name", "given_name", "surname", "dn"), wide)
    attributes = {f"a{number}": ("x" * 1000,) * 10 for number in range(100)}
    identity, left_out = bounded_identity(person(groups=groups(400, wide[:200]), attributes=attributes, **names))
    assert left_out != []
    assert LARGEST_IDENTITY < len(encode_body(AnswerBody(Outcome.SUCCESS, identity))) < MAX_SEALED - 16
