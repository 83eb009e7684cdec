"""`make demo-federation`: two applications that people sign in to with their Active Directory account."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.address import AddressUnusable, PublicAddress, parse_address
from demo.apache import ApacheFailed, SampleApplications
from demo.chromium import Browsers, ChromiumUnavailable
from demo.people import Person
from demo.rollover import PERIODS, WITHIN
from demo.samba import DomainUnavailable, ThrowawayDomain
from demo.signin import directories_toml
from demo.stand import Stand, StandFailed, free_port
from demo.visits import Visits
from isthmus import logging
from settings import toml_value

AGENT = "agent-1"
_RELAY = """
[server.federation]
ca_file = "tls/ca.pem"
application_networks = ["127.0.0.0/8", "::1"]
"""
"""The relay tells Notes when somebody signs out: its certificate is one of the demo's."""
_FAILURES = (AddressUnusable, ApacheFailed, ChromiumUnavailable, DomainUnavailable, StandFailed)


@click.command()
@click.option("--once", is_flag=True, help="Drive both applications in Chromium, print a table, clean up, and end.")
@click.option("--listen", metavar="ADDRESS:PORT", help="Where the relay is; the applications are on the next port.")
def main(once: bool, listen: str | None) -> None:
    """Start a throwaway Active Directory, a relay, an agent and two applications. Exit code 0: all as expected."""
    logging.set_up("warning", "text")
    out = Console(highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        sys.exit(_run(out, once, *_addresses(listen)))
    except _FAILURES as error:
        out.print("[bold red]Demo failed:[/]", escape(str(error)), soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(0)


def _addresses(listen: str | None) -> tuple[PublicAddress, PublicAddress]:
    """Of the relay and of the applications. They have different names where nobody says otherwise: cookies know no ports."""
    if listen is None:
        return PublicAddress("127.0.0.1", "127.0.0.1", free_port()), PublicAddress("127.0.0.1", "localhost", free_port())
    relay = parse_address(listen)
    host, _, port = listen.rpartition(":")
    return relay, parse_address(f"{host}:{int(port) + 1}")


def _run(out: Console, once: bool, relay: PublicAddress, applications: PublicAddress) -> int:
    out.print("Provisioning a throwaway Active Directory (Samba): about ten seconds …")
    with ThrowawayDomain() as domain:
        people = domain.create_people()
        service = domain.create_service_account()
        out.print("Starting the relay and an agent …")
        settings = _RELAY + (PERIODS if once else "")
        with Stand(directories_toml(domain, service), relay=settings, public=relay) as stand:
            stand.enrol_agent(AGENT)
            stand.start_agent(AGENT)
            out.print("Adding the trusts of two applications, and starting them …")
            with sample_applications(stand, applications, within=WITHIN if once else 86400) as samples:
                return _once(out, stand, samples, people) if once else _stay(out, stand, samples, people)


@contextmanager
def sample_applications(stand: Stand, public: PublicAddress, *, within: int) -> Iterator[SampleApplications]:
    """Both, with their trusts. within: seconds in which they have read new keys. Raises StandFailed, ApacheFailed."""
    made = SampleApplications(public, stand.url, stand.home / "tls", lambda: stand.get("/saml/metadata")[1])
    with made as samples:
        secret = json.loads(stand.run("relay", "trust", "secret", "make", "--json"))
        files = {stand.home / f"{name}.toml": text for name, text in trust_files(samples, secret["digest"], within).items()}
        for file, text in files.items():
            file.write_text(text)
        stand.run("relay", "trust", "import", *map(str, files), "--config", str(stand.relay_config), "--yes")
        stand.wait_for(lambda: stand.get("/saml/metadata")[0] == 200, "the first signing keys", "relay")
        samples.start("notes", secret["secret"])
        yield samples


def trust_files(samples: SampleApplications, digest: str, within: int) -> dict[str, str]:
    """The trusts by id, as an administrator writes them. digest: of the secret of Notes."""
    return {"notes": _notes_toml(samples, digest, within), "wiki": _wiki_toml(samples, within)}


def _notes_toml(samples: SampleApplications, digest: str, within: int) -> str:
    return f"""
id = "notes"
name = "Notes"
protocol = "oidc"
start_url = "{samples.notes}"
[oidc]
redirect_uris = ["{samples.redirect_uri}"]
post_logout_redirect_uris = ["{samples.url}/"]
backchannel_logout_uri = "{samples.redirect_uri}?logout=backchannel"
grants = ["authorization_code"]
scopes = ["openid", "profile", "email", "groups"]
[[oidc.secrets]]
digest = "{digest}"
[keys]
learns = "automatic"
within = {within}
"""


def _wiki_toml(samples: SampleApplications, within: int) -> str:
    sources = {"mail": "mail", "uid": "user_name", "displayName": "display_name"}
    rules = "".join(f'[[claims.rules]]\nclaim = "{claim}"\nsource = "{source}"\n' for claim, source in sources.items())
    return f"""
id = "wiki"
name = "Wiki"
protocol = "saml"
start_url = "{samples.wiki}"
[saml]
entity_id = "{samples.endpoint}/metadata"
certificates = [{toml_value(samples.certificate)}]
require_signed_requests = true
logout_url = "{samples.endpoint}/logout"
attribute_name_format = "basic"
[[saml.consumers]]
url = "{samples.endpoint}/postResponse"
default = true
{rules}
[[claims.rules]]
claim = "groups"
groups = "name"
[keys]
learns = "automatic"
within = {within}
"""


def _once(out: Console, stand: Stand, samples: SampleApplications, people: dict[str, Person]) -> int:
    out.print(f"Signing in to {samples.notes} and {samples.wiki} in Chromium, and replacing the signing keys: a minute …\n")
    with Browsers() as browsers:
        visits = Visits(stand, samples, browsers, people)
        visits.run()
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what was done", "expected", "got"):
        grid.add_column(name)
    for row in visits.rows:
        grid.add_row(row.what, row.expected, f"[{'green' if row.as_expected else 'red'}]{escape(row.got)}[/]")
    out.print(grid)
    good = all(row.as_expected for row in visits.rows)
    if not good:
        for log in (samples.logged(), stand.log_of("relay")):
            out.print(escape(log[-3000:]), soft_wrap=True)
    out.print("[bold green]Everything as expected.[/]" if good else "[bold red]Not as expected.[/]")
    return 0 if good else 1


def _stay(out: Console, stand: Stand, samples: SampleApplications, people: dict[str, Person]) -> int:
    note = "[dim](certificates are made for this demo: accept both)[/]"
    out.print(f"\n[bold]The applications:[/] {samples.url}/  {note}\n")
    if not stand.public.is_loopback:
        out.print("[yellow]Whoever can reach this address can sign in with the passwords below.[/]\n")
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("user name", "password", "who"):
        grid.add_column(name, no_wrap=True, overflow="ignore")  # they are to be copied
    for person in people.values():
        grid.add_row(person.upn, person.password, person.state.value)
    out.print(grid)
    config = stand.relay_config
    out.print(
        f"""
[bold]To try:[/]
  1. Open Notes (OpenID Connect) and sign in: it shows what it was told. Open Wiki (SAML): it does not ask again.
  2. See at {stand.url}/account where you are signed in.
  3. Sign out of one of them, or on the account page: both ask anew.
  4. In another terminal, after a sign-in:
  .venv/bin/isthmus relay trust list --config {config}
  .venv/bin/isthmus relay trust test-users wiki zoe@{people["zoe"].upn.partition("@")[2]} --config {config}
  .venv/bin/isthmus relay claims wiki {people["anna"].upn} --config {config}
  .venv/bin/isthmus relay sessions list --config {config}
  .venv/bin/isthmus certs list --config {config}
  .venv/bin/isthmus certs plan saml --config {config}
  .venv/bin/isthmus relay audit list --config {config}

Ctrl-C ends it all and leaves nothing behind.""",
        soft_wrap=True,
    )
    while stand.processes["relay"].poll() is None:
        time.sleep(0.5)
    raise StandFailed(f"the relay ended\n{stand.log_of('relay')[-2000:]}")


if __name__ == "__main__":
    main(prog_name="python -m demo.federation")
