"""Alertmanager's configuration: ours as it is shipped, with the receiver that the user named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from exporter.cli.setup_prometheus import FOLDER

_HEAD = """\
# Written by `tweetbot-exporter setup`: change it there, or take this line out, and it is yours.
"""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets pages and tickets: a receiver of rules/alertmanager.yml, and what the user fills in there.

    A secret stands in the configuration itself, in the place of its `_file`: Alertmanager before 0.28 cannot read all
    of them from files.
    """

    about: str
    name: str
    settings: Mapping[str, Any]


def telegram(token: str, chat: int) -> Receiver:
    """A message to a chat."""
    return Receiver(f"Telegram, chat {chat}", "telegram", {"bot_token": token, "chat_id": chat})


def discord(url: str) -> Receiver:
    """A message to the channel of a webhook."""
    return Receiver("Discord", "discord", {"webhook_url": url})


def slack(url: str) -> Receiver:
    """A message to the channel of an incoming webhook."""
    return Receiver("Slack", "slack", {"api_url": url})


def pagerduty(key: str) -> Receiver:
    """An incident of the service whose integration key it is."""
    return Receiver("PagerDuty", "pagerduty", {"routing_key": key})


def email(to: str, sender: str, smarthost: str, login: tuple[str, str] | None = None) -> Receiver:
    """Plain text, by STARTTLS. `login` is user and password; without one the server asks for none."""
    user, password = login or ("", "")
    given = {
        "to": to,
        "from": sender,
        "smarthost": smarthost,
        "auth_username": user,
        "auth_password": password,
    }
    return Receiver(f"{to}, by e-mail through {smarthost}", "email", given)


def webhook(url: str) -> Receiver:
    """Alertmanager's own JSON document."""
    return Receiver(f"the webhook {url}", "page", {"url": url})


def configured(shipped: str, receiver: Receiver, watchdog_url: str | None) -> str:
    """`shipped` is rules/alertmanager.yml. Without a `watchdog_url` the alert that always fires goes to nobody."""
    document = yaml.safe_load(shipped)
    document["templates"] = [f"{FOLDER}/{path}" for path in document["templates"]]
    receivers = {each.pop("name"): each for each in document["receivers"]}
    filled_in = _filled_in(receivers[receiver.name], receiver.settings)
    watchdog = _filled_in(receivers["watchdog"], {"url": watchdog_url}) if watchdog_url else {}
    receivers |= {"page": filled_in, "ticket": filled_in, "watchdog": watchdog}
    document["receivers"] = [{"name": name, **each} for name, each in receivers.items()]
    return _HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _filled_in(shipped: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    ((integration, (present,)),) = shipped.items()
    kept = {key: value for key, value in present.items() if key.removesuffix("_file") not in settings}
    return {integration: [{**kept, **settings}]}


def is_ours(text: str) -> bool:
    """Whether setup wrote it."""
    return text.startswith(_HEAD)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _: Any) -> bool:
        """Written out each time: an anchor that nobody named only confuses."""
        return True
