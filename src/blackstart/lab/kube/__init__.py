"""A Kubernetes API server with the controllers that drills need, for real clients such as kubectl.

Kept in memory, one process a cluster, plain HTTP. What it leaves out on purpose: authentication, admission plug-ins,
field ownership of server-side apply, logs, and controllers other than Deployment, ReplicaSet, StatefulSet, horizontal
pod autoscaler, scheduler, node lifecycle, disruption budgets, namespaces and garbage collection.
"""
