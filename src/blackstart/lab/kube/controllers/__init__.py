"""The controllers of a cluster: each watches the store and acts through the rules of ``cluster``."""
