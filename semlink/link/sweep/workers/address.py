"""Where a Ray cluster is, and whether anybody is there; Ray itself, which would wait for minutes, is not asked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec

from semlink.errors import ScenarioError, SemlinkError

__all__ = ["ray_address", "refuse_nobody", "refuse_strangers"]

LOCAL, ANY = "ray", "auto"
CLIENT_PORT = 10001
"""Where `ray start --head` serves Ray's client, if it can."""
NO_CLIENT = (
    "Ray's client (port 10001, `ray[client]`) is not used: run on a node of the cluster, which `ray start "
    "--address=HOST:6379` makes this machine, with ray://HOST:6379"
)
CONNECT_S = 4.0
"""How long a host may take to answer at all."""
ANSWER_S = 30.0
"""How long a cluster may take to say that it is one, with the time that Ray takes to be imported."""
ASKED = """
import sys, ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
except Exception as fault:
    print((str(fault).strip() or type(fault).__name__).splitlines()[0])
    sys.exit(1)
"""


def ray_address(on: str, called: str = "on") -> str | None:
    """The address in `ray://HOST:PORT`, and None for a cluster that is started here.

    Args:
        called: what the user knows it by.
    Raises:
        ScenarioError: it says something else.
    """
    if on == LOCAL:
        return None
    address = on.removeprefix("ray://") if on.startswith("ray://") else on.removeprefix("ray:")
    host, colon, port = address.rpartition(":")
    is_port = bool(colon) and port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 1 << 16
    if address == on or not (address == ANY or host and is_port and "/" not in host):
        raise ScenarioError(
            f"{called}: got {on!r}; need ray, ray://auto, or ray://HOST:PORT as `ray start --head` prints it, such as "
            "ray://10.0.0.1:6379"
        )
    return address


def refuse_nobody(address: str | None, called: str = "on") -> None:
    """Refuse an address where nobody listens, and all where there is no Ray.

    Raises:
        SemlinkError: the host has no address, or does not answer; Ray is not installed.
    """
    if address is not None and address != ANY:
        _refuse_no_answer(address, called)
    told = os.environ.get("RAY_ADDRESS", "") if address == ANY else ""
    if "://" in told:
        raise SemlinkError(f"{called}: RAY_ADDRESS is {told}; {NO_CLIENT}")
    if find_spec("ray") is None:
        raise SemlinkError(f"{called}: Ray is not installed; pip install 'semlink[ray]'")


def _refuse_no_answer(address: str, called: str) -> None:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise SemlinkError(f"{called}: no host is called {host} ({_reason(fault)})") from fault
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except OSError as fault:
        why = _reason(fault)
        raise SemlinkError(f"{called}: nobody answers at {address} ({why}); {_what_to_do(address)}") from fault


def refuse_strangers(address: str | None) -> None:
    """Refuse an address where something else than a Ray cluster listens.

    A process of its own tries, since `ray.init` may wait without end, and logs where nobody can turn it off.

    Raises:
        SemlinkError: no cluster answers in time.
    """
    ray = sys.modules.get("ray")
    if address is None or address == ANY or (ray is not None and ray.is_initialized()):
        return
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASKED, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_S,
            env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        )
    except subprocess.TimeoutExpired:
        why = f"nothing came back within {ANSWER_S:.0f} s"
    else:
        if done.returncode == 0:
            return
        said = done.stdout.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"Ray ended with code {done.returncode}"
    raise SemlinkError(f"on: no cluster answers at {address} ({why}); {_what_to_do(address)}")


def _what_to_do(address: str) -> str:
    if address.endswith(f":{CLIENT_PORT}"):
        return NO_CLIENT
    return "the address is that of `ray start --head`, and this machine has to be a node of the cluster"


def _reason(fault: Exception) -> str:
    said = fault.strerror if isinstance(fault, OSError) else None
    return (said or str(fault) or type(fault).__name__).lower()
