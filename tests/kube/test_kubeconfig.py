import base64
import json
import ssl
import stat
import sys

import pytest
import yaml

from blackstart.errors import ConfigInvalid, ServiceUnreachable
from blackstart.kube import kubeconfig


def config(path, *, user=None, server="http://127.0.0.1:1", current="east", **cluster):
    data = {
        "current-context": current,
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "contexts": [{"name": "east", "context": {"cluster": "c", **({"user": "u"} if user else {})}}],
        "users": [{"name": "u", "user": user}] if user else [],
    }
    path.write_text(yaml.safe_dump(data))
    return {"KUBECONFIG": str(path)}


def test_the_current_context_is_used_unless_one_is_named(tmp_path):
    environ = config(tmp_path / "k")
    assert kubeconfig.access(environ).server == "http://127.0.0.1:1"
    assert kubeconfig.access(environ, "east").tls is None
    with pytest.raises(ConfigInvalid, match='has no "west"'):
        kubeconfig.access(environ, "west")


def test_several_files_are_read_and_the_first_word_counts(tmp_path):
    config(tmp_path / "one", server="http://one")
    config(tmp_path / "two", server="http://two")
    both = {"KUBECONFIG": f"{tmp_path / 'missing'}:{tmp_path / 'one'}:{tmp_path / 'two'}"}
    assert kubeconfig.access(both, "east").server == "http://one"


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"tokenFile": "secret"}, "Bearer from-file"),
        ({"username": "a", "password": "b"}, "Basic " + base64.b64encode(b"a:b").decode()),
    ],
)
def test_credentials_become_a_header(tmp_path, user, header):
    (tmp_path / "secret").write_text("from-file\n")
    assert kubeconfig.access(config(tmp_path / "k", user=user)).headers == {"Authorization": header}


def program(tmp_path, text):
    script = tmp_path / "login"
    script.write_text(f"#!{sys.executable}\n{text}")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": str(script), "args": ["get"],
                     "env": [{"name": "PROFILE", "value": "x"}]}}  # fmt: skip


def test_a_login_program_is_run_as_kubectl_does(tmp_path):
    text = (
        "import json, os, sys\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "assert info['kind'] == 'ExecCredential' and sys.argv[1:] == ['get']\n"
        "print(json.dumps({'status': {'token': os.environ['PROFILE']}}))\n"
    )
    assert kubeconfig.access(config(tmp_path / "k", user=program(tmp_path, text))).headers == {
        "Authorization": "Bearer x"
    }


@pytest.mark.parametrize("text", ["raise SystemExit(1)", "print('no json')", "print('{}')"])
def test_a_login_program_that_fails_is_named(tmp_path, text):
    with pytest.raises(ServiceUnreachable, match=r"could not log in to Kubernetes: .*login failed"):
        kubeconfig.access(config(tmp_path / "k", user=program(tmp_path, text)))


def test_https_checks_the_server_unless_told_not_to(tmp_path):
    careful = kubeconfig.access(config(tmp_path / "k", server="https://x/"))
    assert (careful.server, careful.tls.verify_mode) == ("https://x", ssl.CERT_REQUIRED)
    careless = kubeconfig.access(config(tmp_path / "k", server="https://x", **{"insecure-skip-tls-verify": True}))
    assert careless.tls.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize("text", ["[", "[]", json.dumps({"current-context": "a"})])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path, text):
    (tmp_path / "k").write_text(text)
    with pytest.raises(ConfigInvalid, match=str(tmp_path / "k")):
        kubeconfig.access({"KUBECONFIG": str(tmp_path / "k")})
