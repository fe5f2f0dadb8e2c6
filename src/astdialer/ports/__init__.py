"""What the engine needs from outside, as Protocols, and what goes through them.

Adapters implement them; ``app.py`` wires them together.
"""

from astdialer.ports.access import Token, TokenStore
from astdialer.ports.callrecords import CallRecordStore, CallSearch
from astdialer.ports.calls import CallStore
from astdialer.ports.candidates import CandidateStore
from astdialer.ports.claims import Arrange, Claim, Claimed, ClaimRequest, Closing, Judge, Place
from astdialer.ports.clock import Clock
from astdialer.ports.facts import (
    BaseUpload,
    BlacklistEntry,
    CampaignCounts,
    CampaignEvent,
    Ending,
    Learned,
    Listed,
    NewTask,
    Offer,
    Order,
    TaskAdded,
)
from astdialer.ports.hooks import Delivery, HookStore, NewEvent, Notifier, Tried
from astdialer.ports.intake import IntakeStore
from astdialer.ports.members import AttemptSearch, MemberSearch, MemberStore
from astdialer.ports.recordings import Converted, Recording, Recordings
from astdialer.ports.requests import BaseLoader, ForeignObject, Kept, RequestStore, UploadJob
from astdialer.ports.store import AttemptStore, CampaignStore, ContactStore, OrderStore, ReportStore, Store, UploadStore
from astdialer.ports.telephony import (
    LinkDown,
    LinkUp,
    LiveChannel,
    MemberGone,
    MemberMissed,
    MemberSeen,
    MemberTalk,
    Origination,
    QueueCall,
    Telephony,
    TelephonyEvent,
)

__all__ = [
    "Arrange",
    "AttemptSearch",
    "AttemptStore",
    "BaseLoader",
    "BaseUpload",
    "BlacklistEntry",
    "CallRecordStore",
    "CallSearch",
    "CallStore",
    "CampaignCounts",
    "CampaignEvent",
    "CampaignStore",
    "CandidateStore",
    "Claim",
    "ClaimRequest",
    "Claimed",
    "Clock",
    "Closing",
    "ContactStore",
    "Converted",
    "Delivery",
    "Ending",
    "ForeignObject",
    "HookStore",
    "IntakeStore",
    "Judge",
    "Kept",
    "Learned",
    "LinkDown",
    "LinkUp",
    "Listed",
    "LiveChannel",
    "MemberGone",
    "MemberMissed",
    "MemberSearch",
    "MemberSeen",
    "MemberStore",
    "MemberTalk",
    "NewEvent",
    "NewTask",
    "Notifier",
    "Offer",
    "Order",
    "OrderStore",
    "Origination",
    "Place",
    "QueueCall",
    "Recording",
    "Recordings",
    "ReportStore",
    "RequestStore",
    "Store",
    "TaskAdded",
    "Telephony",
    "TelephonyEvent",
    "Token",
    "TokenStore",
    "Tried",
    "UploadJob",
    "UploadStore",
]
