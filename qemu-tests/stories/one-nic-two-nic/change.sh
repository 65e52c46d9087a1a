# SPDX-License-Identifier: GPL-2.0-only
# On all hosts at once, with the second file as /etc/nlb/web.toml: hosts of different modes do not serve together.
nlbadm apply --restart /etc/nlb/web.toml
