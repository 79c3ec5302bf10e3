"""
What may be said in the clear: only what stays on this machine.

The same rule for what we listen on and for whom we call.
"""

import ipaddress
from urllib.parse import urlsplit

from broker.domain.errors import ConfigurationError


def is_loopback(host: str) -> bool:
    """Whether *host* can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(url: str, place: str) -> None:
    """
    Let an address pass that may be called.

    Args:
        url: Where we are to call.
        place: Name of the setting, for the message.

    Raises:
        ConfigurationError: It is no http or https address, or has no TLS beyond loopback.
    """
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if scheme not in {"http", "https"} or not host:
        raise ConfigurationError(f"not an http or https address @ {place}")
    if scheme == "http" and not is_loopback(host):
        raise ConfigurationError(f"TLS is needed beyond loopback @ {place}")


def is_all_loopback(bootstrap: str) -> bool:
    """Whether every server of a list such as ``127.0.0.1:9092,[::1]:9092`` is on this machine."""
    servers = (server.strip() for server in bootstrap.split(","))
    hosts = (server.rpartition(":")[0].strip("[]") or server for server in servers if server)
    return all(is_loopback(host) for host in hosts)
