"""What the tests of views share: Horizon's signed-in user, and a Compute service on loopback."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest import mock

from openstack_dashboard.api import base
from openstack_dashboard.test import helpers
from requests.packages.urllib3.connection import HTTPConnection

from tests.cloud import Cloud


class _WithCloud:
    """Mixed into Horizon's own classes."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud = Cloud()
        self.addCleanup(self.cloud.close)
        # Horizon's tests forbid every connection: ours is to this process
        HTTPConnection.connect = self._real_conn_request
        real = base.url_for

        def url_for(request: Any, service_type: str, *args: Any, **kwargs: Any) -> str:
            if service_type == "compute":
                return self.cloud.url
            return str(real(request, service_type, *args, **kwargs))

        patch = mock.patch.object(base, "url_for", url_for)
        patch.start()
        self.addCleanup(patch.stop)

    def page(self, path: str) -> str:
        """Return the text of a page, without tags, blanks made one."""
        answer = self.client.get(path)
        assert answer.status_code == 200, answer
        self.html = answer.content.decode()
        main = self.html.partition('<div class="xloud"')[2].partition('<div id="footer"')[0]
        return " ".join(re.sub("<[^>]*>", " ", main).split())

    def told(self, path: str, status: int = 200) -> Any:
        """Return what the script of a page is told."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.content
        return json.loads(answer.content)


class ProjectTest(_WithCloud, helpers.TestCase):
    """A test as a member of a project."""


class AdminTest(_WithCloud, helpers.BaseAdminViewTests):
    """A test as an administrator."""
