# SPDX-License-Identifier: GPL-2.0-only
"""Guests, scenarios and the lab of nlb. Standard library only."""
