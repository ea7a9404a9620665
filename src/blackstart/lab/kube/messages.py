"""Field numbers of the Kubernetes messages that ``kubectl create`` and other Go clients send as protobuf.

One message a line: its name, then ``field:number:type``. Types: s text, b boolean that is left out when false,
B boolean, i whole number, x bytes, t time, u time with microseconds, q quantity, p number or text; a name means another
message. In front of a type, ``*`` marks a list, ``%`` a map from text, ``.`` a message whose fields JSON writes in
place, ``!`` one that counts even if empty; ``-`` skips the field.
Source: generated.proto of k8s.io/api and k8s.io/apimachinery, whose numbers never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_TABLE = """
ObjectMeta name:1:s generateName:2:s namespace:3:s selfLink:4:- uid:5:s resourceVersion:6:s generation:7:- \
 creationTimestamp:8:- deletionTimestamp:9:t deletionGracePeriodSeconds:10:i labels:11:%s annotations:12:%s \
 ownerReferences:13:*OwnerReference finalizers:14:*s managedFields:17:-
OwnerReference kind:1:s name:3:s uid:4:s apiVersion:5:s controller:6:b blockOwnerDeletion:7:b
LabelSelector matchLabels:1:%s matchExpressions:2:*Requirement
Requirement key:1:s operator:2:s values:3:*s
DeleteOptions gracePeriodSeconds:1:i preconditions:2:Preconditions orphanDependents:3:B propagationPolicy:4:s \
 dryRun:5:*s
Preconditions uid:1:s resourceVersion:2:s
Reference kind:1:s namespace:2:s name:3:s uid:4:s apiVersion:5:s resourceVersion:6:s fieldPath:7:s
Local name:1:s
Namespace metadata:1:ObjectMeta spec:2:NamespaceSpec status:3:-
NamespaceSpec finalizers:1:*s
ConfigMap metadata:1:ObjectMeta data:2:%s binaryData:3:%x immutable:4:b
Secret metadata:1:ObjectMeta data:2:%x type:3:s stringData:4:%s immutable:5:b
ServiceAccount metadata:1:ObjectMeta secrets:2:*Reference imagePullSecrets:3:*Local automountServiceAccountToken:4:B
Service metadata:1:ObjectMeta spec:2:ServiceSpec status:3:-
ServiceSpec ports:1:*ServicePort selector:2:%s clusterIP:3:s type:4:s externalIPs:5:*s sessionAffinity:7:s \
 loadBalancerIP:8:- loadBalancerSourceRanges:9:*s externalName:10:s externalTrafficPolicy:11:s \
 healthCheckNodePort:12:- publishNotReadyAddresses:13:b ipFamilyPolicy:17:s clusterIPs:18:*s ipFamilies:19:*s \
 allocateLoadBalancerNodePorts:20:B loadBalancerClass:21:s internalTrafficPolicy:22:s trafficDistribution:23:s
ServicePort name:1:s protocol:2:s port:3:i targetPort:4:p nodePort:5:- appProtocol:6:s
Event metadata:1:ObjectMeta involvedObject:2:Reference reason:3:s message:4:s source:5:EventSource \
 firstTimestamp:6:t lastTimestamp:7:t count:8:i type:9:s eventTime:10:u series:11:- action:12:s related:13:Reference \
 reportingComponent:14:s reportingInstance:15:s
EventSource component:1:s host:2:s
Lease metadata:1:ObjectMeta spec:2:LeaseSpec
LeaseSpec holderIdentity:1:s leaseDurationSeconds:2:i acquireTime:3:u renewTime:4:u leaseTransitions:5:i \
 strategy:6:s preferredHolder:7:s
Eviction metadata:1:ObjectMeta deleteOptions:2:DeleteOptions
Binding metadata:1:ObjectMeta target:2:Reference
PodDisruptionBudget metadata:1:ObjectMeta spec:2:BudgetSpec status:3:-
BudgetSpec minAvailable:1:p selector:2:!LabelSelector maxUnavailable:3:p unhealthyPodEvictionPolicy:4:s
Deployment metadata:1:ObjectMeta spec:2:DeploymentSpec status:3:-
DeploymentSpec replicas:1:i selector:2:!LabelSelector template:3:PodTemplate strategy:4:Strategy minReadySeconds:5:i \
 revisionHistoryLimit:6:i paused:7:b progressDeadlineSeconds:9:i
Strategy type:1:s rollingUpdate:2:Rolling
Rolling maxUnavailable:1:p maxSurge:2:p
Job metadata:1:ObjectMeta spec:2:JobSpec status:3:-
JobSpec parallelism:1:i completions:2:i activeDeadlineSeconds:3:i selector:4:LabelSelector manualSelector:5:b \
 template:6:PodTemplate backoffLimit:7:i ttlSecondsAfterFinished:8:i completionMode:9:s suspend:10:b
HorizontalPodAutoscaler metadata:1:ObjectMeta spec:2:ScalerSpec status:3:-
ScalerSpec scaleTargetRef:1:ScaleTarget minReplicas:2:i maxReplicas:3:i metrics:4:*Metric
ScaleTarget kind:1:s name:2:s apiVersion:3:s
Metric type:1:s resource:4:ResourceMetric
ResourceMetric name:1:s target:2:MetricTarget
MetricTarget type:1:s value:2:q averageValue:3:q averageUtilization:4:i
Role metadata:1:ObjectMeta rules:2:*Rule
ClusterRole metadata:1:ObjectMeta rules:2:*Rule
Rule verbs:1:*s apiGroups:2:*s resources:3:*s resourceNames:4:*s nonResourceURLs:5:*s
RoleBinding metadata:1:ObjectMeta subjects:2:*Subject roleRef:3:RoleRef
ClusterRoleBinding metadata:1:ObjectMeta subjects:2:*Subject roleRef:3:RoleRef
Subject kind:1:s apiGroup:2:s name:3:s namespace:4:s
RoleRef apiGroup:1:s kind:2:s name:3:s
SelfSubjectAccessReview metadata:1:ObjectMeta spec:2:AccessSpec status:3:-
SubjectAccessReview metadata:1:ObjectMeta spec:2:AccessSpec status:3:-
SelfSubjectRulesReview metadata:1:ObjectMeta spec:2:RulesSpec status:3:-
AccessSpec resourceAttributes:1:Asked nonResourceAttributes:2:AskedPath user:3:s groups:4:*s extra:5:- uid:6:s
RulesSpec namespace:1:s
Asked namespace:1:s verb:2:s group:3:s version:4:s resource:5:s subresource:6:s name:7:s fieldSelector:8:- \
 labelSelector:9:-
AskedPath path:1:s verb:2:s
Pod metadata:1:ObjectMeta spec:2:PodSpec status:3:-
PodTemplate metadata:1:ObjectMeta spec:2:PodSpec
PodSpec volumes:1:*Volume containers:2:*Container restartPolicy:3:s terminationGracePeriodSeconds:4:i \
 activeDeadlineSeconds:5:i dnsPolicy:6:s nodeSelector:7:%s serviceAccountName:8:s serviceAccount:9:s nodeName:10:s \
 hostNetwork:11:b hostPID:12:b hostIPC:13:b securityContext:14:- imagePullSecrets:15:*Local hostname:16:s \
 subdomain:17:s schedulerName:19:s initContainers:20:*Container automountServiceAccountToken:21:B \
 tolerations:22:*Toleration priorityClassName:24:s priority:25:i enableServiceLinks:30:B preemptionPolicy:31:s
Container name:1:s image:2:s command:3:*s args:4:*s workingDir:5:s ports:6:*ContainerPort env:7:*Env \
 resources:8:Resources volumeMounts:9:*Mount livenessProbe:10:Probe readinessProbe:11:Probe \
 terminationMessagePath:13:s imagePullPolicy:14:s securityContext:15:- stdin:16:b stdinOnce:17:b tty:18:b \
 envFrom:19:*EnvFrom terminationMessagePolicy:20:s startupProbe:22:Probe
ContainerPort name:1:s hostPort:2:- containerPort:3:i protocol:4:s hostIP:5:s
Env name:1:s value:2:s valueFrom:3:EnvSource
EnvSource fieldRef:1:FieldRef configMapKeyRef:3:KeyRef secretKeyRef:4:KeyRef
FieldRef apiVersion:1:s fieldPath:2:s
KeyRef name:1:.Local key:2:s optional:3:b
EnvFrom prefix:1:s configMapRef:2:EnvObject secretRef:3:EnvObject
EnvObject name:1:.Local optional:2:b
Resources limits:1:%q requests:2:%q
Mount name:1:s readOnly:2:b mountPath:3:s subPath:4:s mountPropagation:5:s subPathExpr:6:s recursiveReadOnly:7:s
Toleration key:1:s operator:2:s value:3:s effect:4:s tolerationSeconds:5:i
Volume name:1:s source:2:.VolumeSource
VolumeSource hostPath:1:HostPath emptyDir:2:!EmptyDir secret:6:SecretVolume configMap:19:ConfigVolume
HostPath path:1:s type:2:s
EmptyDir medium:1:s sizeLimit:2:q
SecretVolume secretName:1:s items:2:*KeyPath defaultMode:3:i optional:4:b
ConfigVolume name:1:.Local items:2:*KeyPath defaultMode:3:i optional:4:b
KeyPath key:1:s path:2:s mode:3:i
Probe handler:1:.Handler initialDelaySeconds:2:i timeoutSeconds:3:i periodSeconds:4:i successThreshold:5:i \
 failureThreshold:6:i terminationGracePeriodSeconds:7:i
Handler exec:1:Exec httpGet:2:HttpGet tcpSocket:3:Tcp
Exec command:1:*s
HttpGet path:1:s port:2:p host:3:s scheme:4:s httpHeaders:5:*Header
Header name:1:s value:2:s
Tcp port:1:p host:2:s
"""


class Field(NamedTuple):
    """``mark`` is one of * % . ! or ""."""

    name: str
    mark: str
    type: str


def read() -> Mapping[str, Mapping[int, Field]]:
    """The fields of every message by number."""
    lines = (line.split() for line in _TABLE.strip().splitlines())
    return {message: dict(_field(text) for text in fields) for message, *fields in lines}


def _field(text: str) -> tuple[int, Field]:
    name, number, kind = text.split(":")
    mark = kind[0] if kind[0] in "*%.!" else ""
    return int(number), Field(name, mark, kind.removeprefix(mark))
