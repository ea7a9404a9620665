import pytest
from faulty_kube import write_kubeconfig

from blackstart.errors import ConfigInvalid
from blackstart.kube import kubeconfig
from blackstart.kube.proxies import from_environment

PROXY = {"HTTPS_PROXY": "http://proxy:3128", "http_proxy": "plain:80"}


@pytest.mark.parametrize(
    ("server", "proxy"),
    [
        ("https://k8s.example", "http://proxy:3128"),
        ("http://k8s.example", "http://plain:80"),
        ("https://127.0.0.1:6443", ""),
        ("https://[::1]:6443", ""),
        ("http://localhost:80", ""),
    ],
)
def test_the_environments_proxy_leads_to_all_but_this_machine(server, proxy):
    assert from_environment(server, PROXY) == proxy
    assert from_environment(server, {}) == ""


@pytest.mark.parametrize(
    ("exceptions", "server", "direct"),
    [
        ("*", "https://a.eks.amazonaws.com", True),
        ("x, .eks.amazonaws.com", "https://a.eks.amazonaws.com", True),
        ("eks.amazonaws.com", "https://a.eks.amazonaws.com", True),
        ("eks.amazonaws.com", "https://weeks.amazonaws.com", False),
        ("a.eks.amazonaws.com:443", "https://A.eks.amazonaws.com", True),
        ("a.eks.amazonaws.com:80", "https://a.eks.amazonaws.com", False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3:6443", True),
        (",", "https://10.1.2.3", False),
    ],
)
def test_no_proxy_names_what_is_reached_without_one(exceptions, server, direct):
    assert (from_environment(server, PROXY | {"NO_PROXY": exceptions}) == "") == direct


def test_a_proxy_of_another_kind_is_refused():
    with pytest.raises(ConfigInvalid, match="the environment: HTTPS_PROXY: has to begin with http://"):
        from_environment("https://x", {"HTTPS_PROXY": "socks5://proxy"})


def test_the_kubeconfigs_proxy_outranks_the_environments(tmp_path):
    environ = PROXY | write_kubeconfig(tmp_path / "k", "https://x", **{"proxy-url": "http://other"})
    assert kubeconfig.access(environ).proxy == "http://other"
    assert kubeconfig.access(PROXY | write_kubeconfig(tmp_path / "k", "https://x")).proxy == "http://proxy:3128"
