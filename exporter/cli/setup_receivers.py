"""`setup`'s flags about who gets pages and tickets."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from exporter.cli import flags, setup_alertmanager
from exporter.cli.questions import Ask
from exporter.cli.setup_alertmanager import Receiver
from exporter.config import ConfigError
from exporter.http.tokens import read_token
from exporter.runtime.files import UnreadableFileError

_NO_RECEIVER = "a receiver, such as --telegram-token-file or --email-to, or --keep-alertmanager,"


def add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where pages and tickets go: one of (a FILE holds the secret alone)")
    _add(group, "--telegram-token-file", flags.path, "FILE", "Telegram: the token of your Telegram bot")
    _add(group, "--telegram-chat", int, "ID", "Telegram: the number of the chat")
    _add(group, "--discord-webhook-file", flags.path, "FILE", "Discord: the URL of a channel's webhook")
    _add(group, "--slack-webhook-file", flags.path, "FILE", "Slack: the URL of an incoming webhook")
    _add(group, "--pagerduty-key-file", flags.path, "FILE", "PagerDuty: an integration key (Events API v2)")
    _add(group, "--email-to", str, "ADDRESS", "e-mail: to whom")
    _add(group, "--email-from", str, "ADDRESS", "e-mail: from whom (default: to whom)")
    _add(group, "--email-smarthost", str, "HOST:PORT", "e-mail: the server that sends it")
    _add(group, "--email-user", str, "NAME", "e-mail: the server's user (default: from whom)")
    _add(
        group,
        "--email-password-file",
        flags.path,
        "FILE",
        "e-mail: the user's password (default: none is needed)",
    )
    _add(group, "--webhook-url", flags.url, "URL", "a webhook that takes Alertmanager's JSON")
    about = "nowhere yet: leave Alertmanager's configuration as it is"
    group.add_argument("--keep-alertmanager", action="store_true", help=about)
    about = "is called as long as alerts can arrive at all, such as a check of healthchecks.io"
    _add(group, "--watchdog-url", flags.url, "URL", about)


def _add(
    group: argparse._ArgumentGroup, flag: str, kind: Callable[[str], object], metavar: str, about: str
) -> None:
    group.add_argument(flag, type=kind, metavar=metavar, help=about)


def chosen(parsed: argparse.Namespace, ask: Ask) -> Receiver:
    """Whom the flags name; without any, Telegram, and `ask` gives what is missing."""
    if parsed.webhook_url:
        return setup_alertmanager.webhook(parsed.webhook_url)
    if parsed.discord_webhook_file:
        return setup_alertmanager.discord(_url(parsed.discord_webhook_file, "--discord-webhook-file"))
    if parsed.slack_webhook_file:
        return setup_alertmanager.slack(_url(parsed.slack_webhook_file, "--slack-webhook-file"))
    if parsed.pagerduty_key_file:
        return setup_alertmanager.pagerduty(_secret(parsed.pagerduty_key_file, "--pagerduty-key-file"))
    if parsed.email_to:
        return _email(parsed, ask)
    return _telegram(parsed, ask)


def _telegram(parsed: argparse.Namespace, ask: Ask) -> Receiver:
    if parsed.telegram_token_file:
        token = _telegram_token(_secret(parsed.telegram_token_file, "--telegram-token-file"))
    else:
        question = "The token of your Telegram bot (@BotFather gives you one; it is not shown)"
        token = ask(question, _NO_RECEIVER, _telegram_token, secret=True)
    chat = parsed.telegram_chat or ask("The number of the chat", "--telegram-chat", _chat)
    return setup_alertmanager.telegram(token, chat)


def _telegram_token(text: str) -> str:
    if not re.fullmatch(r"[0-9]+:[\w-]+", text, re.ASCII):
        raise ConfigError("the token of a Telegram bot is a number, a colon and letters")
    return text


def _chat(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError("--telegram-chat: must be a whole number, such as -1001234567890") from None


def _email(parsed: argparse.Namespace, ask: Ask) -> Receiver:
    if parsed.email_smarthost:
        smarthost = _smarthost(parsed.email_smarthost)
    else:
        smarthost = ask("The server that sends e-mail (host:port)", "--email-smarthost", _smarthost)
    sender = parsed.email_from or parsed.email_to
    if not parsed.email_password_file:
        return setup_alertmanager.email(parsed.email_to, sender, smarthost)
    password = _secret(parsed.email_password_file, "--email-password-file")
    return setup_alertmanager.email(
        parsed.email_to, sender, smarthost, (parsed.email_user or sender, password)
    )


def _smarthost(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit()):
        raise ConfigError("--email-smarthost: must be HOST:PORT, such as smtp.example.org:587")
    return text


def _url(file: Path, flag: str) -> str:
    secret = _secret(file, flag)
    try:
        return flags.url(secret)
    except argparse.ArgumentTypeError:
        raise ConfigError(f"{flag}: {file} must hold the webhook's address") from None


def _secret(file: Path, flag: str) -> str:
    try:
        return read_token(file, flag)
    except UnreadableFileError as error:
        raise ConfigError(str(error)) from None
