"""Load on the authentication API with wrk: persistent HTTPS connections, a different person each time."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
local bodies = {{ {bodies} }}
local at = 0
local headers = {{ ["Content-Type"] = "application/json", ["Authorization"] = "Bearer {key}" }}
function init(args) at = math.random(#bodies) end
function request()
  at = at % #bodies + 1
  return wrk.format("POST", "/api/v1/authenticate", headers, bodies[at])
end
bad = 0
function response(status, headers, body)
  if status ~= 200 or not string.find(body, '"success"', 1, true) then bad = bad + 1 end
end
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency, requests)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do errors = errors + thread:get("bad") end
  io.write(string.format("RESULT %d %d %f %f %f\\n", summary.requests, summary.duration, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, errors))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def sign_in(url: str, key: str, people: Sequence[tuple[str, str]], *, connections: int, seconds: int) -> Load:
    """Sign these people in, over and over, on this many connections."""
    bodies = ", ".join(f"'{json.dumps({'user_name': name, 'password': password})}'" for name, password in people)
    with tempfile.TemporaryDirectory() as home:
        script = Path(home) / "signin.lua"
        script.write_text(_SCRIPT.format(bodies=bodies, key=key))
        script.chmod(0o600)
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script), url],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"RESULT (\d+) (\d+) (\S+) (\S+) (\S+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout + done.stderr)
    requests, microseconds = int(found[1]), int(found[2])
    return Load(requests, requests / microseconds * 1e6, float(found[3]), float(found[4]), int(float(found[5])))
