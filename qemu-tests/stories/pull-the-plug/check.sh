# SPDX-License-Identifier: GPL-2.0-only
# On each host, with the second file as /etc/nlb/web.toml: the cluster goes on meanwhile.
systemctl reload nlb@web
systemctl enable --now nlbd
