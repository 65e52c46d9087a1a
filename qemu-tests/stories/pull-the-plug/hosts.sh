# SPDX-License-Identifier: GPL-2.0-only
# On each host: a page that takes a second and a half, so that requests are under way at each moment.
(head -c 6000 /dev/zero | tr '\0' '.'; cat /var/www/html/index.html) >/var/www/html/page
echo 'limit_rate 4k;' >/etc/nginx/conf.d/slow.conf
systemctl reload nginx
