"""The dashboard as its container serves it: the compose file's own command, over TLS."""

import datetime
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.halt import HALT_NAME
from bot.lock import EngineLock
from bot.web.password import hashed, write_hash
from config.load import profile_path
from tests.api_scene import free_port
from tests.e2e_scene import called, finish, one_line, start
from tests.web_scene import PASSWORD, field, written

ROOT = Path(__file__).resolve().parents[1]


def write_certificate(certificate: Path, key: Path) -> None:
    """One for this machine, signed by itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    key.chmod(0o600)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """What is mounted under /run/secrets."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    write_certificate(folder / "web_certificate", folder / "web_key")
    write_hash(folder / "web_password_hash", hashed(PASSWORD))
    return folder


def compose_command(config: Path, secrets: Path, port: int) -> list[str]:
    """The service's command, its mounted folders replaced; the port is the only word more."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    words: list[str] = document["services"]["web"]["command"]
    places = {"/sidecar/config.yaml": str(config), "/run/secrets": str(secrets)}
    for place, here in places.items():
        words = [word.replace(place, here) for word in words]
    return [*words, f"--port={port}"]


@contextmanager
def served(config: Path, secrets: Path) -> Iterator[httpx.Client]:
    """A browser at the running dashboard, which trusts its certificate and no other."""
    port = free_port()
    process = start(*compose_command(config, secrets, port))
    trusted = ssl.create_default_context(cafile=str(secrets / "web_certificate"))
    client = httpx.Client(base_url=f"https://localhost:{port}", verify=trusted, timeout=20)
    try:
        _until_alive(client)
        yield client
    finally:
        client.close()
        process.terminate()
        finish(process)


def _until_alive(client: httpx.Client) -> None:
    until_s = time.monotonic() + 90
    while True:
        try:
            assert client.get("/alive").text == "alive\n"
        except httpx.TransportError:
            assert time.monotonic() < until_s
            time.sleep(0.1)
        else:
            return


def paper(folder: Path) -> Path:
    """The image's own config, beside a state directory in which an engine has run."""
    config = folder / "config.yaml"
    config.write_text(profile_path("paper").read_text())
    written(folder / "state" / "paper")
    return config


def test_the_container_serves_by_tls_and_reaches_the_engine_by_files(
    tmp_path: Path, secrets: Path
) -> None:
    config = paper(tmp_path)
    with served(config, secrets) as browser, EngineLock(tmp_path / "state" / "paper"):
        page = browser.get("/login")
        form = {"form_token": field(page.text, "form_token"), "name": "ann", "password": PASSWORD}
        origin = {"Origin": str(browser.base_url).rstrip("/")}
        done = browser.post("/login", data=form, headers=origin)
        assert done.status_code == 303
        cookie = done.headers["set-cookie"]
        assert cookie.startswith("__Host-perphedge-session=")
        assert "; Secure" in cookie
        assert "12,345.68" in browser.get("/").text
        token = field(browser.get("/controls").text, "form_token")
        halt = {"form_token": token, "action": "halt", "reason": "news"}
        assert browser.post("/controls", data=halt, headers=origin).status_code == 303
    assert "news (ann (dashboard))" in (tmp_path / "state" / "paper" / HALT_NAME).read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--host=0.0.0.0"], 'web.host: "0.0.0.0" — 127.0.0.1, ::1 or localhost; elsewhere only'),
        (["--certificate=a.pem"], "web.certificate_key_file: missing — certificate_file and"),
        (["--port=0"], "web.port: 0 — "),
        (["--password-hash=none"], "web.password_hash_file: "),
    ],
)
def test_what_is_given_on_the_command_line_keeps_the_configs_rules(
    tmp_path: Path, words: list[str], why: str
) -> None:
    assert why in one_line(called("web", "-c", str(paper(tmp_path)), *words), 2)
