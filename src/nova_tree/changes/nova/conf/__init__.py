"""Nova knows the options of group [xloud]."""
from nova.conf import xloud

xloud.register_opts(CONF)
