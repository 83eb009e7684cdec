"""Envelopes of WS-Management as Windows speaks it: MS-WSMV 2.2 (messages), 3.1.4 (processing).

Requests are read strictly: an unknown action, or a header that must be understood and is not, is a fault.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field

from lxml import etree  # type: ignore[import-untyped]

S = "http://www.w3.org/2003/05/soap-envelope"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
W = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
P = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
X = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
F = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identify/1/wsmanidentity.xsd"
CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
PWSH = "http://schemas.microsoft.com/powershell"
NS = {"s": S, "a": A, "w": W, "p": P, "x": X, "rsp": RSP, "id": IDENTITY, "pwsh": PWSH}

ACTIONS = {
    f"{X}/Create": "create",
    f"{X}/Delete": "delete",
    f"{X}/Get": "get",
    f"{RSP}/Command": "command",
    f"{RSP}/Receive": "receive",
    f"{RSP}/Send": "send",
    f"{RSP}/Signal": "signal",
}
_UNDERSTOOD = {f"{{{A}}}{name}" for name in ("Action", "MessageID", "ReplyTo", "To", "Address")} | {
    f"{{{W}}}{name}" for name in ("MaxEnvelopeSize", "ResourceURI", "OptionSet", "SelectorSet", "OperationTimeout", "Locale")
}


class Fault(Exception):
    """Answered as s:Fault with HTTP 500. `code` is Windows's number for it."""

    def __init__(self, code: int, subcode: str, reason: str, *, sender: bool = True) -> None:
        super().__init__(reason)
        self.code, self.subcode, self.reason, self.sender = code, subcode, reason, sender


def timed_out() -> Fault:
    return Fault(
        2150858793,
        "w:TimedOut",
        "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
        sender=False,
    )


def unknown_shell() -> Fault:
    return Fault(
        2150858843,
        "w:InvalidSelectors",
        "The WS-Management service cannot process the request because the request contained invalid selectors for the "
        "resource.",
    )


def bad_request(reason: str) -> Fault:
    return Fault(2150858752, "w:SchemaValidationError", reason)


def no_such_configuration(resource: str) -> Fault:
    return Fault(
        2150858757,
        "w:DestinationUnreachable",
        f"The WS-Management service cannot process the request. The resource URI ({resource}) was not found in the "
        "WS-Management catalog.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One envelope that was understood."""

    action: str
    message_id: str
    resource: str = ""
    shell_id: str = ""
    timeout: float = 60.0
    body: etree._Element | None = field(default=None, repr=False)

    def find(self, path: str) -> etree._Element | None:
        return None if self.body is None else self.body.find(path, NS)


def parse(data: bytes) -> Request:
    """Raise Fault for what is no envelope, or not one that we serve."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise bad_request(f"not XML: {error}") from error
    header, body = root.find("s:Header", NS), root.find("s:Body", NS)
    if body is not None and body.find("id:Identify", NS) is not None:
        return Request(action="identify", message_id="")
    if header is None or body is None:
        raise bad_request("no Header or no Body")
    for child in header:
        if child.get(f"{{{S}}}mustUnderstand") == "true" and child.tag not in _UNDERSTOOD:
            raise Fault(2150859250, "s:MustUnderstand", f"header {child.tag} is not understood")
    action = header.findtext("a:Action", "", NS)
    if action not in ACTIONS:
        raise Fault(2150858825, "a:ActionNotSupported", f"action {action!r} is not supported")
    timeout = header.findtext("w:OperationTimeout", "PT60S", NS)
    seconds = re.fullmatch(r"PT([0-9.]+)S", timeout)
    if seconds is None:
        reason = f"The XML contains an invalid timeout field in the SOAP header: {timeout}."
        raise Fault(2150858767, "a:InvalidMessageInformationHeader", reason)
    return Request(
        action=ACTIONS[action],
        message_id=header.findtext("a:MessageID", "", NS),
        resource=header.findtext("w:ResourceURI", "", NS),
        shell_id=header.findtext("w:SelectorSet/w:Selector[@Name='ShellId']", "", NS),
        timeout=float(seconds.group(1)),
        body=body,
    )


def respond(request: Request, *content: etree._Element) -> bytes:
    """The answer to a request that went well."""
    uri = next(uri for uri, name in ACTIONS.items() if name == request.action)
    return _envelope(f"{uri}Response", request.message_id, list(content))


def identity() -> bytes:
    root = etree.Element(f"{{{S}}}Envelope", nsmap={"s": S, "wsmid": IDENTITY})
    etree.SubElement(root, f"{{{S}}}Header")
    answer = etree.SubElement(etree.SubElement(root, f"{{{S}}}Body"), f"{{{IDENTITY}}}IdentifyResponse")
    for name, text in (
        ("ProtocolVersion", W),
        ("ProductVendor", "Microsoft Corporation"),
        ("ProductVersion", "OS: 0.0.0 SP: 0.0 Stack: 3.0"),
    ):
        etree.SubElement(answer, f"{{{IDENTITY}}}{name}").text = text
    return bytes(etree.tostring(root))


def fault(error: Fault, message_id: str) -> bytes:
    part = etree.Element(f"{{{S}}}Fault")
    code = etree.SubElement(part, f"{{{S}}}Code")
    etree.SubElement(code, f"{{{S}}}Value").text = "s:Sender" if error.sender else "s:Receiver"
    etree.SubElement(etree.SubElement(code, f"{{{S}}}Subcode"), f"{{{S}}}Value").text = error.subcode
    etree.SubElement(etree.SubElement(part, f"{{{S}}}Reason"), f"{{{S}}}Text").text = error.reason
    detail = etree.SubElement(etree.SubElement(part, f"{{{S}}}Detail"), f"{{{F}}}WSManFault", Code=str(error.code))
    etree.SubElement(detail, f"{{{F}}}Message").text = error.reason
    return _envelope("http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", message_id, [part])


def element(name: str, text: str = "", *children: etree._Element, **attributes: str) -> etree._Element:
    """One element of the shell namespace."""
    made = etree.Element(f"{{{RSP}}}{name}", attrib=attributes)
    if text:
        made.text = text
    made.extend(children)
    return made


def created(resource: str, shell_id: str) -> etree._Element:
    """wst:ResourceCreated: what later requests select the shell by."""
    made = etree.Element(f"{{{X}}}ResourceCreated")
    reference = etree.SubElement(made, f"{{{A}}}ReferenceParameters")
    etree.SubElement(reference, f"{{{W}}}ResourceURI").text = resource
    selectors = etree.SubElement(reference, f"{{{W}}}SelectorSet")
    etree.SubElement(selectors, f"{{{W}}}Selector", Name="ShellId").text = shell_id
    return made


def service_settings(envelope_kilobytes: int) -> etree._Element:
    """Of cfg:Config the one that clients ask for: how large a message may be."""
    made = etree.Element(f"{{{CONFIG}}}Config", nsmap={"cfg": CONFIG})
    etree.SubElement(made, f"{{{CONFIG}}}MaxEnvelopeSizekb").text = str(envelope_kilobytes)
    return made


def _envelope(action: str, relates_to: str, content: list[etree._Element]) -> bytes:
    root = etree.Element(f"{{{S}}}Envelope", nsmap={"s": S, "a": A, "w": W, "rsp": RSP, "p": P, "x": X})
    header = etree.SubElement(root, f"{{{S}}}Header")
    etree.SubElement(header, f"{{{A}}}Action").text = action
    etree.SubElement(header, f"{{{A}}}MessageID").text = f"uuid:{str(uuid.uuid4()).upper()}"
    etree.SubElement(header, f"{{{A}}}RelatesTo").text = relates_to
    etree.SubElement(root, f"{{{S}}}Body").extend(content)
    return bytes(etree.tostring(root))
