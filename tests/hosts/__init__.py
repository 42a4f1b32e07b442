"""Other releases of Debian on this kernel: ``make hosts`` sets Tare up in each, tries every target and measures once.

``python -m tests.hosts --help`` says how. A release is a root file system below the state folder, entered by a mount, UTS and
PID namespace of its own; network and control groups stay this host's.
"""
