"""Load at the scale of the platform's promise: Locust, beside the observer, which measures.

``plan`` says how many users do what, and with how many processes; ``process`` starts and ends them, ``supervise`` is
what runs between, ``locustfile`` the users themselves. ``external`` uses a Locust master that is there already.
``record`` reads what they left in the journal. Load is never left behind: whatever ends the drill ends it.
"""
