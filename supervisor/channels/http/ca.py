"""The interception authority: one per install, P-256, its leaves made on demand in memory.

It is never put into a system's trust store: a task is given a bundle (`bundle`) by path, and only
processes that read the bundle believe it.
"""

from __future__ import annotations

import datetime
import io
import ipaddress
import os
import ssl
import time
from collections import OrderedDict
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from supervisor.errors import ConfigError
from supervisor.paths import private_file

_LEAF_LIFE = datetime.timedelta(hours=23)
_SKEW = datetime.timedelta(minutes=30)  # with the life: less than 24 h in all
_RENEW_AFTER = 10 * 3600.0  # seconds; a tunnel may outlive the context it was opened with
_AUTHORITY_LIFE = datetime.timedelta(days=365)
_KEPT = 512

# Where distributions and macOS keep the system's roots, in the order we look.
_SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def load_key(state: Path) -> ec.EllipticCurvePrivateKey:
    """The install's signing key, 0600 below `state`, made on first use.

    Kept, because tasks that outlive the daemon go on trusting the authority they were given.

    Raises:
        ConfigError: the file cannot be used.
    """
    path = state / "ca.key"
    pem = private_file(path, lambda: _key_pem(ec.generate_private_key(ec.SECP256R1())))
    try:
        key = serialization.load_pem_private_key(pem, None)
    except ValueError as error:
        raise ConfigError(f"{path} is not a key.", hint="Remove it; a new one is made.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{path} is not a P-256 key.", hint="Remove it; a new one is made.")
    return key


class CertificateAuthority:
    """Signs a leaf for each host that a task's client asks for.

    With the same key, a later authority's leaves verify against an earlier one's certificate:
    tasks that outlive the daemon keep working.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key_pem = _key_pem(self._leaf_key)
        self._certificate = self._self_signed()
        self._contexts: OrderedDict[tuple[str, bool], tuple[float, ssl.SSLContext]] = OrderedDict()

    def pem(self) -> bytes:
        """The authority's certificate, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def context(self, host: str, *, http2: bool = False) -> ssl.SSLContext:
        """A server context with a leaf for `host`; refuses a handshake that names another.

        A client that offers HTTP/2 and HTTP/1.1 gets the latter, but for `http2`.
        """
        now = time.monotonic()
        kept = self._contexts.get((host, http2))
        if kept is not None and kept[0] > now:
            self._contexts.move_to_end((host, http2))
            return kept[1]
        context = self._make_context(host)
        context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1", "h2"])
        self._contexts[host, http2] = (now + _RENEW_AFTER, context)
        self._contexts.move_to_end((host, http2))
        if len(self._contexts) > _KEPT:
            self._contexts.popitem(last=False)
        return context

    def _make_context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A tool is a short process: it would never come back with a ticket.
        context.num_tickets = 0
        leaf = self.leaf(host).public_bytes(serialization.Encoding.PEM)
        _load(context, leaf, self._leaf_key_pem)

        named = not _is_address(host)

        def check(
            _object: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext
        ) -> int | None:
            # A client names no host when it is an address (RFC 6066, 3).
            if not named if name is None else name.lower().removesuffix(".") == host:
                return None
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)

        context.sni_callback = check
        return context

    def leaf(self, host: str) -> x509.Certificate:
        """A certificate for one host name or address, valid for less than 24 hours."""
        now = datetime.datetime.now(datetime.UTC)
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(self._leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + _LEAF_LIFE)
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._leaf_key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )

    def _self_signed(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "taskpass local authority")])
        now = datetime.datetime.now(datetime.UTC)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + _AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """`load_cert_chain` takes paths only; pipes keep the key off every disk, on macOS too."""
    with _readable(certificate) as first, _readable(key) as second:
        context.load_cert_chain(f"/dev/fd/{first.fileno()}", f"/dev/fd/{second.fileno()}")


def _readable(data: bytes) -> io.BufferedReader:
    """The read end of a pipe that holds `data` (far less than a pipe's buffer)."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return os.fdopen(read, "rb")


def system_roots() -> Path:
    """The system's bundle of roots.

    Raises:
        ConfigError: there is none.
    """
    named = ssl.get_default_verify_paths().cafile
    for path in (named, *_SYSTEM_ROOTS):
        if path and Path(path).is_file():
            return Path(path)
    raise ConfigError(
        "The system has no bundle of certificate authorities.",
        hint="Install the package `ca-certificates`, or name a PEM file in SSL_CERT_FILE.",
    )


def bundle(roots: Path, ca: CertificateAuthority) -> bytes:
    """The system's roots and ours, PEM: what a task's tools are told to believe.

    Raises:
        ConfigError: the roots cannot be read.
    """
    try:
        system = roots.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"Cannot read the certificate bundle {roots}: {error.strerror}.",
            hint="Install the system's CA certificates.",
        ) from error
    return system.rstrip(b"\n") + b"\n" + ca.pem()
