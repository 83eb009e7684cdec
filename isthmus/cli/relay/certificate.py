"""`isthmus relay renew-certificate`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from certs import CertsError
from certs.acme import AcmeError, AcmeUnreachable
from foundation.times import minute
from gateway.issuance import issuance_due, issue
from gateway.settings import ServerError
from isthmus.cli.output import UNREACHABLE, Failure, emit_said, json_option, reporting, run_async
from isthmus.cli.relay.context import load_relay_settings, relay_config
from isthmus.cli.state import own


@click.command("renew-certificate")
@relay_config
@click.option("--force", is_flag=True, help="Renew even if the renewal is not due.")
@json_option
def renew_certificate(config: Path, force: bool, as_json: bool) -> None:
    """Obtain the HTTPS certificate from the configured ACME server, if there is none or its renewal is due.

    With `tls_by_acme` a running relay renews the certificate after two thirds of its lifetime. Use this command for the
    first certificate, or to see why a renewal fails. A running relay uses the new certificate within a minute.

    \b
    Examples:
      isthmus relay renew-certificate
      isthmus relay renew-certificate --force --json
    """
    settings = load_relay_settings(config, now=False).server
    if not settings.tls_by_acme:
        raise Failure("the certificate does not come from an ACME server: set tls_by_acme, and the server in [server.acme]")
    own(settings.state_dir, low_ports=settings.low_ports)
    if not (force or issuance_due(settings, time.time())):
        said = f"{settings.tls_certificate}: its renewal is not due. To renew it anyway: --force"
        emit_said(said, as_json=as_json, renewed=False)
        return
    try:
        with reporting(CertsError, ServerError):
            ends = run_async(issue(settings))
    except AcmeError as error:
        raise Failure(str(error), UNREACHABLE if isinstance(error, AcmeUnreachable) else 1) from error
    said = f"Issued: {settings.tls_certificate}, valid until {minute(ends)}."
    emit_said(said, as_json=as_json, renewed=True, ends=ends)
