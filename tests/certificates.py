"""Certificates for tests: an authority, a server's and a client's."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Files in one folder: ca.pem, server.pem, server.key, client.pem, client.key."""

    folder: Path

    def renew(self, *names: str) -> None:
        """A new authority, and new certificates for the server (for `names`) and a client."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.folder / "ca.pem")
        _write(authority.issue_cert(*(names or ("127.0.0.1", "localhost"))), self.folder / "server")
        _write(authority.issue_cert("prometheus.example", "192.0.2.7"), self.folder / "client")


def _write(issued: trustme.LeafCert, path: Path) -> None:
    path.with_suffix(".key").write_bytes(issued.private_key_pem.bytes())
    path.with_suffix(".pem").write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))


def certificates(folder: Path) -> Certificates:
    """New ones in `folder`."""
    made = Certificates(folder)
    made.renew()
    return made
