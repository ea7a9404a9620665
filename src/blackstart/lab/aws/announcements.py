"""What EC2 tells of Spot instances, sent to the region's interruption queue: the part of EventBridge."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from blackstart.changes.instance_states import instance_of
from blackstart.changes.instances import Place
from blackstart.changes.model import Json
from blackstart.changes.spot import SpotNode
from blackstart.changes.spot_notice import Announcement, event_of
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.moto_fis import Told
from blackstart.lab.aws.signature import ACCOUNT

_log = logging.getLogger("blackstart.lab.announcements")


def announce(said: Iterable[Told], queue: str, clients: Clients) -> None:
    """Send what was ``said`` to the ``queue`` (a name) of its region. Best effort, as AWS's own."""
    for told in said:
        try:
            sqs = clients("sqs", told.region)
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event(told, url)))
        except (BotoCoreError, ClientError) as error:
            _log.warning("%s of %s did not reach %s: %s", told.event, told.instance, queue, error)


def event(told: Told, queue: str) -> Json:
    """As EventBridge delivers it to the ``queue`` (its URL). Pure."""
    item = {"InstanceId": told.instance, "Placement": {"AvailabilityZone": told.zone}, "InstanceLifecycle": "spot"}
    announcement = Announcement(queue, told.event, told.moment)
    return event_of(Place(ACCOUNT, told.region), SpotNode(instance_of(item)), announcement, told.id)
