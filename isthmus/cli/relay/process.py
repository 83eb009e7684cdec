"""`isthmus relay init` and `run`."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import click

from certs import CertsError
from gateway import app
from gateway.signin import BadBranding
from isthmus import logging
from isthmus.cli.admin import acts_reporting
from isthmus.cli.output import emit_json, json_log_option, json_option, reporting, run_async
from isthmus.cli.relay.context import load_relay_settings, relay_config
from isthmus.cli.state import own
from isthmus.process import ServiceProcess
from isthmus.relay_process import serve
from isthmus.scheduling import take_turns
from isthmus.service_manager import ServiceManager


@click.command()
@relay_config
@click.option("--name", default=socket.gethostname, show_default="the host's name", help="Name of this relay node.")
@json_option
def init(config: Path, name: str, as_json: bool) -> None:
    """Create the relay's certificate authority and keys, once. Make a backup afterwards, because agents pin this authority.

    \b
    Example:
      isthmus relay init --name relay1
    """
    settings = load_relay_settings(config, makes=True)
    with reporting(CertsError, ValueError, app.ServerError, OSError):
        authority = app.init(settings.server, name=name, now=time.time())
    result = {"state_dir": str(settings.server.state_dir), "name": name, "authority_fingerprint": authority.fingerprint}
    if as_json:
        emit_json(result)
    else:
        click.echo(f"Relay {name} is set up in {settings.server.state_dir}.")
        click.echo(f"Authority: SHA-256 {authority.fingerprint}")
        click.echo(f"Next: isthmus relay run --config {config}")


@click.command()
@relay_config
@json_log_option
@click.pass_obj
def run(debug: bool, config: Path, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT, then finish requests in progress. SIGHUP reloads the settings.

    \b
    Example:
      isthmus relay run --config /etc/isthmus/relay.toml
    """
    process = ServiceProcess(ServiceManager.from_environment())
    settings = load_relay_settings(config, now=False)
    own(settings.server.state_dir, low_ports=settings.server.low_ports)
    level = "debug" if debug else ""
    logging.set_up(level or settings.log.level, "json" if as_json else settings.log.format)
    take_turns()
    with reporting(BadBranding), acts_reporting():
        run_async(serve(settings, config, process, level=level))
