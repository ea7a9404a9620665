"""The review of an incident: what drills had said of it, why none prevented it, and an experiment that will.

``read`` takes the incident from a file, ``cover`` finds the drills of it, ``compare`` puts what they promised beside
what happened, ``gap`` says what was missing, ``draft`` makes the experiment. All pure but ``read``, ``known`` and
``command``, which touch files.
"""
