"""A SuperNode that runs one app bundle only: ``python -m vecphe.flower.supernode``, options as of flower-supernode.

Flower's server ships the code that clients run. What this party may run is pinned in its settings, as ``bundle``: the
SHA-256 of the bundle that it has read and built itself. Every other one is refused before any of it is unpacked or run.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from typing import Any

from vecphe.errors import ProtocolError, VecpheError
from vecphe.flower.hospital import Hospital
from vecphe.flower.settings import NODE_CONFIG, Settings

__all__ = ["main", "own_settings", "pin"]

_FLOWER = "1.42.0"


def own_settings(arguments: list[str]) -> Settings:
    """The settings that the node configuration names, tried: all files that they name are there and fit.

    Raises
    ------
    ProtocolError
        If it names none, they pin no bundle, or the party is none of the roster.
    SerializationError, OSError
        If a file is missing or malformed, or can be read by others and must not.
    """
    from flwr.common.config import parse_config_args

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--node-config", action="append", default=[])
    given = parser.parse_known_args(arguments)[0].node_config
    if len(given) != 1:  # of two, Flower takes the last
        raise ProtocolError(f"give one --node-config \"{NODE_CONFIG}='/path/settings.json'\"")
    try:
        config = parse_config_args(given)
    except Exception as error:  # click's, which is none of its caller's
        raise ProtocolError(f"the node configuration cannot be read: {error}") from None
    if NODE_CONFIG not in config:
        raise ProtocolError(f"the node configuration has no {NODE_CONFIG!r}, the path of the settings")
    settings = Settings.load(str(config[NODE_CONFIG]))
    if settings.bundle is None:
        raise ProtocolError('the settings pin no bundle: "bundle" is the SHA-256 of the file that flwr build makes')
    Hospital(settings).close()
    return settings


def pin(inside: Any, bundle: str) -> None:
    """Make Flower's SuperNode take that bundle and no other.

    Parameters
    ----------
    inside : module
        ``flwr.supernode.start_client_internal``, whose own check of bundles knows only those of Flower's Hub.
    bundle : str
    """
    pull = inside._pull_and_store_message

    def pull_checked(*, get_fab: Callable[[str, int], Any], trusted_entities: object, **rest: Any) -> Any:
        def checked(fab_hash: str, run_id: int) -> Any:
            fab = get_fab(fab_hash, run_id)
            fab.verifications.setdefault("valid_license", "pinned")  # without one it is refused unread
            return fab

        return pull(get_fab=checked, trusted_entities={"pinned": bundle}, **rest)

    def is_pinned(fab: Any, trusted_entities: dict[str, str]) -> bool:
        return hashlib.sha256(fab.content).hexdigest() == trusted_entities["pinned"]

    inside._pull_and_store_message = pull_checked
    inside._verify_fab = is_pinned


def main() -> None:
    """Start the SuperNode; SystemExit with one line if it cannot be pinned."""
    from importlib.metadata import version

    from flwr.supernode import start_client_internal
    from flwr.supernode.cli.flower_supernode import flower_supernode

    try:
        if version("flwr") != _FLOWER:
            raise ProtocolError(f"bundles can be pinned in flwr {_FLOWER} only, and this is {version('flwr')}")
        bundle = str(own_settings(sys.argv[1:]).bundle)
    except (VecpheError, ValueError, OSError, argparse.ArgumentError) as error:
        sys.exit(f"error: {error}")
    pin(start_client_internal, bundle)
    print(f"this SuperNode runs the bundle {bundle} and no other", flush=True)
    flower_supernode()


if __name__ == "__main__":
    main()
