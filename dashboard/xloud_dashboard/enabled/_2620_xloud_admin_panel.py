"""Adds the panel Live Resize to the dashboard of administrators.

The file of the project panel adds the application: Django takes none twice.
"""

PANEL = "xloud"
PANEL_DASHBOARD = "admin"
PANEL_GROUP = "compute"
ADD_PANEL = "xloud_dashboard.admin.panel.LiveResize"
