"""What the platform's own monitoring saw of a drill, beside what its users saw: Prometheus, Alertmanager, CloudWatch.

``web``, ``prometheus``, ``alertmanager`` and ``cloudwatch`` ask; ``alerts`` polls while a drill goes on; ``collect``
asks for the rest when it is over. ``model``, ``compare`` and ``detection`` are pure.
"""
