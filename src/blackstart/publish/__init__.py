"""Where people look: what a drill did, told to Grafana, Prometheus, CloudWatch, OpenTelemetry, Slack and webhooks.

Each is optional, has a time limit, and none can fail a drill: what did not arrive is a note in the journal.
"""
