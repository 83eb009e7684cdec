"""`make demo`: a throwaway Active Directory, a relay, two agents, and users to sign in as."""

from __future__ import annotations

import json
import signal
import sys
import time
from dataclasses import dataclass, replace

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.address import AddressUnusable, PublicAddress, parse_address
from demo.browser import Browser, Page
from demo.people import Person
from demo.samba import DomainUnavailable, ServiceAccount, ThrowawayDomain
from demo.stand import Stand, StandFailed
from isthmus import logging

AGENTS = ("agent-1", "agent-2")
_NEXT = "Applications that sign in here, by OpenID Connect and SAML: [bold]make demo-federation[/]"


@dataclass(frozen=True, slots=True)
class Row:
    """One person's sign-in."""

    person: str
    expected: str
    got: str
    milliseconds: float

    @property
    def as_expected(self) -> bool:
        """The page did what it should."""
        return self.got == self.expected


_SEEN = {
    "success": "signed in",
    "wrong_credential": "refused",
    "account_locked": "refused",
    "would_lock_out": "refused",
    "password_expired": "new password wanted",
    "must_change": "new password wanted",
    "account_disabled": "told: disabled",
    "account_expired": "told: expired",
    "logon_hours": "told: time of day",
    "workstation": "told: other computer",
}


@click.command()
@click.option("--once", is_flag=True, help="Sign everybody in, print a table, clean up, and end.")
@click.option("--listen", metavar="ADDRESS:PORT", help="Where the sign-in page is. (default: a free port of 127.0.0.1)")
def main(once: bool, listen: str | None) -> None:
    """Start a throwaway Active Directory, a relay and two agents, and say who can sign in. Exit code 0: all as expected."""
    logging.set_up("warning", "text")
    out = Console(highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        sys.exit(_run(out, once, parse_address(listen) if listen else None))
    except (AddressUnusable, DomainUnavailable, StandFailed) as error:
        out.print("[bold red]Demo failed:[/]", escape(str(error)), soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(0)


def _run(out: Console, once: bool, public: PublicAddress | None) -> int:
    out.print("Provisioning a throwaway Active Directory (Samba): about ten seconds …")
    with ThrowawayDomain() as domain:
        out.print("Creating users, one for each state of an account …")
        people = domain.create_people()
        service = domain.create_service_account()
        out.print("Starting the relay …")
        with Stand(directories_toml(domain, service), public=public) as stand:
            for agent in AGENTS:
                out.print(f"Enrolling and starting {agent} …")
                stand.enrol_agent(agent)
                stand.start_agent(agent)
            return _once(out, stand, people) if once else _stay(out, stand, people)


def directories_toml(domain: ThrowawayDomain, service: ServiceAccount) -> str:
    """The agents' settings for the throwaway domain."""
    return f"""
[[directories]]
name = "{domain.dns_domain}"
netbios_name = "{domain.netbios_name}"
servers = ["{domain.address}:636"]
base_dn = "{domain.base_dn}"
service_user = "{service.upn}"
service_password_file = "{service.password_file}"
[directories.tls]
ca_file = "{domain.ca_file}"
"""


def _once(out: Console, stand: Stand, people: dict[str, Person]) -> int:
    out.print(f"Signing everybody in at {stand.url} …\n")
    rows = [sign_in(stand, person) for person in people.values()]
    stand.kill(AGENTS[0])
    survivor = sign_in(stand, people["anna"])
    rows.append(replace(survivor, person=f"anna again, {AGENTS[0]} killed"))
    _show(out, rows)
    good = all(row.as_expected for row in rows)
    out.print("[bold green]Everything as expected.[/]" if good else "[bold red]Not as expected.[/]")
    out.print(_NEXT)
    return 0 if good else 1


def sign_in(stand: Stand, person: Person) -> Row:
    """Sign a person in through the real page."""
    browser = Browser(stand.url, stand.tls)
    started = time.perf_counter()
    page = browser.sign_in(person.upn, person.typed)
    milliseconds = (time.perf_counter() - started) * 1000
    return Row(person.situation, _SEEN[person.expected], seen(page), milliseconds)


def seen(page: Page) -> str:
    """What the person meets, in a few words."""
    if page.path == "/account" and page.status == 200:
        return "signed in"
    if 'name="new_password"' in page.text:
        return "new password wanted"
    if page.path == "/signin/password" and page.notes.startswith("Incorrect user name or password"):
        return "refused"
    for words, short in (
        ("account is disabled", "told: disabled"),
        ("account has expired", "told: expired"),
        ("at this time", "told: time of day"),
        ("certain computers", "told: other computer"),
    ):
        if words in page.notes:
            return short
    return f"HTTP {page.status}: {page.notes}"


def _show(out: Console, rows: list[Row]) -> None:
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("person", "expected", "got", "ms"):
        grid.add_column(name, justify="right" if name == "ms" else "left")
    for row in rows:
        colour = "green" if row.as_expected else "red"
        grid.add_row(row.person, row.expected, f"[{colour}]{row.got}[/]", f"{row.milliseconds:.0f}")
    out.print(grid)


def _stay(out: Console, stand: Stand, people: dict[str, Person]) -> int:
    out.print(f"\n[bold]The sign-in page:[/] {stand.url}/  [dim](its certificate is made for this demo: accept it)[/]\n")
    if not stand.public.is_loopback:
        out.print("[yellow]Whoever can reach this address can sign in with the passwords below.[/]\n")
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("user name", "password"):
        grid.add_column(name, no_wrap=True, overflow="ignore")  # they are to be copied
    for name in ("who", "what you will see"):
        grid.add_column(name)
    for person in people.values():
        grid.add_row(person.upn, person.typed, person.situation.partition(": ")[2], _SEEN[person.expected])
    out.print(grid)
    key, anna = stand.create_api_key(), people["anna"]
    order = json.dumps({"user_name": anna.upn, "password": anna.password})
    out.print(
        f"""
[bold]To try:[/]
  curl --cacert {stand.ca_file} {stand.url}/api/v1/authenticate -H 'Authorization: Bearer {key}' \\
       -H 'Content-Type: application/json' -d '{order}'
  .venv/bin/isthmus relay agents --config {stand.relay_config}
  .venv/bin/isthmus relay audit list --config {stand.relay_config}
  kill -9 {stand.processes[AGENTS[0]].pid}      [dim]# one of the two agents: sign-in continues[/]

{_NEXT}
Ctrl-C ends it all and leaves nothing behind.""",
        soft_wrap=True,
    )
    while all(process.poll() is None for name, process in stand.processes.items() if name == "relay"):
        time.sleep(0.5)
    raise StandFailed(f"the relay ended\n{stand.log_of('relay')[-2000:]}")


if __name__ == "__main__":
    main(prog_name="python -m demo.signin")
