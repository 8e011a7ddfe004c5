"""A TLS server's certificate for this machine, and a line that breaks after the handshake."""

import asyncio
import datetime
import ipaddress
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NO_RECORD = b"\x17\x03\x03\x00\x40" + bytes(range(64))  # well formed, and signed by nobody


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS, and its certificate, which nobody else vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "certificate").write_bytes(certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context, folder / "certificate"


@asynccontextmanager
async def breaking_tls(
    context: ssl.SSLContext, exchange: str, *, hands_on: bool
) -> AsyncIterator[str]:
    """An address whose answers no client can decipher; the exchange gets the request, or not.

    ``exchange`` is ``address:port`` of a server without TLS.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(one.partition(b":")[2]) for one in head.lower().split(b"\r\n")
             if one.startswith(b"content-length:")), 0,
        )  # fmt: skip
        body = await reader.readexactly(length)
        if hands_on:
            address, _, port = exchange.partition(":")
            answer, ask = await asyncio.open_connection(address, int(port))
            ask.write(head + body)
            await answer.readuntil(b"\r\n\r\n")
            ask.close()
        os.write(writer.get_extra_info("socket").fileno(), _NO_RECORD)  # past the encryption
        with suppress(OSError, ssl.SSLError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
