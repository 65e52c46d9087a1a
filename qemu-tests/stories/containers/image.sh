# SPDX-License-Identifier: GPL-2.0-only
# An image without a registry: busybox, which has a web server. With one: podman pull docker.io/library/nginx
mkdir -p image/bin image/www && cp /usr/bin/busybox image/bin/ && ln -sf busybox image/bin/httpd
for file in $(ldd /usr/bin/busybox | grep -o '/[^ ]*'); do mkdir -p "image$(dirname "$file")" && cp -L "$file" "image$file"; done
tar -C image -c . | podman import --change 'ENTRYPOINT ["/bin/httpd","-f","-p","80","-h","/www"]' - web
