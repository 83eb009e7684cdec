"""`make demo-adfs`: a simulated AD FS farm whose token-signing certificate is about to end, and commands that replace it.

usage: python -m demo.adfs [--once]

Simulated: the servers (WinRM, metadata, TLS) and Entra ID. Real: everything of Isthmus, run as commands, over the network.
Partners and the old certificate get no time here (`--wait-days 0 --soak-days 0`), which nobody should do to real ones, and
secondaries poll every two seconds instead of every five minutes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from tests.adfs import endpoints
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import ADMIN, Simulator
from tests.adfs.simulator.state import Farm
from tests.adfs.simulator.wsman import WsManServer
from tests.fakes.graph import FakeGraph

_TO_TRY = """\
A simulated farm is up: two nodes, a proxy, Entra ID with two federated domains. To try, in another terminal:

  export ISTHMUS_CONFIG={config}
  .venv/bin/isthmus adfs status
  .venv/bin/isthmus adfs check
  .venv/bin/isthmus adfs timeline --output timeline.html
  .venv/bin/isthmus adfs rollover plan --use signing --wait-days 0 --soak-days 0
  .venv/bin/isthmus adfs rollover apply --use signing --wait-days 0 --soak-days 0
  .venv/bin/isthmus adfs rollover promote --acknowledge "Partner 2"
  .venv/bin/isthmus adfs rollover retire
  .venv/bin/isthmus adfs trust show
  .venv/bin/isthmus adfs node add {node} --admin-user '{user}' --admin-password-file {password}

Ctrl-C ends it all and leaves nothing behind."""
PASSWORD = "Adm1n-Passw0rd"
PAGES = Path("build/demo-adfs")
"""Where the timeline before and after goes."""
ROLES = {"Domain.Read.All", "Domain-InternalFederation.ReadWrite.All"}
NEW_NODE = "adfs3.corp.example.com"
HURRY = ("--use", "signing", "--wait-days", "0", "--soak-days", "0")
POLL = 2.0
"""Seconds between the polls of a secondary, and for everything of the rollover that waits for them."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the commands need to know."""

    config: Path
    password: Path
    new_node: str
    """`host=address` of a server that is not in the farm yet."""

    def write_down_new_node(self) -> None:
        """Into the settings, as an administrator does after adding it."""
        text = self.config.read_text()
        self.config.write_text(text.replace("nodes = [", f'nodes = ["{self.new_node}", '))


@contextmanager
def world(home: Path) -> Iterator[Site]:
    """The farm, its network, WinRM and Graph, and a settings file for them."""
    simulator = Simulator(time.time)
    farm = simulator.farm("2019", 2, 1, signing_days=21.0, decrypting_days=200.0, ssl_days=120.0)
    farm.shared.poll = POLL
    for host in simulator.world.nodes(farm):
        if host.node is not None:
            host.node.configuration.poll = POLL
    ssl = next(row.certificate for row in farm.shared.certificates if row.use == "Service-Communications")
    simulator.host(NEW_NODE)
    simulator.put(NEW_NODE, ssl)
    farm.gmsa_hosts.add(NEW_NODE)
    with Network(simulator) as network, FakeGraph() as graph:
        hosts = {fqdn: network.address(fqdn) for fqdn in simulator.world.hosts}
        offered = endpoints.configurations(hosts)
        with WsManServer(simulator.invoke, hosts=hosts, users={ADMIN: PASSWORD}, configurations=offered) as winrm:
            config = write_settings(home, farm, simulator, network, winrm, graph)
            yield Site(config, home / "admin.password", f"{NEW_NODE}={network.address(NEW_NODE)}")


def write_settings(
    home: Path, farm: Farm, simulator: Simulator, network: Network, winrm: WsManServer, graph: FakeGraph
) -> Path:
    """For farm `prod` of this network, this WinRM and this tenant, whose domains are federated with it."""
    federate(graph, simulator, farm)
    application = graph.register("Isthmus", roles=ROLES)
    secret, password = home / "entra.secret", home / "admin.password"
    for file, text in ((secret, application.secret), (password, PASSWORD)):
        file.touch(mode=0o600)
        file.write_text(text + "\n")
    path = home / "adfs.toml"
    path.write_text(
        f"""
state_dir = "{home / "state"}"
[[farms]]
name = "prod"
federation_name = "fs.example.com"
federation_address = "{network.federation_address(farm)}"
nodes = {json.dumps([*network.nodes(farm)])}
proxies = {json.dumps([*network.proxies(farm)])}
https_port = {network.https_port}
http_port = {network.http_port}
tls_ca_file = "{network.ca_file}"
[remoting]
auth = "ntlm"
user = '{ADMIN}'
password_file = "{password}"
port = {winrm.port}
tls = false
configuration = "{endpoints.NAME}"
[[entra]]
tenant = "{graph.tenant}"
client_id = "{application.client_id}"
secret_file = "{secret}"
authority = "{graph.url}"
graph = "{graph.url}"
tls_ca_file = "{graph.ca_file}"
[log]
level = "warning"
"""
    )
    return path


def federate(graph: FakeGraph, simulator: Simulator, farm: Farm) -> None:
    """Two domains, with the certificate that signs now."""
    signing = next(row for row in farm.shared.certificates if row.use == "Token-Signing" and row.is_primary)
    base = "https://fs.example.com/adfs"
    for domain in ("example.com", "example.org"):
        graph.add_domain(
            domain,
            federation={
                "displayName": "fs.example.com",
                "issuerUri": f"http://{domain}/adfs/services/trust/",
                "metadataExchangeUri": f"{base}/services/trust/mex",
                "passiveSignInUri": f"{base}/ls/",
                "activeSignInUri": f"{base}/services/trust/2005/usernamemixed",
                "signOutUri": f"{base}/ls/",
                "preferredAuthenticationProtocol": "wsFed",
                "signingCertificate": base64.b64encode(signing.certificate.der).decode(),
            },
        )


class Story:
    """Runs commands as somebody at a terminal would, and remembers which did not do as expected."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.wrong: list[str] = []

    def run(self, *words: str, expected: tuple[int, ...] = (0,)) -> None:
        """One command, which shows what it does by itself."""
        shown = " ".join(f'"{word}"' if " " in word else word for word in words)
        click.echo(click.style(f"\n$ isthmus adfs {shown}", bold=True))
        done = subprocess.run(
            [sys.executable, "-m", "isthmus", "adfs", *words],
            env={**os.environ, "ISTHMUS_CONFIG": str(self.site.config)},
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode not in expected:
            self.wrong.append(f"isthmus adfs {shown}: exit code {done.returncode}")


def tell(story: Story, pages: Path) -> None:
    """From a certificate that is about to end to a farm that is green."""
    story.run("status")
    story.run("check")
    story.run("timeline", "--output", str(pages / "before.html"))
    story.run("trust", "show")
    story.run("rollover", "plan", *HURRY)
    story.run("rollover", "apply", *HURRY, "--yes")
    story.run("rollover", "promote", "--acknowledge", "Partner 2", "--yes")
    story.run("rollover", "retire", "--yes")
    story.run("rollover", "status")
    story.run("trust", "show")
    site = story.site
    story.run("node", "add", site.new_node, "--admin-user", ADMIN, "--admin-password-file", str(site.password), "--yes")
    site.write_down_new_node()
    story.run("status")
    story.run("check", "--all")
    story.run("timeline", "--output", str(pages / "after.html"))


def main() -> int:
    """0 if every command did what it should."""
    once = "--once" in sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="isthmus-adfs-") as directory:
        home = Path(directory)
        with world(home) as site:
            if once:
                story = Story(site)
                PAGES.mkdir(parents=True, exist_ok=True)
                tell(story, PAGES)
                print("\n" + ("\n".join(story.wrong) or "Everything as expected."))
                print(f"To look at in a browser: {PAGES}/before.html and {PAGES}/after.html")
                return 1 if story.wrong else 0
            print(_TO_TRY.format(config=site.config, node=site.new_node, password=site.password, user=ADMIN), flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
