# SPDX-License-Identifier: GPL-2.0-only
# On each host, with web.container copied to /etc/containers/systemd. The port must be free.
systemctl disable --now nginx
systemctl daemon-reload
systemctl start web
curl -sS --retry 10 --retry-connrefused http://localhost/
nft list chain inet netavark NETAVARK-HOSTPORT-DNAT
