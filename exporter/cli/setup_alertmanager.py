"""Alertmanager's configuration: ours as it is shipped, with the receiver that the user named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from exporter.cli.setup_prometheus import FOLDER

_HEAD = """\
# Written by `tweetbot-exporter setup`: change it there, or take this line out, and it is yours.
"""
_TEXT = '{{ template "tweetbot.title" . }}\n{{ template "tweetbot.text" . }}'


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets pages and tickets: the receiver's part of Alertmanager's configuration."""

    about: str
    configuration: Mapping[str, Any]


def telegram(token: str, chat: int, api_url: str) -> Receiver:
    """A message to a chat. The token stands in the file: Alertmanager before 0.26 reads it from nowhere else."""
    message = {"bot_token": token, "chat_id": chat, "api_url": api_url, "parse_mode": "", "message": _TEXT}
    return Receiver(f"Telegram, chat {chat}", {"telegram_configs": [{**message, "send_resolved": True}]})


def webhook(url: str) -> Receiver:
    """Alertmanager's own JSON document."""
    return Receiver(f"the webhook {url}", {"webhook_configs": [{"url": url, "send_resolved": True}]})


def configured(shipped: str, receiver: Receiver, watchdog_url: str | None) -> str:
    """`shipped` is rules/alertmanager.yml. Without a `watchdog_url` the alert that always fires goes to nobody."""
    document = yaml.safe_load(shipped)
    document["templates"] = [f"{FOLDER}/{path}" for path in document["templates"]]
    used = {"page": dict(receiver.configuration), "ticket": dict(receiver.configuration), "watchdog": {}}
    if watchdog_url:
        used["watchdog"] = {"webhook_configs": [{"url": watchdog_url, "send_resolved": False}]}
    document["receivers"] = [
        {"name": each["name"], **used[each["name"]]} if each["name"] in used else each
        for each in document["receivers"]
    ]
    return _HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def is_ours(text: str) -> bool:
    """Whether setup wrote it."""
    return text.startswith(_HEAD)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _: Any) -> bool:
        """Written out each time: an anchor that nobody named only confuses."""
        return True
