# SPDX-License-Identifier: GPL-2.0-only
# On each web server, with the two pages in /var/www/html and the site's file in /etc/nginx/sites-available.
hostname | tr -dc 0-9 >/var/www/html/host
cp /etc/nginx/sites-available/shop.conf /etc/nginx/sites-enabled/default
sed -i 's/^pm = .*/pm = static/; s/^pm.max_children = .*/pm.max_children = 3/' /etc/php/8.4/fpm/pool.d/www.conf
systemctl restart php8.4-fpm
systemctl reload nginx
