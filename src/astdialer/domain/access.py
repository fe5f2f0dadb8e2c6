"""Who may do what over HTTP: a token has one role, a role has permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from astdialer.domain.errors import AstdialerError


class Role(StrEnum):
    """What a token is for."""

    ADMIN = "admin"  #: everything
    SUPERVISOR = "supervisor"  #: steers campaigns, contacts and agents, and listens to recordings
    AGENT = "agent"  #: its own telephone, its own calls and what comes of them
    INTEGRATION = "integration"  #: another system: campaigns, contacts, results, webhooks
    READ_ONLY = "read-only"  #: looks, and neither changes nor listens


class Permission(StrEnum):
    """What an endpoint asks for."""

    READ = "read"  #: campaigns, contacts, calls, agents, figures
    LISTEN = "listen"  #: recordings
    CONTACTS = "contacts"  #: bases, contacts, tasks, results, the blacklist
    CAMPAIGNS = "campaigns"  #: make, change and steer campaigns and their calendars
    AGENTS = "agents"  #: call, hang up and pause in the name of any agent
    OWN_CALLS = "own-calls"  #: the same for one's own telephone, and outcomes of calls
    HOOKS = "webhooks"
    SETUP = "setup"  #: trunks, routes, caller ids, agents' profiles: they are the whole installation's
    TOKENS = "tokens"


_R, _P = Role, Permission

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    _R.ADMIN: frozenset(_P),
    _R.SUPERVISOR: frozenset({_P.READ, _P.LISTEN, _P.CONTACTS, _P.CAMPAIGNS, _P.AGENTS, _P.OWN_CALLS}),
    _R.AGENT: frozenset({_P.OWN_CALLS}),
    _R.INTEGRATION: frozenset({_P.READ, _P.LISTEN, _P.CONTACTS, _P.CAMPAIGNS, _P.AGENTS, _P.OWN_CALLS, _P.HOOKS}),
    _R.READ_ONLY: frozenset({_P.READ}),
}

#: What belongs to no tenant: a tenant's token never may.
UNDIVIDED = frozenset({Permission.SETUP})


class Unauthorized(AstdialerError):
    """No token came with the request, or none that is known."""

    code = "unauthorized"


class Forbidden(AstdialerError):
    """The token's role does not allow that."""

    code = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who asks: a token's name, role and tenant. Without a tenant it sees every tenant's campaigns."""

    name: str
    role: Role
    tenant: str = ""
    agent: str = ""  #: role agent: its telephone, an extension or interface
    token_id: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether the token allows it."""
        return permission in PERMISSIONS[self.role] and not (self.tenant and permission in UNDIVIDED)

    def require(self, permission: Permission) -> None:
        """Raises Forbidden."""
        if not self.may(permission):
            whose = f"a token of tenant {self.tenant}" if self.tenant else "a token"
            raise Forbidden(f"{whose} with the role {self.role} may not do that: it needs {permission}")

    def sees(self, tenant: str) -> bool:
        """Whether what belongs to ``tenant`` is there for it at all."""
        return self.tenant in ("", tenant)
