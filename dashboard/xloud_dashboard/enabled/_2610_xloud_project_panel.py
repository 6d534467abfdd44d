"""Adds the panel Live Resize to the dashboard of projects."""

PANEL = "xloud"
PANEL_DASHBOARD = "project"
PANEL_GROUP = "compute"
ADD_PANEL = "xloud_dashboard.project.panel.LiveResize"
ADD_INSTALLED_APPS = ["xloud_dashboard"]
