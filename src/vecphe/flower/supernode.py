"""A SuperNode that runs one app bundle only: ``python -m vecphe.flower.supernode``, options as of flower-supernode.

Flower's server ships the code that clients run. What this party may run is pinned in its settings, as ``bundle``: the
SHA-256 of the bundle that it has read and built itself. Every other one is refused before any of it is unpacked or run.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

from vecphe.errors import ProtocolError
from vecphe.flower.settings import NODE_CONFIG, Settings

__all__ = ["main", "pin", "pinned_bundle"]

_FLOWER = "1.42.0"


def pinned_bundle(arguments: list[str]) -> str:
    """The hash in the settings that the node configuration names.

    Raises
    ------
    ProtocolError
        If it names none, or the settings pin no bundle.
    """
    from flwr.common.config import parse_config_args

    if "--node-config" not in arguments[:-1]:
        raise ProtocolError(f"give --node-config \"{NODE_CONFIG}='/path/settings.json'\"")
    config = parse_config_args([arguments[arguments.index("--node-config") + 1]])
    if NODE_CONFIG not in config:
        raise ProtocolError(f"the node configuration has no {NODE_CONFIG!r}, the path of the settings")
    bundle = Settings.load(str(config[NODE_CONFIG])).bundle
    if bundle is None:
        raise ProtocolError('the settings pin no bundle: "bundle" is the SHA-256 of the file that flwr build makes')
    return bundle


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
        bundle = pinned_bundle(sys.argv)
    except (ProtocolError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    pin(start_client_internal, bundle)
    print(f"this SuperNode runs the bundle {bundle} and no other", flush=True)
    flower_supernode()


if __name__ == "__main__":
    main()
