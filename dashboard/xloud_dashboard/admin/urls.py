"""The addresses of the administrators' panel."""

from xloud_dashboard import views

urlpatterns = views.urls(views.AdminView)
