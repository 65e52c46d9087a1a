# SPDX-License-Identifier: GPL-2.0-only
# On each host, with certificate, key and tls.conf copied there, and the second file as /etc/nlb/web.toml.
systemctl reload nginx
nlbadm check /etc/nlb/web.toml
systemctl reload nlb@web
