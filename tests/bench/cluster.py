"""A Kubernetes API server for measuring its clients: as lean as can be, so that it is not what is measured.

Run as a script with a port. It knows one namespace with the pods of one Deployment on a few nodes, answers each request
after a latency, and counts. Its behaviour is not what is tested here; tests use a whole stand-in.

``POST /bench/reset`` with ``pods``, ``nodes``, ``latency`` (seconds), ``gone`` (so many pods are listed, but are not
there any more), ``guarded`` (so many have a disruption budget, which refuses for ``refusing`` seconds from the first
eviction on), ``back`` (seconds after which a deleted pod comes back under a new name; null: never).
``POST /bench/heal``: there are as many
pods as there should be, and the latency is over. ``GET
/bench/state``: ``left`` (pods that are still there), ``calls``, ``violations`` (pods that went although their budget
refused), ``again`` (seconds from the coming of each pod that came back to its deletion).
"""

import asyncio
import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

NAMESPACE, LABELS = "shop", {"app": "orders", "blackstart": "allowed", "pod-template-hash": "1"}
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
HASH = {"app": "orders", "pod-template-hash": "1"}
FILLER = [{"name": f"VARIABLE_{number}", "value": "x" * 40} for number in range(12)]


def pod(name: str, node: str, guarded: bool, version: int) -> dict:
    """About as large as pods are."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "orders-1", "uid": "rs", "controller": True}
    labels = {**LABELS, "guarded": "yes"} if guarded else LABELS
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": "orders", "image": "orders:1", "env": FILLER}],
            "volumes": [{"name": "kube-api-access"}],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": name, "status": "True"} for name in ("PodScheduled", "Initialized", "Ready")],
            "containerStatuses": [
                {"name": "orders", "ready": True, "restartCount": 0, "image": "orders:1", "imageID": "sha256:1"}
            ],
        },
    }


def node(number: int) -> dict:
    zone = f"us-east-1{'abc'[number % 3]}"
    labels = {"topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": "us-east-1"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"node-{number}",
            "uid": f"n{number}",
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {**labels, "blackstart": "allowed"},
        },
        "spec": {"providerID": f"aws:///{zone}/i-{number:017x}"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


class Cluster:
    """What the server holds."""

    def __init__(self, *, pods=0, nodes=3, latency=0.0, gone=0, guarded=0, refusing=0.0, back=None):
        self.latency, self.refusing, self.back = latency, refusing, back
        self.version = 1
        self.nodes = {f"node-{number}": node(number) for number in range(nodes)}
        self.pods, self.bodies = {}, {}
        for number in range(pods):
            self.add(f"orders-1-{number:05d}", f"node-{number % nodes}", guarded and number % (pods // guarded) == 7)
        self.gone = set(list(self.pods)[100 : 100 + gone])
        self.total, self.calls, self.violations = pods, 0, 0
        self.refused_from = None
        self.born, self.again, self.events = {}, [], asyncio.Condition()
        self.history = []

    def add(self, name, on, guarded=False):
        self.version += 1
        self.pods[name] = pod(name, on, guarded, self.version)
        self.bodies[name] = json.dumps(self.pods[name]).encode()

    @property
    def left(self):
        return len(self.pods) - len(self.gone & set(self.pods))

    def refuses(self, name):
        if "guarded" not in self.pods[name]["metadata"]["labels"]:
            return False
        self.refused_from = self.refused_from or time.monotonic()
        return time.monotonic() - self.refused_from < self.refusing

    def remove(self, name):
        """None if it is not there; whatever is listed and gone is not there either."""
        found = self.pods.pop(name, None)
        self.bodies.pop(name, None)
        if found is None or name in self.gone:
            return None
        if name in self.born:
            self.again.append(time.monotonic() - self.born.pop(name))
        self.version += 1
        found["metadata"]["resourceVersion"] = str(self.version)
        self.tell("DELETED", found)
        if self.back is not None:
            asyncio.get_running_loop().call_later(self.back, self.come_back, name, found["spec"]["nodeName"])
        return found

    def come_back(self, name, on):
        name = f"{name}-again"
        self.add(name, on)
        self.born[name] = time.monotonic()
        self.tell("ADDED", self.pods[name])

    def tell(self, kind, what):
        self.history.append((int(what["metadata"]["resourceVersion"]), kind, what))

    def budgets(self):
        now_refusing = self.refusing and (
            self.refused_from is None or time.monotonic() - self.refused_from < self.refusing
        )
        status = {"disruptionsAllowed": 0 if now_refusing else self.total, "observedGeneration": 1}
        status |= {"currentHealthy": self.total, "desiredHealthy": 0, "expectedPods": self.total}
        meta = {"name": "guarded", "namespace": NAMESPACE, "generation": 1, "uid": "b", "resourceVersion": "1"}
        one = {"metadata": meta, "spec": {"selector": {"matchLabels": {"guarded": "yes"}}}, "status": status}
        return [one] if self.refusing else []

    def workload(self, kind, name):
        meta = {"name": name, "namespace": NAMESPACE, "uid": "rs", "labels": HASH, "resourceVersion": "1"}
        if kind == "ReplicaSet":
            above = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders", "uid": "d", "controller": True}
            meta["ownerReferences"] = [above]
        spec = {"replicas": self.total, "selector": {"matchLabels": {"app": "orders"}}, "template": {}}
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec, "status": {}}


def failure(code, reason, message, **details):
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
    return code, json.dumps({**body, "message": message, "details": details}).encode()


class Server:
    """Routes of one cluster, which can be replaced."""

    def __init__(self):
        self.cluster = Cluster()

    async def answer(self, method, target, body):
        url = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/bench/reset":
            self.cluster = Cluster(**json.loads(body))
            return 200, b"{}"
        cluster = self.cluster
        if url.path == "/bench/heal":
            self.cluster.total, self.cluster.latency = len(self.cluster.pods), 0.0
            return 200, b"{}"
        if url.path == "/bench/state":
            told = {"left": cluster.left, "calls": cluster.calls, "violations": cluster.violations}
            return 200, json.dumps({**told, "again": cluster.again}).encode()
        cluster.calls += 1
        if cluster.latency:
            await asyncio.sleep(cluster.latency)
        return self.routed(method, url.path, query, body)

    def routed(self, method, path, query, body):
        cluster, last = self.cluster, path.rsplit("/", 1)[-1]
        if path in (PODS, "/api/v1/pods"):
            return 200, self.page(query)
        if path.startswith(PODS) and last == "eviction":
            return self.evict(path.split("/")[-2])
        if path.startswith(PODS):
            return self.one_pod(method, last)
        if path == "/api/v1/nodes":
            return 200, listed("NodeList", [json.dumps(each).encode() for each in cluster.nodes.values()], "1", "")
        if path.startswith("/api/v1/nodes/") and last in cluster.nodes:
            if method in ("PATCH", "PUT"):
                cluster.nodes[last]["spec"] |= json.loads(body).get("spec", {})
            return 200, json.dumps(cluster.nodes[last]).encode()
        if path == "/api/v1/namespaces/kube-system":
            return 200, b'{"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "bench"}}'
        if last == "poddisruptionbudgets":
            return 200, listed("List", [json.dumps(each).encode() for each in cluster.budgets()], "1", "")
        if path.startswith("/apis/apps/v1/"):
            return self.workloads(path, last)
        return failure(404, "NotFound", f"no {path}")

    def workloads(self, path, last):
        for plural, kind, name in (("replicasets", "ReplicaSet", "orders-1"), ("deployments", "Deployment", "orders")):
            body = json.dumps(self.cluster.workload(kind, name)).encode()
            if path.endswith(f"/{plural}/{name}"):
                return 200, body
            if last == plural:
                return 200, listed(f"{kind}List", [body], "1", "")
        if last in ("statefulsets", "daemonsets"):
            return 200, listed("List", [], "1", "")
        return failure(404, "NotFound", f"no {path}")

    def page(self, query):
        cluster, names = self.cluster, list(self.cluster.pods)
        wanted = query.get("fieldSelector", "")
        if wanted.startswith("spec.nodeName="):
            names = [name for name in names if cluster.pods[name]["spec"]["nodeName"] == wanted.split("=", 1)[1]]
        start, limit = int(query.get("continue") or 0), int(query.get("limit") or 0) or len(names)
        token = str(start + limit) if start + limit < len(names) else ""
        return listed(
            "PodList", [cluster.bodies[each] for each in names[start : start + limit]], cluster.version, token
        )

    def one_pod(self, method, name):
        cluster = self.cluster
        if method == "DELETE":
            if name in cluster.pods and name not in cluster.gone and cluster.refusing and cluster.refuses(name):
                cluster.violations += 1
            found = cluster.remove(name)
            return (200, json.dumps(found).encode()) if found else failure(404, "NotFound", f'pods "{name}" not found')
        if name in cluster.pods and name not in cluster.gone:
            return 200, cluster.bodies[name]
        return failure(404, "NotFound", f'pods "{name}" not found', name=name, kind="pods")

    def evict(self, name):
        cluster = self.cluster
        if name in cluster.pods and name not in cluster.gone and cluster.refuses(name):
            cause = {"reason": "DisruptionBudget", "message": "The disruption budget guarded needs 20 healthy pods"}
            told = "Cannot evict pod as it would violate the pod's disruption budget."
            return failure(429, "TooManyRequests", told, causes=[cause])
        if cluster.remove(name) is None:
            return failure(404, "NotFound", f'pods "{name}" not found')
        return 201, b'{"kind": "Status", "apiVersion": "v1", "status": "Success"}'

    async def stream(self, target, writer):
        """A watch of pods from its resourceVersion on."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
        cluster, seen = self.cluster, int(query.get("resourceVersion") or 0)
        until = time.monotonic() + float(query.get("timeoutSeconds") or 60)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while time.monotonic() < until and cluster is self.cluster and not writer.is_closing():
            for version, kind, what in [each for each in cluster.history if each[0] > seen]:
                seen = version
                line = json.dumps({"type": kind, "object": what}).encode() + b"\n"
                writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                method, target, _ = first.split(" ", 2)
                fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
                body = await reader.readexactly(int(fields.get("content-length") or 0))
                if "watch=" in target:
                    await self.stream(target, writer)
                    continue
                status, answer = await self.answer(method, target, body)
                told = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
                writer.write(told.encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def listed(kind, bodies, version, token):
    meta = f'{{"resourceVersion": "{version}", "continue": "{token}"}}'
    head = f'{{"kind": "{kind}", "apiVersion": "v1", "metadata": {meta}, "items": ['
    return head.encode() + b",".join(bodies) + b"]}"


async def main(port):
    server = await asyncio.start_server(Server().serve, "127.0.0.1", port, limit=2**20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
