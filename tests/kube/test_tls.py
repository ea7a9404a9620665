"""TLS to a server that has an authority of its own, and wants to see a certificate of ours."""

import base64
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from urllib.parse import urlsplit

import pytest
from faulty_kube import DROP, http, running

from blackstart.errors import ConfigInvalid, ServiceUnreachable
from blackstart.kube.login import Credentials
from blackstart.kube.tls import Trust

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A certificate for the name kubernetes, that is its own authority, and its key: their files."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=kubernetes"
    made = ["-addext", "subjectAltName=DNS:kubernetes", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run([*command.split(), *made], check=True, capture_output=True)
    return folder / "cert", folder / "key"


@pytest.fixture
def guarded(keys):
    """A server that shows the certificate and lets in nobody who cannot show it, too."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=keys[0])
    tls.load_cert_chain(*keys)
    tls.verify_mode = ssl.CERT_REQUIRED
    with running(lambda request: [http(200, {"ok": True})], tls) as server:
        yield server


def encoded(file):
    return base64.b64encode(file.read_bytes()).decode()


def test_a_server_is_known_by_its_authority_and_name_and_we_by_our_certificate(guarded, keys, client):
    cert, key = keys
    user = {"client-certificate-data": encoded(cert), "client-key": str(key)}
    more = {"certificate-authority": str(cert), "tls-server-name": "kubernetes"}
    kube = client(guarded.url, user, **more)
    assert [kube.get("/x"), kube.get("/x")] == [{"ok": True}] * 2
    assert guarded.connections == 1


def test_a_server_with_another_name_is_not_spoken_to_and_not_tried_again(guarded, keys, client, clock):
    begun = clock.monotonic()
    with pytest.raises(ServiceUnreachable, match="certificate verify failed"):
        client(guarded.url, **{"certificate-authority": str(keys[0])}).get("/x")
    assert clock.monotonic() == begun
    assert guarded.requests == []


def test_who_does_not_want_to_know_the_server_need_not(guarded, keys, client):
    user = {"client-certificate": str(keys[0]), "client-key": str(keys[1])}
    assert client(guarded.url, user, **{"insecure-skip-tls-verify": True}).get("/x") == {"ok": True}


def relay(to):
    """Takes a connection over, and leads it to the server at the URL ``to``."""

    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def run(link):
        with socket.create_connection(("127.0.0.1", urlsplit(to).port)) as other:
            back = threading.Thread(target=pump, args=(other, link))
            back.start()
            pump(link, other)
            back.join()

    return run


def test_through_a_proxy_the_server_is_known_by_its_own_certificate(guarded, keys, client):
    with running(lambda request: [b"HTTP/1.1 200 OK\r\n\r\n", relay(guarded.url)]) as proxy:
        user = {"client-certificate": str(keys[0]), "client-key": str(keys[1])}
        more = {"certificate-authority": str(keys[0]), "proxy-url": proxy.url.replace("//", "//me:secret@")}
        kube = client("https://kubernetes:6443", user, **more)
        assert [kube.get("/x"), kube.get("/y")] == [{"ok": True}] * 2
        kube.close()
    (connect,) = proxy.requests
    assert (connect.method, connect.path) == ("CONNECT", "kubernetes:6443")
    assert connect.headers["proxy-authorization"].startswith("Basic ")


def test_a_proxy_that_refuses_is_one_sentence(client):
    with running(lambda request: [http(403), DROP]) as proxy, pytest.raises(ServiceUnreachable, match="403"):
        client("https://kubernetes:6443", **{"proxy-url": proxy.url}).get("/x")


def test_a_certificate_that_is_none_is_one_sentence():
    with pytest.raises(ConfigInvalid, match="certificates: cannot be used"):
        Trust().context(Credentials(certificate=b"no", key=b"key"))
    with pytest.raises(ConfigInvalid, match="certificates: cannot be used"):
        Trust(b"no authority").context(Credentials())


def test_older_authorities_are_trusted_as_kubectl_trusts_them():
    assert not Trust().context(Credentials()).verify_flags & ssl.VERIFY_X509_STRICT
