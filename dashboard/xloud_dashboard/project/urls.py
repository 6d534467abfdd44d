"""The addresses of the project's panel."""

from xloud_dashboard import views

urlpatterns = views.urls(views.ProjectView)
