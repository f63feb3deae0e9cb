"""What environment variables decide about connections: proxies, trusted certificates and logins."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.certs import where
from requests.utils import get_environ_proxies, select_proxy
from urllib3.util import parse_url

from stages.shared.errors import UserError

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
# X509_V_ERR of OpenSSL: self-signed, also within the chain; issuer unknown, also of the first certificate.
UNKNOWN_AUTHORITY = (18, 19, 20, 21)


def session() -> requests.Session:
    """Return a session for every download: proxies as requests finds them, certificates of `trusted`."""
    opened = requests.Session()
    for scheme in ("http://", "https://"):
        opened.mount(scheme, _Adapter())
    return opened


class _Adapter(HTTPAdapter):
    """Checks the proxy of a request, and replaces requests' certificates, which SSL_CERT_FILE does not set."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        check_proxy(str(request.url))
        return super().send(request, *args, **kwargs)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host, tls = super().build_connection_pool_key_attributes(request, True, cert)
        return host, tls | ({"ssl_context": trusted()} if host["scheme"] == "https" else {})

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        if proxy.lower().startswith("https:"):
            settings["proxy_ssl_context"] = trusted()
        return super().proxy_manager_for(proxy, **settings)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Add no certificates to those of `trusted`."""


def trusted() -> ssl.SSLContext:
    """Return the TLS settings with the certificates of all variables in `CERTIFICATES`.

    If none is set, the system's and Mozilla's authorities are trusted.

    Raises
    ------
    UserError
        A variable names a file or folder that is missing or damaged.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As in curl: trust a server's own certificate, or an intermediate one, if the file has it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    named = list(_named_certificates())
    for name, path in named:
        try:
            context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
        except OSError as error:  # ssl.SSLError is one
            problem = "no certificates in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
            raise UserError(
                f"the environment variable {name} is '{path}': {problem}; set it to a file of trusted certificates in "
                "PEM format, or unset it"
            ) from error
    if not named:
        context.load_default_certs()
        context.load_verify_locations(where())
    return context


def _named_certificates() -> Iterator[tuple[str, str]]:
    for name in CERTIFICATES:
        value = os.environ.get(name)
        if value and name == "SSL_CERT_DIR":  # a list; OpenSSL ignores missing folders
            paths = [path for path in value.split(os.pathsep) if Path(path).is_dir()] or [value]
            yield from ((name, path) for path in paths)
        elif value:
            yield name, value


def unknown_authority(error: BaseException) -> str | None:
    """Return what to set if a TLS error says that a server's certificate is not trusted; None for other errors."""
    if not isinstance(error, ssl.SSLCertVerificationError) or error.verify_code not in UNKNOWN_AUTHORITY:
        return None
    names = [name for name, _ in _named_certificates()]
    add = f"add it to those of {names[0]}" if names else "set SSL_CERT_FILE to a file of trusted certificates with it"
    return f"if you trust the server's authority, save its certificate in PEM format, and {add}"


def proxy_of(url: str) -> tuple[str, str] | None:
    """Return the environment variable that sets the proxy of an address, and the proxy without its login, or None."""
    if not (proxy := _proxy(url)):
        return None
    names = [name for key in (urlsplit(url).scheme, "all") for name in os.environ if name.lower() == f"{key}_proxy"]
    name = next((name for name in names if os.environ[name] == proxy), "of the system's settings")
    scheme, separator, rest = proxy.rpartition("://")
    return name, scheme + separator + rest.rpartition("@")[2]


def _proxy(url: str) -> str | None:
    try:
        return select_proxy(url, get_environ_proxies(url))
    except ValueError:  # an impossible host
        return None


def check_proxy(url: str) -> None:
    """Raise UserError if the proxy of an address is not one that requests can use."""
    if not (found := proxy_of(url)):
        return
    try:
        parts = parse_url(_proxy(url) or "")
        # requests does not find the host behind a login without a scheme.
        valid = (parts.scheme or "http") in PROXY_SCHEMES and parts.host and (parts.scheme or not parts.auth)
    except ValueError:
        valid = False
    if not valid:
        raise UserError(
            f"cannot fetch {url}: the environment variable {found[0]} is '{found[1]}', which is not the address of a "
            f"proxy; it must begin with one of {', '.join(f'{scheme}://' for scheme in PROXY_SCHEMES)}, followed by a "
            f"host and a port; {exempt(url)}"
        )


def exempt(url: str) -> str:
    """Return how to fetch an address without a proxy."""
    return f"to do without a proxy, add {urlsplit(url).hostname} to the environment variable NO_PROXY"


def through(url: str) -> str:
    """Return the part of a sentence that names the proxy of an address, which may have answered itself, or nothing."""
    if not (proxy := proxy_of(url)):
        return ""
    return f", through the proxy {proxy[1]} (environment variable {proxy[0]}): {exempt(url)}"


def netrc() -> str:
    """Return the name of the file with logins, for messages."""
    return f"{os.environ['NETRC']} (environment variable NETRC)" if "NETRC" in os.environ else "~/.netrc"
