"""Provision this host or many with Ansible, and run scenarios on a fleet."""
