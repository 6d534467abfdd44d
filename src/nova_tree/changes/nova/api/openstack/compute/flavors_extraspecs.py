"""Extra specs that are set are checked against their flavor.

Nova's validators (since microversion 2.86) see a value, but not its flavor.
"""
from nova_xloud.weave import after

from nova.xloud.api import hooks as xloud_hooks


class FlavorExtraSpecsController:
    @after("flavor")
    def create(flavor, specs):
        xloud_hooks.check_specs(flavor, specs)

    @after("flavor")
    def update(flavor, body):
        xloud_hooks.check_specs(flavor, body)
