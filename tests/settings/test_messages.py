# ruff: noqa: E501 - a message is easier to judge in one piece
"""Every message about a bad settings file, in full, as an administrator sees it. `<tomllib>` is what that says of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from isthmus.cli.configuration import model_of
from settings import SettingsFileError, load_settings

AGENT = b'state_dir = "state"\n[[directories]]\nname = "corp"\nbase_dn = "DC=corp"\n'
WHOLE = AGENT + b'servers = ["dc1"]\n'
RELAY = b'[server]\nstate_dir = "s"\npublic_url = "https://r.test"\n'
FARM = b'state_dir = "s"\n[[farms]]\nname = "p"\nfederation_name = "fs.test"\n'

MESSAGES: dict[str, tuple[str, bytes, str]] = {
    "empty": (
        "agent",
        b"",
        "settings.toml cannot be used:\n"
        "  state_dir: is missing; Directory (mode 0700) for the agent's identity\n"
        "  directories: is missing; Directories against which passwords are checked; several for several forests",
    ),
    "syntax": (
        "agent",
        b"state_dir = \n",
        "settings.toml cannot be used:\n  state_dir (line 1): is not TOML (<tomllib>)",
    ),
    "windows path": (
        "agent",
        b'state_dir = "C:\\Users\\isthmus"\n',
        "settings.toml cannot be used:\n"
        "  state_dir (line 1): is not TOML (<tomllib>); a backslash means something else in double quotes: write 'CORP\\svc' or 'C:\\path' in single quotes",
    ),
    "domain and user": (
        "agent",
        AGENT + b'[[directories]]\nservice_user = "CORP\\svc"\n',
        "settings.toml cannot be used:\n"
        "  directories[1].service_user (line 6): is not TOML (<tomllib>); a backslash means something else in double quotes: write 'CORP\\svc' or 'C:\\path' in single quotes",
    ),
    "domain and user that are TOML": (
        "agent",
        AGENT + b'service_user = "CORP\\new"\n',
        "settings.toml cannot be used:\n"
        "  directories[0].service_user (line 5): has a control character, as a backslash in double quotes makes one; put a text with a backslash into 'single quotes'",
    ),
    "twice": (
        "agent",
        b'state_dir = "a"\nstate_dir = "b"\n',
        "settings.toml cannot be used:\n  state_dir (line 2): is not TOML (<tomllib>); the same key is there twice",
    ),
    "table twice": (
        "agent",
        b"[core]\n[core]\n",
        "settings.toml cannot be used: it is not TOML (<tomllib>); the same table is there twice; a list of tables is written [[…]]",
    ),
    "misspelt": (
        "agent",
        AGENT + b'serverz = ["dc1"]\n',
        "settings.toml cannot be used:\n  directories[0].serverz (line 5): no such setting; did you mean servers?",
    ),
    "misspelt table": (
        "agent",
        WHOLE + b"[cores]\ncapacity = 1\n",
        "settings.toml cannot be used:\n  cores (line 6): no such setting; did you mean core?",
    ),
    "in another table": (
        "relay",
        RELAY + b"threshold = 3\n",
        "settings.toml cannot be used:\n  server.threshold (line 4): no such setting; it belongs in [server.admission]",
    ),
    "nothing near": (
        "agent",
        AGENT + b"xyzzy = 1\n",
        "settings.toml cannot be used:\n  directories[0].xyzzy (line 5): no such setting",
    ),
    "two directories": (
        "agent",
        WHOLE + b"[[directories]]\nname = 7\n",
        "settings.toml cannot be used:\n"
        "  directories[1].base_dn (line 6): is missing; Search base for users and groups, such as `DC=example,DC=com`\n"
        "  directories[1].name (line 7): expected text in quotes, found 7",
    ),
    "missing in second": (
        "agent",
        WHOLE + b"\n[[directories]]\n",
        "settings.toml cannot be used:\n"
        "  directories[1].name (line 7): is missing; Name of the directory in identities and logs; for Active Directory, the DNS domain name\n"
        "  directories[1].base_dn (line 7): is missing; Search base for users and groups, such as `DC=example,DC=com`",
    ),
    "not a table": (
        "agent",
        b'state_dir = "s"\ndirectories = "corp"\n',
        "settings.toml cannot be used:\n  directories (line 2): expected tables [[directories]], found 'corp'",
    ),
    "table for a list": (
        "agent",
        b'state_dir = "s"\n[directories]\nname = "corp"\n',
        "settings.toml cannot be used:\n  directories (line 2): expected tables [[directories]], found a table",
    ),
    "list for a table": (
        "agent",
        WHOLE + b"[[core]]\ncapacity = 1\n",
        "settings.toml cannot be used:\n  core (line 6): expected a table [core], found a list",
    ),
    "whole number": (
        "agent",
        AGENT + b"connections = 1.5\n",
        "settings.toml cannot be used:\n  directories[0].connections (line 5): expected a whole number, found 1.5",
    ),
    "true for a number": (
        "agent",
        AGENT + b"connections = true\n",
        "settings.toml cannot be used:\n  directories[0].connections (line 5): expected a whole number, found true",
    ),
    "negative": (
        "agent",
        AGENT + b"connect_timeout = -1\n",
        "settings.toml cannot be used:\n  directories[0].connect_timeout (line 5): -1 is negative",
    ),
    "nan": (
        "agent",
        AGENT + b"connect_timeout = nan\n",
        "settings.toml cannot be used:\n  directories[0].connect_timeout (line 5): nan is not a finite number",
    ),
    "text for a number": (
        "agent",
        AGENT + b'connect_timeout = "3 s"\n',
        "settings.toml cannot be used:\n  directories[0].connect_timeout (line 5): expected a number, found '3 s'",
    ),
    "a date": (
        "agent",
        AGENT + b"connect_timeout = 2026-01-01\n",
        "settings.toml cannot be used:\n"
        "  directories[0].connect_timeout (line 5): expected a number, found a date or a time",
    ),
    "text for yes": (
        "agent",
        AGENT + b'groups = "yes"\n',
        "settings.toml cannot be used:\n  directories[0].groups (line 5): expected true or false, found 'yes'",
    ),
    "choice": (
        "agent",
        AGENT + b'kind = "AD"\n',
        "settings.toml cannot be used:\n  directories[0].kind (line 5): 'AD' is none of 'ad', 'ldap'; did you mean 'ad'?",
    ),
    "choice number": (
        "agent",
        AGENT + b"kind = 1\n",
        "settings.toml cannot be used:\n  directories[0].kind (line 5): 1 is none of 'ad', 'ldap'",
    ),
    "item of a list": (
        "agent",
        AGENT + b'servers = [\n  "dc1",\n  7,\n]\n',
        "settings.toml cannot be used:\n  directories[0].servers[1] (line 7): expected text in quotes, found 7",
    ),
    "empty path": (
        "agent",
        WHOLE.replace(b'"state"', b'""'),
        "settings.toml cannot be used:\n  state_dir (line 1): expected a path in quotes, found ''",
    ),
    "secret in place of its file": (
        "agent",
        AGENT + b'service_password_file = ["hunter2"]\n',
        "settings.toml cannot be used:\n"
        "  directories[0].service_password_file (line 5): expected a path in quotes, found a list",
    ),
    "number in place of a file": (
        "agent",
        AGENT + b"service_password_file = 31337\n",
        "settings.toml cannot be used:\n"
        "  directories[0].service_password_file (line 5): expected a path in quotes, found a number",
    ),
    "secret under a wrong key": (
        "agent",
        AGENT + b'service_password = "hunter2"\n',
        "settings.toml cannot be used:\n"
        "  directories[0].service_password (line 5): no such setting; did you mean service_password_env or service_password_file?",
    ),
    "nul": (
        "agent",
        b'state_dir = "a\x00b"\n',
        "settings.toml cannot be used:\n  state_dir (line 1): is not TOML (<tomllib>)",
    ),
    "escaped nul": (
        "agent",
        WHOLE.replace(b'"state"', b'"a\\u0000b"'),
        "settings.toml cannot be used:\n  state_dir (line 1): has a NUL character",
    ),
    "bom": (
        "agent",
        b"\xef\xbb\xbf" + AGENT,
        "settings.toml cannot be used: it begins with a byte order mark, as Notepad's “UTF-8 with BOM” writes it; save it as “UTF-8”, without BOM",
    ),
    "utf-16": (
        "agent",
        AGENT.decode().encode("utf-16"),
        "settings.toml cannot be used: it is UTF-16 text, as Windows PowerShell's > and Notepad's “Unicode” write it; save it as UTF-8",
    ),
    "latin-1": (
        "agent",
        AGENT + b"[core]\n# M\xfcller\n",
        "settings.toml cannot be used: it is not UTF-8 text (line 6); save it as UTF-8",
    ),
    "deep": (
        "agent",
        b"a = " + b"[" * 2000 + b"]" * 2000,
        "settings.toml cannot be used: it is nested too deeply",
    ),
    "long number": (
        "agent",
        b"a = " + b"1" * 5000,
        "settings.toml cannot be used: it is not TOML (a number has too many digits)",
    ),
    "line separator": (
        "agent",
        WHOLE.replace(b'"state"\n', b'"a\xe2\x80\xa8b"\nx = 1\n'),
        "settings.toml cannot be used:\n  x (line 2): no such setting",
    ),
    "many": (
        "agent",
        b'stat_dir = "s"\n[[directories]]\nname = 1\nbase_dn = ["x"]\nserver = ["dc1"]\n[core]\ncapacity = "many"\n[log]\nlevel = "loud"\n',
        "settings.toml cannot be used:\n"
        "  state_dir: is missing; Directory (mode 0700) for the agent's identity\n"
        "  stat_dir (line 1): no such setting; did you mean state_dir?\n"
        "  directories[0].name (line 3): expected text in quotes, found 1\n"
        "  directories[0].base_dn (line 4): expected text in quotes, found a list\n"
        "  directories[0].server (line 5): no such setting; did you mean servers?\n"
        "  core.capacity (line 7): expected a whole number, found 'many'\n"
        "  log.level (line 9): 'loud' is none of 'debug', 'info', 'warning', 'error'",
    ),
    "relay many": (
        "relay",
        b'[server]\nstate_dir = "s"\nlisten = 8443\n[server.admission]\nthreshhold = 4\nlock_seconds = "60"\n[server.signin]\n',
        "settings.toml cannot be used:\n"
        "  server.public_url (line 1): is missing; Address that users and agents open: `https://host[:port]`\n"
        "  server.listen (line 3): expected text in quotes, found 8443\n"
        "  server.admission.threshhold (line 5): no such setting; did you mean threshold?\n"
        "  server.admission.lock_seconds (line 6): expected a number, found '60'; write it without quotes",
    ),
    "farm": (
        "adfs",
        FARM + b'nodes = "fs1"\n[remoting]\nauth = "kerberos5"\npasword_file = "x"\n',
        "settings.toml cannot be used:\n"
        "  farms[0].nodes (line 5): expected a list [ … ], found 'fs1'\n"
        "  remoting.auth (line 7): 'kerberos5' is none of 'kerberos', 'ntlm', 'negotiate', 'certificate', 'credssp', 'basic'; did you mean 'kerberos'?\n"
        "  remoting.pasword_file (line 8): no such setting; did you mean password_file?",
    ),
    "many dots": (
        "agent",
        b"a" + b".a" * 5_000 + b" = 1",
        "settings.toml cannot be used: it is nested too deeply",
    ),
    "large": (
        "agent",
        b"#" * 2_097_153,
        "settings.toml cannot be used: it has more than 2097152 bytes",
    ),
    "address with a password": (
        "relay",
        RELAY + b'listen = ["http://svc:hunter2@proxy"]\n[server.core]\ncanary_interval = "http://svc:hunter2@proxy"\n',
        "settings.toml cannot be used:\n"
        "  server.listen (line 4): expected text in quotes, found a list\n"
        "  server.core.canary_interval (line 6): expected a number, found text",
    ),
    "fifty of sixty": (
        "agent",
        AGENT + b"".join(b"zzz%d = 1\n" % n for n in range(60)),
        "settings.toml cannot be used:\n"
        "  directories[0].zzz0 (line 5): no such setting\n"
        "  directories[0].zzz1 (line 6): no such setting\n"
        "  directories[0].zzz2 (line 7): no such setting\n"
        "  directories[0].zzz3 (line 8): no such setting\n"
        "  directories[0].zzz4 (line 9): no such setting\n"
        "  directories[0].zzz5 (line 10): no such setting\n"
        "  directories[0].zzz6 (line 11): no such setting\n"
        "  directories[0].zzz7 (line 12): no such setting\n"
        "  directories[0].zzz8 (line 13): no such setting\n"
        "  directories[0].zzz9 (line 14): no such setting\n"
        "  directories[0].zzz10 (line 15): no such setting\n"
        "  directories[0].zzz11 (line 16): no such setting\n"
        "  directories[0].zzz12 (line 17): no such setting\n"
        "  directories[0].zzz13 (line 18): no such setting\n"
        "  directories[0].zzz14 (line 19): no such setting\n"
        "  directories[0].zzz15 (line 20): no such setting\n"
        "  directories[0].zzz16 (line 21): no such setting\n"
        "  directories[0].zzz17 (line 22): no such setting\n"
        "  directories[0].zzz18 (line 23): no such setting\n"
        "  directories[0].zzz19 (line 24): no such setting\n"
        "  directories[0].zzz20 (line 25): no such setting\n"
        "  directories[0].zzz21 (line 26): no such setting\n"
        "  directories[0].zzz22 (line 27): no such setting\n"
        "  directories[0].zzz23 (line 28): no such setting\n"
        "  directories[0].zzz24 (line 29): no such setting\n"
        "  directories[0].zzz25 (line 30): no such setting\n"
        "  directories[0].zzz26 (line 31): no such setting\n"
        "  directories[0].zzz27 (line 32): no such setting\n"
        "  directories[0].zzz28 (line 33): no such setting\n"
        "  directories[0].zzz29 (line 34): no such setting\n"
        "  directories[0].zzz30 (line 35): no such setting\n"
        "  directories[0].zzz31 (line 36): no such setting\n"
        "  directories[0].zzz32 (line 37): no such setting\n"
        "  directories[0].zzz33 (line 38): no such setting\n"
        "  directories[0].zzz34 (line 39): no such setting\n"
        "  directories[0].zzz35 (line 40): no such setting\n"
        "  directories[0].zzz36 (line 41): no such setting\n"
        "  directories[0].zzz37 (line 42): no such setting\n"
        "  directories[0].zzz38 (line 43): no such setting\n"
        "  directories[0].zzz39 (line 44): no such setting\n"
        "  directories[0].zzz40 (line 45): no such setting\n"
        "  directories[0].zzz41 (line 46): no such setting\n"
        "  directories[0].zzz42 (line 47): no such setting\n"
        "  directories[0].zzz43 (line 48): no such setting\n"
        "  directories[0].zzz44 (line 49): no such setting\n"
        "  directories[0].zzz45 (line 50): no such setting\n"
        "  directories[0].zzz46 (line 51): no such setting\n"
        "  directories[0].zzz47 (line 52): no such setting\n"
        "  directories[0].zzz48 (line 53): no such setting\n"
        "  directories[0].zzz49 (line 54): no such setting\n"
        "  … and 10 more",
    ),
    "long name": (
        "agent",
        AGENT + b"k" * 1000 + b" = 1\nconnections = '" + b"v" * 1000 + b"'\n",
        "settings.toml cannot be used:\n"
        '  directories[0]."kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…" (line 5): no such setting\n'
        "  directories[0].connections (line 6): expected a whole number, found 'vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv…'",
    ),
    "quoted key": (
        "agent",
        AGENT + b'"a b" = 1\n',
        'settings.toml cannot be used:\n  directories[0]."a b" (line 5): no such setting',
    ),
}


def worded(content: bytes) -> str:
    """What tomllib says, which is worded anew from time to time."""
    try:
        tomllib.loads(content.decode())
    except tomllib.TOMLDecodeError as error:
        return str(error)
    except (ValueError, RecursionError):
        pass
    return "<tomllib>"


@pytest.mark.parametrize("name", MESSAGES)
def test_the_message_is_told_in_full(tmp_path: Path, name: str) -> None:
    """File, key, line, what is wrong, what to do; one line where the file as a whole is at fault."""
    kind, content, message = MESSAGES[name]
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsFileError) as caught:
        load_settings(path, model_of(kind)[0])
    assert str(caught.value).replace(str(path), "settings.toml") == message.replace("<tomllib>", worded(content))
    assert "hunter2" not in f"{caught.value!r}{caught.value.__cause__!r}"
