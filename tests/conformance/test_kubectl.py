"""kubectl, where it is installed."""

import os
import shutil
import subprocess

import bodies
import pytest


@pytest.fixture
def kubectl(kubeconfig, space, tmp_path):
    """Run kubectl in the namespace of the test; what it printed."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    # its cache would outlive the server that it describes
    environ = os.environ | {"KUBECONFIG": kubeconfig, "KUBECACHEDIR": str(tmp_path), "NO_PROXY": "127.0.0.1"}

    def run(*arguments, stdin=None, fails=False):
        command = [program, f"--namespace={space.name}", *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, env=environ, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


def test_get_prints_columns_json_and_paths(kubectl, space):
    space.running("p", {"app": "web"})
    heading, row, *_ = kubectl("get", "pods", "-l", "app=web").splitlines()
    assert heading.split()[:3] == ["NAME", "READY", "STATUS"]
    assert (row.split()[0], row.split()[2]) == ("p", "Running")
    assert kubectl("get", "pod/p", "-o", "jsonpath={.status.phase}") == "Running"
    assert "NotFound" in kubectl("get", "pod", "absent", fails=True)


def test_apply_makes_then_changes(kubectl, api, space):
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  key: '{}'\n"
    assert "created" in kubectl("apply", "-f", "-", stdin=text.format(1))
    assert "configured" in kubectl("apply", "-f", "-", stdin=text.format(2))
    assert api.get(space.configmaps("a"))["data"] == {"key": "2"}
    assert "deleted" in kubectl("delete", "configmap", "a")


def test_server_side_apply_makes(kubectl, api, space):
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  key: '1'\n"
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", stdin=text)
    assert api.get(space.configmaps("a"))["data"] == {"key": "1"}


def test_scale_and_patch(kubectl, api, space):
    api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
    kubectl("scale", "deployment/d", "--replicas=1")
    kubectl("set", "image", "deployment/d", "app=registry.invalid/other:1")
    found = api.get(space.apps("deployments", "d"))["spec"]
    assert (found["replicas"], found["template"]["spec"]["containers"][0]["image"]) == (1, "registry.invalid/other:1")


def test_cordon_and_drain_of_a_node(kubectl, api, space, node):
    api.create(space.pods(), bodies.pod("p", {"app": "web"}, nodeName=node))
    assert "uncordoned" in kubectl("uncordon", node)
    assert "cordoned" in kubectl("cordon", node)
    dry = kubectl("drain", node, "--force", "--ignore-daemonsets", "--dry-run=server")
    assert f"pod {space.name}/p" in dry or "pod/p evicted (server dry run)" in dry
    assert "deletionTimestamp" not in api.get(space.pods("p"))["metadata"]


def test_permission_is_asked(kubectl):
    assert kubectl("auth", "can-i", "delete", "pods").strip() == "yes"
