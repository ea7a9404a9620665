import base64
import json
import ssl
import stat
import sys

import pytest
import yaml
from faulty_kube import write_kubeconfig

from blackstart.errors import ConfigInvalid, ServiceUnreachable
from blackstart.kube import kubeconfig


def header(environ, name=""):
    return kubeconfig.access(environ, name).login.credentials().headers


def test_the_current_context_is_used_unless_one_is_named(tmp_path):
    environ = write_kubeconfig(tmp_path / "k", "http://127.0.0.1:1/")
    assert kubeconfig.access(environ).server == "http://127.0.0.1:1"
    assert kubeconfig.access(environ, "east").cluster == kubeconfig.access(environ, "shop").cluster == "shop"
    with pytest.raises(ConfigInvalid, match=r"k: west: no context has this name or this cluster \(there are: east\)"):
        kubeconfig.access(environ, "west")


def test_several_files_are_one_and_the_first_word_counts(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "token").write_text("from-other")
    first = {"clusters": [{"name": "shop", "cluster": {"server": "http://one"}}]}
    second = {
        "current-context": "east",
        "clusters": [{"name": "shop", "cluster": {"server": "http://two"}}],
        "contexts": [{"name": "east", "context": {"cluster": "shop", "user": "me"}}],
        "users": [{"name": "me", "user": {"tokenFile": "token"}}],
    }
    (tmp_path / "one").write_text(yaml.safe_dump(first))
    (tmp_path / "other" / "two").write_text(yaml.safe_dump(second))
    (tmp_path / "empty").write_text("")
    names = ("missing", "empty", "one", "other/two")
    both = {"KUBECONFIG": ":".join(str(tmp_path / name) for name in names)}
    assert kubeconfig.access(both).server == "http://one"
    assert header(both) == {"Authorization": "Bearer from-other"}


def test_without_kubeconfig_in_the_environment_it_is_in_the_home_folder(tmp_path):
    (tmp_path / ".kube").mkdir()
    write_kubeconfig(tmp_path / ".kube" / "config", "http://home")
    assert kubeconfig.access({"HOME": str(tmp_path)}).server == "http://home"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"token": "t", "username": "a"}, {"Authorization": "Bearer t"}),
        ({"tokenFile": "secret", "token": "t"}, {"Authorization": "Bearer from-file"}),
        ({"username": "a", "password": "b"}, {"Authorization": "Basic " + base64.b64encode(b"a:b").decode()}),
        ({"token": "t", "as": "drills"}, {"Authorization": "Bearer t", "Impersonate-User": "drills"}),
    ],
)
def test_credentials_become_headers(tmp_path, user, expected):
    (tmp_path / "secret").write_text("from-file\n")
    assert header(write_kubeconfig(tmp_path / "k", "http://x", user)) == expected


def program(tmp_path, text, **more):
    script = tmp_path / "login"
    script.write_text(f"#!{sys.executable}\n{text}")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    env = [{"name": "PROFILE", "value": "x"}]
    version = "client.authentication.k8s.io/v1beta1"
    return {"exec": {"apiVersion": version, "command": "./login", "args": ["get"], "env": env, **more}}


def test_a_login_program_is_run_as_kubectl_does(tmp_path):
    text = (
        "import json, os, sys\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "assert info['kind'] == 'ExecCredential' and sys.argv[1:] == ['get'] and 'cluster' not in info['spec']\n"
        "print(json.dumps({'status': {'token': os.environ['PROFILE']}}))\n"
    )
    environ = write_kubeconfig(tmp_path / "k", "http://x", program(tmp_path, text))
    assert header(environ) == {"Authorization": "Bearer x"}


def test_a_login_program_is_told_of_the_cluster_if_it_asks(tmp_path):
    text = (
        "import json, os\n"
        "token = json.dumps(json.loads(os.environ['KUBERNETES_EXEC_INFO'])['spec']['cluster'])\n"
        "print(json.dumps({'status': {'token': token}}))\n"
    )
    (tmp_path / "ca").write_text("authority")
    user = program(tmp_path, text, provideClusterInfo=True)
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    more = {"certificate-authority": "ca", "tls-server-name": "kubernetes", "extensions": [extension]}
    token = header(write_kubeconfig(tmp_path / "k", "https://x", user, **more))["Authorization"]
    assert json.loads(token.removeprefix("Bearer ")) == {
        "server": "https://x",
        "tls-server-name": "kubernetes",
        "certificate-authority-data": base64.b64encode(b"authority").decode(),
        "config": {"audience": "a"},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.exit('no credentials in the chain')", "no credentials in the chain"),
        ("raise SystemExit(1)", "exit code 1"),
        ("print('no json')", "it printed no credentials"),
        ("print('{}')", "it printed no credentials"),
        ("print('{\"status\": {}}')", "neither a token nor a certificate"),
        ('print(\'{"status": {"token": "t", "expirationTimestamp": "soon"}}\')', "it printed no credentials"),
    ],
)
def test_a_login_program_that_fails_is_named(tmp_path, text, said):
    access = kubeconfig.access(write_kubeconfig(tmp_path / "k", "http://x", program(tmp_path, text)))
    with pytest.raises(ServiceUnreachable, match=rf"could not log in to Kubernetes: .*login failed \(.*{said}"):
        access.login.credentials()


def test_a_login_program_that_is_not_there_comes_with_the_kubeconfigs_advice(tmp_path):
    user = {"exec": {"apiVersion": "v1", "command": "no-such-program", "installHint": "install the AWS CLI"}}
    access = kubeconfig.access(write_kubeconfig(tmp_path / "k", "http://x", user))
    with pytest.raises(ServiceUnreachable, match="no-such-program is not installed; install the AWS CLI"):
        access.login.credentials()


def test_trust_and_proxy_are_the_clusters(tmp_path):
    more = {"insecure-skip-tls-verify": True, "tls-server-name": "kubernetes", "proxy-url": "http://proxy:3128"}
    found = kubeconfig.access(write_kubeconfig(tmp_path / "k", "https://x", **more))
    assert (found.trust.checked, found.trust.name, found.proxy) == (False, "kubernetes", "http://proxy:3128")
    careful = kubeconfig.access(write_kubeconfig(tmp_path / "k", "https://x/"))
    assert careful.trust.context(careful.login.credentials()).verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("text", ["[", "[]", json.dumps({"current-context": "a"}), "{}", "clusters: 1", "\0"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path, text):
    (tmp_path / "k").write_text(text)
    with pytest.raises(ConfigInvalid, match=str(tmp_path / "k")):
        kubeconfig.access({"KUBECONFIG": str(tmp_path / "k")})


@pytest.mark.parametrize(
    ("user", "cluster", "place"),
    [
        ({"exec": {"command": "x"}}, {}, r"users\[me\].exec.apiVersion: is missing"),
        ({"exec": {"apiVersion": "v1"}}, {}, r"users\[me\].exec.command: is missing"),
        ({"exec": "aws"}, {}, r"users\[me\].exec: has to be a mapping"),
        ({"exec": {"apiVersion": "v1", "command": "x", "env": [1]}}, {}, r"exec.env: each has to have a name"),
        ({"exec": {"apiVersion": "v1", "command": "x", "interactiveMode": "Always"}}, {}, "exec.interactiveMode"),
        ({"auth-provider": {"name": "gcp"}}, {}, r"users\[me\].auth-provider: cannot be used here; log in by exec"),
        ({"token": "t", "as-groups": ["a"]}, {}, r"users\[me\].as-groups"),
        ({"token": {"a": 1}}, {}, r"users\[me\].token: has to be text"),
        ({"client-certificate-data": "Y2VydA=="}, {}, r"users\[me\].client-key: is missing"),
        ({"client-certificate": "missing"}, {}, r"users\[me\].client-certificate: cannot be read"),
        ({}, {"certificate-authority-data": "a"}, r"clusters\[shop\].certificate-authority-data: cannot be read"),
        ({}, {"server": ""}, r"clusters\[shop\].server: is missing"),
        ({}, {"server": "127.0.0.1:1"}, r"clusters\[shop\].server: has to begin with"),
        ({}, {"proxy-url": "socks5://proxy"}, r"clusters\[shop\].proxy-url: has to begin with http://"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_with_file_and_key(tmp_path, user, cluster, place):
    environ = write_kubeconfig(tmp_path / "k", "https://x", user, **cluster)
    with pytest.raises(ConfigInvalid, match=f"{tmp_path / 'k'}: .*{place}") as caught:
        kubeconfig.access(environ)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("section", "problem"), [("clusters", "cluster"), ("users", "user")])
def test_a_context_without_its_parts_says_which(tmp_path, section, problem):
    environ = write_kubeconfig(tmp_path / "k", "http://x", {"token": "t"})
    config = json.loads((tmp_path / "k").read_text())
    (tmp_path / "k").write_text(json.dumps(config | {section: []}))
    with pytest.raises(ConfigInvalid, match=rf'contexts\[east\].{problem}: there is no ".*" among the {section}'):
        kubeconfig.access(environ)


@pytest.fixture
def account(tmp_path):
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "ca.crt").write_text("authority")
    (folder / "token").write_text("first")
    return folder


POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443", "KUBECONFIG": "/nowhere"}


def test_in_a_pod_its_service_account_is_used_and_its_token_may_change(account, clock):
    found = kubeconfig.access(POD, "", clock, account)
    assert (found.server, found.cluster, found.trust.authority) == ("https://10.0.0.1:6443", "in-cluster", b"authority")
    assert found.login.credentials().headers == {"Authorization": "Bearer first"}
    (account / "token").write_text("second")
    assert found.login.credentials().headers == {"Authorization": "Bearer first"}
    clock.advance(60)
    assert found.login.credentials().headers == {"Authorization": "Bearer second"}
    six = kubeconfig.access(POD | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, "in-cluster", clock, account)
    assert six.server == "https://[fd00::1]:6443"


def test_in_a_pod_another_cluster_than_its_own_is_never_taken_for_it(account, clock):
    with pytest.raises(ConfigInvalid, match=r"shop-us-west-2: no context has this name.* is \"in-cluster\""):
        kubeconfig.access(POD, "shop-us-west-2", clock, account)


def test_a_pod_without_its_files_says_which_it_lacks(tmp_path, account, clock):
    with pytest.raises(ConfigInvalid, match=r"nowhere/ca\.crt: cannot be read"):
        kubeconfig.access(POD, "", clock, tmp_path / "nowhere")
    (account / "token").write_text("\n")
    with pytest.raises(ConfigInvalid, match="account/token: holds no token"):
        kubeconfig.access(POD, "", clock, account).login.credentials()


def test_a_kubeconfig_outranks_the_service_account(tmp_path, account, clock):
    environ = POD | write_kubeconfig(tmp_path / "k", "http://x")
    assert kubeconfig.access(environ, "", clock, account).server == "http://x"
