"""Make the projects, users, roles and endpoints of the lab; runs inside, with openstacksdk.

usage: accounts.py PASSWORD IDENTITY_URL SERVICE=TYPE=URL...
"""

import sys
import time

import openstack

#: {user: (project, roles)}: those that the scenarios speak as.
PEOPLE = {
    "owner": ("demo", ("member", "reader")),
    "reader": ("demo", ("reader",)),
    "stranger": ("other", ("member", "reader")),
}


def connect(password: str, address: str) -> openstack.connection.Connection:
    """Connect as admin, as soon as keystone answers; at most a minute."""
    for attempt in range(60):
        try:
            connection = openstack.connect(
                auth_url=address,
                username="admin",
                password=password,
                project_name="admin",
                user_domain_id="default",
                project_domain_id="default",
                region_name="RegionOne",
            )
            connection.authorize()
        except Exception:  # whatever a service says that is not up yet
            if attempt == 59:
                raise
            time.sleep(1)
        else:
            return connection
    raise AssertionError


def main() -> None:
    """Make all of them."""
    password, address, *services = sys.argv[1:]
    identity = connect(password, address).identity
    roles = {role.name: role for role in identity.roles()}
    for name in ("admin", "service", "member", "reader"):
        if name not in roles:
            roles[name] = identity.create_role(name=name)
    projects = {
        name: identity.create_project(name=name, domain_id="default")
        for name in ("service", "demo", "other")
    }
    people = {**PEOPLE}
    for told in services:
        name, kind, url = told.split("=", 2)
        people[name] = ("service", ("admin", "service"))
        service = identity.create_service(name=name, type=kind)
        for interface in ("public", "internal"):
            identity.create_endpoint(
                service_id=service.id, interface=interface, url=url, region_id="RegionOne"
            )
    for name, (project, given) in people.items():
        user = identity.create_user(name=name, password=password, domain_id="default")
        for role in given:
            identity.assign_project_role_to_user(projects[project], user, roles[role])


if __name__ == "__main__":
    main()
