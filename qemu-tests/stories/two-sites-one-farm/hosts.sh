# SPDX-License-Identifier: GPL-2.0-only
# On each host, when nlb@web has made the addresses.
ip -brief address show dev nlb0
systemctl restart nginx
nlbadm rules
