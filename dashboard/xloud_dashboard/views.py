"""The pages, and what their script asks for. Projects and administrators have the same views."""

from __future__ import annotations

import functools
import json
import re
import threading
from importlib import metadata
from typing import Any

from django import http
from django.shortcuts import render
from django.urls import re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from horizon import exceptions
from horizon import views as horizon_views
from openstack_dashboard import api, policy

from xloud_dashboard import sizes
from xloud_dashboard.compute import (
    Compute,
    ComputeError,
    MissingError,
    RefusedError,
    SilentError,
    at_once,
)

#: How many servers the script may ask for at once, and how many adjusts the history shows.
SIZES, HISTORY = 20, 10
#: Seconds that a list waits for the size of a server.
SIZE_TIMEOUT = 10
#: How many looks must find no server action until an adjust counts as one that had nothing to do.
LOOKS = 3
_ID = "[0-9a-f-]{36}"
_SERVER = f"(?P<server_id>{_ID})"
_REQUEST = f"(?P<request_id>req-{_ID})"


def urls(index: type[View]) -> list[Any]:
    """Return the addresses of a panel.

    :param index: the view of its first page
    """
    return [
        re_path("^$", index.as_view(), name="index"),
        re_path("^sizes$", SizesView.as_view(), name="sizes"),
        re_path(f"^{_SERVER}/$", ServerView.as_view(), name="server"),
        re_path(f"^{_SERVER}/adjust$", AdjustView.as_view(), name="adjust"),
        re_path(f"^{_SERVER}/history$", HistoryView.as_view(), name="history"),
        re_path(f"^{_SERVER}/progress/{_REQUEST}$", ProgressView.as_view(), name="progress"),
    ]


@functools.lru_cache
def version() -> str:
    """Return the version of the plugin; a browser must not use the script of another one."""
    return metadata.version("xloud-dashboard")


def _signed_out(error: ComputeError) -> None:
    """Have Horizon ask the user to sign in again, if that is what an error means."""
    if isinstance(error, RefusedError) and error.status == 401:
        raise exceptions.NotAuthenticated(_("Your session has ended. Please sign in again."))


class _Page(horizon_views.HorizonTemplateView):
    """A page of the panel; an error of the Compute API is told on it."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the template shows."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["version"] = version()
        # of the dashboard of projects, or of administrators
        context["xloud_panel"] = self.request.resolver_match.namespace
        try:
            context.update(self.content(Compute(self.request)))
        except ComputeError as error:
            _signed_out(error)
            context["error"] = str(error)
        return context

    def content(self, compute: Compute) -> dict[str, Any]:
        """Return what the page shows of the cloud."""
        raise NotImplementedError


class ProjectView(_Page):
    """All servers of the project: one request to the Compute API."""

    template_name = "xloud_dashboard/project.html"
    page_title = gettext_lazy("Live Resize")

    def content(self, compute: Compute) -> dict[str, Any]:
        """Return the servers by name, those that can be adjusted first."""
        servers = [sizes.server(each) for each in compute.servers()]
        servers.sort(key=lambda each: (not each.has_floor, each.name))
        return {"servers": servers}


class AdminView(_Page):
    """All servers with a floor, by host: two lists of the Compute API, one of Identity."""

    template_name = "xloud_dashboard/admin.html"
    page_title = gettext_lazy("Live Resize")

    def content(self, compute: Compute) -> dict[str, Any]:
        """Return the hosts, each with its servers."""
        told = [sizes.server(each) for each in compute.servers(everywhere=True)]
        names = self._projects()
        servers = [
            each._replace(project=names.get(each.project, each.project))
            for each in sorted(told, key=lambda each: each.name)
        ]
        context: dict[str, Any] = {}
        hypervisors: list[dict[str, Any]] = []
        try:
            hypervisors = compute.hypervisors()
        except ComputeError as error:
            _signed_out(error)
            context["unheld"] = str(error)
        context["hosts"] = sizes.by_host(servers, hypervisors)
        return context

    def _projects(self) -> dict[str, str]:
        try:
            projects, _more = api.keystone.tenant_list(self.request)
        except Exception:  # an administrator of Compute need not be one of Identity: ids will do
            return {}
        return {each.id: each.name for each in projects}


class ServerView(_Page):
    """A server: its size, the sliders, its history. Two requests; the history comes after it."""

    template_name = "xloud_dashboard/server.html"
    page_title = gettext_lazy("Live Resize: {{ server.name }}")

    def content(self, compute: Compute) -> dict[str, Any]:
        """Return the server and its size."""
        server_id = self.kwargs["server_id"]
        server = sizes.server(compute.server(server_id))
        status = compute.status(server_id)
        target = {"project_id": server.project}
        rule = (("compute", "os_compute_api:xloud:adjust"),)
        return {
            "server": server,
            "status": status,
            "resources": [
                self._resource(status, "vcpus", _("vCPUs"), ""),
                self._resource(status, "memory_mb", _("Memory"), "MiB"),
            ],
            "may_adjust": policy.check(rule, self.request, target),
            "history_url": self._url("history"),
            "adjust_url": self._url("adjust"),
            "progress_url": self._url("progress", request_id=f"req-{'0' * 36}"),
        }

    @staticmethod
    def _resource(status: dict[str, Any], name: str, label: str, unit: str) -> dict[str, Any]:
        floor, maximum = status[f"min_{name}"], status[f"max_{name}"]
        return {
            "name": name,
            "label": label,
            "unit": unit,
            "floor": floor,
            "maximum": maximum,
            "current": status[f"current_{name}"],
            "is_fixed": floor >= maximum,
        }

    def _url(self, name: str, **more: str) -> str:
        panel = self.request.resolver_match.namespace
        kwargs = {"server_id": self.kwargs["server_id"], **more}
        return str(reverse(f"{panel}:{name}", kwargs=kwargs))


class _Asked(View):
    """Something that the script of a page asks for."""

    def dispatch(self, request: http.HttpRequest, *args: Any, **kwargs: Any) -> http.HttpResponse:
        """Answer with what the view returns, or with what the Compute API has said against it."""
        try:
            answer: http.HttpResponse = super().dispatch(request, *args, **kwargs)
        except ComputeError as error:
            _signed_out(error)
            refusal = error if isinstance(error, RefusedError) else None
            told = {
                "message": str(error),
                "refused": refusal is not None,
                "unchanged": refusal is not None and refusal.unchanged,
            }
            answer = http.JsonResponse(told, status=refusal.status if refusal else 502)
        answer["Cache-Control"] = "no-store"
        return answer


class SizesView(_Asked):
    """The sizes of the servers that a list shows just now: a request for each, some at once."""

    def get(self, request: http.HttpRequest) -> http.HttpResponse:
        """Answer with {id of a server: its size, or the API's message}.

        One request without an answer is enough: the others would only keep a process of Horizon.
        """
        ids = [each for each in request.GET.getlist("id") if re.fullmatch(_ID, each)][:SIZES]
        compute = Compute(request, SIZE_TIMEOUT)
        silent = threading.Event()
        skipped = _("Not asked for: the Compute service did not answer for another server.")

        def size(server_id: str) -> dict[str, Any]:
            if silent.is_set():
                return {"message": skipped}
            try:
                return compute.status(server_id)
            except ComputeError as error:
                if isinstance(error, SilentError):
                    silent.set()
                _signed_out(error)
                return {"message": str(error)}

        return http.JsonResponse(dict(zip(ids, at_once(size, ids))))


class AdjustView(_Asked):
    """Asks for another size."""

    def post(self, request: http.HttpRequest, server_id: str) -> http.HttpResponse:
        """Send the browser's wish as it is, and answer with the id of the request."""
        try:
            wish = json.loads(request.body)
        except ValueError:
            told = {"message": _("This is no JSON."), "refused": True, "unchanged": True}
            return http.JsonResponse(told, status=400)
        return http.JsonResponse({"request_id": Compute(request).adjust(server_id, wish)})


class ProgressView(_Asked):
    """How far an adjust is."""

    def get(self, request: http.HttpRequest, server_id: str, request_id: str) -> http.HttpResponse:
        """Answer with its result, "" as long as it goes on; in the end with the server's size.

        The parameter ``missing`` is the number of looks before this one that found no action.
        """
        compute = Compute(request)
        told: dict[str, Any]
        try:
            adjust = sizes.adjust(compute.action(server_id, request_id))
        except MissingError:
            before = request.GET.get("missing", "")
            missing = 1 + (int(before) if re.fullmatch("[0-9]", before) else 0)
            if missing < LOOKS:
                return http.JsonResponse({"result": "", "missing": missing})
            # the server had the size already: Nova does nothing, and records nothing
            told = {"result": "Unchanged"}
        else:
            if adjust.ended is None:
                return http.JsonResponse({"result": ""})
            told = {"result": adjust.result, "details": adjust.details, "seconds": adjust.seconds}
        try:
            return http.JsonResponse({**told, "size": compute.status(server_id)})
        except MissingError as error:
            return http.JsonResponse({"result": "Gone", "details": str(error)})


class HistoryView(_Asked):
    """The last adjusts of a server."""

    def get(self, request: http.HttpRequest, server_id: str) -> http.HttpResponse:
        """Answer with a table."""
        adjusts = [sizes.adjust(each) for each in Compute(request).adjusts(server_id, HISTORY)]
        context = {"adjusts": adjusts, "most": HISTORY}
        return render(request, "xloud_dashboard/_history.html", context)
