# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The Ansible role and the example for cloud-init, on a plain Debian 13 without
# systemd. test-packages.sh sources it.

# play NAME TEXT PATTERN [ARG…]: a result: the role, on this machine; its summary
# has the pattern.
play() {
	local name=$1 text=$2 pattern=$3 arguments
	arguments=$(printf ' %q' "${@:4}")
	if inside "cd /srv/ansible && ansible-playbook -i local.yml$arguments site.yml" >"$logs/$name.log" 2>&1; then
		:
	fi
	if grep -qE "$pattern" "$logs/$name.log"; then
		verdict "$name" 0 "$text"
	else
		tail -n 30 "$logs/$name.log" >&2
		verdict "$name" 1 "$text: $pattern"
	fi
}

# inventory: two hosts, the first of which is this machine.
inventory() {
	cat <<-END
		nlb:
		  hosts:
		    web1: {nlb_host_id: 1, ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}
		    web2: {nlb_host_id: 2, nlb_weight: 80}
		  vars:
		    nlb_cluster: shop
		    nlb_vips: [192.0.2.10, "2001:db8::10"]
		    nlb_interface: eth1
		    nlb_service: false
		    nlb_settings: {period: 100ms, echo: all}
		    nlb_rules:
		      - {ports: 443, protocols: tcp, health: passive, weights: {1: 100, 2: 50}}
		      - {ports: 8000-8099, mode: single}
		    nlb_packages: ["$(find "$debs" -name 'nlbadm_*_amd64.deb')"]
		    nlb_key: |
		$(in_packages "$logs/tool/usr/sbin/nlbadm" genkey | sed 's/^/      /')
	END
}

test_ansible() {
	attempt ansible-packages "Debian 13 has ansible, ansible-lint and cloud-init" inside "
		apt-get update
		apt-get install -y --no-install-recommends ansible-core ansible-lint cloud-init python3-apt"
	rm -rf -- "$root/srv/ansible"
	cp -r "$NLB_ROOT/dist/ansible" "$root/srv/ansible"
	cp "$NLB_ROOT/dist/examples/cloud-init.yaml" "$root/srv/"
	attempt ansible-lint "of the role and the playbooks" inside 'cd /srv/ansible && ansible-lint --offline'
	attempt ansible-syntax "the playbooks" inside 'cd /srv/ansible &&
		for book in site.yml upgrade.yml; do ansible-playbook -i inventory.yml --syntax-check "$book"; done'
	inventory >"$root/srv/ansible/local.yml"
	play ansible-role "the role makes a host" 'web1 .*changed=[1-9].*failed=0' --limit web1
	attempt ansible-file "its file is right for every host, and its key is secret" inside 'set -e
		nlbadm check --host web1 /etc/nlb/shop.toml
		nlbadm check --host web2 /etc/nlb/shop.toml
		[ "$(stat -c %a /etc/nlb/shop.key)" = 600 ]'
	play ansible-again "and changes nothing the second time" 'web1 .*changed=0.*failed=0' --limit web1
	play ansible-wrong "what is not right is refused with nlbadm's words" 'cannot be a VIP' --limit web1 \
		-e '{"nlb_vips": ["224.0.0.1"]}'
	attempt ansible-kept "and the file stays as it was" inside 'nlbadm check --host web1 /etc/nlb/shop.toml'
	attempt cloud-init "the example is one for cloud-init" inside 'cloud-init schema --config-file /srv/cloud-init.yaml'
	attempt cloud-init-file "and has a file of a cluster" inside 'set -e
		python3 -c "import yaml; files = yaml.safe_load(open(\"/srv/cloud-init.yaml\"))[\"write_files\"]
print(next(it[\"content\"] for it in files if it[\"path\"].endswith(\".toml\")))" >/tmp/web.toml
		nlbadm check --host web2 /tmp/web.toml'
}
