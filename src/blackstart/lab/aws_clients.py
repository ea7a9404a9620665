"""botocore clients for parts that must know within seconds whether the AWS API answers."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config

ACCOUNT = "123456789012"
SECRET = "lab"


def session() -> Any:
    """A botocore session for the lab's account that reads none of the user's AWS configuration."""
    made = botocore.session.Session(
        session_vars={"profile": (None, None, None, None), "config_file": (None, None, "/dev/null", None)}
    )
    made.set_credentials(ACCOUNT, SECRET)
    made.user_agent_extra = "blackstart-lab"  # who it is in a log of calls, unless its owner says so better
    return made


def impatient(made: Any, url: str, service: str, region: str, read_seconds: float) -> Any:
    """The client of ``service`` in ``region`` at ``url``; without retries, it gives up after ``read_seconds``."""
    config = Config(connect_timeout=1, read_timeout=read_seconds, retries={"total_max_attempts": 1}, proxies={})
    return made.create_client(service, region_name=region, endpoint_url=url, config=config)
