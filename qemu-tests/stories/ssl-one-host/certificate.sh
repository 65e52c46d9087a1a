# SPDX-License-Identifier: GPL-2.0-only
# Once: an authority of one's own, and the certificate of the site. (Or one that is bought.)
mkdir -p /etc/nginx/tls && chmod 700 /etc/nginx/tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=Authority of example.org' -addext keyUsage=critical,keyCertSign,cRLSign -days 3650 -keyout /etc/nginx/tls/authority.key -out /etc/nginx/tls/authority.crt
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=www.example.org -addext subjectAltName=DNS:www.example.org -keyout /etc/nginx/tls/www.key -out /etc/nginx/tls/www.csr
openssl x509 -req -in /etc/nginx/tls/www.csr -CA /etc/nginx/tls/authority.crt -CAkey /etc/nginx/tls/authority.key -days 365 -copy_extensions copy -out /etc/nginx/tls/www.crt
