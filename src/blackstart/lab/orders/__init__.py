"""The small order service that the lab's pods run, and its worker."""
