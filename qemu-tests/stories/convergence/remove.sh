# SPDX-License-Identifier: GPL-2.0-only
# On a host that is removed in order: its connections end first. Then it is not there at the next boot.
nlbadm drainstop --wait --timeout 60s
systemctl disable --now nlb@web
