"""The lab's AWS account: two emulators, the router in front of them, what they are filled with, and how to read it.

Clients see one endpoint. ``router`` picks who answers by the signature's service and region, can make a region's
control plane unreachable, and tells who wants to know what was changed. ``moto_*`` and ``ministack`` run the
emulators; ``moto_scaling`` and ``moto_verbs`` add what AWS does and moto does not. ``plan`` and ``seed`` make the
account, ``state`` reads from it what the lab has to make real.
"""
