"""Bodies as Go clients write them, put together here by the rules of the wire."""

import pytest

from blackstart.lab.kube.protobuf import decode
from blackstart.lab.kube.status import ApiError


def varint(value):
    out = b""
    while True:
        value, low = value >> 7, value & 127
        if not value:
            return out + bytes([low])
        out += bytes([low | 128])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version, kind, *fields):
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, b"".join(fields))


def entry(key, value):
    return field(1, key) + field(2, value)


def test_maps_lists_and_bytes_read_like_json():
    metadata = field(1, "c") + field(11, entry("a", "b")) + field(14, "x/one") + field(14, "x/two")
    sent = body("v1", "ConfigMap", field(1, metadata), field(2, entry("k", "v")), field(3, entry("raw", b"\x00\x01")))
    assert decode(sent) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "labels": {"a": "b"}, "finalizers": ["x/one", "x/two"]},
        "data": {"k": "v"},
        "binaryData": {"raw": "AAE="},
    }


def test_what_go_writes_though_it_was_never_set_is_left_out():
    metadata = field(1, "d") + field(2, "") + field(8, b"") + field(7, 0)
    spec = field(1, 0) + field(2, b"") + field(7, 0)
    found = decode(body("apps/v1", "Deployment", field(1, metadata), field(2, spec), field(3, b"")))
    assert found["metadata"] == {"name": "d"}
    assert found["spec"] == {"replicas": 0, "selector": {}}


def test_numbers_or_text_times_and_negative_numbers():
    half = field(1, field(1, 1) + field(2, 0) + field(3, "50%"))
    two = field(3, field(1, 0) + field(2, 2) + field(3, ""))
    assert decode(body("policy/v1", "PodDisruptionBudget", field(2, half + two)))["spec"] == {
        "minAvailable": "50%",
        "maxUnavailable": 2,
    }
    renewed = field(4, field(1, 1767225600) + field(2, 5000))
    lease = decode(body("coordination.k8s.io/v1", "Lease", field(2, field(2, 15) + renewed)))
    assert lease["spec"] == {"leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000005Z"}
    assert decode(body("v1", "DeleteOptions", field(1, (1 << 64) - 1)))["gracePeriodSeconds"] == -1


def test_a_volume_is_written_in_place_and_an_empty_directory_counts():
    volume = field(1, field(1, "tmp") + field(2, field(2, b"")))
    pod = decode(body("v1", "Pod", field(2, volume)))
    assert pod["spec"]["volumes"] == [{"name": "tmp", "emptyDir": {}}]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (body("v1", "ResourceQuota"), "ResourceQuota came as protobuf"),
        (body("v1", "Pod", field(2, field(18, field(1, "x")))), "field 18 of PodSpec came as protobuf"),
    ],
)
def test_what_is_not_known_is_refused_rather_than_dropped(sent, words):
    with pytest.raises(ApiError, match=words) as caught:
        decode(sent)
    assert caught.value.code == 415
    assert "kubectl apply" in str(caught.value)


@pytest.mark.parametrize("sent", [b"{}", b"k8s\x00", b"k8s\x00\x0a\x7f", b"k8s\x00\x0d\x00", b"k8s\x00\x0a\x02\xff"])
def test_garbage_is_a_bad_request(sent):
    with pytest.raises(ApiError) as caught:
        decode(sent)
    assert caught.value.code == 400
