"""The planner: refusals, plans as text and files, changed farms, and its speed."""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from adfs_mgmt.farm import KeyAccess, StoredCertificate, Use
from adfs_mgmt.farm.model import RelyingParty
from adfs_mgmt.procedures.observation import FarmObservation, partners_of
from adfs_mgmt.procedures.request import RolloverRequest, initial_state
from adfs_mgmt.procedures.rollover import STATES, current, plan, procedure_of
from adfs_mgmt.procedures.ssl import SslState
from adfs_mgmt.procedures.token.state import NEW, TokenState, agreed
from adfs_mgmt.procedures.view import RolloverPolicy
from certs import Certificate, Ledger, Partner, PartnerKind, read_certificate
from foundation.procedures import PlanOutdated, PlanUnusable, Refused, blank, load, next_step, plan_text, save
from tests.adfs.procedures.world import DAY, NAME, NEW_SSL, NOW, OLD, TOKEN, World, certificate, thumb

POLICY = RolloverPolicy()
SIGN = RolloverRequest(kind="token", uses=(Use.SIGNING,))


async def refused(world: World, request: RolloverRequest, **changes: Any) -> str:
    """Why."""
    observed = await world.observe()
    observed = replace(observed, farm=replace(observed.farm, **changes)) if changes else observed
    with pytest.raises(Refused) as caught:
        initial_state(request, observed, POLICY, world.time)
    return str(caught.value)


def issued(
    usage: str = "both", *, key: Any = None, start: float = -1.0, days: float = 400.0, server: bool = True
) -> Certificate:
    """A real certificate, by what is wrong with it."""
    key = key or rsa.generate_private_key(65537, 2048)
    ca = rsa.generate_private_key(65537, 2048)
    begin = dt.datetime.fromtimestamp(NOW, dt.UTC) + dt.timedelta(days=start)
    builder = x509.CertificateBuilder().subject_name(x509.Name.from_rfc4514_string(f"CN={NAME}"))
    builder = builder.issuer_name(x509.Name.from_rfc4514_string("CN=CA")).public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(begin).not_valid_after(begin + dt.timedelta(days=days))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    other = dict.fromkeys(
        (
            "content_commitment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    bits = {"digital_signature": usage in {"both", "sign"}, "key_encipherment": usage in {"both", "encrypt"}}
    builder = builder.add_extension(x509.KeyUsage(**bits, **other), critical=True)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return read_certificate(builder.sign(ca, hashes.SHA256()).public_bytes(Encoding.DER))


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("name", ["publish_for", "retire_after"])
async def test_times_that_are_none(name: str, seconds: float) -> None:
    """One that is no number would be over before it begins; one without end could not be saved."""
    wanted: dict[str, Any] = {name: seconds}
    assert "give a number of days" in await refused(World(), replace(SIGN, **wanted))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"start": -500.0}, "has expired"),
        ({"start": 3.0}, "not valid yet"),
        ({"usage": "encrypt"}, "lacks digitalSignature"),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "no RSA key"),
    ],
)
async def test_token_certificates_that_are_not_fit(bad: dict[str, Any], words: str) -> None:
    """Each is refused before anything is touched, with the reason."""
    world = World()
    wish = RolloverRequest(kind="token", uses=(Use.SIGNING,), certificate=issued(**bad), material=True)
    assert words in await refused(world, wish)
    assert world.log == []


async def test_wrong_usage_for_decrypting() -> None:
    """A certificate for signatures alone cannot decrypt."""
    wish = RolloverRequest(kind="token", uses=(Use.DECRYPTING,), certificate=issued("sign"), material=True)
    assert "lacks keyEncipherment" in await refused(World(), wish)


@pytest.mark.parametrize("use", [Use.SIGNING, Use.DECRYPTING, Use.SSL])
@pytest.mark.parametrize("spec", [0, 1, 2])
async def test_a_key_for_signatures_alone(use: Use, spec: int) -> None:
    """KeySpec 2 (AT_SIGNATURE) signs tokens; it neither decrypts them nor does TLS. Not known (0) is not refused."""
    world, good = World(), issued()
    for host in (*world.nodes, *world.proxies):
        row = StoredCertificate(certificate=good, key=KeyAccess.READABLE, key_spec=spec)
        world.stores[host][good.thumbprint] = row
    kind: Any = "ssl" if use is Use.SSL else "token"
    wish = RolloverRequest(kind=kind, uses=() if use is Use.SSL else (use,), certificate=good)
    if spec == 2 and use is not Use.SIGNING:
        assert "n2: the key of" in (words := await refused(world, wish))
        assert "AT_SIGNATURE" in words
    else:
        assert initial_state(wish, await world.observe(), POLICY, NOW)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (None, "n2: .* is not in LocalMachine"),
        ({"key": KeyAccess.NO_KEY}, "n2: .* without its private key"),
        ({"key": KeyAccess.READABLE, "cng": True}, "n2: .* in a CNG provider"),
    ],
)
async def test_certificates_in_the_stores_that_are_not_fit(row: dict[str, Any] | None, words: str) -> None:
    """Missing on a node (or in another store), without its key, or with a CNG key: refused, and the node is named."""
    world, good = World(), issued()
    for host in world.nodes:
        world.stores[host][good.thumbprint] = StoredCertificate(certificate=good, key=KeyAccess.READABLE)
    if row is None:
        del world.stores["n2"][good.thumbprint]
    else:
        world.stores["n2"][good.thumbprint] = StoredCertificate(certificate=good, **row)
    with pytest.raises(Refused, match=words):
        initial_state(
            RolloverRequest(kind="token", uses=(Use.SIGNING,), certificate=good), await world.observe(), POLICY, NOW
        )


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"days": 20.0}, "expires in 19 days, sooner than the required 30"),
        ({"server": False}, "no Server Authentication"),
        ({"start": -500.0}, "has expired"),
    ],
)
async def test_ssl_certificates_that_are_not_fit(bad: dict[str, Any], words: str) -> None:
    """The facts about SSL certificates that cost outages."""
    assert words in await refused(World(), RolloverRequest(kind="ssl", certificate=issued(**bad), material=True))


async def test_ssl_names() -> None:
    """certauth is needed where client TLS is on 443, and names of published applications always."""
    good = issued()
    wish = RolloverRequest(kind="ssl", certificate=good, material=True)
    observed = await World(proxies=("p1",)).observe()
    state = initial_state(wish, observed, POLICY, NOW)
    assert isinstance(state, SslState)
    assert state.new == good.thumbprint
    assert f"does not cover certauth.{NAME}" in await refused(World(alternate=True), wish)
    proxy = observed.farm.proxies[0]
    moved = replace(proxy, applications=(replace(proxy.applications[0], external_url="https://shop.example.com/"),))
    assert "application app (https://shop.example.com/)" in await refused(World(proxies=("p1",)), wish, proxies=(moved,))
    more = replace(wish, names=("enterpriseregistration.example.com",))
    assert "does not cover enterpriseregistration.example.com" in await refused(World(), more)


async def test_self_signed_and_broken_chain() -> None:
    """A self-signed SSL certificate, and a chain whose issuer has not signed it."""
    alone = replace(certificate(NEW_SSL), self_signed=True)
    assert "is self-signed" in await refused(World(), RolloverRequest(kind="ssl", certificate=alone, material=True))
    leaf = issued()
    impostor = replace(issued(), subject="CN=CA")
    wish = RolloverRequest(kind="ssl", certificate=leaf, chain=(impostor,), material=True)
    assert "was not signed by the key of CN=CA" in await refused(World(), wish)


async def test_farms_that_are_not_ready() -> None:
    """Every reason at once, each with what to do about it."""
    world = World(offline={"n3"})
    observed = await world.observe()
    nodes = list(observed.farm.nodes)
    nodes[0] = replace(nodes[0], clock_skew=400.0)
    nodes[1] = replace(nodes[1], last_sync=NOW - 7200)
    text = await refused(world, SIGN, nodes=tuple(nodes))
    assert "node n1: its clock differs by +400 s" in text
    assert "node n2 last synchronised 120 minutes ago" in text
    assert "node n3 cannot be read (no answer)" in text


async def test_no_primary() -> None:
    """Without the primary nothing is begun."""
    assert "no primary server can be reached" in await refused(World(offline={"n1"}), SIGN)


async def test_auto_rollover_off_needs_a_certificate() -> None:
    """AD FS makes none while it is off."""
    world = World()
    world.config.auto = False
    assert "AutoCertificateRollover is off" in await refused(world, SIGN)


async def test_a_certificate_that_adfs_has_made_already_is_taken() -> None:
    """In its own window AD FS has a secondary before we come: no third one is made."""
    world = World()
    fresh = thumb("by-itself")
    world.config.token[Use.SIGNING].append(fresh)
    state = initial_state(SIGN, await world.observe(), POLICY, NOW)
    assert isinstance(state, TokenState)
    assert state.new == {Use.SIGNING: fresh}
    world.config.token[Use.SIGNING].append(thumb("third"))
    assert "has other Token-Signing certificates besides the one in use" in await refused(world, SIGN)


async def test_the_plan_as_text_and_file(tmp_path: Path) -> None:
    """It names every host and command, what each step promises and how it is undone; saved, it is the same plan."""
    world = World()
    made = plan(RolloverRequest(kind="token", uses=TOKEN), await world.observe(), POLICY, NOW, "ann")
    text = plan_text(made).replace(NEW, "<new>")
    assert text.count("into the free slot") == 2
    for words in (
        "n1: Update-AdfsCertificate -CertificateType 'Token-Signing'",
        "n1: Set-AdfsProperties -AutoCertificateRollover:$false",
        "entra: domain a.example",
        f"undo  n1: Set-AdfsCertificate -CertificateType 'Token-Signing' -Thumbprint '{OLD}'",
        "do    n1: Set-AdfsCertificate -CertificateType 'Token-Decrypting' -Thumbprint '<new>' -IsPrimary",
        "at least 5 days from publication",
        "n3: Restart-Service",
        f"n1: Remove-AdfsCertificate -CertificateType 'Token-Signing' -Thumbprint '{OLD}'",
        "n1: Set-AdfsProperties -AutoCertificateRollover:$true",
    ):
        assert words in text
    save(made, tmp_path / "plan.json")
    loaded = load(tmp_path / "plan.json", STATES)
    assert loaded == made
    assert current(loaded, await world.observe(), POLICY, NOW).steps == made.steps
    assert world.log == []


async def test_a_changed_farm_is_refused(tmp_path: Path) -> None:
    """A saved plan is for the farm that it was made for, and the refusal says what has changed."""
    world = World()
    made = plan(SIGN, await world.observe(), POLICY, NOW)
    world.time += 3600
    current(made, await world.observe(), POLICY, world.time)
    world.domains["a.example"].append(thumb("other"))
    world.config.auto = False
    with pytest.raises(PlanOutdated) as caught:
        current(made, await world.observe(), POLICY, world.time)
    assert caught.value.differences == ("properties has changed", "domain a.example has changed")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: {**c, "version": 9}, "version 9"),
        (lambda c: {**c, "state": {**c["state"], "new": {"Token-Signing": "F" * 40}}}, "was changed after it was made"),
        (lambda c: {**c, "kind": "party"}, "for 'party'"),
        (lambda c: {**c, "state": {"x": 1}}, "damaged"),
        (lambda c: [c], "version None"),
    ],
)
async def test_saved_plans_that_cannot_be_used(tmp_path: Path, change: Any, words: str) -> None:
    """Another version, an edited or damaged file: refused, with what is wrong."""
    save(plan(SIGN, await World().observe(), POLICY, NOW), tmp_path / "plan.json")
    content = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps(change(content)))
    with pytest.raises(PlanUnusable, match=words):
        load(tmp_path / "plan.json", STATES)


@pytest.mark.parametrize("office", ["urn:federation:MicrosoftOnline", "URN:Federation:CN:MicrosoftOnline"])
async def test_partners_out_of_the_ledger(office: str) -> None:
    """Disabled ones do not count; without Graph, Entra ID is a partner whom a person must tell."""
    world = World()
    world.relying_parties = (
        RelyingParty(name="O365", identifiers=(office,)),
        RelyingParty(name="Intranet", identifiers=("urn:i",)),
        RelyingParty(name="Gone", identifiers=("urn:g",), enabled=False),
    )
    farm = (await world.observe()).farm
    ledger = Ledger(farm="prod").learn(farm.relying_parties).classify("Intranet", PartnerKind.AUTOMATIC, refresh=3600.0)
    assert [(each.name, each.kind) for each in partners_of(farm, ledger, entra=True)] == [
        ("Intranet", PartnerKind.AUTOMATIC)
    ]
    alone = partners_of(farm, Ledger(farm="prod"), entra=False)
    assert [(each.name, each.kind.value) for each in alone] == [("O365", "manual"), ("Intranet", "unknown")]


def test_a_thousand_nodes_within_a_second() -> None:
    """A whole plan, its fingerprint and the next step of a farm that no farm is as large as."""
    observed = large()
    begun = time.process_time()
    made = plan(RolloverRequest(kind="token", uses=TOKEN), observed, POLICY, NOW)
    table = procedure_of("token", POLICY)
    step = next_step(table, observed, blank(table, "prod", made.state, NOW), NOW)
    took = time.process_time() - begun
    assert step.stage == "create"
    assert sum(len(each.acts) for each in made.steps) > 1000
    assert took < 1.0


def large() -> FarmObservation:
    """One thousand nodes."""
    import asyncio

    world = World(nodes=tuple(f"n{number}" for number in range(1000)))
    world.partners = tuple(Partner(name=f"p{number}") for number in range(100))
    return asyncio.run(world.observe())


def test_waiting_is_until_the_slowest_partner() -> None:
    """Times that were agreed on at the start hold, whatever the policy says later."""
    state = TokenState(uses=TOKEN, old={}, known={}, auto=True, auto_after=True, supplied=False, material=False)
    keys = agreed(msgspec.structs.replace(state, publish_for=60.0, retire_after=3 * DAY), POLICY).keys
    assert (keys.publish_for, keys.retire_after) == (60.0, 3 * DAY)
    assert agreed(state, POLICY) == POLICY
