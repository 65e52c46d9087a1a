# SPDX-License-Identifier: GPL-2.0-only
"""What the machine code of the module may refer to: see check-object.py."""
