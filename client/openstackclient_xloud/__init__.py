"""OpenStackClient plugin for clouds that run nova-xloud: servers that grow and shrink live."""
