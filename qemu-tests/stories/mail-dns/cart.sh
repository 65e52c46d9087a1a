# SPDX-License-Identifier: GPL-2.0-only
# The web application, on each host, with cart.php and cart.conf copied there.
cp /etc/nginx/sites-available/cart.conf /etc/nginx/sites-enabled/default
systemctl restart php8.4-fpm
systemctl reload nginx
