"""Roles, permissions, tenants."""

import pytest

from astdialer.domain.access import PERMISSIONS, UNDIVIDED, Access, Forbidden, Permission, Role


def access(role: Role, tenant: str = "") -> Access:
    return Access(name="x", role=role, tenant=tenant)


def test_every_role_is_said_what_it_may() -> None:
    assert set(PERMISSIONS) == set(Role)


@pytest.mark.parametrize("permission", Permission)
def test_an_administrator_may_everything(permission: Permission) -> None:
    assert access(Role.ADMIN).may(permission)
    access(Role.ADMIN).require(permission)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.READ_ONLY, {Permission.READ}),
        (Role.AGENT, {Permission.OWN_CALLS}),
        (Role.SUPERVISOR, set(Permission) - {Permission.HOOKS, Permission.SETUP, Permission.TOKENS}),
        (Role.INTEGRATION, set(Permission) - {Permission.SETUP, Permission.TOKENS}),
    ],
)
def test_other_roles_may_this_and_nothing_else(role: Role, allowed: set[Permission]) -> None:
    assert {permission for permission in Permission if access(role).may(permission)} == allowed


def test_none_but_an_administrator_makes_tokens_or_changes_what_is_the_whole_installations() -> None:
    for role in set(Role) - {Role.ADMIN}:
        assert not access(role).may(Permission.TOKENS)
        assert not access(role).may(Permission.SETUP)


@pytest.mark.parametrize("permission", Permission)
def test_a_tenants_administrator_may_all_but_what_belongs_to_no_tenant(permission: Permission) -> None:
    assert access(Role.ADMIN, "a").may(permission) == (permission not in UNDIVIDED)


def test_who_may_not_is_told_what_it_takes() -> None:
    with pytest.raises(Forbidden, match="a token with the role read-only may not do that: it needs campaigns"):
        access(Role.READ_ONLY).require(Permission.CAMPAIGNS)
    with pytest.raises(Forbidden, match="a token of tenant a with the role admin"):
        access(Role.ADMIN, "a").require(Permission.SETUP)


def test_a_tenant_sees_its_own_and_nothing_else_and_no_tenant_sees_all() -> None:
    assert access(Role.AGENT).sees("a")
    assert access(Role.AGENT).sees("")
    assert access(Role.ADMIN, "a").sees("a")
    assert not access(Role.ADMIN, "a").sees("b")
    assert not access(Role.ADMIN, "a").sees(""), "what belongs to nobody is not a tenant's either"
