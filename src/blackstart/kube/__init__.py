"""Kubernetes API servers, as any conformant one behaves: finding one, logging in, reading, watching, changing.

Objects are raw JSON. The official client's typed models take seconds for a few thousand pods, and as long to import.
"""
