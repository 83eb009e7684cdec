"""What services answer when something is wrong, and what is made of it: nothing is lost, doubled, or believed unseen."""

from __future__ import annotations

import json
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from findings import worst
from sync.causes import (
    ANSWER_UNUSABLE,
    ATTRIBUTE_VALUE_MUST_BE_UNIQUE,
    CREDENTIALS_REFUSED,
    GONE_IN_TARGET,
    IDENTITY_DATA_VALIDATION_FAILED,
    INVALID_SOFT_MATCH,
    NOT_DONE,
    READ_ONLY_IN_TARGET,
    REFUSED_403,
    TARGET_BUSY,
    TARGET_UNREACHABLE,
)
from sync.model import ObjectKind, OperationKind, WriteOutcome
from sync.target import CredentialsRefused, TargetUnavailable, UnusableAnswer, confirm
from sync.target.scim import ScimTarget
from sync.target.scim.client import ScimClient
from tests.fakes.graph import Pki
from tests.sync.target.conformance import NAME, USER, Directory, anchor, desired, operation, user
from tests.sync.target.scim.quirks import TOKEN, Canned, QuirkyService, Sleeps
from tests.sync.target.scim.support import quirky, settings_of

_HTML = b"<html><body>Login</body></html>"
_ERROR = json.dumps({"detail": "because", "status": "500"}).encode()

UNKNOWN_AFTER = {
    "500 that had worked": Canned(500, _ERROR, do=True),
    "500 that had not": Canned(500, _ERROR),
    "502 of a proxy": Canned(502, _HTML, content_type="text/html", do=True),
    "503 that does not say when": Canned(503, do=True),
    "no answer": Canned(drop=True, do=True),
    "HTML": Canned(200, _HTML, content_type="text/html", do=True),
    "nothing": Canned(200, b"", do=True),
    "half": Canned(201, b'{"id": "r1", "userName": "person1', cut=20, do=True),
    "not JSON": Canned(201, b'{"id": "r1"', do=True),
    "not UTF-8": Canned(201, b'{"id": "\xff"}', do=True),
    "too deep": Canned(201, b"[" * 100_000, do=True),
    "a list": Canned(201, b"[]", do=True),
    "too much": Canned(201, b'{"x": "' + b"y" * (1 << 20) + b'"}', do=True),
    "no id": Canned(201, b"{}", do=True),
}


@pytest.mark.parametrize("name", UNKNOWN_AFTER)
async def test_a_new_account_whose_answer_is_lost(name: str, tmp_path: Path) -> None:
    """The outcome is unknown and the write is not repeated; asking tells, and a repetition makes no second account."""
    async with quirky(tmp_path, largest_answer_mb=1) as (service, target):
        service.canned.append(UNKNOWN_AFTER[name])
        create = operation(OperationKind.CREATE, 1, set=user(1))
        confirmation = await Directory(target).apply(create)
        assert confirmation.outcome is WriteOutcome.UNKNOWN, confirmation
        assert len(service.sent("POST")) == 1
        assert ("longer than 1048576 bytes" in confirmation.detail) == (name == "too much")
        done = UNKNOWN_AFTER[name].do
        assert (await confirm(target, create)).outcome is (WriteOutcome.CONFIRMED if done else WriteOutcome.LATER)
        assert (await Directory(target).apply(create)).outcome is WriteOutcome.CONFIRMED
        assert len(service.resources["Users"]) == 1


async def test_no_answer_in_time(tmp_path: Path) -> None:
    """As when the connection breaks; and whoever asks waits until the request has surely ended."""
    async with quirky(tmp_path, timeout=0.3) as (service, target):
        await target.profile()
        service.canned.append(Canned(do=True, hang=True))
        confirmation = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert (confirmation.outcome, confirmation.cause) == (WriteOutcome.UNKNOWN, TARGET_UNREACHABLE)
        assert confirmation.retry_after == 0.3
        assert "0.3 s" in confirmation.detail


@pytest.mark.parametrize("name", [n for n in UNKNOWN_AFTER if n not in {"no id", "a list"}])
async def test_a_change_whose_answer_is_lost(name: str, tmp_path: Path) -> None:
    """Either unknown, or seen to be done by reading it."""
    async with quirky(tmp_path, largest_answer_mb=1) as (service, target):
        directory = Directory(target)
        await directory.create(1)
        fault = UNKNOWN_AFTER[name]
        service.canned.append(Canned(**{**vars(fault), "only": "PATCH"}))
        change = await directory.change(OperationKind.UPDATE, 1, set={"title": "Clerk"})
        answered = 200 <= fault.status < 300 and not fault.drop
        assert change.outcome is (WriteOutcome.CONFIRMED if answered else WriteOutcome.UNKNOWN), change
        assert len(service.sent("PATCH")) == 1


REFUSED = {
    400: IDENTITY_DATA_VALIDATION_FAILED,
    403: REFUSED_403,
    404: GONE_IN_TARGET,
    405: READ_ONLY_IN_TARGET,
    418: ANSWER_UNUSABLE,
    501: READ_ONLY_IN_TARGET,
}


@pytest.mark.parametrize(("status", "cause"), REFUSED.items())
async def test_refusals_by_name(status: int, cause: str, tmp_path: Path) -> None:
    """With what the service said, printable and not all of it."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await directory.create(1)
        said = json.dumps({"detail": "no\x1b[31m title " + "x" * 5000}).encode()
        service.canned.append(Canned(status, said, only="PATCH"))
        change = await directory.change(OperationKind.UPDATE, 1, set={"title": "Clerk"})
        assert (change.outcome, change.cause) == (WriteOutcome.REFUSED, cause)
        assert f"HTTP {status}: no [31m title" in change.detail
        assert len(change.detail) < 300


@pytest.mark.parametrize(
    ("scim_type", "cause"), [("mutability", READ_ONLY_IN_TARGET), ("uniqueness", ATTRIBUTE_VALUE_MUST_BE_UNIQUE)]
)
async def test_refusals_by_scim_type(scim_type: str, cause: str, tmp_path: Path) -> None:
    """It says more than the status."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await directory.create(1)
        service.canned.append(Canned(400, json.dumps({"scimType": scim_type}).encode(), only="PATCH"))
        change = await directory.change(OperationKind.UPDATE, 1, set={NAME: "other@example.com"})
        assert (change.outcome, change.cause) == (WriteOutcome.REFUSED, cause)


async def test_the_address_for_new_accounts_is_wrong(tmp_path: Path) -> None:
    """404 to a POST: nobody is gone."""
    async with quirky(tmp_path) as (service, target):
        service.canned.append(Canned(404, b"{}"))
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert (made.outcome, made.cause) == (WriteOutcome.REFUSED, ANSWER_UNUSABLE)


@pytest.mark.parametrize(
    ("status", "header", "waits"),
    [
        (429, "2", [2.0]),
        (429, "1.5", [1.5]),
        (429, "Fri, 15 Jan 2027 08:00:03 GMT", [3.0]),
        (429, "nonsense", [0.5]),
        (429, "", [0.5]),
        (503, "2", [2.0]),
    ],
)
async def test_busy_for_a_moment(status: int, header: str, waits: list[float], tmp_path: Path) -> None:
    """The write has not begun: it is repeated when the service wants it to be."""
    sleeps = Sleeps()
    async with quirky(tmp_path, sleeps) as (service, target):
        await target.profile()
        service.canned.append(Canned(status, headers={"Retry-After": header}))
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert made.outcome is WriteOutcome.CONFIRMED
        assert sleeps.waited[:1] == waits
        assert len(service.resources["Users"]) == 1


async def test_busy_for_long(tmp_path: Path) -> None:
    """Whoever has the journal waits, as long as the service wants."""
    sleeps = Sleeps()
    async with quirky(tmp_path, sleeps) as (service, target):
        service.canned.append(Canned(429, headers={"Retry-After": "90"}))
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert (made.outcome, made.cause, made.retry_after) == (WriteOutcome.LATER, TARGET_BUSY, 90.0)
        assert len(service.sent("POST")) == 1


async def test_busy_again_and_again(tmp_path: Path) -> None:
    """Not more than a few times."""
    async with quirky(tmp_path) as (service, target):
        service.canned.extend(Canned(429) for _ in range(10))
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert (made.outcome, made.cause) == (WriteOutcome.LATER, TARGET_BUSY)
        assert len(service.sent("POST")) == 4


async def test_a_question_is_repeated(tmp_path: Path) -> None:
    """It changes nothing. In the end it is an error that says when to ask again."""
    async with quirky(tmp_path) as (service, target):
        remote = await Directory(target).create(1)
        service.canned.extend([Canned(500), Canned(drop=True), Canned(200, _HTML, content_type="text/html")])
        assert await target.read(USER, remote) is not None
        service.canned.extend(Canned(503, headers={"Retry-After": "3"}) for _ in range(10))
        with pytest.raises(TargetUnavailable) as caught:
            await target.read(USER, remote)
        assert (caught.value.retry_after, caught.value.cause) == (3.0, TARGET_BUSY)


async def test_not_found_by_a_proxy(tmp_path: Path) -> None:
    """A page of HTML says of everybody that he is not there: nobody is taken for gone, and nothing for deleted."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        remote = await directory.create(1)
        page = [Canned(404, _HTML, content_type="text/html") for _ in range(8)]
        service.canned.extend(page)
        with pytest.raises(UnusableAnswer, match="text/html"):
            await target.read(USER, remote)
        for change in (
            await directory.change(OperationKind.DELETE, 1),
            await directory.change(OperationKind.UPDATE, 1, set={"displayName": "X"}),
        ):
            assert (change.outcome, change.cause) == (WriteOutcome.REFUSED, ANSWER_UNUSABLE)
        service.canned.clear()
        assert await target.read(USER, remote) is not None


async def test_nobody_listens(tmp_path: Path) -> None:
    """Nothing was sent: later."""
    async with QuirkyService() as service:
        address = service.address
    settings = settings_of(address, tmp_path, timeout=2.0)
    target = ScimTarget("scim", settings, ScimClient("scim", settings, sleep=Sleeps()))
    try:
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert (made.outcome, made.cause) == (WriteOutcome.LATER, TARGET_UNREACHABLE)
        assert worst(await target.check()) == "fail"
    finally:
        await target.close()


async def test_a_token_that_is_refused(tmp_path: Path) -> None:
    """Read anew once: it may have been replaced. Then it is a matter for all operations, and nothing of it is told."""
    async with quirky(tmp_path) as (service, target):
        await target.profile()
        service.accepted = {"newer"}
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert (made.outcome, made.cause) == (WriteOutcome.LATER, CREDENTIALS_REFUSED)
        with pytest.raises(CredentialsRefused) as caught:
            await target.read(USER, "r1")
        assert TOKEN not in str(caught.value) + made.detail
        (tmp_path / "token").write_text("newer")
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert made.outcome is WriteOutcome.CONFIRMED


async def test_preflight_names_what_is_wrong(tmp_path: Path) -> None:
    """Each with its remedy."""
    async with quirky(tmp_path) as (service, target):
        service.accepted = {"other"}
        (finding,) = await target.check()
        assert (finding.name, finding.status) == ("credentials", "fail")
        assert finding.remedy
        service.accepted = {TOKEN}
        service.config = {"patch": {"supported": "False"}, "filter": {"supported": True, "maxResults": 7}}
        findings = {f.name: f for f in await target.check()}
        assert findings["changes"].status == "fail"
        assert "put = true" in findings["changes"].remedy
        assert "/Schemas" in findings["description"].seen


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """The token goes nowhere else; the operator is told where it would have gone."""
    async with quirky(tmp_path) as (service, target), QuirkyService() as elsewhere:
        service.canned.append(Canned(307, headers={"Location": elsewhere.address + "/Users?secret=1"}))
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert (made.outcome, made.cause) == (WriteOutcome.REFUSED, ANSWER_UNUSABLE)
        assert "redirects to localhost" in made.detail
        assert "secret" not in made.detail
        assert elsewhere.requests == []


async def test_tls_is_verified(tmp_path: Path) -> None:
    """Against the system's authorities, or those that the settings name."""
    pki = Pki(tmp_path, time.time())
    async with quirky(tmp_path, service=QuirkyService(pki.server_context()), timeout=3.0) as (service, target):
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert (made.outcome, made.cause) == (WriteOutcome.LATER, TARGET_UNREACHABLE)
        assert "certificate" in made.detail
        assert service.requests == []
        trusting = ScimTarget("scim", settings_of(service.address, tmp_path, tls_ca_file=pki.ca_file))
        assert (
            await Directory(trusting).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        ).outcome is WriteOutcome.CONFIRMED
        await trusting.close()


async def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    """Later, with the name of the setting."""
    (tmp_path / "ca.pem").write_text("nothing")
    async with quirky(tmp_path, tls_ca_file=tmp_path / "ca.pem") as (_, target):
        made = await Directory(target).apply(operation(OperationKind.CREATE, 1, set=user(1)))
        assert made.outcome is WriteOutcome.LATER
        assert "tls_ca_file" in made.detail
    assert isinstance(ssl.SSLError(), OSError)


@pytest.mark.parametrize("silent", [True, False])
async def test_success_without_having_done_it(silent: bool, tmp_path: Path) -> None:
    """What comes back is compared, or read where nothing does: of changes, states, adoption and deletion."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await directory.create(1, department="Sales")
        service.silent, service.ignores_writes = silent, True
        changes: list[tuple[OperationKind, dict[str, Any], str]] = [
            (OperationKind.UPDATE, {"set": {"title": "Clerk"}}, "title"),
            (OperationKind.UPDATE, {"set": {"displayName": "X"}, "before": {"displayName": "Person 1"}}, "displayName"),
            (OperationKind.UPDATE, {"clear": frozenset({"department"})}, "department"),
            (OperationKind.DISABLE, {}, "active"),
            (OperationKind.DELETE, {}, "still has it"),
        ]
        for kind, fields, named in changes:
            change = await directory.change(kind, 1, **fields)
            assert (change.outcome, change.cause) == (WriteOutcome.REFUSED, NOT_DONE), (kind, change)
            assert named in change.detail
        remote = service.put("Users", userName="person2@example.com")
        adopted = await directory.apply(operation(OperationKind.ADOPT, 2, remote=remote, set={}))
        assert (adopted.outcome, adopted.cause) == (WriteOutcome.REFUSED, NOT_DONE)


async def test_a_service_that_rewrites(tmp_path: Path) -> None:
    """It was done, and what is told is what the service has."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        remote = await directory.create(1)
        body = {"id": remote, "title": "CLERK", "displayName": "X"}
        service.canned.append(Canned(200, json.dumps(body).encode(), only="PATCH"))
        change = await directory.change(OperationKind.UPDATE, 1, set={"title": "Clerk"})
        assert (change.outcome, dict(change.values)) == (WriteOutcome.CONFIRMED, {"title": "CLERK"})


async def test_a_conflict_is_our_own_earlier_attempt(tmp_path: Path) -> None:
    """409, and the account has our anchor: it is taken, with the values that it was to have."""
    async with quirky(tmp_path) as (service, target):
        service.canned.append(Canned(500, do=True))
        directory = Directory(target)
        await directory.apply(operation(OperationKind.CREATE, 1, set=user(1)))
        again = await directory.apply(operation(OperationKind.CREATE, 1, set={**user(1), "title": "Clerk"}))
        assert (again.outcome, dict(again.values)) == (WriteOutcome.CONFIRMED, {**user(1), "title": "Clerk"})
        assert len(service.resources["Users"]) == 1


async def test_a_conflict_with_somebody(tmp_path: Path) -> None:
    """A named error, and never a second account; an account without an anchor is not taken unasked."""
    async with quirky(tmp_path) as (service, target):
        service.put("Users", userName="Person1@Example.com", externalId="other")
        service.put("Users", userName="person2@example.com")
        directory = Directory(target)
        for person, cause, told in (
            (1, INVALID_SOFT_MATCH, "anchor other"),
            (2, ATTRIBUTE_VALUE_MUST_BE_UNIQUE, "no anchor"),
        ):
            made = await directory.apply(operation(OperationKind.CREATE, person, set=user(person)))
            assert (made.outcome, made.cause) == (WriteOutcome.REFUSED, cause)
            assert f"account r{person}" in made.detail
            assert told in made.detail
        assert len(service.resources["Users"]) == 2
        assert service.sent("PATCH", "PUT", "DELETE") == []


async def test_a_server_that_answers_everybody(tmp_path: Path) -> None:
    """Filters ignored: the wrong account is never adopted, the right one is found wherever it stands in the list."""
    async with quirky(tmp_path, page_size=3) as (service, target):
        for number in range(1, 8):
            service.put("Users", userName=f"person{number}@example.com", externalId=anchor(number))
        service.put("Users", userName="person9@example.com")
        service.ignores_filters = True
        assert (await target.find(desired(50))).accounts == ()
        found = await target.find(desired(7, {}))
        assert found.account is not None
        assert found.account.remote == "r7"
        found = await target.find(desired(9))
        assert found.account is not None
        assert found.account.remote == "r8"
        findings = {f.name: f for f in await target.check()}
        assert findings["search"].status == "fail"
        assert "ignores filters" in findings["search"].seen


async def test_anchors_differ_by_case(tmp_path: Path) -> None:
    """Base64 in another case is somebody else's, though the service finds it."""
    async with quirky(tmp_path) as (service, target):
        service.put("Users", userName="x", externalId=anchor(1).upper())
        assert (await target.find(desired(1, {}))).accounts == ()


async def test_a_filter_that_is_refused(tmp_path: Path) -> None:
    """Not taken for nobody: an error."""
    async with quirky(tmp_path) as (service, target):
        service.refuses_filters = True
        with pytest.raises(UnusableAnswer, match="400"):
            await target.find(desired(1))


async def test_accounts_with_roles_are_not_adopted(tmp_path: Path) -> None:
    """Whoever can write a mail address in the source cannot become an administrator with it."""
    async with quirky(tmp_path) as (service, target):
        service.put("Users", userName="person1@example.com", roles=[{"value": "x", "display": "Administrator"}])
        found = await target.find(desired(1))
        assert (found.account, found.cause) == (None, "ExistingAdminRoleConflict")


@pytest.mark.parametrize("quirk", ["total_offset", "repeats_pages"])
async def test_a_list_that_is_not_whole_is_an_error(quirk: str, tmp_path: Path) -> None:
    """Or accounts that did not come would seem to be gone; and it ends."""
    async with quirky(tmp_path, page_size=2) as (service, target):
        for number in range(5):
            service.put("Users", userName=f"u{number}")
        setattr(service, quirk, 3)
        with pytest.raises(UnusableAnswer, match="gave"):
            [account async for account in target.list(USER)]


async def test_another_account_than_the_one_asked_for(tmp_path: Path) -> None:
    """Is not believed."""
    async with quirky(tmp_path) as (service, target):
        remote = await Directory(target).create(1)
        service.canned.append(Canned(200, b'{"id": "another", "userName": "x"}'))
        with pytest.raises(UnusableAnswer, match="something else"):
            await target.read(USER, remote)


@pytest.mark.parametrize("remote", ["..", "."])
async def test_an_identifier_that_leads_elsewhere(remote: str, tmp_path: Path) -> None:
    """It is not put into an address: /Users/.. is everybody."""
    async with quirky(tmp_path) as (service, target):
        await target.profile()
        before = len(service.requests)
        deleted = await Directory(target).apply(operation(OperationKind.DELETE, 1, remote=remote))
        assert (deleted.outcome, deleted.cause) == (WriteOutcome.LATER, ANSWER_UNUSABLE)
        assert len(service.requests) == before


async def test_identifiers_are_quoted(tmp_path: Path) -> None:
    """One path segment, whatever is in it."""
    async with quirky(tmp_path) as (service, target):
        await target.profile()
        for remote in ("a/../b", "x?y=1#z", "ü %2e", "a b"):
            service.put("Users", id=remote, userName=remote)
            account = await target.read(ObjectKind.USER, remote)
            assert account is not None
            assert account.remote == remote


async def test_booleans_as_text_and_capitals(tmp_path: Path) -> None:
    """Services answer "False" and `UserName`: both are understood."""
    async with quirky(tmp_path) as (service, target):
        service.text_booleans = service.capitals = True
        directory = Directory(target)
        await directory.create(1, mail="a@example.com")
        for kind, state in ((OperationKind.DISABLE, "disabled"), (OperationKind.ENABLE, "active")):
            assert (await directory.change(kind, 1)).outcome is WriteOutcome.CONFIRMED
            account = await directory.read(1)
            assert (account.state.value, account.values["mail"]) == (state, "a@example.com")
        bodies = [body["Operations"][0]["value"] for _, _, body in service.sent("PATCH")]
        assert bodies == [False, True]
