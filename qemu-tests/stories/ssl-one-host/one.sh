# SPDX-License-Identifier: GPL-2.0-only
# On host 1, which has the certificate.
systemctl reload nginx
curl -sS --cacert /etc/nginx/tls/authority.crt --connect-to www.example.org:443:192.0.2.1:443 https://www.example.org/
