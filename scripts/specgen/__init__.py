# SPDX-License-Identifier: GPL-2.0-only
"""What is generated from the netlink specification."""
