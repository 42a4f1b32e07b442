"""Install engines with Ansible, on this host or on many, and measure on a fleet."""
