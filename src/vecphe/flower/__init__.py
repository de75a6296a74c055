"""The protocol between machines, over Flower: who may do what is decided at each party, and the transport moves bytes.

`Hospital` and `Rounds` are the two sides, without any transport; `vecphe.flower.client` and `vecphe.flower.server` put
them into Flower's ClientApp and ServerApp, and alone import Flower (``pip install "vecphe[flower]"``). What this
protects, and from whom: docs/threat-model.md.
"""

from vecphe.flower.coordinator import Relay, Rounds
from vecphe.flower.hospital import Hospital
from vecphe.flower.messages import Reply, Request
from vecphe.flower.plan import Plan
from vecphe.flower.roster import Identity, Member, Roster
from vecphe.flower.settings import Settings

__all__ = ["Hospital", "Identity", "Member", "Plan", "Relay", "Reply", "Request", "Roster", "Rounds", "Settings"]
