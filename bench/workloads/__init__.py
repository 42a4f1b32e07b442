"""What runs inside targets: one module a program, each a builder of arguments and a pure parser of what was said."""
