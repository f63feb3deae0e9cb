"""Proxies, certificates and logins of stage fetch, which environment variables set: the same for both sources."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stages.fetch.__main__ import main
from stages.shared.errors import UserError
from tests.fixtures.idx_files import digits, gzipped
from tests.fixtures.loopback import Answer, Loopback, self_signed
from tests.fixtures.openml_server import columns_of, openml

DATA = digits(rows=10, side=3, train_rows=8)
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

Fetch = Callable[[str], None]


@pytest.fixture(autouse=True)
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Work in an empty folder, with none of the variables and without waiting; returns the seconds waited."""
    waits: list[float] = []
    monkeypatch.chdir(tmp_path)
    for name in (*CERTIFICATES, *PROXIES, *map(str.upper, PROXIES), "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def from_address(address: str) -> None:
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": f"{address}/mnist"}}))
    main()


def from_openml(address: str) -> None:
    dataset = {"name": "digits", "version": 1, "train_rows": 8, "server": address}
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": "openml", "openml": dataset}}))
    main()


@pytest.fixture(params=[from_address, from_openml])
def fetch(request: pytest.FixtureRequest) -> Fetch:
    """Runs the stage with each of the two sources that download."""
    chosen: Fetch = request.param
    return chosen


def refused(fetch: Fetch, address: str, *facts: str) -> str:
    """Run the stage, which must end with one sentence that has these facts, and return it."""
    with pytest.raises(UserError) as caught:
        fetch(address)
    sentence = str(caught.value)
    assert "\n" not in sentence and not Path("data").exists()
    assert [fact for fact in facts if fact not in sentence] == [], sentence
    return sentence


def fill(site: Loopback, prefix: str = "") -> None:
    """Let a server have the data set for both sources; `prefix` is the address, if it is a proxy."""
    files = {f"/mnist/{name}": Answer(content) for name, content in gzipped(DATA.files()).items()}
    answers = files | openml(columns_of(DATA.images), [str(label) for label in DATA.labels])
    site.answers |= {prefix + path: answer for path, answer in answers.items()}


def fetched() -> bool:
    return np.array_equal(np.load("data/raw/images.npy"), DATA.images)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key."""
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def company(certificate: Path) -> Iterator[Loopback]:
    """A server whose certificate no public authority signed."""
    with Loopback(certificate=certificate) as site:
        fill(site)
        yield site


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Certificates


def setting(name: str, certificate: Path) -> str:
    """Return the value with which a variable names a certificate: a file, or a folder as OpenSSL reads it."""
    if name != "SSL_CERT_DIR":
        return str(certificate)
    command = ["openssl", "x509", "-noout", "-hash", "-in", str(certificate)]
    number = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    folder = certificate.parent / f"folder-{certificate.stem}"
    folder.mkdir(exist_ok=True)
    shutil.copy(certificate, folder / f"{number}.0")
    return f"/no-such-folder:{folder}"


@pytest.mark.parametrize("name", CERTIFICATES)
def test_each_variable_is_honoured(
    name: str, fetch: Fetch, company: Loopback, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, setting(name, certificate))
    fetch(company.address)
    assert fetched()
    Path("unrelated").mkdir()
    other = "SSL_CERT_FILE" if name == "REQUESTS_CA_BUNDLE" else "REQUESTS_CA_BUNDLE"
    monkeypatch.setenv(other, str(self_signed(Path("unrelated"), "DNS:example.org")))
    fetch(company.address)


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates_that_are_missing_or_damaged(
    name: str, fetch: Fetch, company: Loopback, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "nowhere/ca.pem")
    refused(fetch, company.address, f"environment variable {name} is 'nowhere/ca.pem': No such file", "PEM", "unset")
    for content in ("", "<html>", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"):
        Path("ca.pem").write_text(content)
        monkeypatch.setenv(name, "ca.pem")
        refused(fetch, company.address, f"environment variable {name} is 'ca.pem': no certificates in PEM format")
    assert (waits, company.requests) == ([], [])


def test_a_missing_bundle_does_not_matter_without_https(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CERTIFICATES, "SSLKEYLOGFILE"):
        monkeypatch.setenv(name, "nowhere/ca.pem")
    with Loopback() as site:
        fill(site)
        fetch(site.address)
    assert fetched()


def test_a_log_of_keys_that_cannot_be_written_does_not_matter(
    fetch: Fetch, company: Loopback, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("SSLKEYLOGFILE", "nowhere/keys")
    fetch(company.address)


def test_a_server_that_is_not_trusted(
    fetch: Fetch, company: Loopback, certificate: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(fetch, company.address, company.address, "self-signed certificate", "set SSL_CERT_FILE to a file", "PEM")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(self_signed(Path(), "DNS:example.org")))
    refused(fetch, company.address, "self-signed certificate", "add it to those of CURL_CA_BUNDLE")
    with Loopback(certificate=Path("example.org.pem")) as site:
        sentence = refused(fetch, site.address, site.address, "IP address mismatch", "check fetch.")
        assert "SSL_CERT_FILE" not in sentence, "which would not help"
    assert waits == []


# Proxies


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_used(name: str, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback() as proxy:
        fill(proxy, "http://digits.invalid")
        monkeypatch.setenv(name, proxy.address)
        fetch("http://digits.invalid")
    assert fetched()


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_a_host_without_a_proxy(name: str, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(name, "localhost,127.0.0.1")
    with Loopback() as site:
        fill(site)
        fetch(site.address)
    assert fetched()


@pytest.mark.parametrize(
    ("name", "proxy", "shown"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:1080/", "socks://127.0.0.1:1080/"),
        ("all_proxy", "socks6://user:secret@127.0.0.1:1080", "socks6://127.0.0.1:1080"),
        ("HTTPS_PROXY", "ftp://127.0.0.1:1", "ftp://127.0.0.1:1"),
        ("https_proxy", "http://127.0.0.1:port", "http://127.0.0.1:port"),
        ("HTTPS_PROXY", "http://user:secret@", "http://"),
        ("HTTPS_PROXY", "user:secret@127.0.0.1:1", "127.0.0.1:1"),  # requests cannot read it without a scheme
        ("HTTPS_PROXY", "http://[::1", "http://[::1"),
        ("HTTPS_PROXY", "127.0.0.1:99999", "127.0.0.1:99999"),
    ],
)
def test_a_proxy_that_is_none(
    name: str, proxy: str, shown: str, fetch: Fetch, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, proxy)
    sentence = refused(
        fetch,
        "https://digits.invalid",
        f"variable {name} is '{shown}'",
        "socks5h://",
        "add digits.invalid to",
        "NO_PROXY",
    )
    assert "secret" not in sentence
    assert waits == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", ["http://", "socks5h://"])
def test_a_dead_proxy(
    scheme: str,
    kind: str,
    fetch: Fetch,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = f"{scheme.upper()}_PROXY"
    port = unused_port()
    monkeypatch.setenv(name, f"{kind}user:secret@127.0.0.1:{port}")
    sentence = refused(
        fetch,
        f"{scheme}://127.0.0.1:2",
        f"through the proxy {kind}127.0.0.1:{port} (environment variable {name}): Connection refused",
        f"check fetch.{'source' if fetch is from_address else 'openml'} and {name}",
        "add 127.0.0.1 to the environment variable NO_PROXY",
    )
    assert "secret" not in sentence + capsys.readouterr().out
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("status", "retries"), [(407, 0), (403, 0), (502, 4)])
def test_a_proxy_that_refuses(
    scheme: str, status: int, retries: int, fetch: Fetch, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{scheme}_proxy"
    with Loopback(Answer(status=status)) as proxy:
        monkeypatch.setenv(name, proxy.address)
        sentence = refused(
            fetch, f"{scheme}://digits.invalid", str(status), f"{proxy.address} (environment variable {name})"
        )
    assert ("user:password@" in sentence) == (status == 407)
    assert len(waits) == retries


PAGE = Answer(b"<html>Log in to this network", headers={"Content-Type": "text/html"})


@pytest.mark.parametrize(("answer", "shown"), [(Answer(status=404), "(404 Not Found)"), (PAGE, "a web page")])
def test_a_proxy_that_answers_itself(answer: Answer, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(answer) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        refused(
            from_address,
            "http://digits.invalid",
            shown,
            f"{proxy.address} (environment variable http_proxy)",
            "NO_PROXY",
        )


# Logins


def test_the_login_of_the_netrc_file(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(Answer(status=401)) as site:
        refused(fetch, site.address, "401 Unauthorized", "~/.netrc")
        Path("logins").write_text("machine 127.0.0.1 login user password secret")
        monkeypatch.setenv("NETRC", "logins")
        assert "secret" not in refused(fetch, site.address, "401 Unauthorized", "logins (environment variable NETRC)")
        # Neither can be sent; "latin" is not UTF-8.
        for content in ("machine 127.0.0.1 login user password \u0441".encode(), "# latin \xe9".encode("latin-1")):
            Path("logins").write_bytes(content)
            refused(fetch, site.address, "login", "logins (environment variable NETRC)")
