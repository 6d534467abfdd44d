"""Tests of the plugin: the real openstack command, against a cloud on the loopback interface."""
